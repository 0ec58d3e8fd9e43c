/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, decoding, random secrets and clocks for the demonstration provider; see provider_text.h. */
#include "provider_text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { SECRET_RANDOM_BYTES = 32 };

static void memory_require(const void *memory)
{
	if (memory)
		return;
	fputs("gatehouse-demo-provider: out of memory\n", stderr);
	abort();
}

void *memory_take(size_t bytes)
{
	void *memory = calloc(1, bytes);
	memory_require(memory);
	return memory;
}

char *memory_copy(const char *text)
{
	char *copy = strdup(text);
	memory_require(copy);
	return copy;
}

void memory_release(char **memory)
{
	free(*memory);
	*memory = NULL;
}

void json_release(cJSON **json)
{
	cJSON_Delete(*json);
	*json = NULL;
}

void text_add_bytes(struct text *text, const char *bytes, size_t length)
{
	size_t needed = text->length + length + 1;
	if (needed > text->capacity) {
		size_t capacity = needed * 2 < 512 ? 512 : needed * 2;
		char *grown = realloc(text->bytes, capacity);
		memory_require(grown);
		text->bytes = grown;
		text->capacity = capacity;
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *piece)
{
	text_add_bytes(text, piece, strlen(piece));
}

void text_add_format(struct text *text, const char *format, ...)
{
	char *piece = NULL;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&piece, format, arguments);
	va_end(arguments);
	memory_require(length < 0 ? NULL : piece);
	text_add_bytes(text, piece, (size_t)length);
	free(piece);
}

void text_add_html(struct text *text, const char *piece)
{
	for (; *piece; piece++) {
		if (strchr("&<>\"'", *piece))
			text_add_format(text, "&#%d;", *piece);
		else
			text_add_bytes(text, piece, 1);
	}
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c) != NULL);
}

void text_add_encoded(struct text *text, const char *piece)
{
	for (; *piece; piece++) {
		if (is_unreserved(*piece))
			text_add_bytes(text, piece, 1);
		else
			text_add_format(text, "%%%02X", (unsigned)(unsigned char)*piece);
	}
}

void text_add_json(struct text *text, const cJSON *json)
{
	char *printed = cJSON_PrintUnformatted(json);
	memory_require(printed);
	text_add(text, printed);
	cJSON_free(printed);
}

void text_release(struct text *text)
{
	free(text->bytes);
	*text = (struct text){0};
}

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c | 0x20) : NULL;
	return found && (c | 0x20) == *found ? (int)(found - digits) : -1;
}

bool form_decode(char *text)
{
	char *out = text;
	for (const char *in = text; *in; in++) {
		if (*in != '%') {
			*out++ = *in == '+' ? ' ' : *in;
			continue;
		}
		int high = hex_value(in[1]);
		int low = high < 0 ? -1 : hex_value(in[2]);
		if (low < 0 || high + low == 0)
			return false;
		*out++ = (char)(high * 16 + low);
		in += 2;
	}
	*out = '\0';
	return true;
}

bool base64_decode(const char *encoded, char *ret_text, size_t size)
{
	size_t length = strlen(encoded);
	if (length == 0 || length % 4 != 0 || length / 4 * 3 >= size)
		return false;
	int decoded = EVP_DecodeBlock((unsigned char *)ret_text, (const unsigned char *)encoded, (int)length);
	if (decoded < 0)
		return false;
	/* EVP_DecodeBlock writes padding as NULs, which here just end the text. */
	ret_text[decoded] = '\0';
	return true;
}

static void base64url_encode(const unsigned char *bytes, int length, char *ret_text)
{
	int encoded = EVP_EncodeBlock((unsigned char *)ret_text, bytes, length);
	while (encoded > 0 && ret_text[encoded - 1] == '=')
		ret_text[--encoded] = '\0';
	for (char *c = ret_text; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
}

bool pkce_verify(const char *verifier, const char *challenge)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char encoded[SECRET_SIZE];
	SHA256((const unsigned char *)verifier, strlen(verifier), digest);
	base64url_encode(digest, sizeof(digest), encoded);
	return secret_equals(encoded, challenge);
}

static void random_fill(unsigned char *bytes, size_t count)
{
	/* Up to 256 bytes come whole or not at all (getrandom(2)). */
	if (getrandom(bytes, count, 0) == (ssize_t)count)
		return;
	fputs("gatehouse-demo-provider: getrandom failed\n", stderr);
	abort();
}

void secret_make(const char *prefix, char ret_secret[SECRET_SIZE])
{
	unsigned char bytes[SECRET_RANDOM_BYTES];
	char encoded[SECRET_SIZE];
	random_fill(bytes, sizeof(bytes));
	base64url_encode(bytes, sizeof(bytes), encoded);
	snprintf(ret_secret, SECRET_SIZE, "%s%.43s", prefix, encoded);
}

void user_code_make(char ret_code[SECRET_SIZE])
{
	static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";
	unsigned char bytes[8];
	random_fill(bytes, sizeof(bytes));
	char *out = ret_code;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		if (i == sizeof(bytes) / 2)
			*out++ = '-';
		*out++ = letters[bytes[i] % (sizeof(letters) - 1)];
	}
	*out = '\0';
}

void secret_fingerprint(const char *secret, char ret_fingerprint[FINGERPRINT_SIZE])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)secret, strlen(secret), digest);
	char *out = ret_fingerprint + snprintf(ret_fingerprint, FINGERPRINT_SIZE, "sha256:");
	for (int i = 0; i < 8; i++)
		out += snprintf(out, 3, "%02x", digest[i]);
}

bool secret_equals(const char *secret, const char *expected)
{
	size_t length = strlen(expected);
	return strlen(secret) == length && CRYPTO_memcmp(secret, expected, length) == 0;
}

static long clock_read_ms(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

long clock_steady_ms(void)
{
	return clock_read_ms(CLOCK_MONOTONIC);
}

long clock_calendar_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME);
}
