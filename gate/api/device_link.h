/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting an account without a browser on this machine: the device flow of a provider (contract section 6). */
#ifndef API_DEVICE_LINK_H
#define API_DEVICE_LINK_H

#include "../http/reply.h"
#include "../http/request.h"

/* Asks the provider for a code and hands it out under a handle of ours. */
bool api_device_link_start(const struct request *request, struct reply *reply, struct problem *problem);

/* Asks once what has become of the code: 204 when the account is connected. */
bool api_device_link_poll(const struct request *request, struct reply *reply, struct problem *problem);

/* The same for a browser: a form asks for a code, the next one what has become of it. */
bool api_device_link_page(const struct request *request, struct reply *reply, struct problem *problem);

#endif
