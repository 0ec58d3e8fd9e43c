/* SPDX-License-Identifier: Apache-2.0 */
/* The suites about one link: what to do next, and what a provider's answers mean. */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "eval.h"
#include "policy.h"

#define WORD(name, word) word,
#define REASON_WORD(name, word, verdict, fixable_by) word,

static const char *const reasons_or_none[] = {REASON_LIST(REASON_WORD) ""};
static const char *const validations_or_unknown[] = {VALIDATION_LIST(WORD) "unknown"};
static const char *const judgements[] = {"", "confirmed", "rejected", "rate_limited", "unavailable"};
static const char *const refresh_ends[] = {REFRESH_END_LIST(WORD)};
static const char *const steps[] = {STEP_LIST(WORD)};
static const char *const transports[] = {TRANSPORT_LIST(WORD) "unknown"};
static const char *const grant_classes[] = {GRANT_CLASS_LIST(WORD)};
static const char *const grant_classes_or_unknown[] = {GRANT_CLASS_LIST(WORD) "unknown"};
static const char *const device_answers[] = {DEVICE_ANSWER_LIST(WORD)};
static const char *const try_steps[] = {TRY_STEP_LIST(WORD)};

#undef WORD
#undef REASON_WORD

/* What is known of the link and its provider: the third to the tenth column of a suite, behind the step and its reason.
 */
#define LINK_AND_PROVIDER                                                                                              \
	ONE_OF("link", "none", "sealed", "access_only", "refreshable"), WORDS("remembered", reasons_or_none),          \
		COLUMN("issued", parse_time), COLUMN("expires", parse_time), COLUMN("confirmed", parse_time),          \
		ONE_OF("provider", "neither", "validates", "refreshes", "both"), COLUMN("min_valid", parse_duration),  \
		COLUMN("max_age", parse_duration)

static struct link_facts facts_of(const struct value *values)
{
	return (struct link_facts){
		.linked = values[2].number >= 1,
		.readable = values[2].number >= 2,
		.has_refresh_token = values[2].number == 3,
		.remembered = (enum reason)values[3].number,
		.issued_at_ms = values[4].number,
		.expires_at_ms = values[5].number,
		.last_valid_at_ms = values[6].number,
	};
}

static struct provider_rules rules_of(const struct value *values)
{
	return (struct provider_rules){
		.validates = (values[7].number & 1) != 0,
		.refreshes = (values[7].number & 2) != 0,
		.min_valid_ms = values[8].number,
		.verdict_age_max_ms = values[9].number,
	};
}

static const struct column next_step_columns[] = {
	WORDS("step", steps),
	WORDS("reason", reasons_or_none),
	LINK_AND_PROVIDER,
	WORDS("refresh", refresh_ends),
	WORDS("validation", validations_or_unknown),
	ONE_OF("link_again", "-", "reread"),
	COLUMN("clock", parse_time),
};

static void run_next_step(const struct value *values, size_t count)
{
	(void)count;
	const struct link_facts facts = facts_of(values);
	const struct provider_rules rules = rules_of(values);
	const struct progress progress = {
		.refresh = (enum refresh_end)values[10].number,
		.validation = (enum validation)values[11].number,
		.reread = values[12].number != 0,
	};
	struct step step = next_step(&facts, &rules, &progress, values[13].number);

	assert_string_equal(step_word(step.kind), values[0].text);
	assert_string_equal(step.reason == REASON_COUNT ? "-" : reason_word(step.reason), values[1].text);
}

const struct suite next_step_suite = SUITE(next_step, false);

/* The steps an evaluation may begin with. */
static const char *const first_steps[] = {"settled", "validate", "refresh"};

static const struct column presume_columns[] = {
	WORDS("next", first_steps),
	WORDS("reason", reasons_or_none),
	LINK_AND_PROVIDER,
	COLUMN("clock", parse_time),
};

static void run_presume(const struct value *values, size_t count)
{
	(void)count;
	const struct link_facts facts = facts_of(values);
	const struct provider_rules rules = rules_of(values);
	struct step step = presume(&facts, &rules, values[10].number);

	assert_string_equal(step_word(step.kind), values[0].text);
	assert_string_equal(reason_word(step.reason), values[1].text);
}

const struct suite presume_suite = SUITE(presume, false);

static const struct column judge_validation_columns[] = {
	WORDS("judgement", judgements),
	WORDS("transport", transports),
	COLUMN("status", parse_number),
	ONE_OF("retry_after", "-", "retry_after"),
	ONE_OF("remaining", "-", "exhausted"),
};

static void run_judge_validation(const struct value *values, size_t count)
{
	(void)count;
	const struct validation_answer answer = {
		.transport = (enum transport)values[1].number,
		.status = (int)values[2].number,
		.has_retry_after = values[3].number != 0,
		.rate_limit_exhausted = values[4].number != 0,
	};

	assert_string_equal(validation_word(judge_validation(&answer)), values[0].text);
}

const struct suite judge_validation_suite = SUITE(judge_validation, false);

static const struct column judge_refresh_columns[] = {
	WORDS("class", grant_classes),
	WORDS("transport", transports),
	COLUMN("status", parse_number),
	ONE_OF("token", "-", "access_token"),
	COLUMN("error", parse_text),
};

static void run_judge_refresh(const struct value *values, size_t count)
{
	(void)count;
	bool is_null = strcmp(values[4].text, "NULL") == 0;
	const struct token_answer answer = {
		.transport = (enum transport)values[1].number,
		.status = (int)values[2].number,
		.has_access_token = values[3].number != 0,
		.error = is_null ? NULL : values[4].text,
	};

	assert_string_equal(grant_class_word(judge_refresh(&answer)), values[0].text);
}

const struct suite judge_refresh_suite = SUITE(judge_refresh, false);

static const struct column judge_device_columns[] = {
	WORDS("answer", device_answers),
	WORDS("transport", transports),
	COLUMN("status", parse_number),
	ONE_OF("token", "-", "access_token"),
	COLUMN("error", parse_text),
	ONE_OF("retry_after", "-", "retry_after"),
	ONE_OF("remaining", "-", "exhausted"),
};

static void run_judge_device(const struct value *values, size_t count)
{
	(void)count;
	const struct device_reply reply = {
		.transport = (enum transport)values[1].number,
		.status = (int)values[2].number,
		.has_access_token = values[3].number != 0,
		.error = strcmp(values[4].text, "NULL") == 0 ? NULL : values[4].text,
		.has_retry_after = values[5].number != 0,
		.rate_limit_exhausted = values[6].number != 0,
	};

	assert_string_equal(device_answer_word(judge_device(&reply)), values[0].text);
}

const struct suite judge_device_suite = SUITE(judge_device, false);

/* A duration, or - for -1. */
static bool parse_wait(const struct column *column, const char *text, struct value *ret_value)
{
	if (strcmp(text, "-") != 0 && strcmp(text, "never") != 0)
		return parse_duration(column, text, ret_value);
	ret_value->number = -1;
	return true;
}

static const struct column next_try_columns[] = {
	WORDS("step", try_steps),
	WORDS("reason", reasons_or_none),
	ONE_OF("known", "unknown", "known"),
	COLUMN("wait", parse_wait),
	WORDS("class", grant_classes_or_unknown),
	COLUMN("unresolved", parse_number),
	COLUMN("ambiguous", parse_number),
	COLUMN("again", parse_number),
	COLUMN("retry_after", parse_duration),
	COLUMN("retry_left", parse_duration),
	COLUMN("lease_left", parse_duration),
};

static void run_next_try(const struct value *values, size_t count)
{
	(void)count;
	const struct try_facts facts = {
		.class = (enum grant_class)values[4].number,
		.unresolved = (unsigned)values[5].number,
		.ambiguous = (unsigned)values[6].number,
		.again = (unsigned)values[7].number,
		.retry_after_ms = values[8].number,
		.retry_left_ms = values[9].number,
		.lease_left_ms = values[10].number,
	};
	struct next_try next = next_try(&facts);

	assert_string_equal(try_step_word(next.step), values[0].text);
	assert_string_equal(next.reason == REASON_COUNT ? "-" : reason_word(next.reason), values[1].text);
	assert_int_equal(next.outcome_known, values[2].number);
	assert_int_equal(next.wait_ms, values[3].number < 0 ? 0 : values[3].number);
}

const struct suite next_try_suite = SUITE(next_try, false);

static const struct column lag_columns[] = {
	ONE_OF("answer", "stands", "again"),
	COLUMN("wait", parse_wait),
	COLUMN("age", parse_wait),
	COLUMN("refusals", parse_number),
};

static void run_lag(const struct value *values, size_t count)
{
	(void)count;
	int64_t wait_ms = lag_wait_ms(values[2].number, (unsigned)values[3].number);

	assert_int_equal(wait_ms >= 0, values[0].number);
	assert_int_equal(wait_ms, values[1].number);
}

const struct suite lag_suite = SUITE(lag, false);
