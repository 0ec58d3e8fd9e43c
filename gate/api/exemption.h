/* SPDX-License-Identifier: Apache-2.0 */
/* Exemptions: an administrator lets an owner pass for a while without one provider of one template. */
#ifndef API_EXEMPTION_H
#define API_EXEMPTION_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_exemption_create(const struct request *request, struct reply *reply, struct problem *problem);
bool api_exemption_list(const struct request *request, struct reply *reply, struct problem *problem);
bool api_exemption_get(const struct request *request, struct reply *reply, struct problem *problem);
bool api_exemption_delete(const struct request *request, struct reply *reply, struct problem *problem);

#endif
