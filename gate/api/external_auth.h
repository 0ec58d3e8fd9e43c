/* SPDX-License-Identifier: Apache-2.0 */
/* Links through the API: list, one, import, unlink. A token never appears in an answer. */
#ifndef API_EXTERNAL_AUTH_H
#define API_EXTERNAL_AUTH_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_external_auth_list(const struct request *request, struct reply *reply, struct problem *problem);
bool api_external_auth_list_of_user(const struct request *request, struct reply *reply, struct problem *problem);
bool api_external_auth_get(const struct request *request, struct reply *reply, struct problem *problem);
bool api_external_auth_import(const struct request *request, struct reply *reply, struct problem *problem);
bool api_external_auth_unlink(const struct request *request, struct reply *reply, struct problem *problem);

#endif
