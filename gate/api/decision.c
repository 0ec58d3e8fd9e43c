/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log: see decision.h. A page of the longest rows, each with REQUIREMENTS_MAX findings, stays below
 * PAGE_BYTES_MAX. */
#include "decision.h"

#include <string.h>

#include "../base/clock.h"
#include "../http/page.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../store/decision_log.h"

static struct json *show_decision(const struct logged_decision *decision, struct arena *arena)
{
	struct json *root = json_new_object();

	json_add_string(root, "id", decision->id);
	json_add_string(root, "created_at", clock_rfc3339(arena, decision->created_at_ms));
	json_add_string(root, "request_id", decision->request_id);
	json_add_string(root, "surface", decision->surface);
	json_add_string(root, "moment", decision->moment);
	json_add_string(root, "initiator_id", decision->initiator_id);
	json_add_string(root, "initiator_name", decision->initiator_name);
	json_add_string(root, "on_behalf_of", decision->on_behalf_of);
	json_add_string(root, "owner_id", decision->owner_id);
	json_add_string(root, "owner_name", decision->owner_name);
	json_add_string(root, "template_version_id", decision->template_version_id);
	json_add_string(root, "outcome", decision->outcome);
	json_add_string(root, "strict_outcome", decision->strict_outcome);
	json_add_integer(root, "duration_ms", decision->duration_ms);
	json_add_raw(root, "reasons", decision->reasons);
	json_add_raw(root, "findings", decision->findings);
	return root;
}

static bool read_owner(const struct request *request, struct decision_filter *filter, struct problem *problem)
{
	const char *owner = request_query(request, "owner");

	if (owner == NULL)
		return true;
	if (strcmp(owner, "me") == 0)
		filter->owner_id = request->caller.user_id;
	else if (name_is_uuid(owner))
		filter->owner_id = owner;
	else if (name_is_user(owner))
		filter->owner_name = owner;
	else
		return problem_add_violation(problem, "owner", "must be `me`, a user name or a UUID");
	return true;
}

static bool read_outcome(const struct request *request, struct decision_filter *filter, struct problem *problem)
{
	filter->outcome = request_query(request, "outcome");
	if (filter->outcome == NULL || outcome_from_word(filter->outcome) != OUTCOME_COUNT)
		return true;
	return problem_add_violation(problem, "outcome", "must be `allowed`, `refused` or `unverifiable`");
}

static bool read_reason(const struct request *request, struct decision_filter *filter, struct problem *problem)
{
	filter->reason = request_query(request, "reason");
	if (filter->reason == NULL || reason_from_word(filter->reason) != REASON_COUNT)
		return true;
	return problem_add_violation(problem, "reason", "must be a reason of the gate, such as `not_linked`");
}

static bool read_since(const struct request *request, struct decision_filter *filter, struct problem *problem)
{
	const char *since = request_query(request, "since");

	if (since == NULL || clock_parse_rfc3339(since, &filter->since_ms))
		return true;
	return problem_add_violation(
		problem, "since", "must be a time of RFC 3339 with its offset, such as 2026-01-31T08:00:00Z");
}

static bool read_filter(const struct request *request, struct decision_filter *ret_filter, struct page *ret_page,
	struct problem *problem)
{
	bool good = request_page(request, ret_page, problem);

	*ret_filter = (struct decision_filter){0};
	good = read_owner(request, ret_filter, problem) && good;
	good = read_outcome(request, ret_filter, problem) && good;
	good = read_reason(request, ret_filter, problem) && good;
	return read_since(request, ret_filter, problem) && good;
}

bool api_decision_list(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct decision_filter filter;
	struct page page;
	size_t count = 0;
	struct logged_decision *decisions = NULL;

	if (!read_filter(request, &filter, &page, problem) || !subject_allow(request, ACTION_DECISION_READ, problem))
		return false;
	if (!decision_list(request->service->store, request->arena, &filter, page_with_one_more(page), &count,
		    &decisions, problem))
		return false;

	size_t shown = page_shown(page, count);
	struct json *root = json_new_object();
	struct json *list = json_add_array(root, "decisions");

	for (size_t i = 0; i < shown; i++)
		json_push(list, show_decision(&decisions[i], request->arena));
	json_add_string(root, "next_after_id", count > shown ? decisions[shown - 1].id : NULL);
	reply_json(reply, 200, root);
	return true;
}

bool api_decision_get(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *id = request_parameter(request, "id");
	struct logged_decision decision;
	bool found = false;

	if (!subject_allow(request, ACTION_DECISION_READ, problem))
		return false;
	if (name_is_uuid(id) && !decision_find(request->service->store, request->arena, id, &found, &decision, problem))
		return false;
	if (!found)
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such decision, or it is no longer kept.");
	reply_json(reply, 200, show_decision(&decision, request->arena));
	return true;
}
