/* SPDX-License-Identifier: Apache-2.0 */
/* Explain: see explain.h. What is stored of each link stands beside the verdict that is presumed from it, and what a
 * real evaluation would do next. Nothing is logged: nothing was decided. */
#include "explain.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/json_text.h"
#include "../http/service.h"
#include "../store/leases.h"
#include "check.h"

static void add_time(struct text *facts, const char *name, int64_t at_ms, struct arena *arena)
{
	json_text_string(facts, name, at_ms == 0 ? NULL : clock_rfc3339(arena, at_ms));
}

static const struct link *link_of(const struct create_facts *facts, const char *provider_id)
{
	for (size_t i = 0; i < facts->link_count; i++)
		if (strcmp(facts->links[i].provider_id, provider_id) == 0)
			return &facts->links[i];
	return NULL;
}

static void add_link(
	struct text *facts, const struct link *link, const struct gate_finding *finding, struct arena *arena)
{
	int64_t known_good_at_ms = finding->known_good_at_ms;
	bool has_remembered = link->remembered != REASON_COUNT;

	json_text_integer(facts, "generation", link->generation);
	json_text_bool(facts, "readable", link->readable);
	add_time(facts, "issued_at", link->issued_at_ms, arena);
	add_time(facts, "expires_at", link->expires_at_ms, arena);
	json_text_bool(facts, "has_refresh_token", link->has_refresh_token);
	add_time(facts, "last_valid_at", known_good_at_ms, arena);
	if (known_good_at_ms == 0)
		json_text_null(facts, "last_valid_age_s");
	else
		json_text_integer(facts, "last_valid_age_s", (clock_now_ms() - known_good_at_ms) / 1000);
	json_text_string(facts, "remembered_reason", has_remembered ? reason_word(link->remembered) : NULL);
	json_text_string(facts, "remembered_detail", link->remembered_detail);
}

static void add_lease(struct text *facts, const struct lease_view *view, struct arena *arena)
{
	bool cools = view->cooldown != REASON_COUNT;

	json_text_string(facts, "last_failure", view->last_failure);
	add_time(facts, "last_failure_at", view->last_failure_at_ms, arena);
	json_text_integer(facts, "unresolved", (int64_t)view->unresolved);
	json_text_bool(facts, "lease_held", view->held);
	add_time(facts, "cooldown_until", cools ? clock_now_ms() + view->cooldown_left_ms : 0, arena);
	json_text_string(facts, "cooldown_reason", cools ? reason_word(view->cooldown) : NULL);
}

/* Unlinked meanwhile, or never linked: there is nothing to tell of a link. */
static bool add_link_facts(const struct request *request, const struct check_answer *answer,
	const struct gate_finding *finding, struct text *facts, struct problem *problem)
{
	const char *provider_id = finding->finding.requirement->provider_id;
	const struct link *link = link_of(&answer->evaluation->facts, provider_id);
	struct lease_view view = {.remembered = REASON_COUNT, .cooldown = REASON_COUNT};
	bool linked = false;

	json_text_bool(facts, "linked", link != NULL);
	if (link == NULL)
		return true;
	if (!lease_look(request->service->store, request->arena, link->owner_id, provider_id, &linked, &view, problem))
		return false;
	add_link(facts, link, finding, request->arena);
	add_lease(facts, &view, request->arena);
	return true;
}

static bool add_provider(const struct request *request, const struct check_answer *answer,
	const struct gate_finding *finding, struct text *list, struct problem *problem)
{
	json_text_open(list, NULL, '{');
	json_text_string(list, "id", finding->finding.requirement->provider_id);
	json_text_string(list, "next_step", step_word(finding->next_step));
	json_text_string(list, "enforcement", enforcement_word(finding->finding.enforcement));
	json_text_string(list, "enforcement_from", scope_word(finding->enforcement_scope));
	json_text_bool(list, "would_block", finding->finding.would_block);
	if (!add_link_facts(request, answer, finding, list, problem))
		return false;
	json_text_close(list, '}');
	return true;
}

static bool add_providers(
	const struct request *request, const struct check_answer *answer, struct text *root, struct problem *problem)
{
	const struct gate_answer *gate = &answer->evaluation->answer;

	json_text_open(root, "facts", '[');
	for (size_t i = 0; i < gate->finding_count; i++)
		if (gate->findings[i].asked_for && !add_provider(request, answer, &gate->findings[i], root, problem))
			return false;
	json_text_close(root, ']');
	return true;
}

bool hook_explain(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct text root = text_in(request->arena);
	struct check_question question;
	struct check_answer answer;

	if (!check_read(request, request->json, &question, problem))
		return false;
	question.surface = SURFACE_EXPLAIN;
	question.without_asking = true;
	if (!check_ask(request, &question, &answer, problem))
		return false;
	json_text_open(&root, NULL, '{');
	check_add_decision(request, &answer, &root);
	if (!add_providers(request, &answer, &root, problem))
		return false;
	json_text_close(&root, '}');
	reply->outcome = outcome_word(answer.outcome);
	reply_json_text(reply, 200, root.bytes);
	return true;
}
