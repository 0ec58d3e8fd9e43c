/* SPDX-License-Identifier: Apache-2.0 */
/* How a line of an .eval file becomes a test. A suite is named like its file and says which columns a line has; each
 * column says how its word becomes a value; the suite's function asks the policy and compares. */
#ifndef EVAL_H
#define EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"

/* The moment in which every case happens; times in the files are told relative to it. */
#define EVAL_NOW_MS INT64_C(1800000000000)

#define COLUMNS_MAX 48

struct value {
	const char *text;
	int64_t number;
};

struct column {
	const char *name;
	/* Fills *ret_value from text; false where the column knows no such word. */
	bool (*parse)(const struct column *column, const char *text, struct value *ret_value);
	const char *const *words; /* for parse_word: value.number is the place of the word */
	size_t word_count;
};

struct suite {
	const char *name;
	const struct column *columns;
	size_t column_count;
	bool last_repeats; /* the last column may come once or more */
	void (*run)(const struct value *values, size_t count);
};

extern const struct suite next_step_suite, presume_suite, judge_validation_suite, judge_refresh_suite, next_try_suite,
	lag_suite, judge_device_suite;
extern const struct suite breaker_suite, breaker_reached_suite;
extern const struct suite finding_suite, decide_suite, enforcement_suite, enforcement_setting_suite;
extern const struct suite judge_receipt_suite;
extern const struct suite grant_poll_suite, grant_move_suite, family_refresh_suite;
extern const struct suite access_suite, access_set_suite;
extern const struct suite requirements_suite, names_suite, reasons_suite, words_suite;

/* How a suite's file writes its columns and itself. */
#define WORDS(column_name, list)                                                                                       \
	{                                                                                                              \
		.name = column_name, .parse = parse_word, .words = list, .word_count = COUNT_OF(list)                  \
	}
#define ONE_OF(column_name, ...)                                                                                       \
	{                                                                                                              \
		.name = column_name, .parse = parse_word, .words = (const char *const[]){__VA_ARGS__},                 \
		.word_count = COUNT_OF(((const char *const[]){__VA_ARGS__}))                                           \
	}
#define COLUMN(column_name, how)                                                                                       \
	{                                                                                                              \
		.name = column_name, .parse = how                                                                      \
	}
#define SUITE(suite_name, repeats)                                                                                     \
	{                                                                                                              \
		.name = #suite_name, .columns = suite_name##_columns, .column_count = COUNT_OF(suite_name##_columns),  \
		.last_repeats = repeats, .run = run_##suite_name                                                       \
	}

/* One of the column's words. "-" stands for the empty word. */
bool parse_word(const struct column *column, const char *text, struct value *ret_value);

/* never (0), now, +2s and -2s relative to now, min and max of the type, or =5 for exactly that many milliseconds. */
bool parse_time(const struct column *column, const char *text, struct value *ret_value);

/* 500ms, 60s, 5m, 1h or max. */
bool parse_duration(const struct column *column, const char *text, struct value *ret_value);

bool parse_number(const struct column *column, const char *text, struct value *ret_value);

/* Any text. '' is empty, \s a blank, \t a tab, \n a line's end, \x7f that byte, (a*65) 65 times an a. */
bool parse_text(const struct column *column, const char *text, struct value *ret_value);

/* The text as it stands; the suite reads it. */
bool parse_list(const struct column *column, const char *text, struct value *ret_value);

/* A copy that lives as long as the process. */
char *eval_keep(const char *text, size_t length);

#endif
