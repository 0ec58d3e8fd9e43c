/* SPDX-License-Identifier: Apache-2.0 */
/* Pages: plain HTML with one style, no script, nothing loaded from anywhere. */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include "../base/arena.h"

/* A whole page with a heading, a paragraph and, unless NULL, a quieter one below. All are text and are escaped. */
char *page_message(struct arena *arena, const char *title, const char *text, const char *note);

/* The Content-Security-Policy that fits the pages: their one style by its hash, no framing. Lives in the arena. */
char *page_security_policy(struct arena *arena);

#endif
