/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces: the create that the gate stands before (contract section 4), list and get. */
#ifndef API_WORKSPACE_H
#define API_WORKSPACE_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_workspace_create(const struct request *request, struct reply *reply, struct problem *problem);
bool api_workspace_list(const struct request *request, struct reply *reply, struct problem *problem);
bool api_workspace_get(const struct request *request, struct reply *reply, struct problem *problem);

#endif
