/* SPDX-License-Identifier: Apache-2.0 */
/* The identity cache: what it spares the database, how it forgets, and that threads may share it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "../../../gate/http/identify.h"
#include "fake_service.h"

static const struct service *service;
static struct arena *arena;

static bool ask(
	const char *authorization, const char *session_token, struct request *ret_request, struct problem *problem)
{
	*ret_request = (struct request){.service = service, .arena = arena};
	*problem = (struct problem){0};
	return identify_caller(ret_request, authorization, session_token, problem);
}

static const struct {
	const char *authorization, *session_token;
	enum problem_kind kind;
} HEADERS[] = {
	{"Bearer " TOKEN_ALICE, NULL, PROBLEM_NONE},
	{"bEARER   " TOKEN_ALICE, NULL, PROBLEM_NONE},
	{NULL, TOKEN_ALICE, PROBLEM_NONE},
	{"Bearer " TOKEN_ALICE, TOKEN_ALICE, PROBLEM_NONE},
	{"Basic YTpi", TOKEN_ALICE, PROBLEM_NONE},
	{"Bearer " TOKEN_ALICE, "another", PROBLEM_BAD_REQUEST},
	{NULL, NULL, PROBLEM_UNAUTHENTICATED},
	{NULL, "", PROBLEM_UNAUTHENTICATED},
	{"Bearer ", NULL, PROBLEM_UNAUTHENTICATED},
	{"Bearer", NULL, PROBLEM_UNAUTHENTICATED},
	{"Basic YTpi", NULL, PROBLEM_UNAUTHENTICATED},
	{TOKEN_ALICE, NULL, PROBLEM_UNAUTHENTICATED},
	{"Bearer unknown", NULL, PROBLEM_UNAUTHENTICATED},
	{"Bearer " TOKEN_SUSPENDED, NULL, PROBLEM_OWNER_SUSPENDED},
	{"Bearer " TOKEN_DATABASE_AWAY, NULL, PROBLEM_DATABASE_UNAVAILABLE},
};

static void reads_headers(void **state)
{
	struct request request;
	struct problem problem;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(HEADERS); i++) {
		bool known = ask(HEADERS[i].authorization, HEADERS[i].session_token, &request, &problem);

		assert_int_equal(problem.kind, HEADERS[i].kind);
		assert_int_equal(known, HEADERS[i].kind == PROBLEM_NONE);
		if (known)
			assert_string_equal(request.caller.username, "alice");
		else
			assert_null(request.caller.user_id);
	}
}

static void asks_the_store_once(void **state)
{
	struct request request;
	struct problem problem;
	unsigned before;

	(void)state;
	assert_true(ask(NULL, TOKEN_ALICE, &request, &problem));
	before = fake_lookups();
	for (int i = 0; i < 100; i++)
		assert_true(ask(NULL, TOKEN_ALICE, &request, &problem));
	assert_int_equal(fake_lookups(), before);
	assert_int_equal(request.caller.roles, 1U << ROLE_MEMBER);
	usleep((IDENTITY_CACHE_MS + 100) * 1000);
	assert_true(ask(NULL, TOKEN_ALICE, &request, &problem));
	assert_int_equal(fake_lookups(), before + 1);
}

static void does_not_remember_a_no(void **state)
{
	struct request request;
	struct problem problem;
	unsigned before = fake_lookups();

	(void)state;
	assert_false(ask(NULL, "unknown", &request, &problem));
	assert_false(ask(NULL, "unknown", &request, &problem));
	assert_false(ask(NULL, TOKEN_SUSPENDED, &request, &problem));
	assert_false(ask(NULL, TOKEN_SUSPENDED, &request, &problem));
	assert_int_equal(fake_lookups(), before + 4);
}

static void forgets(void **state)
{
	uint8_t hash[SHA256_BYTES];
	struct request request;
	struct problem problem;

	(void)state;
	sha256(TOKEN_ALICE, strlen(TOKEN_ALICE), hash);
	assert_true(ask(NULL, TOKEN_ALICE, &request, &problem));
	fake_forget_alice(true);
	assert_true(ask(NULL, TOKEN_ALICE, &request, &problem));
	identity_forget_token(service->identities, hash);
	assert_false(ask(NULL, TOKEN_ALICE, &request, &problem));
	fake_forget_alice(false);
	assert_true(ask(NULL, TOKEN_ALICE, &request, &problem));
	fake_forget_alice(true);
	identity_forget_user(service->identities, "somebody else");
	assert_true(ask(NULL, TOKEN_ALICE, &request, &problem));
	identity_forget_user(service->identities, ALICE_ID);
	assert_false(ask(NULL, TOKEN_ALICE, &request, &problem));
	fake_forget_alice(false);
}

static void *ask_slowly(void *unused)
{
	struct arena *own = arena_new(65536);
	struct request request = {.service = service, .arena = own};
	struct problem problem = {0};

	(void)unused;
	if (!identify_caller(&request, NULL, TOKEN_ALICE, &problem))
		fprintf(stderr, "%s\n", problem.message);
	arena_free(own);
	return NULL;
}

/* A token that is deleted while the store is being asked for it is not remembered afterwards. */
static void does_not_remember_what_was_forgotten_meanwhile(void **state)
{
	uint8_t hash[SHA256_BYTES];
	struct request request;
	struct problem problem;
	pthread_t asker;
	unsigned before;

	(void)state;
	sha256(TOKEN_ALICE, strlen(TOKEN_ALICE), hash);
	identity_forget_token(service->identities, hash);
	fake_lookup_delay_ms(200);
	before = fake_lookups();
	pthread_create(&asker, NULL, ask_slowly, NULL);
	while (fake_lookups() == before)
		usleep(1000);
	identity_forget_token(service->identities, hash);
	pthread_join(asker, NULL);
	fake_lookup_delay_ms(0);
	before = fake_lookups();
	assert_true(ask(NULL, TOKEN_ALICE, &request, &problem));
	assert_int_equal(fake_lookups(), before + 1);
}

static void *hammer(void *number)
{
	struct arena *own = arena_new(65536);
	uint8_t hash[SHA256_BYTES];

	sha256(TOKEN_ALICE, strlen(TOKEN_ALICE), hash);
	for (int i = 0; i < 2000; i++) {
		struct request request = {.service = service, .arena = own};
		struct problem problem = {0};

		if (!identify_caller(&request, NULL, TOKEN_ALICE, &problem) ||
			strcmp(request.caller.user_id, ALICE_ID) != 0)
			*(int *)number = -1;
		if (i % 50 == 0)
			identity_forget_token(service->identities, hash);
		if (i % 500 == 0)
			identity_forget_user(service->identities, ALICE_ID);
		arena_reset(own);
	}
	arena_free(own);
	return NULL;
}

static void threads_may_share_it(void **state)
{
	pthread_t threads[8];
	int results[8] = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_create(&threads[i], NULL, hammer, &results[i]);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(results[i], 0);
	}
}

static int start(void **state)
{
	(void)state;
	service = fake_service_start();
	arena = arena_new((size_t)1024 * 1024);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	arena_free(arena);
	fake_service_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_headers),
		cmocka_unit_test(asks_the_store_once),
		cmocka_unit_test(does_not_remember_a_no),
		cmocka_unit_test(forgets),
		cmocka_unit_test(does_not_remember_what_was_forgotten_meanwhile),
		cmocka_unit_test(threads_may_share_it),
	};

	return cmocka_run_group_tests_name("http identify", tests, start, stop);
}
