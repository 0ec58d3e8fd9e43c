/* SPDX-License-Identifier: Apache-2.0 */
/* The page to sign in on: see login.h. */
#include "login.h"

#include "html.h"

static char *page_without_login(struct arena *arena, const struct page_frame *frame)
{
	struct text page = page_open(arena, frame, "Signing in is not set up", true);

	html_element(&page, "p", "This service has no identity provider to sign in with.");
	html_element(&page, "h2", "What to do");
	html_element(&page, "p",
		"To connect an account, ask for a link where you were refused: it works without signing in. "
		"For these pages, ask your operator to set GATEHOUSE_OIDC_ISSUER.");
	return page_close(&page, true);
}

char *page_login(struct arena *arena, const struct page_frame *frame, const struct page_login *login)
{
	if (login->start == NULL)
		return page_without_login(arena, frame);

	struct text page = page_open(arena, frame, login->signed_out ? "You are signed out" : "Sign in", true);

	html_element(&page, "p",
		login->purpose != NULL ? login->purpose
				       : "To see which of your accounts are connected, to connect more, and to "
					 "let your command line in.");
	if (login->issuer != NULL) {
		text_add(&page, "<p class=\"quiet\">You go on to <b>");
		text_add_html(&page, login->issuer);
		text_add(&page, "</b> and come back here.</p>\n");
	}
	text_add(&page, "<div class=\"actions\">\n");
	html_link(&page, "button", login->start, login->signed_out ? "Sign in again" : "Sign in");
	text_add(&page, "</div>\n");
	return page_close(&page, true);
}
