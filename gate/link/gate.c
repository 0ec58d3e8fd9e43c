/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: starts every question at once, takes whichever ends next, and lets the policy decide when all are settled
 * or the budget is over. Where no provider has to be asked it only computes. */
#include <stdlib.h>
#include <string.h>

#include "../base/log.h"
#include "../base/metrics.h"
#include "gate.h"
#include "settle.h"
#include "validate.h"

/* What one evaluation works on: the requirements that are asked for, tightly packed. */
struct evaluation {
	const struct gate_question *question;
	struct settle_scope scope;
	size_t settling_count;
	struct settling *settlings;
	struct settling *of_requirement[REQUIREMENTS_MAX]; /* NULL: not asked for, or not configured */
};

static const struct link *question_link(const struct gate_question *question, const char *provider_id)
{
	for (size_t i = 0; i < question->link_count; i++)
		if (strcmp(question->links[i].provider_id, provider_id) == 0)
			return &question->links[i];
	return NULL;
}

/* One that ends while a provider is asked exempts nobody any more. */
static const struct exemption *question_exemption(const struct gate_question *question, const char *provider_id)
{
	for (size_t i = 0; i < question->exemption_count; i++)
		if (strcmp(question->exemptions[i].provider_id, provider_id) == 0)
			return deadline_passed(question->exemptions[i].over) ? NULL : &question->exemptions[i];
	return NULL;
}

static int64_t verdict_age_max_ms(const struct gate_question *question, const struct provider *provider)
{
	return question->moment == MOMENT_PREFLIGHT ? provider->preflight_max_age_ms : provider->gate_max_age_ms;
}

/* --- which requirements are asked for ---------------------------------------------------------------------------- */

static bool find_providers(struct engine *engine, const struct gate_question *question, struct gate_answer *answer,
	struct problem *problem)
{
	const struct requirements *requirements = question->requirements;

	answer->finding_count = requirements->count;
	for (size_t i = 0; i < requirements->count; i++) {
		const struct requirement *requirement = &requirements->list[i];
		struct provider *provider = providers_find(&engine->providers, requirement->provider_id);
		bool asked_for = !requirement->optional || question->ask_optional;

		if (provider == NULL && !requirement->optional) {
			problem_set(problem, PROBLEM_PROVIDER_NOT_CONFIGURED,
				"The template needs a provider that is not configured.");
			return problem_detail(problem, "%s", requirement->provider_id);
		}
		answer->findings[i].provider = provider;
		answer->findings[i].asked_for = asked_for && provider != NULL;
	}
	return true;
}

static void fill_settling(const struct evaluation *evaluation, struct provider *provider, size_t tag)
{
	const struct gate_question *question = evaluation->question;
	struct settling *settling = &evaluation->settlings[tag];
	bool may_refresh = evaluation->scope.engine->flights != NULL;

	settling->provider = provider;
	settling->tag = tag;
	settling->wake.at_us = FOREVER_US;
	settling->rules = (struct provider_rules){
		.validates = *provider->validate_url != '\0',
		.refreshes = may_refresh && !provider->no_refresh,
		.min_valid_ms = provider->min_valid_ms,
		.verdict_age_max_ms = verdict_age_max_ms(question, provider),
	};
	settle_adopt_link(&evaluation->scope, settling, question_link(question, provider->id));
}

static void fill_evaluation(struct evaluation *evaluation, const struct gate_answer *answer)
{
	size_t count = 0;

	for (size_t i = 0; i < answer->finding_count; i++)
		if (answer->findings[i].asked_for)
			count++;
	if (count == 0)
		return;
	evaluation->settlings = arena_alloc(evaluation->scope.arena, count * sizeof(struct settling));
	for (size_t i = 0; i < answer->finding_count; i++) {
		size_t tag = evaluation->settling_count;

		if (!answer->findings[i].asked_for)
			continue;
		evaluation->of_requirement[i] = &evaluation->settlings[tag];
		fill_settling(evaluation, answer->findings[i].provider, tag);
		evaluation->settling_count++;
	}
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

/* The budget's end, or the first moment before it at which somebody goes on without an answer. false: all are settled.
 */
static bool find_next_moment(const struct evaluation *evaluation, struct deadline budget, struct deadline *ret_moment)
{
	bool unsettled = false;

	*ret_moment = budget;
	for (size_t i = 0; i < evaluation->settling_count; i++) {
		const struct settling *settling = &evaluation->settlings[i];

		if (settling->settled)
			continue;
		unsettled = true;
		*ret_moment = deadline_earlier(*ret_moment, settling->wake);
	}
	return unsettled;
}

static void wake_those_due(struct evaluation *evaluation)
{
	for (size_t i = 0; i < evaluation->settling_count; i++) {
		struct settling *settling = &evaluation->settlings[i];

		if (!settling->settled && deadline_passed(settling->wake))
			settle_wake(&evaluation->scope, settling);
	}
}

static void settle_all(struct evaluation *evaluation)
{
	struct settle_scope *scope = &evaluation->scope;
	struct deadline budget = deadline_in_ms(evaluation->question->timeout_ms);
	struct deadline moment;

	for (size_t i = 0; i < evaluation->settling_count; i++)
		settle_advance(scope, &evaluation->settlings[i]);
	if (scope->waiter == NULL)
		return;
	while (find_next_moment(evaluation, budget, &moment) && !deadline_passed(budget)) {
		const struct awaited *ended = waiter_next(scope->waiter, moment);

		if (ended != NULL)
			settle_take_end(scope, &evaluation->settlings[ended->tag]);
		wake_those_due(evaluation);
	}
	for (size_t i = 0; i < evaluation->settling_count; i++)
		settle_give_up(scope, &evaluation->settlings[i]);
	waiter_free(scope->waiter);
}

static const struct enforcement_setting silent;

/* --- deciding ---------------------------------------------------------------------------------------------------- */

/* What is said of a requirement nobody was asked about. An optional one at create never blocks whatever is said; one
 * that is not configured (preflight) waits for the operator. */
static enum reason reason_unasked(const struct gate_finding *finding)
{
	if (finding->provider == NULL)
		return REASON_PROVIDER_MISCONFIGURED;
	return finding->linked ? REASON_NOT_VALIDATED : REASON_NOT_LINKED;
}

static struct judged judge_requirement(const struct evaluation *evaluation, const struct requirement *requirement,
	size_t index, struct gate_finding *finding)
{
	const struct gate_question *question = evaluation->question;
	const struct settling *settling = evaluation->of_requirement[index];
	const struct provider *provider = finding->provider;
	struct judged judged = {.requirement = requirement, .fail_mode = FAIL_MODE_CLOSED};
	const struct enforcement_setting *of_provider = &silent;
	const struct enforcement_setting *of_template =
		question->template_enforcement != NULL ? question->template_enforcement : &silent;
	const struct enforcement_setting *of_deployment = &evaluation->scope.engine->enforcement;

	finding->exemption = question_exemption(question, requirement->provider_id);
	judged.exempt = finding->exemption != NULL;
	if (provider != NULL) {
		of_provider = &provider->enforcement;
		judged.fail_mode = provider->fail_mode;
		judged.last_known_good_max_age_ms = provider->last_known_good_max_age_ms;
	}
	judged.enforcement = enforcement_effective(of_provider, of_template, of_deployment, question->moment);
	finding->enforcement_scope = enforcement_scope(of_provider, of_template, of_deployment, question->moment);
	if (settling == NULL) {
		finding->linked = question_link(question, requirement->provider_id) != NULL;
		judged.reason = reason_unasked(finding);
		return judged;
	}
	finding->next_step = settling->presumed;
	finding->known_good_at_ms = settling->known_good_at_ms;
	judged.reason = settling->reason;
	judged.retry_after_s = settling->retry_after_s;
	judged.last_valid_at_ms = settling->known_good_at_ms;
	finding->linked = settling->facts.linked;
	finding->generation = finding->linked ? settling->link.generation : 0;
	if (finding->linked) {
		finding->access_token = settling->link.access_token;
		finding->token_expires_at_ms = settling->link.expires_at_ms;
	}
	finding->provider_status = settling->provider_status;
	finding->duration_us = settling->duration_us;
	return judged;
}

static void decide_answer(const struct evaluation *evaluation, struct gate_answer *answer)
{
	const struct requirements *requirements = evaluation->question->requirements;
	struct judged judged[REQUIREMENTS_MAX];

	for (size_t i = 0; i < answer->finding_count; i++)
		judged[i] = judge_requirement(evaluation, &requirements->list[i], i, &answer->findings[i]);
	decide(judged, answer->finding_count, clock_now_ms(), &answer->decision);
	for (size_t i = 0; i < answer->finding_count; i++)
		answer->findings[i].finding = answer->decision.findings[i];
}

static void count_answer(const struct gate_question *question, const struct gate_answer *answer)
{
	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct gate_finding *finding = &answer->findings[i];

		if (finding->asked_for)
			metrics_add(METRIC_FINDINGS,
				(struct metric_labels){
					{finding->provider->id, reason_word(finding->finding.reason), NULL}},
				1);
	}
	metrics_add(METRIC_DECISIONS,
		(struct metric_labels){{moment_word(question->moment), outcome_word(answer->decision.outcome), NULL}},
		1);
	metrics_observe_us(METRIC_EVALUATION_DURATION,
		(struct metric_labels){{moment_word(question->moment), NULL, NULL}}, answer->duration_us);
}

bool gate_evaluate(struct engine *engine, const struct gate_question *question, struct arena *arena,
	struct gate_answer *ret_answer, struct problem *problem)
{
	struct evaluation evaluation = {
		.question = question,
		.scope = {.engine = engine,
			.arena = arena,
			.owner_id = question->owner_id,
			.half = deadline_in_ms(question->timeout_ms / 2),
			.begun_us = clock_monotonic_us(),
			.without_asking = question->without_asking,
			.without_effects = question->without_effects,
			.has_whole_budget = question->timeout_ms >= engine->gate_timeout_ms},
	};

	memset(ret_answer, 0, sizeof(*ret_answer));
	if (!find_providers(engine, question, ret_answer, problem))
		return false;
	fill_evaluation(&evaluation, ret_answer);
	settle_all(&evaluation);
	decide_answer(&evaluation, ret_answer);
	bool notes = !question->without_effects && !question->without_asking;
	for (size_t i = 0; i < evaluation.settling_count && notes; i++)
		settle_note(&evaluation.scope, &evaluation.settlings[i]);
	ret_answer->duration_us = clock_monotonic_us() - evaluation.scope.begun_us;
	if (!question->without_asking)
		count_answer(question, ret_answer);
	return true;
}
