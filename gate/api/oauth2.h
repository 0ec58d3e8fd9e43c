/* SPDX-License-Identifier: Apache-2.0 */
/* The login server of the command line: device authorization (RFC 8628), token (RFC 6749 sections 5 and 6), revocation
 * (RFC 7009). Answers and errors have the shapes of those documents, not the API's. */
#ifndef API_OAUTH2_H
#define API_OAUTH2_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_oauth2_device_authorization(const struct request *request, struct reply *reply, struct problem *problem);
bool api_oauth2_token(const struct request *request, struct reply *reply, struct problem *problem);
bool api_oauth2_revoke(const struct request *request, struct reply *reply, struct problem *problem);

#endif
