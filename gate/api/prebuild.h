/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces built ahead of their owners (contract section 6). */
#ifndef API_PREBUILD_H
#define API_PREBUILD_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_prebuild_create(const struct request *request, struct reply *reply, struct problem *problem);

#endif
