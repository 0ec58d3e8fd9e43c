/* SPDX-License-Identifier: Apache-2.0 */
/* `GET /api/v2/users/{user}/external-auth/{id}/token`: one's own token at a provider, judged and refreshed as the gate
 * does (contract section 10). The one place where a token leaves for its owner. */
#ifndef API_EXTERNAL_TOKEN_H
#define API_EXTERNAL_TOKEN_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_external_token_get(const struct request *request, struct reply *reply, struct problem *problem);

#endif
