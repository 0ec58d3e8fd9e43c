/* SPDX-License-Identifier: Apache-2.0 */
/* Templates and their versions: see template.h. */
#include "template.h"

#include "../base/clock.h"
#include "../http/page.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/requirements_json.h"
#include "../store/templates.h"

static void add_template(struct json *root, const struct template *template, struct arena *arena)
{
	json_add_string(root, "id", template->id);
	json_add_string(root, "name", template->name);
	json_add_string(root, "active_version_id", template->active_version_id);
	json_add_string(root, "enforcement", *template->enforcement == '\0' ? NULL : template->enforcement);
	json_add_bool(root, "deprecated", template->deprecated);
	json_add_string(root, "created_at", clock_rfc3339(arena, template->created_at_ms));
	json_add_string(root, "updated_at", clock_rfc3339(arena, template->updated_at_ms));
}

static struct json *show_template(const struct template *template, struct arena *arena)
{
	struct json *root = json_new_object();

	add_template(root, template, arena);
	return root;
}

static struct json *show_version(const struct template_version *version, struct arena *arena)
{
	struct json *root = json_new_object();

	json_add_string(root, "id", version->id);
	json_add_string(root, "template_id", version->template_id);
	json_add_integer(root, "ordinal", version->ordinal);
	requirements_add_json(root, "external_auth", &version->requirements);
	json_add_bool(root, "archived", version->archived);
	json_add_string(root, "created_at", clock_rfc3339(arena, version->created_at_ms));
	return root;
}

static bool template_missing(struct problem *problem)
{
	return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such template.");
}

static bool version_missing(struct problem *problem)
{
	return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such template version.");
}

static bool find_template(const struct request *request, struct template *ret_template, struct problem *problem)
{
	bool found = false;

	if (!template_find(request->service->store, request->arena, request_parameter(request, "template"), &found,
		    ret_template, problem))
		return false;
	return found || template_missing(problem);
}

bool api_template_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *name = NULL;
	const struct json *list = NULL;
	const struct json_field fields[] = {
		{.name = "name",
			.type = JSON_STRING,
			.target = &name,
			.required = true,
			.bytes_max = TEMPLATE_NAME_BYTES_MAX},
		{.name = "external_auth", .type = JSON_ARRAY, .target = &list},
	};
	struct requirements requirements;
	struct template template;
	struct template_version version;
	bool good = json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);

	if (name != NULL && !name_is_template(name))
		good = problem_add_violation(problem, "name",
			"must be 1 to %d of a-z, 0-9 and -, and not shaped like a UUID", TEMPLATE_NAME_BYTES_MAX);
	good = requirements_read_list(list, &requirements, problem) && good;
	if (!good || !subject_allow(request, ACTION_TEMPLATE_WRITE, problem))
		return false;
	if (!template_insert(
		    request->service->store, request->arena, name, &requirements, &template, &version, problem))
		return false;

	struct json *root = show_template(&template, request->arena);

	json_add(root, "active_version", show_version(&version, request->arena));
	reply_json(reply, 201, root);
	return true;
}

bool api_template_list(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct page page;
	size_t count = 0;
	struct template *templates = NULL;

	if (!request_page(request, &page, problem) || !subject_allow(request, ACTION_TEMPLATE_READ, problem))
		return false;
	if (!template_list(
		    request->service->store, request->arena, page_with_one_more(page), &count, &templates, problem))
		return false;

	size_t shown = page_shown(page, count);
	struct json *root = json_new_object();
	struct json *list = json_add_array(root, "templates");

	for (size_t i = 0; i < shown; i++)
		json_push(list, show_template(&templates[i], request->arena));
	json_add_string(root, "next_after_id", count > shown ? templates[shown - 1].id : NULL);
	reply_json(reply, 200, root);
	return true;
}

bool api_template_get(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct template template;

	if (!subject_allow(request, ACTION_TEMPLATE_READ, problem) || !find_template(request, &template, problem))
		return false;
	reply_json(reply, 200, show_template(&template, request->arena));
	return true;
}

bool api_template_update(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *version_id = NULL;
	const char *word = NULL;
	bool deprecated = false;
	bool has_enforcement = false;
	struct enforcement_setting enforcement;
	const struct json_field fields[] = {
		{.name = "active_version_id", .type = JSON_STRING, .target = &version_id},
		{.name = "enforcement", .type = JSON_STRING, .target = &word, .present = &has_enforcement},
		{.name = "deprecated", .type = JSON_BOOL, .target = &deprecated},
	};
	struct template template;
	bool found = false;
	bool good = json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);

	if (version_id != NULL && !name_is_uuid(version_id))
		good = problem_add_violation(
			problem, "active_version_id", "must be the UUID of a version of this template");
	if (word != NULL && (*word == '\0' || !enforcement_setting_read(word, &enforcement)))
		good = problem_add_violation(problem, "enforcement",
			"must be `deny`, `warn` or `dryrun`, such a word for one moment (`deny,autostart=warn`), or "
			"null");
	if (!good || !subject_allow(request, ACTION_TEMPLATE_WRITE, problem) ||
		!find_template(request, &template, problem))
		return false;

	const struct template_change change = {.active_version_id = version_id,
		.enforcement = has_enforcement ? (word == NULL ? "" : word) : NULL,
		.deprecated = json_is(json_member(request->json, "deprecated"), JSON_BOOL) ? &deprecated : NULL};

	if (!template_update(request->service->store, request->arena, template.id, &change, &found, &template, problem))
		return false;
	if (!found)
		return template_missing(problem);
	reply_json(reply, 200, show_template(&template, request->arena));
	return true;
}

static bool read_version(const struct request *request, struct requirements *ret_requirements, bool *ret_activate,
	struct problem *problem)
{
	const struct json *list = NULL;
	const struct json *terraform = NULL;
	const struct json_field fields[] = {
		{.name = "external_auth", .type = JSON_ARRAY, .target = &list},
		{.name = "terraform", .type = JSON_OBJECT, .target = &terraform},
		{.name = "activate", .type = JSON_BOOL, .target = ret_activate},
	};

	if (!json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem))
		return false;
	if ((list == NULL) == (terraform == NULL)) {
		(void)problem_add_violation(
			problem, "external_auth", "exactly one of external_auth and terraform is needed");
		return problem_add_violation(
			problem, "terraform", "exactly one of external_auth and terraform is needed");
	}
	if (list != NULL)
		return requirements_read_list(list, ret_requirements, problem);
	return requirements_read_terraform(terraform, ret_requirements, problem);
}

bool api_version_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct requirements requirements;
	struct template template;
	struct template_version version;
	bool activate = false;
	bool found = false;

	if (!read_version(request, &requirements, &activate, problem) ||
		!subject_allow(request, ACTION_TEMPLATE_WRITE, problem) || !find_template(request, &template, problem))
		return false;
	if (!version_insert(request->service->store, request->arena, template.id, &requirements, activate, &found,
		    &version, problem))
		return false;
	if (!found)
		return template_missing(problem);
	reply_json(reply, 201, show_version(&version, request->arena));
	return true;
}

bool api_version_list(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct template template;
	struct page page;
	size_t count = 0;
	struct template_version *versions = NULL;

	if (!request_page(request, &page, problem) || !subject_allow(request, ACTION_TEMPLATE_READ, problem) ||
		!find_template(request, &template, problem))
		return false;
	if (!version_list(request->service->store, request->arena, template.id, page_with_one_more(page), &count,
		    &versions, problem))
		return false;

	size_t shown = page_shown(page, count);
	struct json *root = json_new_object();
	struct json *list = json_add_array(root, "versions");

	for (size_t i = 0; i < shown; i++)
		json_push(list, show_version(&versions[i], request->arena));
	json_add_string(root, "next_after_id", count > shown ? versions[shown - 1].id : NULL);
	reply_json(reply, 200, root);
	return true;
}

bool api_version_get(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *id = request_parameter(request, "id");
	struct template_version version;
	bool found = false;

	if (!subject_allow(request, ACTION_TEMPLATE_READ, problem))
		return false;
	if (name_is_uuid(id) && !version_find(request->service->store, request->arena, id, &found, &version, problem))
		return false;
	if (!found)
		return version_missing(problem);
	reply_json(reply, 200, show_version(&version, request->arena));
	return true;
}

static bool set_archived(const struct request *request, bool archived, struct reply *reply, struct problem *problem)
{
	const char *id = request_parameter(request, "id");
	struct template_version version;
	bool found = false;

	if (!subject_allow(request, ACTION_TEMPLATE_WRITE, problem))
		return false;
	if (name_is_uuid(id) &&
		!version_set_archived(request->service->store, request->arena, id, archived, &found, &version, problem))
		return false;
	if (!found)
		return version_missing(problem);
	reply_json(reply, 200, show_version(&version, request->arena));
	return true;
}

bool api_version_archive(const struct request *request, struct reply *reply, struct problem *problem)
{
	return set_archived(request, true, reply, problem);
}

bool api_version_unarchive(const struct request *request, struct reply *reply, struct problem *problem)
{
	return set_archived(request, false, reply, problem);
}
