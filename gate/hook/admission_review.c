/* SPDX-License-Identifier: Apache-2.0 */
/* The gate as a validating webhook: see admission_review.h. Whose workspace it is stands in the object, at pointers the
 * operator chooses, and never is who asked the cluster unless the operator says so: that is a controller, most times. */
#include "admission_review.h"

#include <string.h>

#include "../base/text.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/gate_json.h"
#include "check.h"
#include "review.h"

/* A sentence of every finding, and their links. */
static const char *tell_message(const struct check *check, const struct engine *engine, struct arena *arena)
{
	const struct gate_answer *answer = &check->evaluation.answer;
	struct text text = text_in(arena);

	text_addf(&text, "%s %s", gate_message(answer, check->moment),
		gate_detail(answer, check->evaluation.facts.owner.username, arena));
	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct finding *finding = &answer->findings[i].finding;

		if (finding->blocks && reason_fixable_by(finding->reason) == FIXABLE_BY_OWNER)
			text_addf(&text, " %s", gate_authenticate_url(engine, finding->requirement->provider_id, arena));
	}
	return text.bytes;
}

static void add_causes(struct review_answer *told, const struct gate_answer *answer, struct arena *arena)
{
	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct finding *finding = &answer->findings[i].finding;

		if (!finding->blocks)
			continue;
		told->causes[told->cause_count++] =
			(struct review_cause){.reason = reason_word(finding->reason),
				.message = reason_sentence(finding->reason),
				.field = arena_printf(arena, "external_auth[%s]", finding->requirement->provider_id)};
	}
}

/* The same warnings as every other surface tells. */
static bool add_warnings(struct review_answer *told, const struct evaluation *evaluation, struct arena *arena,
	struct problem *problem)
{
	const char *text = evaluation_warnings(evaluation, arena);
	SCOPED(json_release) struct json *list = NULL;

	if (!json_parse(text, strlen(text), &list, problem))
		return false;
	for (const struct json *warning = json_first(list); warning != NULL; warning = json_next(warning))
		if (told->warning_count < COUNT_OF(told->warnings))
			told->warnings[told->warning_count++] =
				arena_copy(arena, json_string(json_member(warning, "message")));
	return true;
}
