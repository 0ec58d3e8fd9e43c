/* SPDX-License-Identifier: Apache-2.0 */
/* Pages: plain HTML with one style, no script, nothing loaded from anywhere (display icons neither: they would tell
 * somebody else's host who looks at what). Pages are functions from what they show to their text. */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include "../base/arena.h"
#include "../base/text.h"

/* Which of the header's links is the page itself. */
enum page_place { PAGE_ELSEWHERE, PAGE_PROVIDERS, PAGE_DEVICE };

/* What stands around every page. */
struct page_frame {
	const char *base;     /* what stands in front of every path: the access URL's own path, mostly "" */
	const char *username; /* who is signed in; NULL: nobody, so there is nothing to go to and to sign out of */
	const char *csrf;     /* for the forms of a page and for signing out; NULL: there is no form */
	enum page_place place;
};

/* Everything before and behind the content. A page with alone has its content in one card in the middle. */
struct text page_open(struct arena *arena, const struct page_frame *frame, const char *title, bool alone);
char *page_close(struct text *page, bool alone);

/* base, then the path: an address on this service. Lives in the arena. */
char *page_address(struct arena *arena, const struct page_frame *frame, const char *path);

/* A whole page with a heading, a paragraph and, unless NULL, a quieter one below. All are text and are escaped. */
char *page_message(struct arena *arena, const char *title, const char *text, const char *note);

/* The Content-Security-Policy that fits the pages: their one style by its hash, forms to this service, no framing. It
 * is the same for the process's life. */
const char *page_security_policy(void);

#endif
