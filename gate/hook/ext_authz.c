/* SPDX-License-Identifier: Apache-2.0 */
/* The gate as a proxy's external authorization: see ext_authz.h. */
#include "ext_authz.h"

#include <string.h>
#include <strings.h>

#include "check.h"

/* A proxy that was to name the owner and found nobody must not be taken for one that leaves it to the token. */
static bool read_headers(const struct request *request, struct check_question *ret_question, struct problem *problem)
{
	const char *owner = request_header(request, REQUEST_HEADER_OWNER);
	const char *version_id = request_header(request, REQUEST_HEADER_TEMPLATE_VERSION);
	const char *transition = request_header(request, REQUEST_HEADER_TRANSITION);
	bool good = true;

	*ret_question = (struct check_question){.surface = SURFACE_EXT_AUTHZ,
		.owner = owner != NULL ? owner : request->caller.user_id,
		.version_id = version_id,
		.transition = transition != NULL ? check_transition_from_word(transition) : CHECK_CREATE};
	if (owner != NULL && *owner == '\0')
		good = problem_add_violation(problem, "X-Gatehouse-Owner", "must be a user name or a UUID");
	if (version_id == NULL || !name_is_uuid(version_id))
		good = problem_add_violation(problem, "X-Gatehouse-Template-Version", "must be given, and a UUID");
	if (ret_question->transition == CHECK_TRANSITION_COUNT)
		good = problem_add_violation(problem, "X-Gatehouse-Transition",
			"must be `create`, `start`, `autostart`, `claim`, `stop` or `delete`");
	return good;
}

/* Envoy cuts a body at its max_request_bytes and says so; what is behind the cut nobody has looked at. */
static bool check_body(const struct request *request, struct problem *problem)
{
	const char *partial = request_header(request, REQUEST_HEADER_PARTIAL_BODY);

	if (partial == NULL || strcasecmp(partial, "false") == 0)
		return true;
	(void)problem_set(problem, PROBLEM_FORBIDDEN, "The proxy passed on a part of the body only.");
	return problem_detail(problem, "Send a smaller body, or have the proxy pass on larger ones or none.");
}

static void tell(const struct request *request, const struct check_answer *answer, struct reply *reply)
{
	check_note(reply, answer);
	reply_add_header(reply, "x-gatehouse-decision-id", answer->decision_id);
	if (answer->allowed) {
		reply_empty(reply, 200);
		return;
	}
	if (answer->retry_after_s > 0)
		reply_add_header(reply, "Retry-After", arena_printf(request->arena, "%u", answer->retry_after_s));
	reply_json_text(reply, 403, check_refusal(request, answer));
}

bool hook_ext_authz(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct check_question question;
	struct check_answer answer;
	int status;

	if (check_body(request, problem) && read_headers(request, &question, problem) &&
		check_ask(request, &question, &answer, problem)) {
		tell(request, &answer, reply);
		return true;
	}
	status = problem_status(problem->kind);
	if (status == 401 || status >= 500)
		return false;
	reply_problem(reply, problem, request->id);
	reply->status = 403;
	reply->outcome = problem_word(problem->kind);
	return true;
}
