/* SPDX-License-Identifier: Apache-2.0 */
/* The suites about words from outside: lists of requirements, names, reasons and settings. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "eval.h"
#include "policy.h"

#define WORD(name, word) word,
#define REASON_WORD(name, word, verdict, fixable_by) word,

static const char *const verdicts[] = {VERDICT_LIST(WORD)};
static const char *const fixers[] = {FIXABLE_BY_LIST(WORD)};
static const char *const reasons[] = {REASON_LIST(REASON_WORD)};

#undef WORD
#undef REASON_WORD

static const struct column requirements_columns[] = {
	ONE_OF("last", "refused", "added"),
	COLUMN("count", parse_number),
	COLUMN("list", parse_list),
	COLUMN("adds", parse_text),
};

/* "github?" is optional. */
static bool add_requirement(struct requirements *requirements, const char *text)
{
	size_t length = strlen(text);
	bool is_optional = length > 0 && text[length - 1] == '?';

	return requirements_add(requirements, eval_keep(text, length - is_optional), is_optional);
}

/* "fill:N" adds p0, p1, … so that N are in the list. */
static bool fill_requirements(struct requirements *requirements, const char *number)
{
	bool is_added = true;
	size_t wanted = strtoul(number, NULL, 10);

	for (size_t i = 0; is_added && requirements->count < wanted; i++) {
		char id[16];

		snprintf(id, sizeof(id), "p%zu", i);
		is_added = requirements_add(requirements, id, false);
	}
	return is_added;
}

static void run_requirements(const struct value *values, size_t count)
{
	struct requirements requirements = {0};
	char list[4096] = "";
	bool is_added = false;

	for (size_t i = 3; i < count; i++) {
		if (i > 3)
			assert_true(is_added);
		is_added = strncmp(values[i].text, "fill:", 5) == 0
				   ? fill_requirements(&requirements, values[i].text + 5)
				   : add_requirement(&requirements, values[i].text);
	}
	for (size_t i = 0; i < requirements.count; i++) {
		const struct requirement *added = &requirements.list[i];
		size_t length = strlen(list);

		snprintf(list + length, sizeof(list) - length, "%s%s%s", i > 0 ? "," : "", added->provider_id,
			added->optional ? "?" : "");
	}
	assert_string_equal(is_added ? "added" : "refused", values[0].text);
	assert_int_equal(requirements.count, values[1].number);
	if (strcmp(values[2].text, "any") != 0)
		assert_string_equal(*list != '\0' ? list : "-", values[2].text);
}

const struct suite requirements_suite = SUITE(requirements, true);

static const struct {
	const char *kind;
	bool (*is_lawful)(const char *text);
} name_kinds[] = {
	{"provider_id", name_is_provider_id},
	{"workspace", name_is_workspace},
	{"user", name_is_user},
	{"template", name_is_template},
	{"uuid", name_is_uuid},
	{"email", name_is_email},
	{"request_id", name_is_request_id},
	{"local_path", name_is_local_path},
	{"provider_url", name_is_provider_url},
};

static const struct column names_columns[] = {
	ONE_OF("answer", "unlawful", "lawful"),
	ONE_OF("kind", "provider_id", "workspace", "user", "template", "uuid", "email", "request_id", "local_path",
		"provider_url"),
	COLUMN("text", parse_text),
};

static void run_names(const struct value *values, size_t count)
{
	(void)count;
	size_t kind = (size_t)values[1].number;

	assert_string_equal(name_kinds[kind].kind, values[1].text);
	assert_string_equal(name_kinds[kind].is_lawful(values[2].text) ? "lawful" : "unlawful", values[0].text);
}

const struct suite names_suite = SUITE(names, false);

static const struct column reasons_columns[] = {
	WORDS("reason", reasons),
	WORDS("verdict", verdicts),
	WORDS("fixable_by", fixers),
};

static void run_reasons(const struct value *values, size_t count)
{
	(void)count;
	enum reason reason = (enum reason)values[0].number;
	const char *fixable_by = fixable_by_word(reason_fixable_by(reason));
	const char *sentence = reason_sentence(reason);

	assert_int_equal(reason_from_word(values[0].text), reason);
	assert_string_equal(reason_word(reason), values[0].text);
	assert_string_equal(verdict_word(reason_verdict(reason)), values[1].text);
	assert_string_equal(*fixable_by != '\0' ? fixable_by : "-", values[2].text);
	assert_true(strlen(sentence) > 20 && sentence[strlen(sentence) - 1] == '.');
	assert_true(strstr(sentence, "connect the account") == NULL || reason_fixable_by(reason) == FIXABLE_BY_OWNER);
}

const struct suite reasons_suite = SUITE(reasons, false);

static const struct column words_columns[] = {
	ONE_OF("answer", "unknown", "known"),
	ONE_OF("kind", "reason", "enforcement", "fail_mode", "role", "action"),
	COLUMN("word", parse_text),
};

/* The word of the value that the word names: the same word, or none. */
static const char *there_and_back(const char *kind, const char *word)
{
	if (strcmp(kind, "reason") == 0)
		return reason_word(reason_from_word(word));
	if (strcmp(kind, "enforcement") == 0)
		return enforcement_word(enforcement_from_word(word));
	if (strcmp(kind, "fail_mode") == 0)
		return fail_mode_word(fail_mode_from_word(word));
	if (strcmp(kind, "role") == 0)
		return role_word(role_from_word(word));
	return action_word(action_from_word(word));
}

/* "" comes back for ENFORCEMENT_INHERIT as well, so the empty word is held to the value itself. */
static void run_words(const struct value *values, size_t count)
{
	(void)count;
	bool is_known = strcmp(values[0].text, "known") == 0;

	assert_string_equal(there_and_back(values[1].text, values[2].text), is_known ? values[2].text : "");
	assert_int_equal(enforcement_from_word(""), ENFORCEMENT_COUNT);
}

const struct suite words_suite = SUITE(words, false);
