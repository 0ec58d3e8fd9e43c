/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals: see refusal.h. */
#include "refusal.h"

#include "../store/decisions.h"
#include "service.h"

void refusal_answer(const struct request *request, const struct gate_answer *answer, const struct gate_telling *telling,
	struct reply *reply)
{
	const struct decision *decision = &answer->decision;
	bool refused = decision->outcome == OUTCOME_REFUSED;

	if (!refused)
		reply_add_header(reply, "Retry-After", arena_printf(request->arena, "%u", decision->retry_after_s));
	reply_json_text(reply, refused ? 403 : 503,
		gate_json_refusal(request->service->engine, answer, telling, request->arena));
}

void refusal_end(
	const struct request *request, const struct evaluation *evaluation, enum moment moment, struct reply *reply)
{
	const struct gate_telling telling = {.decision_id = evaluation->decision_id,
		.request_id = request->id,
		.owner_name = evaluation->facts.owner.username,
		.moment = moment};

	decision_enqueue(request->service->store, &evaluation->decision);
	reply->decision_id = evaluation->decision_id;
	reply->outcome = evaluation->decision.outcome;
	refusal_answer(request, &evaluation->answer, &telling, reply);
}
