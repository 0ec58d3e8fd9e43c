/* SPDX-License-Identifier: Apache-2.0 */
/* Exemptions: see exemption.h. Who grants one answers for it, so it says why and until when, and goes into the audit
 * log. */
#include "exemption.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/text.h"
#include "../http/page.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../store/exemptions.h"
#include "../store/templates.h"

struct exemption_input {
	const char *owner;
	const char *template;
	const char *provider_id;
	const char *reason;
	const char *until;
	int64_t expires_at_ms;
};

static struct json *show_exemption(const struct exemption *exemption, struct arena *arena)
{
	struct json *root = json_new_object();

	json_add_string(root, "id", exemption->id);
	json_add_string(root, "owner_id", exemption->owner_id);
	json_add_string(root, "owner_name", exemption->owner_name);
	json_add_string(root, "template_id", exemption->template_id);
	json_add_string(root, "template_name", exemption->template_name);
	json_add_string(root, "provider", exemption->provider_id);
	json_add_string(root, "reason", exemption->reason);
	json_add_string(root, "granted_by_id", exemption->granted_by_id);
	json_add_string(root, "granted_by", exemption->granted_by_name);
	json_add_string(root, "until", clock_rfc3339(arena, exemption->expires_at_ms));
	json_add_string(root, "created_at", clock_rfc3339(arena, exemption->created_at_ms));
	return root;
}

static bool exemption_missing(struct problem *problem)
{
	return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such exemption.");
}

/* --- what is given ---------------------------------------------------------------------------------------------- */

/* The three that name a subject, in a body or in a query; what is absent is not looked at. */
static bool check_subject(const char *owner, const char *template, const char *provider_id, struct problem *problem)
{
	bool good = true;

	if (owner != NULL && strcmp(owner, "me") != 0 && !name_is_user(owner) && !name_is_uuid(owner))
		good = problem_add_violation(problem, "owner", "must be `me`, a user name or the UUID of a user");
	if (template != NULL && !name_is_template(template) && !name_is_uuid(template))
		good = problem_add_violation(problem, "template", "must be the name or the UUID of a template");
	if (provider_id != NULL && !name_is_provider_id(provider_id))
		good = problem_add_violation(problem, "provider",
			"must be the id of a provider: 1 to %d of a-z, 0-9 and -", PROVIDER_ID_BYTES_MAX);
	return good;
}

/* One line of text: a line break would let a reason pass for something else where warnings are printed. */
static bool is_lawful_reason(const char *reason)
{
	size_t size = strlen(reason);
	size_t characters = 0;

	for (size_t at = 0; at < size; characters++) {
		if ((unsigned char)reason[at] < ' ' || reason[at] == 0x7f)
			return false;
		/* The body is well-formed UTF-8. */
		at += text_utf8_size(reason + at, size - at);
	}
	return strspn(reason, " ") < size && characters <= EXEMPTION_REASON_CHARS_MAX;
}

static bool check_until(const char *until, int64_t *ret_at_ms, struct problem *problem)
{
	int64_t now_ms = clock_now_ms();

	if (!clock_parse_rfc3339(until, ret_at_ms))
		return problem_add_violation(
			problem, "until", "must be a time of RFC 3339 with its offset, such as 2030-01-31T12:00:00Z");
	if (*ret_at_ms <= now_ms || *ret_at_ms > now_ms + (int64_t)EXEMPTION_LIFETIME_MAX_S * 1000)
		return problem_add_violation(problem, "until", "must be in the future, at most one year ahead");
	return true;
}

static bool read_input(const struct request *request, struct exemption_input *ret_input, struct problem *problem)
{
	struct exemption_input input = {0};
	const struct json_field fields[] = {
		{.name = "owner", .type = JSON_STRING, .target = &input.owner, .required = true},
		{.name = "template", .type = JSON_STRING, .target = &input.template, .required = true},
		{.name = "provider", .type = JSON_STRING, .target = &input.provider_id, .required = true},
		{.name = "reason", .type = JSON_STRING, .target = &input.reason, .required = true},
		{.name = "until", .type = JSON_STRING, .target = &input.until, .required = true},
	};
	bool good = json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);

	good = check_subject(input.owner, input.template, input.provider_id, problem) && good;
	if (input.reason != NULL && !is_lawful_reason(input.reason))
		good = problem_add_violation(problem, "reason",
			"must be one line of 1 to %d characters, not only blanks", EXEMPTION_REASON_CHARS_MAX);
	if (input.until != NULL)
		good = check_until(input.until, &input.expires_at_ms, problem) && good;
	*ret_input = input;
	return good;
}

static const char *owner_reference(const struct request *request, const char *given)
{
	return given != NULL && strcmp(given, "me") == 0 ? request->caller.user_id : given;
}

/* The row of an exemption goes when its time is over, so the log says by itself which one it was. */
static void audit(const struct request *request, const char *action, const struct exemption *exemption)
{
	subject_audit(request, action, exemption->owner_id,
		arena_printf(request->arena, "%s/%s", exemption->template_id, exemption->provider_id));
}

/* --- the handlers ----------------------------------------------------------------------------------------------- */

static bool find_owner(
	const struct request *request, const char *given, struct user *ret_owner, struct problem *problem)
{
	bool found = false;

	if (!user_find(request->service->store, request->arena, owner_reference(request, given), &found, ret_owner,
		    problem))
		return false;
	return found || subject_not_found(problem);
}

static bool find_template(
	const struct request *request, const char *given, struct template *ret_template, struct problem *problem)
{
	bool found = false;

	if (!template_find(request->service->store, request->arena, given, &found, ret_template, problem))
		return false;
	return found || problem_set(problem, PROBLEM_NOT_FOUND, "There is no such template.");
}

bool api_exemption_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	const struct caller *caller = &request->caller;
	struct exemption_input input;
	struct provider *provider = NULL;
	struct user owner;
	struct template template;
	struct exemption granted;

	if (!read_input(request, &input, problem) || !subject_allow(request, ACTION_EXEMPTION_WRITE, problem) ||
		!engine_find_provider(request->service->engine, input.provider_id, &provider, problem) ||
		!find_owner(request, input.owner, &owner, problem) ||
		!find_template(request, input.template, &template, problem))
		return false;

	const struct exemption wanted = {.owner_id = owner.id,
		.template_id = template.id,
		.provider_id = provider->id,
		.reason = input.reason,
		.granted_by_id = caller->user_id,
		.granted_by_name = caller->username,
		.expires_at_ms = input.expires_at_ms};

	if (!exemption_insert(request->service->store, request->arena, &wanted, &granted, problem))
		return false;
	audit(request, "exemption.grant", &granted);
	reply_json(reply, 201, show_exemption(&granted, request->arena));
	return true;
}

static bool read_filter(const struct request *request, struct exemption_filter *ret_filter, struct page *ret_page,
	struct problem *problem)
{
	const char *owner = request_query(request, "owner");
	const char *template = request_query(request, "template");
	const char *provider_id = request_query(request, "provider");
	bool good = request_page(request, ret_page, problem);

	*ret_filter = (struct exemption_filter){
		.owner = owner_reference(request, owner), .template = template, .provider_id = provider_id};
	return check_subject(owner, template, provider_id, problem) && good;
}

bool api_exemption_list(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct exemption_filter filter;
	struct page page;
	size_t count = 0;
	struct exemption *exemptions = NULL;

	if (!read_filter(request, &filter, &page, problem) || !subject_allow(request, ACTION_EXEMPTION_READ, problem))
		return false;
	if (!exemption_list(request->service->store, request->arena, &filter, page_with_one_more(page), &count,
		    &exemptions, problem))
		return false;

	size_t shown = page_shown(page, count);
	struct json *root = json_new_object();
	struct json *list = json_add_array(root, "exemptions");

	for (size_t i = 0; i < shown; i++)
		json_push(list, show_exemption(&exemptions[i], request->arena));
	json_add_string(root, "next_after_id", count > shown ? exemptions[shown - 1].id : NULL);
	reply_json(reply, 200, root);
	return true;
}

bool api_exemption_get(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *id = request_parameter(request, "id");
	struct exemption exemption;
	bool found = false;

	if (!subject_allow(request, ACTION_EXEMPTION_READ, problem))
		return false;
	if (name_is_uuid(id) &&
		!exemption_find(request->service->store, request->arena, id, &found, &exemption, problem))
		return false;
	if (!found)
		return exemption_missing(problem);
	reply_json(reply, 200, show_exemption(&exemption, request->arena));
	return true;
}

bool api_exemption_delete(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *id = request_parameter(request, "id");
	struct exemption exemption;
	bool found = false;

	if (!subject_allow(request, ACTION_EXEMPTION_WRITE, problem))
		return false;
	if (name_is_uuid(id) &&
		!exemption_delete(request->service->store, request->arena, id, &found, &exemption, problem))
		return false;
	if (!found)
		return exemption_missing(problem);
	audit(request, "exemption.revoke", &exemption);
	reply_empty(reply, 204);
	return true;
}
