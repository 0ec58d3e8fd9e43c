/* SPDX-License-Identifier: Apache-2.0 */
/* Many at once: one login a code however many poll, one successor a refresh token however many refresh, an approval
 * that races a redemption, a suspension that races one, and a database that is killed in the middle. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "logins.h"

#define CROWD 50
#define ROUNDS_DEFAULT 1000

struct racer {
	struct store *store;
	pthread_barrier_t *barrier;
	struct arena *arena;
	const char *secret;    /* device code or refresh token */
	const char *user_code; /* of who approves */
	const struct user *user;
	const char *session_id;
	bool denies;
	struct device_outcome polled;
	struct family_outcome refreshed;
	struct device_entry_answer entry;
	struct problem problem;
	bool done;
};

static void *poll_in_thread(void *argument)
{
	struct racer *self = argument;
	const struct device_poll poll = {self->secret, CLIENT, login_limits};
	pthread_barrier_wait(self->barrier);
	self->done = device_grant_poll(self->store, self->arena, &poll, &self->polled, &self->problem);
	return NULL;
}

static void *refresh_in_thread(void *argument)
{
	struct racer *self = argument;
	const struct family_use use = {self->secret, CLIENT, login_limits};
	pthread_barrier_wait(self->barrier);
	self->done = family_refresh(self->store, self->arena, &use, &self->refreshed, &self->problem);
	return NULL;
}

static void *answer_in_thread(void *argument)
{
	struct racer *self = argument;
	const struct device_entry entry = {self->user_code, self->user->id, self->session_id, "127.0.0.1"};
	pthread_barrier_wait(self->barrier);
	self->done = device_grant_decide(self->store, self->arena, &entry, !self->denies, &self->entry, &self->problem);
	return NULL;
}

static void *suspend_in_thread(void *argument)
{
	struct racer *self = argument;
	struct user user;
	const struct user_change change = {.suspended = &(bool){true}};
	bool found = false;
	pthread_barrier_wait(self->barrier);
	self->done = user_update(self->store, self->arena, self->user, &change, &found, &user, &self->problem);
	return NULL;
}

static void crowd_make(struct racer *racers, size_t count, struct store *store, pthread_barrier_t *barrier)
{
	pthread_barrier_init(barrier, NULL, (unsigned)count);
	for (size_t i = 0; i < count; i++)
		racers[i] = (struct racer){.store = store, .barrier = barrier, .arena = arena_new(1024 * 1024)};
}

static void crowd_drop(struct racer *racers, size_t count, pthread_barrier_t *barrier)
{
	for (size_t i = 0; i < count; i++)
		arena_free(racers[i].arena);
	pthread_barrier_destroy(barrier);
}

static void of_fifty_polls_one_makes_a_family(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "r-polls");
	struct store *store = fixture_open(f, 16, true);
	pthread_barrier_t barrier;
	struct racer racers[CROWD];
	crowd_make(racers, CROWD, store, &barrier);
	struct device_codes codes = login_codes(f, "");
	login_decide(f, &codes, &user, true);
	int redeemed = 0;
	for (size_t i = 0; i < CROWD; i++)
		racers[i].secret = codes.device_code.text;
	job_race(CROWD, racers, sizeof(racers[0]), poll_in_thread);
	for (size_t i = 0; i < CROWD; i++) {
		assert_done(racers[i].done, racers[i].problem);
		assert_true(racers[i].polled.answer == GRANT_ANSWER_REDEEM ||
			    racers[i].polled.answer == GRANT_ANSWER_REPLAY);
		redeemed += racers[i].polled.answer == GRANT_ANSWER_REDEEM;
		assert_string_equal(racers[i].polled.pair.refresh_token.text, racers[0].polled.pair.refresh_token.text);
		assert_string_equal(racers[i].polled.pair.access_token.text, racers[0].polled.pair.access_token.text);
	}
	assert_int_equal(redeemed, 1);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM token_families"), "1");
	crowd_drop(racers, CROWD, &barrier);
	store_close(store);
}

static void of_fifty_refreshes_one_makes_a_head(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "r-refreshes");
	struct store *store = fixture_open(f, 16, true);
	pthread_barrier_t barrier;
	struct racer racers[CROWD];
	crowd_make(racers, CROWD, store, &barrier);
	struct login_pair pair = login_begin(f, &user);
	int rotated = 0;
	for (size_t i = 0; i < CROWD; i++)
		racers[i].secret = pair.refresh_token.text;
	job_race(CROWD, racers, sizeof(racers[0]), refresh_in_thread);
	for (size_t i = 0; i < CROWD; i++) {
		assert_done(racers[i].done, racers[i].problem);
		assert_true(racers[i].refreshed.answer == FAMILY_ROTATE || racers[i].refreshed.answer == FAMILY_REPLAY);
		rotated += racers[i].refreshed.answer == FAMILY_ROTATE;
		assert_string_equal(
			racers[i].refreshed.pair.refresh_token.text, racers[0].refreshed.pair.refresh_token.text);
	}
	assert_int_equal(rotated, 1);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM api_tokens WHERE family_id IS NOT NULL"), "2");
	assert_int_equal(login_refresh(f, racers[0].refreshed.pair.refresh_token.text).answer, FAMILY_ROTATE);
	crowd_drop(racers, CROWD, &barrier);
	store_close(store);
}

/* Two users, each of whom says yes and no many times: one answer counts, and it is its user's. */
static void of_twenty_answers_of_two_users_one_counts(void **state)
{
	const struct fixture *f = *state;
	const struct user users[] = {fixture_user(f, "r-first"), fixture_user(f, "r-second")};
	struct store *store = fixture_open(f, 16, true);
	pthread_barrier_t barrier;
	struct racer racers[20];
	struct device_codes codes = login_codes(f, "");
	const struct racer *winner = NULL;
	crowd_make(racers, COUNT_OF(racers), store, &barrier);
	for (size_t i = 0; i < COUNT_OF(racers); i++) {
		racers[i].user_code = codes.user_code;
		racers[i].user = &users[i % 2];
		racers[i].session_id = login_session(f, racers[i].user);
		racers[i].denies = i / 2 % 2;
	}
	job_race(COUNT_OF(racers), racers, sizeof(racers[0]), answer_in_thread);
	for (size_t i = 0; i < COUNT_OF(racers); i++) {
		assert_done(racers[i].done, racers[i].problem);
		if (racers[i].entry.end != DEVICE_ENTRY_FOUND)
			continue;
		assert_null(winner);
		winner = &racers[i];
	}
	assert_non_null(winner);
	assert_string_equal(login_status(f, &codes), winner->denies ? "denied" : "approved");
	assert_string_equal(fixture_sql(f, "SELECT user_id FROM device_grants"), winner->user->id);
	crowd_drop(racers, COUNT_OF(racers), &barrier);
	store_close(store);
}

static int rounds(void)
{
	const char *given = getenv("GATEHOUSE_RACE_ROUNDS");
	return given != NULL ? (int)strtol(given, NULL, 10) : ROUNDS_DEFAULT;
}

/* Two approve, two poll: whatever the order, at most one login, and none is lost. */
static void approval_that_races_redemption_makes_one_login(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "r-approve");
	const char *session_id = login_session(f, &user);
	struct store *store = fixture_open(f, 4, true);
	for (int round = 0; round < rounds(); round++) {
		pthread_barrier_t barrier;
		struct racer racers[4];
		pthread_t threads[COUNT_OF(racers)];
		struct device_codes codes = login_codes(f, "");
		int approved = 0;
		crowd_make(racers, COUNT_OF(racers), store, &barrier);
		for (size_t i = 0; i < COUNT_OF(racers); i++) {
			racers[i].secret = codes.device_code.text;
			racers[i].user_code = codes.user_code;
			racers[i].user = &user;
			racers[i].session_id = session_id;
			pthread_create(&threads[i], NULL, i % 2 ? poll_in_thread : answer_in_thread, &racers[i]);
		}
		for (size_t i = 0; i < COUNT_OF(racers); i++) {
			pthread_join(threads[i], NULL);
			assert_done(racers[i].done, racers[i].problem);
			approved += i % 2 == 0 && racers[i].entry.end == DEVICE_ENTRY_FOUND;
		}
		assert_int_equal(approved, 1);
		enum grant_answer last = login_poll(f, &codes).answer;
		assert_true(last == GRANT_ANSWER_REDEEM || last == GRANT_ANSWER_REPLAY);
		assert_string_equal(fixture_sql(f, "SELECT count(*) FROM token_families"), "1");
		crowd_drop(racers, COUNT_OF(racers), &barrier);
		/* Who answers second has entered a code that is answered, which counts as a wrong one. */
		login_empty(state);
	}
	store_close(store);
}

/* Whoever is first, a suspended user has no login in the end. */
static void suspension_that_races_redemption_leaves_no_login(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "r-suspend");
	struct store *store = fixture_open(f, 4, true);
	for (int round = 0; round < rounds() / 10; round++) {
		pthread_barrier_t barrier;
		struct racer racers[2];
		pthread_t threads[COUNT_OF(racers)];
		struct device_codes codes = login_codes(f, "");
		login_decide(f, &codes, &user, true);
		crowd_make(racers, COUNT_OF(racers), store, &barrier);
		for (size_t i = 0; i < COUNT_OF(racers); i++) {
			racers[i].secret = codes.device_code.text;
			racers[i].user = &user;
			pthread_create(&threads[i], NULL, i % 2 ? poll_in_thread : suspend_in_thread, &racers[i]);
		}
		for (size_t i = 0; i < COUNT_OF(racers); i++) {
			pthread_join(threads[i], NULL);
			assert_done(racers[i].done, racers[i].problem);
		}
		assert_string_equal(fixture_sql(f, "SELECT count(*) FROM token_families"), "0");
		crowd_drop(racers, COUNT_OF(racers), &barrier);
		fixture_sql(f, "UPDATE users SET status = 'active'");
		fixture_sql(f, "DELETE FROM device_grants");
	}
	store_close(store);
}

/* A right code among many wrong ones at once is heard only while the wrong ones before it are few. */
static void parallel_guesses_are_counted_one_by_one(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "r-guess");
	const char *session_id = login_session(f, &user);
	struct store *store = fixture_open(f, 16, true);
	pthread_barrier_t barrier;
	struct racer racers[CROWD];
	crowd_make(racers, CROWD, store, &barrier);
	int heard = 0;
	for (size_t i = 0; i < CROWD; i++) {
		racers[i].user = &user;
		racers[i].session_id = session_id;
		racers[i].user_code = "XXXX-XXXX";
	}
	job_race(CROWD, racers, sizeof(racers[0]), answer_in_thread);
	for (size_t i = 0; i < CROWD; i++) {
		assert_done(racers[i].done, racers[i].problem);
		heard += racers[i].entry.end == DEVICE_ENTRY_NOT_FOUND;
	}
	assert_int_equal(heard, 10);
	crowd_drop(racers, CROWD, &barrier);
	store_close(store);
}

/* The row of the user is locked by another, so that the redemption has consumed nothing yet, or, with the index of
 * families locked, has consumed the code and not yet made the family; then the server process that runs it dies. */
static void killed_redemption_leaves_the_code_redeemable(void **state)
{
	const struct fixture *f = *state;
	const char *const locks[] = {"SELECT FROM users WHERE username = 'r-kill' FOR UPDATE", "LOCK TABLE "
											       "token_families IN "
											       "SHARE MODE"};
	struct user user = fixture_user(f, "r-kill");
	for (size_t i = 0; i < COUNT_OF(locks); i++) {
		struct store *store = fixture_open(f, 2, true);
		pthread_barrier_t barrier;
		pthread_t thread;
		struct racer racer;
		struct device_codes codes = login_codes(f, "");
		login_decide(f, &codes, &user, true);
		PGconn *holder = fixture_hold(f, locks[i]);
		crowd_make(&racer, 1, store, &barrier);
		racer.secret = codes.device_code.text;
		pthread_create(&thread, NULL, poll_in_thread, &racer);
		/* The redemption's statement stands still behind the lock that the test holds. */
		fixture_await(f, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "t");
		fixture_sql(f, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = "
			       "'Lock'");
		pthread_join(thread, NULL);
		assert_false(racer.done);
		assert_kind(racer.problem, PROBLEM_DATABASE_UNAVAILABLE);
		fixture_release(holder);
		assert_string_equal(login_status(f, &codes), "approved");
		assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_REDEEM);
		crowd_drop(&racer, 1, &barrier);
		store_close(store);
	}
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM token_families"), "2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(of_fifty_polls_one_makes_a_family, login_empty),
		cmocka_unit_test_setup(of_fifty_refreshes_one_makes_a_head, login_empty),
		cmocka_unit_test_setup(of_twenty_answers_of_two_users_one_counts, login_empty),
		cmocka_unit_test_setup(approval_that_races_redemption_makes_one_login, login_empty),
		cmocka_unit_test_setup(suspension_that_races_redemption_leaves_no_login, login_empty),
		cmocka_unit_test_setup(parallel_guesses_are_counted_one_by_one, login_empty),
		cmocka_unit_test_setup(killed_redemption_leaves_the_code_redeemable, login_empty),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
