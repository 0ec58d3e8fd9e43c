/* SPDX-License-Identifier: Apache-2.0 */
/* Users: who calls, and whose workspaces are gated. */
#ifndef API_USER_H
#define API_USER_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_user_create(const struct request *request, struct reply *reply, struct problem *problem);
bool api_user_list(const struct request *request, struct reply *reply, struct problem *problem);
bool api_user_get(const struct request *request, struct reply *reply, struct problem *problem);
bool api_user_update(const struct request *request, struct reply *reply, struct problem *problem);
bool api_user_delete(const struct request *request, struct reply *reply, struct problem *problem);

#endif
