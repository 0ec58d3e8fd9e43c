/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that come together share statements, and each gets its own answer, whatever becomes of the others. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../gate/base/metrics.h"
#include "fixture.h"
#include "must_check.h"

#define ASKERS 48
#define ARENA_BYTES_MAX (1024 * 1024)

/* How a question is asked, in turn: each has another set of parameters that are NULL. */
enum way { BY_NAME, BY_ID, BY_TEMPLATE, NAMED, UNKNOWN, WAY_COUNT };

struct asker {
	pthread_t thread;
	struct store *store;
	struct arena *arena;
	struct create_question question;
	struct requirements named;
	struct create_facts facts;
	struct problem problem;
	bool done;
};

struct crowd {
	const struct fixture *fixture;
	struct template_version version;
	struct user users[ASKERS];
	struct asker askers[ASKERS];
};

static const char *name_of(const struct fixture *f, const char *prefix, size_t number)
{
	return arena_printf(f->arena, "%s-%zu", prefix, number);
}

static int crowd_start(void **state)
{
	if (fixture_start(state) != 0)
		return -1;
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	assert_non_null(crowd);
	const struct fixture *f = crowd->fixture = *state;
	crowd->version = fixture_version(f, "crowd", "github", NULL);
	for (size_t i = 0; i < ASKERS; i++) {
		crowd->users[i] = fixture_user(f, name_of(f, "user", i));
		fixture_link(f, crowd->users[i].id, "github", name_of(f, "github", i));
		fixture_link(f, crowd->users[i].id, "gitlab", name_of(f, "gitlab", i));
	}
	*state = crowd;
	return 0;
}

static int crowd_stop(void **state)
{
	struct crowd *crowd = *state;
	*state = (void *)(uintptr_t)crowd->fixture;
	free(crowd);
	return fixture_stop(state);
}

static void ask_in(struct crowd *crowd, size_t number, enum way way)
{
	struct asker *asker = &crowd->askers[number];
	const struct user *user = &crowd->users[number];
	struct create_question *question = &asker->question;
	*question = (struct create_question){.owner = way == BY_ID ? user->id : user->username};
	if (way == UNKNOWN)
		question->owner = "nobody-of-that-name";
	if (way == BY_TEMPLATE)
		question->template_id = crowd->version.template_id;
	else if (way != NAMED)
		question->version_id = crowd->version.id;
	asker->named = (struct requirements){0};
	if (way != NAMED)
		return;
	assert_true(requirements_add(&asker->named, "absent", false));
	assert_true(requirements_add(&asker->named, "gitlab", false));
	question->named = &asker->named;
}

static void *ask(void *argument)
{
	struct asker *asker = argument;
	asker->done = create_facts_read(asker->store, asker->arena, &asker->question, &asker->facts, &asker->problem);
	return NULL;
}

static void crowd_ask(struct crowd *crowd, struct store *store)
{
	for (size_t i = 0; i < ASKERS; i++) {
		struct asker *asker = &crowd->askers[i];
		asker->store = store;
		asker->arena = arena_new(ARENA_BYTES_MAX);
		asker->problem = (struct problem){0};
		assert_int_equal(pthread_create(&asker->thread, NULL, ask, asker), 0);
	}
}

static void crowd_await(struct crowd *crowd)
{
	for (size_t i = 0; i < ASKERS; i++)
		pthread_join(crowd->askers[i].thread, NULL);
}

static void crowd_release(struct crowd *crowd)
{
	for (size_t i = 0; i < ASKERS; i++)
		arena_free(crowd->askers[i].arena);
}

static void assert_own_answer(const struct crowd *crowd, size_t number, enum way way)
{
	const struct asker *asker = &crowd->askers[number];
	const struct create_facts *facts = &asker->facts;
	assert_done(asker->done, asker->problem);
	assert_true(facts->version_found);
	assert_int_equal(facts->owner_found, way != UNKNOWN);
	assert_int_equal(facts->link_count, way != UNKNOWN);
	if (way == UNKNOWN)
		return;
	const char *provider_id = way == NAMED ? "gitlab" : "github";
	assert_string_equal(facts->owner.id, crowd->users[number].id);
	assert_string_equal(facts->links[0].provider_id, provider_id);
	assert_string_equal(facts->links[0].access_token.text, name_of(crowd->fixture, provider_id, number));
}

/* Nobody reads a user before it is released; so statements wait, and questions behind them. */
static PGconn *lock_users(const struct fixture *f)
{
	return fixture_hold(f, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
}

static void await_blocked(const struct fixture *f, long count)
{
	const char *sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
	for (int i = 0; i < 500 && strtol(fixture_sql(f, sql), NULL, 10) < count; i++)
		fixture_pause_ms(10);
	/* Who is not blocked by then queues; one who comes later is asked with others that do. */
	fixture_pause_ms(200);
}

/* All ask while two statements wait for the lock; the rest queue behind them until it goes. `meanwhile` may be NULL. */
static void crowd_ask_behind_lock(struct crowd *crowd, const char *meanwhile)
{
	PGconn *lock = lock_users(crowd->fixture);
	crowd_ask(crowd, crowd->fixture->store);
	await_blocked(crowd->fixture, 2);
	if (meanwhile != NULL) {
		(void)fixture_sql(crowd->fixture, meanwhile);
		await_blocked(crowd->fixture, 2);
	}
	fixture_release(lock);
	crowd_await(crowd);
}

static long counted(const char *name)
{
	struct arena *arena = arena_new(ARENA_BYTES_MAX);
	struct text text = text_in(arena);
	metrics_write(&text);
	const char *line = strstr(text.bytes, name);
	long value = line == NULL ? 0 : strtol(line + strlen(name), NULL, 10);
	arena_free(arena);
	return value;
}

#define STATEMENTS "\ngatehouse_database_queries_total{result=\"ok\"} "
#define QUESTIONS "\ngatehouse_database_facts_total "

static void questions_that_wait_share_a_statement(void **state)
{
	struct crowd *crowd = *state;
	for (size_t i = 0; i < ASKERS; i++)
		ask_in(crowd, i, (enum way)(i % WAY_COUNT));
	long statements = counted(STATEMENTS);
	long questions = counted(QUESTIONS);
	crowd_ask_behind_lock(crowd, NULL);
	for (size_t i = 0; i < ASKERS; i++)
		assert_own_answer(crowd, i, (enum way)(i % WAY_COUNT));
	assert_int_equal(counted(QUESTIONS) - questions, ASKERS);
	assert_in_range(counted(STATEMENTS) - statements, 3, ASKERS / 4);
	crowd_release(crowd);
}

/* Ids are looked at before they come here; were one not, PostgreSQL would refuse the whole statement. */
static void a_question_that_cannot_be_asked_fails_alone(void **state)
{
	struct crowd *crowd = *state;
	for (size_t i = 0; i < ASKERS; i++)
		ask_in(crowd, i, BY_NAME);
	crowd->askers[ASKERS / 2].question.version_id = "no-uuid";
	crowd_ask_behind_lock(crowd, NULL);
	for (size_t i = 0; i < ASKERS; i++)
		if (i != ASKERS / 2)
			assert_own_answer(crowd, i, BY_NAME);
	assert_false(crowd->askers[ASKERS / 2].done);
	assert_kind(crowd->askers[ASKERS / 2].problem, PROBLEM_INTERNAL);
	crowd_release(crowd);
}

static void a_connection_that_ends_under_a_statement_costs_nobody_the_answer(void **state)
{
	struct crowd *crowd = *state;
	for (size_t i = 0; i < ASKERS; i++)
		ask_in(crowd, i, BY_ID);
	crowd_ask_behind_lock(crowd, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
				     "wait_event_type = 'Lock'");
	for (size_t i = 0; i < ASKERS; i++)
		assert_own_answer(crowd, i, BY_ID);
	crowd_release(crowd);
}

static void in_an_outage_all_hear_of_it(void **state)
{
	struct crowd *crowd = *state;
	struct fixture nowhere = *crowd->fixture;
	nowhere.url = fixture_secret("host=/nonexistent user=nobody dbname=nothing");
	struct store *store = fixture_open(&nowhere, 4, true);
	for (size_t i = 0; i < ASKERS; i++)
		ask_in(crowd, i, BY_NAME);
	crowd_ask(crowd, store);
	crowd_await(crowd);
	for (size_t i = 0; i < ASKERS; i++) {
		assert_false(crowd->askers[i].done);
		assert_kind(crowd->askers[i].problem, PROBLEM_DATABASE_UNAVAILABLE);
		assert_true(crowd->askers[i].problem.retry_after_s > 0);
	}
	crowd_release(crowd);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_that_wait_share_a_statement),
		cmocka_unit_test(a_question_that_cannot_be_asked_fails_alone),
		cmocka_unit_test(a_connection_that_ends_under_a_statement_costs_nobody_the_answer),
		cmocka_unit_test(in_an_outage_all_hear_of_it),
	};
	return cmocka_run_group_tests(tests, crowd_start, crowd_stop);
}
