/* SPDX-License-Identifier: Apache-2.0 */
/* Lawful JSON that the fence of json_scan.c refuses, written so that it passes: for answers that cannot be had a second
 * time. One pass, which changes nothing but what it knows to be in the way; what is no JSON at all stays none. */
#include "json_mend.h"

#include <string.h>

#include "json_scan.h"

/* U+FFFD: no text that is meant to be read holds it, so what is mended never passes for what was sent. */
#define REPLACEMENT "\xef\xbf\xbd"

struct mend {
	const char *bytes;
	size_t size;
	size_t at;
	struct text *mended;
};

static void keep(struct mend *mend, size_t size)
{
	text_add_bytes(mend->mended, mend->bytes + mend->at, size);
	mend->at += size;
}

static void replace(struct mend *mend, size_t size)
{
	text_add(mend->mended, REPLACEMENT);
	mend->at += size;
}

/* A backslash stands here. */
static void mend_escape(struct mend *mend)
{
	int32_t unit = json_escaped_unit(mend->bytes, mend->size, mend->at);
	int32_t second = json_escaped_unit(mend->bytes, mend->size, mend->at + 6);

	if (unit < 0)
		keep(mend, mend->size - mend->at < 2 ? 1 : 2);
	else if (unit >= 0xd800 && unit <= 0xdbff && second >= 0xdc00 && second <= 0xdfff)
		keep(mend, 12);
	else if (unit == 0 || (unit >= 0xd800 && unit <= 0xdfff))
		replace(mend, 6);
	else
		keep(mend, 6);
}

/* A quote stands here. */
static void mend_string(struct mend *mend)
{
	keep(mend, 1);
	while (mend->at < mend->size && mend->bytes[mend->at] != '"') {
		size_t character = text_utf8_size(mend->bytes + mend->at, mend->size - mend->at);

		if (mend->bytes[mend->at] == '\\')
			mend_escape(mend);
		else if (character == 0)
			replace(mend, 1);
		else
			keep(mend, character);
	}
	if (mend->at < mend->size)
		keep(mend, 1);
}

/* As text, which is what json_scan.c asks for beyond 2^53. What is no number must not become lawful by it. */
static void mend_number(struct mend *mend)
{
	size_t size = 0;

	while (mend->at + size < mend->size && strchr("+-.eE0123456789", mend->bytes[mend->at + size]) != NULL &&
		mend->bytes[mend->at + size] != '\0')
		size++;
	bool is_big = json_is_number(mend->bytes + mend->at, size) && !json_number_fits(mend->bytes + mend->at, size);
	text_add(mend->mended, is_big ? "\"" : "");
	keep(mend, size);
	text_add(mend->mended, is_big ? "\"" : "");
}

void json_mend(const char *bytes, size_t size, struct text *mended)
{
	struct mend mend = {.bytes = bytes, .size = size, .mended = mended};

	if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		mend.at = 3;
	while (mend.at < size) {
		char c = bytes[mend.at];

		if (c == '"')
			mend_string(&mend);
		else if (c == '-' || (c >= '0' && c <= '9'))
			mend_number(&mend);
		else
			keep(&mend, 1);
	}
}
