/* SPDX-License-Identifier: Apache-2.0 */
/* Why the gate would say what it says: the same evaluator with nobody asked and nothing changed. */
#ifndef HOOK_EXPLAIN_H
#define HOOK_EXPLAIN_H

#include "../http/reply.h"
#include "../http/request.h"

/* POST /gate/v1/explain */
bool hook_explain(const struct request *request, struct reply *reply, struct problem *problem);

#endif
