/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of builds: see provisioner.h. */
#include "provisioner.h"

#include "bell.h"
#include "build_row.h"

/* Each more means that somebody queued another build of the workspace within the milliseconds of one statement. */
#define COMPLETE_RUNS_MAX 10

static void read_workspace(struct row *row, struct arena *arena, struct build_claim *claim)
{
	const struct build_record *record = &claim->record;
	claim->workspace = (struct workspace){
		.id = record->workspace_id, .owner_id = record->owner_id, .owner_name = record->owner_name};
	claim->workspace.name = row_text(row, arena);
	claim->workspace.template_id = row_uuid(row, arena);
	claim->workspace.template_version_id = row_uuid(row, arena);
	claim->workspace.parameters = row_text(row, arena);
	claim->workspace.created_at_ms = row_time_ms(row);
}

bool build_claim(struct store *store, struct arena *arena, const char *lease_id, int64_t lease_ms, bool *ret_found,
	struct build_claim *ret_claim, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_BUILD_CLAIM);
	bind_text(&call, lease_id);
	bind_integer(&call, lease_ms);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	if (!*ret_found)
		return true;
	struct row row = row_at(&rows, 0);
	build_read_row(&row, arena, &ret_claim->record);
	read_workspace(&row, arena, ret_claim);
	ret_claim->had = row_uuid(&row, arena);
	ret_claim->lapsed = row_bool(&row);
	return true;
}

bool build_hand_out(struct store *store, struct arena *arena, const struct build_hand_out *hand_out,
	enum hand_out_end *ret_end, struct build_record *ret_record, struct problem *problem)
{
	const struct build_record *record = &hand_out->claim->record;
	struct call call;
	call_read(&call, QUERY_BUILD_HAND_OUT);
	bind_text(&call, record->build.id);
	bind_text(&call, hand_out->lease_id);
	bind_text(&call, record->owner_id);
	bind_text(&call, hand_out->provisioner_id);
	bind_integer(&call, hand_out->lease_ms);
	bind_bool(&call, hand_out->owner_must_be_active);
	bind_relied_links(&call, arena, &hand_out->relied);
	bind_decision_json(&call, arena, hand_out->decision);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	bool done = !row_is_null(&row);
	*ret_record = *record;
	ret_record->build.status = "running";
	ret_record->provisioner_id = hand_out->provisioner_id;
	ret_record->attempt = row_integer(&row);
	ret_record->started_at_ms = row_time_ms(&row);
	ret_record->lease_until_ms = row_time_ms(&row);
	bool links = row_bool(&row);
	bool owner = row_bool(&row);
	if (done)
		*ret_end = HAND_OUT_DONE;
	else
		*ret_end = links && owner ? HAND_OUT_LOST : HAND_OUT_MOVED;
	return true;
}

bool build_fail(struct store *store, const char *id, const char *lease_id, const char *error, bool *ret_failed,
	struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_BUILD_FAIL);
	bind_text(&call, id);
	bind_text(&call, lease_id);
	bind_text(&call, error);
	return store_ask(store, &call, ret_failed, problem);
}

bool build_put_back(struct store *store, const char *id, const char *lease_id, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_BUILD_PUT_BACK);
	bind_text(&call, id);
	bind_text(&call, lease_id);
	if (!store_do(store, &call, problem))
		return false;
	bell_ring(store_bell(store));
	return true;
}

static void bind_hold(struct call *call, const struct build_hold *hold)
{
	bind_text(call, hold->id);
	bind_text(call, hold->provisioner_id);
	if (hold->attempt == 0)
		bind_null(call);
	else
		bind_integer(call, hold->attempt);
}

bool build_renew(struct store *store, const struct build_hold *hold, int64_t lease_ms, bool *ret_held,
	int64_t *ret_lease_until_ms, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_BUILD_RENEW);
	bind_hold(&call, hold);
	bind_integer(&call, lease_ms);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_held, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_held)
		*ret_lease_until_ms = row_time_ms(&row);
	return true;
}

bool build_release(struct store *store, const struct build_hold *hold, bool *ret_held, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_BUILD_RELEASE);
	bind_hold(&call, hold);
	if (!store_ask(store, &call, ret_held, problem))
		return false;
	if (*ret_held)
		bell_ring(store_bell(store));
	return true;
}

static bool complete_once(struct store *store, const struct call *call, enum complete_end *ret_end, bool *ret_again,
	struct problem *problem)
{
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	bool found = row_bool(&row);
	bool done = row_bool(&row);
	*ret_again = row_bool(&row) && !done;
	bool same = row_bool(&row);
	*ret_end = !found ? COMPLETE_NOT_FOUND : done ? COMPLETE_DONE : same ? COMPLETE_SAME : COMPLETE_NOT_HELD;
	return true;
}

bool build_complete(struct store *store, const struct build_hold *hold, const char *status, const char *error,
	enum complete_end *ret_end, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_BUILD_COMPLETE);
	bind_hold(&call, hold);
	bind_text(&call, status);
	bind_text(&call, error);
	for (int run = 0; run < COMPLETE_RUNS_MAX; run++) {
		bool again = false;
		if (!complete_once(store, &call, ret_end, &again, problem))
			return false;
		if (again)
			continue;
		/* What waited for this build in its workspace is next. */
		if (*ret_end == COMPLETE_DONE)
			bell_ring(store_bell(store));
		return true;
	}
	problem_set(problem, PROBLEM_CHANGED_MEANWHILE, "The workspace's builds change too fast to end this one.");
	problem->retry_after_s = 1;
	return problem_detail(problem, "Nothing was changed; say it again.");
}
