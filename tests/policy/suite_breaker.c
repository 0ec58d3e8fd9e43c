/* SPDX-License-Identifier: Apache-2.0 */
/* The suites about the breaker: what happened before, told as events, and whether the provider is asked then. */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "eval.h"
#include "policy.h"

#define WORD(name, word) word,

static const char *const steps[] = {BREAKER_STEP_LIST(WORD)};
static const char *const transports[] = {TRANSPORT_LIST(WORD) "unknown"};

#undef WORD

static const char *const event_words[] = {"failed:", "late:", "reached:", "probe:"};

enum event { EVENT_FAILED, EVENT_LATE, EVENT_REACHED, EVENT_PROBE };

/* "failed:+2s"; "-" is no event. */
static bool parse_event(const struct column *column, const char *text, struct value *ret_value)
{
	if (strcmp(text, "-") == 0) {
		*ret_value = (struct value){.text = "", .number = 0};
		return true;
	}
	for (size_t i = 0; i < COUNT_OF(event_words); i++) {
		size_t length = strlen(event_words[i]);

		if (strncmp(text, event_words[i], length) == 0 && parse_time(column, text + length, ret_value)) {
			ret_value->text = event_words[i];
			return true;
		}
	}
	return false;
}

static const struct column breaker_columns[] = {
	WORDS("step", steps),
	COLUMN("retry_after", parse_number),
	COLUMN("clock", parse_time),
	COLUMN("events", parse_event),
};

static struct breaker_state after_event(const struct breaker_state *state, const struct value *event)
{
	if (strcmp(event->text, event_words[EVENT_FAILED]) == 0)
		return breaker_after_failure(state, event->number, event->number);
	if (strcmp(event->text, event_words[EVENT_LATE]) == 0)
		return breaker_after_failure(state, EVAL_NOW_MS, event->number);
	if (strcmp(event->text, event_words[EVENT_REACHED]) == 0)
		return breaker_after_reached(event->number);
	if (strcmp(event->text, event_words[EVENT_PROBE]) == 0)
		return breaker_after_probe(state, event->number);
	return *state;
}

static void run_breaker(const struct value *values, size_t count)
{
	struct breaker_state state = {.failures = 0};

	for (size_t i = 3; i < count; i++)
		state = after_event(&state, &values[i]);
	struct breaker_step step = breaker_next_step(&state, values[2].number);
	assert_string_equal(breaker_step_word(step.kind), values[0].text);
	assert_int_equal(step.retry_after_s, values[1].number);
}

const struct suite breaker_suite = SUITE(breaker, true);

static const struct column breaker_reached_columns[] = {
	ONE_OF("reached", "no", "yes"),
	WORDS("transport", transports),
	COLUMN("status", parse_number),
};

static void run_breaker_reached(const struct value *values, size_t count)
{
	(void)count;
	assert_int_equal(breaker_is_reached((enum transport)values[1].number, (int)values[2].number), values[0].number);
}

const struct suite breaker_reached_suite = SUITE(breaker_reached, false);
