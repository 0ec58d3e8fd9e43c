/* SPDX-License-Identifier: Apache-2.0 */
/* The gate end to end over the misbehaving provider: every row of contract section 5's validation table, reading a link
 * again, parallel questions, the budget, and what is not asked. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/link/breaker.h"
#include "../../../gate/link/gate.h"
#include "../../../gate/link/inquiry.h"
#include "../../../gate/link/validate.h"
#include "demo.h"
#include "fake_store.h"

#define OWNER "01920000-0000-7000-8000-000000000001"

struct state {
	struct arena *arena;
	struct engine engine;
	struct requirements requirements;
	struct link links[8];
	size_t link_count;
	struct gate_question question;
	struct gate_answer answer;
	struct problem problem;
};

static int set_up(void **data)
{
	struct state *state = calloc(1, sizeof(*state));

	fake_store = (struct fake_store){.found = false};
	state->arena = arena_new(64 << 20);
	state->engine.http = http_client_new();
	state->engine.inquiries = inquiries_new(state->engine.http);
	state->engine.verdicts = verdict_cache_new();
	state->engine.breakers = breakers_new(&state->engine.providers);
	state->engine.access_url = "http://gate.test";
	state->engine.enforcement = ENFORCEMENT_DENY;
	state->question = (struct gate_question){.owner_id = OWNER, .moment = "create", .timeout_ms = 5000};
	*data = state;
	return 0;
}

static int tear_down(void **data)
{
	struct state *state = *data;

	inquiries_free(state->engine.inquiries);
	http_client_free(state->engine.http);
	verdict_cache_free(state->engine.verdicts);
	breakers_free(state->engine.breakers);
	arena_free(state->arena);
	free(state);
	return 0;
}

static struct provider *add_provider(struct state *state, const char *name, bool optional)
{
	struct provider *provider = demo_provider(state->arena, name, PROVIDER_GITHUB);

	state->engine.providers.list[state->engine.providers.count++] = provider;
	assert_true(requirements_add(&state->requirements, name, optional));
	return provider;
}

static struct link *add_link(struct state *state, const char *name)
{
	struct link *link = &state->links[state->link_count++];

	*link = (struct link){
		.owner_id = OWNER,
		.provider_id = name,
		.generation = 7,
		.readable = true,
		.access_token = demo_token(state->arena, name),
		.remembered = REASON_COUNT,
	};
	return link;
}

static bool evaluate(struct state *state)
{
	state->question.requirements = &state->requirements;
	state->question.links = state->links;
	state->question.link_count = state->link_count;
	return gate_evaluate(&state->engine, &state->question, state->arena, &state->answer, &state->problem);
}

static enum reason evaluated_reason(struct state *state)
{
	assert_true(evaluate(state));
	return state->answer.findings[0].finding.reason;
}

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
	struct state *state = *data;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		add_provider(state, rows[i].name, false);
		fake_store.link = *add_link(state, rows[i].name);
		fake_store.found = true;
		if (rows[i].fault != NULL)
			demo_fault(state->arena, rows[i].name, "validate", rows[i].fault);
		enum reason reason = evaluated_reason(state);
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
	struct state *state = *data;
	struct provider *provider = add_provider(state, "unreached", false);

	provider->validate_url = "http://127.0.0.1:1/user";
	add_link(state, "unreached");
	assert_int_equal(evaluated_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_UNVERIFIABLE);
	assert_int_equal(state->answer.findings[0].provider_status, 0);
}

static void a_retry_after_is_passed_on(void **data)
{
	struct state *state = *data;

	add_provider(state, "patience", false);
	add_link(state, "patience");
	demo_fault(state->arena, "patience", "validate", "{\"status\": 503, \"headers\": {\"Retry-After\": \"42\"}}");
	assert_true(evaluate(state));
	assert_int_equal(state->answer.decision.retry_after_s, 42);
	assert_int_equal(state->answer.findings[0].provider_status, 503);
}

/* --- what is not asked ------------------------------------------------------------------------------------------- */

static void assert_nobody_was_asked(struct state *state, const char *name)
{
	assert_int_equal(demo_number(state->arena, name, "requests", "validate"), 0);
	assert_int_equal(fake_store.finds, 0);
}

static void what_is_known_is_not_asked(void **data)
{
	struct state *state = *data;

	add_provider(state, "known", false);
	assert_int_equal(evaluated_reason(state), REASON_NOT_LINKED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_REFUSED);
	assert_int_equal(state->answer.findings[0].generation, 0);

	struct link *link = add_link(state, "known");
	link->readable = false;
	assert_int_equal(evaluated_reason(state), REASON_DECRYPTION_FAILED);
	link->readable = true;
	link->expires_at_ms = clock_now_ms() - 1000;
	assert_int_equal(evaluated_reason(state), REASON_EXPIRED);
	link->refresh_token = (struct secret){"r", 1};
	assert_int_equal(evaluated_reason(state), REASON_EXPIRED);
	assert_nobody_was_asked(state, "known");
}

static void without_a_validate_url_nobody_is_asked(void **data)
{
	struct state *state = *data;

	add_provider(state, "silent", false)->validate_url = "";
	add_link(state, "silent");
	assert_int_equal(evaluated_reason(state), REASON_NOT_VALIDATED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
	assert_nobody_was_asked(state, "silent");
}

static void optional_ones_are_asked_only_where_wanted(void **data)
{
	struct state *state = *data;

	add_provider(state, "optional", true);
	add_link(state, "optional");
	demo_fault(state->arena, "optional", "validate", "{\"status\": 401}");
	assert_true(evaluate(state));
	assert_false(state->answer.findings[0].asked_for);
	assert_true(state->answer.findings[0].linked);
	assert_nobody_was_asked(state, "optional");

	state->question.ask_optional = true;
	fake_store.found = true;
	fake_store.link = state->links[0];
	assert_int_equal(evaluated_reason(state), REASON_TOKEN_REVOKED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
}

static void nothing_required_is_allowed(void **data)
{
	struct state *state = *data;

	assert_true(evaluate(state));
	assert_int_equal(state->answer.finding_count, 0);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
}

static void a_provider_that_is_not_configured_is_a_problem(void **data)
{
	struct state *state = *data;

	assert_true(requirements_add(&state->requirements, "unheard-of", false));
	assert_false(evaluate(state));
	assert_int_equal(state->problem.kind, PROBLEM_PROVIDER_NOT_CONFIGURED);
	assert_string_equal(state->problem.detail, "unheard-of");

	state->question.preflight = true;
	assert_false(evaluate(state));
	assert_int_equal(state->problem.kind, PROBLEM_PROVIDER_NOT_CONFIGURED);

	state->requirements.list[0].optional = true;
	state->question.ask_optional = true;
	assert_int_equal(evaluated_reason(state), REASON_PROVIDER_MISCONFIGURED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
	assert_null(state->answer.findings[0].provider);
}

/* --- old confirmations ------------------------------------------------------------------------------------------- */

static void what_is_rejected_is_no_longer_known_good(void **data)
{
	struct state *state = *data;
	struct provider *provider = add_provider(state, "fallen", true);
	struct link *link = add_link(state, "fallen");

	provider->fail_mode = FAIL_MODE_LAST_KNOWN_GOOD;
	provider->last_known_good_max_age_ms = 60000;
	link->access_token = (struct secret){.text = "not-issued", .size = strlen("not-issued")};
	link->last_valid_at_ms = clock_now_ms() - 30000;
	fake_store.found = true;
	fake_store.link = *link;
	assert_int_equal(evaluated_reason(state), REASON_TOKEN_REVOKED);
	assert_int_equal(fake_store.rejections, 1);
	assert_int_equal(fake_store.noted_generation, 7);
}

static void a_young_confirmation_is_used_again(void **data)
{
	struct state *state = *data;
	struct provider *provider = add_provider(state, "young", false);
	struct link *link = add_link(state, "young");

	provider->preflight_max_age_ms = 60000;
	state->question.preflight = true;
	/* What the store says is for FAIL_MODE alone. */
	link->last_valid_at_ms = clock_now_ms();
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "young", "requests", "validate"), 1);

	/* The create has an age of its own, which is 0 here. */
	state->question.preflight = false;
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "young", "requests", "validate"), 2);

	/* Another generation is another token. */
	state->question.preflight = true;
	link->generation++;
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "young", "requests", "validate"), 3);
	assert_int_equal(fake_store.notes, 0);
	assert_int_equal(fake_store.finds, 0);
}

static void an_old_confirmation_is_not_used_again(void **data)
{
	struct state *state = *data;
	struct provider *provider = add_provider(state, "old", false);
	const struct verdict_key key = {OWNER, provider, 7};

	add_link(state, "old");
	provider->gate_max_age_ms = 60000;
	verdict_cache_put(state->engine.verdicts, &key, VALIDATION_CONFIRMED, clock_monotonic_us() - 61000000);
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "old", "requests", "validate"), 1);
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "old", "requests", "validate"), 1);
}

static void a_rejection_ends_what_was_confirmed(void **data)
{
	struct state *state = *data;
	struct provider *provider = add_provider(state, "ended", false);

	fake_store.link = *add_link(state, "ended");
	fake_store.found = true;
	provider->preflight_max_age_ms = 60000;
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	demo_fault(state->arena, "ended", "validate", "{\"status\": 401}");
	assert_int_equal(evaluated_reason(state), REASON_TOKEN_REVOKED);
	state->question.preflight = true;
	assert_int_equal(evaluated_reason(state), REASON_TOKEN_REVOKED);
	assert_int_equal(demo_number(state->arena, "ended", "requests", "validate"), 3);
}

static void limits_and_outages_are_not_remembered(void **data)
{
	struct state *state = *data;
	struct provider *provider = add_provider(state, "limited", false);

	add_link(state, "limited");
	provider->gate_max_age_ms = 60000;
	demo_fault(state->arena, "limited", "validate", "{\"status\": 429}");
	assert_int_equal(evaluated_reason(state), REASON_RATE_LIMITED);
	demo_fault(state->arena, "limited", "validate", "{\"status\": 500}");
	assert_int_equal(evaluated_reason(state), REASON_PROVIDER_UNAVAILABLE);
	demo_fault(state->arena, "limited", "validate", "null");
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(demo_number(state->arena, "limited", "requests", "validate"), 3);
}

static void the_last_known_good_passes_with_a_warning(void **data)
{
	struct state *state = *data;
	struct provider *provider = add_provider(state, "good", false);
	struct link *link = add_link(state, "good");

	provider->fail_mode = FAIL_MODE_LAST_KNOWN_GOOD;
	provider->last_known_good_max_age_ms = 60000;
	demo_fault(state->arena, "good", "validate", "{\"status\": 500}");
	assert_int_equal(evaluated_reason(state), REASON_PROVIDER_UNAVAILABLE);
	link->last_valid_at_ms = clock_now_ms() - 1000;
	assert_int_equal(evaluated_reason(state), REASON_LAST_KNOWN_GOOD);
	assert_true(state->answer.findings[0].finding.warns);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_ALLOWED);
}

/* Once a minute for those who read it after a restart; this process remembers meanwhile. */
static void the_last_known_good_is_written_seldom(void **data)
{
	struct state *state = *data;
	struct provider *provider = add_provider(state, "seldom", false);
	struct link *link = add_link(state, "seldom");

	provider->fail_mode = FAIL_MODE_LAST_KNOWN_GOOD;
	provider->last_known_good_max_age_ms = 60000;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(fake_store.notes, 1);
	assert_int_equal(fake_store.noted_generation, 7);
	assert_string_equal(fake_store.noted_account, "alice");
	demo_fault(state->arena, "seldom", "validate", "{\"status\": 500}");
	assert_int_equal(evaluated_reason(state), REASON_LAST_KNOWN_GOOD);

	/* Another process has written for this generation a moment ago. */
	demo_fault(state->arena, "seldom", "validate", "null");
	link->generation++;
	link->last_valid_at_ms = clock_now_ms() - 30000;
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(fake_store.notes, 1);
	link->last_valid_at_ms = clock_now_ms() - 61000;
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(fake_store.notes, 2);
}

/* --- a provider that is left alone ------------------------------------------------------------------------------- */

static void a_provider_that_is_never_reached_is_left_alone(void **data)
{
	struct state *state = *data;

	add_provider(state, "dead", false);
	add_link(state, "dead");
	demo_fault(state->arena, "dead", "validate", "{\"status\": 503}");
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(evaluated_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(demo_number(state->arena, "dead", "requests", "validate"), 5);
	assert_int_equal(evaluated_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_in_range(state->answer.findings[0].finding.retry_after_s, 1, 5);
	assert_in_range(state->answer.decision.retry_after_s, 1, 5);
	assert_int_equal(state->answer.findings[0].provider_status, 0);
}

static void a_limit_is_no_outage(void **data)
{
	struct state *state = *data;

	add_provider(state, "busy", false);
	add_link(state, "busy");
	demo_fault(state->arena, "busy", "validate", "{\"status\": 429}");
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(evaluated_reason(state), REASON_RATE_LIMITED);
	assert_int_equal(demo_number(state->arena, "busy", "requests", "validate"), 8);
}

static void little_patience_makes_no_provider_dead(void **data)
{
	struct state *state = *data;

	add_provider(state, "hurried", false);
	add_link(state, "hurried");
	state->engine.gate_timeout_ms = 20000;
	state->question.timeout_ms = 30;
	demo_ask(state->arena, "PUT", "/_control/hurried/gates/validate", "{\"state\": \"closed\"}");
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(evaluated_reason(state), REASON_PROVIDER_UNAVAILABLE);
	demo_ask(state->arena, "PUT", "/_control/hurried/gates/validate", "{\"state\": \"open\"}");
	state->question.timeout_ms = 20000;
	assert_int_equal(evaluated_reason(state), REASON_VALID);
}

static void an_end_of_the_whole_budget_counts(void **data)
{
	struct state *state = *data;

	add_provider(state, "endless", false);
	add_link(state, "endless");
	state->engine.gate_timeout_ms = 30;
	state->question.timeout_ms = 30;
	demo_ask(state->arena, "PUT", "/_control/endless/gates/validate", "{\"state\": \"closed\"}");
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(evaluated_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_in_range(state->answer.decision.retry_after_s, 1, 5);
	demo_ask(state->arena, "PUT", "/_control/endless/gates/validate", "{\"state\": \"open\"}");
}

/* --- reading the link again -------------------------------------------------------------------------------------- */

static void a_token_replaced_meanwhile_is_judged_anew(void **data)
{
	struct state *state = *data;

	add_provider(state, "replaced", false);
	struct link *link = add_link(state, "replaced");
	link->access_token = (struct secret){"old", 3};
	fake_store.found = true;
	fake_store.link = *link;
	fake_store.link.generation = 8;
	fake_store.link.access_token = demo_token(state->arena, "replaced");
	assert_int_equal(evaluated_reason(state), REASON_VALID);
	assert_int_equal(state->answer.findings[0].generation, 8);
	assert_int_equal(fake_store.finds, 1);
}

static void a_token_replaced_by_a_bad_one_is_revoked(void **data)
{
	struct state *state = *data;

	add_provider(state, "worse", false);
	struct link *link = add_link(state, "worse");
	link->access_token = (struct secret){"old", 3};
	fake_store.found = true;
	fake_store.link = *link;
	fake_store.link.generation = 8;
	assert_int_equal(evaluated_reason(state), REASON_TOKEN_REVOKED);
	assert_int_equal(state->answer.findings[0].generation, 8);
	assert_int_equal(fake_store.finds, 2);
}

static void a_link_removed_meanwhile_is_not_linked(void **data)
{
	struct state *state = *data;

	add_provider(state, "removed", false);
	add_link(state, "removed")->access_token = (struct secret){"old", 3};
	assert_int_equal(evaluated_reason(state), REASON_NOT_LINKED);
	assert_false(state->answer.findings[0].linked);
	assert_int_equal(state->answer.findings[0].generation, 0);
}

static void a_database_away_is_not_the_owners_fault(void **data)
{
	struct state *state = *data;

	add_provider(state, "away", false);
	add_link(state, "away")->access_token = (struct secret){"old", 3};
	fake_store.away = true;
	assert_int_equal(evaluated_reason(state), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_UNVERIFIABLE);
}

/* --- many at once ------------------------------------------------------------------------------------------------ */

static void *evaluate_in_thread(void *argument)
{
	struct state *state = argument;

	return evaluate(state) ? state : NULL;
}

/* All four stand before their gates at the same time: nobody waits for anybody else's answer. */
static void all_providers_are_asked_at_once(void **data)
{
	static const char *const names[] = {"at-once-a", "at-once-b", "at-once-c", "at-once-d"};
	struct state *state = *data;
	struct arena *arena = arena_new(16 << 20);
	pthread_t thread;
	void *done = NULL;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *path = arena_printf(arena, "/_control/%s/gates/validate", names[i]);

		add_provider(state, names[i], false);
		add_link(state, names[i]);
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
	struct state *state = *data;

	add_provider(state, "dead", false);
	add_link(state, "dead");
	add_provider(state, "living", false);
	add_link(state, "living");
	add_provider(state, "unlinked", false);
	demo_fault(state->arena, "dead", "validate", "{\"black_hole\": true}");
	state->question.timeout_ms = 600;
	int64_t begun_us = clock_monotonic_us();
	assert_true(evaluate(state));
	assert_true(clock_monotonic_us() - begun_us < 5000000);
	assert_int_equal(state->answer.findings[0].finding.reason, REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(state->answer.findings[1].finding.reason, REASON_VALID);
	assert_int_equal(state->answer.findings[2].finding.reason, REASON_NOT_LINKED);
	assert_int_equal(state->answer.decision.outcome, OUTCOME_REFUSED);
}

/* --- one link's page --------------------------------------------------------------------------------------------- */

static void a_page_shows_the_user_and_the_installations(void **data)
{
	struct state *state = *data;
	struct provider *provider = demo_provider(state->arena, "page", PROVIDER_GITHUB);
	struct app_installation *installations = NULL;
	struct provider_user user;
	size_t count = 0;

	provider->app_installations_url = demo_url(state->arena, "/page/installations");
	demo_switch(state->arena, "page", "{\"installations\": 3}");
	struct secret token = demo_token(state->arena, "page");
	assert_int_equal(validate_token(&state->engine, provider, token, state->arena, &user, &count, &installations),
		VALIDATION_CONFIRMED);
	assert_string_equal(user.login, "alice");
	assert_int_not_equal(user.id, 0);
	assert_int_not_equal(*user.profile_url, '\0');
	assert_int_equal(count, 3);
	assert_int_not_equal(installations[0].id, 0);
	assert_int_not_equal(*installations[0].account.login, '\0');
}

static void what_a_page_cannot_read_is_left_out(void **data)
{
	struct state *state = *data;
	struct provider *provider = demo_provider(state->arena, "unread", PROVIDER_GITHUB);
	struct app_installation *installations = NULL;
	struct provider_user user;
	size_t count = 0;

	provider->app_installations_url = demo_url(state->arena, "/unread/installations");
	demo_fault(state->arena, "unread", "installations", "{\"status\": 500}");
	demo_fault(state->arena, "unread", "validate",
		"{\"status\": 200, \"body\": \"{\\\"id\\\": 1, \\\"login\\\": \\\"x\\\", \\\"html_url\\\": "
		"\\\"javascript:alert(1)\\\"}\"}");
	struct secret token = demo_token(state->arena, "unread");
	assert_int_equal(validate_token(&state->engine, provider, token, state->arena, &user, &count, &installations),
		VALIDATION_CONFIRMED);
	assert_string_equal(user.login, "x");
	assert_string_equal(user.profile_url, "");
	assert_int_equal(count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_row_of_the_validation_table_holds),
		TEST(a_provider_that_cannot_be_reached_is_unverifiable),
		TEST(a_retry_after_is_passed_on),
		TEST(what_is_known_is_not_asked),
		TEST(without_a_validate_url_nobody_is_asked),
		TEST(optional_ones_are_asked_only_where_wanted),
		TEST(nothing_required_is_allowed),
		TEST(a_provider_that_is_not_configured_is_a_problem),
		TEST(what_is_rejected_is_no_longer_known_good),
		TEST(a_young_confirmation_is_used_again),
		TEST(an_old_confirmation_is_not_used_again),
		TEST(a_rejection_ends_what_was_confirmed),
		TEST(limits_and_outages_are_not_remembered),
		TEST(the_last_known_good_passes_with_a_warning),
		TEST(the_last_known_good_is_written_seldom),
		TEST(a_provider_that_is_never_reached_is_left_alone),
		TEST(a_limit_is_no_outage),
		TEST(little_patience_makes_no_provider_dead),
		TEST(an_end_of_the_whole_budget_counts),
		TEST(a_token_replaced_meanwhile_is_judged_anew),
		TEST(a_token_replaced_by_a_bad_one_is_revoked),
		TEST(a_link_removed_meanwhile_is_not_linked),
		TEST(a_database_away_is_not_the_owners_fault),
		TEST(all_providers_are_asked_at_once),
		TEST(one_dead_provider_costs_only_its_own_verdict),
		TEST(a_page_shows_the_user_and_the_installations),
		TEST(what_a_page_cannot_read_is_left_out),
	};

	demo_start();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	demo_stop();
	return failed;
}
