/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator's tools ask on the admin listener. */
#ifndef API_HEALTH_H
#define API_HEALTH_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_health_live(const struct request *request, struct reply *reply, struct problem *problem);
bool api_health_ready(const struct request *request, struct reply *reply, struct problem *problem);
bool api_health_metrics(const struct request *request, struct reply *reply, struct problem *problem);

#endif
