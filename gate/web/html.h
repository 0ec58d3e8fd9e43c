/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces that pages are made of. Whatever is named content, value or label is text and is escaped here; markup is a
 * literal of the page. */
#ifndef WEB_HTML_H
#define WEB_HTML_H

#include <stdint.h>

#include "../base/text.h"

/* <tag>content</…>; tag is a literal that may hold attributes: "p class=\"quiet\"". NULL content: nothing is added. */
void html_element(struct text *page, const char *tag, const char *content);

/*  name="value" inside an open tag; NULL value: nothing is added. */
void html_attribute(struct text *page, const char *name, const char *value);

/* A link; style is a class or NULL. */
void html_link(struct text *page, const char *style, const char *address, const char *label);

/* An input that nobody sees; NULL value: nothing is added. */
void html_hidden(struct text *page, const char *name, const char *value);

/* <dt>term</dt><dd>content</dd>; NULL content: nothing is added. */
void html_fact(struct text *page, const char *term, const char *content);

/* The start of a form that is posted to address, with what makes the service believe it; csrf NULL: without. */
void html_form(struct text *page, const char *address, const char *csrf);

/* A time as people read it, in UTC: "2030-01-31 12:00 UTC". Lives in the arena; NULL for 0. */
char *html_time(struct arena *arena, int64_t at_ms);

/* How long ago, or until when, as people say it: "2 minutes", "less than a minute". Lives in the arena. */
char *html_duration(struct arena *arena, int64_t duration_ms);

#endif
