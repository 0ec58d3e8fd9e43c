/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces: see workspace.h. A create is two round trips to the database with the gate between them, outside any
 * transaction: the gate may spend a single-use token, and what spends a token must never run twice because a
 * transaction was retried. */
#include "workspace.h"

#include <string.h>
#include <strings.h>

#include "../base/json_text.h"
#include "../http/idempotency.h"
#include "../http/refusal.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/evaluation.h"
#include "../link/workspace_json.h"
#include "../store/prebuilds.h"

/* The one organization there is: contract section 4. */
#define ORGANIZATION "default"

enum claim { CLAIM_NEVER, CLAIM_PREFER, CLAIM_REQUIRE };

struct create_input {
	struct create_question question;
	const char *parameters; /* JSON object text */
	enum claim claim;
	struct idempotency *once;
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

/* One go from facts to row. claim: whether a workspace built ahead is looked for. */
struct attempt {
	const struct request *request;
	const struct create_input *input;
	struct reply *reply;
	enum claim claim;
	struct evaluation *evaluation;
	struct relied_link relied[REQUIREMENTS_MAX];
};

/* ATTEMPT_AGAIN: something moved between check and insert, so it must be judged anew. The ends that name a row which is
 * gone or taken are found out by the next attempt's own checks. ATTEMPT_WITHOUT_CLAIM: there is nothing to claim, and a
 * create is judged by another enforcement than a claim. */
enum attempt_end { ATTEMPT_DONE, ATTEMPT_AGAIN, ATTEMPT_WITHOUT_CLAIM };

static void answer_created(const struct workspace *workspace, struct reply *reply)
{
	struct text body = text_in(reply->arena);

	workspace_json_add(&body, NULL, workspace, reply->arena);
	reply_add_header(reply, "Location", arena_printf(reply->arena, "/api/v2/workspaces/%s", workspace->id));
	reply_json_text(reply, 201, body.bytes);
}

static void answer(const struct attempt *attempt, const struct workspace *workspace)
{
	attempt->reply->decision_id = workspace->decision_id;
	attempt->reply->outcome = attempt->evaluation->decision.outcome;
	answer_created(workspace, attempt->reply);
}

/* What a key is to stand for is written with the workspace, so it is made before: with the time that is then stored. */
static const struct idempotency_answer *answer_ahead(const struct attempt *attempt, const struct workspace *workspace)
{
	struct reply reply = {.arena = attempt->request->arena};

	if (!attempt->input->once->held)
		return NULL;
	answer_created(workspace, &reply);
	return idempotency_answer(attempt->input->once, &reply);
}

static struct workspace_insert insert_of(struct attempt *attempt)
{
	struct arena *arena = attempt->request->arena;

	return (struct workspace_insert){.id = uuid_in(arena),
		.build_id = uuid_in(arena),
		.created_at_ms = idempotency_now_ms(attempt->input->once),
		.facts = &attempt->evaluation->facts,
		.initiator_id = attempt->request->caller.user_id,
		.name = attempt->input->question.workspace_name,
		.parameters = attempt->input->parameters,
		.warnings = evaluation_warnings(attempt->evaluation, arena),
		.relied_count = evaluation_relied(attempt->evaluation, attempt->relied),
		.relied = attempt->relied,
		.decision = &attempt->evaluation->decision};
}

static bool insert(struct attempt *attempt, enum attempt_end *ret_end, struct problem *problem)
{
	const struct request *request = attempt->request;
	struct workspace_insert insert = insert_of(attempt);
	struct workspace workspace = workspace_of_insert(&insert);
	enum insert_end end = INSERT_DONE;

	insert.answer = answer_ahead(attempt, &workspace);
	if (!workspace_insert(request->service->store, request->arena, &insert, &end, &workspace, problem))
		return false;
	if (end == INSERT_KEY_LOST)
		return idempotency_lost(problem);
	*ret_end = end == INSERT_DONE ? ATTEMPT_DONE : ATTEMPT_AGAIN;
	if (end == INSERT_DONE)
		answer(attempt, &workspace);
	return true;
}

/* Whether a claim and a create of these providers are enforced alike: then one judgement serves both. */
static bool is_enforced_alike(const struct attempt *attempt)
{
	const struct engine *engine = attempt->request->service->engine;
	const struct enforcement_setting *template = &attempt->evaluation->facts.template_enforcement;
	const struct gate_answer *answer = &attempt->evaluation->answer;

	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct provider *provider = answer->findings[i].provider;

		if (provider != NULL && enforcement_effective(&provider->enforcement, template, &engine->enforcement,
						MOMENT_CLAIM) != enforcement_effective(&provider->enforcement, template,
									 &engine->enforcement, MOMENT_CREATE))
			return false;
	}
	return true;
}

/* Nothing was built ahead, or others were faster. */
static bool go_without_claim(struct attempt *attempt, enum attempt_end *ret_end, struct problem *problem)
{
	struct evaluation *evaluation = attempt->evaluation;

	if (attempt->claim == CLAIM_PREFER && is_enforced_alike(attempt)) {
		evaluation->decision.moment = moment_word(MOMENT_CREATE);
		return insert(attempt, ret_end, problem);
	}
	decision_enqueue(attempt->request->service->store, &evaluation->decision);
	*ret_end = ATTEMPT_WITHOUT_CLAIM;
	if (attempt->claim == CLAIM_PREFER)
		return true;
	(void)problem_set(problem, PROBLEM_NO_PREBUILD, "This template has no prebuilt workspace to claim.");
	return problem_detail(problem, "Use `claim_prebuild` `prefer` to have one built where none is left.");
}

static bool claim(struct attempt *attempt, enum attempt_end *ret_end, struct problem *problem)
{
	const struct request *request = attempt->request;
	struct workspace_insert insert = insert_of(attempt);
	struct workspace_claim claim = workspace_claim_of(&insert, request->arena);
	struct workspace workspace;
	enum claim_end end = CLAIM_DONE;

	insert.answer = answer_ahead(attempt, &claim.ahead);
	if (!workspace_claim(request->service->store, request->arena, &claim, &end, &workspace, problem))
		return false;
	if (end == CLAIM_KEY_LOST)
		return idempotency_lost(problem);
	if (end == CLAIM_NONE_LEFT)
		return go_without_claim(attempt, ret_end, problem);
	*ret_end = end == CLAIM_DONE ? ATTEMPT_DONE : ATTEMPT_AGAIN;
	if (end == CLAIM_DONE)
		answer(attempt, &workspace);
	return true;
}

static bool try_create(struct attempt *attempt, enum attempt_end *ret_end, struct problem *problem)
{
	const struct request *request = attempt->request;
	struct engine *engine = request->service->engine;
	const struct evaluation_question question = {.request_id = request->id,
		.initiator_id = request->caller.user_id,
		.surface = SURFACE_API,
		.moment = attempt->claim == CLAIM_NEVER ? MOMENT_CREATE : MOMENT_CLAIM,
		.timeout_ms = engine->gate_timeout_ms};

	*ret_end = ATTEMPT_DONE;
	attempt->evaluation = arena_alloc(request->arena, sizeof(*attempt->evaluation));
	if (!evaluation_read(
		    engine, &question, &attempt->input->question, request->arena, attempt->evaluation, problem) ||
		!evaluation_judge(engine, &question, request->arena, attempt->evaluation, problem))
		return false;
	if (attempt->evaluation->answer.decision.outcome != OUTCOME_ALLOWED) {
		refusal_end(request, attempt->evaluation, MOMENT_CREATE, attempt->reply);
		return true;
	}
	if (attempt->claim == CLAIM_NEVER)
		return insert(attempt, ret_end, problem);
	return claim(attempt, ret_end, problem);
}

static bool create(
	const struct request *request, const struct create_input *input, struct reply *reply, struct problem *problem)
{
	struct attempt attempt = {.request = request, .input = input, .reply = reply, .claim = input->claim};

	for (int run = 0; run < GATE_RUNS_MAX;) {
		enum attempt_end end = ATTEMPT_DONE;

		if (!try_create(&attempt, &end, problem))
			return false;
		if (end == ATTEMPT_DONE)
			return true;
		if (end == ATTEMPT_WITHOUT_CLAIM)
			attempt.claim = CLAIM_NEVER;
		else
			run++;
	}
	(void)problem_set(problem, PROBLEM_CHANGED_MEANWHILE, "The owner's links changed while they were judged.");
	problem->retry_after_s = 1;
	return problem_detail(problem, "Nothing was created; try again.");
}

bool api_workspace_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct create_input input;
	struct idempotency once;

	if (!check_organization(request, problem) || !read_input(request, &input, problem))
		return false;
	if (!subject_reference(request, request_parameter(request, "user"), ACTION_WORKSPACE_CREATE,
		    &input.question.owner, problem))
		return false;
	if (!idempotency_begin(request, &once, reply, problem))
		return false;
	input.once = &once;
	return once.replayed || idempotency_end(&once, create(request, &input, reply, problem), reply);
}

/* The system user is nobody that a request is about; who may look at any workspace may see what waits there. */
static bool find_listed(const struct request *request, const char **ret_owner_id, struct problem *problem)
{
	const char *given = request_parameter(request, "user");
	struct user owner = {.id = PREBUILDS_USER_ID};
	bool is_system = strcmp(given, PREBUILDS_USER_NAME) == 0 || strcasecmp(given, PREBUILDS_USER_ID) == 0;
	bool found = is_system ? subject_reference(request, given, ACTION_WORKSPACE_READ, &given, problem)
			       : subject_find(request, ACTION_WORKSPACE_READ, &owner, problem);

	*ret_owner_id = owner.id;
	return found;
}

bool api_workspace_list(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *owner_id = NULL;
	struct page page;
	struct workspace_page found;

	if (!request_page(request, &page, problem) || !find_listed(request, &owner_id, problem))
		return false;
	if (!workspace_list(request->service->store, request->arena, owner_id, page, &found, problem))
		return false;

	struct text body = text_in(request->arena);

	json_text_open(&body, NULL, '{');
	json_text_open(&body, "workspaces", '[');
	for (size_t i = 0; i < found.count; i++)
		workspace_json_add(&body, NULL, &found.list[i], request->arena);
	json_text_close(&body, ']');
	json_text_string(&body, "next_after_id", found.has_more ? found.list[found.count - 1].id : NULL);
	json_text_close(&body, '}');
	reply_json_text(reply, 200, body.bytes);
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

	struct text body = text_in(request->arena);

	workspace_json_add(&body, NULL, &workspace, request->arena);
	reply_json_text(reply, 200, body.bytes);
	return true;
}
