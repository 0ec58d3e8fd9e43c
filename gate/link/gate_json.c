/* SPDX-License-Identifier: Apache-2.0 */
/* How a gate's answer is told in JSON: see gate_json.h. */
#include "gate_json.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/json_text.h"

char *gate_authenticate_url(const struct engine *engine, const char *provider_id, struct arena *arena)
{
	struct text url = text_in(arena);

	text_add(&url, engine->access_url);
	text_add(&url, "/external-auth/");
	text_add(&url, provider_id);
	return url.bytes;
}

static const char *display_name(const struct gate_finding *finding)
{
	return finding->provider != NULL ? finding->provider->display_name : finding->finding.requirement->provider_id;
}

static void add_fixable_by(struct text *state, enum reason reason)
{
	enum fixable_by fixable_by = reason_fixable_by(reason);

	json_text_string(state, "fixable_by", fixable_by == FIXABLE_BY_NOBODY ? NULL : fixable_by_word(fixable_by));
}

static void add_retry_after(struct text *state, unsigned retry_after_s)
{
	if (retry_after_s == 0)
		json_text_null(state, "retry_after");
	else
		json_text_integer(state, "retry_after", (int64_t)retry_after_s);
}

/* Only where there is one, so that what most answers do not have costs them nothing. */
static void add_exemption(struct text *entry, const struct exemption *exemption, struct arena *arena)
{
	if (exemption == NULL)
		return;
	json_text_open(entry, "exemption", '{');
	json_text_string(entry, "id", exemption->id);
	json_text_string(entry, "reason", exemption->reason);
	json_text_string(entry, "granted_by", exemption->granted_by_name);
	json_text_string(entry, "until", clock_rfc3339(arena, exemption->expires_at_ms));
	json_text_close(entry, '}');
}

void gate_json_push_state(struct text *state, const struct engine *engine, const struct gate_finding *finding,
	bool with_retry_after, struct arena *arena)
{
	const struct provider *provider = finding->provider;
	const char *id = finding->finding.requirement->provider_id;
	enum reason reason = finding->finding.reason;
	enum verdict verdict = reason_verdict(reason);

	json_text_open(state, NULL, '{');
	json_text_string(state, "id", id);
	json_text_string(state, "type", provider != NULL ? provider->type_word : id);
	json_text_string(state, "display_name", display_name(finding));
	json_text_string(state, "display_icon", provider != NULL ? provider->display_icon : "");
	json_text_string(state, "authenticate_url", gate_authenticate_url(engine, id, arena));
	json_text_bool(state, "optional", finding->finding.requirement->optional);
	json_text_bool(state, "authenticated", verdict == VERDICT_OK);
	json_text_string(state, "verdict", verdict_word(verdict));
	json_text_string(state, "reason", reason_word(reason));
	add_fixable_by(state, reason);
	if (with_retry_after)
		add_retry_after(state, finding->finding.retry_after_s);
	add_exemption(state, finding->exemption, arena);
	json_text_close(state, '}');
}

/* The blocking findings of this verdict: the ones an answer is about. */
static bool is_told(const struct gate_finding *finding, enum verdict verdict)
{
	return finding->finding.blocks && reason_verdict(finding->finding.reason) == verdict;
}

/* "GitHub", "GitHub and GitLab", "GitHub, GitLab and Gitea" */
static void add_names(struct text *text, const struct gate_answer *answer, enum verdict verdict)
{
	size_t left = 0;

	for (size_t i = 0; i < answer->finding_count; i++)
		left += is_told(&answer->findings[i], verdict) ? 1 : 0;
	for (size_t i = 0; i < answer->finding_count; i++) {
		if (!is_told(&answer->findings[i], verdict))
			continue;
		text_add(text, display_name(&answer->findings[i]));
		left--;
		if (left > 0)
			text_add(text, left == 1 ? " and " : ", ");
	}
}

static void add_sentences(struct text *text, const struct gate_answer *answer, enum verdict verdict)
{
	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct gate_finding *finding = &answer->findings[i];

		if (is_told(finding, verdict))
			text_addf(text, " %s: %s", display_name(finding), reason_sentence(finding->finding.reason));
	}
}

const char *gate_message(const struct gate_answer *answer, enum moment moment)
{
	static const char *const required[] = {
		[MOMENT_CREATE] = "External authentication is required to create a workspace with this template.",
		[MOMENT_START] = "External authentication is required to start this workspace.",
		[MOMENT_AUTOSTART] = "External authentication is required to start this workspace by schedule.",
		[MOMENT_CLAIM] = "External authentication is required to create a workspace with this template.",
		[MOMENT_ACQUIRE] = "External authentication is required to build this workspace.",
		[MOMENT_PREFLIGHT] = "External authentication is required to create a workspace with this template.",
	};

	if (answer->decision.outcome == OUTCOME_ALLOWED)
		return "The owner may go on.";
	if (answer->decision.outcome == OUTCOME_REFUSED && (unsigned)moment < COUNT_OF(required))
		return required[moment];
	return "External authentication could not be verified right now; try again.";
}

const char *gate_detail(const struct gate_answer *answer, const char *owner_name, struct arena *arena)
{
	struct text text = text_in(arena);

	if (answer->decision.outcome == OUTCOME_REFUSED) {
		text_addf(&text, "%s must connect ", owner_name);
		add_names(&text, answer, VERDICT_MISSING);
		text_add(&text, ".");
		add_sentences(&text, answer, VERDICT_MISSING);
		text_add(&text, " Open each authenticate_url as the owner, then try again.");
		return text.bytes;
	}
	text_addf(&text, "Nothing says that %s must connect anything again, but ", owner_name);
	add_names(&text, answer, VERDICT_UNVERIFIABLE);
	text_add(&text, " could not be checked.");
	add_sentences(&text, answer, VERDICT_UNVERIFIABLE);
	return text.bytes;
}

static void add_validations(struct text *root, const struct gate_answer *answer, enum verdict verdict)
{
	json_text_open(root, "validations", '[');
	for (size_t i = 0; i < answer->finding_count; i++) {
		if (!is_told(&answer->findings[i], verdict))
			continue;
		json_text_open(root, NULL, '{');
		json_text_string(root, "field", "external_auth");
		json_text_string(root, "detail", answer->findings[i].finding.requirement->provider_id);
		json_text_close(root, '}');
	}
	json_text_close(root, ']');
}

static void add_states(
	struct text *root, const struct engine *engine, const struct gate_answer *answer, struct arena *arena)
{
	json_text_open(root, "external_auth", '[');
	for (size_t i = 0; i < answer->finding_count; i++) {
		if (answer->findings[i].asked_for)
			gate_json_push_state(root, engine, &answer->findings[i], true, arena);
	}
	json_text_close(root, ']');
}

static enum verdict told_verdict(const struct gate_answer *answer)
{
	return answer->decision.outcome == OUTCOME_REFUSED ? VERDICT_MISSING : VERDICT_UNVERIFIABLE;
}

static const char *refusal_code(const struct gate_answer *answer)
{
	if (answer->decision.outcome == OUTCOME_ALLOWED)
		return NULL;
	return problem_word(answer->decision.outcome == OUTCOME_REFUSED ? PROBLEM_EXTERNAL_AUTH_REQUIRED
									: PROBLEM_EXTERNAL_AUTH_UNVERIFIABLE);
}

char *gate_json_refusal(const struct engine *engine, const struct gate_answer *answer,
	const struct gate_telling *telling, struct arena *arena)
{
	struct text root = text_in(arena);

	json_text_open(&root, NULL, '{');
	json_text_string(&root, "message", gate_message(answer, telling->moment));
	json_text_string(&root, "detail", gate_detail(answer, telling->owner_name, arena));
	json_text_string(&root, "code", refusal_code(answer));
	json_text_string(&root, "decision_id", telling->decision_id);
	json_text_string(&root, "request_id", telling->request_id);
	add_validations(&root, answer, told_verdict(answer));
	add_states(&root, engine, answer, arena);
	json_text_close(&root, '}');
	return root.bytes;
}

void gate_json_add_decision(struct text *root, const struct engine *engine, const struct gate_answer *answer,
	const struct gate_telling *telling, struct arena *arena)
{
	bool allowed = answer->decision.outcome == OUTCOME_ALLOWED;
	bool has_receipt = telling->receipt != NULL;

	json_text_bool(root, "allowed", allowed);
	json_text_string(root, "outcome", outcome_word(answer->decision.outcome));
	json_text_string(root, "decision_id", telling->decision_id);
	json_text_string(root, "message", gate_message(answer, telling->moment));
	json_text_string(root, "detail", allowed ? NULL : gate_detail(answer, telling->owner_name, arena));
	json_text_string(root, "code", refusal_code(answer));
	json_text_string(
		root, "transition", telling->transition != NULL ? telling->transition : moment_word(telling->moment));
	json_text_bool(root, "dry_run", telling->dry_run);
	add_validations(root, answer, told_verdict(answer));
	add_states(root, engine, answer, arena);
	json_text_raw(root, "warnings", telling->warnings);
	add_retry_after(root, answer->decision.retry_after_s);
	json_text_string(root, "receipt", telling->receipt);
	json_text_string(
		root, "receipt_expires_at", has_receipt ? clock_rfc3339(arena, telling->receipt_expires_at_ms) : NULL);
}

static const char *warning_message(const struct gate_finding *finding, struct arena *arena)
{
	const char *sentence = reason_sentence(finding->finding.reason);

	if (!finding->finding.exempt)
		return arena_printf(arena, "%s: %s", display_name(finding), sentence);
	return arena_printf(arena, "%s: exempt until %s (%s). %s", display_name(finding),
		clock_rfc3339(arena, finding->exemption->expires_at_ms), finding->exemption->reason, sentence);
}

void gate_json_push_warnings(struct text *array, const struct gate_answer *answer, struct arena *arena)
{
	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct gate_finding *finding = &answer->findings[i];

		if (!finding->finding.warns)
			continue;
		json_text_open(array, NULL, '{');
		json_text_string(array, "provider", finding->finding.requirement->provider_id);
		json_text_string(array, "reason", reason_word(finding->finding.reason));
		json_text_string(array, "message", warning_message(finding, arena));
		if (finding->finding.exempt)
			add_exemption(array, finding->exemption, arena);
		json_text_close(array, '}');
	}
}

static void add_what_was_found(struct text *entry, const struct gate_finding *finding)
{
	json_text_string(entry, "verdict", verdict_word(reason_verdict(finding->finding.reason)));
	json_text_string(entry, "reason", reason_word(finding->finding.reason));
	json_text_string(entry, "enforcement", enforcement_word(finding->finding.enforcement));
	json_text_bool(entry, "would_block", finding->finding.would_block);
	json_text_string(entry, "exemption_id", finding->finding.exempt ? finding->exemption->id : NULL);
	json_text_integer(entry, "generation", finding->generation);
	json_text_integer(entry, "status", finding->provider_status);
	json_text_integer(entry, "duration_ms", finding->duration_us / 1000);
}

char *gate_json_findings(const struct gate_answer *answer, struct arena *arena)
{
	struct text array = text_in(arena);

	json_text_open(&array, NULL, '[');
	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct gate_finding *finding = &answer->findings[i];

		json_text_open(&array, NULL, '{');
		json_text_string(&array, "provider", finding->finding.requirement->provider_id);
		json_text_bool(&array, "optional", finding->finding.requirement->optional);
		if (finding->asked_for)
			add_what_was_found(&array, finding);
		json_text_close(&array, '}');
	}
	json_text_close(&array, ']');
	return array.bytes;
}
