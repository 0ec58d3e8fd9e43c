/* SPDX-License-Identifier: Apache-2.0 */
/* The gate as a validating webhook: see admission_review.h. Whose workspace it is stands in the object, at pointers the
 * operator chooses, and never is who asked the cluster unless the operator says so: that is a controller, most times.
 */
#include "admission_review.h"

#include <string.h>

#include "../base/text.h"
#include "../http/service.h"
#include "../link/gate_json.h"
#include "admission_review_form.h"
#include "check.h"

/* A sentence of every finding, and their links. */
static const char *tell_message(const struct request *request, const struct check_answer *check)
{
	const struct engine *engine = request->service->engine;
	const struct gate_answer *answer = &check->evaluation->answer;
	struct arena *arena = request->arena;
	struct text text = text_in(arena);

	text_addf(&text, "%s %s", gate_message(answer, check->telling.moment),
		gate_detail(answer, check->telling.owner_name, arena));
	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct finding *finding = &answer->findings[i].finding;

		if (finding->blocks && reason_fixable_by(finding->reason) == FIXABLE_BY_OWNER)
			text_addf(
				&text, " %s", gate_authenticate_url(engine, finding->requirement->provider_id, arena));
	}
	return text.bytes;
}

static void add_causes(struct review_answer *told, const struct gate_answer *answer, struct arena *arena)
{
	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct finding *finding = &answer->findings[i].finding;

		if (!finding->blocks)
			continue;
		told->causes[told->cause_count++] = (struct review_cause){.reason = reason_word(finding->reason),
			.message = reason_sentence(finding->reason),
			.field = arena_printf(arena, "external_auth[%s]", finding->requirement->provider_id)};
	}
}

/* The same warnings as every other surface tells. */
static bool add_warnings(struct review_answer *told, const char *warnings, struct arena *arena, struct problem *problem)
{
	SCOPED(json_release) struct json *list = NULL;

	if (!json_parse(warnings, strlen(warnings), &list, problem))
		return false;
	for (const struct json *warning = json_first(list); warning != NULL; warning = json_next(warning))
		if (told->warning_count < COUNT_OF(told->warnings))
			told->warnings[told->warning_count++] =
				arena_copy(arena, json_string(json_member(warning, "message")));
	return true;
}

static void tell_decision(const struct request *request, const struct check_answer *answer, struct review_answer *told)
{
	told->decision_id = answer->decision_id;
	told->allowed = answer->allowed;
	if (told->allowed)
		return;
	told->code = answer->outcome == OUTCOME_REFUSED ? 403 : 503;
	told->retry_after_s = answer->retry_after_s;
	told->message = tell_message(request, answer);
	add_causes(told, &answer->evaluation->answer, request->arena);
}

/* Everything a problem says in one line: the cluster shows its users nothing but the message. */
static void tell_problem(const struct problem *problem, struct review_answer *told, struct arena *arena)
{
	struct text text = text_in(arena);

	text_addf(&text, "%s", problem->message);
	if (problem->detail[0] != '\0')
		text_addf(&text, " %s", problem->detail);
	for (size_t i = 0; i < problem->violation_count; i++) {
		const struct violation *violation = &problem->violations[i];

		text_addf(&text, " %s: %s.", violation->field, violation->detail);
		told->causes[told->cause_count++] = (struct review_cause){.reason = "FieldValueInvalid",
			.message = arena_copy(arena, violation->detail),
			.field = arena_copy(arena, violation->field)};
	}
	told->code = problem_status(problem->kind);
	told->retry_after_s = problem->retry_after_s;
	told->message = text.bytes;
}

static bool miss(struct problem *problem, const char *field, const char *what, const char *pointer)
{
	if (problem->kind == PROBLEM_NONE)
		(void)problem_set(problem, PROBLEM_VALIDATION_FAILED,
			"The object does not say whose workspace it is, or of which template version.");
	return problem_add_violation(problem, field, "must be %s, at %s", what, pointer);
}

/* A user name or a UUID. `me` would be the cluster's own account. */
static bool owner_is_lawful(const char *owner)
{
	return owner != NULL && strlen(owner) <= UUID_BYTES && strcmp(owner, "me") != 0;
}

static bool read_question(const struct request *request, const struct review *review,
	struct check_question *ret_question, struct problem *problem)
{
	const struct config *config = request->service->config;
	bool good = true;

	*ret_question = (struct check_question){.surface = SURFACE_ADMISSION_REVIEW,
		.owner = review_find(review, config->admission_owner),
		.version_id = review_find(review, config->admission_template_version),
		.on_behalf_of = review->username,
		.transition = strcmp(review->operation, "CREATE") == 0 ? CHECK_CREATE : CHECK_START,
		.dry_run = review->dry_run};
	if (!owner_is_lawful(ret_question->owner))
		good = miss(problem, "owner", "a user name or a UUID", config->admission_owner);
	if (ret_question->version_id == NULL || !name_is_uuid(ret_question->version_id))
		good = miss(problem, "template_version_id", "a UUID", config->admission_template_version);
	return good;
}

static bool ask(const struct request *request, const struct review *review, int64_t budget_ms,
	struct review_answer *told, struct problem *problem)
{
	struct check_question question;
	struct check_answer answer;

	if (!read_question(request, review, &question, problem))
		return false;
	question.timeout_ms = budget_ms;
	if (!check_ask(request, &question, &answer, problem) ||
		!add_warnings(told, answer.telling.warnings, request->arena, problem))
		return false;
	tell_decision(request, &answer, told);
	return true;
}

/* `?timeout=10s`, which Kubernetes appends. */
static bool read_budget(const struct request *request, int64_t *ret_budget_ms, struct problem *problem)
{
	const char *given = request_query(request, "timeout");
	int64_t timeout_ms = 0;

	*ret_budget_ms = request->service->engine->gate_timeout_ms;
	if (given == NULL)
		return true;
	if (!config_parse_duration(given, &timeout_ms) || timeout_ms < 1 || timeout_ms > REVIEW_TIMEOUT_MAX_MS)
		return problem_add_violation(problem, "timeout", "must be a duration like 10s, at most 60s");
	*ret_budget_ms = review_budget_ms(timeout_ms, *ret_budget_ms);
	return true;
}

bool hook_admission_review(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct review_answer *told = arena_alloc(request->arena, sizeof(*told));
	struct review review;
	int64_t budget_ms;

	if (!review_read(request->json, request->arena, &review, problem))
		return false;

	bool good = read_budget(request, &budget_ms, problem);

	if (good && !review_is_start(&review))
		told->allowed = true;
	else if (!good || !ask(request, &review, budget_ms, told, problem))
		tell_problem(problem, told, request->arena);
	reply->decision_id = told->decision_id;
	reply->outcome = told->allowed ? "allowed" : "denied";
	reply_json_text(reply, 200, review_print(&review, told, request->arena));
	return true;
}
