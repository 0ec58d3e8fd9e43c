/* SPDX-License-Identifier: Apache-2.0 */
/* Acquire: see acquire.h. A build is claimed, judged with no connection held, and handed out by one statement that
 * demands that claim and links still stand. Tokens are in the job's arena and, in the answer, in the request's, which
 * are both wiped at their end; no line of the log has any. */
#include "acquire.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/json_text.h"
#include "../base/log.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/evaluation.h"
#include "../link/gate_json.h"
#include "../link/workspace_json.h"
#include "../store/bell.h"
#include "../store/prebuilds.h"
#include "../store/provisioner.h"

#define WAIT_MAX_MS 60000

/* Who waits keeps a thread, so provisioners with nothing to do may have half of them: the gate has the others. */
#define WAITERS_SHARE 2
#define WAIT_RETRY_S 1

/* A build that another replica added, or whose lease ran out, is found by looking. */
#define LOOK_AGAIN_MS 250

/* Beyond what GATE_RUNS_MAX evaluations take: two statements, and a database that fails over. */
#define CLAIM_MARGIN_MS 30000

/* Builds that one call may find refused, one after the other: then whoever asks hears of it and may ask again. */
#define JOBS_MAX 50

/* arena is emptied before each build: one call looks at many, for up to WAIT_MAX_MS, and the parameters of each may be
 * as large as a body. */
struct job {
	const struct request *request;
	struct reply *reply;
	struct arena *arena;
	struct build_claim claim;
	char lease_id[UUID_TEXT_SIZE];
	bool gated;
	bool judged; /* evaluation has an answer, and what tokens there are */
	struct evaluation evaluation;
};

/* JOB_LEFT: who asked has gone away. */
enum job_end { JOB_HANDED_OUT, JOB_OVER, JOB_MOVED, JOB_LEFT };

/* --- judging ----------------------------------------------------------------------------------------------------- */

/* Whether the owner's accounts must be good when the build begins: contract section 6. Stops, deletions, what belongs
 * to nobody yet, and what a schedule started go on with what there is. */
static bool is_gated(const struct build_record *record)
{
	enum moment moment = moment_from_word(record->moment);

	return moment == MOMENT_CREATE || moment == MOMENT_START || moment == MOMENT_CLAIM;
}

static bool judge(struct job *job, struct problem *problem)
{
	const struct request *request = job->request;
	struct engine *engine = request->service->engine;
	const struct evaluation_question question = {.request_id = request->id,
		.initiator_id = request->caller.user_id,
		.surface = SURFACE_PROVISIONER,
		.moment = MOMENT_ACQUIRE,
		.admits_archived = true,
		.ask_optional = true,
		.timeout_ms = engine->gate_timeout_ms};
	const struct create_question about = {
		.owner = job->claim.record.owner_id, .version_id = job->claim.workspace.template_version_id};
	struct requirements *requirements = &job->evaluation.facts.version.requirements;

	job->evaluation = (struct evaluation){0};
	job->judged = false;
	if (!evaluation_read(engine, &question, &about, job->arena, &job->evaluation, problem))
		return false;
	/* Nothing of what is not gated can block, not even a provider that is no longer configured. */
	for (size_t i = 0; !job->gated && i < requirements->count; i++)
		requirements->list[i].optional = true;
	job->judged = evaluation_judge(engine, &question, job->arena, &job->evaluation, problem);
	return job->judged;
}

/* --- refusing ---------------------------------------------------------------------------------------------------- */

static bool fail(struct job *job, const char *error, const char *why, struct problem *problem)
{
	const char *id = job->claim.record.build.id;
	bool failed = false;

	if (!build_fail(job->request->service->store, id, job->lease_id, error, &failed, problem))
		return false;
	if (failed)
		log_event(LOG_INFO, "a build was not handed out", log_string("request_id", job->request->id),
			log_string("build_id", id), log_string("code", why));
	return true;
}

/* What the create's caller would be told; optional providers are asked here for their tokens alone. */
static bool fail_refused(struct job *job, struct problem *problem)
{
	struct gate_answer *answer = &job->evaluation.answer;
	const struct gate_telling telling = {.decision_id = job->evaluation.decision_id,
		.request_id = job->request->id,
		.owner_name = job->evaluation.facts.owner.username,
		.moment = moment_from_word(job->claim.record.moment)};

	for (size_t i = 0; i < answer->finding_count; i++)
		if (answer->findings[i].finding.requirement->optional)
			answer->findings[i].asked_for = false;
	decision_enqueue(job->request->service->store, &job->evaluation.decision);
	return fail(job, gate_json_refusal(job->request->service->engine, answer, &telling, job->arena),
		job->evaluation.decision.outcome, problem);
}

/* --- handing out ------------------------------------------------------------------------------------------------- */

static bool has_token(const struct gate_finding *finding)
{
	return finding->asked_for && finding->linked && reason_verdict(finding->finding.reason) == VERDICT_OK &&
	       !secret_is_empty(finding->access_token);
}

static void add_tokens(struct text *body, const struct job *job)
{
	const struct gate_answer *answer = &job->evaluation.answer;

	json_text_open(body, "external_auth", '[');
	for (size_t i = 0; job->judged && i < answer->finding_count; i++) {
		if (!has_token(&answer->findings[i]))
			continue;
		json_text_open(body, NULL, '{');
		json_text_string(body, "id", answer->findings[i].finding.requirement->provider_id);
		json_text_string(body, "access_token", answer->findings[i].access_token.text);
		json_add_time(body, "expires_at", answer->findings[i].token_expires_at_ms, job->arena);
		json_text_close(body, '}');
	}
	json_text_close(body, ']');
}

static void add_environment(struct text *body, const struct job *job)
{
	const struct gate_answer *answer = &job->evaluation.answer;

	json_text_open(body, "env", '{');
	for (size_t i = 0; job->judged && i < answer->finding_count; i++) {
		const char *id = answer->findings[i].finding.requirement->provider_id;

		if (has_token(&answer->findings[i]))
			json_text_string(body, arena_printf(job->arena, "CODER_EXTERNAL_AUTH_ACCESS_TOKEN_%s", id),
				answer->findings[i].access_token.text);
	}
	json_text_close(body, '}');
}

/* All that outlives the job is in the reply's arena. */
static void answer_job(const struct job *job, const struct build_record *record)
{
	struct arena *arena = job->arena;
	struct text body = text_in(job->reply->arena);

	json_text_open(&body, NULL, '{');
	build_json_add(&body, "build", record, arena);
	workspace_json_add_job(&body, "workspace", &job->claim.workspace, arena);
	add_tokens(&body, job);
	add_environment(&body, job);
	json_add_time(&body, "lease_expires_at", record->lease_until_ms, arena);
	json_text_close(&body, '}');
	reply_json_text(job->reply, 200, body.bytes);
	if (!job->gated)
		return;
	job->reply->decision_id = arena_copy(job->reply->arena, job->evaluation.decision_id);
	job->reply->outcome = job->evaluation.decision.outcome;
}

static bool hand_out(struct job *job, enum job_end *ret_end, struct problem *problem)
{
	const struct request *request = job->request;
	struct relied_link relied[REQUIREMENTS_MAX];
	size_t relied_count = job->judged ? evaluation_relied(&job->evaluation, relied) : 0;
	const struct build_hand_out given = {.claim = &job->claim,
		.lease_id = job->lease_id,
		.provisioner_id = request->caller.user_id,
		.lease_ms = request->service->config->build_lease_ms,
		.owner_must_be_active = job->judged,
		.relied = {relied_count, relied},
		.decision = job->gated ? &job->evaluation.decision : NULL};
	struct build_record record;
	enum hand_out_end end = HAND_OUT_LOST;

	/* Nobody would work on it until its lease ends. */
	if (request_is_abandoned(request)) {
		*ret_end = JOB_LEFT;
		return true;
	}
	if (!build_hand_out(request->service->store, job->arena, &given, &end, &record, problem))
		return false;
	*ret_end = end == HAND_OUT_MOVED ? JOB_MOVED : JOB_OVER;
	if (end != HAND_OUT_DONE)
		return true;
	*ret_end = JOB_HANDED_OUT;
	answer_job(job, &record);
	return true;
}

/* --- one build --------------------------------------------------------------------------------------------------- */

/* The owner is gone or suspended, a provider is not configured: the gate has no answer, and will have none later. What
 * is gated ends with what the caller of a create would be told; the rest goes on without tokens. Trouble of ours ends
 * no build: its claim runs out, and it is tried again, while others are handed out. */
static bool go_without(struct job *job, enum job_end *ret_end, struct problem *problem)
{
	if (problem->kind == PROBLEM_DATABASE_UNAVAILABLE)
		return false;
	if (!job->gated)
		return hand_out(job, ret_end, problem);
	if (problem->kind == PROBLEM_INTERNAL)
		return false;

	const char *error = reply_problem_body(problem, job->request->id, job->arena);

	return fail(job, error, problem_word(problem->kind), problem);
}

static bool try_job(struct job *job, enum job_end *ret_end, struct problem *problem)
{
	bool is_nobodys = strcmp(job->claim.record.owner_id, PREBUILDS_USER_ID) == 0;

	*ret_end = JOB_OVER;
	job->judged = false;
	if (!job->gated && is_nobodys)
		return hand_out(job, ret_end, problem);
	if (!judge(job, problem))
		return go_without(job, ret_end, problem);
	if (job->gated && job->evaluation.answer.decision.outcome != OUTCOME_ALLOWED)
		return fail_refused(job, problem);
	return hand_out(job, ret_end, problem);
}

static void note_lapse(const struct job *job)
{
	if (job->claim.lapsed)
		log_event(LOG_WARN, "a build's lease ran out", log_string("request_id", job->request->id),
			log_string("build_id", job->claim.record.build.id),
			log_string("provisioner_id", job->claim.had), log_number("attempt", job->claim.record.attempt));
}

static bool work_on(struct job *job, bool *ret_answered, struct problem *problem)
{
	note_lapse(job);
	job->gated = is_gated(&job->claim.record);
	for (int run = 0; run < GATE_RUNS_MAX; run++) {
		enum job_end end = JOB_OVER;

		if (!try_job(job, &end, problem))
			return false;
		*ret_answered = end == JOB_HANDED_OUT;
		if (end == JOB_HANDED_OUT || end == JOB_OVER)
			return true;
		if (end == JOB_LEFT)
			break;
	}
	return build_put_back(job->request->service->store, job->claim.record.build.id, job->lease_id, problem);
}

/* --- the call ---------------------------------------------------------------------------------------------------- */

/* Builds one after the other until one is handed out or none is left. */
static bool look(const struct request *request, struct reply *reply, struct arena *arena, int *jobs_left,
	struct problem *problem)
{
	const struct service *service = request->service;
	int64_t claim_ms = GATE_RUNS_MAX * service->engine->gate_timeout_ms + CLAIM_MARGIN_MS;

	for (; *jobs_left > 0 && !request_is_abandoned(request); --*jobs_left) {
		struct job *job = NULL;
		bool found = false;
		bool answered = false;

		arena_reset(arena);
		job = arena_alloc(arena, sizeof(*job));
		*job = (struct job){.request = request, .reply = reply, .arena = arena};
		uuid_new(job->lease_id);
		if (!build_claim(service->store, arena, job->lease_id, claim_ms, &found, &job->claim, problem))
			return false;
		if (!found)
			return true;
		if (!work_on(job, &answered, problem))
			return false;
		if (answered)
			return true;
	}
	return true;
}

static bool read_wait(const struct request *request, int64_t *ret_wait_ms, struct problem *problem)
{
	const struct json_field fields[] = {
		{.name = "wait_ms", .type = JSON_INTEGER, .target = ret_wait_ms, .min = 0, .max = WAIT_MAX_MS},
	};

	return json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);
}

/* Until a build is handed out, or the time is over: then there is no answer yet. */
static bool look_until(
	const struct request *request, struct reply *reply, struct deadline until, struct problem *problem)
{
	const struct service *service = request->service;
	struct bell *bell = store_bell(service->store);
	int jobs_left = JOBS_MAX;
	SCOPED(arena_release) struct arena *arena = arena_new(REQUEST_ARENA_BYTES_MAX);

	for (;;) {
		uint64_t rung = bell_count(bell);

		if (!look(request, reply, arena, &jobs_left, problem))
			return false;
		if (reply->status != 0 || deadline_passed(until) || jobs_left == 0 || atomic_load(&service->draining) ||
			request_is_abandoned(request))
			return true;
		bell_await(bell, rung, deadline_earlier(until, deadline_in_ms(LOOK_AGAIN_MS)));
	}
}

bool api_provisioner_acquire(const struct request *request, struct reply *reply, struct problem *problem)
{
	const struct service *service = request->service;
	struct bell *bell = store_bell(service->store);
	int64_t wait_ms = 0;

	if (!read_wait(request, &wait_ms, problem) || !subject_allow(request, ACTION_PROVISION, problem))
		return false;

	bool waits = wait_ms > 0 && bell_enter(bell, service->config->http_threads / WAITERS_SHARE);
	bool done = look_until(request, reply, deadline_in_ms(waits ? wait_ms : 0), problem);

	if (waits)
		bell_leave(bell);
	if (!done || reply->status != 0)
		return done;
	/* Too many wait already: this one is told when to ask again instead. */
	if (wait_ms > 0 && !waits)
		reply_add_header(reply, "Retry-After", arena_printf(request->arena, "%d", WAIT_RETRY_S));
	reply_empty(reply, 204);
	return true;
}
