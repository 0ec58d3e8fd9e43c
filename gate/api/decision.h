/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log for auditors: what the gate answered, to whom, when and why. */
#ifndef API_DECISION_H
#define API_DECISION_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_decision_list(const struct request *request, struct reply *reply, struct problem *problem);
bool api_decision_get(const struct request *request, struct reply *reply, struct problem *problem);

#endif
