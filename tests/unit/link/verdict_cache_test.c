/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict cache by itself: what it remembers for whom, what replaces what, its bound, and many threads at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../../gate/base/clock.h"
#include "../../../gate/link/verdict_cache.h"

#define ALICE "01920000-0000-7000-8000-00000000000a"
#define BOB "01920000-0000-7000-8000-00000000000b"

/* What is promised for 16 MiB. */
#define LINKS 100000

static const struct provider hub = {.id = "hub"}, lab = {.id = "lab"};

static struct verdict_cache *cache;

static int set_up(void **data)
{
	(void)data;
	cache = verdict_cache_new();
	return 0;
}

static int tear_down(void **data)
{
	(void)data;
	verdict_cache_free(cache);
	return 0;
}

static void put(const char *owner, const struct provider *provider, int64_t generation, enum validation outcome,
	int64_t asked_us)
{
	const struct verdict_key key = {owner, provider, generation};

	verdict_cache_put(cache, &key, outcome, asked_us);
}

static enum validation find(const char *owner, const struct provider *provider, int64_t generation)
{
	const struct verdict_key key = {owner, provider, generation};
	int64_t asked_us;

	return verdict_cache_find(cache, &key, &asked_us);
}

static void a_verdict_is_for_one_owner_provider_and_generation(void **data)
{
	(void)data;
	const struct verdict_key key = {ALICE, &hub, 3};
	int64_t asked_us = 0;

	put(ALICE, &hub, 3, VALIDATION_CONFIRMED, 1000);
	assert_int_equal(verdict_cache_find(cache, &key, &asked_us), VALIDATION_CONFIRMED);
	assert_int_equal(asked_us, 1000);
	assert_int_equal(find(ALICE, &hub, 2), VALIDATION_NONE);
	assert_int_equal(find(ALICE, &hub, 4), VALIDATION_NONE);
	assert_int_equal(find(ALICE, &lab, 3), VALIDATION_NONE);
	assert_int_equal(find(BOB, &hub, 3), VALIDATION_NONE);
	assert_int_equal(find("01920000-0000-7000-8000-00000000000A", &hub, 3), VALIDATION_CONFIRMED);
}

static void only_clear_words_are_remembered(void **data)
{
	(void)data;
	put(ALICE, &hub, 1, VALIDATION_RATE_LIMITED, 1000);
	put(ALICE, &hub, 1, VALIDATION_UNAVAILABLE, 1000);
	put(ALICE, &hub, 1, VALIDATION_NONE, 1000);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_NONE);
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 1000);
	put(ALICE, &hub, 1, VALIDATION_UNAVAILABLE, 2000);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_CONFIRMED);
}

static void what_was_asked_later_stays(void **data)
{
	(void)data;
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 1000);
	put(ALICE, &hub, 1, VALIDATION_REJECTED, 2000);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_REJECTED);
	/* Asked before the provider said no, answered after. */
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 1500);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_REJECTED);
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 2000);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_REJECTED);
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 2001);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_CONFIRMED);
	put(ALICE, &hub, 1, VALIDATION_REJECTED, 2001);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_REJECTED);
}

static void a_generation_never_goes_back(void **data)
{
	(void)data;
	put(ALICE, &hub, 5, VALIDATION_REJECTED, 5000);
	put(ALICE, &hub, 6, VALIDATION_CONFIRMED, 4000);
	assert_int_equal(find(ALICE, &hub, 6), VALIDATION_CONFIRMED);
	put(ALICE, &hub, 5, VALIDATION_REJECTED, 9000);
	assert_int_equal(find(ALICE, &hub, 6), VALIDATION_CONFIRMED);
	assert_int_equal(find(ALICE, &hub, 5), VALIDATION_NONE);
}

static void what_is_dropped_is_forgotten(void **data)
{
	(void)data;
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 1000);
	put(ALICE, &lab, 1, VALIDATION_CONFIRMED, 1000);
	verdict_cache_drop(cache, ALICE, &hub);
	verdict_cache_drop(cache, ALICE, &hub);
	verdict_cache_drop(cache, BOB, &hub);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_NONE);
	assert_int_equal(find(ALICE, &lab, 1), VALIDATION_CONFIRMED);
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 500);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_CONFIRMED);
}

static void who_has_no_place_is_not_remembered(void **data)
{
	(void)data;
	put("alice", &hub, 1, VALIDATION_CONFIRMED, 1000);
	assert_int_equal(find("alice", &hub, 1), VALIDATION_NONE);
	const struct verdict_key key = {ALICE, &hub, 1};
	int64_t asked_us;
	verdict_cache_put(NULL, &key, VALIDATION_CONFIRMED, 1000);
	assert_int_equal(verdict_cache_find(NULL, &key, &asked_us), VALIDATION_NONE);
	assert_true(verdict_cache_claim_note(NULL, &key, 60000));
	verdict_cache_drop(NULL, ALICE, &hub);
}

static void a_note_is_claimed_once(void **data)
{
	(void)data;
	const struct verdict_key key = {ALICE, &hub, 1};
	const struct verdict_key next = {ALICE, &hub, 2};

	assert_true(verdict_cache_claim_note(cache, &key, 3600000));
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 1000);
	assert_true(verdict_cache_claim_note(cache, &key, 3600000));
	assert_false(verdict_cache_claim_note(cache, &key, 3600000));
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 2000);
	assert_false(verdict_cache_claim_note(cache, &key, 3600000));
	assert_true(verdict_cache_claim_note(cache, &key, 0));
	put(ALICE, &hub, 2, VALIDATION_CONFIRMED, 3000);
	assert_true(verdict_cache_claim_note(cache, &next, 3600000));
}

/* Ids as the database makes them: time-ordered, so they differ in a few of their bytes. */
static const char *owner_of(size_t number, char ret_owner[40])
{
	(void)snprintf(ret_owner, 40, "01920000-%04zx-7%03zx-8000-%012zx", number >> 12 & 0xffff, number & 0xfff,
		number * 0x9e3779b1U & 0xffffffffffff);
	return ret_owner;
}

static void a_hundred_thousand_links_have_room(void **data)
{
	char owner[40];

	(void)data;
	for (size_t i = 0; i < LINKS; i++)
		put(owner_of(i, owner), &hub, 1, VALIDATION_CONFIRMED, (int64_t)i + 1);
	for (size_t i = 0; i < LINKS; i++)
		assert_int_equal(find(owner_of(i, owner), &hub, 1), VALIDATION_CONFIRMED);
}

static void the_oldest_go_first(void **data)
{
	char owner[40];
	size_t old = 0, young = 0;

	(void)data;
	for (size_t i = 0; i < 3 * LINKS; i++)
		put(owner_of(i, owner), &hub, 1, VALIDATION_CONFIRMED, (int64_t)i + 1);
	for (size_t i = 0; i < LINKS; i++) {
		old += find(owner_of(i, owner), &hub, 1) != VALIDATION_NONE;
		young += find(owner_of(2 * LINKS + i, owner), &hub, 1) != VALIDATION_NONE;
	}
	assert_int_equal(old, 0);
	assert_int_equal(young, LINKS);
}

static void *work_at_random(void *argument)
{
	size_t seed = (size_t)(uintptr_t)argument;
	char owner[40];

	for (size_t i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005U + 1442695040888963407U;
		const struct verdict_key key = {
			owner_of(seed >> 40 & 63, owner), seed >> 50 & 1 ? &hub : &lab, (int64_t)(seed >> 51 & 3)};
		int64_t asked_us;

		if ((seed >> 60 & 3) == 0)
			verdict_cache_drop(cache, key.owner_id, key.provider);
		else if ((seed >> 60 & 1) != 0)
			verdict_cache_put(cache, &key, VALIDATION_CONFIRMED, (int64_t)i);
		else
			(void)verdict_cache_find(cache, &key, &asked_us);
		(void)verdict_cache_claim_note(cache, &key, 1);
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **data)
{
	pthread_t threads[8];

	(void)data;
	for (size_t i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, work_at_random, (void *)(uintptr_t)(i + 1));
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	put(ALICE, &hub, 1, VALIDATION_CONFIRMED, 1);
	assert_int_equal(find(ALICE, &hub, 1), VALIDATION_CONFIRMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_verdict_is_for_one_owner_provider_and_generation),
		TEST(only_clear_words_are_remembered),
		TEST(what_was_asked_later_stays),
		TEST(a_generation_never_goes_back),
		TEST(what_is_dropped_is_forgotten),
		TEST(who_has_no_place_is_not_remembered),
		TEST(a_note_is_claimed_once),
		TEST(a_hundred_thousand_links_have_room),
		TEST(the_oldest_go_first),
		TEST(threads_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
