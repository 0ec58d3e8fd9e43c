/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep: what is too old or too many goes, nothing else does, several processes share it, and a storm of refusals
 * neither fills the disk nor waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../gate/base/metrics.h"
#include "../../../gate/store/decisions.h"
#include "fixture.h"

static long swept(struct arena *arena, const char *what)
{
	struct text text = text_in(arena);
	metrics_write(&text);
	const char *name = arena_printf(arena, "\ngatehouse_swept_rows_total{what=\"%s\"} ", what);
	const char *line = strstr(text.bytes, name);
	return line == NULL ? 0 : strtol(line + strlen(name), NULL, 10);
}

static long number(const struct fixture *f, const char *sql)
{
	return strtol(fixture_sql(f, sql), NULL, 10);
}

static struct store *open_sweeping(const struct fixture *f, struct retention_limits limits)
{
	struct problem problem = {0};
	struct store *store = NULL;
	limits.sweeps = true;
	const struct store_options options = {
		.connection_url = f->url, .prepare = true, .connections = 4, .vault = f->vault, .retention = limits};
	assert_done(store_open(&options, &store, &problem), problem);
	return store;
}

/* Rows n minutes old, n counting up to count. */
static void insert_aged(const struct fixture *f, const char *outcome, int count)
{
	fixture_sql(f, arena_printf(f->arena,
			       "INSERT INTO decisions (id, moment, outcome, created_at) "
			       "SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '7000' || '8' "
			       "|| "
			       "substr(md5(random()::text), 1, 15))::uuid, 'create', '%s', t "
			       "FROM (SELECT now() - n * interval '1 minute' AS t FROM generate_series(1, %d) n) s",
			       outcome, count));
}

static void old_decisions_go_whatever_they_said(void **state)
{
	struct fixture *f = *state;
	long before = swept(f->arena, "old_decisions");
	insert_aged(f, "allowed", 3000);
	insert_aged(f, "refused", 3000);
	struct store *store = open_sweeping(f, (struct retention_limits){.decisions_ms = 601 * INT64_C(60000) - 30000});
	fixture_await(f, "SELECT count(*) FROM decisions", "1200");
	fixture_pause_ms(100);
	assert_int_equal(number(f, "SELECT count(*) FROM decisions"), 1200);
	assert_int_equal(swept(f->arena, "old_decisions") - before, 4800);
	store_close(store);
	fixture_sql(f, "DELETE FROM decisions");
}

static void no_limit_keeps_all(void **state)
{
	struct fixture *f = *state;
	insert_aged(f, "refused", 2000);
	struct store *store = open_sweeping(f, (struct retention_limits){.interval_ms = 10});
	fixture_pause_ms(300);
	store_close(store);
	assert_int_equal(number(f, "SELECT count(*) FROM decisions"), 2000);
	fixture_sql(f, "DELETE FROM decisions");
}

static void too_many_refusals_go_oldest_first(void **state)
{
	struct fixture *f = *state;
	long before = swept(f->arena, "excess");
	insert_aged(f, "allowed", 2500);
	insert_aged(f, "refused", 2500);
	insert_aged(f, "unverifiable", 2500);
	struct store *store = open_sweeping(f, (struct retention_limits){.excess_above = 100});
	fixture_await(f, "SELECT count(*) FROM decisions WHERE outcome <> 'allowed'", "100");
	fixture_pause_ms(100);
	assert_int_equal(number(f, "SELECT count(*) FROM decisions WHERE outcome <> 'allowed' AND created_at > now() - "
				   "interval '52 minutes'"),
		100);
	assert_int_equal(number(f, "SELECT count(*) FROM decisions WHERE outcome = 'allowed'"), 2500);
	assert_int_equal(swept(f->arena, "excess") - before, 4900);
	store_close(store);
	/* Checks that passed made nothing, too, and anybody may ask any number of them. */
	fixture_sql(f, "UPDATE decisions SET surface = 'check'");
	store = open_sweeping(f, (struct retention_limits){.excess_above = 100});
	fixture_await(f, "SELECT count(*) FROM decisions", "100");
	store_close(store);
	fixture_sql(f, "DELETE FROM decisions");
}

static void keys_and_exemptions_that_are_over_go(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "keys");
	struct template_version version = fixture_version(f, "keys", NULL, NULL);
	long keys = swept(f->arena, "idempotency_keys");
	long exemptions = swept(f->arena, "exemptions");
	fixture_sql(f, arena_printf(f->arena,
			       "INSERT INTO idempotency_keys (user_id, key_hash, body_hash, holder, held_until, "
			       "expires_at) "
			       "SELECT '%s', sha256(n::text::bytea), sha256(''), gen_random_uuid(), now(), "
			       "now() + (n - 2500.5) * interval '1 hour' FROM generate_series(1, 2600) n",
			       user.id));
	fixture_sql(f, arena_printf(f->arena,
			       "INSERT INTO exemptions (id, owner_id, template_id, provider_id, reason, "
			       "granted_by_name, "
			       "expires_at) SELECT gen_random_uuid(), '%s', '%s', 'p-' || n, 'r', 'admin', "
			       "now() - (n - 0.5) * interval '1 day' FROM generate_series(1, 1300) n",
			       user.id, version.template_id));
	struct store *store = open_sweeping(f, (struct retention_limits){.interval_ms = 60000});
	fixture_await(f, "SELECT count(*) FROM exemptions", "30");
	assert_int_equal(number(f, "SELECT count(*) FROM idempotency_keys"), 100);
	assert_int_equal(swept(f->arena, "idempotency_keys") - keys, 2500);
	assert_int_equal(swept(f->arena, "exemptions") - exemptions, 1270);
	store_close(store);
}

/* Each row is removed, and counted, by one of them, and none waits for another. */
static void several_processes_share_a_sweep(void **state)
{
	struct fixture *f = *state;
	struct store *stores[4];
	long before = swept(f->arena, "old_decisions");
	insert_aged(f, "refused", 40000);
	for (size_t i = 0; i < COUNT_OF(stores); i++)
		stores[i] = open_sweeping(f, (struct retention_limits){.decisions_ms = 1, .interval_ms = 50});
	fixture_await(f, "SELECT count(*) FROM decisions", "0");
	for (size_t i = 0; i < COUNT_OF(stores); i++)
		store_close(stores[i]);
	assert_int_equal(swept(f->arena, "old_decisions") - before, 40000);
}

static void refuse(struct store *store, const char *request_id)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	decision_enqueue(store, &(struct decision_row){.id = id,
					.request_id = request_id,
					.moment = "create",
					.outcome = "refused",
					.findings = "[]"});
}

/* As long as the queue has room, nothing is dropped; 4000 rows and a pause are far below what the writer can do. */
static long storm(const struct fixture *f, struct store *store, int rounds)
{
	long most = 0;
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < 4000; i++)
			refuse(store, "storm");
		fixture_pause_ms(50);
		long now = number(f, "SELECT count(*) FROM decisions");
		most = now > most ? now : most;
	}
	return most;
}

static void storm_of_refusals_cannot_fill_the_disk(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_sweeping(f, (struct retention_limits){.excess_above = 500, .rows = 2000});
	long most = storm(f, store, 10);
	fixture_sql(f, "VACUUM decisions");
	long size = number(f, "SELECT pg_total_relation_size('decisions')");
	long later = storm(f, store, 20);
	fixture_sql(f, "VACUUM decisions");
	long grown = number(f, "SELECT pg_total_relation_size('decisions')");
	store_close(store);
	/* What stays, what is written before the next sweep, and what is written during one. */
	assert_in_range(most > later ? most : later, 1, 500 + 2000 + 2 * DECISION_QUEUE_MAX);
	assert_in_range(grown, 1, 3 * size);
	fixture_sql(f, "DELETE FROM decisions");
}

static void storm_is_written_while_a_sweep_goes_on(void **state)
{
	struct fixture *f = *state;
	insert_aged(f, "refused", 200000);
	struct store *store = open_sweeping(f, (struct retention_limits){.decisions_ms = 30000, .interval_ms = 60000});
	for (int i = 0; i < 5000; i++)
		refuse(store, "beside");
	fixture_await(f, "SELECT count(*) FROM decisions WHERE request_id = 'beside'", "5000");
	assert_true(number(f, "SELECT count(*) FROM decisions WHERE request_id IS NULL") > 0);
	fixture_await(f, "SELECT count(*) FROM decisions WHERE request_id IS NULL", "0");
	store_close(store);
	fixture_sql(f, "DELETE FROM decisions");
}

/* Of each kind one that is over and one that is not. */
static void logins_that_are_over_go(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "r-logins");
	fixture_sql(f, "INSERT INTO device_grants (id, code_hash, user_code_hash, client_id, interval_s, expires_at) "
		       "SELECT gen_random_uuid(), sha256(n::text::bytea), sha256(n::text::bytea), 'c', 5, "
		       "now() - n * interval '2 hours' FROM generate_series(0, 1) n");
	fixture_sql(f, arena_printf(f->arena,
			       "INSERT INTO token_families (id, user_id, client_id, handle_hash, head_hash, "
			       "access_expires_at, idle_until, expires_at) SELECT gen_random_uuid(), '%s', 'c', "
			       "sha256(n::text::bytea), sha256(''), now(), now() + n * interval '1 hour', now() "
			       "FROM generate_series(-1, 1, 2) n",
			       user.id));
	fixture_sql(f, "INSERT INTO api_tokens (hash, id, user_id, expires_at, family_id) SELECT "
		       "sha256(n::text::bytea), "
		       "gen_random_uuid(), user_id, now() + n * interval '1 hour', id FROM token_families, "
		       "generate_series(-1, 1, 2) n WHERE idle_until > now()");
	fixture_sql(f, "INSERT INTO login_attempts SELECT n::text, 1, now() + n * interval '1 hour' "
		       "FROM generate_series(-1, 1, 2) n");
	struct store *store = open_sweeping(f, (struct retention_limits){.interval_ms = 50});
	fixture_await(f, "SELECT count(*) FROM device_grants", "1");
	fixture_await(f, "SELECT count(*) FROM token_families", "1");
	fixture_await(f, "SELECT count(*) FROM api_tokens WHERE family_id IS NOT NULL", "1");
	fixture_await(f, "SELECT count(*) FROM login_attempts", "1");
	store_close(store);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM login_attempts WHERE until > now()"), "1");
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM token_families WHERE idle_until > now()"), "1");
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM api_tokens WHERE expires_at > now() AND family_id IS "
					   "NOT NULL"),
		"1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_decisions_go_whatever_they_said),
		cmocka_unit_test(no_limit_keeps_all),
		cmocka_unit_test(too_many_refusals_go_oldest_first),
		cmocka_unit_test(keys_and_exemptions_that_are_over_go),
		cmocka_unit_test(several_processes_share_a_sweep),
		cmocka_unit_test(storm_of_refusals_cannot_fill_the_disk),
		cmocka_unit_test(storm_is_written_while_a_sweep_goes_on),
		cmocka_unit_test(logins_that_are_over_go),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
