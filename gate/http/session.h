/* SPDX-License-Identifier: Apache-2.0 */
/* The session of somebody who signed in: what pages ask before they show or do anything. Its token lies in a cookie of
 * its own and nowhere else; the store knows its hash (store/sign_in.h). */
#ifndef HTTP_SESSION_H
#define HTTP_SESSION_H

#include "../base/secret.h"
#include "../store/browser.h"
#include "reply.h"
#include "request.h"

#define SESSION_LOGIN_COOKIE "gatehouse_login"

/* The field of a form that holds session_csrf. */
#define SESSION_CSRF_FIELD "csrf"

/* Who signed in with this browser. PROBLEM_SESSION_REQUIRED where nobody did, or it is too long ago;
 * PROBLEM_OWNER_SUSPENDED for a suspended user. */
MUST_CHECK bool session_find_login(
	const struct request *request, struct browser_session *ret_session, struct problem *problem);

/* What to do where session_find_login found nobody: where sign-in is configured the browser is sent to /login, to come
 * back to this request's path and query, and the answer is true. False otherwise, and problem stays as it is. */
bool session_send_to_login(const struct request *request, struct reply *reply, const struct problem *problem);

/* What each form of this session has in a hidden field: derived from the cookie's token, so that nothing is stored and
 * nobody who cannot read the cookie knows it. "" without a session's cookie. */
const char *session_csrf(const struct request *request);

/* Whether the form that was posted came from one of our pages: PROBLEM_FORBIDDEN where its field is not session_csrf.
 */
MUST_CHECK bool session_check_csrf(const struct request *request, struct problem *problem);

/* A local path of this service as browsers see it: what stands behind the access URL's host goes in front. Everything
 * that the service sends a browser to by itself begins with it. */
const char *session_url(const struct request *request, const char *path);

/* A cookie of ours: HttpOnly, SameSite=Lax, Secure over https, for path (of this service) and what is below. An empty
 * value with lifetime_s 0 takes the cookie away. */
void session_set_cookie(const struct request *request, struct reply *reply, const char *name, struct secret value,
	const char *path, int lifetime_s);

#endif
