/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text in an arena, for what is built piece by piece: an answer, a page, the metrics. It cannot fail: the
 * arena bounds it. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

struct text {
	struct arena *arena;
	char *bytes; /* always ends with NUL, also when empty */
	size_t size; /* without the NUL */
	size_t capacity;
};

struct text text_in(struct arena *arena);
struct text text_sized(struct arena *arena, size_t capacity); /* where the size is known about, NUL included */
void text_add(struct text *text, const char *piece);
void text_add_bytes(struct text *text, const char *piece, size_t size);
void text_add_number(struct text *text, uint64_t number); /* decimal; cheaper than text_addf */
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* RFC 3986 percent-encoding of everything but unreserved characters. */
void text_add_url(struct text *text, const char *piece);

/* application/x-www-form-urlencoded: adds `&` where something stands before it, then name=value, both encoded. */
void text_add_form(struct text *text, const char *name, const char *value);

/* ASCII letters in place, whatever the locale. */
void text_to_lower(char *text);
void text_to_upper(char *text);

/* Escaped for HTML text and quoted attributes. */
void text_add_html(struct text *text, const char *piece);

/* Bytes of the well-formed UTF-8 character (RFC 3629) that starts here; 0 where none does. */
size_t text_utf8_size(const char *bytes, size_t size);
bool text_is_utf8(const char *bytes, size_t size);

/* The value of a parameter in a query or form body, decoded into the arena; NULL where it is absent, appears twice
 * (RFC 6749 section 3.1: parameters MUST NOT be included more than once), or does not decode to UTF-8 without NUL. */
char *form_value(struct arena *arena, const char *form, const char *name);

/* Whether the parameter is there at all, also where form_value cannot give its value. */
bool form_is_given(struct arena *arena, const char *form, const char *name);

#endif
