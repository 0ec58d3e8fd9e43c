/* SPDX-License-Identifier: Apache-2.0 */
/* A no of the gate as an HTTP answer, the same wherever it stands: contract section 4. */
#ifndef HTTP_REFUSAL_H
#define HTTP_REFUSAL_H

#include "../link/evaluation.h"
#include "../link/gate_json.h"
#include "reply.h"
#include "request.h"

/* 403 where something is missing; 503 with Retry-After where nothing is, but something could not be verified. */
void refusal_answer(const struct request *request, const struct gate_answer *answer, const struct gate_telling *telling,
	struct reply *reply);

/* The same of what was to be written: the decision goes into the log's queue, and its outcome into the request's line.
 * moment is the one whose sentence is told. */
void refusal_end(
	const struct request *request, const struct evaluation *evaluation, enum moment moment, struct reply *reply);

#endif
