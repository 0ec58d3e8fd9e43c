/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting an account in a browser: the one-time ticket, what will be asked, and the way to the provider (contract
 * section 6, browser sessions). */
#ifndef API_CONNECT_H
#define API_CONNECT_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_connect_start(const struct request *request, struct reply *reply, struct problem *problem);

#endif
