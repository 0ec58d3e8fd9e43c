/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting an account in a browser: the provider sends it back with a code, or with a no (contract section 6). */
#ifndef API_CONNECT_CALLBACK_H
#define API_CONNECT_CALLBACK_H

#include "../http/reply.h"
#include "../http/request.h"

bool api_connect_callback(const struct request *request, struct reply *reply, struct problem *problem);

#endif
