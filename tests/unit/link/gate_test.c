/* SPDX-License-Identifier: Apache-2.0 */
/* The gate end to end over the misbehaving provider: every row of contract section 5's validation table, reading a link
 * again, parallel questions, the budget, and what is not asked. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gate_case.h"

/* --- the validation table ---------------------------------------------------------------------------------------- */

struct row {
	const char *name;
	const char *fault; /* NULL: none */
	enum reason reason;
};

static const struct row rows[] = {
	{"row-200", NULL, REASON_VALID},
	{"row-401", "{\"status\": 401}", REASON_TOKEN_REVOKED},
	{"row-401-limits", "{\"status\": 401, \"headers\": {\"Retry-After\": \"5\"}}", REASON_TOKEN_REVOKED},
	{"row-403", "{\"status\": 403}", REASON_TOKEN_REVOKED},
	{"row-403-retry", "{\"status\": 403, \"headers\": {\"Retry-After\": \"5\"}}", REASON_RATE_LIMITED},
	{"row-403-x", "{\"status\": 403, \"headers\": {\"X-RateLimit-Remaining\": \"0\"}}", REASON_RATE_LIMITED},
	{"row-403-r", "{\"status\": 403, \"headers\": {\"RateLimit-Remaining\": \"0\"}}", REASON_RATE_LIMITED},
	{"row-403-left", "{\"status\": 403, \"headers\": {\"X-RateLimit-Remaining\": \"10\"}}", REASON_TOKEN_REVOKED},
	{"row-429", "{\"status\": 429}", REASON_RATE_LIMITED},
	{"row-500", "{\"status\": 500}", REASON_PROVIDER_UNAVAILABLE},
	{"row-404", "{\"status\": 404}", REASON_PROVIDER_UNAVAILABLE},
	{"row-201", "{\"status\": 201}", REASON_PROVIDER_UNAVAILABLE},
	{"row-302", "{\"redirect\": \"http://127.0.0.1:1/\"}", REASON_PROVIDER_UNAVAILABLE},
	{"row-cut", "{\"cut\": \"before_headers\"}", REASON_PROVIDER_UNAVAILABLE},
	{"row-half", "{\"cut\": \"mid_body\"}", REASON_PROVIDER_UNAVAILABLE},
	{"row-large", "{\"body_bytes\": 1048577}", REASON_PROVIDER_UNAVAILABLE},
	{"row-html", "{\"status\": 200, \"body\": \"<html>\"}", REASON_VALID},
};

static void each_row_of_the_validation_table_holds(void **data)
{
	struct gate_case *state = *data;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		gate_case_provider(state, rows[i].name, false);
		fake_store.link = *gate_case_link(state, rows[i].name);
		fake_store.found = true;
		if (rows[i].fault != NULL)
			demo_fault(state->arena, rows[i].name, "validate", rows[i].fault);
		enum reason reason = gate_case_reason(state);
		if (reason != rows[i].reason)
			fail_msg("%s: %s", rows[i].name, reason_word(reason));
		assert_true(state->answer.findings[0].linked);
		assert_int_equal(state->answer.findings[0].generation, 7);
		state->requirements.count = 0;
		state->link_count = 0;
	}
	assert_int_equal(fake_store.notes, 0);
}

static void a_provider_that_cannot_be_reached_is_unverifiable(void **data)
{
	struct gate_case *state = *data;
	struct provider *provider = gate_case_provider(state, "unreached", false);

	provider->validate_url = "http://127.0.0.1:1/user";
	gate_case_link(state, "unreached");
	assert_int_equal(gate_case_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_UNVERIFIABLE);
	assert_int_equal(state->answer.findings[0].provider_status, 0);
}

static void a_retry_after_is_passed_on(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "patience", false);
	gate_case_link(state, "patience");
	demo_fault(state->arena, "patience", "validate", "{\"status\": 503, \"headers\": {\"Retry-After\": \"42\"}}");
	assert_true(gate_case_evaluate(state));
	assert_int_equal(state->answer.decision.retry_after_s, 42);
	assert_int_equal(state->answer.findings[0].provider_status, 503);
}

/* --- what is not asked ------------------------------------------------------------------------------------------- */

static void assert_nobody_was_asked(struct gate_case *state, const char *name)
{
	assert_int_equal(demo_number(state->arena, name, "requests", "validate"), 0);
	assert_int_equal(fake_store.finds, 0);
}

static void what_is_known_is_not_asked(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "known", false);
	assert_int_equal(gate_case_reason(state), REASON_NOT_LINKED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_REFUSED);
	assert_int_equal(state->answer.findings[0].generation, 0);

	struct link *link = gate_case_link(state, "known");
	link->readable = false;
	assert_int_equal(gate_case_reason(state), REASON_DECRYPTION_FAILED);
	link->readable = true;
	link->expires_at_ms = clock_now_ms() - 1000;
	assert_int_equal(gate_case_reason(state), REASON_EXPIRED);
	link->refresh_token = (struct secret){"r", 1};
	assert_int_equal(gate_case_reason(state), REASON_EXPIRED);
	assert_nobody_was_asked(state, "known");
}

static void without_a_validate_url_nobody_is_asked(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "silent", false)->validate_url = "";
	gate_case_link(state, "silent");
	assert_int_equal(gate_case_reason(state), REASON_NOT_VALIDATED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
	assert_nobody_was_asked(state, "silent");
}

static void optional_ones_are_asked_only_where_wanted(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "optional", true);
	gate_case_link(state, "optional");
	demo_fault(state->arena, "optional", "validate", "{\"status\": 401}");
	assert_true(gate_case_evaluate(state));
	assert_false(state->answer.findings[0].asked_for);
	assert_true(state->answer.findings[0].linked);
	assert_nobody_was_asked(state, "optional");

	state->question.ask_optional = true;
	fake_store.found = true;
	fake_store.link = state->links[0];
	assert_int_equal(gate_case_reason(state), REASON_TOKEN_REVOKED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
}

static void nothing_required_is_allowed(void **data)
{
	struct gate_case *state = *data;

	assert_true(gate_case_evaluate(state));
	assert_int_equal(state->answer.finding_count, 0);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
}

static void a_provider_that_is_not_configured_is_a_problem(void **data)
{
	struct gate_case *state = *data;

	assert_true(requirements_add(&state->requirements, "unheard-of", false));
	assert_false(gate_case_evaluate(state));
	assert_int_equal(state->problem.kind, PROBLEM_PROVIDER_NOT_CONFIGURED);
	assert_string_equal(state->problem.detail, "unheard-of");

	state->question.moment = MOMENT_PREFLIGHT;
	assert_false(gate_case_evaluate(state));
	assert_int_equal(state->problem.kind, PROBLEM_PROVIDER_NOT_CONFIGURED);

	state->requirements.list[0].optional = true;
	state->question.ask_optional = true;
	assert_int_equal(gate_case_reason(state), REASON_PROVIDER_MISCONFIGURED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
	assert_null(state->answer.findings[0].provider);
}

/* --- reading the link again -------------------------------------------------------------------------------------- */

static void a_token_replaced_meanwhile_is_judged_anew(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "replaced", false);
	struct link *link = gate_case_link(state, "replaced");
	link->access_token = (struct secret){"old", 3};
	fake_store.found = true;
	fake_store.link = *link;
	fake_store.link.generation = 8;
	fake_store.link.access_token = demo_token(state->arena, "replaced");
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(state->answer.findings[0].generation, 8);
	assert_int_equal(fake_store.finds, 1);
}

static void a_token_replaced_by_a_bad_one_is_revoked(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "worse", false);
	struct link *link = gate_case_link(state, "worse");
	link->access_token = (struct secret){"old", 3};
	fake_store.found = true;
	fake_store.link = *link;
	fake_store.link.generation = 8;
	assert_int_equal(gate_case_reason(state), REASON_TOKEN_REVOKED);
	assert_int_equal(state->answer.findings[0].generation, 8);
	assert_int_equal(fake_store.finds, 2);
}

static void a_link_removed_meanwhile_is_not_linked(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "removed", false);
	gate_case_link(state, "removed")->access_token = (struct secret){"old", 3};
	assert_int_equal(gate_case_reason(state), REASON_NOT_LINKED);
	assert_false(state->answer.findings[0].linked);
	assert_int_equal(state->answer.findings[0].generation, 0);
}

static void a_database_away_is_not_the_owners_fault(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "away", false);
	gate_case_link(state, "away")->access_token = (struct secret){"old", 3};
	fake_store.away = true;
	assert_int_equal(gate_case_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_UNVERIFIABLE);
}

/* --- many at once ------------------------------------------------------------------------------------------------ */

static void *evaluate_in_thread(void *argument)
{
	struct gate_case *state = argument;

	return gate_case_evaluate(state) ? state : NULL;
}

/* All four stand before their gates at the same time: nobody waits for anybody else's answer. */
static void all_providers_are_asked_at_once(void **data)
{
	static const char *const names[] = {"at-once-a", "at-once-b", "at-once-c", "at-once-d"};
	struct gate_case *state = *data;
	struct arena *arena = arena_new(16 << 20);
	pthread_t thread;
	void *done = NULL;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *path = arena_printf(arena, "/_control/%s/gates/validate", names[i]);

		gate_case_provider(state, names[i], false);
		gate_case_link(state, names[i]);
		demo_ask(arena, "PUT", path, "{\"state\": \"closed\", \"moment\": \"before\"}");
	}
	state->question.timeout_ms = 20000;
	pthread_create(&thread, NULL, evaluate_in_thread, state);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *path =
			arena_printf(arena, "/_control/%s/gates/validate?waiting=1&timeout_ms=10000", names[i]);

		assert_non_null(strstr(demo_ask(arena, "GET", path, ""), "\"waiting\":1"));
	}
	for (size_t i = 0; i < COUNT_OF(names); i++)
		demo_ask(arena, "POST", arena_printf(arena, "/_control/%s/gates/validate/release", names[i]), "");
	pthread_join(thread, &done);
	assert_non_null(done);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		assert_int_equal(state->answer.findings[i].finding.reason, REASON_VALID);
	arena_free(arena);
}

static void one_dead_provider_costs_only_its_own_verdict(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "dead", false);
	gate_case_link(state, "dead");
	gate_case_provider(state, "living", false);
	gate_case_link(state, "living");
	gate_case_provider(state, "unlinked", false);
	demo_fault(state->arena, "dead", "validate", "{\"black_hole\": true}");
	state->question.timeout_ms = 600;
	int64_t begun_us = clock_monotonic_us();
	assert_true(gate_case_evaluate(state));
	assert_true(clock_monotonic_us() - begun_us < 5000000);
	assert_int_equal(state->answer.findings[0].finding.reason, REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(state->answer.findings[1].finding.reason, REASON_VALID);
	assert_int_equal(state->answer.findings[2].finding.reason, REASON_NOT_LINKED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATE_TEST(each_row_of_the_validation_table_holds),
		GATE_TEST(a_provider_that_cannot_be_reached_is_unverifiable),
		GATE_TEST(a_retry_after_is_passed_on),
		GATE_TEST(what_is_known_is_not_asked),
		GATE_TEST(without_a_validate_url_nobody_is_asked),
		GATE_TEST(optional_ones_are_asked_only_where_wanted),
		GATE_TEST(nothing_required_is_allowed),
		GATE_TEST(a_provider_that_is_not_configured_is_a_problem),
		GATE_TEST(a_token_replaced_meanwhile_is_judged_anew),
		GATE_TEST(a_token_replaced_by_a_bad_one_is_revoked),
		GATE_TEST(a_link_removed_meanwhile_is_not_linked),
		GATE_TEST(a_database_away_is_not_the_owners_fault),
		GATE_TEST(all_providers_are_asked_at_once),
		GATE_TEST(one_dead_provider_costs_only_its_own_verdict),
	};

	demo_start();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	demo_stop();
	return failed;
}
