/* SPDX-License-Identifier: Apache-2.0 */
/* What a provisioner says of a build that it holds: that it still works on it, gives it back, or how it ended. */
#ifndef API_PROVISIONER_H
#define API_PROVISIONER_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_build_renew(const struct request *request, struct reply *reply, struct problem *problem);
bool api_build_release(const struct request *request, struct reply *reply, struct problem *problem);
bool api_build_complete(const struct request *request, struct reply *reply, struct problem *problem);

#endif
