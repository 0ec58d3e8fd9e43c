/* SPDX-License-Identifier: Apache-2.0 */
/* Matching against a table of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/http/route.h"

static bool handle(const struct request *request, struct reply *reply, struct problem *problem)
{
	(void)request;
	(void)reply;
	(void)problem;
	return true;
}

static const struct route ROUTES[] = {
	{"GET", "/", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, handle},
	{"GET", "/users", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, handle},
	{"POST", "/users", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, handle},
	{"GET", "/users/me", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, handle},
	{"GET", "/users/{user}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, handle},
	{"PATCH", "/users/{user}", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, handle},
	{"PUT", "/users/{user}/external-auth/{id}", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, handle},
	{"ANY", "/hook/...", ROUTE_NEEDS_TOKEN, ROUTE_ANY_BODY, handle},
	{"ANY", "/every", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, handle},
};

static const struct {
	const char *method, *path;
	int row; /* -1: none */
	enum problem_kind kind;
	const char *allow;
	const char *first, *second; /* parameters */
} CASES[] = {
	{"GET", "/", 0, PROBLEM_NONE, NULL, NULL, NULL},
	{"GET", "/users", 1, PROBLEM_NONE, NULL, NULL, NULL},
	{"HEAD", "/users", 1, PROBLEM_NONE, NULL, NULL, NULL},
	{"POST", "/users", 2, PROBLEM_NONE, NULL, NULL, NULL},
	{"GET", "/users/me", 3, PROBLEM_NONE, NULL, NULL, NULL},
	{"GET", "/users/alice", 4, PROBLEM_NONE, NULL, "alice", NULL},
	{"PATCH", "/users/me", 5, PROBLEM_NONE, NULL, "me", NULL},
	{"PUT", "/users/a b/external-auth/github", 6, PROBLEM_NONE, NULL, "a b", "github"},
	{"GET", "/hook", 7, PROBLEM_NONE, NULL, NULL, NULL},
	{"OPTIONS", "/hook/", 7, PROBLEM_NONE, NULL, NULL, NULL},
	{"PROPFIND", "/hook/a/b", 7, PROBLEM_NONE, NULL, NULL, NULL},
	{"HEAD", "/hook//a/../{x}/%2f%", 7, PROBLEM_NONE, NULL, NULL, NULL},
	{"GET", "/hook/...", 7, PROBLEM_NONE, NULL, NULL, NULL},
	{"DELETE", "/every", 8, PROBLEM_NONE, NULL, NULL, NULL},
	{"GET", "/hooks", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"GET", "/hoo", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"GET", "/every/", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"GET", "", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"GET", "/Users", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"GET", "/users/", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"GET", "//users", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"GET", "/users/a/b", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"GET", "/users/..", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"GET", "/users/.", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"PUT", "/users//external-auth/x", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"PUT", "/users/a/external-auth/", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"PUT", "/users/a/external-authx", -1, PROBLEM_NOT_FOUND, NULL, NULL, NULL},
	{"DELETE", "/users", -1, PROBLEM_METHOD_NOT_ALLOWED, "GET, HEAD, POST", NULL, NULL},
	{"get", "/users", -1, PROBLEM_METHOD_NOT_ALLOWED, "GET, HEAD, POST", NULL, NULL},
	{"HEAD", "/users/a/external-auth/x", -1, PROBLEM_METHOD_NOT_ALLOWED, "PUT", NULL, NULL},
};

static void assert_parameter(const char *is, const char *should)
{
	if (should == NULL)
		assert_null(is);
	else
		assert_string_equal(is, should);
}

static void finds(void **state)
{
	struct arena *arena = arena_new(65536);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(CASES); i++) {
		struct request request = {.arena = arena, .method = CASES[i].method, .path = CASES[i].path};
		struct problem problem = {0};
		const char *allow = NULL;
		const struct route *route = route_find(ROUTES, COUNT_OF(ROUTES), &request, &allow, &problem);

		assert_ptr_equal(route, CASES[i].row < 0 ? NULL : &ROUTES[CASES[i].row]);
		assert_int_equal(problem.kind, CASES[i].kind);
		assert_parameter(allow, CASES[i].allow);
		assert_parameter(request.parameters[0], CASES[i].first);
		assert_parameter(request.parameters[1], CASES[i].second);
	}
	arena_free(arena);
}

static void knows_where_any_path_is_taken(void **state)
{
	static const struct {
		const char *target;
		bool taken;
	} rows[] = {{"/hook", true}, {"/hook/", true}, {"/hook/%2F%ff%", true}, {"/hook/../users", true},
		{"/hookx", false}, {"/hook%2f", false}, {"/users/%2f", false}, {"", false}, {"*", false}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(route_takes_any_path(ROUTES, COUNT_OF(ROUTES), rows[i].target), rows[i].taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(knows_where_any_path_is_taken),
	};

	return cmocka_run_group_tests_name("http route", tests, NULL, NULL);
}
