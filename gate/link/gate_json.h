/* SPDX-License-Identifier: Apache-2.0 */
/* How a gate's answer is told in JSON: the same words on every surface that asks the gate. */
#ifndef LINK_GATE_JSON_H
#define LINK_GATE_JSON_H

#include "../base/json.h"
#include "../base/text.h"
#include "gate.h"

/* One provider's state as contract sections 4 and 6 show it, as an element of the open array. with_retry_after adds
 * retry_after (null where there is nothing to wait for). This and the refusal are written without a tree of values:
 * every preflight and every refusal passes here. */
void gate_json_push_state(struct text *state, const struct engine *engine, const struct gate_finding *finding,
	bool with_retry_after, struct arena *arena);

/* The whole refusal as text: message, detail, code, decision_id, request_id, validations, external_auth. */
struct gate_refusal {
	const char *decision_id;
	const char *request_id;
	const char *owner_name;
};
char *gate_json_refusal(const struct engine *engine, const struct gate_answer *answer,
	const struct gate_refusal *refusal, struct arena *arena);

/* The warnings of an answer that passed: [{provider, reason, message}]. */
void gate_json_push_warnings(struct json *array, const struct gate_answer *answer, struct arena *arena);

/* The findings as the decision log keeps them. */
char *gate_json_findings(const struct gate_answer *answer, struct arena *arena);

/* <access url>/external-auth/{id} */
char *gate_authenticate_url(const struct engine *engine, const char *provider_id, struct arena *arena);

#endif
