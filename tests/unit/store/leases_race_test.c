/* SPDX-License-Identifier: Apache-2.0 */
/* Takers of one lease at the same time, over connections of their own: one wins, and all others are told the truth by a
 * statement that waited for the winner's. */
#include <pthread.h>
#include <stdatomic.h>

#include "../../../gate/store/leases.h"
#include "../../../gate/store/links.h"
#include "fixture.h"

#define PROVIDER "forge"
#define LONG_MS 60000
#define TAKERS 8

static const uint8_t our_client[SHA256_BYTES] = {1, 2, 3};

static int64_t save_link(const struct fixture *f, const char *owner_id)
{
	struct problem problem = {0};
	int64_t generation = 0;
	struct link_tokens tokens = {.owner_id = owner_id,
		.provider_id = PROVIDER,
		.access_token = fixture_secret("a"),
		.refresh_token = fixture_secret("r")};
	assert_done(link_save(f->store, &tokens, &generation, &problem), problem);
	return generation;
}

struct taker {
	pthread_t thread;
	struct store *store;
	struct lease_name name;
	char lease_id[UUID_TEXT_SIZE];
	_Atomic int *barrier;
	struct lease_answer answer;
	bool done;
};

static void *take_in_thread(void *argument)
{
	struct taker *taker = argument;
	struct problem problem;
	struct arena *arena = arena_new(65536);
	struct lease_request request = {taker->name, LONG_MS, LONG_MS, our_client};

	atomic_fetch_sub(taker->barrier, 1);
	while (atomic_load(taker->barrier) > 0)
		continue;
	taker->done = lease_take(taker->store, arena, &request, &taker->answer, &problem);
	arena_free(arena);
	return NULL;
}

/* Every round is another generation. */
static void of_takers_at_once_one_wins(void **state)
{
	const struct fixture *f = *state;
	const char *owner_id = arena_copy(f->arena, fixture_user(f, "race").id);
	struct store *store = fixture_open(f, TAKERS, true);
	for (int round = 0; round < 40; round++) {
		struct taker takers[TAKERS] = {0};
		_Atomic int barrier = TAKERS;
		int64_t generation = save_link(f, owner_id);
		int taken = 0;
		for (int i = 0; i < TAKERS; i++) {
			uuid_new(takers[i].lease_id);
			takers[i].store = store;
			takers[i].barrier = &barrier;
			takers[i].name = (struct lease_name){owner_id, PROVIDER, generation, takers[i].lease_id};
			assert_int_equal(pthread_create(&takers[i].thread, NULL, take_in_thread, &takers[i]), 0);
		}
		for (int i = 0; i < TAKERS; i++) {
			pthread_join(takers[i].thread, NULL);
			assert_true(takers[i].done);
			assert_int_equal(takers[i].answer.state,
				taken == 0 && takers[i].answer.state == LEASE_TAKEN ? LEASE_TAKEN : LEASE_HELD);
			taken += takers[i].answer.state == LEASE_TAKEN;
		}
		assert_int_equal(taken, 1);
		assert_string_equal(fixture_sql(f, "SELECT max(unresolved) FROM links"), "1");
	}
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_takers_at_once_one_wins),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
