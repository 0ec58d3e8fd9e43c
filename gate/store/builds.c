/* SPDX-License-Identifier: Apache-2.0 */
/* Builds: see builds.h. */
#include "builds.h"

#include "bell.h"
#include "build_row.h"

void build_read_row(struct row *row, struct arena *arena, struct build_record *ret_record)
{
	ret_record->build.id = row_uuid(row, arena);
	ret_record->workspace_id = row_uuid(row, arena);
	ret_record->build.number = row_integer(row);
	ret_record->build.transition = row_text(row, arena);
	ret_record->build.reason = row_text(row, arena);
	ret_record->build.status = row_text(row, arena);
	ret_record->build.created_at_ms = row_time_ms(row);
	ret_record->moment = row_text(row, arena);
	ret_record->initiator_id = row_uuid(row, arena);
	ret_record->decision_id = row_uuid(row, arena);
	ret_record->warnings = row_text(row, arena);
	ret_record->error = row_text(row, arena);
	ret_record->attempt = row_integer(row);
	ret_record->provisioner_id = row_uuid(row, arena);
	ret_record->started_at_ms = row_time_ms(row);
	ret_record->completed_at_ms = row_time_ms(row);
	ret_record->owner_id = row_uuid(row, arena);
	ret_record->owner_name = row_text(row, arena);
}

bool build_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct build_record *ret_record, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_BUILD_FIND);
	bind_text(&call, id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_found = rows_count(&rows) > 0;
	if (!*ret_found)
		return true;
	struct row row = row_at(&rows, 0);
	build_read_row(&row, arena, ret_record);
	return true;
}

bool build_run_insert(struct store *store, struct call *call, struct rows *ret_rows, struct problem *problem)
{
	call->expects_violation = true;
	if (!store_run(store, call, ret_rows, problem))
		return false;
	if (!rows_violate(ret_rows, "builds_pkey"))
		return true;
	rows_release(ret_rows);
	return store_run(store, call, ret_rows, problem);
}

static bool refuse_violation(const struct rows *rows, struct problem *problem)
{
	if (*rows->violated == '\0')
		return true;
	return problem_set(problem, PROBLEM_INTERNAL, "The build breaks the rule %s.", rows->violated);
}

/* What was inserted is known here; number and time are the database's. */
static struct build_record record_of(
	const struct workspace *workspace, const char *id, const char *transition, const char *reason)
{
	return (struct build_record){
		.build = {.id = id, .transition = transition, .reason = reason, .status = "pending"},
		.workspace_id = workspace->id,
		.owner_id = workspace->owner_id,
		.owner_name = workspace->owner_name,
		.moment = "",
		.warnings = "[]",
	};
}

static const char *new_id(struct arena *arena)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	return arena_copy(arena, id);
}

/* Why nothing was inserted, from what a look without a lock shows; a change that it does not show is one to judge
 * again. */
static enum build_end end_of(struct row *row)
{
	bool links = row_bool(row);
	bool owner = row_bool(row);
	bool workspace = row_bool(row);
	bool deleting = row_bool(row);
	if (!workspace)
		return BUILD_WORKSPACE_GONE;
	if (deleting && links && owner)
		return BUILD_DELETING;
	return BUILD_MOVED;
}

bool build_insert_start(struct store *store, struct arena *arena, const struct build_start *start,
	enum build_end *ret_end, struct build_record *ret_record, struct problem *problem)
{
	*ret_record = record_of(start->workspace, new_id(arena), "start", start->reason);
	ret_record->moment = start->moment;
	ret_record->initiator_id = start->initiator_id;
	ret_record->decision_id = start->decision->id;
	ret_record->warnings = start->warnings;
	struct call call;
	call_read(&call, QUERY_BUILD_INSERT_START);
	bind_text(&call, ret_record->build.id);
	bind_text(&call, start->workspace->id);
	bind_text(&call, start->workspace->owner_id);
	bind_text(&call, start->workspace->template_version_id);
	bind_text(&call, start->reason);
	bind_text(&call, start->moment);
	bind_text(&call, start->initiator_id);
	bind_text(&call, start->warnings);
	bind_relied_links(&call, arena, &start->relied);
	bind_decision_json(&call, arena, start->decision);
	SCOPED(rows_release) struct rows rows = {0};
	if (!build_run_insert(store, &call, &rows, problem) || !refuse_violation(&rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	bool inserted = !row_is_null(&row);
	ret_record->build.number = row_integer(&row);
	ret_record->build.created_at_ms = row_time_ms(&row);
	*ret_end = inserted ? BUILD_DONE : end_of(&row);
	if (inserted)
		bell_ring(store_bell(store));
	return true;
}

bool build_insert_free(struct store *store, struct arena *arena, const struct build_free *free, enum build_end *ret_end,
	struct build_record *ret_record, struct problem *problem)
{
	*ret_record = record_of(free->workspace, new_id(arena), free->transition, free->reason);
	ret_record->initiator_id = free->initiator_id;
	struct call call;
	call_read(&call, QUERY_BUILD_INSERT_FREE);
	bind_text(&call, ret_record->build.id);
	bind_text(&call, free->workspace->id);
	bind_text(&call, free->transition);
	bind_text(&call, free->reason);
	bind_text(&call, free->initiator_id);
	bind_text(&call, free->workspace->owner_id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!build_run_insert(store, &call, &rows, problem) || !refuse_violation(&rows, problem))
		return false;
	*ret_end = rows_count(&rows) > 0 ? BUILD_DONE : BUILD_MOVED;
	if (*ret_end != BUILD_DONE)
		return true;
	struct row row = row_at(&rows, 0);
	ret_record->build.number = row_integer(&row);
	ret_record->build.created_at_ms = row_time_ms(&row);
	bell_ring(store_bell(store));
	return true;
}
