/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a request is about, and whether its caller may: authorisation before everything that has a side effect or shows
 * another user's state (contract section 3). A user who does not exist and one the caller may not see answer alike. */
#ifndef HTTP_SUBJECT_H
#define HTTP_SUBJECT_H

#include "../store/users.h"
#include "request.h"

/* Whether the caller may do this that concerns nobody else (templates, making users). PROBLEM_FORBIDDEN otherwise. */
MUST_CHECK bool subject_allow(const struct request *request, enum action action, struct problem *problem);

/* Turns `me`, a user name or a UUID into a reference the store can look up, after asking the policy: *ret_reference is
 * the caller's own id, or what was given. No database is asked. PROBLEM_NOT_FOUND where the caller may not see others,
 * PROBLEM_FORBIDDEN where they may, but may not do this. */
MUST_CHECK bool subject_reference(const struct request *request, const char *given, enum action action,
	const char **ret_reference, struct problem *problem);

/* The same for the route's {user}, and reads the user; PROBLEM_NOT_FOUND where there is none. */
MUST_CHECK bool subject_find(
	const struct request *request, enum action action, struct user *ret_user, struct problem *problem);

/* Writes down who did what to whom: action is a literal such as "link.import", subject a provider id or NULL. What it
 * tells of has happened already, so a database that goes away now does not turn the answer into a failure: the log
 * holds the row then. */
void subject_audit(const struct request *request, const char *action, const char *user_id, const char *subject);

/* Whether a browser may be sent there when it is done: NULL or a local path; else a violation named `redirect`. */
MUST_CHECK bool subject_check_redirect(const char *redirect, struct problem *problem);

/* The refusal that hides whether somebody exists. Always returns false. */
bool subject_not_found(struct problem *problem);

#endif
