/* SPDX-License-Identifier: Apache-2.0 */
/* What a version would do to the owners of its template's workspaces, before it is made the active one. */
#ifndef API_IMPACT_H
#define API_IMPACT_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_version_impact(const struct request *request, struct reply *reply, struct problem *problem);

#endif
