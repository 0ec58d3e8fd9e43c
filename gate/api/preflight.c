/* SPDX-License-Identifier: Apache-2.0 */
/* Preflight: see preflight.h. One round trip to the database, then the gate; one provider's trouble is an entry of the
 * answer and never fails the call. */
#include "preflight.h"

#include "../base/json_text.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/gate.h"
#include "../link/gate_json.h"
#include "../store/workspaces.h"

static bool read_facts(
	const struct request *request, const char *owner, struct create_facts *ret_facts, struct problem *problem)
{
	const struct create_question question = {.owner = owner, .version_id = request_parameter(request, "id")};

	if (!name_is_uuid(question.version_id))
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such template version.");
	if (!create_facts_read(request->service->store, request->arena, &question, ret_facts, problem))
		return false;
	if (!ret_facts->owner_found)
		return subject_not_found(problem);
	if (!ret_facts->version_found)
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such template version.");
	return true;
}

bool api_preflight(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct engine *engine = request->service->engine;
	const char *given = request_query(request, "user_id");
	const char *owner = NULL;
	struct create_facts facts;
	struct gate_answer *answer = arena_alloc(request->arena, sizeof(*answer));

	if (!subject_reference(request, given != NULL ? given : "me", ACTION_PREFLIGHT, &owner, problem) ||
		!read_facts(request, owner, &facts, problem))
		return false;

	const struct gate_question question = {.owner_id = facts.owner.id,
		.requirements = &facts.version.requirements,
		.link_count = facts.link_count,
		.links = facts.links,
		.exemption_count = facts.exemption_count,
		.exemptions = facts.exemptions,
		.template_enforcement = &facts.template_enforcement,
		.moment = MOMENT_PREFLIGHT,
		.ask_optional = true,
		.timeout_ms = engine->gate_timeout_ms};

	if (!gate_evaluate(engine, &question, request->arena, answer, problem))
		return false;

	struct text list = text_in(request->arena);

	json_text_open(&list, NULL, '[');
	for (size_t i = 0; i < answer->finding_count; i++)
		gate_json_push_state(&list, engine, &answer->findings[i], false, request->arena);
	json_text_close(&list, ']');
	reply->outcome = outcome_word(answer->decision.outcome);
	reply_json_text(reply, 200, list.bytes);
	return true;
}
