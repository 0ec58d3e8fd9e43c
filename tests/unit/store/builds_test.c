/* SPDX-License-Identifier: Apache-2.0 */
/* Builds: numbers in a row, whoever asks at the same time; starts only on what was judged; deletions that end a
 * workspace. */
#include <string.h>
#include <unistd.h>

#include "../../../gate/store/links.h"
#include "../../../gate/store/sql.h"
#include "jobs.h"

#define STARTERS 8
#define ROUNDS 10

static const char *count_builds(const struct fixture *f)
{
	return fixture_sql(f, "SELECT count(*) || ' ' || (SELECT count(*) FROM decisions) FROM builds");
}

static void start_comes_back_as_it_was_inserted(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "b-back");
	struct template_version version = fixture_version(f, "tb-back", "github", NULL);
	struct relied_link relied = {"github", fixture_link(f, user.id, "github", "t")};
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	struct build_record inserted;
	struct build_record record = {0};
	bool found = false;
	assert_int_equal(job_start(f->store, f->arena, &workspace, &relied, &inserted), BUILD_DONE);
	assert_done(build_find(f->store, f->arena, inserted.build.id, &found, &record, &problem), problem);
	assert_true(found);
	assert_int_equal(record.build.number, 2);
	assert_int_equal(inserted.build.number, 2);
	assert_int_equal(inserted.build.created_at_ms, record.build.created_at_ms);
	assert_string_equal(record.build.transition, "start");
	assert_string_equal(record.build.reason, "initiator");
	assert_string_equal(record.build.status, "pending");
	assert_string_equal(record.moment, "start");
	assert_string_equal(record.workspace_id, workspace.id);
	assert_string_equal(record.owner_id, user.id);
	assert_string_equal(record.owner_name, "b-back");
	assert_string_equal(record.initiator_id, user.id);
	assert_string_equal(record.decision_id, inserted.decision_id);
	assert_string_equal(record.warnings, "[]");
	assert_null(record.error);
	assert_int_equal(record.attempt, 0);
	assert_true(record.started_at_ms == 0 && record.completed_at_ms == 0);
	const char *sql = arena_printf(f->arena,
		"SELECT moment || surface || outcome || (findings -> 0 ->> 'provider') || duration_ms FROM decisions "
		"WHERE id = '%s'",
		record.decision_id);
	assert_string_equal(fixture_sql(f, sql), "startapiallowedgithub0");
	assert_done(build_find(f->store, f->arena, NOBODY, &found, &record, &problem), problem);
	assert_false(found);
}

static void refused_start_writes_no_row(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "b-refused");
	struct template_version version = fixture_version(f, "tb-refused", "github", NULL);
	struct relied_link relied = {"github", fixture_link(f, user.id, "github", "t")};
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	struct build_record record;
	struct link link;
	struct user_change suspended = {.suspended = &(bool){true}};
	struct user_change active = {.suspended = &(bool){false}};
	bool found = false;
	const char *before = count_builds(f);
	relied.generation++;
	assert_int_equal(job_start(f->store, f->arena, &workspace, &relied, &record), BUILD_MOVED);
	relied.generation--;
	assert_done(user_update(f->store, f->arena, &user, &suspended, &found, &user, &problem), problem);
	assert_int_equal(job_start(f->store, f->arena, &workspace, &relied, &record), BUILD_MOVED);
	assert_done(user_update(f->store, f->arena, &user, &active, &found, &user, &problem), problem);
	assert_done(link_delete(f->store, f->arena, user.id, "github", &found, &link, &problem), problem);
	assert_int_equal(job_start(f->store, f->arena, &workspace, &relied, &record), BUILD_MOVED);
	struct workspace other = workspace;
	other.owner_id = NOBODY;
	assert_int_equal(job_start(f->store, f->arena, &other, NULL, &record), BUILD_MOVED);
	other.id = NOBODY;
	assert_int_equal(job_start(f->store, f->arena, &other, NULL, &record), BUILD_WORKSPACE_GONE);
	assert_string_equal(count_builds(f), before);
	assert_int_equal(job_stop(f, &other, "stop"), BUILD_MOVED);
	assert_int_equal(job_stop(f, &workspace, "stop"), BUILD_DONE);
	assert_int_equal(job_start(f->store, f->arena, &workspace, NULL, &record), BUILD_DONE);
	assert_int_equal(record.build.number, 3);
}

static void take_and_end(const struct fixture *f, const char *status)
{
	struct problem problem = {0};
	struct build_record record;
	enum complete_end end = COMPLETE_NOT_FOUND;
	assert_true(job_take(f->store, f->arena, NOBODY, JOB_LEASE_MS, &record));
	struct build_hold hold = {record.build.id, NOBODY, record.attempt};
	assert_done(build_complete(f->store, &hold, status, NULL, &end, &problem), problem);
	assert_int_equal(end, COMPLETE_DONE);
}

static void deletion_ends_a_workspace_and_frees_its_name(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "b-delete");
	struct template_version version = fixture_version(f, "tb-delete", NULL, NULL);
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	struct workspace_page list = {0};
	struct build_record record;
	struct page page = {"", 10};
	bool found = false;
	take_and_end(f, "succeeded");
	assert_int_equal(job_stop(f, &workspace, "delete"), BUILD_DONE);
	assert_int_equal(job_start(f->store, f->arena, &workspace, NULL, &record), BUILD_DELETING);
	assert_done(workspace_find(f->store, f->arena, workspace.id, &found, &workspace, &problem), problem);
	assert_true(found && workspace.deleting);
	take_and_end(f, "failed");
	assert_done(workspace_find(f->store, f->arena, workspace.id, &found, &workspace, &problem), problem);
	assert_true(found && !workspace.deleting);
	assert_int_equal(job_start(f->store, f->arena, &workspace, NULL, &record), BUILD_DONE);
	take_and_end(f, "succeeded");
	assert_int_equal(job_stop(f, &workspace, "delete"), BUILD_DONE);
	assert_int_equal(job_stop(f, &workspace, "stop"), BUILD_DONE);
	take_and_end(f, "succeeded");
	assert_done(workspace_find(f->store, f->arena, workspace.id, &found, &workspace, &problem), problem);
	assert_false(found);
	assert_done(workspace_list(f->store, f->arena, user.id, page, &list, &problem), problem);
	assert_int_equal(list.count, 0);
	assert_int_equal(job_stop(f, &workspace, "stop"), BUILD_MOVED);
	assert_int_equal(job_start(f->store, f->arena, &workspace, NULL, &record), BUILD_WORKSPACE_GONE);
	assert_string_equal(fixture_sql(f, "SELECT string_agg(status, ' ' ORDER BY number) FROM builds"),
		"succeeded failed succeeded succeeded canceled");
	assert_false(job_take(f->store, f->arena, NOBODY, JOB_LEASE_MS, &record));
	struct create_question question = {user.id, NULL, version.id, "dev", NULL};
	struct create_facts facts;
	assert_done(create_facts_read(f->store, f->arena, &question, &facts, &problem), problem);
	assert_false(facts.name_taken);
	job_workspace(f, &user, version.id, "dev");
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM workspaces"), "2");
}

static void user_whose_workspaces_are_deleted_can_be_removed(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "b-removed");
	struct template_version version = fixture_version(f, "tb-removed", NULL, NULL);
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	bool found = false;
	assert_false(user_delete(f->store, &user, &found, &problem));
	assert_kind(problem, PROBLEM_CONFLICT);
	take_and_end(f, "succeeded");
	assert_int_equal(job_stop(f, &workspace, "delete"), BUILD_DONE);
	take_and_end(f, "succeeded");
	assert_done(user_delete(f->store, &user, &found, &problem), problem);
	assert_true(found);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM workspaces"), "0");
}

struct starter {
	struct store *store;
	const struct workspace *workspace;
	pthread_barrier_t *barrier;
	int done;
};

static void *start_in_thread(void *argument)
{
	struct starter *self = argument;
	struct arena *arena = arena_new(4 * 1024 * 1024);
	struct build_record record;
	pthread_barrier_wait(self->barrier);
	for (int i = 0; i < ROUNDS; i++)
		self->done += job_start(self->store, arena, self->workspace, NULL, &record) == BUILD_DONE;
	arena_free(arena);
	return NULL;
}

static void starts_at_once_get_numbers_of_their_own(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "b-race");
	struct template_version version = fixture_version(f, "tb-race", NULL, NULL);
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	struct store *store = fixture_open(f, STARTERS, true);
	struct starter starters[STARTERS];
	pthread_barrier_t barrier;
	int done = 0;
	pthread_barrier_init(&barrier, NULL, STARTERS);
	for (size_t i = 0; i < STARTERS; i++)
		starters[i] = (struct starter){store, &workspace, &barrier, 0};
	job_race(STARTERS, starters, sizeof(starters[0]), start_in_thread);
	for (size_t i = 0; i < STARTERS; i++)
		done += starters[i].done;
	pthread_barrier_destroy(&barrier);
	store_close(store);
	assert_int_equal(done, STARTERS * ROUNDS);
	assert_string_equal(fixture_sql(f, "SELECT count(DISTINCT number) || ' ' || max(number) FROM builds"), "81 81");
}

struct other_side {
	const struct fixture *fixture;
	const struct workspace *workspace;
};

static void *delete_it(void *argument)
{
	const struct other_side *self = argument;
	struct problem problem = {0};
	enum build_end end = BUILD_WORKSPACE_GONE;
	struct arena *arena = arena_new(1024 * 1024);
	struct build_record record;
	struct build_free free = {build_new_in(arena, 0), self->workspace, "delete", "initiator", NULL};
	assert_done(build_insert_free(self->fixture->store, &free, &end, &record, &problem), problem);
	assert_int_equal(end, BUILD_DONE);
	arena_free(arena);
	return NULL;
}

/* Whichever is first: behind a deletion there is no start. */
static void start_is_never_behind_a_deletion(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "b-order");
	struct template_version version = fixture_version(f, "tb-order", NULL, NULL);
	for (int i = 0; i < 20; i++) {
		struct workspace workspace = job_workspace(f, &user, version.id, arena_printf(f->arena, "dev-%d", i));
		struct other_side side = {f, &workspace};
		struct build_record record;
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, delete_it, &side), 0);
		enum build_end end = job_start(f->store, f->arena, &workspace, NULL, &record);
		pthread_join(thread, NULL);
		const char *sql = arena_printf(f->arena,
			"SELECT string_agg(transition, ' ' ORDER BY number) FROM builds WHERE workspace_id = '%s'",
			workspace.id);
		assert_string_equal(fixture_sql(f, sql), end == BUILD_DONE ? "start start delete" : "start delete");
		assert_true(end == BUILD_DONE || end == BUILD_DELETING || end == BUILD_MOVED);
	}
}

static void *unlink_it(void *argument)
{
	const struct other_side *self = argument;
	struct problem problem = {0};
	struct link link;
	bool found = false;
	struct arena *arena = arena_new(1024 * 1024);
	assert_done(
		link_delete(self->fixture->store, arena, self->workspace->owner_id, "github", &found, &link, &problem),
		problem);
	arena_free(arena);
	return NULL;
}

static void unlink_is_before_or_behind_a_start(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "b-unlink");
	struct template_version version = fixture_version(f, "tb-unlink", "github", NULL);
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	struct other_side side = {f, &workspace};
	int number = 1;
	for (int i = 0; i < 20; i++) {
		struct relied_link relied = {"github", fixture_link(f, user.id, "github", "t")};
		struct build_record record;
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, unlink_it, &side), 0);
		enum build_end end = job_start(f->store, f->arena, &workspace, &relied, &record);
		pthread_join(thread, NULL);
		assert_true(end == BUILD_DONE || end == BUILD_MOVED);
		number += end == BUILD_DONE;
		const char *sql = arena_printf(f->arena, "SELECT max(number) = %d FROM builds", number);
		assert_string_equal(fixture_sql(f, sql), "t");
	}
}

/* The answer got lost: the pool runs the very same statement once more, on another connection. */
static void statement_run_twice_inserts_once(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "b-twice");
	struct template_version version = fixture_version(f, "tb-twice", NULL, NULL);
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	const char *start = arena_printf(f->arena,
		"PREPARE s AS %s; EXECUTE s ('%s', '%s', '%s', '%s', 'initiator', 'start', '%s', '[]', '{}', '{}', "
		"'{\"id\": \"%s\", \"surface\": \"api\", \"moment\": \"start\", \"outcome\": \"allowed\", "
		"\"findings\": \"[]\", "
		"\"duration_ms\": 1}', NULL, NULL, NULL, NULL, NULL, NULL, '', 100)",
		statement_of(QUERY_BUILD_INSERT_START)->text, id, workspace.id, user.id, version.id, user.id, NOBODY);
	assert_string_equal(fixture_sql(f, start), "2");
	assert_string_equal(fixture_sql(f, start), "2");
	uuid_new(id);
	const char *stop = arena_printf(f->arena,
		"PREPARE s AS %s; EXECUTE s ('%s', '%s', 'stop', 'initiator', '%s', '%s', NULL, NULL, NULL, NULL, "
		"NULL, NULL, '', 100)",
		statement_of(QUERY_BUILD_INSERT_FREE)->text, id, workspace.id, user.id, user.id);
	assert_string_equal(fixture_sql(f, stop), "3");
	assert_string_equal(fixture_sql(f, stop), "3");
	assert_string_equal(fixture_sql(f, "SELECT build_number FROM workspaces"), "3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(start_comes_back_as_it_was_inserted, job_empty),
		cmocka_unit_test_setup(refused_start_writes_no_row, job_empty),
		cmocka_unit_test_setup(deletion_ends_a_workspace_and_frees_its_name, job_empty),
		cmocka_unit_test_setup(user_whose_workspaces_are_deleted_can_be_removed, job_empty),
		cmocka_unit_test_setup(starts_at_once_get_numbers_of_their_own, job_empty),
		cmocka_unit_test_setup(start_is_never_behind_a_deletion, job_empty),
		cmocka_unit_test_setup(unlink_is_before_or_behind_a_start, job_empty),
		cmocka_unit_test_setup(statement_run_twice_inserts_once, job_empty),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
