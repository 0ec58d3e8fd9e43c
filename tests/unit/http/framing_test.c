/* SPDX-License-Identifier: Apache-2.0 */
/* The framing checks on plain heads, one a line: no socket, no HTTP library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/http/server_framing.h"

#define LINES_MAX 4

static const struct {
	const char *name;
	const char *version;
	const char *lines[LINES_MAX * 2];
	enum problem_kind kind;
	bool is_chunked;
	int64_t length;
} HEADS[] = {
	{"no body", "1.1", {"Host", "x"}, PROBLEM_NONE, false, 0},
	{"length", "1.1", {"Host", "x", "Content-Length", "12"}, PROBLEM_NONE, false, 12},
	{"leading zeros", "1.1", {"Host", "x", "content-length", "0012"}, PROBLEM_NONE, false, 12},
	{"longest length", "1.1", {"Host", "x", "Content-Length", "922337203685477580"}, PROBLEM_NONE, false,
		922337203685477580},
	{"overflow", "1.1", {"Host", "x", "Content-Length", "9223372036854775808"}, PROBLEM_BAD_REQUEST, false, 0},
	{"blank in the length", "1.1", {"Host", "x", "Content-Length", "1 2"}, PROBLEM_BAD_REQUEST, false, 0},
	{"blank after the length", "1.1", {"Host", "x", "Content-Length", "12 "}, PROBLEM_BAD_REQUEST, false, 0},
	{"chunked", "1.1", {"Host", "x", "Transfer-Encoding", "Chunked"}, PROBLEM_NONE, true, 0},
	{"chunked and blank", "1.1", {"Host", "x", "Transfer-Encoding", "chunked "}, PROBLEM_BAD_REQUEST, false, 0},
	{"chunked twice", "1.1", {"Host", "x", "Transfer-Encoding", "chunked, chunked"}, PROBLEM_BAD_REQUEST, false, 0},
	{"empty encoding", "1.1", {"Host", "x", "Transfer-Encoding", ""}, PROBLEM_BAD_REQUEST, false, 0},
	{"chunked in 1.0", "1.0", {"Host", "x", "Transfer-Encoding", "chunked"}, PROBLEM_BAD_REQUEST, false, 0},
	{"both", "1.1", {"Host", "x", "Content-Length", "1", "Transfer-Encoding", "chunked"}, PROBLEM_BAD_REQUEST,
		false, 0},
	{"two lengths", "1.1", {"Host", "x", "Content-Length", "1", "CONTENT-LENGTH", "1"}, PROBLEM_BAD_REQUEST, false,
		0},
	{"two encodings", "1.1", {"Host", "x", "Transfer-Encoding", "chunked", "transfer-encoding", "chunked"},
		PROBLEM_BAD_REQUEST, false, 0},
	{"two types", "1.1", {"Host", "x", "Content-Type", "a/b", "Content-Type", "c/d"}, PROBLEM_BAD_REQUEST, false,
		0},
	{"no Host", "1.1", {"Accept", "*/*"}, PROBLEM_BAD_REQUEST, false, 0},
	{"no Host in 1.0", "1.0", {"Accept", "*/*"}, PROBLEM_NONE, false, 0},
	{"empty Host", "1.1", {"Host", ""}, PROBLEM_NONE, false, 0},
	{"two Hosts", "1.1", {"Host", "x", "host", "x"}, PROBLEM_BAD_REQUEST, false, 0},
	{"Host with a path", "1.1", {"Host", "x/y"}, PROBLEM_BAD_REQUEST, false, 0},
	{"Host with a user", "1.1", {"Host", "a@x"}, PROBLEM_BAD_REQUEST, false, 0},
	{"expects", "1.1", {"Host", "x", "Expect", "100-Continue"}, PROBLEM_NONE, false, 0},
	{"expects tea", "1.1", {"Host", "x", "Expect", "tea"}, PROBLEM_BAD_REQUEST, false, 0},
};

static struct request_head head_of(size_t row)
{
	struct request_head head = {
		.method = "POST", .target = "/", .version = HEADS[row].version, .lines_are_clean = true};

	while (head.line_count < LINES_MAX && HEADS[row].lines[head.line_count * 2] != NULL) {
		head.lines[head.line_count].name = HEADS[row].lines[head.line_count * 2];
		head.lines[head.line_count].value = HEADS[row].lines[head.line_count * 2 + 1];
		head.line_count++;
	}
	return head;
}

static void checks(void **state)
{
	size_t row = (size_t)(uintptr_t)*state;
	struct request_head head = head_of(row);
	struct body_framing body;
	struct problem problem = {0};

	assert_int_equal(framing_check(&head, &body, &problem), HEADS[row].kind == PROBLEM_NONE);
	assert_int_equal(problem.kind, HEADS[row].kind);
	if (HEADS[row].kind != PROBLEM_NONE)
		return;
	assert_int_equal(body.is_chunked, HEADS[row].is_chunked);
	assert_int_equal(body.length, HEADS[row].length);
}

static void refuses_unclean_lines(void **state)
{
	struct request_head head = head_of(0);
	struct body_framing body;
	struct problem problem = {0};

	(void)state;
	head.lines[0].blank_before_colon = true;
	assert_false(framing_check(&head, &body, &problem));
	head = head_of(0);
	head.lines_are_clean = false;
	assert_false(framing_check(&head, &body, &problem));
	head = head_of(0);
	head.line_count = HEADERS_MAX + 1;
	assert_false(framing_check(&head, &body, &problem));
	assert_int_equal(problem.kind, PROBLEM_HEADER_TOO_LARGE);
}

static const struct {
	const char *target;
	const char *path; /* NULL: refused */
} PATHS[] = {
	{"/", "/"},
	{"/a%20b", "/a b"},
	{"/%C3%A4", "/\xc3\xa4"},
	{"/%f0%9f%98%80", "/\xf0\x9f\x98\x80"},
	{"/a%2Fb", NULL},
	{"/a%2fb", NULL},
	{"", NULL},
	{"a", NULL},
	{"*", NULL},
	{"http://x/", NULL},
	{"/%", NULL},
	{"/%4", NULL},
	{"/%4g", NULL},
	{"/%00", NULL},
	{"/a%00b", NULL},
	{"/%1f", NULL},
	{"/%7f", NULL},
	{"/%80", NULL},
	{"/%c0%80", NULL},
	{"/%c3", NULL},
	{"/%e0%80%af", NULL},
	{"/%ed%a0%80", NULL},
	{"/%f4%90%80%80", NULL},
	{"/%f8%88%80%80%80", NULL},
	{"/\xff", NULL},
};

static void decodes_paths(void **state)
{
	struct arena *arena = arena_new(65536);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(PATHS); i++) {
		struct problem problem = {0};
		const char *path = NULL;
		bool fine = framing_decode_path(arena, PATHS[i].target, &path, &problem);

		assert_int_equal(fine, PATHS[i].path != NULL);
		if (fine)
			assert_string_equal(path, PATHS[i].path);
		else
			assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
	}
	arena_free(arena);
}

static void reads_single_values(void **state)
{
	const struct request_head head = {.line_count = 5,
		.lines = {{"X-A", "four", false}, {"X-B", "", false}, {"X-C", "1", false}, {"x-c", "1", false},
			{"X-E", "\xff", false}}};
	const char *value = "";
	struct problem problem = {0};

	(void)state;
	assert_true(head_single_value(&head, "x-a", 4, &value, &problem));
	assert_string_equal(value, "four");
	assert_true(head_single_value(&head, "X-B", 4, &value, &problem));
	assert_string_equal(value, "");
	assert_true(head_single_value(&head, "X-D", 4, &value, &problem));
	assert_null(value);
	assert_false(head_single_value(&head, "X-A", 3, &value, &problem));
	assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
	problem = (struct problem){0};
	assert_false(head_single_value(&head, "X-C", 4, &value, &problem));
	assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
	problem = (struct problem){0};
	assert_false(head_single_value(&head, "X-E", 4, &value, &problem));
	assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
}

static void says_who_keeps_the_connection(void **state)
{
	static const struct {
		const char *version, *connection;
		bool keeps;
	} rows[] = {{"1.1", NULL, true}, {"1.1", "keep-alive", true}, {"1.1", "Keep-Alive", true},
		{"1.1", "close", false}, {"1.1", "upgrade", false}, {"1.0", NULL, false}, {"1.0", "keep-alive", false}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct request_head head = {.version = rows[i].version, .line_count = rows[i].connection != NULL};

		head.lines[0].name = "connection";
		head.lines[0].value = rows[i].connection;
		assert_int_equal(head_wants_keep_alive(&head), rows[i].keeps);
	}
}

int main(void)
{
	struct CMUnitTest tests[COUNT_OF(HEADS) + 4];
	size_t count = 0;

	for (size_t i = 0; i < COUNT_OF(HEADS); i++)
		tests[count++] = (struct CMUnitTest){HEADS[i].name, checks, NULL, NULL, (void *)(uintptr_t)i};
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(refuses_unclean_lines);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(decodes_paths);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(reads_single_values);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(says_who_keeps_the_connection);
	return _cmocka_run_group_tests("http framing", tests, count, NULL, NULL);
}
