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

/* What an answer tells beside what the gate found. */
struct gate_telling {
	const char *decision_id;
	const char *request_id;
	const char *owner_name;
	enum moment moment;
	const char *transition; /* what was asked for, in its own word; NULL: the moment's */
	bool dry_run;
	const char *warnings; /* JSON array text (evaluation_warnings); for gate_json_decision */
	const char *receipt;  /* NULL: none */
	int64_t receipt_expires_at_ms;
};

/* The whole refusal as text: message, detail, code, decision_id, request_id, validations, external_auth. */
char *gate_json_refusal(const struct engine *engine, const struct gate_answer *answer,
	const struct gate_telling *telling, struct arena *arena);

/* The members of a decision as a check answers it (contract section 7), yes or no, into the open object. */
void gate_json_add_decision(struct text *root, const struct engine *engine, const struct gate_answer *answer,
	const struct gate_telling *telling, struct arena *arena);

/* A sentence that says what a refusal or an answer that could not be had is about. */
const char *gate_message(const struct gate_answer *answer, enum moment moment);
const char *gate_detail(const struct gate_answer *answer, const char *owner_name, struct arena *arena);

/* The warnings of an answer that passed, into the open array: {provider, reason, message, exemption?}. */
void gate_json_push_warnings(struct text *array, const struct gate_answer *answer, struct arena *arena);

/* The findings as the decision log keeps them. */
char *gate_json_findings(const struct gate_answer *answer, struct arena *arena);

/* <access url>/external-auth/{id} */
char *gate_authenticate_url(const struct engine *engine, const char *provider_id, struct arena *arena);

#endif
