/* SPDX-License-Identifier: Apache-2.0 */
/* The page where a signed-in user lets a command line in, or not (RFC 8628 section 3.3). */
#ifndef API_PAGE_DEVICE_H
#define API_PAGE_DEVICE_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_page_device(const struct request *request, struct reply *reply, struct problem *problem);
bool api_page_device_answer(const struct request *request, struct reply *reply, struct problem *problem);

#endif
