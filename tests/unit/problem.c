/* SPDX-License-Identifier: Apache-2.0 */
/* Problems hold what they are told, cut between characters. */
#include "unit.h"

#include "base/text.h"
#include "problem.h"

static void set_forgets_what_was_there(void **state)
{
	struct problem problem = {0};

	(void)state;
	assert_false(problem_add_violation(&problem, "name", "is required"));
	assert_int_equal(problem.kind, PROBLEM_VALIDATION_FAILED);
	assert_int_equal(problem.violation_count, 1);
	assert_false(problem_set(&problem, PROBLEM_NOT_FOUND, "No user %s.", "alice"));
	assert_int_equal(problem.violation_count, 0);
	assert_string_equal(problem.message, "No user alice.");
	assert_string_equal(problem.detail, "");
	assert_string_equal(problem_word(problem.kind), "not_found");
	assert_int_equal(problem_status(problem.kind), 404);
}

static void violations_keep_a_kind_and_stop_at_their_bound(void **state)
{
	struct problem problem = {0};

	(void)state;
	(void)problem_set(&problem, PROBLEM_NAME_TAKEN, "The name is taken.");
	for (int i = 0; i < VIOLATIONS_MAX + 5; i++)
		(void)problem_add_violation(&problem, "name", "is taken %d", i);
	assert_int_equal(problem.kind, PROBLEM_NAME_TAKEN);
	assert_int_equal(problem.violation_count, VIOLATIONS_MAX);
	assert_string_equal(problem.violations[3].detail, "is taken 3");
}

static void long_texts_are_cut_between_characters(void **state)
{
	struct problem problem = {0};
	char text[400];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'a', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x9a\xaa", 5);
		(void)problem_set(&problem, PROBLEM_INTERNAL, "%s", text);
		assert_true(strlen(problem.message) >= sizeof(problem.message) - 4);
		assert_true(text_is_utf8(problem.message, strlen(problem.message)));
		(void)problem_add_violation(&problem, text, "%s", text);
		assert_true(text_is_utf8(problem.violations[0].field, strlen(problem.violations[0].field)));
		assert_true(text_is_utf8(problem.violations[0].detail, strlen(problem.violations[0].detail)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_forgets_what_was_there),
		cmocka_unit_test(violations_keep_a_kind_and_stop_at_their_bound),
		cmocka_unit_test(long_texts_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
