/* SPDX-License-Identifier: Apache-2.0 */
/* Pages: see page.h. The style is part of the page and allowed by its hash, so that the policy needs no 'unsafe-inline'
 * and the page no second request. */
#include "page.h"

#include <string.h>

#include "../base/secret.h"
#include "../base/text.h"

static const char STYLE[] =
	":root{color-scheme:light dark;--ink:#1c2430;--quiet:#566173;--paper:#f5f6f8;--card:#fff;--line:#d9dee6}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e8ecf2;--quiet:#a5b0c0;--paper:#14181f;--card:#1d232c;--line:#"
	"333c49}}"
	"body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);color:var(--ink);"
	"font:1rem/1.5 system-ui,sans-serif}"
	"main{max-width:32rem;margin:1rem;padding:2rem;background:var(--card);border:1px solid var(--line);"
	"border-radius:.75rem}"
	"h1{margin:0 0 .75rem;font-size:1.4rem;line-height:1.25}p{margin:.5rem 0 0;overflow-wrap:anywhere}"
	".note{color:var(--quiet);font-size:.9rem}";

char *page_message(struct arena *arena, const char *title, const char *text, const char *note)
{
	struct text page = text_in(arena);

	text_add(&page, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
	text_add_html(&page, title);
	text_add(&page, " - Gatehouse</title>\n<style>");
	text_add(&page, STYLE);
	text_add(&page, "</style>\n</head>\n<body>\n<main>\n<h1>");
	text_add_html(&page, title);
	text_add(&page, "</h1>\n<p>");
	text_add_html(&page, text);
	text_add(&page, "</p>\n");
	if (note != NULL) {
		text_add(&page, "<p class=\"note\">");
		text_add_html(&page, note);
		text_add(&page, "</p>\n");
	}
	text_add(&page, "</main>\n</body>\n</html>\n");
	return page.bytes;
}

char *page_security_policy(struct arena *arena)
{
	uint8_t hash[SHA256_BYTES];

	sha256(STYLE, strlen(STYLE), hash);
	return arena_printf(arena,
		"default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors "
		"'none'",
		base64_encode(arena, hash, sizeof(hash)));
}
