/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals of the login server: see oauth_answer.h. */
#include "oauth_answer.h"

#include <string.h>

#define ENDPOINTS "/oauth2/"

void oauth_forbid_old_caches(struct reply *reply)
{
	reply_add_header(reply, "Pragma", "no-cache");
}

static void tell(struct reply *reply, int status, const char *error, const char *description)
{
	struct json *root = json_new_object();

	json_add_string(root, "error", error);
	json_add_string(root, "error_description", description);
	reply_json(reply, status, root);
	oauth_forbid_old_caches(reply);
}

bool oauth_refuse(struct reply *reply, int status, const char *error, const char *description)
{
	tell(reply, status, error, description);
	reply->outcome = error;
	return true;
}

static const char *error_of(int status)
{
	if (status < 500)
		return "invalid_request";
	return status == 503 ? "temporarily_unavailable" : "server_error";
}

bool oauth_tell_problem(const struct request *request, struct reply *reply, const struct problem *problem)
{
	int status = problem_status(problem->kind);

	if (strncmp(request->path, ENDPOINTS, strlen(ENDPOINTS)) != 0)
		return false;
	tell(reply, status, error_of(status), problem->message);
	if (problem->retry_after_s > 0)
		reply_add_header(reply, "Retry-After", arena_printf(reply->arena, "%u", problem->retry_after_s));
	return true;
}
