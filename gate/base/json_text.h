/* SPDX-License-Identifier: Apache-2.0 */
/* JSON written straight into a text, without a tree, for the few answers that are given thousands of times a second.
 * The writer knows where a comma belongs; that what is opened gets closed is the caller's duty. */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include <stdint.h>

#include "text.h"

/* Each of these writes a member of the open object, or, with a NULL name, an element of the open array or the root.
 * Names are literals that need no escape. */
void json_text_open(struct text *text, const char *name, char bracket);        /* '{' or '[' */
void json_text_string(struct text *text, const char *name, const char *value); /* UTF-8; NULL is written as null */
void json_text_bool(struct text *text, const char *name, bool value);
void json_text_integer(struct text *text, const char *name, int64_t value);
void json_text_null(struct text *text, const char *name);
void json_text_raw(struct text *text, const char *name, const char *json); /* a whole value, written already */

void json_text_close(struct text *text, char bracket); /* '}' or ']' */

#endif
