/* SPDX-License-Identifier: Apache-2.0 */
/* Pages: see page.h. The style is part of the page and allowed by its hash, so that the policy needs no 'unsafe-inline'
 * and the page no second request. */
#include "page.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../base/secret.h"
#include "html.h"

/* STYLE, from style.css. */
#include "style.inc"

/* A page without providers, its style included: with the answer around it, it fits the first block of a request's
 * arena. */
#define PAGE_BYTES_USUAL 6144

static void add_place(
	struct text *page, const struct page_frame *frame, enum page_place place, const char *path, const char *label)
{
	text_add(page, "<a");
	html_attribute(page, "href", page_address(page->arena, frame, path));
	html_attribute(page, "aria-current", frame->place == place ? "page" : NULL);
	text_add(page, ">");
	text_add_html(page, label);
	text_add(page, "</a>\n");
}

static void add_header(struct text *page, const struct page_frame *frame)
{
	text_add(page, "<header>\n<strong>Gatehouse</strong>\n");
	if (frame->username != NULL) {
		text_add(page, "<nav aria-label=\"Pages\">\n");
		add_place(page, frame, PAGE_PROVIDERS, "/", "My providers");
		add_place(page, frame, PAGE_DEVICE, "/device", "Command line");
		text_add(page, "</nav>\n");
		html_form(page, page_address(page->arena, frame, "/logout"), frame->csrf);
		text_add(page, "<div class=\"who\"><span>Signed in as <b>");
		text_add_html(page, frame->username);
		text_add(page, "</b></span>\n<button class=\"second small\">Sign out</button></div>\n</form>\n");
	}
	text_add(page, "</header>\n");
}

struct text page_open(struct arena *arena, const struct page_frame *frame, const char *title, bool alone)
{
	struct text page = text_sized(arena, PAGE_BYTES_USUAL);

	text_add(&page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
			"<link rel=\"icon\" href=\"data:,\">\n<title>");
	text_add_html(&page, title);
	text_add(&page, " - Gatehouse</title>\n<style>");
	text_add_bytes(&page, STYLE, sizeof(STYLE) - 1);
	text_add(&page, "</style>\n</head>\n<body>\n");
	add_header(&page, frame);
	text_add(&page, alone ? "<main class=\"alone\">\n<div class=\"card\">\n" : "<main>\n");
	html_element(&page, "h1", title);
	return page;
}

char *page_close(struct text *page, bool alone)
{
	text_add(page, alone ? "</div>\n</main>\n</body>\n</html>\n" : "</main>\n</body>\n</html>\n");
	return page->bytes;
}

char *page_address(struct arena *arena, const struct page_frame *frame, const char *path)
{
	return arena_printf(arena, "%s%s", frame->base, path);
}

char *page_message(struct arena *arena, const char *title, const char *text, const char *note)
{
	const struct page_frame frame = {.base = ""};
	struct text page = page_open(arena, &frame, title, true);

	html_element(&page, "p", text);
	html_element(&page, "p class=\"quiet\"", note);
	return page_close(&page, true);
}

static char security_policy[256];

static void make_security_policy(void)
{
	struct arena *arena = arena_new(4096);
	uint8_t hash[SHA256_BYTES];

	sha256(STYLE, sizeof(STYLE) - 1, hash);
	(void)snprintf(security_policy, sizeof(security_policy),
		"default-src 'none'; style-src 'sha256-%s'; img-src data:; base-uri 'none'; form-action 'self'; "
		"frame-ancestors 'none'",
		base64_encode(arena, hash, sizeof(hash)));
	arena_free(arena);
}

const char *page_security_policy(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_security_policy);
	return security_policy;
}
