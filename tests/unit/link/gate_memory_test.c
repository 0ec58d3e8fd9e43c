/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate remembers between evaluations, over the misbehaving provider: verdicts that are used again, what is
 * written for FAIL_MODE last_known_good, and providers that are left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "gate_case.h"

/* --- old confirmations ------------------------------------------------------------------------------------------- */

static void what_is_rejected_is_no_longer_known_good(void **data)
{
	struct gate_case *state = *data;
	struct provider *provider = gate_case_provider(state, "fallen", false);
	struct link *link = gate_case_link(state, "fallen");

	provider->fail_mode = FAIL_MODE_LAST_KNOWN_GOOD;
	provider->last_known_good_max_age_ms = 60000;
	link->access_token = (struct secret){"not-issued", strlen("not-issued")};
	link->last_valid_at_ms = clock_now_ms() - 30000;
	fake_store.found = true;
	fake_store.link = *link;
	assert_int_equal(gate_case_reason(state), REASON_TOKEN_REVOKED);
	assert_int_equal(fake_store.rejections, 1);
}

static void a_young_confirmation_is_used_again(void **data)
{
	struct gate_case *state = *data;
	struct provider *provider = gate_case_provider(state, "young", false);
	struct link *link = gate_case_link(state, "young");

	provider->preflight_max_age_ms = 60000;
	state->question.moment = MOMENT_PREFLIGHT;
	/* What the store says is for FAIL_MODE alone. */
	link->last_valid_at_ms = clock_now_ms();
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "young", "requests", "validate"), 1);

	/* The create has an age of its own, which is 0 here. */
	state->question.moment = MOMENT_CREATE;
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "young", "requests", "validate"), 2);

	/* Another generation is another token. */
	state->question.moment = MOMENT_PREFLIGHT;
	link->generation++;
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "young", "requests", "validate"), 3);
	assert_int_equal(fake_store.notes, 0);
	assert_int_equal(fake_store.finds, 0);
}

static void an_old_confirmation_is_not_used_again(void **data)
{
	struct gate_case *state = *data;
	struct provider *provider = gate_case_provider(state, "old", false);
	const struct verdict_key key = {OWNER, provider, 7};

	gate_case_link(state, "old");
	provider->gate_max_age_ms = 60000;
	verdict_cache_put(state->engine.verdicts, &key, VALIDATION_CONFIRMED, clock_monotonic_us() - 61000000);
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "old", "requests", "validate"), 1);
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "old", "requests", "validate"), 1);
}

static void a_rejection_ends_what_was_confirmed(void **data)
{
	struct gate_case *state = *data;
	struct provider *provider = gate_case_provider(state, "ended", false);

	fake_store.link = *gate_case_link(state, "ended");
	fake_store.found = true;
	provider->preflight_max_age_ms = 60000;
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	demo_fault(state->arena, "ended", "validate", "{\"status\": 401}");
	assert_int_equal(gate_case_reason(state), REASON_TOKEN_REVOKED);
	state->question.moment = MOMENT_PREFLIGHT;
	assert_int_equal(gate_case_reason(state), REASON_TOKEN_REVOKED);
	assert_int_equal(demo_number(state->arena, "ended", "requests", "validate"), 3);
}

static void limits_and_outages_are_not_remembered(void **data)
{
	struct gate_case *state = *data;
	struct provider *provider = gate_case_provider(state, "limited", false);

	gate_case_link(state, "limited");
	provider->gate_max_age_ms = 60000;
	demo_fault(state->arena, "limited", "validate", "{\"status\": 429}");
	assert_int_equal(gate_case_reason(state), REASON_RATE_LIMITED);
	demo_fault(state->arena, "limited", "validate", "{\"status\": 500}");
	assert_int_equal(gate_case_reason(state), REASON_PROVIDER_UNAVAILABLE);
	demo_fault(state->arena, "limited", "validate", "null");
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "limited", "requests", "validate"), 3);
}

static void the_last_known_good_passes_with_a_warning(void **data)
{
	struct gate_case *state = *data;
	struct provider *provider = gate_case_provider(state, "good", false);
	struct link *link = gate_case_link(state, "good");

	provider->fail_mode = FAIL_MODE_LAST_KNOWN_GOOD;
	provider->last_known_good_max_age_ms = 60000;
	demo_fault(state->arena, "good", "validate", "{\"status\": 500}");
	assert_int_equal(gate_case_reason(state), REASON_PROVIDER_UNAVAILABLE);
	link->last_valid_at_ms = clock_now_ms() - 1000;
	assert_int_equal(gate_case_reason(state), REASON_LAST_KNOWN_GOOD);
	assert_true(state->answer.findings[0].finding.warns);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
}

/* Once a minute for those who read it after a restart; this process remembers meanwhile. */
static void the_last_known_good_is_written_seldom(void **data)
{
	struct gate_case *state = *data;
	struct provider *provider = gate_case_provider(state, "seldom", false);
	struct link *link = gate_case_link(state, "seldom");

	provider->fail_mode = FAIL_MODE_LAST_KNOWN_GOOD;
	provider->last_known_good_max_age_ms = 60000;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(fake_store.notes, 1);
	assert_int_equal(fake_store.noted_generation, 7);
	assert_string_equal(fake_store.noted_account, "alice");
	demo_fault(state->arena, "seldom", "validate", "{\"status\": 500}");
	assert_int_equal(gate_case_reason(state), REASON_LAST_KNOWN_GOOD);

	/* Another process has written for this generation a moment ago. */
	demo_fault(state->arena, "seldom", "validate", "null");
	link->generation++;
	link->last_valid_at_ms = clock_now_ms() - 30000;
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(fake_store.notes, 1);
	link->last_valid_at_ms = clock_now_ms() - 61000;
	assert_int_equal(gate_case_reason(state), REASON_VALID);
	assert_int_equal(fake_store.notes, 2);
}

/* --- a provider that is left alone ------------------------------------------------------------------------------- */

static void a_provider_that_is_never_reached_is_left_alone(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "dead", false);
	gate_case_link(state, "dead");
	demo_fault(state->arena, "dead", "validate", "{\"status\": 503}");
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(gate_case_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(demo_number(state->arena, "dead", "requests", "validate"), 5);
	assert_int_equal(gate_case_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_in_range(state->answer.findings[0].finding.retry_after_s, 1, 5);
	assert_in_range(state->answer.decision.retry_after_s, 1, 5);
	assert_int_equal(state->answer.findings[0].provider_status, 0);
}

static void a_limit_is_no_outage(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "busy", false);
	gate_case_link(state, "busy");
	demo_fault(state->arena, "busy", "validate", "{\"status\": 429}");
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(gate_case_reason(state), REASON_RATE_LIMITED);
	assert_int_equal(demo_number(state->arena, "busy", "requests", "validate"), 8);
}

static void little_patience_makes_no_provider_dead(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "hurried", false);
	gate_case_link(state, "hurried");
	state->engine.gate_timeout_ms = 20000;
	state->question.timeout_ms = 30;
	demo_ask(state->arena, "PUT", "/_control/hurried/gates/validate", "{\"state\": \"closed\"}");
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(gate_case_reason(state), REASON_PROVIDER_UNAVAILABLE);
	demo_ask(state->arena, "PUT", "/_control/hurried/gates/validate", "{\"state\": \"open\"}");
	state->question.timeout_ms = 20000;
	assert_int_equal(gate_case_reason(state), REASON_VALID);
}

static void an_end_of_the_whole_budget_counts(void **data)
{
	struct gate_case *state = *data;

	gate_case_provider(state, "endless", false);
	gate_case_link(state, "endless");
	state->engine.gate_timeout_ms = 30;
	state->question.timeout_ms = 30;
	demo_ask(state->arena, "PUT", "/_control/endless/gates/validate", "{\"state\": \"closed\"}");
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(gate_case_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_in_range(state->answer.decision.retry_after_s, 1, 5);
	demo_ask(state->arena, "PUT", "/_control/endless/gates/validate", "{\"state\": \"open\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATE_TEST(what_is_rejected_is_no_longer_known_good),
		GATE_TEST(a_young_confirmation_is_used_again),
		GATE_TEST(an_old_confirmation_is_not_used_again),
		GATE_TEST(a_rejection_ends_what_was_confirmed),
		GATE_TEST(limits_and_outages_are_not_remembered),
		GATE_TEST(the_last_known_good_passes_with_a_warning),
		GATE_TEST(the_last_known_good_is_written_seldom),
		GATE_TEST(a_provider_that_is_never_reached_is_left_alone),
		GATE_TEST(a_limit_is_no_outage),
		GATE_TEST(little_patience_makes_no_provider_dead),
		GATE_TEST(an_end_of_the_whole_budget_counts),
	};

	demo_start();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	demo_stop();
	return failed;
}
