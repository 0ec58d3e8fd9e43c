/* SPDX-License-Identifier: Apache-2.0 */
/* Prebuilds: each is claimed by exactly one, only on what was judged, and keeps its id. */
#include <string.h>

#include "jobs.h"

#define CLAIMERS 20
#define PREBUILDS 5

static struct workspace *add_prebuilds(const struct fixture *f, const struct template_version *version, size_t count)
{
	struct problem problem = {0};
	struct workspace *workspaces = NULL;
	bool inserted = false;
	struct prebuilds_insert insert = {version, NOBODY, count};
	assert_done(prebuilds_insert(f->store, f->arena, &insert, &inserted, &workspaces, &problem), problem);
	assert_true(inserted);
	return workspaces;
}

struct claimer {
	struct store *store;
	struct user owner;
	struct template_version version;
	const char *name;
	struct relied_link relied;
	pthread_barrier_t *barrier;
	struct arena *arena;
	enum claim_end end;
	struct workspace workspace;
};

static void claim_one(struct claimer *self)
{
	struct problem problem = {0};
	const struct workspace subject = {.owner_id = self->owner.id, .template_version_id = self->version.id};
	struct decision_row decision = job_decision(self->arena, &subject, "claim");
	struct create_facts facts = {.owner = self->owner, .version = self->version};
	struct workspace_insert insert = {.facts = &facts,
		.build_id = uuid_in(self->arena),
		.initiator_id = self->owner.id,
		.name = self->name,
		.parameters = "{\"cpu\": 2}",
		.warnings = "[]",
		.relied_count = self->relied.provider_id != NULL,
		.relied = &self->relied,
		.decision = &decision};
	struct workspace_claim claim = workspace_claim_of(&insert, self->arena);
	assert_done(workspace_claim(self->store, self->arena, &claim, &self->end, &self->workspace, &problem), problem);
}

static void prebuilds_are_workspaces_of_nobody(void **state)
{
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "tp-nobody", "github", NULL);
	struct problem problem = {0};
	struct workspace found;
	bool is_found = false;
	struct workspace *workspaces = add_prebuilds(f, &version, 3);
	assert_done(workspace_find(f->store, f->arena, workspaces[2].id, &is_found, &found, &problem), problem);
	assert_true(is_found);
	assert_string_equal(found.owner_name, "prebuilds");
	assert_memory_equal(found.name, "prebuild-", 9);
	assert_string_equal(found.name, workspaces[2].name);
	assert_string_equal(found.latest_build.id, workspaces[2].latest_build.id);
	assert_string_equal(found.latest_build.reason, "prebuild");
	assert_int_equal(found.created_at_ms, workspaces[2].created_at_ms);
	assert_string_equal(
		fixture_sql(f, "SELECT string_agg(DISTINCT moment || '.' || status, ' ') FROM builds"), ".pending");
	struct prebuilds_insert insert = {&version, NOBODY, 2};
	assert_done(version_set_archived(f->store, f->arena, version.id, true, &is_found, &version, &problem), problem);
	assert_done(prebuilds_insert(f->store, f->arena, &insert, &is_found, &workspaces, &problem), problem);
	assert_false(is_found);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM workspaces"), "3");
}

static void claim_takes_the_built_one_first_and_keeps_its_id(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct template_version version = fixture_version(f, "tp-first", "github", NULL);
	struct user user = fixture_user(f, "p-first");
	struct workspace *workspaces = add_prebuilds(f, &version, 3);
	struct workspace found;
	bool is_found = false;
	struct claimer claimer = {.store = f->store,
		.owner = user,
		.version = version,
		.name = "dev",
		.relied = {"github", fixture_link(f, user.id, "github", "t")},
		.arena = f->arena};
	const char *built = arena_printf(f->arena,
		"UPDATE builds SET status = 'succeeded', completed_at = now() WHERE workspace_id = '%s'",
		workspaces[1].id);
	fixture_sql(f, built);
	claim_one(&claimer);
	assert_int_equal(claimer.end, CLAIM_DONE);
	assert_string_equal(claimer.workspace.id, workspaces[1].id);
	assert_done(workspace_find(f->store, f->arena, workspaces[1].id, &is_found, &found, &problem), problem);
	assert_true(is_found);
	assert_string_equal(found.owner_id, user.id);
	assert_string_equal(found.name, "dev");
	assert_string_equal(found.parameters, "{\"cpu\": 2}");
	assert_string_equal(found.decision_id, claimer.workspace.decision_id);
	assert_int_equal(found.latest_build.number, 2);
	assert_string_equal(found.latest_build.id, claimer.workspace.latest_build.id);
	assert_string_equal(found.latest_build.reason, "claim");
	assert_int_equal(found.created_at_ms, claimer.workspace.created_at_ms);
	assert_string_equal(fixture_sql(f, "SELECT string_agg(moment, ' ') FROM decisions"), "claim");
	claimer.name = "second";
	claim_one(&claimer);
	assert_int_equal(claimer.end, CLAIM_DONE);
	assert_string_equal(claimer.workspace.id, workspaces[0].id);
	const char *sql = arena_printf(f->arena,
		"SELECT string_agg(status, ' ' ORDER BY number) FROM builds WHERE workspace_id = '%s'",
		workspaces[0].id);
	assert_string_equal(fixture_sql(f, sql), "canceled pending");
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM workspaces WHERE claimed_at IS NOT NULL"), "2");
}

static void refused_claim_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct template_version version = fixture_version(f, "tp-refused", "github", NULL);
	struct template_version other = fixture_version(f, "tp-other", "github", NULL);
	struct user user = fixture_user(f, "p-refused");
	struct user_change suspended = {.suspended = &(bool){true}};
	bool found = false;
	struct claimer claimer = {
		.store = f->store, .owner = user, .version = version, .name = "dev", .arena = f->arena};
	claim_one(&claimer);
	assert_int_equal(claimer.end, CLAIM_NONE_LEFT);
	add_prebuilds(f, &other, 1);
	claim_one(&claimer);
	assert_int_equal(claimer.end, CLAIM_NONE_LEFT);
	add_prebuilds(f, &version, 1);
	job_workspace(f, &user, version.id, "dev");
	const char *before = fixture_sql(f, "SELECT string_agg(w::text || b::text, ' ' ORDER BY w.id) FROM workspaces "
					    "w "
					    "JOIN builds b ON b.workspace_id = w.id");
	const char *decisions = fixture_sql(f, "SELECT count(*) FROM decisions");
	claim_one(&claimer);
	assert_int_equal(claimer.end, CLAIM_NAME_TAKEN);
	claimer.name = "free";
	claimer.relied = (struct relied_link){"github", 7};
	claim_one(&claimer);
	assert_int_equal(claimer.end, CLAIM_MOVED);
	claimer.relied.provider_id = NULL;
	assert_done(user_update(f->store, f->arena, &user, &suspended, &found, &user, &problem), problem);
	claim_one(&claimer);
	assert_int_equal(claimer.end, CLAIM_MOVED);
	assert_string_equal(fixture_sql(f, "SELECT string_agg(w::text || b::text, ' ' ORDER BY w.id) FROM workspaces w "
					   "JOIN builds b ON b.workspace_id = w.id"),
		before);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM decisions"), decisions);
}

static void stopped_failed_or_deleted_prebuild_is_not_claimed(void **state)
{
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "tp-unfit", NULL, NULL);
	struct user user = fixture_user(f, "p-unfit");
	struct workspace *workspaces = add_prebuilds(f, &version, 3);
	struct claimer claimer = {
		.store = f->store, .owner = user, .version = version, .name = "dev", .arena = f->arena};
	const char *failed = arena_printf(f->arena,
		"UPDATE builds SET status = 'failed', completed_at = now() WHERE workspace_id = '%s'",
		workspaces[0].id);
	fixture_sql(f, failed);
	assert_int_equal(job_stop(f, &workspaces[1], "stop"), BUILD_DONE);
	assert_int_equal(job_stop(f, &workspaces[2], "delete"), BUILD_DONE);
	claim_one(&claimer);
	assert_int_equal(claimer.end, CLAIM_NONE_LEFT);
}

static void *claim_in_thread(void *argument)
{
	struct claimer *self = argument;
	self->arena = arena_new(1024 * 1024);
	pthread_barrier_wait(self->barrier);
	claim_one(self);
	return NULL;
}

static void of_twenty_at_once_five_claim_five(void **state)
{
	struct fixture *f = *state;
	struct template_version version = fixture_version(f, "tp-race", NULL, NULL);
	struct store *store = fixture_open(f, CLAIMERS, true);
	pthread_barrier_t barrier;
	struct user users[CLAIMERS];
	for (size_t i = 0; i < CLAIMERS; i++)
		users[i] = fixture_user(f, arena_printf(f->arena, "p-race-%zu", i));
	pthread_barrier_init(&barrier, NULL, CLAIMERS);
	for (int round = 0; round < 10; round++) {
		struct claimer claimers[CLAIMERS] = {0};
		size_t counts[CLAIM_MOVED + 1] = {0};
		job_empty(state);
		add_prebuilds(f, &version, PREBUILDS);
		for (size_t i = 0; i < CLAIMERS; i++)
			claimers[i] = (struct claimer){.store = store,
				.owner = users[i],
				.version = version,
				.name = "dev",
				.barrier = &barrier};
		job_race(CLAIMERS, claimers, sizeof(claimers[0]), claim_in_thread);
		for (size_t i = 0; i < CLAIMERS; i++) {
			counts[claimers[i].end]++;
			arena_free(claimers[i].arena);
		}
		assert_int_equal(counts[CLAIM_DONE], PREBUILDS);
		assert_int_equal(counts[CLAIM_NONE_LEFT], CLAIMERS - PREBUILDS);
		assert_string_equal(fixture_sql(f, "SELECT count(DISTINCT owner_id) || ' ' || count(*) || ' ' || "
						   "(SELECT count(*) FROM builds WHERE reason = 'claim') || ' ' || "
						   "(SELECT count(*) FROM decisions) FROM workspaces"),
			"5 5 5 5");
	}
	pthread_barrier_destroy(&barrier);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(prebuilds_are_workspaces_of_nobody, job_empty),
		cmocka_unit_test_setup(claim_takes_the_built_one_first_and_keeps_its_id, job_empty),
		cmocka_unit_test_setup(refused_claim_takes_nothing, job_empty),
		cmocka_unit_test_setup(stopped_failed_or_deleted_prebuild_is_not_claimed, job_empty),
		cmocka_unit_test_setup(of_twenty_at_once_five_claim_five, job_empty),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
