/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals of the login server: RFC 6749 section 5.2 in place of the API's error, whoever finds the fault, its handlers
 * or the server before them. */
#ifndef HTTP_OAUTH_ANSWER_H
#define HTTP_OAUTH_ANSWER_H

#include "reply.h"
#include "request.h"

/* RFC 6749 section 5.1: beside no-store, which every answer has. */
void oauth_forbid_old_caches(struct reply *reply);

/* Refuses with an error word of RFC 6749 section 5.2 or RFC 8628 section 3.5; both texts outlive the reply. Always
 * returns true: the request is answered. */
bool oauth_refuse(struct reply *reply, int status, const char *error, const char *description);

/* A problem in the words of OAuth, where the path is one of the login server's endpoints; false: it is none. A database
 * that is away is no verdict about a code or a token: 503, and the client tries again. */
bool oauth_tell_problem(const struct request *request, struct reply *reply, const struct problem *problem);

#endif
