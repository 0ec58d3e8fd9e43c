/* SPDX-License-Identifier: Apache-2.0 */
/* Who speaks to an Open Policy Agent can ask the gate in the same words: its data API
 * (https://www.openpolicyagent.org/docs/latest/rest-api/#get-a-document-with-input). */
#ifndef HOOK_OPA_H
#define HOOK_OPA_H

#include "../http/reply.h"
#include "../http/request.h"

/* {"input": the fields of a check} → {"result": {"allow": …, the decision}, "decision_id": …}. */
bool hook_opa(const struct request *request, struct reply *reply, struct problem *problem);

#endif
