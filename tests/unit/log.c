/* SPDX-License-Identifier: Apache-2.0 */
/* A log line is one line, well-formed and unforgeable, whatever is in it. stderr is a file while a line is written. */
#include "unit.h"

#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"

static char captured[1 << 20];
static int saved_stderr;
static FILE *capture;

static void capture_begin(void)
{
	capture = tmpfile();
	assert_non_null(capture);
	saved_stderr = dup(STDERR_FILENO);
	(void)dup2(fileno(capture), STDERR_FILENO);
}

static const char *capture_end(void)
{
	size_t size;

	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	rewind(capture);
	size = fread(captured, 1, sizeof(captured) - 1, capture);
	captured[size] = '\0';
	(void)fclose(capture);
	return captured;
}

/* Exactly one line, which is JSON. */
static struct json *capture_end_json(void)
{
	const char *line = capture_end();
	struct problem problem = {0};
	struct json *root;

	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	if (!json_parse(line, strlen(line), &root, &problem))
		fail_msg("%s: %s", problem.detail, line);
	return root;
}

static void json_lines_hold_their_pairs(void **state)
{
	int64_t status;

	(void)state;
	capture_begin();
	log_setup(LOG_INFO, LOG_JSON);
	log_event(LOG_WARN, "a \"message\"\nsecond", log_string("id", "a\\b\x1b[31m\xff\xc2\x9b!"),
		log_string("none", NULL), log_number("status", 200), log_duration("duration_ms", 1234567),
		log_duration("tiny_ms", -5));
	SCOPED(json_release) struct json *root = capture_end_json();

	assert_string_equal(json_string(json_member(root, "level")), "warn");
	assert_string_equal(json_string(json_member(root, "message")), "a \"message\"\nsecond");
	assert_string_equal(json_string(json_member(root, "id")), "a\\b\x1b[31m\xef\xbf\xbd\xef\xbf\xbd!");
	assert_null(json_member(root, "none"));
	assert_true(json_integer(json_member(root, "status"), &status));
	assert_int_equal(status, 200);
	assert_text_has(captured, "\"duration_ms\":1234.567,\"tiny_ms\":-0.005}");
	assert_int_equal(strlen(json_string(json_member(root, "time"))), strlen("2026-11-22T17:00:00.000Z"));
}

static void a_long_line_is_cut_and_still_json(void **state)
{
	static char value[100000];

	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		memset(value, 'a', shift);
		for (size_t i = shift; i + 2 < sizeof(value); i += 2)
			memcpy(value + i, "\x01\"", 3);
		capture_begin();
		log_setup(LOG_INFO, LOG_JSON);
		log_event(LOG_ERROR, "long", log_string("value", value), log_number("lost", 1));
		SCOPED(json_release) struct json *root = capture_end_json();

		assert_in_range(strlen(captured), PIPE_BUF / 2, PIPE_BUF);
		assert_non_null(json_string(json_member(root, "value")));
	}
	capture_begin();
	log_setup(LOG_INFO, LOG_JSON);
	log_line(LOG_ERROR, "%s", value);
	SCOPED(json_release) struct json *root = capture_end_json();

	assert_non_null(json_string(json_member(root, "message")));
}

static void text_lines_quote_what_is_no_word(void **state)
{
	(void)state;
	capture_begin();
	log_setup(LOG_INFO, LOG_TEXT);
	log_event(LOG_INFO, "request\nforged", log_string("id", "a-1"), log_string("path", "/a b"),
		log_string("empty", ""), log_string("pair", "x=1"), log_number("status", 404),
		log_number("least", INT64_MIN), log_number("nothing", 0));
	assert_text_has(capture_end(), " info  request\\nforged id=a-1 path=\"/a b\" empty=\"\" pair=\"x=1\" "
				       "status=404 least=-9223372036854775808 nothing=0\n");
	assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
}

static void levels_are_kept(void **state)
{
	(void)state;
	capture_begin();
	log_setup(LOG_WARN, LOG_JSON);
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_enabled(LOG_ERROR));
	log_line(LOG_INFO, "unseen");
	assert_string_equal(capture_end(), "");
}

#define THREADS 4
#define LINES 200

static void *write_lines(void *letter)
{
	char value[512];

	memset(value, *(char *)letter, sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < LINES; i++)
		log_event(LOG_INFO, "parallel", log_string("value", value));
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	static char letters[THREADS] = "abcd";
	pthread_t threads[THREADS];
	size_t count = 0;

	(void)state;
	capture_begin();
	log_setup(LOG_INFO, LOG_JSON);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &letters[i]), 0);
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	for (char *line = (char *)(uintptr_t)capture_end(); *line != '\0'; count++) {
		char *value = strstr(line, "\"value\":\"") + strlen("\"value\":\"");

		assert_int_equal(strspn(value, (char[]){*value, '\0'}), 511);
		line = strchr(line, '\n') + 1;
	}
	assert_int_equal(count, THREADS * LINES);
}

/* Nobody reads the pipe: whoever logs goes on all the same. */
static void a_log_that_nobody_takes_stops_nobody(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	saved_stderr = dup(STDERR_FILENO);
	(void)dup2(ends[1], STDERR_FILENO);
	log_setup(LOG_INFO, LOG_JSON);
	for (int i = 0; i < 2000; i++)
		log_event(LOG_INFO, "unread",
			log_string("value", "a value of some length, so that the pipe is full soon"));
	(void)dup2(saved_stderr, STDERR_FILENO);
	log_setup(LOG_INFO, LOG_JSON);
	(void)close(saved_stderr);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_lines_hold_their_pairs),
		cmocka_unit_test(a_long_line_is_cut_and_still_json),
		cmocka_unit_test(text_lines_quote_what_is_no_word),
		cmocka_unit_test(a_log_that_nobody_takes_stops_nobody),
		cmocka_unit_test(levels_are_kept),
		cmocka_unit_test(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
