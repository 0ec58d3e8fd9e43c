/* SPDX-License-Identifier: Apache-2.0 */
/* The exposition is what Prometheus reads, and nothing that several threads add is lost. */
#include "unit.h"

#include <pthread.h>
#include <regex.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "bounds.h"

#define ARENA_BYTES ((size_t)32 << 20)
#define THREADS 4
#define ROUNDS 20000

static struct metric_labels labels(const char *first, const char *second, const char *third)
{
	return (struct metric_labels){{first, second, third}};
}

static char *exposition(struct arena *arena)
{
	struct text text = text_in(arena);

	metrics_write(&text);
	return text.bytes;
}

static void every_line_is_of_the_format(void **state)
{
	static const char pattern[] = "^(# HELP [a-z_]+ .+|# TYPE [a-z_]+ (counter|gauge|histogram)|"
				      "[a-z_]+([{][a-z_]+=\"([^\"\\]|\\\\[\\n\"])*\"(,[a-z_]+=\"([^\"\\]|\\\\[\\n\"])*"
				      "\")*[}])? -?[0-9.e+]+)$";
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	regex_t line_of_format;
	char *text;

	(void)state;
	metrics_add(METRIC_HTTP_REQUESTS, labels("a \"quoted\"\\\nroute", "200", NULL), 1);
	metrics_set(METRIC_HTTP_IN_FLIGHT, labels(NULL, NULL, NULL), -3);
	metrics_observe_us(METRIC_HTTP_DURATION, labels("/x", NULL, NULL), 1500);
	assert_int_equal(regcomp(&line_of_format, pattern, REG_EXTENDED | REG_NOSUB), 0);
	text = exposition(arena);
	assert_int_equal(text[strlen(text) - 1], '\n');
	while (*text != '\0') {
		char *line = arena_copy_bytes(arena, text, strcspn(text, "\n"));

		if (regexec(&line_of_format, line, 0, NULL, 0) != 0)
			fail_msg("%s", line);
		text += strlen(line) + 1;
	}
	regfree(&line_of_format);
}

static void values_and_buckets_add_up(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	struct metric_labels moment = labels("create", NULL, NULL);
	char *text;

	(void)state;
	metrics_add(METRIC_DECISIONS, labels("create", "allowed", NULL), 2);
	metrics_add(METRIC_DECISIONS, labels("create", "allowed", NULL), 3);
	metrics_observe_us(METRIC_EVALUATION_DURATION, moment, 0);
	metrics_observe_us(METRIC_EVALUATION_DURATION, moment, 1000);
	metrics_observe_us(METRIC_EVALUATION_DURATION, moment, 1001);
	metrics_observe_us(METRIC_EVALUATION_DURATION, moment, 30000000);
	metrics_observe_us(METRIC_EVALUATION_DURATION, moment, 31000000);
	metrics_observe_us(METRIC_EVALUATION_DURATION, moment, -7);
	text = exposition(arena);
	assert_text_has(text, "\ngatehouse_decisions_total{moment=\"create\",outcome=\"allowed\"} 5\n");
	assert_text_has(text, "_seconds_bucket{moment=\"create\",le=\"0.001\"} 3\n");
	assert_text_has(text, "_seconds_bucket{moment=\"create\",le=\"0.0025\"} 4\n");
	assert_text_has(text, "_seconds_bucket{moment=\"create\",le=\"30\"} 5\n");
	assert_text_has(text, "_seconds_bucket{moment=\"create\",le=\"+Inf\"} 6\n");
	assert_text_has(text, "gatehouse_evaluation_duration_seconds_sum{moment=\"create\"} 61.002001\n");
	assert_text_has(text, "gatehouse_evaluation_duration_seconds_count{moment=\"create\"} 6\n");
	assert_text_has(text, "\ngatehouse_decision_log_dropped_total 0\n");
	assert_text_has(text, "\ngatehouse_database_query_duration_seconds_bucket{le=\"+Inf\"} 0\n");
}

static void the_process_is_measured(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	const char *text = exposition(arena);

	(void)state;
	assert_true(strtod(strstr(text, "\nprocess_resident_memory_bytes ") + 31, NULL) > 100000);
	assert_true(strtod(strstr(text, "\nprocess_open_fds ") + 18, NULL) >= 3);
	assert_true(strtod(strstr(text, "\nprocess_cpu_seconds_total ") + 27, NULL) >= 0);
	assert_in_range((uint64_t)(strtod(strstr(text, "\nprocess_start_time_seconds ") + 28, NULL)),
		(uint64_t)(clock_now_ms() / 1000 - 300), (uint64_t)(clock_now_ms() / 1000 + 5));
}

static void *add_many(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		metrics_add(METRIC_FINDINGS, labels("github", i % 2 == 0 ? "valid" : "expired", NULL), 1);
		metrics_observe_us(METRIC_PROVIDER_DURATION, labels("github", "validate", NULL), 10);
	}
	return unused;
}

static void parallel_adds_sum_up(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	pthread_t threads[THREADS];
	int64_t start_us = clock_monotonic_us();
	char *text;

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	print_message("%d ns an operation, %d threads\n",
		(int)((clock_monotonic_us() - start_us) * 1000 / (2 * THREADS * ROUNDS)), THREADS);
	text = exposition(arena);
	assert_text_has(text, "{provider=\"github\",reason=\"valid\"} 40000\n");
	assert_text_has(text, "{provider=\"github\",reason=\"expired\"} 40000\n");
	assert_text_has(text, "_count{provider=\"github\",purpose=\"validate\"} 80000\n");
}

static void series_are_bounded(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	/* Labels outlive the process's metrics, so they are not the arena's. */
	static char names[METRIC_SERIES_MAX + 100][8];
	char *text;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "p%zu", i);
		metrics_add(METRIC_LINKS_WRITTEN, labels(names[i], "saved", NULL), 1);
	}
	text = exposition(arena);
	assert_text_has(text, "gatehouse_links_written_total{provider=\"p0\",how=\"saved\"} 1\n");
	assert_text_has(text, "gatehouse_links_written_total{provider=\"other\",how=\"other\"} 101\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_is_of_the_format),
		cmocka_unit_test(values_and_buckets_add_up),
		cmocka_unit_test(the_process_is_measured),
		cmocka_unit_test(parallel_adds_sum_up),
		cmocka_unit_test(series_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
