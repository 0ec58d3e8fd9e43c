/* SPDX-License-Identifier: Apache-2.0 */
/* Builds: see build.h. A start goes the way of a create: facts, gate, and one statement that demands that what was
 * judged still stands. A stop or a deletion is one statement, whatever the owner's accounts or standing. */
#include "build.h"

#include <string.h>

#include "../base/text.h"
#include "../http/idempotency.h"
#include "../http/refusal.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/evaluation.h"
#include "../link/workspace_json.h"
#include "../store/prebuilds.h"

struct build_input {
	const char *transition;
	const char *reason;
};

/* Which reason goes with which transition. */
static const struct build_input lawful[] = {
	{"start", "initiator"},
	{"start", "autostart"},
	{"stop", "initiator"},
	{"stop", "autostop"},
	{"delete", "initiator"},
};

static bool is_start(const struct build_input *input)
{
	return strcmp(input->transition, "start") == 0;
}

static bool check_words(const struct build_input *input, struct problem *problem)
{
	bool known = false;

	for (size_t i = 0; i < COUNT_OF(lawful); i++) {
		bool fits = strcmp(lawful[i].transition, input->transition) == 0;

		if (fits && strcmp(lawful[i].reason, input->reason) == 0)
			return true;
		known = known || fits;
	}
	if (!known)
		return problem_add_violation(problem, "transition", "must be `start`, `stop` or `delete`");
	return problem_add_violation(
		problem, "reason", "must be `initiator`; `autostart` goes with `start` and `autostop` with `stop`");
}

static bool read_input(const struct request *request, struct build_input *ret_input, struct problem *problem)
{
	struct build_input input = {.reason = "initiator"};
	const struct json_field fields[] = {
		{.name = "transition", .type = JSON_STRING, .target = &input.transition, .required = true},
		{.name = "reason", .type = JSON_STRING, .target = &input.reason},
	};

	if (!json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem))
		return false;
	*ret_input = input;
	return check_words(&input, problem);
}

static bool is_own(const struct request *request, const char *owner_id)
{
	return strcmp(owner_id, request->caller.user_id) == 0;
}

static bool workspace_missing(struct problem *problem)
{
	return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such workspace, or you may not see it.");
}

/* *ret_found false: there is none. One that the caller may not see is a problem, told alike. */
static bool find_workspace(
	const struct request *request, bool *ret_found, struct workspace *ret_workspace, struct problem *problem)
{
	const char *id = request_parameter(request, "id");
	role_set roles = request->caller.roles;

	*ret_found = false;
	if (name_is_uuid(id) &&
		!workspace_find(request->service->store, request->arena, id, ret_found, ret_workspace, problem))
		return false;
	if (!*ret_found)
		return true;

	bool own = is_own(request, ret_workspace->owner_id);

	if (!access_allows(roles, ACTION_WORKSPACE_READ, own))
		return workspace_missing(problem);
	if (!access_allows(roles, ACTION_WORKSPACE_CREATE, own))
		return problem_set(problem, PROBLEM_FORBIDDEN, "Your roles do not include this.");
	return true;
}

/* One go from the workspace to the row. end is not BUILD_DONE where something moved in between: it is looked at anew.
 */
struct attempt {
	const struct request *request;
	const struct build_input *input;
	struct reply *reply;
	struct idempotency *once;
	struct workspace workspace;
	struct evaluation *evaluation; /* of a gated start */
	enum build_end end;
};

static void answer_created(const struct build_record *record, struct reply *reply)
{
	struct text body = text_in(reply->arena);

	build_json_add(&body, NULL, record, reply->arena);
	reply_add_header(reply, "Location", arena_printf(reply->arena, "/api/v2/builds/%s", record->build.id));
	reply_json_text(reply, 201, body.bytes);
}

/* What a key is to stand for is written with the build, so it is made before. */
static const struct idempotency_answer *answer_ahead(const struct attempt *attempt, const struct build_record *record)
{
	struct reply reply = {.arena = attempt->request->arena};

	if (!attempt->once->held)
		return NULL;
	answer_created(record, &reply);
	return idempotency_answer(attempt->once, &reply);
}

static bool refuse_full(struct problem *problem)
{
	(void)problem_set(
		problem, PROBLEM_CONFLICT, "%d builds of this workspace wait to be carried out.", BUILDS_OPEN_MAX);
	return problem_detail(problem, "Wait until some are over, or delete the workspace.");
}

static bool end_insert(const struct attempt *attempt, const struct build_record *record, struct problem *problem)
{
	if (attempt->end == BUILD_KEY_LOST)
		return idempotency_lost(problem);
	if (attempt->end == BUILD_QUEUE_FULL)
		return refuse_full(problem);
	if (attempt->end != BUILD_DONE)
		return true;
	attempt->reply->decision_id = record->decision_id;
	attempt->reply->outcome = attempt->evaluation != NULL ? attempt->evaluation->decision.outcome : NULL;
	answer_created(record, attempt->reply);
	return true;
}

static bool refuse_deleting(struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_CONFLICT, "This workspace is being deleted.");
	return problem_detail(problem, "It can be started again only if its deletion fails.");
}

/* A caller who may not speak for the schedule is judged as one who starts by hand: the reason is told as given, but it
 * chooses no milder enforcement. */
static enum moment moment_of(const struct attempt *attempt)
{
	bool own = is_own(attempt->request, attempt->workspace.owner_id);
	bool scheduled = strcmp(attempt->input->reason, "autostart") == 0;
	bool may = access_allows(attempt->request->caller.roles, ACTION_BUILD_AUTOSTART, own);

	return scheduled && may ? MOMENT_AUTOSTART : MOMENT_START;
}

static bool insert_start(struct attempt *attempt, struct problem *problem)
{
	const struct request *request = attempt->request;
	const struct evaluation *evaluation = attempt->evaluation;
	struct relied_link relied[REQUIREMENTS_MAX];
	struct build_start start = {.new = build_new_in(request->arena, idempotency_now_ms(attempt->once)),
		.workspace = &attempt->workspace,
		.reason = attempt->input->reason,
		.moment = evaluation->decision.moment,
		.initiator_id = request->caller.user_id,
		.warnings = evaluation_warnings(evaluation, request->arena),
		.relied = {evaluation_relied(evaluation, relied), relied},
		.decision = &evaluation->decision};
	struct build_record record = build_of_start(&start);

	start.new.answer = answer_ahead(attempt, &record);
	return build_insert_start(request->service->store, request->arena, &start, &attempt->end, &record, problem) &&
	       end_insert(attempt, &record, problem);
}

static bool try_gated(struct attempt *attempt, struct problem *problem)
{
	const struct request *request = attempt->request;
	struct engine *engine = request->service->engine;
	const struct evaluation_question question = {.request_id = request->id,
		.initiator_id = request->caller.user_id,
		.surface = SURFACE_API,
		.moment = moment_of(attempt),
		.admits_archived = true,
		.timeout_ms = engine->gate_timeout_ms};
	const struct create_question about = {
		.owner = attempt->workspace.owner_id, .version_id = attempt->workspace.template_version_id};

	attempt->evaluation = arena_alloc(request->arena, sizeof(*attempt->evaluation));
	if (!evaluation_read(engine, &question, &about, request->arena, attempt->evaluation, problem) ||
		!evaluation_judge(engine, &question, request->arena, attempt->evaluation, problem))
		return false;
	if (attempt->evaluation->answer.decision.outcome == OUTCOME_ALLOWED)
		return insert_start(attempt, problem);
	refusal_end(request, attempt->evaluation, question.moment, attempt->reply);
	return true;
}

static bool try_free(struct attempt *attempt, struct problem *problem)
{
	const struct request *request = attempt->request;
	struct build_free free = {.new = build_new_in(request->arena, idempotency_now_ms(attempt->once)),
		.workspace = &attempt->workspace,
		.transition = attempt->input->transition,
		.reason = attempt->input->reason,
		.initiator_id = request->caller.user_id};
	struct build_record record = build_of_free(&free);

	free.new.answer = answer_ahead(attempt, &record);
	return build_insert_free(request->service->store, &free, &attempt->end, &record, problem) &&
	       end_insert(attempt, &record, problem);
}

static bool try_build(struct attempt *attempt, struct problem *problem)
{
	attempt->end = BUILD_DONE;
	attempt->evaluation = NULL;
	if (is_start(attempt->input) && attempt->workspace.deleting)
		return refuse_deleting(problem);
	if (!is_start(attempt->input) || strcmp(attempt->workspace.owner_id, PREBUILDS_USER_ID) == 0)
		return try_free(attempt, problem);
	return try_gated(attempt, problem);
}

static bool create(struct attempt *attempt, bool found, struct problem *problem)
{
	for (int run = 0; run < GATE_RUNS_MAX; run++) {
		if (run > 0 && !find_workspace(attempt->request, &found, &attempt->workspace, problem))
			return false;
		if (!found)
			return workspace_missing(problem);
		if (!try_build(attempt, problem))
			return false;
		if (attempt->end == BUILD_DONE)
			return true;
	}
	(void)problem_set(problem, PROBLEM_CHANGED_MEANWHILE,
		"The workspace or its owner's links changed while they were judged.");
	problem->retry_after_s = 1;
	return problem_detail(problem, "No build was added; try again.");
}

/* A workspace that is gone does not end it before the key is looked up: the deletion that ended it may be what the key
 * was sent with, and is answered again. */
bool api_build_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct build_input input;
	struct idempotency once;
	struct attempt attempt = {.request = request, .input = &input, .reply = reply, .once = &once};
	bool found = false;

	if (!read_input(request, &input, problem) || !find_workspace(request, &found, &attempt.workspace, problem) ||
		!idempotency_begin(request, &once, reply, problem))
		return false;
	return once.replayed || idempotency_end(&once, create(&attempt, found, problem), reply);
}

bool api_build_get(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *id = request_parameter(request, "id");
	struct build_record record;
	bool found = false;

	if (name_is_uuid(id) && !build_find(request->service->store, request->arena, id, &found, &record, problem))
		return false;
	if (!found || !access_allows(request->caller.roles, ACTION_BUILD_READ, is_own(request, record.owner_id)))
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such build, or you may not see it.");

	struct text body = text_in(request->arena);

	build_json_add(&body, NULL, &record, request->arena);
	reply_json_text(reply, 200, body.bytes);
	return true;
}
