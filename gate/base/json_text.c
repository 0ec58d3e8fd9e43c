/* SPDX-License-Identifier: Apache-2.0 */
/* JSON straight into a text: see json_text.h. Escapes what RFC 8259 section 7 demands and nothing else. */
#include "json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The comma, where something stands before, and the name. */
static void put_name(struct text *text, const char *name)
{
	char before = text->size == 0 ? '\0' : text->bytes[text->size - 1];
	if (before != '\0' && before != '{' && before != '[')
		text_add_bytes(text, ",", 1);
	if (name == NULL)
		return;
	text_add_bytes(text, "\"", 1);
	text_add(text, name);
	text_add_bytes(text, "\":", 2);
}

static bool needs_escape(char c)
{
	return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

static void put_escape(struct text *text, char c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	for (const char *at = shorts; *at != '\0'; at += 2) {
		const char escape[2] = {'\\', at[1]};
		if (*at == c) {
			text_add_bytes(text, escape, sizeof(escape));
			return;
		}
	}
	text_addf(text, "\\u%04x", (unsigned)(unsigned char)c);
}

/* Most strings have nothing to escape and are added at once. */
static void put_string(struct text *text, const char *value)
{
	const char *from = value;
	text_add_bytes(text, "\"", 1);
	for (; *value != '\0'; value++) {
		if (!needs_escape(*value))
			continue;
		text_add_bytes(text, from, (size_t)(value - from));
		put_escape(text, *value);
		from = value + 1;
	}
	text_add_bytes(text, from, (size_t)(value - from));
	text_add_bytes(text, "\"", 1);
}

void json_text_open(struct text *text, const char *name, char bracket)
{
	put_name(text, name);
	text_add_bytes(text, &bracket, 1);
}

void json_text_close(struct text *text, char bracket)
{
	text_add_bytes(text, &bracket, 1);
}

void json_text_string(struct text *text, const char *name, const char *value)
{
	put_name(text, name);
	if (value == NULL)
		text_add_bytes(text, "null", 4);
	else
		put_string(text, value);
}

void json_text_bool(struct text *text, const char *name, bool value)
{
	put_name(text, name);
	text_add(text, value ? "true" : "false");
}

void json_text_integer(struct text *text, const char *name, int64_t value)
{
	put_name(text, name);
	text_addf(text, "%" PRId64, value);
}

void json_text_null(struct text *text, const char *name)
{
	put_name(text, name);
	text_add_bytes(text, "null", 4);
}

void json_text_raw(struct text *text, const char *name, const char *json)
{
	put_name(text, name);
	text_add(text, json);
}
