/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of keys: everything comes under the first key and stays readable, a killed rotation is taken up, and an old
 * key can be taken away afterwards and not before. */
#include <stdio.h>
#include <string.h>

#include "../../../gate/store/browser.h"
#include "sides.h"

/* --- the whole way ------------------------------------------------------------------------------------------------ */

static void old_key_goes_after_a_rotation_and_not_before(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct side old = side_open(f, KEY_A);
	struct side both = side_open(f, KEY_B "," KEY_A);
	struct side new = side_open(f, KEY_B);
	struct user user = fixture_user(f, "r-way");
	assert_done(vault_check(old.vault, old.store, &problem), problem);
	int64_t generation = side_save(old, user.id, "a", "access-a", "refresh-a");
	side_save(old, user.id, "b", "access-b", NULL);
	assert_done(vault_check(both.vault, both.store, &problem), problem);
	assert_int_equal(side_retire(f, both), 0);
	struct key_report report = side_report(f, both);
	assert_int_equal(report.count, 2);
	assert_int_equal(report.lines[0].state, KEY_SEALS);
	assert_int_equal(report.lines[1].state, KEY_IN_USE);
	assert_int_equal(report.lines[1].links, 2);
	assert_false(vault_check(new.vault, new.store, &problem));

	struct rotation_tally tally = side_rotate(both, 1, false);
	assert_int_equal(tally.links, 2);
	assert_int_equal(tally.unreadable, 0);
	assert_int_equal(side_report(f, both).lines[1].state, KEY_RELEASABLE);
	assert_false(vault_check(new.vault, new.store, &problem));
	assert_int_equal(side_retire(f, both), 1);
	assert_int_equal(side_report(f, both).lines[1].state, KEY_UNUSED);
	assert_done(vault_check(new.vault, new.store, &problem), problem);
	side_assert_tokens(f, new, user.id, "a", "access-a", "refresh-a");
	side_assert_tokens(f, new, user.id, "b", "access-b", NULL);
	assert_int_equal(side_find(f, new, user.id, "a").generation, generation);
	assert_int_equal(side_rotate(both, 1, false).links, 0);
	side_close(old);
	side_close(both);
	side_close(new);
}

/* The first slot is free again, the second taken: a third key still finds a place. */
static void a_third_key_follows_a_retired_first(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct side old = side_open(f, KEY_A);
	struct side both = side_open(f, KEY_B "," KEY_A);
	struct side third = side_open(f, "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=," KEY_B);
	assert_done(vault_check(old.vault, old.store, &problem), problem);
	assert_done(vault_check(both.vault, both.store, &problem), problem);
	assert_int_equal(side_retire(f, both), 1);
	assert_done(vault_check(third.vault, third.store, &problem), problem);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM vault_check"), "2");
	side_close(old);
	side_close(both);
	side_close(third);
}

/* A service that runs on with the old list seals with the key whose check value is forgotten. */
static void a_row_of_a_retired_key_is_found_at_start(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct side old = side_open(f, KEY_A);
	struct side both = side_open(f, KEY_B "," KEY_A);
	struct side new = side_open(f, KEY_B);
	struct side none = side_open(f, "");
	struct user user = fixture_user(f, "r-late");
	assert_done(vault_check(old.vault, old.store, &problem), problem);
	assert_done(vault_check(both.vault, both.store, &problem), problem);
	assert_int_equal(side_retire(f, both), 1);
	side_save(old, user.id, "a", "late", NULL);
	assert_false(vault_check(new.vault, new.store, &problem));
	assert_non_null(strstr(problem.message, vault_key_id_at(old.vault, 0)));
	assert_non_null(strstr(problem.detail, "GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS"));
	assert_false(vault_check(none.vault, none.store, &problem));
	assert_false(side_find(f, new, user.id, "a").readable);
	assert_int_equal(side_report(f, new).lines[1].state, KEY_MISSING);
	assert_done(vault_check(both.vault, both.store, &problem), problem);
	assert_int_equal(side_rotate(both, 10, false).links, 1);
	assert_done(vault_check(new.vault, new.store, &problem), problem);
	side_assert_tokens(f, new, user.id, "a", "late", NULL);
	side_close(old);
	side_close(both);
	side_close(new);
	side_close(none);
}

/* A create holds its links for the length of its statement; the rotation goes round it and comes back. */
static void a_row_that_is_held_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct side old = side_open(f, KEY_A);
	struct side both = side_open(f, KEY_B "," KEY_A);
	struct user user = fixture_user(f, "r-held");
	side_save(old, user.id, "a", "one", NULL);
	side_save(old, user.id, "b", "two", NULL);
	PGconn *holder = fixture_hold(f, "SELECT 1 FROM links WHERE provider_id = 'a' FOR SHARE");
	struct rotation *rotation = side_begin(both, 10, false);
	rotation_run_pass(rotation);
	assert_int_equal(rotation_tally(rotation).links, 1);
	assert_int_equal(rotation_tally(rotation).found, 2);
	fixture_release(holder);
	rotation_run_pass(rotation);
	assert_int_equal(rotation_tally(rotation).links, 2);
	rotation_run_pass(rotation);
	assert_int_equal(rotation_tally(rotation).found, 0);
	rotation_free(rotation);
	side_assert_tokens(f, both, user.id, "a", "one", NULL);
	side_close(old);
	side_close(both);
}

static void a_rotation_that_ends_early_is_taken_up(void **state)
{
	struct fixture *f = *state;
	struct side old = side_open(f, KEY_A);
	struct side both = side_open(f, KEY_B "," KEY_A);
	struct user user = fixture_user(f, "r-early");
	char provider[16];
	for (int i = 0; i < 25; i++) {
		snprintf(provider, sizeof(provider), "p%02d", i);
		side_save(old, user.id, provider, provider, provider);
	}
	struct rotation *rotation = side_begin(both, 4, false);
	for (int i = 0; i < 3; i++) {
		assert_true(rotation_read_batch(rotation));
		rotation_write_batch(rotation);
	}
	assert_true(rotation_read_batch(rotation));
	rotation_free(rotation);
	assert_int_equal(side_report(f, both).lines[0].links, 12);
	assert_int_equal(key_report_rows_to_do(&(struct key_report){0}, true), 0);
	assert_int_equal(side_rotate(both, 4, false).links, 13);
	for (int i = 0; i < 25; i++) {
		snprintf(provider, sizeof(provider), "p%02d", i);
		side_assert_tokens(f, both, user.id, provider, provider, provider);
	}
	side_close(old);
	side_close(both);
}

/* --- what is left alone ------------------------------------------------------------------------------------------- */

static void clear_rows_are_counted_and_left_without_the_flag(void **state)
{
	struct fixture *f = *state;
	struct side none = side_open(f, "");
	struct side new = side_open(f, KEY_B);
	struct user user = fixture_user(f, "r-clear");
	side_save(none, user.id, "a", "clear-token", "clear-refresh");
	struct rotation_tally tally = side_rotate(new, 10, false);
	assert_int_equal(tally.links, 0);
	assert_int_equal(side_report(f, new).clear_links, 1);
	assert_string_equal(fixture_sql(f, "SELECT access_token = 'clear-token' FROM links"), "t");
	assert_int_equal(side_rotate(new, 10, true).links, 1);
	assert_int_equal(side_report(f, new).clear_links, 0);
	side_assert_tokens(f, new, user.id, "a", "clear-token", "clear-refresh");
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM links WHERE position('clear'::bytea IN access_token) "
					   "> 0 OR "
					   "position('clear'::bytea IN refresh_token) > 0"),
		"0");
	side_close(none);
	side_close(new);
}

static void a_value_that_was_moved_stays_and_is_counted(void **state)
{
	struct fixture *f = *state;
	struct side old = side_open(f, KEY_A);
	struct side both = side_open(f, KEY_B "," KEY_A);
	struct user user = fixture_user(f, "r-moved");
	side_save(old, user.id, "a", "one", NULL);
	side_save(old, user.id, "b", "two", NULL);
	side_save(old, user.id, "c", "three", NULL);
	fixture_sql(f, "UPDATE links SET access_token = (SELECT access_token FROM links WHERE provider_id = 'b') WHERE "
		       "provider_id "
		       "= 'a'");
	struct rotation_tally tally = side_rotate(both, 1, false);
	assert_int_equal(tally.links, 2);
	assert_int_equal(tally.unreadable, 1);
	assert_int_equal(side_retire(f, both), 0);
	assert_string_equal(
		fixture_sql(f, "SELECT count(*) FROM links WHERE provider_id = 'a' AND access_token IS NOT NULL"), "1");
	side_close(old);
	side_close(both);
}

/* --- authorization states ----------------------------------------------------------------------------------------- */

static void begin_state(const struct fixture *f, struct side side, const char *name)
{
	struct problem problem = {0};
	uint8_t hash[SHA256_BYTES];
	struct oauth_state given = {.provider_id = "a", .verifier = fixture_secret(name), .redirect = NULL};
	fixture_hash(name, hash);
	const char *session_id = fixture_sql(f, "SELECT id FROM browser_sessions LIMIT 1");
	assert_done(state_insert(side.store, hash, session_id, &given, &problem), problem);
}

static bool take_state(const struct fixture *f, struct side side, const char *name)
{
	struct problem problem = {0};
	uint8_t hash[SHA256_BYTES];
	struct oauth_state taken = {0};
	bool found = false;
	fixture_hash(name, hash);
	const char *session_id = fixture_sql(f, "SELECT id FROM browser_sessions LIMIT 1");
	assert_done(state_take(side.store, f->arena, hash, session_id, &found, &taken, &problem), problem);
	if (found)
		assert_string_equal(taken.verifier.text, name);
	return found;
}

static void states_go_too_and_one_that_was_taken_stays_taken(void **state)
{
	struct fixture *f = *state;
	struct side old = side_open(f, KEY_A);
	struct side both = side_open(f, KEY_B "," KEY_A);
	struct side new = side_open(f, KEY_B);
	fixture_user(f, "r-states");
	fixture_sql(f, "INSERT INTO browser_sessions (hash, id, user_id, expires_at) SELECT decode(repeat('ab', 32), "
		       "'hex'), "
		       "gen_random_uuid(), id, now() + interval '1 hour' FROM users WHERE username = 'r-states'");
	begin_state(f, old, "first-verifier");
	begin_state(f, old, "second-verifier");
	struct rotation *rotation = side_begin(both, 10, false);
	assert_true(rotation_read_batch(rotation));
	assert_true(take_state(f, both, "second-verifier"));
	rotation_write_batch(rotation);
	assert_int_equal(rotation_tally(rotation).states, 1);
	assert_int_equal(rotation_tally(rotation).links, 0);
	rotation_free(rotation);
	assert_false(take_state(f, new, "second-verifier"));
	assert_int_equal(side_report(f, new).lines[0].states, 1);
	assert_true(take_state(f, new, "first-verifier"));
	side_close(old);
	side_close(both);
	side_close(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(old_key_goes_after_a_rotation_and_not_before, side_empty),
		cmocka_unit_test_setup(a_third_key_follows_a_retired_first, side_empty),
		cmocka_unit_test_setup(a_row_of_a_retired_key_is_found_at_start, side_empty),
		cmocka_unit_test_setup(a_row_that_is_held_is_passed_over, side_empty),
		cmocka_unit_test_setup(a_rotation_that_ends_early_is_taken_up, side_empty),
		cmocka_unit_test_setup(clear_rows_are_counted_and_left_without_the_flag, side_empty),
		cmocka_unit_test_setup(a_value_that_was_moved_stays_and_is_counted, side_empty),
		cmocka_unit_test_setup(states_go_too_and_one_that_was_taken_stays_taken, side_empty),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
