/* SPDX-License-Identifier: Apache-2.0 */
/* Builds: see builds.h. */
#include "builds.h"

#include "bell.h"
#include "build_row.h"
#include "idempotency_row.h"

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
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_found)
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

/* Random, so that it stands nowhere else in an answer; JSON tells integers below 2^53 exactly. */
#define MARK_RANGE UINT64_C(100000000000000)
#define MARK_NUMBER_LEAST INT64_C(1000000000000000)

int64_t build_mark(int64_t least)
{
	uint64_t random = 0;
	random_bytes(&random, sizeof(random));
	return least + (int64_t)(random % MARK_RANGE);
}

struct build_new build_new_in(struct arena *arena, int64_t created_at_ms)
{
	return (struct build_new){
		.id = uuid_in(arena), .created_at_ms = created_at_ms, .number_mark = build_mark(MARK_NUMBER_LEAST)};
}

/* What is inserted is known here; number and, where none is given, time are the database's. */
static struct build_record record_of(const struct build_new *new, const struct workspace *workspace)
{
	return (struct build_record){
		.build = {.id = new->id,
			.number = new->number_mark,
			.status = "pending",
			.created_at_ms = new->created_at_ms},
		.workspace_id = workspace->id,
		.owner_id = workspace->owner_id,
		.owner_name = workspace->owner_name,
		.moment = "",
		.warnings = "[]",
	};
}

struct build_record build_of_start(const struct build_start *start)
{
	struct build_record record = record_of(&start->new, start->workspace);
	record.build.transition = "start";
	record.build.reason = start->reason;
	record.moment = start->moment;
	record.initiator_id = start->initiator_id;
	record.decision_id = start->decision->id;
	record.warnings = start->warnings;
	return record;
}

struct build_record build_of_free(const struct build_free *free)
{
	struct build_record record = record_of(&free->new, free->workspace);
	record.build.transition = free->transition;
	record.build.reason = free->reason;
	record.initiator_id = free->initiator_id;
	return record;
}

/* Created at, the key with its answer, the mark, and how many may be open. */
static void bind_new(struct call *call, const struct build_new *new)
{
	bind_time_ms(call, new->created_at_ms);
	bind_answer(call, new->answer);
	bind_integer(call, new->number_mark);
	bind_integer(call, BUILDS_OPEN_MAX);
}

/* Number and time of what was inserted. */
static bool read_inserted(struct row *row, struct build_record *record)
{
	bool inserted = !row_is_null(row);
	record->build.number = row_integer(row);
	record->build.created_at_ms = row_time_ms(row);
	return inserted;
}

/* Why nothing was inserted, from what a look without a lock shows; a change that it does not show is one to judge
 * again. */
static enum build_end end_of(struct row *row)
{
	bool links = row_bool(row);
	bool owner = row_bool(row);
	bool workspace = row_bool(row);
	bool deleting = row_bool(row);
	bool key_lost = row_bool(row);
	bool full = row_bool(row);
	if (key_lost)
		return BUILD_KEY_LOST;
	if (!workspace)
		return BUILD_WORKSPACE_GONE;
	if (!links || !owner)
		return BUILD_MOVED;
	if (deleting)
		return BUILD_DELETING;
	return full ? BUILD_QUEUE_FULL : BUILD_MOVED;
}

static enum build_end end_of_free(struct row *row)
{
	bool key_lost = row_bool(row);
	bool full = row_bool(row);
	if (key_lost)
		return BUILD_KEY_LOST;
	return full ? BUILD_QUEUE_FULL : BUILD_MOVED;
}

bool build_insert_start(struct store *store, struct arena *arena, const struct build_start *start,
	enum build_end *ret_end, struct build_record *ret_record, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_BUILD_INSERT_START);
	bind_text(&call, start->new.id);
	bind_text(&call, start->workspace->id);
	bind_text(&call, start->workspace->owner_id);
	bind_text(&call, start->workspace->template_version_id);
	bind_text(&call, start->reason);
	bind_text(&call, start->moment);
	bind_text(&call, start->initiator_id);
	bind_text(&call, start->warnings);
	bind_relied_links(&call, arena, &start->relied);
	bind_decision_json(&call, arena, start->decision);
	bind_new(&call, &start->new);
	SCOPED(rows_release) struct rows rows = {0};
	if (!build_run_insert(store, &call, &rows, problem) || !refuse_violation(&rows, problem))
		return false;
	*ret_record = build_of_start(start);
	struct row row = row_at(&rows, 0);
	*ret_end = read_inserted(&row, ret_record) ? BUILD_DONE : end_of(&row);
	if (*ret_end == BUILD_DONE)
		bell_ring(store_bell(store));
	return true;
}

bool build_insert_free(struct store *store, const struct build_free *free, enum build_end *ret_end,
	struct build_record *ret_record, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_BUILD_INSERT_FREE);
	bind_text(&call, free->new.id);
	bind_text(&call, free->workspace->id);
	bind_text(&call, free->transition);
	bind_text(&call, free->reason);
	bind_text(&call, free->initiator_id);
	bind_text(&call, free->workspace->owner_id);
	bind_new(&call, &free->new);
	SCOPED(rows_release) struct rows rows = {0};
	if (!build_run_insert(store, &call, &rows, problem) || !refuse_violation(&rows, problem))
		return false;
	*ret_record = build_of_free(free);
	struct row row = row_at(&rows, 0);
	*ret_end = read_inserted(&row, ret_record) ? BUILD_DONE : end_of_free(&row);
	if (*ret_end == BUILD_DONE)
		bell_ring(store_bell(store));
	return true;
}
