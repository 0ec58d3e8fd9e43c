/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log: what is written is read again, every filter and page is exact, and a queue that is full costs
 * refusals alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../gate/base/clock.h"
#include "../../../gate/base/metrics.h"
#include "../../../gate/store/decision_log.h"
#include "../../../gate/store/decisions.h"
#include "fixture.h"

#define NOBODY "00000000-0000-7000-8000-00000000dead"
#define LIST_MAX 201

static long metric(struct arena *arena, const char *name)
{
	struct text text = text_in(arena);
	metrics_write(&text);
	const char *line = strstr(text.bytes, arena_printf(arena, "\n%s ", name));
	return line == NULL ? 0 : strtol(line + 2 + strlen(name), NULL, 10);
}

static const char *enqueue(struct fixture *f, struct store *store, struct decision_row row)
{
	char *id = arena_alloc(f->arena, UUID_TEXT_SIZE);
	uuid_new(id);
	row.id = id;
	row.moment = "create";
	row.outcome = row.outcome == NULL ? "refused" : row.outcome;
	decision_enqueue(store, &row);
	return id;
}

static struct logged_decision find(const struct fixture *f, const char *id)
{
	struct problem problem = {0};
	struct logged_decision decision = {0};
	bool found = false;
	assert_done(decision_find(f->store, f->arena, id, &found, &decision, &problem), problem);
	assert_true(found);
	return decision;
}

static size_t list(const struct fixture *f, struct decision_filter filter, struct page page,
	struct logged_decision **ret_decisions)
{
	struct problem problem = {0};
	size_t count = 0;
	assert_done(decision_list(f->store, f->arena, &filter, page, &count, ret_decisions, &problem), problem);
	return count;
}

static size_t count_of(const struct fixture *f, struct decision_filter filter)
{
	struct logged_decision *decisions = NULL;
	return list(f, filter, (struct page){"", LIST_MAX}, &decisions);
}

/* Closing a store writes what is queued. */
static struct store *reopen(struct fixture *f, struct store *store)
{
	store_close(store);
	return fixture_open(f, 2, true);
}

static void row_is_read_as_it_was_written(void **state)
{
	struct fixture *f = *state;
	struct user owner = fixture_user(f, "written");
	static const char *const reasons[] = {"not_linked", "provider_unavailable"};
	struct store *store = fixture_open(f, 2, true);
	const char *full = enqueue(f, store,
		(struct decision_row){.request_id = "r-1",
			.surface = "check",
			.initiator_id = owner.id,
			.on_behalf_of = "ops, \"night\" shift",
			.owner_id = owner.id,
			.owner_name = "as-it-was-called",
			.template_version_id = NOBODY,
			.outcome = "allowed",
			.strict_outcome = "refused",
			.reason_count = 2,
			.reasons = reasons,
			.findings = "[{\"provider\": \"github\"}]",
			.duration_ms = 17});
	const char *bare = enqueue(f, store, (struct decision_row){.reason_count = 0, .reasons = reasons});
	store = reopen(f, store);
	struct logged_decision read = find(f, full);
	assert_string_equal(read.id, full);
	assert_string_equal(read.request_id, "r-1");
	assert_string_equal(read.surface, "check");
	assert_string_equal(read.moment, "create");
	assert_string_equal(read.initiator_id, owner.id);
	assert_string_equal(read.initiator_name, "written");
	assert_string_equal(read.on_behalf_of, "ops, \"night\" shift");
	assert_string_equal(read.owner_id, owner.id);
	assert_string_equal(read.owner_name, "as-it-was-called");
	assert_string_equal(read.template_version_id, NOBODY);
	assert_string_equal(read.outcome, "allowed");
	assert_string_equal(read.strict_outcome, "refused");
	assert_string_equal(read.reasons, "[\"not_linked\",\"provider_unavailable\"]");
	assert_string_equal(read.findings, "[{\"provider\": \"github\"}]");
	assert_int_equal(read.duration_ms, 17);
	assert_in_range(read.created_at_ms, clock_now_ms() - 60000, clock_now_ms() + 1000);
	read = find(f, bare);
	assert_string_equal(read.surface, "api");
	assert_string_equal(read.reasons, "[]");
	assert_string_equal(read.findings, "[]");
	assert_true(read.owner_id == NULL && read.owner_name == NULL && read.initiator_name == NULL &&
		    read.on_behalf_of == NULL && read.strict_outcome == NULL && read.request_id == NULL);
	assert_string_equal(
		fixture_sql(f, "SELECT count(*) FROM decisions WHERE reasons IS NULL AND surface = 'api'"), "1");
	store_close(store);
}

static void unknown_id_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct logged_decision decision = {0};
	bool found = true;
	assert_done(decision_find(f->store, f->arena, NOBODY, &found, &decision, &problem), problem);
	assert_false(found);
}

/* 600 rows of one millisecond: `n` counts them, newest first. */
static void insert_many(const struct fixture *f)
{
	fixture_sql(f, "DELETE FROM decisions");
	fixture_sql(f, "INSERT INTO decisions (id, moment, outcome, owner_id, owner_name, reasons, created_at) "
		       "SELECT ('019b76da-a800-7000-8000-' || lpad(to_hex(601 - n), 12, '0'))::uuid, 'create', "
		       "CASE WHEN n % 100 = 0 THEN 'allowed' WHEN n % 10 = 0 THEN 'unverifiable' ELSE 'refused' END, "
		       "CASE WHEN n % 6 = 0 THEN NULL ELSE (SELECT id FROM users WHERE username = 'many') END, "
		       "CASE WHEN n % 6 = 0 THEN 'later' ELSE 'many' END, "
		       "CASE WHEN n % 100 = 0 THEN NULL WHEN n = 333 THEN ARRAY['expired', 'rotation_lost'] "
		       "WHEN n % 10 = 0 THEN ARRAY['provider_unavailable'] WHEN n % 3 = 0 THEN ARRAY['not_linked', "
		       "'expired'] ELSE ARRAY['not_linked'] END, timestamptz '2026-01-01' "
		       "FROM generate_series(1, 600) n");
}

/* Every row of the filter once, in order, by pages of `limit`. */
static size_t walk(const struct fixture *f, struct decision_filter filter, int64_t limit)
{
	struct logged_decision *decisions = NULL;
	struct page page = {"", limit};
	size_t total = 0;
	for (size_t count = (size_t)limit; count == (size_t)limit; total += count) {
		count = list(f, filter, page, &decisions);
		for (size_t i = 0; i < count; i++) {
			assert_true(*page.after_id == '\0' || strcmp(decisions[i].id, page.after_id) < 0);
			page.after_id = decisions[i].id;
		}
	}
	return total;
}

static void every_filter_finds_all_of_its_rows_and_no_other(void **state)
{
	struct fixture *f = *state;
	struct user many = fixture_user(f, "many");
	insert_many(f);
	const struct {
		struct decision_filter filter;
		size_t count;
	} cases[] = {
		{{0}, 600},
		{{.outcome = "allowed"}, 6},
		{{.outcome = "unverifiable"}, 54},
		{{.outcome = "refused"}, 540},
		{{.reason = "not_linked"}, 539},
		{{.reason = "expired"}, 180},
		{{.reason = "rotation_lost"}, 1},
		{{.reason = "token_revoked"}, 0},
		{{.reason = "provider_unavailable", .outcome = "unverifiable"}, 54},
		{{.reason = "provider_unavailable", .outcome = "refused"}, 0},
		{{.owner_id = many.id}, 500},
		{{.owner_name = "many"}, 500},
		{{.owner_name = "later"}, 100},
		{{.owner_id = NOBODY}, 0},
		{{.owner_name = "never"}, 0},
		{{.owner_id = many.id, .reason = "rotation_lost"}, 1},
		{{.owner_name = "later", .outcome = "allowed"}, 2},
		{{.since_ms = INT64_C(1767225600000)}, 600}, /* 2026-01-01T00:00:00Z, their time */
		{{.since_ms = INT64_C(1767225600001)}, 0},
		{{.owner_id = many.id, .outcome = "refused", .reason = "expired", .since_ms = INT64_C(1767225600000)},
			100},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (int64_t limit = 7; limit <= 201; limit += 97)
			if (walk(f, cases[i].filter, limit) != cases[i].count)
				fail_msg(
					"case %zu, limit %d: %zu rows", i, (int)limit, walk(f, cases[i].filter, limit));
}

static void owner_keeps_what_was_decided_before_they_were_seen(void **state)
{
	struct fixture *f = *state;
	insert_many(f);
	struct user later = fixture_user(f, "later");
	fixture_sql(f, arena_printf(f->arena,
			       "UPDATE decisions SET owner_id = '%s' WHERE id IN (SELECT id FROM decisions "
			       "WHERE owner_name = 'later' ORDER BY id LIMIT 40)",
			       later.id));
	assert_int_equal(walk(f, (struct decision_filter){.owner_name = "later"}, 30), 100);
	assert_int_equal(walk(f, (struct decision_filter){.owner_id = later.id}, 30), 40);
}

/* The id is made before providers are asked and the row's time after it. */
static void since_goes_by_the_time_the_row_was_written(void **state)
{
	struct fixture *f = *state;
	fixture_sql(f, "DELETE FROM decisions");
	fixture_sql(f, "INSERT INTO decisions (id, moment, outcome, created_at) VALUES "
		       "('019b76da-a800-7000-8000-000000000001', 'create', 'refused', '2026-01-01 00:05:00+00')");
	const int64_t begun_ms = INT64_C(1767225600000); /* the id's time, 2026-01-01T00:00:00Z */
	assert_int_equal(count_of(f, (struct decision_filter){.since_ms = begun_ms + 299999}), 1);
	assert_int_equal(count_of(f, (struct decision_filter){.since_ms = begun_ms + 300000}), 1);
	assert_int_equal(count_of(f, (struct decision_filter){.since_ms = begun_ms + 300001}), 0);
	assert_int_equal(count_of(f, (struct decision_filter){.since_ms = -1}), 1);
}

/* The writer waits for a transaction that holds the id of its first row; creates write rows of their own. */
static void full_queue_costs_no_allowed_create(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user owner = fixture_user(f, "overflow");
	struct template_version version = fixture_version(f, "overflow", NULL, NULL);
	long before = metric(f->arena, "gatehouse_decision_log_dropped_total");
	fixture_sql(f, "DELETE FROM decisions");
	struct store *store = fixture_open(f, 4, true);
	PGconn *holder = fixture_hold(f, "INSERT INTO decisions (id, moment, outcome) VALUES ('" NOBODY "', 'create', "
					 "'refused')");
	decision_enqueue(store, &(struct decision_row){.id = NOBODY, .moment = "create", .outcome = "refused"});
	for (int i = 0; i < DECISION_QUEUE_MAX + 500; i++)
		enqueue(f, store, (struct decision_row){.request_id = "overflow"});
	for (int i = 0; i < 50; i++) {
		char name[16];
		enum insert_end end = INSERT_DONE;
		(void)snprintf(name, sizeof(name), "ws-%d", i);
		struct create_try try = {.owner_id = owner.id, .version_id = version.id, .name = name};
		assert_done(fixture_create(store, &try, &end, &problem), problem);
		assert_int_equal(end, INSERT_DONE);
	}
	long dropped = metric(f->arena, "gatehouse_decision_log_dropped_total") - before;
	assert_int_equal(dropped, 501);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM decisions WHERE outcome = 'allowed'"), "50");
	fixture_release(holder);
	store_close(store);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM decisions WHERE outcome = 'refused'"), "8192");
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM decisions JOIN workspaces w ON w.decision_id = "
					   "decisions.id WHERE outcome = 'allowed'"),
		"50");
	assert_int_equal(metric(f->arena, "gatehouse_decision_log_dropped_total") - before, 501);
}

static long storm_rows(const struct fixture *f)
{
	return strtol(fixture_sql(f, "SELECT count(*) FROM decisions WHERE request_id = 'storm'"), NULL, 10);
}

/* A full queue's worth at once, and then no more than the rate, however fast the writer is. */
static void storm_is_held_to_the_rate(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	const struct store_options options = {
		.connection_url = f->url, .prepare = true, .connections = 2, .vault = f->vault, .decision_rate_max = 1};
	struct store *store = NULL;
	long before = metric(f->arena, "gatehouse_decision_log_dropped_total");
	assert_done(store_open(&options, &store, &problem), problem);
	for (int i = 1; i <= 4; i++) {
		for (int row = 0; row < 2500; row++)
			(void)enqueue(
				f, store, (struct decision_row){.request_id = "storm", .outcome = "unverifiable"});
		fixture_await(f,
			arena_printf(f->arena, "SELECT count(*) >= %d FROM decisions WHERE request_id = 'storm'",
				2500 * i < 8192 ? 2500 * i : 8192),
			"t");
	}
	assert_false(decision_is_taken(store));
	store_close(store);
	long written = storm_rows(f);
	assert_in_range(written, 8192, 8192 + 60);
	assert_int_equal(metric(f->arena, "gatehouse_decision_log_dropped_total") - before, 10000 - written + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_is_read_as_it_was_written),
		cmocka_unit_test(unknown_id_is_not_found),
		cmocka_unit_test(every_filter_finds_all_of_its_rows_and_no_other),
		cmocka_unit_test(owner_keeps_what_was_decided_before_they_were_seen),
		cmocka_unit_test(since_goes_by_the_time_the_row_was_written),
		cmocka_unit_test(full_queue_costs_no_allowed_create),
		cmocka_unit_test(storm_is_held_to_the_rate),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
