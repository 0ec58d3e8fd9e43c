/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of owners, judged as a create would judge each: see impact.h. */
#include "impact.h"

#include <string.h>

#include "../base/clock.h"
#include "../store/impact.h"

/* What is the same for all classes. */
struct judgement {
	const struct engine *engine;
	struct enforcement_setting of_template;
	int64_t now_ms;
	struct impact *impact;
};

/* Times come as classes, too: a token that has expired is one that expires now, and one that lives is not told from one
 * that always does. How much life is left decides only whether a token is renewed before it is judged, and either way
 * it is presumed good; so MIN_VALID is 0. That a token cannot be opened is not known before it is tried. */
static enum reason judge_link(
	const struct judgement *judgement, const struct provider *provider, const struct impact_link *link)
{
	const struct link_facts facts = {
		.linked = link->linked,
		.readable = true,
		.has_refresh_token = link->has_refresh_token,
		.remembered = link->remembered,
		.expires_at_ms = link->expired ? judgement->now_ms : 0,
		.last_valid_at_ms = link->confirmed ? judgement->now_ms : 0,
	};
	const struct provider_rules rules = {
		.validates = *provider->validate_url != '\0',
		.refreshes = !provider->no_refresh,
	};
	return presume(&facts, &rules, judgement->now_ms).reason;
}

/* A create of a version that requires a provider which is not configured is turned away before anybody is judged: no
 * enforcement and no exemption changes that. */
static struct judged judge_requirement(
	const struct judgement *judgement, const struct impact_provider *at, const struct impact_link *link)
{
	struct judged judged = {
		.requirement = at->requirement,
		.reason = REASON_PROVIDER_MISCONFIGURED,
		.enforcement = ENFORCEMENT_DENY,
		.fail_mode = FAIL_MODE_CLOSED,
	};

	if (at->provider == NULL)
		return judged;
	judged.reason = judge_link(judgement, at->provider, link);
	judged.enforcement = enforcement_effective(
		&at->provider->enforcement, &judgement->of_template, &judgement->engine->enforcement, MOMENT_CREATE);
	judged.exempt = link->exempt;
	return judged;
}

static void count_providers(struct impact *impact, const struct decision *decision, int64_t owners)
{
	for (size_t i = 0; i < decision->finding_count; i++) {
		enum reason reason = decision->findings[i].reason;

		impact->providers[i].by_reason[reason] += owners;
		if (reason_verdict(reason) == VERDICT_MISSING)
			impact->providers[i].missing += owners;
	}
}

static bool has_exempt(const struct decision *decision)
{
	for (size_t i = 0; i < decision->finding_count; i++)
		if (decision->findings[i].exempt)
			return true;
	return false;
}

/* Two providers that keep an owner out for one reason count once. */
static void count_reasons(struct impact *impact, const struct decision *decision, int64_t owners)
{
	bool blocks[REASON_COUNT] = {false};

	for (size_t i = 0; i < decision->finding_count; i++)
		if (decision->findings[i].blocks)
			blocks[decision->findings[i].reason] = true;
	for (size_t reason = 0; reason < REASON_COUNT; reason++)
		if (blocks[reason])
			impact->by_reason[reason] += owners;
}

static void count_outcome(struct impact *impact, const struct decision *decision, int64_t owners)
{
	switch (decision->outcome) {
	case OUTCOME_ALLOWED:
		impact->allowed += owners;
		impact->exempt += has_exempt(decision) ? owners : 0;
		return;
	case OUTCOME_REFUSED:
		impact->refused += owners;
		return;
	case OUTCOME_UNVERIFIABLE:
	case OUTCOME_COUNT:
		break;
	}
	impact->unverifiable += owners;
}

static void judge_class(const struct judgement *judgement, const struct impact_class *class)
{
	struct impact *impact = judgement->impact;
	struct judged judged[REQUIREMENTS_MAX];
	struct decision decision;

	impact->owners += class->owners;
	if (class->suspended) {
		impact->suspended += class->owners;
		return;
	}
	for (size_t i = 0; i < impact->provider_count; i++)
		judged[i] = judge_requirement(judgement, &impact->providers[i], &class->links[i]);
	decide(judged, impact->provider_count, judgement->now_ms, &decision);
	count_outcome(impact, &decision, class->owners);
	count_providers(impact, &decision, class->owners);
	count_reasons(impact, &decision, class->owners);
}

bool impact_judge(const struct engine *engine, const struct impact_subject *subject, struct arena *arena,
	struct impact *ret_impact, struct problem *problem)
{
	const struct requirements *requirements = &subject->version->requirements;
	struct judgement judgement = {.engine = engine, .now_ms = clock_now_ms(), .impact = ret_impact};
	const struct impact_question question = {
		.template_id = subject->template->id, .requirements = requirements, .now_ms = judgement.now_ms};
	struct impact_class class;

	memset(ret_impact, 0, sizeof(*ret_impact));
	/* As at create, what cannot be read says nothing: then the deployment's holds. */
	(void)enforcement_setting_read(subject->template->enforcement, &judgement.of_template);
	ret_impact->provider_count = requirements->count;
	for (size_t i = 0; i < requirements->count; i++) {
		ret_impact->providers[i].requirement = &requirements->list[i];
		ret_impact->providers[i].provider =
			providers_find(&engine->providers, requirements->list[i].provider_id);
	}
	SCOPED(impact_classes_release) struct impact_classes *classes = NULL;
	if (!impact_read(engine->store, arena, &question, &classes, problem))
		return false;
	while (impact_next(classes, &class))
		judge_class(&judgement, &class);
	return true;
}
