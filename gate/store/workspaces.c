/* SPDX-License-Identifier: Apache-2.0 */
/* The one write behind the gate, and workspaces to read. */
#include "workspaces.h"

#include "bell.h"
#include "decision_bind.h"
#include "gated_bind.h"
#include "idempotency_row.h"

/* Why nothing was inserted, in the order of contract section 4. */
static enum insert_end end_of(const struct rows *rows, int64_t *ret_created_at_ms)
{
	if (rows_violate(rows, "workspaces_owner_id_name_key"))
		return INSERT_NAME_TAKEN;
	if (rows_violate(rows, "workspaces_owner_id_fkey"))
		return INSERT_OWNER_GONE;
	if (rows_violate(rows, "workspaces_template_version_id_fkey"))
		return INSERT_VERSION_GONE;
	struct row row = row_at(rows, 0);
	*ret_created_at_ms = row_time_ms(&row);
	bool owner = row_bool(&row);
	bool version = row_bool(&row);
	bool links = row_bool(&row);
	if (!owner)
		return INSERT_OWNER_GONE;
	if (!version)
		return INSERT_VERSION_GONE;
	if (!links)
		return INSERT_LINKS_MOVED;
	return *ret_created_at_ms != 0 ? INSERT_DONE : INSERT_KEY_LOST;
}

static bool is_unknown_violation(const struct rows *rows)
{
	return *rows->violated != '\0' && !rows_violate(rows, "workspaces_owner_id_name_key") &&
	       !rows_violate(rows, "workspaces_owner_id_fkey") &&
	       !rows_violate(rows, "workspaces_template_version_id_fkey");
}

struct workspace workspace_of_insert(const struct workspace_insert *insert)
{
	return (struct workspace){
		.id = insert->id,
		.name = insert->name,
		.owner_id = insert->facts->owner.id,
		.owner_name = insert->facts->owner.username,
		.template_id = insert->facts->version.template_id,
		.template_version_id = insert->facts->version.id,
		.decision_id = insert->decision->id,
		.parameters = insert->parameters,
		.warnings = insert->warnings,
		.created_at_ms = insert->created_at_ms,
		.latest_build =
			{
				.id = insert->build_id,
				.number = 1,
				.transition = "start",
				.reason = "initiator",
				.status = "pending",
				.created_at_ms = insert->created_at_ms,
			},
	};
}

bool workspace_insert(struct store *store, struct arena *arena, const struct workspace_insert *insert,
	enum insert_end *ret_end, struct workspace *ret_workspace, struct problem *problem)
{
	const struct relied relied = {insert->relied_count, insert->relied};
	struct call call;
	call_write(&call, QUERY_WORKSPACE_INSERT);
	call.expects_violation = true;
	bind_text(&call, insert->id);
	bind_text(&call, insert->facts->owner.id);
	bind_text(&call, insert->name);
	bind_text(&call, insert->facts->version.id);
	bind_text(&call, insert->parameters);
	bind_text(&call, insert->warnings);
	bind_text(&call, insert->build_id);
	bind_relied_links(&call, arena, &relied);
	bind_decision(&call, arena, insert->decision);
	bind_time_ms(&call, insert->created_at_ms);
	bind_answer(&call, insert->answer);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	if (is_unknown_violation(&rows))
		return problem_set(problem, PROBLEM_INTERNAL, "The workspace breaks the rule %s.", rows.violated);
	int64_t created_at_ms = 0;
	*ret_end = end_of(&rows, &created_at_ms);
	if (*ret_end != INSERT_DONE)
		return true;
	*ret_workspace = workspace_of_insert(insert);
	ret_workspace->created_at_ms = created_at_ms;
	ret_workspace->latest_build.created_at_ms = created_at_ms;
	bell_ring(store_bell(store));
	return true;
}

static void read_workspace(struct row *row, struct arena *arena, struct workspace *ret_workspace)
{
	ret_workspace->id = row_uuid(row, arena);
	ret_workspace->name = row_text(row, arena);
	ret_workspace->owner_id = row_uuid(row, arena);
	ret_workspace->owner_name = row_text(row, arena);
	ret_workspace->template_id = row_uuid(row, arena);
	ret_workspace->template_version_id = row_uuid(row, arena);
	ret_workspace->decision_id = row_uuid(row, arena);
	ret_workspace->parameters = row_text(row, arena);
	ret_workspace->warnings = row_text(row, arena);
	ret_workspace->created_at_ms = row_time_ms(row);
	ret_workspace->latest_build.id = row_uuid(row, arena);
	ret_workspace->latest_build.number = row_integer(row);
	ret_workspace->latest_build.transition = row_text(row, arena);
	ret_workspace->latest_build.reason = row_text(row, arena);
	ret_workspace->latest_build.status = row_text(row, arena);
	ret_workspace->latest_build.created_at_ms = row_time_ms(row);
	ret_workspace->deleting = row_bool(row);
	ret_workspace->claimed = row_bool(row);
}

bool workspace_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct workspace *ret_workspace, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_WORKSPACE_FIND);
	bind_text(&call, id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_found)
		read_workspace(&row, arena, ret_workspace);
	return true;
}

bool workspace_list(struct store *store, struct arena *arena, const char *owner_id, struct page page,
	struct workspace_page *ret_page, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_WORKSPACE_LIST);
	bind_text(&call, owner_id);
	bind_page(&call, page);
	bind_integer(&call, PAGE_BYTES_MAX);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_page = (struct workspace_page){0};
	ret_page->list = rows_room(&rows, arena, sizeof(*ret_page->list), &ret_page->count);
	for (size_t i = 0; i < ret_page->count; i++) {
		struct row row = row_at(&rows, i);
		read_workspace(&row, arena, &ret_page->list[i]);
		ret_page->has_more = row_bool(&row);
	}
	return true;
}
