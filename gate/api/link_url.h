/* SPDX-License-Identifier: Apache-2.0 */
/* The URL for the owner's browser to connect one account (contract section 6, browser sessions). */
#ifndef API_LINK_URL_H
#define API_LINK_URL_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_link_url_create(const struct request *request, struct reply *reply, struct problem *problem);

#endif
