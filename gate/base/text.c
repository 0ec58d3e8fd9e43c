/* SPDX-License-Identifier: Apache-2.0 */
/* Building a text piece by piece, and the escapings a text needs on its way into a URL, a form or a page. */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TEXT_FIRST_BYTES 256
#define TEXT_STEP_BYTES 256

static const char hex_digits[] = "0123456789ABCDEF";

struct text text_sized(struct arena *arena, size_t capacity)
{
	return (struct text){.arena = arena, .bytes = arena_alloc(arena, capacity), .capacity = capacity};
}

struct text text_in(struct arena *arena)
{
	return text_sized(arena, TEXT_FIRST_BYTES);
}

/* Makes room for extra bytes and the NUL. Where nothing came behind it in the arena the text grows where it stands;
 * else doubling keeps what growing leaves behind below the text itself. */
static void text_grow(struct text *text, size_t extra)
{
	size_t capacity = text->capacity;
	char *bytes;

	if (extra < capacity - text->size)
		return;
	bytes = arena_extend(text->arena, text->bytes, capacity, text->size + extra + TEXT_STEP_BYTES);
	if (bytes != NULL) {
		text->bytes = bytes;
		text->capacity = text->size + extra + TEXT_STEP_BYTES;
		return;
	}
	while (extra >= capacity - text->size)
		capacity *= 2;
	bytes = arena_alloc(text->arena, capacity);
	memcpy(bytes, text->bytes, text->size);
	text->bytes = bytes;
	text->capacity = capacity;
}

void text_add_bytes(struct text *text, const char *piece, size_t size)
{
	if (size == 0)
		return;
	text_grow(text, size);
	memcpy(text->bytes + text->size, piece, size);
	text->size += size;
	text->bytes[text->size] = '\0';
}

void text_add(struct text *text, const char *piece)
{
	text_add_bytes(text, piece, strlen(piece));
}

void text_addf(struct text *text, const char *format, ...)
{
	size_t room = text->capacity - text->size;
	va_list arguments;
	int size;

	/* Mostly there is room, and once is enough. */
	va_start(arguments, format);
	size = vsnprintf(text->bytes + text->size, room, format, arguments);
	va_end(arguments);
	if (size <= 0)
		return;
	if ((size_t)size >= room) {
		text_grow(text, (size_t)size);
		va_start(arguments, format);
		(void)vsnprintf(text->bytes + text->size, (size_t)size + 1, format, arguments);
		va_end(arguments);
	}
	text->size += (size_t)size;
}

void text_add_number(struct text *text, uint64_t number)
{
	char digits[20]; /* of 2^64 */
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	text_add_bytes(text, digits + at, sizeof(digits) - at);
}

/* RFC 3986 section 2.3. */
static int text_is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

void text_add_url(struct text *text, const char *piece)
{
	while (*piece != '\0') {
		uint8_t byte = (uint8_t)*piece;
		char escape[3] = {'%', hex_digits[byte >> 4], hex_digits[byte & 15]};
		size_t plain = 0;

		while (text_is_unreserved(piece[plain]))
			plain++;
		text_add_bytes(text, piece, plain);
		piece += plain;
		if (plain > 0)
			continue;
		text_add_bytes(text, escape, sizeof(escape));
		piece++;
	}
}

void text_add_form(struct text *text, const char *name, const char *value)
{
	if (text->size > 0)
		text_add(text, "&");
	text_add_url(text, name);
	text_add(text, "=");
	text_add_url(text, value);
}

/* Of one of the characters that stand for something in HTML, also inside a quoted attribute. */
static const char *text_html_escape(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	default:
		return "&#39;";
	}
}

void text_add_html(struct text *text, const char *piece)
{
	while (*piece != '\0') {
		size_t plain = strcspn(piece, "&<>\"'");

		text_add_bytes(text, piece, plain);
		piece += plain;
		if (*piece != '\0')
			text_add(text, text_html_escape(*piece++));
	}
}

/* How many bytes the first byte announces, with the lawful range of the second (RFC 3629 section 4): overlong forms,
 * surrogates and what lies beyond U+10FFFF are told by the second byte. */
static size_t utf8_announced(uint8_t first, uint8_t *ret_low, uint8_t *ret_high)
{
	*ret_low = 0x80;
	*ret_high = 0xbf;
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	if (first < 0xe0)
		return 2;
	if (first == 0xe0)
		*ret_low = 0xa0;
	if (first == 0xed)
		*ret_high = 0x9f;
	if (first < 0xf0)
		return 3;
	if (first == 0xf0)
		*ret_low = 0x90;
	if (first == 0xf4)
		*ret_high = 0x8f;
	return 4;
}

size_t text_utf8_size(const char *bytes, size_t size)
{
	uint8_t low;
	uint8_t high;
	size_t announced;

	if (size == 0)
		return 0;
	announced = utf8_announced((uint8_t)bytes[0], &low, &high);
	if (announced > size)
		return 0;
	for (size_t i = 1; i < announced; i++) {
		if ((uint8_t)bytes[i] < low || (uint8_t)bytes[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return announced;
}

bool text_is_utf8(const char *bytes, size_t size)
{
	size_t at = 0;

	while (at < size) {
		size_t character = text_utf8_size(bytes + at, size - at);

		if (character == 0)
			return false;
		at += character;
	}
	return true;
}

void text_to_lower(char *text)
{
	for (char *at = text; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
}

void text_to_upper(char *text)
{
	for (char *at = text; *at != '\0'; at++)
		if (*at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
}
