/* SPDX-License-Identifier: Apache-2.0 */
/* A device code in the browser: see page_device.h. Looking at a code never answers it, also where the address holds it
 * (RFC 8628 section 3.3.1): approving takes a form of this session. */
#include "page_device.h"

#include <string.h>

#include "../base/clock.h"
#include "../http/browser.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../store/device_grants.h"
#include "../web/device.h"

static const char CODE_UNKNOWN[] = "This code is not waiting for an answer. Compare it with your terminal; it may be "
				   "too "
				   "old, or answered already. Starting the login again gives a new one.";

/* The programs that may log in, as people know them (the login server knows no others). */
static const char *client_name(const char *client_id)
{
	return strcmp(client_id, "gatehouse-cli") == 0 ? "The gatehouse command line" : client_id;
}

static bool enter_again(const struct request *request, const struct page_frame *frame, const char *user_code,
	const struct device_entry_answer *answer, struct reply *reply)
{
	if (answer->end == DEVICE_ENTRY_BLOCKED) {
		const char *wrong = arena_printf(request->arena,
			"Too many wrong codes were entered. Try again in %u seconds.", answer->retry_after_s);

		reply_add_header(reply, "Retry-After", arena_printf(request->arena, "%u", answer->retry_after_s));
		browser_reply(reply, 429, page_device_enter(request->arena, frame, user_code, wrong));
		return true;
	}
	browser_reply(reply, 404, page_device_enter(request->arena, frame, user_code, CODE_UNKNOWN));
	return true;
}

static bool compare(const struct request *request, const struct browser_session *session, const char *user_code,
	struct reply *reply, struct problem *problem)
{
	struct page_frame frame = browser_frame(request, session, PAGE_DEVICE);
	const struct device_entry entry = {.user_code = user_code,
		.user_id = session->user.id,
		.session_id = session->id,
		.address = request->address};
	struct device_entry_answer answer = {.end = DEVICE_ENTRY_NOT_FOUND};

	if (!device_grant_look(request->service->store, request->arena, &entry, &answer, problem))
		return false;
	if (answer.end != DEVICE_ENTRY_FOUND)
		return enter_again(request, &frame, user_code, &answer, reply);

	const struct page_device shown = {.user_code = answer.view.user_code,
		.client = client_name(answer.view.client_id),
		.address = answer.view.address,
		.agent = answer.view.agent,
		.asked_at_ms = answer.view.created_at_ms,
		.expires_at_ms = answer.view.expires_at_ms,
		.now_ms = clock_now_ms()};

	browser_reply(reply, 200, page_device_compare(request->arena, &frame, &shown));
	return true;
}

static bool answer_grant(const struct request *request, const struct browser_session *session, const char *user_code,
	bool approve, struct reply *reply, struct problem *problem)
{
	struct page_frame frame = browser_frame(request, session, PAGE_DEVICE);
	const struct device_entry entry = {.user_code = user_code,
		.user_id = session->user.id,
		.session_id = session->id,
		.address = request->address};
	struct device_entry_answer answer = {.end = DEVICE_ENTRY_NOT_FOUND};

	if (!device_grant_decide(request->service->store, request->arena, &entry, approve, &answer, problem))
		return false;
	if (answer.end != DEVICE_ENTRY_FOUND)
		return enter_again(request, &frame, user_code, &answer, reply);
	subject_audit(request, approve ? "login.approve" : "login.deny", session->user.id, NULL);
	browser_reply(
		reply, 200, page_device_done(request->arena, &frame, client_name(answer.view.client_id), approve));
	return true;
}

bool api_page_device(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *user_code = request_query(request, "user_code");
	struct browser_session session = {.id = NULL};

	browser_add_headers(reply);
	if (!session_find_login(request, &session, problem))
		return session_send_to_login(request, reply, problem);
	if (user_code != NULL && user_code[0] != '\0')
		return compare(request, &session, user_code, reply, problem);

	struct page_frame frame = browser_frame(request, &session, PAGE_DEVICE);

	browser_reply(reply, 200, page_device_enter(request->arena, &frame, NULL, NULL));
	return true;
}

bool api_page_device_answer(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *user_code = NULL;
	const char *decision = NULL;
	struct browser_session session = {.id = NULL};

	browser_add_headers(reply);
	if (!session_find_login(request, &session, problem) || !session_check_csrf(request, problem) ||
		!request_form(request, "user_code", &user_code, problem) ||
		!request_form(request, "decision", &decision, problem))
		return false;
	if (user_code == NULL)
		return problem_set(problem, PROBLEM_BAD_REQUEST, "The form holds no code.");
	if (decision == NULL)
		return compare(request, &session, user_code, reply, problem);
	if (strcmp(decision, "approve") != 0 && strcmp(decision, "deny") != 0)
		return problem_set(problem, PROBLEM_BAD_REQUEST, "The form says neither yes nor no.");
	return answer_grant(request, &session, user_code, strcmp(decision, "approve") == 0, reply, problem);
}
