/* SPDX-License-Identifier: Apache-2.0 */
/* Reading application/x-www-form-urlencoded (a query or a body). Own code, because CivetWeb's form reader loops for
 * ever on a NUL (CVE-2025-9648) and takes the first of two equal names. */
#include "text.h"

#include <stdint.h>
#include <string.h>

static int form_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes the encoded piece into target, which has room for size bytes and a NUL. false for a broken escape, a NUL or
 * what is no UTF-8. */
static bool form_decode(const char *piece, size_t size, char *target)
{
	size_t length = 0;

	for (size_t i = 0; i < size; i++) {
		int high;
		int low;

		if (piece[i] != '%') {
			target[length++] = piece[i] == '+' ? ' ' : piece[i];
			continue;
		}
		high = i + 2 < size ? form_hex(piece[i + 1]) : -1;
		low = i + 2 < size ? form_hex(piece[i + 2]) : -1;
		if (high < 0 || low < 0 || (high == 0 && low == 0))
			return false;
		target[length++] = (char)(uint8_t)(high * 16 + low);
		i += 2;
	}
	target[length] = '\0';
	return text_is_utf8(target, length);
}

static bool form_name_is(struct arena *arena, const char *piece, size_t size, const char *name)
{
	char *decoded;

	/* Nothing decodes to more bytes than it has, nor to less than a third. */
	if (size < strlen(name) || size / 3 > strlen(name))
		return false;
	decoded = arena_alloc(arena, size + 1);
	return form_decode(piece, size, decoded) && strcmp(decoded, name) == 0;
}

/* How often the parameter is given, and where the last of its values, still encoded, lies. */
static size_t form_find(
	struct arena *arena, const char *form, const char *name, const char **ret_found, size_t *ret_size)
{
	size_t count = 0;

	while (form != NULL && *form != '\0') {
		size_t size = strcspn(form, "&");
		const char *equals = memchr(form, '=', size);
		size_t name_size = equals == NULL ? size : (size_t)(equals - form);

		if (form_name_is(arena, form, name_size, name)) {
			count++;
			*ret_found = equals == NULL ? form + size : equals + 1;
			*ret_size = equals == NULL ? 0 : size - name_size - 1;
		}
		form += size + (form[size] == '&');
	}
	return count;
}

bool form_is_given(struct arena *arena, const char *form, const char *name)
{
	const char *found = NULL;
	size_t size = 0;

	return form_find(arena, form, name, &found, &size) > 0;
}

char *form_value(struct arena *arena, const char *form, const char *name)
{
	const char *found = NULL;
	size_t found_size = 0;
	char *value;

	if (form_find(arena, form, name, &found, &found_size) != 1)
		return NULL;
	value = arena_alloc(arena, found_size + 1);
	return form_decode(found, found_size, value) ? value : NULL;
}
