/* SPDX-License-Identifier: Apache-2.0 */
/* Templates. */
#include "templates.h"

#include "user_row.h"
#include "version_row.h"

static void read_template(struct row *row, struct arena *arena, struct template *ret_template)
{
	ret_template->id = row_uuid(row, arena);
	ret_template->name = row_text(row, arena);
	ret_template->active_version_id = row_uuid(row, arena);
	ret_template->enforcement = row_text(row, arena);
	ret_template->deprecated = row_bool(row);
	ret_template->created_at_ms = row_time_ms(row);
	ret_template->updated_at_ms = row_time_ms(row);
}

bool template_insert(struct store *store, struct arena *arena, const char *name,
	const struct requirements *requirements, struct template *ret_template, struct template_version *ret_version,
	struct problem *problem)
{
	char template_id[UUID_TEXT_SIZE];
	char version_id[UUID_TEXT_SIZE];
	uuid_new(template_id);
	uuid_new(version_id);
	struct call call;
	call_write(&call, QUERY_TEMPLATE_INSERT);
	call.expects_violation = true;
	bind_text(&call, template_id);
	bind_text(&call, name);
	bind_text(&call, version_id);
	bind_text(&call, version_requirements_text(arena, requirements));
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	if (rows_violate(&rows, "templates_name_key")) {
		problem_set(problem, PROBLEM_NAME_TAKEN, "There is a template of that name already.");
		return problem_add_violation(problem, "name", "is taken");
	}
	if (rows_count(&rows) == 0)
		return problem_set(problem, PROBLEM_INTERNAL, "The template breaks the rule %s.", rows.violated);
	struct row row = row_at(&rows, 0);
	read_template(&row, arena, ret_template);
	return version_read_row(&row, arena, ret_version, problem);
}

bool template_find(struct store *store, struct arena *arena, const char *id_or_name, bool *ret_found,
	struct template *ret_template, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_TEMPLATE_FIND);
	bind_reference(&call, id_or_name);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_found)
		read_template(&row, arena, ret_template);
	return true;
}

bool template_list(struct store *store, struct arena *arena, struct page page, size_t *ret_count,
	struct template **ret_templates, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_TEMPLATE_LIST);
	bind_page(&call, page);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_templates = rows_room(&rows, arena, sizeof(**ret_templates), ret_count);
	for (size_t i = 0; i < *ret_count; i++) {
		struct row row = row_at(&rows, i);
		read_template(&row, arena, &(*ret_templates)[i]);
	}
	return true;
}

bool template_update(struct store *store, struct arena *arena, const char *id, const struct template_change *change,
	bool *ret_found, struct template *ret_template, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_TEMPLATE_UPDATE);
	bind_text(&call, id);
	bind_text(&call, change->active_version_id);
	bind_text(&call, change->enforcement);
	bind_bool_or_null(&call, change->deprecated);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	*ret_found = row_bool(&row);
	bool own = row_bool(&row);
	bool archived = row_bool(&row);
	if (!*ret_found)
		return true;
	if (!own) {
		problem_set(problem, PROBLEM_VALIDATION_FAILED, "The template cannot use that version.");
		return problem_add_violation(problem, "active_version_id", "must be a version of this template");
	}
	if (archived) {
		problem_set(problem, PROBLEM_VERSION_ARCHIVED, "That template version is archived.");
		return problem_detail(problem, "Unarchive it first, or choose another.");
	}
	read_template(&row, arena, ret_template);
	return true;
}
