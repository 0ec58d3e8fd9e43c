/* SPDX-License-Identifier: Apache-2.0 */
/* Prebuilds: see prebuild.h. They belong to nobody yet, so there is nobody's account to ask for: the gate stands before
 * the claim instead. */
#include "prebuild.h"

#include "../base/json_text.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/workspace_json.h"
#include "../store/prebuilds.h"

static bool read_count(const struct request *request, int64_t *ret_count, struct problem *problem)
{
	const struct json_field fields[] = {
		{.name = "count",
			.type = JSON_INTEGER,
			.target = ret_count,
			.required = true,
			.min = 1,
			.max = PREBUILDS_MAX},
	};

	return json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);
}

static bool find_template(const struct request *request, struct template *ret_template, struct problem *problem)
{
	bool found = false;

	if (!template_find(request->service->store, request->arena, request_parameter(request, "template"), &found,
		    ret_template, problem))
		return false;
	return found || problem_set(problem, PROBLEM_NOT_FOUND, "There is no such template.");
}

static void answer(const struct request *request, size_t count, const struct workspace *workspaces, struct reply *reply)
{
	struct text body = text_in(request->arena);

	json_text_open(&body, NULL, '{');
	json_text_open(&body, "workspaces", '[');
	for (size_t i = 0; i < count; i++)
		workspace_json_add(&body, NULL, &workspaces[i], request->arena);
	json_text_close(&body, ']');
	json_text_close(&body, '}');
	reply_json_text(reply, 201, body.bytes);
}

bool api_prebuild_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct template template;
	struct workspace *workspaces = NULL;
	int64_t count = 0;
	bool inserted = false;

	if (!read_count(request, &count, problem) || !subject_allow(request, ACTION_PREBUILD_CREATE, problem) ||
		!find_template(request, &template, problem))
		return false;

	const struct template_version version = {.id = template.active_version_id, .template_id = template.id};
	const struct prebuilds_insert insert = {
		.version = &version, .initiator_id = request->caller.user_id, .count = (size_t)count};

	if (!prebuilds_insert(request->service->store, request->arena, &insert, &inserted, &workspaces, problem))
		return false;
	if (!inserted) {
		(void)problem_set(problem, PROBLEM_VERSION_ARCHIVED, "This template's active version is archived.");
		return problem_detail(problem, "Have a template author unarchive it, or make another version active.");
	}
	answer(request, (size_t)count, workspaces, reply);
	return true;
}
