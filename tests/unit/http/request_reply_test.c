/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers ask of a request and how they answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/http/reply.h"
#include "../../../gate/http/request.h"
#include "../../../gate/store/store.h"

static struct arena *arena;

static void finds_cookies(void **state)
{
	struct request request = {.arena = arena, .cookie = "a=1; session=secret; session2=x;b=\"q\""};

	(void)state;
	assert_string_equal(request_cookie(&request, "a"), "1");
	assert_string_equal(request_cookie(&request, "session"), "secret");
	assert_string_equal(request_cookie(&request, "session2"), "x");
	assert_string_equal(request_cookie(&request, "b"), "\"q\"");
	assert_null(request_cookie(&request, "ession"));
	assert_null(request_cookie(&request, "c"));
	request.cookie = NULL;
	assert_null(request_cookie(&request, "a"));
}

static void reads_queries(void **state)
{
	struct request request = {.arena = arena, .query = "a=b%20c&d=1+2&e=&twice=1&twice=2&broken=%4&nul=%00"};

	(void)state;
	assert_string_equal(request_query(&request, "a"), "b c");
	assert_string_equal(request_query(&request, "d"), "1 2");
	assert_string_equal(request_query(&request, "e"), "");
	assert_null(request_query(&request, "f"));
	assert_string_equal(request_query(&request, "twice"), "");
	assert_string_equal(request_query(&request, "broken"), "");
	assert_string_equal(request_query(&request, "nul"), "");
}

static void reads_headers(void **state)
{
	struct request request = {.arena = arena, .headers = {[REQUEST_HEADER_OWNER] = "alice"}};

	(void)state;
	assert_string_equal(request_header(&request, REQUEST_HEADER_OWNER), "alice");
	assert_null(request_header(&request, REQUEST_HEADER_TRANSITION));
	assert_null(request_header(&request, REQUEST_HEADER_COUNT));
}

#define UUID "01890000-0000-7000-8000-00000000a11c"

static void reads_pages(void **state)
{
	static const struct {
		const char *query;
		int64_t limit;
		const char *after_id;
		const char *wrong; /* NULL: fine */
	} rows[] = {
		{"", PAGE_DEFAULT, "", NULL},
		{"limit=1", 1, "", NULL},
		{"limit=200&after_id=" UUID, 200, UUID, NULL},
		{"limit=201", 0, NULL, "limit"},
		{"limit=0", 0, NULL, "limit"},
		{"limit=-1", 0, NULL, "limit"},
		{"limit=", 0, NULL, "limit"},
		{"limit=1x", 0, NULL, "limit"},
		{"limit=99999999999999999999", 0, NULL, "limit"},
		{"after_id=7", 0, NULL, "after_id"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct request request = {.arena = arena, .query = rows[i].query};
		struct problem problem = {0};
		struct page page;
		bool fine = request_page(&request, &page, &problem);

		assert_int_equal(fine, rows[i].wrong == NULL);
		if (!fine) {
			assert_int_equal(problem.kind, PROBLEM_VALIDATION_FAILED);
			assert_string_equal(problem.violations[0].field, rows[i].wrong);
			continue;
		}
		assert_int_equal(page.limit, rows[i].limit);
		assert_string_equal(page.after_id, rows[i].after_id);
	}
}

static void keeps_controls_out_of_headers(void **state)
{
	struct reply reply = {.arena = arena};

	(void)state;
	reply_add_header(&reply, "X-A", "a\r\nSet-Cookie: b=c");
	assert_int_equal(reply.header_count, 0);
	reply_add_header(&reply, "X-A", NULL);
	assert_int_equal(reply.header_count, 0);
	reply_redirect(&reply, "/a\nb");
	assert_int_equal(reply.header_count, 0);
	assert_int_equal(reply.status, 303);
}

static void replaces_headers_but_cookies(void **state)
{
	struct reply reply = {.arena = arena};

	(void)state;
	reply_add_header(&reply, "X-A", "1");
	reply_add_header(&reply, "x-a", "2");
	reply_add_header(&reply, "Set-Cookie", "a=1");
	reply_add_header(&reply, "Set-Cookie", "b=2");
	assert_int_equal(reply.header_count, 3);
	assert_string_equal(reply.headers[0].value, "2");
	for (int i = 0; i < 2 * REPLY_HEADERS_MAX; i++)
		reply_add_header(&reply, "Set-Cookie", "c=3");
	assert_int_equal(reply.header_count, REPLY_HEADERS_MAX);
}

static void shows_problems(void **state)
{
	struct reply reply = {.arena = arena};
	struct problem problem = {0};

	(void)state;
	problem_add_violation(&problem, "name", "must be there");
	reply_problem(&reply, &problem, "id-1");
	assert_int_equal(reply.status, 400);
	assert_non_null(strstr(reply.body, "\"code\":\"validation_failed\""));
	assert_non_null(strstr(reply.body, "\"request_id\":\"id-1\""));
	assert_non_null(strstr(reply.body, "\"validations\":[{\"field\":\"name\",\"detail\":\"must be there\"}]"));
	assert_null(strstr(reply.body, "\"detail\":\"\""));
	problem_set(&problem, PROBLEM_DATABASE_UNAVAILABLE, "away");
	problem.retry_after_s = 3;
	reply = (struct reply){.arena = arena};
	reply_problem(&reply, &problem, "id-2");
	assert_int_equal(reply.status, 503);
	assert_string_equal(reply.headers[0].name, "Retry-After");
	assert_string_equal(reply.headers[0].value, "3");
	assert_null(strstr(reply.body, "validations"));
}

static int start(void **state)
{
	(void)state;
	arena = arena_new((size_t)1024 * 1024);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_cookies),
		cmocka_unit_test(reads_queries),
		cmocka_unit_test(reads_headers),
		cmocka_unit_test(reads_pages),
		cmocka_unit_test(keeps_controls_out_of_headers),
		cmocka_unit_test(replaces_headers_but_cookies),
		cmocka_unit_test(shows_problems),
	};

	return cmocka_run_group_tests_name("http request and reply", tests, start, stop);
}
