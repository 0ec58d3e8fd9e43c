/* SPDX-License-Identifier: Apache-2.0 */
/* Builds of a workspace: starts behind the gate, stops and deletions that nothing blocks, and how one stands. */
#ifndef API_BUILD_H
#define API_BUILD_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_build_create(const struct request *request, struct reply *reply, struct problem *problem);
bool api_build_get(const struct request *request, struct reply *reply, struct problem *problem);

#endif
