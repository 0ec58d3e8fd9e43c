/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies with a given length are read into one piece of that size; chunked ones into a piece that doubles. */
#include "server_read.h"

#include <string.h>
#include <strings.h>

#define CHUNKED_FIRST_BYTES 16384

static bool too_large(struct problem *problem)
{
	return problem_set(problem, PROBLEM_BODY_TOO_LARGE, "The body is larger than %d bytes.", BODY_BYTES_MAX);
}

static bool cut_short(struct problem *problem)
{
	return problem_set(problem, PROBLEM_BAD_REQUEST,
		"The body is malformed, ended too soon, or took longer than %d s.", REQUEST_READ_MS / 1000);
}

static bool read_length(const struct body_source *source, size_t length, char *body)
{
	size_t size = 0;

	while (size < length) {
		int got = source->read(source->connection, body + size, length - size);

		if (got <= 0)
			return false;
		size += (size_t)got;
	}
	return true;
}

/* Reads until the end, or until more than allowed has come; false where the client failed. */
static bool read_chunked(const struct body_source *source, struct arena *arena, char **ret_body, size_t *ret_size)
{
	size_t capacity = CHUNKED_FIRST_BYTES;
	char *body = arena_alloc(arena, capacity + 1);
	size_t size = 0;
	int got = 1;

	while (size <= BODY_BYTES_MAX && got > 0) {
		if (size == capacity) {
			char *larger = arena_alloc(arena, capacity * 2 + 1);

			memcpy(larger, body, size);
			body = larger;
			capacity *= 2;
		}
		got = source->read(source->connection, body + size, capacity - size);
		size += got > 0 ? (size_t)got : 0;
	}
	*ret_body = body;
	*ret_size = size;
	return got >= 0;
}

bool body_read(const struct body_source *source, const struct body_framing *framing, struct arena *arena,
	const char **ret_body, size_t *ret_size, struct problem *problem)
{
	char *body;
	size_t size = (size_t)framing->length;

	*ret_body = "";
	*ret_size = 0;
	if (!framing->is_chunked && framing->length == 0)
		return true;
	if (framing->length > BODY_BYTES_MAX)
		return too_large(problem);
	if (framing->expects_continue && !source->send_continue(source->connection))
		return cut_short(problem);
	if (framing->is_chunked) {
		if (!read_chunked(source, arena, &body, &size))
			return cut_short(problem);
		if (size > BODY_BYTES_MAX)
			return too_large(problem);
	} else {
		body = arena_alloc(arena, size + 1);
		if (!read_length(source, size, body))
			return cut_short(problem);
	}
	body[size] = '\0';
	*ret_body = body;
	*ret_size = size;
	return true;
}

/* Up to bytes_max and one read more; -1 where the client failed. */
static int64_t read_over(const struct body_source *source, int64_t bytes_max)
{
	char bytes[4096];
	int64_t size = 0;
	int got = 1;

	while (size <= bytes_max && got > 0) {
		got = source->read(source->connection, bytes, sizeof(bytes));
		size += got > 0 ? got : 0;
	}
	return got < 0 ? -1 : size;
}

bool body_skip(const struct body_source *source, const struct body_framing *framing)
{
	int64_t size;

	if (!framing->is_chunked && framing->length == 0)
		return true;
	if (framing->length > BODY_IGNORED_BYTES_MAX || framing->expects_continue)
		return false;
	size = read_over(source, BODY_IGNORED_BYTES_MAX);
	return framing->is_chunked ? size >= 0 && size <= BODY_IGNORED_BYTES_MAX : size == framing->length;
}

bool body_ignore(const struct body_source *source, const struct body_framing *framing, struct problem *problem)
{
	int64_t size;

	if (!framing->is_chunked && framing->length == 0)
		return true;
	if (framing->length > BODY_BYTES_MAX)
		return too_large(problem);
	if (framing->expects_continue && !source->send_continue(source->connection))
		return cut_short(problem);
	size = read_over(source, BODY_BYTES_MAX);
	if (size > BODY_BYTES_MAX)
		return too_large(problem);
	return size < 0 || (!framing->is_chunked && size != framing->length) ? cut_short(problem) : true;
}

static bool content_type_is(const char *content_type, const char *expected)
{
	size_t size = strlen(expected);
	const char *rest;

	if (content_type == NULL || strncasecmp(content_type, expected, size) != 0)
		return false;
	rest = content_type + size;
	rest += strspn(rest, " \t");
	return *rest == '\0' || *rest == ';';
}

bool content_type_is_json(const char *content_type)
{
	return content_type_is(content_type, "application/json");
}

bool content_type_is_form(const char *content_type)
{
	return content_type_is(content_type, "application/x-www-form-urlencoded");
}
