/* SPDX-License-Identifier: Apache-2.0 */
/* The breakers' shared state: one provider's and one endpoint's trouble is nobody else's, and of many threads one is
 * the probe. When what happens is told in tests/policy/breaker.eval. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/base/clock.h"
#include "../../../gate/base/metrics.h"
#include "../../../gate/link/breaker.h"

static struct provider hub = {.id = "hub"}, lab = {.id = "lab"}, stranger = {.id = "stranger"};
static const struct providers providers = {.count = 2, .list = {&hub, &lab}};
static struct breakers *breakers;

static int set_up(void **data)
{
	(void)data;
	breakers = breakers_new(&providers);
	return 0;
}

static int tear_down(void **data)
{
	(void)data;
	breakers_free(breakers);
	return 0;
}

static bool lets_ask(const struct provider *provider, enum breaker_endpoint endpoint)
{
	unsigned retry_after_s = 99;
	bool lets = breaker_lets_ask(breakers, provider, endpoint, &retry_after_s);

	if (lets)
		assert_int_equal(retry_after_s, 0);
	else
		assert_in_range(retry_after_s, 1, 5);
	return lets;
}

static void fail_often(const struct provider *provider, enum breaker_endpoint endpoint, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		breaker_note(breakers, provider, endpoint, false, clock_monotonic_us());
}

static void five_failures_open_one_way_to_one_provider(void **data)
{
	(void)data;
	fail_often(&hub, BREAKER_VALIDATE, 4);
	assert_true(lets_ask(&hub, BREAKER_VALIDATE));
	fail_often(&hub, BREAKER_VALIDATE, 1);
	assert_false(lets_ask(&hub, BREAKER_VALIDATE));
	assert_true(lets_ask(&hub, BREAKER_TOKEN));
	assert_true(lets_ask(&lab, BREAKER_VALIDATE));
	fail_often(&lab, BREAKER_TOKEN, 5);
	assert_false(lets_ask(&lab, BREAKER_TOKEN));
	assert_true(lets_ask(&lab, BREAKER_VALIDATE));
}

static void one_success_closes_it(void **data)
{
	(void)data;
	fail_often(&hub, BREAKER_VALIDATE, 9);
	breaker_note(breakers, &hub, BREAKER_VALIDATE, true, clock_monotonic_us());
	assert_true(lets_ask(&hub, BREAKER_VALIDATE));
}

static void what_was_asked_before_a_success_does_not_count(void **data)
{
	int64_t before_us = clock_monotonic_us() - 10000;

	(void)data;
	breaker_note(breakers, &hub, BREAKER_VALIDATE, true, before_us);
	for (unsigned i = 0; i < 9; i++)
		breaker_note(breakers, &hub, BREAKER_VALIDATE, false, before_us);
	assert_true(lets_ask(&hub, BREAKER_VALIDATE));
}

static void who_is_not_configured_is_always_asked(void **data)
{
	(void)data;
	fail_often(&stranger, BREAKER_VALIDATE, 9);
	assert_true(lets_ask(&stranger, BREAKER_VALIDATE));
	unsigned retry_after_s = 99;
	breaker_note(NULL, &hub, BREAKER_VALIDATE, false, 0);
	assert_true(breaker_lets_ask(NULL, &hub, BREAKER_VALIDATE, &retry_after_s));
	assert_int_equal(retry_after_s, 0);
}

static const char *metric_line(struct arena *arena)
{
	struct text text = text_in(arena);

	metrics_write(&text);
	return text.bytes;
}

static void its_state_is_shown(void **data)
{
	struct arena *arena = arena_new(8 << 20);

	(void)data;
	assert_non_null(strstr(metric_line(arena), "gatehouse_breaker_open{provider=\"lab\",endpoint=\"validate\"} "
						   "0\n"));
	fail_often(&lab, BREAKER_VALIDATE, 5);
	assert_non_null(strstr(metric_line(arena), "gatehouse_breaker_open{provider=\"lab\",endpoint=\"validate\"} "
						   "1\n"));
	breaker_note(breakers, &lab, BREAKER_VALIDATE, true, clock_monotonic_us());
	assert_non_null(strstr(metric_line(arena), "gatehouse_breaker_open{provider=\"lab\",endpoint=\"validate\"} "
						   "0\n"));
	arena_free(arena);
}

static _Atomic unsigned asked;

static void *ask_and_fail(void *argument)
{
	unsigned retry_after_s;

	(void)argument;
	for (unsigned i = 0; i < 1000; i++) {
		if (!breaker_lets_ask(breakers, &hub, BREAKER_VALIDATE, &retry_after_s))
			continue;
		atomic_fetch_add(&asked, 1);
		breaker_note(breakers, &hub, BREAKER_VALIDATE, false, clock_monotonic_us());
	}
	return NULL;
}

/* Each thread may be on its way when it opens; far from all are. */
static void threads_stop_together(void **data)
{
	pthread_t threads[8];

	(void)data;
	for (size_t i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, ask_and_fail, NULL);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(asked, 5, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(five_failures_open_one_way_to_one_provider),
		TEST(one_success_closes_it),
		TEST(what_was_asked_before_a_success_does_not_count),
		TEST(who_is_not_configured_is_always_asked),
		TEST(its_state_is_shown),
		TEST(threads_stop_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
