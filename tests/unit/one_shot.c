/* SPDX-License-Identifier: Apache-2.0 */
/* A word said once reaches the one who waits, before or after it begins to. */
#include <pthread.h>

#include "unit.h"

#include "base/one_shot.h"

static void *post(void *argument)
{
	one_shot_post(argument, 7);
	return NULL;
}

static void a_word_is_heard_before_and_after_it_is_waited_for(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct one_shot one_shot;
		pthread_t thread;

		one_shot_init(&one_shot);
		assert_int_equal(pthread_create(&thread, NULL, post, &one_shot), 0);
		if (i % 2 == 0)
			assert_int_equal(one_shot_await(&one_shot), 7);
		else
			assert_int_equal(one_shot_wait(&one_shot, deadline_in_ms(60000)), 7);
		assert_int_equal(one_shot_peek(&one_shot), 7);
		pthread_join(thread, NULL);
		one_shot_destroy(&one_shot);
	}
}

static void a_wait_ends_without_a_word(void **state)
{
	struct one_shot one_shot;

	(void)state;
	one_shot_init(&one_shot);
	assert_int_equal(one_shot_peek(&one_shot), 0);
	assert_int_equal(one_shot_wait(&one_shot, deadline_in_ms(20)), 0);
	one_shot_post(&one_shot, 3);
	assert_int_equal(one_shot_wait(&one_shot, deadline_in_ms(0)), 3);
	one_shot_destroy(&one_shot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_is_heard_before_and_after_it_is_waited_for),
		cmocka_unit_test(a_wait_ends_without_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
