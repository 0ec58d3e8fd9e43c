/* SPDX-License-Identifier: Apache-2.0 */
/* Preflight: what would the gate say for this version, provider by provider (contract section 6). */
#ifndef API_PREFLIGHT_H
#define API_PREFLIGHT_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_preflight(const struct request *request, struct reply *reply, struct problem *problem);

#endif
