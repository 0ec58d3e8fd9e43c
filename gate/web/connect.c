/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting one provider: see connect.h. */
#include "connect.h"

#include <string.h>

#include "html.h"

static char *path_of(struct arena *arena, const struct page_frame *frame, const char *id, const char *rest)
{
	return arena_printf(arena, "%s/external-auth/%s%s", frame->base, id, rest);
}

/* --- before ------------------------------------------------------------------------------------------------------- */

static void add_scopes(struct text *page, const char *scopes)
{
	text_add(page, "<dt>It is asked for</dt>\n<dd>");
	if (scopes[strspn(scopes, " ")] == '\0') {
		text_add(page, "what it grants by itself</dd>\n");
		return;
	}
	text_add(page, "<ul>\n");
	for (const char *at = scopes + strspn(scopes, " "); *at != '\0'; at += strspn(at, " ")) {
		size_t size = strcspn(at, " ");

		text_add(page, "<li><code>");
		text_add_html(page, arena_copy_bytes(page->arena, at, size));
		text_add(page, "</code></li>\n");
		at += size;
	}
	text_add(page, "</ul></dd>\n");
}

/* The way to the provider is a link: a form's answer may not lead to another host under form-action 'self', which
 * browsers hold against redirects, too. */
static char *start_address(struct arena *arena, const struct page_frame *frame, const struct page_connect *connect)
{
	struct text address = text_in(arena);

	text_add(&address, path_of(arena, frame, connect->id, "?go=1"));
	if (connect->redirect != NULL) {
		text_add(&address, "&redirect=");
		text_add_url(&address, connect->redirect);
	}
	return address.bytes;
}

static void add_ways(struct text *page, const struct page_frame *frame, const struct page_connect *connect)
{
	struct arena *arena = page->arena;

	text_add(page, "<div class=\"actions\">\n");
	if (connect->has_browser_flow)
		html_link(page, "button", start_address(arena, frame, connect),
			arena_printf(arena, "Connect %s", connect->name));
	if (connect->has_device_flow) {
		html_form(page, path_of(arena, frame, connect->id, "/device"), frame->csrf);
		html_element(
			page, connect->has_browser_flow ? "button class=\"second\"" : "button", "Connect with a code");
		text_add(page, "</form>\n");
	}
	text_add(page, "</div>\n");
	if (connect->has_device_flow)
		html_element(page, "p class=\"quiet\"",
			"With a code you can say yes in another browser or on your telephone.");
}

char *page_connect(struct arena *arena, const struct page_frame *frame, const struct page_connect *connect)
{
	struct text page = page_open(arena, frame, arena_printf(arena, "Connect %s", connect->name), true);

	html_element(
		&page, "p", arena_printf(arena, "You go on to %s, sign in there, and say yes or no.", connect->name));
	text_add(&page, "<dl>\n");
	html_fact(&page, "You are", connect->username);
	html_fact(&page, "You go on to", connect->host);
	add_scopes(&page, connect->scopes);
	if (connect->linked)
		html_fact(&page, "Connected now",
			connect->account != NULL ? connect->account : "yes, an account without a name");
	text_add(&page, "</dl>\n");
	if (connect->linked)
		html_element(&page, "p class=\"quiet\"", "What is connected now is replaced.");
	add_ways(&page, frame, connect);
	return page_close(&page, true);
}

/* --- after -------------------------------------------------------------------------------------------------------- */

static void add_installation_list(struct text *page, const struct page_connected *connected)
{
	html_element(page, "h2", "Where the app is installed");
	if (connected->installation_count == 0) {
		html_element(page, "p", "Nowhere yet. Without it, the connection reaches no repository.");
		return;
	}
	text_add(page, "<ul>\n");
	for (size_t i = 0; i < connected->installation_count; i++) {
		const struct page_installation *installation = &connected->installations[i];

		text_add(page, "<li>");
		if (installation->configure_url != NULL)
			html_link(page, NULL, installation->configure_url, installation->account);
		else
			text_add_html(page, installation->account);
		text_add(page, "</li>\n");
	}
	text_add(page, "</ul>\n");
}

static void add_installations(struct text *page, const struct page_connected *connected)
{
	const bool is_somewhere = connected->installation_count > 0;

	if (connected->installations != NULL)
		add_installation_list(page, connected);
	if (connected->install_url == NULL)
		return;
	text_add(page, "<div class=\"actions\">\n");
	html_link(page, is_somewhere ? "button second" : "button", connected->install_url,
		is_somewhere ? "Install it elsewhere" : "Install the app");
	text_add(page, "</div>\n");
}

char *page_connected(struct arena *arena, const struct page_frame *frame, const struct page_connected *connected)
{
	struct text page = page_open(arena, frame, arena_printf(arena, "%s is connected", connected->name), true);

	text_add(&page, "<dl>\n");
	html_fact(&page, "Your account there", connected->account);
	html_fact(&page, "You are here", connected->username);
	text_add(&page, "</dl>\n");
	if (connected->account != NULL)
		html_element(
			&page, "p class=\"quiet\"", "Is that the wrong account? Sign out there, then connect again.");
	add_installations(&page, connected);
	html_element(&page, "p", "You can close this window and go on where you were.");
	if (frame->username != NULL) {
		text_add(&page, "<div class=\"actions\">\n");
		html_link(&page, "button second", page_address(arena, frame, "/"), "My providers");
		text_add(&page, "</div>\n");
	}
	return page_close(&page, true);
}

/* --- with a code -------------------------------------------------------------------------------------------------- */

static void add_check(struct text *page, const struct page_frame *frame, const struct page_code *code)
{
	text_add(page, "<div class=\"actions\">\n");
	html_form(page, path_of(page->arena, frame, code->id, "/device"), frame->csrf);
	if (!code->over) {
		html_hidden(page, "device_code", code->handle);
		html_hidden(page, "user_code", code->user_code);
		html_hidden(page, "verification_uri", code->verification_uri);
	}
	html_element(page, "button", code->over ? "Get a new code" : "I have said yes: check now");
	text_add(page, "</form>\n</div>\n");
}

static void add_steps(struct text *page, const struct page_code *code)
{
	struct arena *arena = page->arena;

	text_add(page, "<ol>\n<li>Open ");
	html_link(page, NULL, code->verification_uri, code->verification_uri);
	text_add(page, " here or on another device.</li>\n");
	html_element(page, "li", arena_printf(arena, "Enter this code there, and say yes to %s.", code->name));
	text_add(page, "<li>Come back to this page.</li>\n</ol>\n");
	html_element(page, "p class=\"code\"", code->user_code);
	if (code->expires_in_s > 0)
		html_element(page, "p class=\"quiet\"",
			arena_printf(arena, "It is good for %s.", html_duration(arena, code->expires_in_s * 1000)));
}

char *page_code(struct arena *arena, const struct page_frame *frame, const struct page_code *code)
{
	struct text page = page_open(arena, frame, arena_printf(arena, "Connect %s with a code", code->name), true);

	if (code->trouble != NULL) {
		text_addf(&page, "<div class=\"notice %s\" role=\"status\">", code->over ? "bad" : "wait");
		html_element(&page, "p", code->trouble);
		text_add(&page, "</div>\n");
	}
	if (!code->over)
		add_steps(&page, code);
	add_check(&page, frame, code);
	return page_close(&page, true);
}
