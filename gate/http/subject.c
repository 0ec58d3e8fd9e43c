/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a request is about: see subject.h. */
#include "subject.h"

#include <string.h>
#include <strings.h>

#include "../base/log.h"
#include "../store/audit.h"
#include "service.h"

bool subject_not_found(struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_NOT_FOUND, "There is no such user, or you may not see them.");
	return problem_detail(problem, "Check the name, or use `me` for yourself.");
}

static bool forbidden(struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_FORBIDDEN, "Your roles do not include this.");
	return problem_detail(problem, "Ask an administrator, or use a token of a user who may.");
}

bool subject_allow(const struct request *request, enum action action, struct problem *problem)
{
	if (!access_allows(request->caller.roles, action, false))
		return forbidden(problem);
	return true;
}

static bool is_caller(const struct caller *caller, const char *given)
{
	return strcmp(given, "me") == 0 || strcmp(given, caller->username) == 0 ||
	       strcasecmp(given, caller->user_id) == 0;
}

bool subject_reference(const struct request *request, const char *given, enum action action, const char **ret_reference,
	struct problem *problem)
{
	const struct caller *caller = &request->caller;
	bool own = is_caller(caller, given);

	if (!own && !access_allows(caller->roles, ACTION_USER_READ, false))
		return subject_not_found(problem);
	if (!access_allows(caller->roles, action, own))
		return forbidden(problem);
	*ret_reference = own ? caller->user_id : given;
	return true;
}

bool subject_find(const struct request *request, enum action action, struct user *ret_user, struct problem *problem)
{
	const char *reference = NULL;
	bool found = false;

	if (!subject_reference(request, request_parameter(request, "user"), action, &reference, problem))
		return false;
	if (!user_find(request->service->store, request->arena, reference, &found, ret_user, problem))
		return false;
	return found || subject_not_found(problem);
}

void subject_audit(const struct request *request, const char *action, const char *user_id, const char *subject)
{
	const struct audit_row row = {.request_id = request->id,
		.action = action,
		/* Without a caller it is the user's own browser. */
		.initiator_id = request->caller.user_id != NULL ? request->caller.user_id : user_id,
		.subject_user_id = user_id,
		.subject = subject};
	struct problem problem;

	if (!audit_insert(request->service->store, &row, &problem))
		log_event(LOG_ERROR, "not in the audit log", log_string("request_id", row.request_id),
			log_string("action", action), log_string("initiator_id", row.initiator_id),
			log_string("subject_user_id", user_id), log_string("subject", subject));
}

bool subject_check_redirect(const char *redirect, struct problem *problem)
{
	if (redirect == NULL || name_is_local_path(redirect))
		return true;
	return problem_add_violation(problem, "redirect", "must be a path of this service that starts with one slash");
}
