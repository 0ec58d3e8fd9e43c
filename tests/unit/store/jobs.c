/* SPDX-License-Identifier: Apache-2.0 */
/* See jobs.h. */
#include "jobs.h"

struct workspace job_workspace(
	const struct fixture *f, const struct user *owner, const char *version_id, const char *name)
{
	struct problem problem = {0};
	enum insert_end end = INSERT_OWNER_GONE;
	struct create_try try = {owner->id, version_id, name, NULL, 0};
	struct workspace workspace = {0};
	bool found = false;
	assert_done(fixture_create(f->store, &try, &end, &problem), problem);
	assert_int_equal(end, INSERT_DONE);
	const char *sql = arena_printf(f->arena,
		"SELECT id FROM workspaces WHERE owner_id = '%s' AND name = '%s' AND deleted_at IS NULL", owner->id,
		name);
	assert_done(workspace_find(f->store, f->arena, fixture_sql(f, sql), &found, &workspace, &problem), problem);
	assert_true(found);
	return workspace;
}

int job_empty(void **state)
{
	fixture_sql(*state, "DELETE FROM workspaces");
	fixture_sql(*state, "DELETE FROM decisions");
	return 0;
}

struct decision_row job_decision(struct arena *arena, const struct workspace *workspace, const char *moment)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	return (struct decision_row){.id = arena_copy(arena, id),
		.request_id = "r",
		.moment = moment,
		.initiator_id = workspace->owner_id,
		.owner_id = workspace->owner_id,
		.template_version_id = workspace->template_version_id,
		.outcome = "allowed",
		.findings = "[{\"provider\": \"github\"}]"};
}

enum build_end job_start(struct store *store, struct arena *arena, const struct workspace *workspace,
	const struct relied_link *relied, struct build_record *ret_record)
{
	struct problem problem = {0};
	enum build_end end = BUILD_WORKSPACE_GONE;
	struct decision_row decision = job_decision(arena, workspace, "start");
	struct build_start start = {.new = build_new_in(arena, 0),
		.workspace = workspace,
		.reason = "initiator",
		.moment = "start",
		.initiator_id = workspace->owner_id,
		.warnings = "[]",
		.relied = {relied != NULL, relied},
		.decision = &decision};
	assert_done(build_insert_start(store, arena, &start, &end, ret_record, &problem), problem);
	return end;
}

enum build_end job_stop(const struct fixture *f, const struct workspace *workspace, const char *transition)
{
	struct problem problem = {0};
	enum build_end end = BUILD_DONE;
	struct build_record record;
	struct build_free free = {build_new_in(f->arena, 0), workspace, transition, "initiator", workspace->owner_id};
	assert_done(build_insert_free(f->store, &free, &end, &record, &problem), problem);
	return end;
}

bool job_take(struct store *store, struct arena *arena, const char *provisioner_id, int64_t lease_ms,
	struct build_record *ret_record)
{
	struct problem problem = {0};
	char lease_id[UUID_TEXT_SIZE];
	bool found = false;
	struct build_claim claim;
	enum hand_out_end end = HAND_OUT_LOST;
	uuid_new(lease_id);
	assert_done(build_claim(store, arena, lease_id, JOB_LEASE_MS, &found, &claim, &problem), problem);
	if (!found)
		return false;
	struct build_hand_out hand_out = {
		.claim = &claim, .lease_id = lease_id, .provisioner_id = provisioner_id, .lease_ms = lease_ms};
	assert_done(build_hand_out(store, arena, &hand_out, &end, ret_record, &problem), problem);
	assert_int_equal(end, HAND_OUT_DONE);
	return true;
}

void job_race(size_t count, void *elements, size_t size, void *(*run)(void *))
{
	pthread_t threads[64];
	assert_true(count <= 64);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, (char *)elements + i * size), 0);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}
