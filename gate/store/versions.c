/* SPDX-License-Identifier: Apache-2.0 */
/* Template versions and the list of providers each one names. */
#include <string.h>

#include "../base/json.h"
#include "../base/log.h"
#include "templates.h"
#include "version_row.h"

/* Two versions made at once want the same ordinal; each attempt lets one of them through. */
#define ORDINAL_ATTEMPTS_MAX 16

static bool add_requirement(const struct json *element, struct requirements *requirements)
{
	if (json_is(element, JSON_STRING))
		return requirements_add(requirements, json_string(element), /* optional= */ false);
	const char *id = json_string(json_member(element, "id"));
	return id != NULL && requirements_add(requirements, id, json_bool(json_member(element, "optional"), false));
}

static bool read_requirements(const char *text, struct requirements *ret_requirements)
{
	struct problem unused = {0};
	SCOPED(json_release) struct json *list = NULL;
	ret_requirements->count = 0;
	if (text == NULL || !json_parse(text, strlen(text), &list, &unused) || !json_is(list, JSON_ARRAY))
		return false;
	for (const struct json *element = json_first(list); element != NULL; element = json_next(element))
		if (!add_requirement(element, ret_requirements))
			return false;
	return true;
}

bool version_read_row(
	struct row *row, struct arena *arena, struct template_version *ret_version, struct problem *problem)
{
	ret_version->id = row_uuid(row, arena);
	ret_version->template_id = row_uuid(row, arena);
	ret_version->ordinal = row_integer(row);
	ret_version->archived = row_bool(row);
	ret_version->created_at_ms = row_time_ms(row);
	if (read_requirements(row_text(row, arena), &ret_version->requirements))
		return true;
	log_event(LOG_ERROR, "a template version's external_auth cannot be read",
		log_string("template_version_id", ret_version->id));
	return problem_set(problem, PROBLEM_INTERNAL, "The template version's list of providers cannot be read.");
}

const char *version_requirements_text(struct arena *arena, const struct requirements *requirements)
{
	SCOPED(json_release) struct json *list = json_new_array();
	for (size_t i = 0; i < requirements->count; i++) {
		struct json *object = json_push_object(list);
		json_add_string(object, "id", requirements->list[i].provider_id);
		json_add_bool(object, "optional", requirements->list[i].optional);
	}
	return json_print(list, arena);
}

/* Reads the one version of a result, where there is one. */
static bool take_one(const struct rows *rows, struct arena *arena, bool *ret_found,
	struct template_version *ret_version, struct problem *problem)
{
	*ret_found = rows_count(rows) > 0;
	if (!*ret_found)
		return true;
	struct row row = row_at(rows, 0);
	return version_read_row(&row, arena, ret_version, problem);
}

bool version_insert(struct store *store, struct arena *arena, const char *template_id,
	const struct requirements *requirements, bool activate, bool *ret_found, struct template_version *ret_version,
	struct problem *problem)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	struct call call;
	call_write(&call, QUERY_VERSION_INSERT);
	call.expects_violation = true;
	bind_text(&call, id);
	bind_text(&call, template_id);
	bind_text(&call, version_requirements_text(arena, requirements));
	bind_bool(&call, activate);
	for (int attempt = 0; attempt < ORDINAL_ATTEMPTS_MAX; attempt++) {
		SCOPED(rows_release) struct rows rows = {0};
		if (!store_run(store, &call, &rows, problem))
			return false;
		if (*rows.violated == '\0')
			return take_one(&rows, arena, ret_found, ret_version, problem);
		if (!rows_violate(&rows, "template_versions_template_id_ordinal_key"))
			return problem_set(problem, PROBLEM_INTERNAL, "The version breaks the rule %s.", rows.violated);
	}
	return problem_set(
		problem, PROBLEM_CHANGED_MEANWHILE, "Many versions of this template are being made at once.");
}

bool version_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct template_version *ret_version, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_VERSION_FIND);
	bind_text(&call, id);
	SCOPED(rows_release) struct rows rows = {0};
	return store_run(store, &call, &rows, problem) && take_one(&rows, arena, ret_found, ret_version, problem);
}

bool version_list(struct store *store, struct arena *arena, const char *template_id, struct page page,
	size_t *ret_count, struct template_version **ret_versions, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_VERSION_LIST);
	bind_text(&call, template_id);
	bind_page(&call, page);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_versions = rows_room(&rows, arena, sizeof(**ret_versions), ret_count);
	for (size_t i = 0; i < *ret_count; i++) {
		struct row row = row_at(&rows, i);
		if (!version_read_row(&row, arena, &(*ret_versions)[i], problem))
			return false;
	}
	return true;
}

bool version_set_archived(struct store *store, struct arena *arena, const char *id, bool archived, bool *ret_found,
	struct template_version *ret_version, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_VERSION_SET_ARCHIVED);
	bind_text(&call, id);
	bind_bool(&call, archived);
	SCOPED(rows_release) struct rows rows = {0};
	return store_run(store, &call, &rows, problem) && take_one(&rows, arena, ret_found, ret_version, problem);
}
