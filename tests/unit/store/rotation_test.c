/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of keys against everything that may happen to a row between its reading and its writing: whoever links or
 * unlinks wins, what is only noted stays, a killed rotation is taken up, and an old key can be taken away afterwards
 * and not before. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../../../gate/store/browser.h"
#include "../../../gate/store/key_report.h"
#include "../../../gate/store/links.h"
#include "../../../gate/store/rotation.h"
#include "fixture.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

/* A store with keys of its own on the fixture's database. */
struct side {
	struct vault *vault;
	struct store *store;
};

static struct side open_side(const struct fixture *f, const char *keys)
{
	struct problem problem = {0};
	struct side side = {0};
	assert_done(vault_open(fixture_secret(keys), &side.vault, &problem), problem);
	struct store_options options = {f->url, true, 2, side.vault};
	assert_done(store_open(&options, &side.store, &problem), problem);
	return side;
}

static void close_side(struct side side)
{
	store_close(side.store);
	vault_close(side.vault);
}

static int empty(void **state)
{
	fixture_sql(*state, "DELETE FROM links");
	fixture_sql(*state, "DELETE FROM oauth_states");
	fixture_sql(*state, "DELETE FROM vault_check");
	fixture_sql(*state, "DELETE FROM users");
	return 0;
}

static int64_t save(
	struct side side, const char *owner_id, const char *provider_id, const char *access, const char *refresh)
{
	struct problem problem = {0};
	int64_t generation = 0;
	struct link_tokens tokens = {
		.owner_id = owner_id, .provider_id = provider_id, .access_token = fixture_secret(access)};
	if (refresh != NULL)
		tokens.refresh_token = fixture_secret(refresh);
	assert_done(link_save(side.store, &tokens, &generation, &problem), problem);
	return generation;
}

static struct link find(const struct fixture *f, struct side side, const char *owner_id, const char *provider_id)
{
	struct problem problem = {0};
	struct link link = {0};
	bool found = false;
	assert_done(link_find(side.store, f->arena, owner_id, provider_id, &found, &link, &problem), problem);
	assert_true(found);
	return link;
}

static void assert_tokens(const struct fixture *f, struct side side, const char *owner_id, const char *provider_id,
	const char *access, const char *refresh)
{
	struct link link = find(f, side, owner_id, provider_id);
	assert_true(link.readable);
	assert_string_equal(link.access_token.text, access);
	if (refresh == NULL)
		assert_true(secret_is_empty(link.refresh_token));
	else
		assert_string_equal(link.refresh_token.text, refresh);
}

static struct rotation *begin(struct side side, size_t batch, bool from_clear)
{
	struct problem problem = {0};
	struct rotation *rotation = NULL;
	struct rotation_plan plan = {batch, from_clear};
	assert_done(rotation_new(side.store, plan, &rotation, &problem), problem);
	return rotation;
}

static bool read_batch(struct rotation *rotation)
{
	struct problem problem = {0};
	bool more = false;
	assert_done(rotation_read(rotation, &more, &problem), problem);
	return more;
}

static void write_batch(struct rotation *rotation)
{
	struct problem problem = {0};
	assert_done(rotation_write(rotation, &problem), problem);
}

static void run_pass(struct rotation *rotation)
{
	while (read_batch(rotation))
		write_batch(rotation);
}

static struct rotation_tally rotate_all(struct side side, size_t batch, bool from_clear)
{
	struct rotation *rotation = begin(side, batch, from_clear);
	do
		run_pass(rotation);
	while (rotation_tally(rotation).found > 0);
	struct rotation_tally tally = rotation_tally(rotation);
	rotation_free(rotation);
	return tally;
}

static size_t retire(const struct fixture *f, struct side side)
{
	struct problem problem = {0};
	const char **key_ids = NULL;
	size_t count = 0;
	assert_done(rotation_retire(side.store, f->arena, &count, &key_ids, &problem), problem);
	return count;
}

static struct key_report report_of(const struct fixture *f, struct side side)
{
	struct problem problem = {0};
	struct key_report report;
	assert_done(key_report_read(side.store, f->arena, &report, &problem), problem);
	return report;
}

/* --- the whole way ------------------------------------------------------------------------------------------------ */

static void old_key_goes_after_a_rotation_and_not_before(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct side old = open_side(f, KEY_A);
	struct side both = open_side(f, KEY_B "," KEY_A);
	struct side new = open_side(f, KEY_B);
	struct user user = fixture_user(f, "r-way");
	assert_done(vault_check(old.vault, old.store, &problem), problem);
	int64_t generation = save(old, user.id, "a", "access-a", "refresh-a");
	save(old, user.id, "b", "access-b", NULL);
	assert_done(vault_check(both.vault, both.store, &problem), problem);
	assert_int_equal(retire(f, both), 0);
	struct key_report report = report_of(f, both);
	assert_int_equal(report.count, 2);
	assert_int_equal(report.lines[0].state, KEY_SEALS);
	assert_int_equal(report.lines[1].state, KEY_IN_USE);
	assert_int_equal(report.lines[1].links, 2);
	assert_false(vault_check(new.vault, new.store, &problem));

	struct rotation_tally tally = rotate_all(both, 1, false);
	assert_int_equal(tally.links, 2);
	assert_int_equal(tally.unreadable, 0);
	assert_int_equal(report_of(f, both).lines[1].state, KEY_RELEASABLE);
	assert_false(vault_check(new.vault, new.store, &problem));
	assert_int_equal(retire(f, both), 1);
	assert_int_equal(report_of(f, both).lines[1].state, KEY_UNUSED);
	assert_done(vault_check(new.vault, new.store, &problem), problem);
	assert_tokens(f, new, user.id, "a", "access-a", "refresh-a");
	assert_tokens(f, new, user.id, "b", "access-b", NULL);
	assert_int_equal(find(f, new, user.id, "a").generation, generation);
	assert_int_equal(rotate_all(both, 1, false).links, 0);
	close_side(old);
	close_side(both);
	close_side(new);
}

/* The first slot is free again, the second taken: a third key still finds a place. */
static void a_third_key_follows_a_retired_first(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct side old = open_side(f, KEY_A);
	struct side both = open_side(f, KEY_B "," KEY_A);
	struct side third = open_side(f, "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=," KEY_B);
	assert_done(vault_check(old.vault, old.store, &problem), problem);
	assert_done(vault_check(both.vault, both.store, &problem), problem);
	assert_int_equal(retire(f, both), 1);
	assert_done(vault_check(third.vault, third.store, &problem), problem);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM vault_check"), "2");
	close_side(old);
	close_side(both);
	close_side(third);
}

/* A service that runs on with the old list seals with the key whose check value is forgotten. */
static void a_row_of_a_retired_key_is_found_at_start(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct side old = open_side(f, KEY_A);
	struct side both = open_side(f, KEY_B "," KEY_A);
	struct side new = open_side(f, KEY_B);
	struct side none = open_side(f, "");
	struct user user = fixture_user(f, "r-late");
	assert_done(vault_check(old.vault, old.store, &problem), problem);
	assert_done(vault_check(both.vault, both.store, &problem), problem);
	assert_int_equal(retire(f, both), 1);
	save(old, user.id, "a", "late", NULL);
	assert_false(vault_check(new.vault, new.store, &problem));
	assert_non_null(strstr(problem.message, vault_key_id_at(old.vault, 0)));
	assert_non_null(strstr(problem.detail, "GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS"));
	assert_false(vault_check(none.vault, none.store, &problem));
	assert_false(find(f, new, user.id, "a").readable);
	assert_int_equal(report_of(f, new).lines[1].state, KEY_MISSING);
	assert_done(vault_check(both.vault, both.store, &problem), problem);
	assert_int_equal(rotate_all(both, 10, false).links, 1);
	assert_done(vault_check(new.vault, new.store, &problem), problem);
	assert_tokens(f, new, user.id, "a", "late", NULL);
	close_side(old);
	close_side(both);
	close_side(new);
	close_side(none);
}

/* --- between reading and writing ---------------------------------------------------------------------------------- */

enum meanwhile {
	NOTHING,
	RELINK_NEW_KEY,
	RELINK_OLD_KEY,
	RELINK_SAME_TOKENS,
	UNLINK,
	UNLINK_AND_LINK,
	NOTE_VALID,
	OTHER_ROTATION,
	DELETE_USER,
	MEANWHILE_COUNT
};

static void unlink_it(const struct fixture *f, struct side side, const char *owner_id)
{
	struct problem problem = {0};
	struct link link = {0};
	bool found = false;
	assert_done(link_delete(side.store, f->arena, owner_id, "a", &found, &link, &problem), problem);
	assert_true(found && link.readable);
}

static void happen(
	const struct fixture *f, enum meanwhile meanwhile, struct side old, struct side both, const char *owner_id)
{
	struct problem problem = {0};
	switch (meanwhile) {
	case NOTHING:
	case MEANWHILE_COUNT:
		return;
	case RELINK_NEW_KEY:
		save(both, owner_id, "a", "newer", "newer-refresh");
		return;
	case RELINK_OLD_KEY:
		save(old, owner_id, "a", "newer", "newer-refresh");
		return;
	case RELINK_SAME_TOKENS:
		save(old, owner_id, "a", "access", "refresh");
		return;
	case UNLINK:
		unlink_it(f, both, owner_id);
		return;
	case UNLINK_AND_LINK:
		unlink_it(f, both, owner_id);
		save(old, owner_id, "a", "newer", "newer-refresh");
		return;
	case NOTE_VALID:
		assert_done(link_note_valid(both.store, owner_id, "a", 1, "octocat", &problem), problem);
		return;
	case OTHER_ROTATION:
		assert_int_equal(rotate_all(both, 10, false).links, 1);
		return;
	case DELETE_USER:
		fixture_sql(f, arena_printf(f->arena, "DELETE FROM users WHERE id = '%s'", owner_id));
		return;
	}
}

/* What the first pass writes, and what stands there in the end. NULL: no link. */
static const struct {
	int64_t written;
	const char *access;
	const char *refresh;
	int64_t generation;
} EXPECTED[MEANWHILE_COUNT] = {
	[NOTHING] = {1, "access", "refresh", 1},
	[RELINK_NEW_KEY] = {0, "newer", "newer-refresh", 2},
	[RELINK_OLD_KEY] = {0, "newer", "newer-refresh", 2},
	[RELINK_SAME_TOKENS] = {0, "access", "refresh", 2},
	[UNLINK] = {0, NULL, NULL, 0},
	[UNLINK_AND_LINK] = {0, "newer", "newer-refresh", 3},
	[NOTE_VALID] = {1, "access", "refresh", 1},
	[OTHER_ROTATION] = {0, "access", "refresh", 1},
	[DELETE_USER] = {0, NULL, NULL, 0},
};

static void try_one(const struct fixture *f, enum meanwhile meanwhile, const char *keys_before, bool from_clear)
{
	struct side old = open_side(f, keys_before);
	struct side both = open_side(f, KEY_B "," KEY_A);
	char name[32];
	snprintf(name, sizeof(name), "r-%d-%d", (int)meanwhile, from_clear);
	struct user user = fixture_user(f, name);
	save(old, user.id, "a", "access", "refresh");
	struct rotation *rotation = begin(both, 10, from_clear);
	assert_true(read_batch(rotation));
	if (from_clear && meanwhile == OTHER_ROTATION)
		assert_int_equal(rotate_all(both, 10, true).links, 1);
	else
		happen(f, meanwhile, old, both, user.id);
	write_batch(rotation);
	assert_int_equal(rotation_tally(rotation).links, EXPECTED[meanwhile].written);
	assert_false(read_batch(rotation));
	do
		run_pass(rotation);
	while (rotation_tally(rotation).found > 0);
	rotation_free(rotation);
	if (EXPECTED[meanwhile].access != NULL) {
		struct side new = open_side(f, KEY_B);
		assert_tokens(f, new, user.id, "a", EXPECTED[meanwhile].access, EXPECTED[meanwhile].refresh);
		struct link link = find(f, new, user.id, "a");
		assert_int_equal(link.generation, EXPECTED[meanwhile].generation);
		assert_int_equal(link.last_valid_at_ms != 0, meanwhile == NOTE_VALID);
		close_side(new);
	}
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM links WHERE access_token IS NOT NULL AND "
					   "coalesce(key_id, '') "
					   "<> (SELECT coalesce(max(key_id), '') FROM links)"),
		"0");
	close_side(old);
	close_side(both);
}

static void whoever_links_or_unlinks_wins(void **state)
{
	for (int i = 0; i < MEANWHILE_COUNT; i++) {
		empty(state);
		try_one(*state, (enum meanwhile)i, KEY_A, false);
	}
}

static void the_same_where_tokens_are_clear(void **state)
{
	for (int i = 0; i < MEANWHILE_COUNT; i++) {
		empty(state);
		try_one(*state, (enum meanwhile)i, "", true);
	}
}

/* A create holds its links for the length of its statement; the rotation goes round it and comes back. */
static void a_row_that_is_held_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct side old = open_side(f, KEY_A);
	struct side both = open_side(f, KEY_B "," KEY_A);
	struct user user = fixture_user(f, "r-held");
	save(old, user.id, "a", "one", NULL);
	save(old, user.id, "b", "two", NULL);
	PGconn *holder = PQconnectdb(f->url.text);
	PQclear(PQexec(holder, "BEGIN"));
	PQclear(PQexec(holder, "SELECT 1 FROM links WHERE provider_id = 'a' FOR SHARE"));
	struct rotation *rotation = begin(both, 10, false);
	run_pass(rotation);
	assert_int_equal(rotation_tally(rotation).links, 1);
	assert_int_equal(rotation_tally(rotation).found, 2);
	PQclear(PQexec(holder, "COMMIT"));
	PQfinish(holder);
	run_pass(rotation);
	assert_int_equal(rotation_tally(rotation).links, 2);
	run_pass(rotation);
	assert_int_equal(rotation_tally(rotation).found, 0);
	rotation_free(rotation);
	assert_tokens(f, both, user.id, "a", "one", NULL);
	close_side(old);
	close_side(both);
}

static void a_rotation_that_ends_early_is_taken_up(void **state)
{
	struct fixture *f = *state;
	struct side old = open_side(f, KEY_A);
	struct side both = open_side(f, KEY_B "," KEY_A);
	struct user user = fixture_user(f, "r-early");
	char provider[16];
	for (int i = 0; i < 25; i++) {
		snprintf(provider, sizeof(provider), "p%02d", i);
		save(old, user.id, provider, provider, provider);
	}
	struct rotation *rotation = begin(both, 4, false);
	for (int i = 0; i < 3; i++) {
		assert_true(read_batch(rotation));
		write_batch(rotation);
	}
	assert_true(read_batch(rotation));
	rotation_free(rotation);
	assert_int_equal(report_of(f, both).lines[0].links, 12);
	assert_int_equal(key_report_rows_to_do(&(struct key_report){0}, true), 0);
	assert_int_equal(rotate_all(both, 4, false).links, 13);
	for (int i = 0; i < 25; i++) {
		snprintf(provider, sizeof(provider), "p%02d", i);
		assert_tokens(f, both, user.id, provider, provider, provider);
	}
	close_side(old);
	close_side(both);
}

/* --- what is left alone ------------------------------------------------------------------------------------------- */

static void clear_rows_are_counted_and_left_without_the_flag(void **state)
{
	struct fixture *f = *state;
	struct side none = open_side(f, "");
	struct side new = open_side(f, KEY_B);
	struct user user = fixture_user(f, "r-clear");
	save(none, user.id, "a", "clear-token", "clear-refresh");
	struct rotation_tally tally = rotate_all(new, 10, false);
	assert_int_equal(tally.links, 0);
	assert_int_equal(report_of(f, new).clear_links, 1);
	assert_string_equal(fixture_sql(f, "SELECT access_token = 'clear-token' FROM links"), "t");
	assert_int_equal(rotate_all(new, 10, true).links, 1);
	assert_int_equal(report_of(f, new).clear_links, 0);
	assert_tokens(f, new, user.id, "a", "clear-token", "clear-refresh");
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM links WHERE position('clear'::bytea IN access_token) "
					   "> 0 OR "
					   "position('clear'::bytea IN refresh_token) > 0"),
		"0");
	close_side(none);
	close_side(new);
}

static void a_value_that_was_moved_stays_and_is_counted(void **state)
{
	struct fixture *f = *state;
	struct side old = open_side(f, KEY_A);
	struct side both = open_side(f, KEY_B "," KEY_A);
	struct user user = fixture_user(f, "r-moved");
	save(old, user.id, "a", "one", NULL);
	save(old, user.id, "b", "two", NULL);
	save(old, user.id, "c", "three", NULL);
	fixture_sql(f, "UPDATE links SET access_token = (SELECT access_token FROM links WHERE provider_id = 'b') WHERE "
		       "provider_id "
		       "= 'a'");
	struct rotation_tally tally = rotate_all(both, 1, false);
	assert_int_equal(tally.links, 2);
	assert_int_equal(tally.unreadable, 1);
	assert_int_equal(retire(f, both), 0);
	assert_string_equal(
		fixture_sql(f, "SELECT count(*) FROM links WHERE provider_id = 'a' AND access_token IS NOT NULL"), "1");
	close_side(old);
	close_side(both);
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
	struct side old = open_side(f, KEY_A);
	struct side both = open_side(f, KEY_B "," KEY_A);
	struct side new = open_side(f, KEY_B);
	fixture_user(f, "r-states");
	fixture_sql(f, "INSERT INTO browser_sessions (hash, id, user_id, expires_at) SELECT decode(repeat('ab', 32), "
		       "'hex'), "
		       "gen_random_uuid(), id, now() + interval '1 hour' FROM users WHERE username = 'r-states'");
	begin_state(f, old, "first-verifier");
	begin_state(f, old, "second-verifier");
	struct rotation *rotation = begin(both, 10, false);
	assert_true(read_batch(rotation));
	assert_true(take_state(f, both, "second-verifier"));
	write_batch(rotation);
	assert_int_equal(rotation_tally(rotation).states, 1);
	assert_int_equal(rotation_tally(rotation).links, 0);
	rotation_free(rotation);
	assert_false(take_state(f, new, "second-verifier"));
	assert_int_equal(report_of(f, new).lines[0].states, 1);
	assert_true(take_state(f, new, "first-verifier"));
	close_side(old);
	close_side(both);
	close_side(new);
}

/* --- all at once -------------------------------------------------------------------------------------------------- */

#define WRITERS 2
#define OWNERS 20
#define PROVIDERS 3
#define WRITES 300

struct writer {
	const struct fixture *f;
	struct side side;
	struct user *users;
	unsigned number;
	unsigned last[OWNERS][PROVIDERS]; /* what this writer wrote last where */
};

/* Each writer has owners of its own, so that it knows what must stand there in the end. Gives NULL where all went well.
 */
static void *write_links(void *argument)
{
	struct writer *writer = argument;
	for (unsigned i = 1; i <= WRITES; i++) {
		unsigned owner = i * 7 % (OWNERS / WRITERS) * WRITERS + writer->number;
		unsigned provider = i % PROVIDERS;
		char token[32];
		char name[8];
		snprintf(token, sizeof(token), "token-%u", i);
		snprintf(name, sizeof(name), "p%u", provider);
		struct problem problem = {0};
		struct link_tokens tokens = {.owner_id = writer->users[owner].id,
			.provider_id = name,
			.access_token = {token, strlen(token)},
			.refresh_token = {token, strlen(token)}};
		if (!link_save(writer->side.store, &tokens, NULL, &problem))
			return argument;
		writer->last[owner][provider] = i;
	}
	return NULL;
}

static void *rotate_on(void *argument)
{
	struct side *side = argument;
	struct problem problem = {0};
	struct rotation *rotation = NULL;
	struct rotation_plan plan = {7, false};
	bool done = rotation_new(side->store, plan, &rotation, &problem);
	for (int pass = 0; pass < 30 && done; pass++) {
		bool more = true;
		while (more && done)
			done = rotation_read(rotation, &more, &problem) && rotation_write(rotation, &problem);
	}
	rotation_free(rotation);
	return done ? NULL : argument;
}

static void assert_written(const struct fixture *f, struct side side, const struct writer *writer)
{
	for (unsigned owner = writer->number; owner < OWNERS; owner += WRITERS)
		for (unsigned provider = 0; provider < PROVIDERS; provider++) {
			char token[32];
			char name[8];
			snprintf(token, sizeof(token), "token-%u", writer->last[owner][provider]);
			snprintf(name, sizeof(name), "p%u", provider);
			if (writer->last[owner][provider] > 0)
				assert_tokens(f, side, writer->users[owner].id, name, token, token);
		}
}

static void several_rotations_and_writers_at_once_lose_nothing(void **state)
{
	struct fixture *f = *state;
	struct side sides[2] = {open_side(f, KEY_B "," KEY_A), open_side(f, KEY_B "," KEY_A)};
	struct side old = open_side(f, KEY_A "," KEY_B);
	static struct user users[OWNERS];
	static struct writer writers[WRITERS];
	pthread_t threads[WRITERS + 2];
	void *complaint = NULL;
	for (int i = 0; i < OWNERS; i++)
		users[i] = fixture_user(f, arena_printf(f->arena, "r-many-%d", i));
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){f, old, users, i, {{0}}};
		assert_int_equal(pthread_create(&threads[i], NULL, write_links, &writers[i]), 0);
		assert_int_equal(pthread_create(&threads[WRITERS + i], NULL, rotate_on, &sides[i]), 0);
	}
	for (size_t i = 0; i < WRITERS + 2; i++) {
		assert_int_equal(pthread_join(threads[i], &complaint), 0);
		assert_null(complaint);
	}
	rotate_all(sides[0], 100, false);
	struct side new = open_side(f, KEY_B);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_written(f, new, &writers[i]);
	assert_int_equal(report_of(f, new).count, 1);
	close_side(sides[0]);
	close_side(sides[1]);
	close_side(old);
	close_side(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(old_key_goes_after_a_rotation_and_not_before, empty),
		cmocka_unit_test_setup(a_third_key_follows_a_retired_first, empty),
		cmocka_unit_test_setup(a_row_of_a_retired_key_is_found_at_start, empty),
		cmocka_unit_test_setup(whoever_links_or_unlinks_wins, empty),
		cmocka_unit_test_setup(the_same_where_tokens_are_clear, empty),
		cmocka_unit_test_setup(a_row_that_is_held_is_passed_over, empty),
		cmocka_unit_test_setup(a_rotation_that_ends_early_is_taken_up, empty),
		cmocka_unit_test_setup(clear_rows_are_counted_and_left_without_the_flag, empty),
		cmocka_unit_test_setup(a_value_that_was_moved_stays_and_is_counted, empty),
		cmocka_unit_test_setup(states_go_too_and_one_that_was_taken_stays_taken, empty),
		cmocka_unit_test_setup(several_rotations_and_writers_at_once_lose_nothing, empty),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
