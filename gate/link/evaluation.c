/* SPDX-License-Identifier: Apache-2.0 */
/* The one way to ask the gate: see evaluation.h. */
#include "evaluation.h"

#include <string.h>

#include "../base/json_text.h"
#include "gate_json.h"

/* --- facts ------------------------------------------------------------------------------------------------------- */

static bool refuse_unknown_owner(struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_NOT_FOUND, "There is no such user, or you may not see them.");
	return problem_detail(problem, "Check the name, or use `me` for yourself.");
}

/* Only a name can be somebody's whom this service has yet to see; an id is of its own making. */
static bool admit_unseen(const char *owner, struct create_facts *facts, struct problem *problem)
{
	if (!name_is_user(owner))
		return refuse_unknown_owner(problem);
	facts->owner = (struct user){.username = owner};
	return true;
}

static bool check_owner(const struct evaluation_question *question, const struct create_question *about,
	struct create_facts *facts, struct problem *problem)
{
	if (!facts->owner_found)
		return question->admits_unseen_owner ? admit_unseen(about->owner, facts, problem)
						     : refuse_unknown_owner(problem);
	if (!facts->owner.suspended)
		return true;
	(void)problem_set(problem, PROBLEM_OWNER_SUSPENDED, "%s is suspended.", facts->owner.username);
	return problem_detail(problem, "An administrator can make the account active again.");
}

/* Steps 3 to 5 of contract section 4, in their order. */
static bool check_facts(const struct evaluation_question *question, const struct create_question *about,
	struct create_facts *facts, struct problem *problem)
{
	if (!check_owner(question, about, facts, problem))
		return false;
	if (!facts->version_found)
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such template or template version.");
	if (facts->version.archived && !question->admits_archived) {
		(void)problem_set(problem, PROBLEM_VERSION_ARCHIVED, "This template version is archived.");
		return problem_detail(problem, "Choose another version, or have a template author unarchive it.");
	}
	if (facts->name_taken) {
		(void)problem_set(
			problem, PROBLEM_NAME_TAKEN, "%s has a workspace of this name already.", facts->owner.username);
		(void)problem_add_violation(problem, "name", "is taken; choose another");
		return false;
	}
	return true;
}

bool evaluation_read(struct engine *engine, const struct evaluation_question *question,
	const struct create_question *about, struct arena *arena, struct evaluation *ret_evaluation,
	struct problem *problem)
{
	return create_facts_read(engine->store, arena, about, &ret_evaluation->facts, problem) &&
	       check_facts(question, about, &ret_evaluation->facts, problem);
}

/* --- the gate ---------------------------------------------------------------------------------------------------- */

static bool is_plainly_good(enum reason reason)
{
	return reason == REASON_VALID || reason == REASON_NOT_VALIDATED;
}

static bool occurs(const struct gate_answer *answer, enum reason reason)
{
	for (size_t i = 0; i < answer->finding_count; i++) {
		if (answer->findings[i].asked_for && answer->findings[i].finding.reason == reason)
			return true;
	}
	return false;
}

/* Each once and in the order of contract section 5: the decision log has an index of whole lists, so few should differ.
 */
static size_t collect_reasons(const struct gate_answer *answer, const char *ret_words[REASON_COUNT])
{
	size_t count = 0;

	for (enum reason reason = 0; reason < REASON_COUNT; reason++) {
		if (!is_plainly_good(reason) && occurs(answer, reason))
			ret_words[count++] = reason_word(reason);
	}
	return count;
}

static void word_decision(
	const struct evaluation_question *question, struct arena *arena, struct evaluation *evaluation)
{
	const struct create_facts *facts = &evaluation->facts;
	const struct gate_answer *answer = &evaluation->answer;
	const char **reasons = arena_alloc(arena, REASON_COUNT * sizeof(*reasons));

	evaluation->decision = (struct decision_row){.id = evaluation->decision_id,
		.request_id = question->request_id,
		.surface = surface_word(question->surface),
		.moment = moment_word(question->moment),
		.initiator_id = question->initiator_id,
		.on_behalf_of = question->on_behalf_of,
		.owner_id = facts->owner.id,
		.owner_name = facts->owner.username,
		.template_version_id = facts->version.id,
		.outcome = outcome_word(answer->decision.outcome),
		.strict_outcome = outcome_word(answer->decision.strict_outcome),
		.reason_count = collect_reasons(answer, reasons),
		.reasons = reasons,
		.findings = gate_json_findings(answer, arena),
		.duration_ms = answer->duration_us / 1000};
}

bool evaluation_judge(struct engine *engine, const struct evaluation_question *question, struct arena *arena,
	struct evaluation *evaluation, struct problem *problem)
{
	const struct create_facts *facts = &evaluation->facts;
	const struct gate_question asked = {.owner_id = facts->owner.id,
		.requirements = &facts->version.requirements,
		.link_count = facts->link_count,
		.links = facts->links,
		.exemption_count = facts->exemption_count,
		.exemptions = facts->exemptions,
		.template_enforcement = &facts->template_enforcement,
		.moment = question->moment,
		.ask_optional = question->ask_optional,
		.without_effects = question->without_effects,
		.without_asking = question->without_asking,
		.timeout_ms = question->timeout_ms};
	char decision_id[UUID_TEXT_SIZE];

	if (!gate_evaluate(engine, &asked, arena, &evaluation->answer, problem))
		return false;
	uuid_new(decision_id);
	evaluation->decision_id = arena_copy(arena, decision_id);
	if (!question->is_queued || decision_is_taken(engine->store))
		word_decision(question, arena, evaluation);
	return true;
}

size_t evaluation_relied(const struct evaluation *evaluation, struct relied_link ret_relied[REQUIREMENTS_MAX])
{
	const struct gate_answer *answer = &evaluation->answer;
	size_t count = 0;

	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct gate_finding *finding = &answer->findings[i];

		if (!finding->asked_for || reason_verdict(finding->finding.reason) != VERDICT_OK || !finding->linked)
			continue;
		ret_relied[count].provider_id = finding->finding.requirement->provider_id;
		ret_relied[count].generation = finding->generation;
		count++;
	}
	return count;
}

const char *evaluation_warnings(const struct evaluation *evaluation, struct arena *arena)
{
	struct text list = text_in(arena);

	json_text_open(&list, NULL, '[');
	gate_json_push_warnings(&list, &evaluation->answer, arena);
	if (evaluation->facts.template_deprecated) {
		json_text_open(&list, NULL, '{');
		json_text_null(&list, "provider");
		json_text_string(&list, "reason", "template_deprecated");
		json_text_string(&list, "message", "This template is deprecated; ask its author which one follows it.");
		json_text_close(&list, '}');
	}
	json_text_close(&list, ']');
	return list.bytes;
}
