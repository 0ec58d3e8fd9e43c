/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the bytes with a stack of open brackets: the grammar of RFC 8259, UTF-8, and the bounds on depth,
 * values and numbers. cJSON then sees only what it reads correctly. Linear, without recursion and without memory of its
 * own. */
#include "json_scan.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "must_check.h"
#include "text.h"

/* cJSON cuts a number at 63 characters; a double needs 24. */
#define NUMBER_BYTES_MAX 60

/* From 2^53 on a double, which is what cJSON keeps, may not be the number that was written: RFC 8259 section 6. */
#define NUMBER_END 9007199254740992.0

/* What may come next. */
enum expected { EXPECT_VALUE, EXPECT_VALUE_OR_CLOSE, EXPECT_KEY, EXPECT_KEY_OR_CLOSE, EXPECT_MORE };

struct scan {
	const char *bytes;
	size_t size;
	size_t at;
	size_t values;
	size_t depth;
	enum expected expected;
	char open[JSON_DEPTH_MAX]; /* '{' or '[' */
	const char *flaw;
};

static bool scan_fail(struct scan *scan, const char *flaw)
{
	scan->flaw = flaw;
	return false;
}

/* The byte at an offset from here; NUL, which no JSON holds outside a string, beyond the end. */
static char scan_peek(const struct scan *scan, size_t offset)
{
	return scan->at + offset < scan->size ? scan->bytes[scan->at + offset] : '\0';
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void scan_skip_blanks(struct scan *scan)
{
	while (scan->at < scan->size && is_blank(scan->bytes[scan->at]))
		scan->at++;
}

int32_t json_escaped_unit(const char *bytes, size_t size, size_t at)
{
	int32_t value = 0;

	if (at + 6 > size || bytes[at] != '\\' || bytes[at + 1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		char c = bytes[at + i];

		value *= 16;
		if (c >= '0' && c <= '9')
			value += c - '0';
		else if (c >= 'a' && c <= 'f')
			value += c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value += c - 'A' + 10;
		else
			return -1;
	}
	return value;
}

/* A backslash stands here. */
static bool scan_escape(struct scan *scan)
{
	char c = scan_peek(scan, 1);
	int32_t unit, second;

	if (c != 'u') {
		if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
			return scan_fail(scan, "an unknown escape");
		scan->at += 2;
		return true;
	}
	unit = json_escaped_unit(scan->bytes, scan->size, scan->at);
	if (unit < 0)
		return scan_fail(scan, "a \\u escape without four hex digits");
	if (unit == 0)
		return scan_fail(scan, "\\u0000, which no text here may hold");
	if (unit < 0xd800 || unit > 0xdfff) {
		scan->at += 6;
		return true;
	}
	second = json_escaped_unit(scan->bytes, scan->size, scan->at + 6);
	if (unit > 0xdbff || second < 0xdc00 || second > 0xdfff)
		return scan_fail(scan, "half of a surrogate pair");
	scan->at += 12;
	return true;
}

/* A quote stands here. */
static bool scan_string(struct scan *scan)
{
	scan->at++;
	while (scan->at < scan->size && scan->bytes[scan->at] != '"') {
		size_t character;

		if (scan->bytes[scan->at] == '\\') {
			if (!scan_escape(scan))
				return false;
			continue;
		}
		if ((uint8_t)scan->bytes[scan->at] < 0x20)
			return scan_fail(scan, "a control character in a string");
		character = text_utf8_size(scan->bytes + scan->at, scan->size - scan->at);
		if (character == 0)
			return scan_fail(scan, "bytes that are not UTF-8");
		scan->at += character;
	}
	if (scan->at >= scan->size)
		return scan_fail(scan, "a string without an end");
	scan->at++;
	return true;
}

/* Steps over digits; false where there is none. */
static bool scan_digits(const struct scan *scan, size_t *offset)
{
	size_t start = *offset;

	while (scan_peek(scan, *offset) >= '0' && scan_peek(scan, *offset) <= '9')
		(*offset)++;
	return *offset > start;
}

/* RFC 8259 section 6. ret_size is where it stops being a number. */
static bool scan_number_grammar(const struct scan *scan, size_t *ret_size)
{
	size_t offset = scan_peek(scan, 0) == '-' ? 1 : 0;
	bool zero = scan_peek(scan, offset) == '0';
	size_t start = offset;

	if (!scan_digits(scan, &offset) || (zero && offset > start + 1))
		return false;
	if (scan_peek(scan, offset) == '.') {
		offset++;
		if (!scan_digits(scan, &offset))
			return false;
	}
	if (scan_peek(scan, offset) == 'e' || scan_peek(scan, offset) == 'E') {
		offset++;
		if (scan_peek(scan, offset) == '+' || scan_peek(scan, offset) == '-')
			offset++;
		if (!scan_digits(scan, &offset))
			return false;
	}
	*ret_size = offset;
	return true;
}

bool json_is_number(const char *bytes, size_t size)
{
	const struct scan scan = {.bytes = bytes, .size = size};
	size_t length;

	return scan_number_grammar(&scan, &length) && length == size;
}

bool json_number_fits(const char *bytes, size_t size)
{
	char copy[NUMBER_BYTES_MAX + 1];

	if (size > NUMBER_BYTES_MAX)
		return false;
	memcpy(copy, bytes, size);
	copy[size] = '\0';
	return fabs(strtod(copy, NULL)) < NUMBER_END;
}

static bool scan_number(struct scan *scan)
{
	size_t size;

	if (!scan_number_grammar(scan, &size))
		return scan_fail(scan, "a malformed number");
	if (size > NUMBER_BYTES_MAX)
		return scan_fail(scan, "a number of too many digits");
	if (!json_number_fits(scan->bytes + scan->at, size))
		return scan_fail(scan, "a number beyond 2^53; write it as a string");
	scan->at += size;
	return true;
}

static bool scan_word(struct scan *scan)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		size_t length = strlen(words[i]);

		if (scan->size - scan->at >= length && memcmp(scan->bytes + scan->at, words[i], length) == 0) {
			scan->at += length;
			return true;
		}
	}
	return scan_fail(scan, "something that is no JSON value");
}

static bool scan_open(struct scan *scan, char bracket)
{
	if (scan->depth >= JSON_DEPTH_MAX)
		return scan_fail(scan, "too many levels");
	scan->open[scan->depth++] = bracket;
	scan->at++;
	scan->expected = bracket == '{' ? EXPECT_KEY_OR_CLOSE : EXPECT_VALUE_OR_CLOSE;
	return true;
}

static bool scan_close(struct scan *scan)
{
	scan->depth--;
	scan->at++;
	scan->expected = EXPECT_MORE;
	return true;
}

static bool scan_value(struct scan *scan)
{
	char c = scan_peek(scan, 0);
	bool good;

	if (++scan->values > JSON_VALUES_MAX)
		return scan_fail(scan, "too many values");
	if (c == '{' || c == '[')
		return scan_open(scan, c);
	scan->expected = EXPECT_MORE;
	if (c == '"')
		good = scan_string(scan);
	else if (c == '-' || (c >= '0' && c <= '9'))
		good = scan_number(scan);
	else
		good = scan_word(scan);
	return good;
}

static bool scan_key(struct scan *scan)
{
	if (scan_peek(scan, 0) != '"')
		return scan_fail(scan, "a member without a quoted name");
	if (!scan_string(scan))
		return false;
	scan_skip_blanks(scan);
	if (scan_peek(scan, 0) != ':')
		return scan_fail(scan, "a member without a colon");
	scan->at++;
	scan->expected = EXPECT_VALUE;
	return true;
}

/* Behind a value, inside a bracket. */
static bool scan_more(struct scan *scan)
{
	bool in_object = scan->open[scan->depth - 1] == '{';
	char c = scan_peek(scan, 0);

	if (c == (in_object ? '}' : ']'))
		return scan_close(scan);
	if (c != ',')
		return scan_fail(scan,
			in_object ? "neither a comma nor the object's end" : "neither a comma nor the array's end");
	scan->at++;
	scan->expected = in_object ? EXPECT_KEY : EXPECT_VALUE;
	return true;
}

static bool scan_step(struct scan *scan)
{
	char c = scan_peek(scan, 0);

	switch (scan->expected) {
	case EXPECT_VALUE_OR_CLOSE:
		return c == ']' ? scan_close(scan) : scan_value(scan);
	case EXPECT_VALUE:
		return scan_value(scan);
	case EXPECT_KEY_OR_CLOSE:
		return c == '}' ? scan_close(scan) : scan_key(scan);
	case EXPECT_KEY:
		return scan_key(scan);
	case EXPECT_MORE:
		return scan_more(scan);
	}
	return false;
}

static bool scan_text(struct scan *scan)
{
	if (scan->size >= 3 && memcmp(scan->bytes, "\xef\xbb\xbf", 3) == 0)
		return scan_fail(scan, "a byte order mark");
	do {
		scan_skip_blanks(scan);
		if (scan->at >= scan->size)
			return scan_fail(scan, "an end in the middle");
		if (!scan_step(scan))
			return false;
	} while (scan->depth > 0 || scan->expected != EXPECT_MORE);
	scan_skip_blanks(scan);
	if (scan->at < scan->size)
		return scan_fail(scan, "something behind its end");
	return true;
}

bool json_scan(const char *bytes, size_t size, struct json_flaw *ret_flaw)
{
	struct scan scan = {.bytes = bytes, .size = size, .expected = EXPECT_VALUE};

	if (scan_text(&scan))
		return true;
	*ret_flaw = (struct json_flaw){.what = scan.flaw, .at = scan.at};
	return false;
}
