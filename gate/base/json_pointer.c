/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation of JSON pointers token by token, comparing with the escapes in place, so that nothing is copied. */
#include "json_pointer.h"

#include <string.h>

#include "text.h"

/* An index of more digits names nothing that a body could hold. */
#define INDEX_DIGITS_MAX 9

bool json_pointer_is_lawful(const char *pointer)
{
	if (*pointer != '\0' && *pointer != '/')
		return false;
	for (const char *tilde = strchr(pointer, '~'); tilde != NULL; tilde = strchr(tilde + 1, '~'))
		if (tilde[1] != '0' && tilde[1] != '1')
			return false;
	return text_is_utf8(pointer, strlen(pointer));
}

/* RFC 6901 section 4: ~1 stands for a slash, ~0 for a tilde. */
static bool token_is_key(const char *token, size_t size, const char *key)
{
	for (const char *end = token + size; token < end; token++, key++) {
		char byte = *token;

		if (byte == '~')
			byte = *++token == '1' ? '/' : '~';
		if (*key != byte)
			return false;
	}
	return *key == '\0';
}

static const struct json *find_member(const struct json *object, const char *token, size_t size)
{
	for (const struct json *member = json_first(object); member != NULL; member = json_next(member))
		if (token_is_key(token, size, json_key(member)))
			return member;
	return NULL;
}

static const struct json *find_element(const struct json *array, const char *token, size_t size)
{
	const struct json *element;
	size_t index = 0;

	if (size == 0 || size > INDEX_DIGITS_MAX || (size > 1 && token[0] == '0'))
		return NULL;
	for (size_t i = 0; i < size; i++) {
		if (token[i] < '0' || token[i] > '9')
			return NULL;
		index = index * 10 + (size_t)(token[i] - '0');
	}
	element = json_first(array);
	while (element != NULL && index-- > 0)
		element = json_next(element);
	return element;
}

const struct json *json_pointer_find(const struct json *root, const char *pointer)
{
	const struct json *value = root;

	while (value != NULL && *pointer == '/') {
		const char *token = pointer + 1;
		size_t size = strcspn(token, "/");

		if (json_is(value, JSON_OBJECT))
			value = find_member(value, token, size);
		else
			value = json_is(value, JSON_ARRAY) ? find_element(value, token, size) : NULL;
		pointer = token + size;
	}
	return value;
}
