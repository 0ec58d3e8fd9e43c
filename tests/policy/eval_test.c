/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one .eval file: reads its lines, makes each a cmocka test named "file:line sentence", runs them all. A file that
 * cannot be read to the last word, or that leaves a possible answer without a case, fails before any test runs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "eval.h"

#define CASES_MAX 512
#define LINE_BYTES_MAX 1024
#define EXIT_UNREADABLE 2

struct eval_case {
	const struct suite *suite;
	struct value values[COLUMNS_MAX];
	size_t value_count;
};

/* The file being read. */
struct reader {
	const char *path;
	const char *file_name;
	const struct suite *suite;
	unsigned line_number;
	bool has_columns;
	size_t case_count;
};

static const struct suite *const suites[] = {
	&next_step_suite,
	&presume_suite,
	&judge_validation_suite,
	&judge_refresh_suite,
	&judge_device_suite,
	&breaker_suite,
	&breaker_reached_suite,
	&next_try_suite,
	&lag_suite,
	&finding_suite,
	&decide_suite,
	&enforcement_suite,
	&enforcement_setting_suite,
	&judge_receipt_suite,
	&grant_poll_suite,
	&grant_move_suite,
	&family_refresh_suite,
	&access_suite,
	&access_set_suite,
	&requirements_suite,
	&names_suite,
	&reasons_suite,
	&words_suite,
};

static struct eval_case cases[CASES_MAX];
static struct CMUnitTest tests[CASES_MAX];

static void run_case(void **state)
{
	const struct eval_case *eval_case = *state;

	eval_case->suite->run(eval_case->values, eval_case->value_count);
}

/* Always false, so that reading ends with it. */
static bool complain(const struct reader *reader, const char *why, const char *what)
{
	fprintf(stderr, "%s:%u: %s: %s\n", reader->path, reader->line_number, why, what);
	return false;
}

static const struct column *column_at(const struct suite *suite, size_t place)
{
	if (place < suite->column_count)
		return &suite->columns[place];
	return suite->last_repeats ? &suite->columns[suite->column_count - 1] : NULL;
}

/* "# columns: a b c" must name the suite's columns in their order: who reads the file sees what the program reads. */
static bool read_columns(struct reader *reader, char *names)
{
	char *rest = NULL;
	size_t place = 0;

	for (char *name = strtok_r(names, " \t", &rest); name != NULL; name = strtok_r(NULL, " \t", &rest), place++) {
		if (place >= reader->suite->column_count)
			return complain(reader, "a column too many", name);
		if (strcmp(reader->suite->columns[place].name, name) != 0)
			return complain(reader, "expected column", reader->suite->columns[place].name);
	}
	if (place != reader->suite->column_count)
		return complain(reader, "a column is missing", reader->suite->columns[place].name);
	reader->has_columns = true;
	return true;
}

/* The test's name: the sentence after the mark " # ", or the line's own words where they are a sentence already. */
static const char *make_name(const struct reader *reader, const char *line)
{
	char name[LINE_BYTES_MAX + 256];
	const char *mark = strstr(line, " # ");
	int length = snprintf(name, sizeof(name), "%s:%u %s", reader->file_name, reader->line_number,
		mark != NULL ? mark + strlen(" # ") : line);

	if (length < 0 || (size_t)length >= sizeof(name))
		abort();
	return eval_keep(name, (size_t)length);
}

static bool read_values(struct reader *reader, char *words, struct eval_case *eval_case)
{
	char *rest = NULL;
	size_t count = 0;

	for (char *word = strtok_r(words, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest), count++) {
		const struct column *column = column_at(reader->suite, count);

		if (column == NULL || count >= COLUMNS_MAX)
			return complain(reader, "a word too many", word);
		char *kept = eval_keep(word, strlen(word));
		if (!column->parse(column, kept, &eval_case->values[count]))
			return complain(reader, column->name, word);
	}
	if (count < reader->suite->column_count)
		return complain(reader, "no word for column", reader->suite->columns[count].name);
	eval_case->value_count = count;
	return true;
}

static bool read_case(struct reader *reader, char *line)
{
	struct eval_case *eval_case = &cases[reader->case_count];

	if (!reader->has_columns)
		return complain(reader, "no line names the columns before", line);
	if (reader->case_count >= CASES_MAX)
		return complain(reader, "more cases than CASES_MAX at", line);

	const char *name = make_name(reader, line);
	char *mark = strstr(line, " # ");
	if (mark != NULL)
		*mark = '\0';
	eval_case->suite = reader->suite;
	if (!read_values(reader, line, eval_case))
		return false;
	tests[reader->case_count++] =
		(struct CMUnitTest){.name = name, .test_func = run_case, .initial_state = eval_case};
	return true;
}

static bool read_line(struct reader *reader, char *line)
{
	static const char columns_mark[] = "# columns: ";
	size_t length = strlen(line);

	if (length == 0 || line[length - 1] != '\n')
		return complain(reader, "longer than LINE_BYTES_MAX, or without an end", line);
	line[length - 1] = '\0';
	if (strncmp(line, columns_mark, strlen(columns_mark)) == 0)
		return read_columns(reader, line + strlen(columns_mark));
	if (line[0] == '#' || line[0] == '\0')
		return true;
	return read_case(reader, line);
}

/* Every answer that the first column can name needs a case that expects it. */
static bool has_every_answer(const struct reader *reader)
{
	const struct column *answer = &reader->suite->columns[0];

	for (size_t word = 0; word < answer->word_count; word++) {
		bool is_expected = false;

		for (size_t i = 0; i < reader->case_count; i++)
			is_expected = is_expected || cases[i].values[0].number == (int64_t)word;
		if (!is_expected && *answer->words[word] != '\0')
			return complain(reader, "no case expects", answer->words[word]);
	}
	return reader->case_count > 0 || complain(reader, "no case in suite", reader->suite->name);
}

static bool read_file(struct reader *reader)
{
	char line[LINE_BYTES_MAX];
	bool is_good = true;
	FILE *file = fopen(reader->path, "r");

	if (file == NULL)
		return complain(reader, "cannot be opened", reader->path);
	while (is_good && fgets(line, sizeof(line), file) != NULL) {
		reader->line_number++;
		is_good = read_line(reader, line);
	}
	if (ferror(file) != 0)
		is_good = complain(reader, "cannot be read", reader->path);
	fclose(file);
	return is_good && has_every_answer(reader);
}

/* The suite with the file's name without ".eval". */
static const struct suite *find_suite(const char *file_name)
{
	size_t length = strcspn(file_name, ".");

	for (size_t i = 0; i < COUNT_OF(suites); i++)
		if (strlen(suites[i]->name) == length && strncmp(suites[i]->name, file_name, length) == 0)
			return suites[i];
	return NULL;
}

int main(int argument_count, char **arguments)
{
	if (argument_count != 2) {
		fprintf(stderr, "usage: policy_eval FILE.eval\n");
		return EXIT_UNREADABLE;
	}

	const char *slash = strrchr(arguments[1], '/');
	struct reader reader = {.path = arguments[1], .file_name = slash != NULL ? slash + 1 : arguments[1]};
	reader.suite = find_suite(reader.file_name);
	if (reader.suite == NULL) {
		complain(&reader, "no suite in eval_test.c has the name of", reader.file_name);
		return EXIT_UNREADABLE;
	}
	if (!read_file(&reader))
		return EXIT_UNREADABLE;
	return _cmocka_run_group_tests(reader.suite->name, tests, reader.case_count, NULL, NULL) == 0 ? EXIT_SUCCESS
												      : EXIT_FAILURE;
}
