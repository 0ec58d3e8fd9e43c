/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces built ahead: see prebuilds.h. */
#include "prebuilds.h"

#include "bell.h"
#include "build_row.h"

#define PREBUILDS_USER_NAME "prebuilds"

/* 64 random bits never meet in one owner's names. */
static const char *prebuild_name(struct arena *arena)
{
	uint64_t random = 0;
	random_bytes(&random, sizeof(random));
	return arena_printf(arena, "prebuild-%016llx", (unsigned long long)random);
}

static const char *new_id(struct arena *arena)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	return arena_copy(arena, id);
}

static struct workspace prebuild_of(struct arena *arena, const struct template_version *version)
{
	return (struct workspace){
		.id = new_id(arena),
		.name = prebuild_name(arena),
		.owner_id = PREBUILDS_USER_ID,
		.owner_name = PREBUILDS_USER_NAME,
		.template_id = version->template_id,
		.template_version_id = version->id,
		.parameters = "{}",
		.warnings = "[]",
		.latest_build =
			{
				.id = new_id(arena),
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

static struct workspace claimed_of(const struct workspace_insert *insert, const char *build_id)
{
	return (struct workspace){
		.name = insert->name,
		.owner_id = insert->facts->owner.id,
		.owner_name = insert->facts->owner.username,
		.template_id = insert->facts->version.template_id,
		.template_version_id = insert->facts->version.id,
		.decision_id = insert->decision->id,
		.parameters = insert->parameters,
		.warnings = insert->warnings,
		.claimed = true,
		.latest_build = {.id = build_id, .transition = "start", .reason = "claim", .status = "pending"},
	};
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
	if (workspace->id != NULL)
		return CLAIM_DONE;
	return owner && version && links ? CLAIM_NONE_LEFT : CLAIM_MOVED;
}

bool workspace_claim(struct store *store, struct arena *arena, const struct workspace_insert *insert,
	enum claim_end *ret_end, struct workspace *ret_workspace, struct problem *problem)
{
	const struct relied relied = {insert->relied_count, insert->relied};
	*ret_workspace = claimed_of(insert, new_id(arena));
	struct call call;
	call_read(&call, QUERY_WORKSPACE_CLAIM);
	bind_text(&call, insert->facts->owner.id);
	bind_text(&call, insert->name);
	bind_text(&call, insert->facts->version.id);
	bind_text(&call, insert->parameters);
	bind_text(&call, insert->warnings);
	bind_text(&call, ret_workspace->latest_build.id);
	bind_text(&call, insert->initiator_id);
	bind_relied_links(&call, arena, &relied);
	bind_decision_json(&call, arena, insert->decision);
	SCOPED(rows_release) struct rows rows = {0};
	if (!build_run_insert(store, &call, &rows, problem))
		return false;
	if (rows_violate(&rows, "workspaces_owner_id_name_key")) {
		*ret_end = CLAIM_NAME_TAKEN;
		return true;
	}
	if (rows_violate(&rows, "workspaces_owner_id_fkey")) {
		*ret_end = CLAIM_MOVED;
		return true;
	}
	if (*rows.violated != '\0')
		return problem_set(problem, PROBLEM_INTERNAL, "The workspace breaks the rule %s.", rows.violated);
	struct row row = row_at(&rows, 0);
	*ret_end = read_claim(&row, arena, ret_workspace);
	if (*ret_end == CLAIM_DONE)
		bell_ring(store_bell(store));
	return true;
}
