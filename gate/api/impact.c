/* SPDX-License-Identifier: Apache-2.0 */
/* The fleet view: see impact.h. Says how many, never who, and asks no provider. */
#include "impact.h"

#include <string.h>

#include "../http/service.h"
#include "../http/subject.h"
#include "../link/impact.h"

static bool version_missing(struct problem *problem)
{
	return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such template version.");
}

static bool find_subject(const struct request *request, struct template *ret_template,
	struct template_version *ret_version, struct problem *problem)
{
	struct store *store = request->service->store;
	const char *id = request_parameter(request, "id");
	bool found = false;

	if (!name_is_uuid(id))
		return version_missing(problem);
	if (!version_find(store, request->arena, id, &found, ret_version, problem))
		return false;
	if (!found)
		return version_missing(problem);
	if (!template_find(store, request->arena, ret_version->template_id, &found, ret_template, problem))
		return false;
	return found || version_missing(problem);
}

/* Only reasons that somebody has. */
static void add_reasons(struct json *object, const int64_t *by_reason)
{
	struct json *reasons = json_add_object(object, "reasons");

	for (int reason = 0; reason < REASON_COUNT; reason++)
		if (by_reason[reason] > 0)
			json_add_integer(reasons, reason_word((enum reason)reason), by_reason[reason]);
}

static void push_provider(struct json *list, const struct impact_provider *provider)
{
	struct json *object = json_push_object(list);

	json_add_string(object, "id", provider->requirement->provider_id);
	json_add_bool(object, "optional", provider->requirement->optional);
	json_add_bool(object, "configured", provider->provider != NULL);
	json_add_integer(object, "missing", provider->missing);
	add_reasons(object, provider->by_reason);
}

static struct json *show_impact(const struct impact *impact, const struct impact_subject *subject)
{
	struct json *root = json_new_object();
	struct json *list = NULL;

	json_add_string(root, "template_id", subject->template->id);
	json_add_string(root, "template_version_id", subject->version->id);
	json_add_bool(root, "active", strcmp(subject->template->active_version_id, subject->version->id) == 0);
	json_add_integer(root, "owners", impact->owners);
	json_add_integer(root, "allowed", impact->allowed);
	json_add_integer(root, "refused", impact->refused);
	json_add_integer(root, "unverifiable", impact->unverifiable);
	json_add_integer(root, "suspended", impact->suspended);
	json_add_integer(root, "exempt", impact->exempt);
	add_reasons(root, impact->by_reason);
	list = json_add_array(root, "providers");
	for (size_t i = 0; i < impact->provider_count; i++)
		push_provider(list, &impact->providers[i]);
	return root;
}

bool api_version_impact(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct template template;
	struct template_version version;
	struct impact *impact = arena_alloc(request->arena, sizeof(*impact));
	const struct impact_subject subject = {.template = &template, .version = &version};

	if (!subject_allow(request, ACTION_IMPACT_READ, problem) ||
		!find_subject(request, &template, &version, problem) ||
		!impact_judge(request->service->engine, &subject, request->arena, impact, problem))
		return false;
	reply_json(reply, 200, show_impact(impact, &subject));
	return true;
}
