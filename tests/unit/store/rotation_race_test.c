/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of keys against everything that may happen to a row between its reading and its writing: whoever links or
 * unlinks wins, and what is only noted stays. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "sides.h"

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
		side_save(both, owner_id, "a", "newer", "newer-refresh");
		return;
	case RELINK_OLD_KEY:
		side_save(old, owner_id, "a", "newer", "newer-refresh");
		return;
	case RELINK_SAME_TOKENS:
		side_save(old, owner_id, "a", "access", "refresh");
		return;
	case UNLINK:
		unlink_it(f, both, owner_id);
		return;
	case UNLINK_AND_LINK:
		unlink_it(f, both, owner_id);
		side_save(old, owner_id, "a", "newer", "newer-refresh");
		return;
	case NOTE_VALID:
		assert_done(link_note_valid(both.store, owner_id, "a", 1, "octocat", &problem), problem);
		return;
	case OTHER_ROTATION:
		assert_int_equal(side_rotate(both, 10, false).links, 1);
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
	struct side old = side_open(f, keys_before);
	struct side both = side_open(f, KEY_B "," KEY_A);
	char name[32];
	snprintf(name, sizeof(name), "r-%d-%d", (int)meanwhile, from_clear);
	struct user user = fixture_user(f, name);
	side_save(old, user.id, "a", "access", "refresh");
	struct rotation *rotation = side_begin(both, 10, from_clear);
	assert_true(rotation_read_batch(rotation));
	if (from_clear && meanwhile == OTHER_ROTATION)
		assert_int_equal(side_rotate(both, 10, true).links, 1);
	else
		happen(f, meanwhile, old, both, user.id);
	rotation_write_batch(rotation);
	assert_int_equal(rotation_tally(rotation).links, EXPECTED[meanwhile].written);
	assert_false(rotation_read_batch(rotation));
	do
		rotation_run_pass(rotation);
	while (rotation_tally(rotation).found > 0);
	rotation_free(rotation);
	if (EXPECTED[meanwhile].access != NULL) {
		struct side new = side_open(f, KEY_B);
		side_assert_tokens(f, new, user.id, "a", EXPECTED[meanwhile].access, EXPECTED[meanwhile].refresh);
		struct link link = side_find(f, new, user.id, "a");
		assert_int_equal(link.generation, EXPECTED[meanwhile].generation);
		assert_int_equal(link.last_valid_at_ms != 0, meanwhile == NOTE_VALID);
		side_close(new);
	}
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM links WHERE access_token IS NOT NULL AND "
					   "coalesce(key_id, '') "
					   "<> (SELECT coalesce(max(key_id), '') FROM links)"),
		"0");
	side_close(old);
	side_close(both);
}

static void whoever_links_or_unlinks_wins(void **state)
{
	for (int i = 0; i < MEANWHILE_COUNT; i++) {
		side_empty(state);
		try_one(*state, (enum meanwhile)i, KEY_A, false);
	}
}

static void the_same_where_tokens_are_clear(void **state)
{
	for (int i = 0; i < MEANWHILE_COUNT; i++) {
		side_empty(state);
		try_one(*state, (enum meanwhile)i, "", true);
	}
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
				side_assert_tokens(f, side, writer->users[owner].id, name, token, token);
		}
}

static void several_rotations_and_writers_at_once_lose_nothing(void **state)
{
	struct fixture *f = *state;
	struct side sides[2] = {side_open(f, KEY_B "," KEY_A), side_open(f, KEY_B "," KEY_A)};
	struct side old = side_open(f, KEY_A "," KEY_B);
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
	side_rotate(sides[0], 100, false);
	struct side new = side_open(f, KEY_B);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_written(f, new, &writers[i]);
	assert_int_equal(side_report(f, new).count, 1);
	side_close(sides[0]);
	side_close(sides[1]);
	side_close(old);
	side_close(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(whoever_links_or_unlinks_wins, side_empty),
		cmocka_unit_test_setup(the_same_where_tokens_are_clear, side_empty),
		cmocka_unit_test_setup(several_rotations_and_writers_at_once_lose_nothing, side_empty),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
