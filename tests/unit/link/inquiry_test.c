/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that several evaluations share: one request for all who come while it is under way, a new one for who comes
 * after its answer, and nobody's leaving is another's loss. The provider's gate says when, not the clock. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/link/inquiry.h"
#include "demo.h"

#define OWNER "01920000-0000-7000-8000-000000000001"
#define OTHER "01920000-0000-7000-8000-000000000002"
#define ENOUGH_MS 20000
#define INQUIRERS 50

struct state {
	struct arena *arena;
	struct http_client *http;
	struct inquiries *inquiries;
	struct inquiry_question question;
};

static int set_up(void **data)
{
	struct state *state = calloc(1, sizeof(*state));

	state->arena = arena_new(16 << 20);
	state->http = http_client_new();
	state->inquiries = inquiries_new(state->http);
	*data = state;
	return 0;
}

static int tear_down(void **data)
{
	struct state *state = *data;

	inquiries_free(state->inquiries);
	http_client_free(state->http);
	arena_free(state->arena);
	free(state);
	return 0;
}

static void ask_about(struct state *state, const char *name)
{
	state->question = (struct inquiry_question){
		.key = {OWNER, demo_provider(state->arena, name, PROVIDER_GITHUB), 1},
		.access_token = demo_token(state->arena, name),
		.arena = state->arena,
	};
}

static void turn_gate(struct state *state, const char *name, const char *how)
{
	demo_ask(state->arena, "PUT", arena_printf(state->arena, "/_control/%s/gates/validate", name),
		arena_printf(state->arena, "{\"state\": \"%s\", \"moment\": \"before\"}", how));
}

static void await_at_gate(struct state *state, const char *name, int count)
{
	const char *path =
		arena_printf(state->arena, "/_control/%s/gates/validate?waiting=%d&timeout_ms=10000", name, count);

	assert_non_null(
		strstr(demo_ask(state->arena, "GET", path, ""), arena_printf(state->arena, "\"waiting\":%d", count)));
}

static long requests_of(struct state *state, const char *name)
{
	return demo_number(state->arena, name, "requests", "validate");
}

static int status_of(struct inquirer *inquirer, struct waiter *waiter)
{
	struct awaited *ended = waiter_next(waiter, deadline_in_ms(ENOUGH_MS));
	int status = ended != NULL ? inquirer_answer((struct inquirer *)(void *)ended).status : -1;

	assert_ptr_equal(ended, inquirer);
	inquirer_leave(inquirer);
	return status;
}

static void who_comes_meanwhile_shares_the_answer(void **data)
{
	struct state *state = *data;
	struct waiter *waiters[INQUIRERS];
	struct inquirer *inquirers[INQUIRERS];

	ask_about(state, "shared");
	turn_gate(state, "shared", "closed");
	for (size_t i = 0; i < INQUIRERS; i++) {
		waiters[i] = waiter_new();
		inquirers[i] = inquiry_join(state->inquiries, &state->question, waiters[i], i);
		if (i == 0)
			await_at_gate(state, "shared", 1);
	}
	assert_int_equal(inquirer_asked_us(inquirers[0]), inquirer_asked_us(inquirers[INQUIRERS - 1]));
	turn_gate(state, "shared", "open");
	for (size_t i = 0; i < INQUIRERS; i++) {
		assert_int_equal(status_of(inquirers[i], waiters[i]), 200);
		assert_true(waiter_is_idle(waiters[i]));
		waiter_free(waiters[i]);
	}
	assert_int_equal(requests_of(state, "shared"), 1);
}

static void another_token_is_another_question(void **data)
{
	struct state *state = *data;
	struct waiter *waiter = waiter_new();
	struct inquirer *inquirers[3];

	ask_about(state, "apart");
	turn_gate(state, "apart", "closed");
	inquirers[0] = inquiry_join(state->inquiries, &state->question, waiter, 0);
	state->question.key.generation = 2;
	inquirers[1] = inquiry_join(state->inquiries, &state->question, waiter, 1);
	state->question.key.owner_id = OTHER;
	inquirers[2] = inquiry_join(state->inquiries, &state->question, waiter, 2);
	await_at_gate(state, "apart", 3);
	turn_gate(state, "apart", "open");
	for (size_t i = 0; i < COUNT_OF(inquirers); i++)
		assert_non_null(waiter_next(waiter, deadline_in_ms(ENOUGH_MS)));
	for (size_t i = 0; i < COUNT_OF(inquirers); i++)
		inquirer_leave(inquirers[i]);
	waiter_free(waiter);
}

/* The first one's answer is there though it has not looked: it was given before the second one asked. */
static void an_answer_that_is_there_is_too_old_to_share(void **data)
{
	struct state *state = *data;
	struct waiter *early = waiter_new(), *late = waiter_new();

	ask_about(state, "early");
	struct inquirer *first = inquiry_join(state->inquiries, &state->question, early, 0);
	assert_ptr_equal(waiter_next(early, deadline_in_ms(ENOUGH_MS)), first);
	demo_fault(state->arena, "early", "validate", "{\"status\": 401}");
	struct inquirer *second = inquiry_join(state->inquiries, &state->question, late, 0);
	assert_int_equal(status_of(second, late), 401);
	assert_int_equal(inquirer_answer(first).status, 200);
	inquirer_leave(first);
	assert_int_equal(requests_of(state, "early"), 2);
	waiter_free(early);
	waiter_free(late);
}

static void who_leaves_takes_nothing_along(void **data)
{
	struct state *state = *data;
	struct waiter *waiters[3] = {waiter_new(), waiter_new(), waiter_new()};
	struct inquirer *inquirers[3];

	ask_about(state, "left");
	turn_gate(state, "left", "closed");
	for (size_t i = 0; i < COUNT_OF(inquirers); i++)
		inquirers[i] = inquiry_join(state->inquiries, &state->question, waiters[i], 0);
	await_at_gate(state, "left", 1);
	assert_null(waiter_next(waiters[0], deadline_in_ms(1)));
	inquirer_leave(inquirers[0]);
	inquirer_leave(inquirers[1]);
	turn_gate(state, "left", "open");
	assert_int_equal(status_of(inquirers[2], waiters[2]), 200);
	assert_int_equal(requests_of(state, "left"), 1);
	for (size_t i = 0; i < COUNT_OF(waiters); i++)
		waiter_free(waiters[i]);
}

static void the_last_takes_the_question_back(void **data)
{
	struct state *state = *data;
	struct waiter *waiter = waiter_new();

	ask_about(state, "taken-back");
	turn_gate(state, "taken-back", "closed");
	struct inquirer *inquirer = inquiry_join(state->inquiries, &state->question, waiter, 0);
	await_at_gate(state, "taken-back", 1);
	inquirer_leave(inquirer);
	assert_true(waiter_is_idle(waiter));
	/* A newcomer asks anew instead of waiting for what was taken back. */
	inquirer = inquiry_join(state->inquiries, &state->question, waiter, 0);
	turn_gate(state, "taken-back", "open");
	assert_int_equal(status_of(inquirer, waiter), 200);
	assert_int_equal(requests_of(state, "taken-back"), 2);
	waiter_free(waiter);
}

/* --- many threads ------------------------------------------------------------------------------------------------ */

static void *join_and_leave(void *argument)
{
	struct state own = *(struct state *)argument;
	size_t *answered = calloc(1, sizeof(*answered));

	own.question.arena = arena_new(16 << 20);
	for (size_t i = 0; i < 100; i++) {
		struct waiter *waiter = waiter_new();
		struct inquirer *inquirer = inquiry_join(own.inquiries, &own.question, waiter, 0);

		/* Some leave while the answer may be on its way. */
		if (i % 3 == 0)
			(void)waiter_next(waiter, deadline_in_ms(0));
		else if (waiter_next(waiter, deadline_in_ms(ENOUGH_MS)) != NULL)
			*answered += inquirer_answer(inquirer).status == 200;
		inquirer_leave(inquirer);
		waiter_free(waiter);
	}
	arena_free(own.question.arena);
	return answered;
}

static void threads_come_and_go(void **data)
{
	struct state *state = *data;
	pthread_t threads[8];
	size_t answered = 0;

	ask_about(state, "crowd");
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_create(&threads[i], NULL, join_and_leave, state);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		void *own = NULL;

		pthread_join(threads[i], &own);
		answered += *(size_t *)own;
		free(own);
	}
	assert_int_equal(answered, COUNT_OF(threads) * 66);
	assert_in_range(requests_of(state, "crowd"), 1, COUNT_OF(threads) * 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_comes_meanwhile_shares_the_answer),
		TEST(another_token_is_another_question),
		TEST(an_answer_that_is_there_is_too_old_to_share),
		TEST(who_leaves_takes_nothing_along),
		TEST(the_last_takes_the_question_back),
		TEST(threads_come_and_go),
	};

	demo_start();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	demo_stop();
	return failed;
}
