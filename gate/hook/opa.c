/* SPDX-License-Identifier: Apache-2.0 */
/* The gate in the words of Open Policy Agent: see opa.h. */
#include "opa.h"

#include "../base/json_text.h"
#include "check.h"

/* What is wrong with whom or what is asked about is a no, as an undefined rule is; only what kept the question from
 * being asked is an error of the call. */
static bool is_a_no(enum problem_kind kind)
{
	static const enum problem_kind kinds[] = {PROBLEM_FORBIDDEN, PROBLEM_NOT_FOUND, PROBLEM_OWNER_SUSPENDED,
		PROBLEM_VERSION_ARCHIVED, PROBLEM_PROVIDER_NOT_CONFIGURED};

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (kinds[i] == kind)
			return true;
	return false;
}

static void tell_no(const struct problem *problem, struct reply *reply)
{
	struct text text = text_in(reply->arena);

	json_text_open(&text, NULL, '{');
	json_text_open(&text, "result", '{');
	json_text_bool(&text, "allow", false);
	json_text_string(&text, "code", problem_word(problem->kind));
	json_text_string(&text, "message", problem->message);
	json_text_string(&text, "detail", problem->detail[0] != '\0' ? problem->detail : NULL);
	json_text_close(&text, '}');
	json_text_null(&text, "decision_id");
	json_text_close(&text, '}');
	reply->outcome = problem_word(problem->kind);
	reply_json_text(reply, 200, text.bytes);
}

static void tell_decision(const struct request *request, const struct check_answer *answer, struct reply *reply)
{
	struct text text = text_in(reply->arena);

	json_text_open(&text, NULL, '{');
	json_text_open(&text, "result", '{');
	json_text_bool(&text, "allow", answer->allowed);
	check_add_decision(request, answer, &text);
	json_text_close(&text, '}');
	json_text_string(&text, "decision_id", answer->decision_id);
	json_text_close(&text, '}');
	check_note(reply, answer);
	reply_json_text(reply, 200, text.bytes);
}

bool hook_opa(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct check_question question;
	struct check_answer answer;
	const struct json *input = NULL;
	const struct json_field fields[] = {{.name = "input", .type = JSON_OBJECT, .target = &input, .required = true}};

	if (!json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem) ||
		!check_read(request, input, &question, problem))
		return false;
	question.surface = SURFACE_OPA;
	if (check_ask(request, &question, &answer, problem)) {
		tell_decision(request, &answer, reply);
		return true;
	}
	if (!is_a_no(problem->kind))
		return false;
	tell_no(problem, reply);
	return true;
}
