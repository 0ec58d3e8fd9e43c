/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency keys: of many runs with one key one writes, its answer is there exactly when its rows are, and a run that
 * died does not keep its key. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../../gate/store/idempotency.h"
#include "fixture.h"

#define NOBODY "01900000-0000-7000-8000-00000000dead"
#define LONG_MS 60000
#define RUNS 20
#define ROUNDS 10

/* A run that sends a key with a body. */
static struct idempotency_name run_of(const char *user_id, const char *key)
{
	struct idempotency_name name = {.user_id = user_id};
	fixture_hash(key, name.key_hash);
	uuid_new(name.holder);
	return name;
}

static struct idempotency_claim claim_for(
	const struct fixture *f, const struct idempotency_name *name, const char *body, int64_t hold_ms)
{
	struct problem problem = {0};
	struct idempotency_claim claim = {0};
	struct idempotency_request request = {.name = name, .hold_ms = hold_ms, .keep_ms = LONG_MS};
	fixture_hash(body, request.body_hash);
	assert_done(idempotency_claim(f->store, f->arena, &request, &claim, &problem), problem);
	return claim;
}

static enum idempotency_state claim(const struct fixture *f, const struct idempotency_name *name, const char *body)
{
	return claim_for(f, name, body, LONG_MS).state;
}

static void release(const struct fixture *f, const struct idempotency_name *name)
{
	struct problem problem = {0};
	assert_done(idempotency_release(f->store, name, &problem), problem);
}

static void refuse(const struct fixture *f, const struct idempotency_name *name, int64_t keep_ms)
{
	struct problem problem = {0};
	assert_done(idempotency_refuse(f->store, name, keep_ms, &problem), problem);
}

static enum insert_end create(
	const struct fixture *f, const struct create_try *try, const struct idempotency_name *name, const char *body)
{
	struct problem problem = {0};
	enum insert_end end = INSERT_DONE;
	const struct idempotency_answer answer = {name, 201, "/here", body};
	assert_done(fixture_create_once(f->store, try, &answer, &end, &problem), problem);
	return end;
}

static const char *count_workspaces(const struct fixture *f, const char *name)
{
	return fixture_sql(f, arena_printf(f->arena,
				      "SELECT count(*) FROM workspaces w JOIN builds b ON b.workspace_id = w.id "
				      "JOIN decisions d ON d.id = w.decision_id WHERE w.name = '%s'",
				      name));
}

static void key_is_held_by_one_run_and_for_one_body(void **state)
{
	const struct fixture *f = *state;
	const struct user user = fixture_user(f, "i-held");
	const struct idempotency_name first = run_of(user.id, "k");
	const struct idempotency_name second = run_of(user.id, "k");
	struct idempotency_claim taken = claim_for(f, &first, "a", LONG_MS);
	assert_int_equal(taken.state, IDEMPOTENCY_CLAIMED);
	assert_true(taken.now_ms > 0);
	/* As after a connection that was lost before its answer came. */
	assert_int_equal(claim(f, &first, "a"), IDEMPOTENCY_CLAIMED);
	struct idempotency_claim held = claim_for(f, &second, "a", LONG_MS);
	assert_int_equal(held.state, IDEMPOTENCY_HELD);
	assert_in_range(held.left_ms, LONG_MS / 2, LONG_MS);
	assert_int_equal(claim(f, &second, "b"), IDEMPOTENCY_OTHER);
	release(f, &second);
	assert_int_equal(claim(f, &second, "a"), IDEMPOTENCY_HELD);
	release(f, &first);
	assert_int_equal(claim(f, &second, "b"), IDEMPOTENCY_CLAIMED);
}

static void key_of_a_refusal_is_for_the_same_request(void **state)
{
	const struct fixture *f = *state;
	const struct user user = fixture_user(f, "i-refused");
	const struct idempotency_name first = run_of(user.id, "k");
	const struct idempotency_name second = run_of(user.id, "k");
	const struct idempotency_name third = run_of(user.id, "k");
	assert_int_equal(claim(f, &first, "a"), IDEMPOTENCY_CLAIMED);
	refuse(f, &second, LONG_MS);
	assert_int_equal(claim(f, &second, "a"), IDEMPOTENCY_HELD);
	refuse(f, &first, LONG_MS);
	assert_int_equal(claim(f, &second, "b"), IDEMPOTENCY_OTHER);
	assert_int_equal(claim(f, &second, "a"), IDEMPOTENCY_CLAIMED);
	assert_int_equal(claim(f, &third, "a"), IDEMPOTENCY_HELD);
	refuse(f, &second, 0);
	assert_int_equal(claim(f, &third, "b"), IDEMPOTENCY_CLAIMED);
}

static void keys_of_users_are_their_own(void **state)
{
	const struct fixture *f = *state;
	const struct user one = fixture_user(f, "i-one");
	const struct user two = fixture_user(f, "i-two");
	const struct idempotency_name of_one = run_of(one.id, "k");
	const struct idempotency_name of_two = run_of(two.id, "k");
	const struct idempotency_name other = run_of(one.id, "l");
	assert_int_equal(claim(f, &of_one, "a"), IDEMPOTENCY_CLAIMED);
	assert_int_equal(claim(f, &of_two, "b"), IDEMPOTENCY_CLAIMED);
	assert_int_equal(claim(f, &other, "c"), IDEMPOTENCY_CLAIMED);
}

static void user_who_is_gone_has_no_keys(void **state)
{
	const struct fixture *f = *state;
	struct problem problem = {0};
	struct idempotency_claim found = {0};
	const struct idempotency_name name = run_of(NOBODY, "k");
	const struct idempotency_request request = {.name = &name, .hold_ms = LONG_MS, .keep_ms = LONG_MS};
	assert_false(idempotency_claim(f->store, f->arena, &request, &found, &problem));
	assert_kind(problem, PROBLEM_UNAUTHENTICATED);
}

static void answer_is_told_again_and_stays(void **state)
{
	const struct fixture *f = *state;
	const struct user user = fixture_user(f, "i-told");
	const struct template_version version = fixture_version(f, "ti-told", NULL, NULL);
	const struct create_try try = {user.id, version.id, "i-told", NULL, 0};
	const struct idempotency_name first = run_of(user.id, "k");
	const struct idempotency_name second = run_of(user.id, "k");
	assert_int_equal(claim(f, &first, "a"), IDEMPOTENCY_CLAIMED);
	assert_int_equal(create(f, &try, &first, "{\"\xc3\xbc\": 1}"), INSERT_DONE);
	release(f, &first);
	for (int i = 0; i < 2; i++) {
		struct idempotency_claim told = claim_for(f, &second, "a", LONG_MS);
		assert_int_equal(told.state, IDEMPOTENCY_ANSWERED);
		assert_int_equal(told.answer.status, 201);
		assert_string_equal(told.answer.location, "/here");
		assert_string_equal(told.answer.body, "{\"\xc3\xbc\": 1}");
		assert_int_equal(claim(f, &second, "b"), IDEMPOTENCY_OTHER);
	}
	/* The first one's statement again, as nobody runs it: it holds nothing any more. */
	assert_int_equal(
		create(f, &(struct create_try){user.id, version.id, "i-more", NULL, 0}, &first, "{}"), INSERT_KEY_LOST);
	assert_string_equal(count_workspaces(f, "i-more"), "0");
	fixture_sql(f, "UPDATE idempotency_keys SET expires_at = clock_timestamp() WHERE location = '/here'");
	assert_int_equal(claim(f, &second, "b"), IDEMPOTENCY_CLAIMED);
	assert_int_equal(claim(f, &first, "b"), IDEMPOTENCY_HELD);
}

static void nothing_is_answered_where_nothing_is_written(void **state)
{
	const struct fixture *f = *state;
	const struct user user = fixture_user(f, "i-none");
	const struct template_version version = fixture_version(f, "ti-none", "github", NULL);
	const struct idempotency_name first = run_of(user.id, "k");
	const struct idempotency_name second = run_of(user.id, "k");
	struct create_try try = {user.id, version.id, "i-none", NULL, 0};
	int64_t generation = fixture_link(f, user.id, "github", "t");
	assert_int_equal(create(f, &try, &first, "{}"), INSERT_KEY_LOST);
	assert_int_equal(claim(f, &first, "a"), IDEMPOTENCY_CLAIMED);
	try.provider_id = "github";
	try.generation = generation + 1;
	assert_int_equal(create(f, &try, &first, "{}"), INSERT_LINKS_MOVED);
	try.version_id = NOBODY;
	try.generation = generation;
	assert_int_equal(create(f, &try, &first, "{}"), INSERT_VERSION_GONE);
	assert_int_equal(claim(f, &second, "a"), IDEMPOTENCY_HELD);
	assert_string_equal(count_workspaces(f, "i-none"), "0");
	try.version_id = version.id;
	assert_int_equal(create(f, &try, &first, "{}"), INSERT_DONE);
	assert_int_equal(claim(f, &second, "a"), IDEMPOTENCY_ANSWERED);
	const struct idempotency_name third = run_of(user.id, "l");
	assert_int_equal(claim(f, &third, "a"), IDEMPOTENCY_CLAIMED);
	assert_int_equal(create(f, &try, &third, "{}"), INSERT_NAME_TAKEN);
	assert_int_equal(claim(f, &second, "a"), IDEMPOTENCY_ANSWERED);
	assert_int_equal(claim(f, &third, "a"), IDEMPOTENCY_CLAIMED);
}

static void run_that_died_is_taken_over_and_cannot_write(void **state)
{
	const struct fixture *f = *state;
	const struct user user = fixture_user(f, "i-dead");
	const struct template_version version = fixture_version(f, "ti-dead", NULL, NULL);
	const struct create_try try = {user.id, version.id, "i-dead", NULL, 0};
	const struct idempotency_name dead = run_of(user.id, "k");
	const struct idempotency_name next = run_of(user.id, "k");
	const struct idempotency_name late = run_of(user.id, "k");
	assert_int_equal(claim_for(f, &dead, "a", 0).state, IDEMPOTENCY_CLAIMED);
	assert_int_equal(claim(f, &next, "b"), IDEMPOTENCY_OTHER);
	assert_int_equal(claim(f, &next, "a"), IDEMPOTENCY_CLAIMED);
	assert_int_equal(create(f, &try, &dead, "{\"by\": \"dead\"}"), INSERT_KEY_LOST);
	assert_string_equal(count_workspaces(f, "i-dead"), "0");
	release(f, &dead);
	assert_int_equal(claim(f, &late, "a"), IDEMPOTENCY_HELD);
	assert_int_equal(create(f, &try, &next, "{\"by\": \"next\"}"), INSERT_DONE);
	struct idempotency_claim told = claim_for(f, &late, "a", LONG_MS);
	assert_int_equal(told.state, IDEMPOTENCY_ANSWERED);
	assert_string_equal(told.answer.body, "{\"by\": \"next\"}");
}

/* Slow, but nobody came: what it judged still stands, and it is still the holder. */
static void run_that_is_late_and_alone_writes(void **state)
{
	const struct fixture *f = *state;
	const struct user user = fixture_user(f, "i-late");
	const struct template_version version = fixture_version(f, "ti-late", NULL, NULL);
	const struct create_try try = {user.id, version.id, "i-late", NULL, 0};
	const struct idempotency_name late = run_of(user.id, "k");
	assert_int_equal(claim_for(f, &late, "a", 0).state, IDEMPOTENCY_CLAIMED);
	assert_int_equal(create(f, &try, &late, "{}"), INSERT_DONE);
	const struct idempotency_name next = run_of(user.id, "k");
	assert_int_equal(claim(f, &next, "a"), IDEMPOTENCY_ANSWERED);
}

/* --- many at once ---------------------------------------------------------------------------------------------------
 */

struct racer {
	pthread_t thread;
	struct store *store;
	pthread_barrier_t *barrier;
	struct idempotency_request request;
	struct idempotency_name name;
	struct create_try try;
	bool ran;
	enum idempotency_state state;
	enum insert_end end;
};

/* Claims, and where that succeeds creates, each of a name of its own: the key alone keeps the others back. */
static void *race(void *argument)
{
	struct racer *racer = argument;
	struct problem problem = {0};
	struct idempotency_claim claim = {0};
	struct arena *arena = arena_new(65536);
	const struct idempotency_answer answer = {&racer->name, 201, NULL, "{}"};
	pthread_barrier_wait(racer->barrier);
	racer->ran = idempotency_claim(racer->store, arena, &racer->request, &claim, &problem);
	racer->state = claim.state;
	if (racer->ran && claim.state == IDEMPOTENCY_CLAIMED)
		racer->ran = fixture_create_once(racer->store, &racer->try, &answer, &racer->end, &problem);
	arena_free(arena);
	return NULL;
}

/* A hold of nothing is taken over at once, so then many may begin; still one writes. */
static void race_for_one_key(const struct fixture *f, const char *prefix, int64_t hold_ms)
{
	const struct user user = fixture_user(f, prefix);
	const struct template_version version = fixture_version(f, prefix, NULL, NULL);
	struct store *store = fixture_open(f, RUNS, true);
	struct racer racers[RUNS];
	char names[RUNS][32];
	pthread_barrier_t barrier;
	pthread_barrier_init(&barrier, NULL, RUNS);
	for (int round = 0; round < ROUNDS; round++) {
		const char *key = arena_printf(f->arena, "%s-%d", prefix, round);
		int done = 0;
		int claimed = 0;
		for (int i = 0; i < RUNS; i++) {
			(void)snprintf(names[i], sizeof(names[i]), "%s-%d-%d", prefix, round, i);
			racers[i] = (struct racer){.store = store, .barrier = &barrier, .end = INSERT_KEY_LOST};
			racers[i].name = run_of(user.id, key);
			racers[i].try = (struct create_try){user.id, version.id, names[i], NULL, 0};
			racers[i].request = (struct idempotency_request){
				.name = &racers[i].name, .hold_ms = hold_ms, .keep_ms = LONG_MS};
			assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
		}
		for (int i = 0; i < RUNS; i++) {
			pthread_join(racers[i].thread, NULL);
			assert_true(racers[i].ran);
			assert_int_not_equal(racers[i].state, IDEMPOTENCY_OTHER);
			done += racers[i].end == INSERT_DONE;
			claimed += racers[i].state == IDEMPOTENCY_CLAIMED;
		}
		assert_int_equal(done, 1);
		assert_true(hold_ms == 0 || claimed == 1);
	}
	pthread_barrier_destroy(&barrier);
	store_close(store);
	assert_int_equal(
		strtol(fixture_sql(f, arena_printf(f->arena, "SELECT count(*) FROM workspaces WHERE owner_id = '%s'",
					      user.id)),
			NULL, 10),
		ROUNDS);
}

static void of_runs_at_once_one_does_it(void **state)
{
	race_for_one_key(*state, "i-race", LONG_MS);
}

static void of_runs_that_take_one_another_over_one_does_it(void **state)
{
	race_for_one_key(*state, "i-over", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_is_held_by_one_run_and_for_one_body),
		cmocka_unit_test(key_of_a_refusal_is_for_the_same_request),
		cmocka_unit_test(keys_of_users_are_their_own),
		cmocka_unit_test(user_who_is_gone_has_no_keys),
		cmocka_unit_test(answer_is_told_again_and_stays),
		cmocka_unit_test(nothing_is_answered_where_nothing_is_written),
		cmocka_unit_test(run_that_died_is_taken_over_and_cannot_write),
		cmocka_unit_test(run_that_is_late_and_alone_writes),
		cmocka_unit_test(of_runs_at_once_one_does_it),
		cmocka_unit_test(of_runs_that_take_one_another_over_one_does_it),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
