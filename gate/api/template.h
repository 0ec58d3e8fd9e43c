/* SPDX-License-Identifier: Apache-2.0 */
/* Templates and their versions: what workspaces are made from, and which providers that needs. */
#ifndef API_TEMPLATE_H
#define API_TEMPLATE_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_template_create(const struct request *request, struct reply *reply, struct problem *problem);
bool api_template_list(const struct request *request, struct reply *reply, struct problem *problem);
bool api_template_get(const struct request *request, struct reply *reply, struct problem *problem);
bool api_template_update(const struct request *request, struct reply *reply, struct problem *problem);
bool api_version_create(const struct request *request, struct reply *reply, struct problem *problem);
bool api_version_list(const struct request *request, struct reply *reply, struct problem *problem);
bool api_version_get(const struct request *request, struct reply *reply, struct problem *problem);
bool api_version_archive(const struct request *request, struct reply *reply, struct problem *problem);
bool api_version_unarchive(const struct request *request, struct reply *reply, struct problem *problem);

#endif
