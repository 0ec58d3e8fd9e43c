/* SPDX-License-Identifier: Apache-2.0 */
/* The small tools of the demonstration provider: text that grows, decoding of what clients send, random secrets
 * and clocks. Memory that cannot be had ends the process: a provider for tests has nothing better to do. */
#ifndef PROVIDER_TEXT_H
#define PROVIDER_TEXT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* Releases a value at the end of its scope; `release` takes a pointer to the variable. */
#define SCOPED(release) __attribute__((cleanup(release)))
#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* A secret is a prefix and 32 random bytes in base64url (43 characters). */
enum { SECRET_SIZE = 64 };
/* "sha256:" and 16 hexadecimal digits: enough to tell two secrets of a test run apart, useless as a secret. */
enum { FINGERPRINT_SIZE = 7 + 16 + 1 };

/* Text that grows; all zero is empty. `bytes` ends with a NUL as soon as something was added. */
struct text {
	char *bytes;
	size_t length;
	size_t capacity;
};

void text_add_bytes(struct text *text, const char *bytes, size_t length);
void text_add(struct text *text, const char *piece);
__attribute__((format(printf, 2, 3))) void text_add_format(struct text *text, const char *format, ...);
/* Escapes what HTML gives a meaning to, also inside a quoted attribute. */
void text_add_html(struct text *text, const char *piece);
/* Percent-encodes all but RFC 3986 unreserved characters, so the result fits a query and a form. */
void text_add_encoded(struct text *text, const char *piece);
void text_add_json(struct text *text, const cJSON *json);
void text_release(struct text *text);

/* Zeroed memory, the caller's to free. */
void *memory_take(size_t bytes);
char *memory_copy(const char *text);
void memory_release(char **memory);
void json_release(cJSON **json);

/* Decodes application/x-www-form-urlencoded in place; false for a broken escape or a NUL. */
bool form_decode(char *text);
/* Base64 (RFC 4648 section 4) to a NUL-terminated text; false when it is none or does not fit. */
bool base64_decode(const char *encoded, char *ret_text, size_t size);
/* RFC 7636 section 4.6: BASE64URL(SHA256(verifier)) is the challenge. */
bool pkce_verify(const char *verifier, const char *challenge);
void secret_make(const char *prefix, char ret_secret[SECRET_SIZE]);
/* Eight letters without vowels and a hyphen, as RFC 8628 section 6.1 advises for what people type. */
void user_code_make(char ret_code[SECRET_SIZE]);
void secret_fingerprint(const char *secret, char ret_fingerprint[FINGERPRINT_SIZE]);
bool secret_equals(const char *secret, const char *expected);

/* Milliseconds of a clock that only goes forward, and of the calendar. */
long clock_steady_ms(void);
long clock_calendar_ms(void);

#endif
