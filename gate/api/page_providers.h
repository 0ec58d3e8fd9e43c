/* SPDX-License-Identifier: Apache-2.0 */
/* The page of who signed in: my providers, and ending a connection (contract section 6, browser sessions). */
#ifndef API_PAGE_PROVIDERS_H
#define API_PAGE_PROVIDERS_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_page_providers(const struct request *request, struct reply *reply, struct problem *problem);
bool api_page_disconnect(const struct request *request, struct reply *reply, struct problem *problem);

#endif
