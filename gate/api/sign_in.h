/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in with OpenID Connect and out again, in a browser (contract section 6). */
#ifndef API_SIGN_IN_H
#define API_SIGN_IN_H

#include "../http/reply.h"
#include "../http/request.h"

/* GET /login */
MUST_CHECK bool api_sign_in_page(const struct request *request, struct reply *reply, struct problem *problem);

/* GET /login/start */
MUST_CHECK bool api_sign_in_start(const struct request *request, struct reply *reply, struct problem *problem);

/* GET /login/callback */
MUST_CHECK bool api_sign_in_callback(const struct request *request, struct reply *reply, struct problem *problem);

/* POST /logout */
MUST_CHECK bool api_sign_out(const struct request *request, struct reply *reply, struct problem *problem);

#endif
