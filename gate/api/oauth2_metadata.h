/* SPDX-License-Identifier: Apache-2.0 */
/* What the login server is and where (RFC 8414), at the place that goes with the access URL. */
#ifndef API_OAUTH2_METADATA_H
#define API_OAUTH2_METADATA_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_oauth2_metadata(const struct request *request, struct reply *reply, struct problem *problem);

#endif
