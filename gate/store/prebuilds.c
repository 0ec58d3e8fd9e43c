/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces built ahead: see prebuilds.h. */
#include "prebuilds.h"

#include "../base/clock.h"
#include "bell.h"
#include "build_row.h"
#include "idempotency_row.h"

/* 64 random bits never meet in one owner's names. */
static const char *prebuild_name(struct arena *arena)
{
	uint64_t random = 0;
	random_bytes(&random, sizeof(random));
	return arena_printf(arena, "prebuild-%016llx", (unsigned long long)random);
}

static struct workspace prebuild_of(struct arena *arena, const struct template_version *version)
{
	return (struct workspace){
		.id = uuid_in(arena),
		.name = prebuild_name(arena),
		.owner_id = PREBUILDS_USER_ID,
		.owner_name = PREBUILDS_USER_NAME,
		.template_id = version->template_id,
		.template_version_id = version->id,
		.parameters = "{}",
		.warnings = "[]",
		.latest_build =
			{
				.id = uuid_in(arena),
				.number = 1,
				.transition = "start",
				.reason = "prebuild",
				.status = "pending",
			},
	};
}

static void bind_prebuilds(struct call *call, struct arena *arena, size_t count, const struct workspace *workspaces)
{
	const char **ids = arena_alloc(arena, count * sizeof(*ids));
	const char **names = arena_alloc(arena, count * sizeof(*names));
	const char **build_ids = arena_alloc(arena, count * sizeof(*build_ids));
	for (size_t i = 0; i < count; i++) {
		ids[i] = workspaces[i].id;
		names[i] = workspaces[i].name;
		build_ids[i] = workspaces[i].latest_build.id;
	}
	bind_texts(call, arena, count, ids);
	bind_texts(call, arena, count, names);
	bind_texts(call, arena, count, build_ids);
}

bool prebuilds_insert(struct store *store, struct arena *arena, const struct prebuilds_insert *insert,
	bool *ret_inserted, struct workspace **ret_workspaces, struct problem *problem)
{
	struct workspace *workspaces = arena_alloc(arena, insert->count * sizeof(*workspaces));
	for (size_t i = 0; i < insert->count; i++)
		workspaces[i] = prebuild_of(arena, insert->version);
	struct call call;
	call_read(&call, QUERY_PREBUILDS_INSERT);
	bind_text(&call, insert->version->id);
	bind_prebuilds(&call, arena, insert->count, workspaces);
	bind_text(&call, insert->initiator_id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	*ret_inserted = !row_is_null(&row);
	int64_t created_at_ms = row_time_ms(&row);
	for (size_t i = 0; i < insert->count; i++) {
		workspaces[i].created_at_ms = created_at_ms;
		workspaces[i].latest_build.created_at_ms = created_at_ms;
	}
	*ret_workspaces = workspaces;
	if (*ret_inserted)
		bell_ring(store_bell(store));
	return true;
}

/* Marks of a width that real ones never have: a time past the year 3000. */
#define MARK_NUMBER_LEAST INT64_C(1000000000000000)
#define MARK_TIME_LEAST_MS INT64_C(32503680000000)

struct workspace_claim workspace_claim_of(const struct workspace_insert *insert, struct arena *arena)
{
	struct workspace ahead = workspace_of_insert(insert);
	ahead.id = uuid_in(arena);
	ahead.claimed = true;
	ahead.created_at_ms = build_mark(MARK_TIME_LEAST_MS);
	ahead.latest_build.number = build_mark(MARK_NUMBER_LEAST);
	ahead.latest_build.reason = "claim";
	return (struct workspace_claim){.insert = insert, .ahead = ahead};
}

static enum claim_end read_claim(struct row *row, struct arena *arena, struct workspace *workspace)
{
	workspace->id = row_uuid(row, arena);
	workspace->latest_build.number = row_integer(row);
	workspace->latest_build.created_at_ms = row_time_ms(row);
	workspace->created_at_ms = row_time_ms(row);
	bool owner = row_bool(row);
	bool version = row_bool(row);
	bool links = row_bool(row);
	bool candidate = row_bool(row);
	if (workspace->id != NULL)
		return CLAIM_DONE;
	if (candidate)
		return CLAIM_KEY_LOST;
	return owner && version && links ? CLAIM_NONE_LEFT : CLAIM_MOVED;
}

static void bind_marks(struct call *call, struct arena *arena, const struct workspace *ahead)
{
	bind_text(call, ahead->id);
	bind_integer(call, ahead->latest_build.number);
	bind_text(call, clock_rfc3339(arena, ahead->created_at_ms));
}

static void bind_claim(struct call *call, struct arena *arena, const struct workspace_claim *claim)
{
	const struct workspace_insert *insert = claim->insert;
	const struct relied relied = {insert->relied_count, insert->relied};
	bind_text(call, insert->facts->owner.id);
	bind_text(call, insert->name);
	bind_text(call, insert->facts->version.id);
	bind_text(call, insert->parameters);
	bind_text(call, insert->warnings);
	bind_text(call, insert->build_id);
	bind_text(call, insert->initiator_id);
	bind_relied_links(call, arena, &relied);
	bind_decision_json(call, arena, insert->decision);
	bind_time_ms(call, insert->created_at_ms);
	bind_answer(call, insert->answer);
	bind_marks(call, arena, &claim->ahead);
}

bool workspace_claim(struct store *store, struct arena *arena, const struct workspace_claim *claim,
	enum claim_end *ret_end, struct workspace *ret_workspace, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_WORKSPACE_CLAIM);
	bind_claim(&call, arena, claim);
	SCOPED(rows_release) struct rows rows = {0};
	if (!build_run_insert(store, &call, &rows, problem))
		return false;
	bool taken = rows_violate(&rows, "workspaces_owner_id_name_key");
	if (taken || rows_violate(&rows, "workspaces_owner_id_fkey")) {
		*ret_end = taken ? CLAIM_NAME_TAKEN : CLAIM_MOVED;
		return true;
	}
	if (*rows.violated != '\0')
		return problem_set(problem, PROBLEM_INTERNAL, "The workspace breaks the rule %s.", rows.violated);
	struct row row = row_at(&rows, 0);
	*ret_workspace = claim->ahead;
	*ret_end = read_claim(&row, arena, ret_workspace);
	if (*ret_end == CLAIM_DONE)
		bell_ring(store_bell(store));
	return true;
}
