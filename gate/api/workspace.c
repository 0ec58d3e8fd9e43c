/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces: see workspace.h. A create is two round trips to the database with the gate between them, outside any
 * transaction: the gate may spend a single-use token, and what spends a token must never run twice because a
 * transaction was retried. */
#include "workspace.h"

#include <string.h>

#include "../base/clock.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/evaluation.h"
#include "../link/gate_json.h"
#include "../store/workspaces.h"

/* The one organization there is: contract section 4. */
#define ORGANIZATION "default"

enum claim { CLAIM_NEVER, CLAIM_PREFER, CLAIM_REQUIRE };

struct create_input {
	struct create_question question;
	const char *parameters; /* JSON object text */
	enum claim claim;
};

static bool read_claim(const char *word, enum claim *ret_claim, struct problem *problem)
{
	static const char *const words[] = {"never", "prefer", "require"};

	for (size_t i = 0; word != NULL && i < COUNT_OF(words); i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		*ret_claim = (enum claim)i;
		return true;
	}
	if (word == NULL)
		return true;
	return problem_add_violation(problem, "claim_prebuild", "must be `never`, `prefer` or `require`");
}

static bool is_given(const struct request *request, const char *field)
{
	const struct json *value = json_member(request->json, field);

	return value != NULL && !json_is_null(value);
}

static bool check_template_fields(
	const struct request *request, const struct create_question *question, struct problem *problem)
{
	bool good = true;

	if (is_given(request, "template_id") == is_given(request, "template_version_id")) {
		(void)problem_add_violation(
			problem, "template_id", "exactly one of template_id and template_version_id is needed");
		return problem_add_violation(
			problem, "template_version_id", "exactly one of template_id and template_version_id is needed");
	}
	if (question->template_id != NULL && !name_is_uuid(question->template_id))
		good = problem_add_violation(problem, "template_id", "must be a UUID");
	if (question->version_id != NULL && !name_is_uuid(question->version_id))
		good = problem_add_violation(problem, "template_version_id", "must be a UUID");
	return good;
}

static bool read_input(const struct request *request, struct create_input *ret_input, struct problem *problem)
{
	struct create_input input = {.parameters = "{}", .claim = CLAIM_NEVER};
	const char *claim = NULL;
	const struct json *parameters = NULL;
	const struct json_field fields[] = {
		{.name = "name",
			.type = JSON_STRING,
			.target = &input.question.workspace_name,
			.required = true,
			.bytes_max = NAME_BYTES_MAX},
		{.name = "template_id", .type = JSON_STRING, .target = &input.question.template_id},
		{.name = "template_version_id", .type = JSON_STRING, .target = &input.question.version_id},
		{.name = "claim_prebuild", .type = JSON_STRING, .target = &claim},
		{.name = "parameters", .type = JSON_OBJECT, .target = &parameters},
	};
	bool good = json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);
	const char *name = input.question.workspace_name;

	if (name != NULL && !name_is_workspace(name))
		good = problem_add_violation(problem, "name", "must be 1 to %d of a-z, 0-9 and -", NAME_BYTES_MAX);
	good = check_template_fields(request, &input.question, problem) && good;
	good = read_claim(claim, &input.claim, problem) && good;
	if (parameters != NULL)
		input.parameters = json_print(parameters, request->arena);
	*ret_input = input;
	return good;
}

static bool check_organization(const struct request *request, struct problem *problem)
{
	for (size_t i = 0; i < ROUTE_PARAMETERS_MAX && request->parameter_names[i] != NULL; i++) {
		if (strcmp(request->parameter_names[i], "org") == 0 &&
			strcmp(request->parameters[i], ORGANIZATION) != 0)
			return problem_set(problem, PROBLEM_NOT_FOUND,
				"There is no such organization; there is one, `%s`.", ORGANIZATION);
	}
	return true;
}

static bool refuse(const struct request *request, const struct evaluation *evaluation, struct reply *reply)
{
	const struct decision *decision = &evaluation->answer.decision;
	const struct gate_telling telling = {.decision_id = evaluation->decision_id,
		.request_id = request->id,
		.owner_name = evaluation->facts.owner.username,
		.moment = MOMENT_CREATE};
	bool refused = decision->outcome == OUTCOME_REFUSED;

	decision_enqueue(request->service->store, &evaluation->decision);
	reply->decision_id = evaluation->decision_id;
	reply->outcome = evaluation->decision.outcome;
	if (!refused)
		reply_add_header(reply, "Retry-After", arena_printf(request->arena, "%u", decision->retry_after_s));
	reply_json_text(reply, refused ? 403 : 503,
		gate_json_refusal(request->service->engine, &evaluation->answer, &telling, request->arena));
	return true;
}

static struct json *show_workspace(const struct workspace *workspace, struct arena *arena)
{
	struct json *root = json_new_object();

	json_add_string(root, "id", workspace->id);
	json_add_string(root, "name", workspace->name);
	json_add_string(root, "owner_id", workspace->owner_id);
	json_add_string(root, "owner_name", workspace->owner_name);
	json_add_string(root, "template_id", workspace->template_id);
	json_add_string(root, "template_version_id", workspace->template_version_id);
	json_add_string(root, "created_at", clock_rfc3339(arena, workspace->created_at_ms));
	json_add_raw(root, "parameters", workspace->parameters);
	struct json *build = json_add_object(root, "latest_build");

	json_add_string(build, "id", workspace->latest_build.id);
	json_add_integer(build, "number", workspace->latest_build.number);
	json_add_string(build, "transition", workspace->latest_build.transition);
	json_add_string(build, "reason", workspace->latest_build.reason);
	json_add_string(build, "status", workspace->latest_build.status);
	json_add_string(build, "created_at", clock_rfc3339(arena, workspace->latest_build.created_at_ms));
	json_add_string(root, "decision_id", workspace->decision_id);
	json_add_raw(root, "warnings", workspace->warnings);
	return root;
}

static bool insert(const struct request *request, const struct create_input *input, const struct evaluation *evaluation,
	struct reply *reply, enum insert_end *ret_end, struct problem *problem)
{
	struct relied_link relied[REQUIREMENTS_MAX];
	const struct workspace_insert insert = {.facts = &evaluation->facts,
		.initiator_id = request->caller.user_id,
		.name = input->question.workspace_name,
		.parameters = input->parameters,
		.warnings = evaluation_warnings(evaluation, request->arena),
		.relied_count = evaluation_relied(evaluation, relied),
		.relied = relied,
		.decision = &evaluation->decision};
	struct workspace workspace;

	if (!workspace_insert(request->service->store, request->arena, &insert, ret_end, &workspace, problem))
		return false;
	if (*ret_end != INSERT_DONE)
		return true;
	reply->decision_id = workspace.decision_id;
	reply->outcome = evaluation->decision.outcome;
	reply_add_header(reply, "Location", arena_printf(request->arena, "/api/v2/workspaces/%s", workspace.id));
	reply_json(reply, 201, show_workspace(&workspace, request->arena));
	return true;
}

/* One attempt from facts to row. *ret_again: the links moved between check and insert, so it must be judged anew. The
 * ends that name a row which is gone or taken are found out by the next attempt's own checks. */
static bool try_create(const struct request *request, const struct create_input *input, struct reply *reply,
	bool *ret_again, struct problem *problem)
{
	struct engine *engine = request->service->engine;
	const struct evaluation_question question = {.request_id = request->id,
		.initiator_id = request->caller.user_id,
		.surface = SURFACE_API,
		.moment = MOMENT_CREATE,
		.timeout_ms = engine->gate_timeout_ms};
	struct evaluation *evaluation = arena_alloc(request->arena, sizeof(*evaluation));
	enum insert_end end = INSERT_DONE;

	*ret_again = false;
	if (!evaluation_read(engine, &question, &input->question, request->arena, evaluation, problem) ||
		!evaluation_judge(engine, &question, request->arena, evaluation, problem))
		return false;
	if (evaluation->answer.decision.outcome != OUTCOME_ALLOWED)
		return refuse(request, evaluation, reply);
	if (input->claim == CLAIM_REQUIRE) {
		decision_enqueue(request->service->store, &evaluation->decision);
		(void)problem_set(problem, PROBLEM_NO_PREBUILD, "This template has no prebuilt workspace to claim.");
		return problem_detail(problem, "Use `claim_prebuild` `prefer` to have one built where none is left.");
	}
	if (!insert(request, input, evaluation, reply, &end, problem))
		return false;
	*ret_again = end != INSERT_DONE;
	return true;
}

bool api_workspace_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct create_input input;

	if (!check_organization(request, problem) || !read_input(request, &input, problem))
		return false;
	if (!subject_reference(request, request_parameter(request, "user"), ACTION_WORKSPACE_CREATE,
		    &input.question.owner, problem))
		return false;
	for (int run = 0; run < GATE_RUNS_MAX; run++) {
		bool again = false;

		if (!try_create(request, &input, reply, &again, problem))
			return false;
		if (!again)
			return true;
	}
	(void)problem_set(problem, PROBLEM_CHANGED_MEANWHILE, "The owner's links changed while they were judged.");
	problem->retry_after_s = 1;
	return problem_detail(problem, "Nothing was created; try again.");
}

bool api_workspace_list(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct user owner;
	struct page page;
	struct workspace_page found;

	if (!request_page(request, &page, problem) || !subject_find(request, ACTION_WORKSPACE_READ, &owner, problem))
		return false;
	if (!workspace_list(request->service->store, request->arena, owner.id, page, &found, problem))
		return false;

	struct json *root = json_new_object();
	struct json *list = json_add_array(root, "workspaces");

	for (size_t i = 0; i < found.count; i++)
		json_push(list, show_workspace(&found.list[i], request->arena));
	json_add_string(root, "next_after_id", found.has_more ? found.list[found.count - 1].id : NULL);
	reply_json(reply, 200, root);
	return true;
}

bool api_workspace_get(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *id = request_parameter(request, "id");
	const struct caller *caller = &request->caller;
	struct workspace workspace;
	bool found = false;

	if (name_is_uuid(id) &&
		!workspace_find(request->service->store, request->arena, id, &found, &workspace, problem))
		return false;
	if (!found ||
		!access_allows(caller->roles, ACTION_WORKSPACE_READ, strcmp(workspace.owner_id, caller->user_id) == 0))
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such workspace, or you may not see it.");
	reply_json(reply, 200, show_workspace(&workspace, request->arena));
	return true;
}
