/* SPDX-License-Identifier: Apache-2.0 */
/* The read before the gate and the write behind it: nothing is written on links that moved, and one name has one owner.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../../../gate/base/clock.h"
#include "../../../gate/store/sql.h"
#include "fixture.h"

#define NOBODY "01900000-0000-7000-8000-00000000dead"
#define THREADS 8
#define NAMES 25

static struct create_facts read_facts(const struct fixture *f, const struct create_question *question)
{
	struct problem problem = {0};
	struct create_facts facts;
	assert_done(create_facts_read(f->store, f->arena, question, &facts, &problem), problem);
	return facts;
}

static enum insert_end create(const struct fixture *f, const struct create_try *try)
{
	struct problem problem = {0};
	enum insert_end end = INSERT_DONE;
	assert_done(fixture_create(f->store, try, &end, &problem), problem);
	return end;
}

static const char *count_rows(const struct fixture *f)
{
	return fixture_sql(f, "SELECT (SELECT count(*) FROM workspaces) || ' ' || (SELECT count(*) FROM builds) || ' ' "
			      "|| "
			      "(SELECT count(*) FROM decisions)");
}

static void facts_hold_only_links_the_version_names(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "c-facts");
	struct template_version version = fixture_version(f, "tc-facts", "github", "gitlab");
	fixture_link(f, user.id, "github", "gh-token");
	fixture_link(f, user.id, "gitlab", "gl-token");
	fixture_link(f, user.id, "gitea", "other");
	struct create_question question = {"c-facts", version.template_id, NULL, "dev", NULL};
	struct create_facts facts = read_facts(f, &question);
	assert_true(facts.owner_found && facts.version_found && !facts.name_taken);
	assert_string_equal(facts.owner.id, user.id);
	assert_string_equal(facts.version.id, version.id);
	assert_string_equal(facts.template_name, "tc-facts");
	assert_int_equal(facts.link_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(facts.links[i].access_token.text,
			strcmp(facts.links[i].provider_id, "github") == 0 ? "gh-token" : "gl-token");
	question = (struct create_question){user.id, NULL, version.id, NULL, NULL};
	facts = read_facts(f, &question);
	assert_true(facts.owner_found && facts.version_found && !facts.name_taken);
}

static void facts_say_what_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "c-none");
	struct template_version version = fixture_version(f, "tc-none", "github", NULL);
	struct create_question question = {"nobody", NULL, version.id, "dev", NULL};
	struct create_facts facts = read_facts(f, &question);
	assert_true(!facts.owner_found && facts.version_found && facts.link_count == 0);
	question = (struct create_question){user.id, NOBODY, NULL, "dev", NULL};
	facts = read_facts(f, &question);
	assert_true(facts.owner_found && !facts.version_found);
	question = (struct create_question){user.id, NULL, NOBODY, "dev", NULL};
	assert_false(read_facts(f, &question).version_found);
	question = (struct create_question){"prebuilds", NULL, version.id, "dev", NULL};
	assert_false(read_facts(f, &question).owner_found);
	struct create_try try = {user.id, version.id, "dev", NULL, 0};
	assert_int_equal(create(f, &try), INSERT_DONE);
	question = (struct create_question){user.id, NULL, version.id, "dev", NULL};
	assert_true(read_facts(f, &question).name_taken);
	fixture_sql(
		f, arena_printf(f->arena, "UPDATE workspaces SET deleted_at = now() WHERE owner_id = '%s'", user.id));
	assert_false(read_facts(f, &question).name_taken);
	assert_int_equal(create(f, &try), INSERT_DONE);
	assert_true(read_facts(f, &question).name_taken);
}

static void workspace_comes_back_as_it_was_inserted(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "c-back");
	struct template_version version = fixture_version(f, "tc-back", NULL, NULL);
	struct workspace_page workspaces = {0};
	struct workspace workspace = {0};
	bool found = false;
	struct create_try try = {user.id, version.id, "one", NULL, 0};
	assert_int_equal(create(f, &try), INSERT_DONE);
	try.name = "two";
	assert_int_equal(create(f, &try), INSERT_DONE);
	struct page page = {"", 1};
	assert_done(workspace_list(f->store, f->arena, user.id, page, &workspaces, &problem), problem);
	assert_int_equal(workspaces.count, 1);
	assert_true(workspaces.has_more);
	assert_string_equal(workspaces.list[0].name, "one");
	page.after_id = workspaces.list[0].id;
	page.limit = 10;
	assert_done(workspace_list(f->store, f->arena, user.id, page, &workspaces, &problem), problem);
	assert_int_equal(workspaces.count, 1);
	assert_false(workspaces.has_more);
	assert_done(workspace_find(f->store, f->arena, workspaces.list[0].id, &found, &workspace, &problem), problem);
	assert_true(found);
	assert_string_equal(workspace.name, "two");
	assert_string_equal(workspace.owner_name, "c-back");
	assert_string_equal(workspace.template_id, version.template_id);
	assert_string_equal(workspace.parameters, "{\"cpu\": 2}");
	assert_string_equal(workspace.warnings, "[]");
	assert_non_null(workspace.decision_id);
	assert_int_equal(workspace.latest_build.number, 1);
	assert_string_equal(workspace.latest_build.transition, "start");
	assert_string_equal(workspace.latest_build.reason, "initiator");
	assert_string_equal(workspace.latest_build.status, "pending");
	assert_done(workspace_find(f->store, f->arena, NOBODY, &found, &workspace, &problem), problem);
	assert_false(found);
}

static void refused_insert_writes_no_row(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "c-refused");
	struct template_version version = fixture_version(f, "tc-refused", "github", NULL);
	struct template_version second = {0};
	struct link link;
	bool found = false;
	int64_t generation = fixture_link(f, user.id, "github", "t");
	const char *before = count_rows(f);
	struct create_try try = {user.id, version.id, "dev", "github", generation + 1};
	assert_int_equal(create(f, &try), INSERT_LINKS_MOVED);
	try.provider_id = "gitlab";
	assert_int_equal(create(f, &try), INSERT_LINKS_MOVED);
	try = (struct create_try){NOBODY, version.id, "dev", NULL, 0};
	assert_int_equal(create(f, &try), INSERT_OWNER_GONE);
	try = (struct create_try){user.id, NOBODY, "dev", NULL, 0};
	assert_int_equal(create(f, &try), INSERT_VERSION_GONE);
	fixture_sql(f, "UPDATE users SET status = 'suspended' WHERE username = 'c-refused'");
	try = (struct create_try){user.id, version.id, "dev", "github", generation};
	assert_int_equal(create(f, &try), INSERT_OWNER_GONE);
	fixture_sql(f, "UPDATE users SET status = 'active' WHERE username = 'c-refused'");
	assert_done(version_insert(f->store, f->arena, version.template_id, &version.requirements, true, &found,
			    &second, &problem),
		problem);
	assert_done(version_set_archived(f->store, f->arena, version.id, true, &found, &version, &problem), problem);
	assert_int_equal(create(f, &try), INSERT_VERSION_GONE);
	try.version_id = second.id;
	assert_done(link_delete(f->store, f->arena, user.id, "github", &found, &link, &problem), problem);
	assert_int_equal(create(f, &try), INSERT_LINKS_MOVED);
	assert_string_equal(count_rows(f), before);
	try.generation = fixture_link(f, user.id, "github", "new");
	assert_int_equal(create(f, &try), INSERT_DONE);
	before = count_rows(f);
	assert_int_equal(create(f, &try), INSERT_NAME_TAKEN);
	assert_string_equal(count_rows(f), before);
}

/* --- many at once ---------------------------------------------------------------------------------------------------
 */

struct race {
	struct store *store;
	struct create_try try;
	pthread_barrier_t *barrier;
	int done;
	int taken;
	int other;
};

static void *race_for_names(void *argument)
{
	struct race *race = argument;
	for (int i = 0; i < NAMES; i++) {
		char name[32];
		struct create_try try = race->try;
		struct problem problem = {0};
		enum insert_end end = INSERT_OWNER_GONE;
		snprintf(name, sizeof(name), "race-%d", i);
		try.name = name;
		pthread_barrier_wait(race->barrier);
		bool ran = fixture_create(race->store, &try, &end, &problem);
		race->done += ran && end == INSERT_DONE;
		race->taken += ran && end == INSERT_NAME_TAKEN;
		race->other += !ran;
	}
	return NULL;
}

static void one_name_is_won_by_one_thread(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "c-race");
	struct template_version version = fixture_version(f, "tc-race", "github", NULL);
	int64_t generation = fixture_link(f, user.id, "github", "t");
	struct race races[THREADS];
	pthread_t threads[THREADS];
	pthread_barrier_t barrier;
	int done = 0;
	int taken = 0;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++) {
		races[i] = (struct race){.store = f->store,
			.try = {user.id, version.id, NULL, "github", generation},
			.barrier = &barrier};
		assert_int_equal(pthread_create(&threads[i], NULL, race_for_names, &races[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		done += races[i].done;
		taken += races[i].taken;
		assert_int_equal(races[i].other, 0);
	}
	pthread_barrier_destroy(&barrier);
	assert_int_equal(done, NAMES);
	assert_int_equal(taken, NAMES * (THREADS - 1));
}

struct unlinker {
	const struct fixture *fixture;
	const char *owner_id;
};

static void *unlink_it(void *argument)
{
	struct unlinker *self = argument;
	struct problem problem = {0};
	struct link link;
	bool found = false;
	struct arena *arena = arena_new(1024 * 1024);
	assert_done(
		link_delete(self->fixture->store, arena, self->owner_id, "github", &found, &link, &problem), problem);
	arena_free(arena);
	return NULL;
}

/* At the same moment: whoever is first, there is a row exactly where the create was told so. */
static void unlink_is_before_or_behind_a_create(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "c-unlink");
	struct template_version version = fixture_version(f, "tc-unlink", "github", NULL);
	for (int i = 0; i < 20; i++) {
		char name[32];
		struct problem problem = {0};
		enum insert_end end = INSERT_OWNER_GONE;
		pthread_t thread;
		struct unlinker unlinker = {f, user.id};
		int64_t generation = fixture_link(f, user.id, "github", "t");
		snprintf(name, sizeof(name), "u-%d", i);
		struct create_try try = {user.id, version.id, name, "github", generation};
		assert_int_equal(pthread_create(&thread, NULL, unlink_it, &unlinker), 0);
		assert_done(fixture_create(f->store, &try, &end, &problem), problem);
		pthread_join(thread, NULL);
		assert_true(end == INSERT_DONE || end == INSERT_LINKS_MOVED);
		const char *sql = arena_printf(f->arena, "SELECT count(*) FROM workspaces WHERE name = '%s'", name);
		assert_string_equal(fixture_sql(f, sql), end == INSERT_DONE ? "1" : "0");
	}
}

/* The create's own statement is held open in a transaction: its lock on the link keeps an unlink waiting until the
 * workspace is there. */
static void unlink_waits_for_a_create_that_has_begun(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "c-held");
	struct template_version version = fixture_version(f, "tc-held", "github", NULL);
	int64_t generation = fixture_link(f, user.id, "github", "t");
	struct link link;
	bool found = false;
	const char *statement = statement_of(QUERY_WORKSPACE_INSERT)->text;
	const char *sql = arena_printf(f->arena,
		"PREPARE w AS %s; BEGIN; EXECUTE w (gen_random_uuid(), '%s', 'held', '%s', '{}', '[]', "
		"gen_random_uuid(), "
		"'{github}', '{%d}', gen_random_uuid(), 'r', 'api', 'create', '%s', NULL, 'c-held', 'allowed', "
		"'allowed', NULL, '[]', 1, NULL, NULL, NULL, NULL, NULL, NULL); SELECT "
		"pg_sleep(0.5); COMMIT",
		statement, user.id, version.id, (int)generation, user.id);
	PGconn *create = fixture_send(f, sql);
	fixture_await(f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1");
	int64_t started_ms = clock_now_ms();
	assert_done(link_delete(f->store, f->arena, user.id, "github", &found, &link, &problem), problem);
	int64_t waited_ms = clock_now_ms() - started_ms;
	fixture_receive(create);
	assert_true(found && waited_ms > 100);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM workspaces WHERE name = 'held'"), "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_hold_only_links_the_version_names),
		cmocka_unit_test(facts_say_what_is_not_there),
		cmocka_unit_test(workspace_comes_back_as_it_was_inserted),
		cmocka_unit_test(refused_insert_writes_no_row),
		cmocka_unit_test(one_name_is_won_by_one_thread),
		cmocka_unit_test(unlink_is_before_or_behind_a_create),
		cmocka_unit_test(unlink_waits_for_a_create_that_has_begun),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
