/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the gate without creating anything: see check.h. */
#include "check.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/json_text.h"
#include "../http/refusal.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/receipt.h"
#include "../link/requirements_json.h"

#define TRANSITION(name, word, moment, is_gated) {word, moment, is_gated},
static const struct {
	const char *word;
	enum moment moment;
	bool is_gated;
} transitions[] = {CHECK_TRANSITION_LIST(TRANSITION)};
#undef TRANSITION

enum check_transition check_transition_from_word(const char *word)
{
	size_t at = 0;

	while (at < COUNT_OF(transitions) && strcmp(transitions[at].word, word) != 0)
		at++;
	return (enum check_transition)at;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static bool is_given(const struct json *object, const char *name)
{
	const struct json *value = json_member(object, name);

	return value != NULL && !json_is_null(value);
}

/* What is given with a wrong type has been named by now. */
static bool read_subject(const struct request *request, const struct json *object, const struct json *list,
	struct check_question *question, struct problem *problem)
{
	struct requirements *named = NULL;

	if (is_given(object, "template_version_id") == is_given(object, "external_auth")) {
		(void)problem_add_violation(problem, "template_version_id",
			"exactly one of template_version_id and external_auth is needed");
		return problem_add_violation(
			problem, "external_auth", "exactly one of template_version_id and external_auth is needed");
	}
	if (question->version_id != NULL)
		return name_is_uuid(question->version_id) ||
		       problem_add_violation(problem, "template_version_id", "must be a UUID");
	if (list == NULL)
		return false;
	named = arena_alloc(request->arena, sizeof(*named));
	*named = (struct requirements){0};
	question->named = named;
	return requirements_read_list(list, named, problem);
}

static bool read_transition(const char *word, enum check_transition *ret_transition, struct problem *problem)
{
	*ret_transition = word == NULL ? CHECK_CREATE : check_transition_from_word(word);
	return *ret_transition != CHECK_TRANSITION_COUNT || problem_add_violation(problem, "transition",
								    "must be `create`, `start`, `autostart`, `claim`, "
								    "`stop` or `delete`");
}

bool check_read(const struct request *request, const struct json *object, struct check_question *ret_question,
	struct problem *problem)
{
	struct check_question question = {.surface = SURFACE_CHECK};
	const struct json *list = NULL;
	const char *transition = NULL;
	const struct json_field fields[] = {
		{.name = "owner",
			.type = JSON_STRING,
			.target = &question.owner,
			.required = true,
			.bytes_max = UUID_BYTES},
		{.name = "initiator",
			.type = JSON_STRING,
			.target = &question.on_behalf_of,
			.bytes_max = INITIATOR_BYTES_MAX},
		{.name = "template_version_id", .type = JSON_STRING, .target = &question.version_id},
		{.name = "external_auth", .type = JSON_ARRAY, .target = &list},
		{.name = "transition", .type = JSON_STRING, .target = &transition},
		{.name = "dry_run", .type = JSON_BOOL, .target = &question.dry_run},
	};
	bool good = json_read_fields(object, fields, COUNT_OF(fields), request->arena, problem);

	if (!json_is(object, JSON_OBJECT))
		return false;
	/* An owner left empty must never mean the caller. */
	if (question.owner != NULL && *question.owner == '\0')
		good = problem_add_violation(problem, "owner", "must be a user name, a UUID or `me`");
	good = read_subject(request, object, list, &question, problem) && good;
	good = read_transition(transition, &question.transition, problem) && good;
	*ret_question = question;
	return good;
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

/* Under the enforcement of an autostart is gated what a schedule starts; an owner who could call their own start one
 * would choose the milder of the two. */
static enum moment moment_of(const struct request *request, const struct check_question *question)
{
	enum moment moment = transitions[question->transition].moment;

	if (moment == MOMENT_AUTOSTART && !access_allows(request->caller.roles, ACTION_BUILD_AUTOSTART, false))
		return MOMENT_START;
	return moment;
}

/* A workspace that is there goes on with its version, archived or not, as its builds do. */
static bool starts_what_is_there(enum check_transition transition)
{
	return transition == CHECK_START || transition == CHECK_AUTOSTART;
}

static int64_t budget_ms(const struct engine *engine, const struct check_question *question)
{
	bool shorter = question->timeout_ms > 0 && question->timeout_ms < engine->gate_timeout_ms;

	return shorter ? question->timeout_ms : engine->gate_timeout_ms;
}

/* The earliest end of an exemption that the answer hangs on; 0: none. */
static int64_t exemptions_end_ms(const struct gate_answer *answer)
{
	int64_t end_ms = 0;

	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct gate_finding *finding = &answer->findings[i];

		if (finding->finding.exempt && (end_ms == 0 || finding->exemption->expires_at_ms < end_ms))
			end_ms = finding->exemption->expires_at_ms;
	}
	return end_ms;
}

static void sign_receipt(const struct request *request, struct check_answer *answer)
{
	const struct evaluation *evaluation = answer->evaluation;
	const struct engine *engine = request->service->engine;
	int64_t now_ms = clock_now_ms();
	struct relied_link relied[REQUIREMENTS_MAX];
	struct receipt receipt = {.decision_id = answer->decision_id,
		.owner_id = evaluation->facts.owner.id,
		.owner_name = evaluation->facts.owner.username,
		.version_id = evaluation->facts.version.id,
		.issued_at_ms = now_ms,
		.expires_at_ms =
			receipt_expiry_ms(now_ms, engine->receipt_lifetime_ms, exemptions_end_ms(&evaluation->answer)),
		.generation_count = evaluation_relied(evaluation, relied)};

	/* An exemption may end within this very moment, and clocks differ. */
	if (receipt.issued_at_ms > receipt.expires_at_ms)
		receipt.issued_at_ms = receipt.expires_at_ms;
	for (size_t i = 0; i < receipt.generation_count; i++) {
		receipt.generations[i].provider_id = relied[i].provider_id;
		receipt.generations[i].generation = relied[i].generation;
	}
	answer->telling.receipt = receipt_sign(engine->receipts, &receipt, request->arena);
	answer->telling.receipt_expires_at_ms = receipt.expires_at_ms;
}

static bool leaves_no_trace(const struct check_question *question)
{
	return question->dry_run || question->without_asking;
}

static void fill_answer(const struct request *request, const struct check_question *question, enum moment moment,
	struct check_answer *answer)
{
	const struct evaluation *evaluation = answer->evaluation;
	const struct decision *decision = &evaluation->answer.decision;

	answer->outcome = decision->outcome;
	answer->allowed = decision->outcome == OUTCOME_ALLOWED;
	answer->retry_after_s = decision->retry_after_s;
	answer->decision_id = question->without_asking ? NULL : evaluation->decision_id;
	answer->telling = (struct gate_telling){.decision_id = answer->decision_id,
		.request_id = request->id,
		.owner_name = evaluation->facts.owner.username,
		.moment = moment,
		.transition = transitions[question->transition].word,
		.dry_run = question->dry_run,
		.warnings = evaluation_warnings(evaluation, request->arena)};
}

/* What the gate never holds up: nobody is asked, and that it was asked for is logged like any other answer. */
static bool pass_ungated(const struct request *request, const char *owner, const struct check_question *question,
	struct check_answer *answer)
{
	struct evaluation *evaluation = answer->evaluation;
	char decision_id[UUID_TEXT_SIZE];
	bool is_id = name_is_uuid(owner);

	uuid_new(decision_id);
	evaluation->decision_id = arena_copy(request->arena, decision_id);
	evaluation->facts.owner = (struct user){.id = is_id ? owner : NULL, .username = is_id ? NULL : owner};
	evaluation->decision = (struct decision_row){.id = evaluation->decision_id,
		.request_id = request->id,
		.surface = surface_word(question->surface),
		.moment = transitions[question->transition].word,
		.initiator_id = request->caller.user_id,
		.on_behalf_of = question->on_behalf_of,
		.owner_id = evaluation->facts.owner.id,
		.owner_name = evaluation->facts.owner.username,
		.template_version_id = question->version_id,
		.outcome = outcome_word(OUTCOME_ALLOWED),
		.strict_outcome = outcome_word(OUTCOME_ALLOWED),
		.findings = "[]"};
	if (!leaves_no_trace(question))
		decision_enqueue(request->service->store, &evaluation->decision);
	fill_answer(request, question, MOMENT_COUNT, answer);
	return true;
}

bool check_ask(const struct request *request, const struct check_question *question, struct check_answer *ret_answer,
	struct problem *problem)
{
	struct engine *engine = request->service->engine;
	const char *owner = NULL;

	*ret_answer = (struct check_answer){.evaluation = arena_alloc(request->arena, sizeof(struct evaluation))};
	memset(ret_answer->evaluation, 0, sizeof(*ret_answer->evaluation));
	if (!subject_reference(request, question->owner, ACTION_CHECK, &owner, problem))
		return false;
	if (!transitions[question->transition].is_gated)
		return pass_ungated(request, owner, question, ret_answer);

	const struct create_question about = {
		.owner = owner, .version_id = question->version_id, .named = question->named};
	const struct evaluation_question asked = {.request_id = request->id,
		.initiator_id = request->caller.user_id,
		.on_behalf_of = question->on_behalf_of,
		.surface = question->surface,
		.moment = moment_of(request, question),
		.admits_unseen_owner = owner != request->caller.user_id &&
				       access_allows(request->caller.roles, ACTION_OWNER_UNSEEN, false),
		.admits_archived = starts_what_is_there(question->transition),
		.without_effects = question->dry_run,
		.without_asking = question->without_asking,
		.ask_optional = question->without_asking,
		.is_queued = !leaves_no_trace(question),
		.timeout_ms = budget_ms(engine, question)};

	if (!evaluation_read(engine, &asked, &about, request->arena, ret_answer->evaluation, problem) ||
		!evaluation_judge(engine, &asked, request->arena, ret_answer->evaluation, problem))
		return false;
	fill_answer(request, question, asked.moment, ret_answer);
	if (leaves_no_trace(question))
		return true;
	if (ret_answer->evaluation->decision.id != NULL)
		decision_enqueue(request->service->store, &ret_answer->evaluation->decision);
	if (ret_answer->allowed)
		sign_receipt(request, ret_answer);
	return true;
}

/* --- answering --------------------------------------------------------------------------------------------------- */

void check_note(struct reply *reply, const struct check_answer *answer)
{
	reply->decision_id = answer->decision_id;
	reply->outcome = outcome_word(answer->outcome);
}

void check_add_decision(const struct request *request, const struct check_answer *answer, struct text *object)
{
	gate_json_add_decision(
		object, request->service->engine, &answer->evaluation->answer, &answer->telling, request->arena);
}

char *check_refusal(const struct request *request, const struct check_answer *answer)
{
	return gate_json_refusal(
		request->service->engine, &answer->evaluation->answer, &answer->telling, request->arena);
}

static bool read_enforce(const struct request *request, bool *ret_enforce, struct problem *problem)
{
	const char *word = request_query(request, "enforce");

	*ret_enforce = word != NULL && strcmp(word, "true") == 0;
	if (word == NULL || *ret_enforce || strcmp(word, "false") == 0)
		return true;
	return problem_add_violation(problem, "enforce", "must be `true` or `false`");
}

bool hook_check(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct check_question question;
	struct check_answer answer;
	bool enforce = false;
	bool good = read_enforce(request, &enforce, problem);

	if (!check_read(request, request->json, &question, problem) || !good)
		return false;
	if (!check_ask(request, &question, &answer, problem))
		return false;
	check_note(reply, &answer);
	if (enforce && !answer.allowed) {
		refusal_answer(request, &answer.evaluation->answer, &answer.telling, reply);
		return true;
	}
	struct text text = text_in(request->arena);

	json_text_open(&text, NULL, '{');
	check_add_decision(request, &answer, &text);
	json_text_close(&text, '}');
	reply_json_text(reply, 200, text.bytes);
	return true;
}
