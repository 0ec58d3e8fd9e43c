/* SPDX-License-Identifier: Apache-2.0 */
/* Exemptions: see exemptions.h. */
#include "exemptions.h"

#include "user_row.h"

static void read_exemption(struct row *row, struct arena *arena, struct exemption *ret_exemption)
{
	*ret_exemption = (struct exemption){.id = row_uuid(row, arena)};
	ret_exemption->owner_id = row_uuid(row, arena);
	ret_exemption->owner_name = row_text(row, arena);
	ret_exemption->template_id = row_uuid(row, arena);
	ret_exemption->template_name = row_text(row, arena);
	ret_exemption->provider_id = row_text(row, arena);
	ret_exemption->reason = row_text(row, arena);
	ret_exemption->granted_by_id = row_uuid(row, arena);
	ret_exemption->granted_by_name = row_text(row, arena);
	ret_exemption->expires_at_ms = row_time_ms(row);
	ret_exemption->created_at_ms = row_time_ms(row);
}

/* Runs a statement that gives one exemption or none. */
static bool find_one(struct store *store, struct arena *arena, const struct call *call, bool *ret_found,
	struct exemption *ret_exemption, struct problem *problem)
{
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, call, &rows, ret_found, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_found)
		read_exemption(&row, arena, ret_exemption);
	return true;
}

bool exemption_insert(struct store *store, struct arena *arena, const struct exemption *exemption,
	struct exemption *ret_exemption, struct problem *problem)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	struct call call;
	call_write(&call, QUERY_EXEMPTION_INSERT);
	bind_text(&call, id);
	bind_text(&call, exemption->owner_id);
	bind_text(&call, exemption->template_id);
	bind_text(&call, exemption->provider_id);
	bind_text(&call, exemption->reason);
	bind_text(&call, exemption->granted_by_id);
	bind_text(&call, exemption->granted_by_name);
	bind_time_ms(&call, exemption->expires_at_ms);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (!row_bool(&row))
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such owner or template any more.");
	if (row_is_null(&row)) {
		problem_set(problem, PROBLEM_CONFLICT, "The owner is exempt already.");
		return problem_detail(problem, "Revoke the exemption that is in force first, or let it end.");
	}
	read_exemption(&row, arena, ret_exemption);
	return true;
}

bool exemption_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct exemption *ret_exemption, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_EXEMPTION_FIND);
	bind_text(&call, id);
	return find_one(store, arena, &call, ret_found, ret_exemption, problem);
}

bool exemption_list(struct store *store, struct arena *arena, const struct exemption_filter *filter, struct page page,
	size_t *ret_count, struct exemption **ret_exemptions, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_EXEMPTION_LIST);
	bind_page(&call, page);
	bind_reference(&call, filter->owner);
	bind_reference(&call, filter->template);
	bind_text(&call, filter->provider_id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_exemptions = rows_room(&rows, arena, sizeof(**ret_exemptions), ret_count);
	for (size_t i = 0; i < *ret_count; i++) {
		struct row row = row_at(&rows, i);
		read_exemption(&row, arena, &(*ret_exemptions)[i]);
	}
	return true;
}

bool exemption_delete(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct exemption *ret_exemption, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_EXEMPTION_DELETE);
	bind_text(&call, id);
	return find_one(store, arena, &call, ret_found, ret_exemption, problem);
}
