/* SPDX-License-Identifier: Apache-2.0 */
/* Refreshing over the misbehaving provider and a real PostgreSQL: the token endpoint's table, one flight for many
 * callers, callers that leave, and what the store holds afterwards. */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "../../../gate/link/flight.h"
#include "../../../gate/link/gate.h"
#include "../../../gate/link/inquiry.h"
#include "../store/fixture.h"
#include "demo.h"

#define CALLERS 50
#define LEASE_MS 10000

/* One owner with one expired link at one provider of its own. */
struct refresh_case {
	struct fixture *f;
	struct engine engine;
	struct provider *provider;
	const char *owner_id;
	struct requirements requirements;
	struct problem problem;
};

static void import(struct refresh_case *c, struct demo_pair pair)
{
	struct link_tokens tokens = {.owner_id = c->owner_id,
		.provider_id = c->provider->id,
		.access_token = pair.access_token,
		.refresh_token = pair.refresh_token,
		.expires_at_ms = clock_now_ms() - 1000};
	assert_done(link_save(c->f->store, &tokens, NULL, &c->problem), c->problem);
}

static void begin(struct refresh_case *c, void **state, const char *name)
{
	*c = (struct refresh_case){.f = *state};
	c->owner_id = arena_copy(c->f->arena, fixture_user(c->f, name).id);
	c->provider = demo_provider(c->f->arena, name, PROVIDER_OTHER);
	c->provider->min_valid_ms = 60000;
	c->provider->refresh_retry_timeout_ms = 600;
	assert_true(requirements_add(&c->requirements, name, false));
	c->engine = (struct engine){.store = c->f->store,
		.http = http_client_new(),
		.access_url = "http://gate.test",
		.enforcement = {.general = ENFORCEMENT_DENY},
		.refresh_lease_ms = LEASE_MS,
		.refresh_cooldown_ms = 60000};
	c->engine.providers.list[c->engine.providers.count++] = c->provider;
	c->engine.inquiries = inquiries_new(c->engine.http);
	c->engine.flights = flights_new(&c->engine, 8);
	import(c, demo_mint(c->f->arena, name));
}

static void end(struct refresh_case *c)
{
	flights_drain(c->engine.flights, deadline_in_ms(20000));
	flights_free(c->engine.flights);
	inquiries_free(c->engine.inquiries);
	http_client_free(c->engine.http);
}

static struct link read_link(const struct refresh_case *c, struct arena *arena)
{
	struct problem problem;
	struct link link = {.generation = 0};
	bool found = false;
	assert_done(link_find(c->f->store, arena, c->owner_id, c->provider->id, &found, &link, &problem), problem);
	assert_true(found);
	return link;
}

/* Safe on any thread: an arena of its own. */
static enum reason evaluate_for(const struct refresh_case *c, int64_t timeout_ms, bool without_effects)
{
	struct arena *arena = arena_new(8 << 20);
	struct gate_answer *answer = arena_alloc(arena, sizeof(*answer));
	struct problem problem = {0};
	struct link link = read_link(c, arena);
	struct gate_question question = {.owner_id = c->owner_id,
		.requirements = &c->requirements,
		.link_count = 1,
		.links = &link,
		.moment = MOMENT_CREATE,
		.timeout_ms = timeout_ms,
		.without_effects = without_effects};
	struct engine *engine = (struct engine *)(uintptr_t)&c->engine;
	bool done = gate_evaluate(engine, &question, arena, answer, &problem);
	enum reason reason = done ? answer->findings[0].finding.reason : REASON_COUNT;
	arena_free(arena);
	return reason;
}

static enum reason evaluate(const struct refresh_case *c)
{
	return evaluate_for(c, 5000, false);
}

static long asked(const struct refresh_case *c, const char *endpoint)
{
	return demo_number(c->f->arena, c->provider->id, "requests", endpoint);
}

static void set_gate(const struct refresh_case *c, const char *gate)
{
	const char *path = arena_printf(c->f->arena, "/_control/%s/gates/token", c->provider->id);
	demo_ask(c->f->arena, "PUT", path, gate);
}

static void await_gate_of(const struct refresh_case *c, size_t count)
{
	const char *path = arena_printf(
		c->f->arena, "/_control/%s/gates/token?waiting=%zu&timeout_ms=10000", c->provider->id, count);
	const char *expected = arena_printf(c->f->arena, "\"waiting\":%zu", count);
	assert_non_null(strstr(demo_ask(c->f->arena, "GET", path, ""), expected));
}

static void await_gate(const struct refresh_case *c)
{
	await_gate_of(c, 1);
}

#define HELD_AFTER "{\"state\": \"once\", \"moment\": \"after\"}"
#define HELD_ALWAYS "{\"state\": \"closed\", \"moment\": \"after\"}"
#define OPEN "{\"state\": \"open\"}"

static void await_generation(const struct refresh_case *c, int64_t generation)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	for (int i = 0; i < 500 && read_link(c, c->f->arena).generation != generation; i++)
		nanosleep(&pause, NULL);
	assert_int_equal(read_link(c, c->f->arena).generation, generation);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *fault;
	enum reason reason;
	long asked_min, asked_max;
	unsigned unresolved;
} rows[] = {
	{"t-grant", "null", REASON_VALID, 1, 1, 0},
	{"t-invalid-grant", "{\"error\": \"invalid_grant\"}", REASON_REFRESH_REJECTED, 1, 1, 0},
	{"t-bad-200", "{\"status\": 200, \"body\": \"{\\\"error\\\": \\\"bad_refresh_token\\\"}\"}",
		REASON_REFRESH_REJECTED, 1, 1, 0},
	{"t-client", "{\"error\": \"invalid_client\"}", REASON_PROVIDER_MISCONFIGURED, 2, 2, 0},
	{"t-401-bare", "{\"status\": 401}", REASON_PROVIDER_UNAVAILABLE, 1, 8, 0},
	{"t-403", "{\"status\": 403}", REASON_PROVIDER_UNAVAILABLE, 1, 2, 0},
	{"t-429", "{\"status\": 429, \"headers\": {\"Retry-After\": \"9\"}}", REASON_PROVIDER_UNAVAILABLE, 1, 1, 0},
	{"t-429-date", "{\"status\": 429, \"headers\": {\"Retry-After\": \"Tue, 31 Dec 2999 23:59:59 GMT\"}}",
		REASON_PROVIDER_UNAVAILABLE, 1, 1, 0},
	{"t-429-past",
		"{\"status\": 429, \"times\": 1, \"headers\": {\"Retry-After\": \"Sun, 06 Nov 1994 08:49:37 GMT\"}}",
		REASON_VALID, 2, 2, 0},
	{"t-500", "{\"status\": 500}", REASON_PROVIDER_UNAVAILABLE, 1, 2, 0},
	{"t-heals", "{\"status\": 500, \"times\": 1}", REASON_VALID, 2, 2, 0},
	{"t-cut", "{\"cut\": \"before_headers\", \"commit\": \"no\"}", REASON_PROVIDER_UNAVAILABLE, 2, 2, 1},
	{"t-half", "{\"cut\": \"mid_body\", \"commit\": \"no\"}", REASON_PROVIDER_UNAVAILABLE, 2, 2, 1},
	{"t-empty", "{\"status\": 200, \"body\": \"\"}", REASON_PROVIDER_UNAVAILABLE, 2, 2, 1},
	{"t-cut-once", "{\"cut\": \"before_headers\", \"commit\": \"no\", \"times\": 1}", REASON_VALID, 2, 2, 0},
	{"t-cut-spent", "{\"cut\": \"before_headers\", \"times\": 1}", REASON_ROTATION_LOST, 2, 2, 1},
	{"t-type",
		"{\"status\": 200, \"body\": \"{\\\"access_token\\\": \\\"x\\\", \\\"token_type\\\": \\\"mac\\\"}\"}",
		REASON_PROVIDER_UNAVAILABLE, 2, 2, 1},
};

static void assert_row(struct refresh_case *c, size_t i)
{
	demo_fault(c->f->arena, rows[i].name, "token", rows[i].fault);
	enum reason reason = evaluate(c);
	if (reason != rows[i].reason)
		fail_msg("%s: %s", rows[i].name, reason_word(reason));
	long requests = asked(c, "token");
	if (requests < rows[i].asked_min || requests > rows[i].asked_max)
		fail_msg("%s: asked %ld times", rows[i].name, requests);
	struct lease_view view = {.generation = 0};
	bool linked = false;
	assert_done(lease_look(c->f->store, c->f->arena, c->owner_id, rows[i].name, &linked, &view, &c->problem),
		c->problem);
	assert_false(view.held || view.ran_out);
	if (reason != REASON_ROTATION_LOST)
		assert_int_equal(view.unresolved, rows[i].unresolved);
	assert_int_equal(view.generation, reason == REASON_VALID ? 2 : 1);
}

static void each_row_of_the_token_endpoints_table_holds(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct refresh_case c;
		begin(&c, state, rows[i].name);
		assert_row(&c, i);
		end(&c);
	}
}

/* --- many callers ------------------------------------------------------------------------------------------------ */

struct caller {
	pthread_t thread;
	const struct refresh_case *c;
	int64_t timeout_ms;
	enum reason reason;
};

static void *call_in_thread(void *argument)
{
	struct caller *caller = argument;
	caller->reason = evaluate_for(caller->c, caller->timeout_ms, false);
	return NULL;
}

static void start_caller(struct caller *caller, const struct refresh_case *c, int64_t timeout_ms)
{
	*caller = (struct caller){.c = c, .timeout_ms = timeout_ms};
	assert_int_equal(pthread_create(&caller->thread, NULL, call_in_thread, caller), 0);
}

static void all_callers_share(struct refresh_case *c, enum reason expected)
{
	struct caller callers[CALLERS];
	for (size_t i = 0; i < CALLERS; i++)
		start_caller(&callers[i], c, 10000);
	for (size_t i = 0; i < CALLERS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].reason, expected);
	}
	assert_int_equal(asked(c, "token"), 1);
}

static void fifty_callers_share_one_exchange(void **state)
{
	struct refresh_case c;
	begin(&c, state, "fifty");
	demo_fault(c.f->arena, "fifty", "token", "{\"delay_ms\": 100}");
	all_callers_share(&c, REASON_VALID);
	assert_int_equal(demo_number(c.f->arena, "fifty", "counters", "refreshes_overlapping"), 0);
	end(&c);
}

static void fifty_callers_share_one_refusal(void **state)
{
	struct refresh_case c;
	begin(&c, state, "fifty-no");
	demo_fault(c.f->arena, "fifty-no", "token", "{\"error\": \"invalid_grant\", \"delay_ms\": 100}");
	all_callers_share(&c, REASON_REFRESH_REJECTED);
	end(&c);
}

/* One thread is idle after the first round; the flights of the next one are there before it has woken. */
static void flights_that_begin_at_once_do_not_wait_for_one_another(void **state)
{
	struct refresh_case c;
	struct refresh_question questions[4];
	struct ticket *tickets[4];
	struct waiter *waiter = waiter_new();
	begin(&c, state, "at-once");
	assert_int_equal(evaluate(&c), REASON_VALID);
	set_gate(&c, HELD_ALWAYS);
	for (size_t i = 0; i < COUNT_OF(tickets); i++) {
		const char *name = arena_printf(c.f->arena, "at-once-%zu", i);
		struct demo_pair pair = demo_mint(c.f->arena, "at-once");
		c.owner_id = arena_copy(c.f->arena, fixture_user(c.f, name).id);
		import(&c, pair);
		questions[i] = (struct refresh_question){.owner_id = c.owner_id,
			.provider = c.provider,
			.generation = 1,
			.refresh_token = pair.refresh_token};
	}
	for (size_t i = 0; i < COUNT_OF(tickets); i++)
		tickets[i] = flight_join(c.engine.flights, &questions[i], waiter, i);
	await_gate_of(&c, COUNT_OF(tickets));
	set_gate(&c, OPEN);
	for (size_t i = 0; i < COUNT_OF(tickets); i++)
		assert_non_null(waiter_next(waiter, deadline_in_ms(10000)));
	for (size_t i = 0; i < COUNT_OF(tickets); i++) {
		assert_int_equal(ticket_outcome(tickets[i]).end, REFRESH_GRANTED);
		ticket_leave(tickets[i]);
	}
	waiter_free(waiter);
	end(&c);
}

static void a_caller_that_leaves_leaves_the_flight_to_go_on(void **state)
{
	struct refresh_case c;
	struct caller patient;
	begin(&c, state, "leaver");
	set_gate(&c, HELD_AFTER);
	start_caller(&patient, &c, 10000);
	await_gate(&c);
	assert_int_equal(evaluate_for(&c, 200, false), REASON_PROVIDER_UNAVAILABLE);
	set_gate(&c, OPEN);
	pthread_join(patient.thread, NULL);
	assert_int_equal(patient.reason, REASON_VALID);
	assert_int_equal(asked(&c, "token"), 1);
	end(&c);
}

static void a_flight_that_everybody_left_saves_its_token(void **state)
{
	struct refresh_case c;
	struct caller caller;
	begin(&c, state, "alone");
	set_gate(&c, HELD_AFTER);
	start_caller(&caller, &c, 1000);
	await_gate(&c);
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.reason, REASON_PROVIDER_UNAVAILABLE);
	set_gate(&c, OPEN);
	await_generation(&c, 2);
	assert_int_equal(evaluate(&c), REASON_VALID);
	assert_int_equal(asked(&c, "token"), 1);
	end(&c);
}

static void draining_waits_for_the_save(void **state)
{
	struct refresh_case c;
	begin(&c, state, "drained");
	demo_fault(c.f->arena, "drained", "token", "{\"delay_ms\": 1500}");
	assert_int_equal(evaluate_for(&c, 1000, false), REASON_PROVIDER_UNAVAILABLE);
	end(&c);
	assert_int_equal(read_link(&c, c.f->arena).generation, 2);
}

static void an_evaluation_without_effects_spends_nothing(void **state)
{
	struct refresh_case c;
	begin(&c, state, "dry");
	assert_int_equal(evaluate_for(&c, 5000, true), REASON_NOT_VALIDATED);
	assert_int_equal(asked(&c, "token"), 0);
	end(&c);
}

/* --- secrets, cool-downs, what is kept --------------------------------------------------------------------------- */

static void a_mended_secret_heals_without_linking_again(void **state)
{
	struct refresh_case c;
	begin(&c, state, "mended");
	demo_switch(c.f->arena, "mended", "{\"client_secret\": \"rotated\"}");
	assert_int_equal(evaluate(&c), REASON_PROVIDER_MISCONFIGURED);
	long before = asked(&c, "token");
	assert_int_equal(evaluate(&c), REASON_PROVIDER_MISCONFIGURED);
	assert_int_equal(asked(&c, "token"), before);
	c.provider->client_secret_2 = fixture_secret("rotated");
	assert_int_equal(evaluate(&c), REASON_VALID);
	end(&c);
}

static void a_cool_down_passes(void **state)
{
	struct refresh_case c;
	begin(&c, state, "cooling");
	c.engine.refresh_cooldown_ms = 300;
	demo_fault(c.f->arena, "cooling", "token", "{\"cut\": \"before_headers\", \"commit\": \"no\"}");
	assert_int_equal(evaluate(&c), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(evaluate(&c), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(asked(&c, "token"), 2);
	const struct timespec pause = {.tv_nsec = 400000000};
	nanosleep(&pause, NULL);
	assert_int_equal(evaluate(&c), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(asked(&c, "token"), 3);
	nanosleep(&pause, NULL);
	demo_fault(c.f->arena, "cooling", "token", "{\"error\": \"invalid_grant\"}");
	assert_int_equal(evaluate(&c), REASON_ROTATION_LOST);
	end(&c);
}

static void a_refresh_token_that_is_not_replaced_is_kept(void **state)
{
	struct refresh_case c;
	begin(&c, state, "kept");
	demo_switch(
		c.f->arena, "kept", "{\"rotate\": false, \"refresh_token\": false, \"expires_in_form\": \"absent\"}");
	const char *before = read_link(&c, c.f->arena).refresh_token.text;
	assert_int_equal(evaluate(&c), REASON_VALID);
	struct link link = read_link(&c, c.f->arena);
	assert_string_equal(link.refresh_token.text, before);
	assert_int_equal(link.expires_at_ms, 0);
	assert_true(link.readable);
	end(&c);
}

static void a_new_token_whose_validation_fails_is_not_lost(void **state)
{
	struct refresh_case c;
	begin(&c, state, "unvalidated");
	demo_fault(c.f->arena, "unvalidated", "validate", "{\"status\": 500}");
	assert_int_equal(evaluate(&c), REASON_PROVIDER_UNAVAILABLE);
	assert_int_equal(read_link(&c, c.f->arena).generation, 2);
	demo_fault(c.f->arena, "unvalidated", "validate", "null");
	assert_int_equal(evaluate(&c), REASON_VALID);
	assert_int_equal(asked(&c, "token"), 1);
	end(&c);
}

static void githubs_lag_is_waited_for(void **state)
{
	struct refresh_case c;
	begin(&c, state, "lagging");
	c.provider->type = PROVIDER_GITHUB;
	demo_switch(c.f->arena, "lagging", "{\"error_style\": \"github\"}");
	demo_fault(c.f->arena, "lagging", "validate", "{\"lag_ms\": 300}");
	assert_int_equal(evaluate(&c), REASON_VALID);
	assert_int_equal(asked(&c, "token"), 1);
	assert_true(asked(&c, "validate") >= 3);
	end(&c);
}

static void presets_ask_in_their_own_ways(void **state)
{
	static const struct {
		const char *name;
		enum provider_type type;
		const char *client_auth;
	} presets[] = {
		{"p-azure", PROVIDER_AZURE_DEVOPS, "assertion"},
		{"p-entra", PROVIDER_AZURE_DEVOPS_ENTRA, "any"},
		{"p-jfrog", PROVIDER_JFROG, "bearer"},
		{"p-slack", PROVIDER_SLACK, "any"},
		{"p-form", PROVIDER_OTHER, "post"},
	};
	for (size_t i = 0; i < COUNT_OF(presets); i++) {
		struct refresh_case c;
		begin(&c, state, presets[i].name);
		c.provider->type = presets[i].type;
		demo_switch(c.f->arena, presets[i].name,
			arena_printf(c.f->arena, "{\"client_auth\": \"%s\", \"token_answer\": \"%s\"}",
				presets[i].client_auth, presets[i].type == PROVIDER_SLACK ? "slack" : "negotiate"));
		enum reason reason = evaluate(&c);
		if (reason != REASON_VALID)
			fail_msg("%s: %s", presets[i].name, reason_word(reason));
		if (presets[i].type == PROVIDER_SLACK)
			assert_non_null(strstr(read_link(&c, c.f->arena).extras.text, "authed_user"));
		end(&c);
	}
}

static int set_up(void **state)
{
	demo_start();
	return fixture_start(state);
}

static int tear_down(void **state)
{
	demo_stop();
	return fixture_stop(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_of_the_token_endpoints_table_holds),
		cmocka_unit_test(fifty_callers_share_one_exchange),
		cmocka_unit_test(fifty_callers_share_one_refusal),
		cmocka_unit_test(flights_that_begin_at_once_do_not_wait_for_one_another),
		cmocka_unit_test(a_caller_that_leaves_leaves_the_flight_to_go_on),
		cmocka_unit_test(a_flight_that_everybody_left_saves_its_token),
		cmocka_unit_test(draining_waits_for_the_save),
		cmocka_unit_test(an_evaluation_without_effects_spends_nothing),
		cmocka_unit_test(a_mended_secret_heals_without_linking_again),
		cmocka_unit_test(a_cool_down_passes),
		cmocka_unit_test(a_refresh_token_that_is_not_replaced_is_kept),
		cmocka_unit_test(a_new_token_whose_validation_fails_is_not_lost),
		cmocka_unit_test(githubs_lag_is_waited_for),
		cmocka_unit_test(presets_ask_in_their_own_ways),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
