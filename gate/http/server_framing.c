/* SPDX-License-Identifier: Apache-2.0 */
/* The framing checks, each a row of a table: what must hold of a head before anything of it is believed. */
#include "server_framing.h"

#include <string.h>
#include <strings.h>

#include "../base/text.h"

/* Headers that change how a request is read or who is asked for; twice the same one has no single meaning. */
static const char *const SINGLE_HEADERS[] = {"Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Expect",
	"Authorization", "Coder-Session-Token"};

const char *head_last_value(const struct request_head *head, const char *name)
{
	for (size_t i = head->line_count; i > 0; i--)
		if (strcasecmp(head->lines[i - 1].name, name) == 0)
			return head->lines[i - 1].value;
	return NULL;
}

const char *head_value(const struct request_head *head, const char *name)
{
	for (size_t i = 0; i < head->line_count; i++)
		if (strcasecmp(head->lines[i].name, name) == 0)
			return head->lines[i].value;
	return NULL;
}

static size_t head_count(const struct request_head *head, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < head->line_count; i++)
		if (strcasecmp(head->lines[i].name, name) == 0)
			count++;
	return count;
}

bool head_single_value(const struct request_head *head, const char *name, size_t bytes_max, const char **ret_value,
	struct problem *problem)
{
	*ret_value = head_value(head, name);
	if (*ret_value == NULL)
		return true;
	if (head_count(head, name) > 1)
		return problem_set(problem, PROBLEM_BAD_REQUEST, "Header %s is given more than once.", name);
	if (strlen(*ret_value) > bytes_max)
		return problem_set(
			problem, PROBLEM_BAD_REQUEST, "Header %s is longer than %zu bytes.", name, bytes_max);
	if (!text_is_utf8(*ret_value, strlen(*ret_value)))
		return problem_set(problem, PROBLEM_BAD_REQUEST, "Header %s is not UTF-8.", name);
	return true;
}

bool head_wants_keep_alive(const struct request_head *head)
{
	const char *connection = head_value(head, "Connection");

	/* CivetWeb looks at the first Connection header and closes unless it says keep-alive: say the same it does. */
	if (strcmp(head->version, "1.1") != 0)
		return false;
	return connection == NULL || strcasecmp(connection, "keep-alive") == 0;
}

static bool check_lines(const struct request_head *head, struct problem *problem)
{
	if (head->line_count > HEADERS_MAX)
		return problem_set(
			problem, PROBLEM_HEADER_TOO_LARGE, "The request has more than %d headers.", HEADERS_MAX);
	if (!head->lines_are_clean)
		return problem_set(problem, PROBLEM_BAD_REQUEST,
			"A header line is folded, or does not end with CR LF (RFC 9112 section 2.2).");
	for (size_t i = 0; i < head->line_count; i++)
		if (head->lines[i].blank_before_colon)
			return problem_set(problem, PROBLEM_BAD_REQUEST,
				"A header's name has a blank before its colon (RFC 9112 section 5.1).");
	return true;
}

static bool check_singles(const struct request_head *head, struct problem *problem)
{
	for (size_t i = 0; i < COUNT_OF(SINGLE_HEADERS); i++)
		if (head_count(head, SINGLE_HEADERS[i]) > 1)
			return problem_set(
				problem, PROBLEM_BAD_REQUEST, "Header %s is given more than once.", SINGLE_HEADERS[i]);
	return true;
}

static bool check_host(const struct request_head *head, struct problem *problem)
{
	const char *host = head_value(head, "Host");

	/* RFC 9112 section 3.2: HTTP/1.1 demands it; HTTP/1.0 does not know it. */
	if (host == NULL && strcmp(head->version, "1.1") == 0)
		return problem_set(problem, PROBLEM_BAD_REQUEST, "Header Host is missing (RFC 9112 section 3.2).");
	if (host != NULL && strpbrk(host, " \t,/@") != NULL)
		return problem_set(problem, PROBLEM_BAD_REQUEST, "Header Host is malformed (RFC 9112 section 3.2).");
	return true;
}

/* Digits and nothing else (RFC 9110 section 8.6): strtoll, which CivetWeb uses, also takes "5abc", "+5" and "5, 5". */
static bool parse_length(const char *text, int64_t *ret_length)
{
	int64_t length = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9' || length > (INT64_MAX - 9) / 10)
			return false;
		length = length * 10 + (*text - '0');
	}
	*ret_length = length;
	return true;
}

static bool check_body(const struct request_head *head, struct body_framing *body, struct problem *problem)
{
	const char *encoding = head_value(head, "Transfer-Encoding");
	const char *length = head_value(head, "Content-Length");
	const char *expect = head_value(head, "Expect");

	*body = (struct body_framing){.is_chunked = encoding != NULL};
	if (encoding != NULL && length != NULL)
		return problem_set(problem, PROBLEM_BAD_REQUEST,
			"Content-Length and Transfer-Encoding exclude each other (RFC 9112 section 6.1).");
	if (encoding != NULL && (strcasecmp(encoding, "chunked") != 0 || strcmp(head->version, "1.1") != 0))
		return problem_set(problem, PROBLEM_BAD_REQUEST,
			"The only Transfer-Encoding understood is chunked, in HTTP/1.1 (RFC 9112 section 6.1).");
	if (length != NULL && !parse_length(length, &body->length))
		return problem_set(problem, PROBLEM_BAD_REQUEST,
			"Content-Length is not a number of bytes (RFC 9110 section 8.6).");
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return problem_set(problem, PROBLEM_BAD_REQUEST, "The only Expect understood is 100-continue.");
	body->expects_continue = expect != NULL && strcmp(head->version, "1.1") == 0;
	return true;
}

bool framing_check(const struct request_head *head, struct body_framing *ret_body, struct problem *problem)
{
	if (!check_lines(head, problem) || !check_singles(head, problem) || !check_host(head, problem))
		return false;
	return check_body(head, ret_body, problem);
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* Decodes in place; -1 where an escape is broken or stands for a control character. */
static int decode_percent(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		unsigned char byte = (unsigned char)*in;

		if (byte == '%') {
			int high = hex_value(in[1]);
			int low = high < 0 ? -1 : hex_value(in[2]);

			if (low < 0)
				return -1;
			byte = (unsigned char)(high * 16 + low);
			in += 2;
		}
		if (byte < 0x20 || byte == 0x7f)
			return -1;
		*out++ = (char)byte;
	}
	*out = '\0';
	return 0;
}

bool framing_decode_path(struct arena *arena, const char *target, const char **ret_path, struct problem *problem)
{
	char *path = arena_copy(arena, target);

	if (path[0] != '/')
		return problem_set(problem, PROBLEM_BAD_REQUEST,
			"The request target must be a path that starts with / (RFC 9112 section 3.2.1).");
	if (strcasestr(target, "%2f") != NULL)
		return problem_set(problem, PROBLEM_BAD_REQUEST,
			"The path has an escaped slash; no name here holds one, and a proxy may read it otherwise.");
	if (decode_percent(path) != 0)
		return problem_set(
			problem, PROBLEM_BAD_REQUEST, "The path has a broken escape or a control character in it.");
	if (!text_is_utf8(path, strlen(path)))
		return problem_set(problem, PROBLEM_BAD_REQUEST, "The path is not UTF-8.");
	*ret_path = path;
	return true;
}
