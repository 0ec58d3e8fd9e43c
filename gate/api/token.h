/* SPDX-License-Identifier: Apache-2.0 */
/* API tokens of a user: the key is shown once and stored as a hash. */
#ifndef API_TOKEN_H
#define API_TOKEN_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_token_create(const struct request *request, struct reply *reply, struct problem *problem);
bool api_token_list(const struct request *request, struct reply *reply, struct problem *problem);
bool api_token_delete(const struct request *request, struct reply *reply, struct problem *problem);

#endif
