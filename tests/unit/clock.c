/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 both ways, HTTP-dates, and deadlines. */
#include "unit.h"

#include "base/clock.h"

static void rfc_3339_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t at_ms;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0}, {"1970-01-01T00:00:00.001Z", 1}, {"1970-01-01T00:00:00.9999Z", 999},
		{"1985-04-12T23:20:50.52Z", INT64_C(482196050520)},   /* RFC 3339 section 5.8 */
		{"1996-12-19T16:39:57-08:00", INT64_C(851042397000)}, /* the same */
		{"1996-12-20T00:39:57Z", INT64_C(851042397000)},
		{"1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130)}, /* the same */
		{"2024-02-29T12:00:00+05:30", INT64_C(1709188200000)},     /* leap day */
		{"2000-02-29t00:00:00z", INT64_C(951782400000)}, {"2026-11-22 17:00:00Z", INT64_C(1795366800000)},
		{"1990-12-31T23:59:60Z", INT64_C(662688000000)},    /* leap second */
		{"0001-01-01T00:00:00Z", INT64_C(-62135596800000)}, /* Go's zero time */
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t at_ms = -1;

		if (!clock_parse_rfc3339(cases[i].text, &at_ms) || at_ms != cases[i].at_ms)
			fail_msg("%s is %lld", cases[i].text, (long long)at_ms);
	}
}

static void rubbish_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"2024",
		"2024-02-30T00:00:00Z",
		"2023-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2024-13-01T00:00:00Z",
		"2024-00-01T00:00:00Z",
		"2024-01-00T00:00:00Z",
		"2024-01-32T00:00:00Z",
		"2024-01-01T24:00:00Z",
		"2024-01-01T00:60:00Z",
		"2024-01-01T00:00:61Z",
		"2024-01-01T00:00:00",
		"2024-01-01T00:00:00.Z",
		"2024-01-01T00:00:00+0100",
		"2024-01-01T00:00:00+24:00",
		"2024-01-01T00:00:00Zx",
		"2024-1-1T00:00:00Z",
		" 2024-01-01T00:00:00Z",
		"2024-01-01T-1:00:00Z",
		"20240101T000000Z",
		"1700000000",
	};
	int64_t at_ms;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (clock_parse_rfc3339(texts[i], &at_ms))
			fail_msg("taken: %s", texts[i]);
}

static void rfc_3339_is_written(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(4096);
	int64_t at_ms;

	(void)state;
	assert_null(clock_rfc3339(arena, 0));
	assert_string_equal(clock_rfc3339(arena, INT64_C(482196050520)), "1985-04-12T23:20:50.520Z");
	assert_string_equal(clock_rfc3339(arena, -1), "1969-12-31T23:59:59.999Z");
	assert_true(clock_parse_rfc3339(clock_rfc3339(arena, INT64_C(1795366800123)), &at_ms));
	assert_int_equal(at_ms, INT64_C(1795366800123));
	assert_true(clock_now_ms() > INT64_C(1700000000000));
}

static void an_http_date_is_read(void **state)
{
	/* RFC 9110 section 5.6.7: the same moment in its three forms. */
	static const char *const texts[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
	static const char *const rubbish[] = {"", "30", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 08:49:37 GMT+1", "Sun, 06 Nov"};
	int64_t at_ms;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		at_ms = 0;
		if (!clock_parse_http_date(texts[i], &at_ms) || at_ms != INT64_C(784111777000))
			fail_msg("%s is %lld", texts[i], (long long)at_ms);
	}
	for (size_t i = 0; i < COUNT_OF(rubbish); i++)
		if (clock_parse_http_date(rubbish[i], &at_ms))
			fail_msg("taken: %s", rubbish[i]);
}

static void deadlines_pass(void **state)
{
	struct deadline soon = deadline_in_ms(20);
	struct deadline late = deadline_in_ms(60000);
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t condition;
	struct timespec until = deadline_timespec(soon);

	(void)state;
	assert_int_equal(deadline_earlier(late, soon).at_us, soon.at_us);
	assert_false(deadline_passed(late));
	assert_in_range(deadline_left_ms(late), 50000, 60000);
	condition_init(&condition);
	(void)pthread_mutex_lock(&lock);
	while (pthread_cond_timedwait(&condition, &lock, &until) == 0)
		continue;
	(void)pthread_mutex_unlock(&lock);
	assert_true(deadline_passed(soon));
	assert_int_equal(deadline_left_ms(soon), 0);
	assert_true(deadline_passed(deadline_in_ms(-5)));
	assert_false(deadline_passed(deadline_in_ms(INT64_MAX)));
	(void)pthread_cond_destroy(&condition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_3339_is_read),
		cmocka_unit_test(rubbish_is_refused),
		cmocka_unit_test(rfc_3339_is_written),
		cmocka_unit_test(an_http_date_is_read),
		cmocka_unit_test(deadlines_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
