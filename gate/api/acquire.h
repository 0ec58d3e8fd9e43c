/* SPDX-License-Identifier: Apache-2.0 */
/* A provisioner asks for work: the last moment at which the gate stands, and the only place that hands out tokens. */
#ifndef API_ACQUIRE_H
#define API_ACQUIRE_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_provisioner_acquire(const struct request *request, struct reply *reply, struct problem *problem);

#endif
