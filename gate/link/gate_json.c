/* SPDX-License-Identifier: Apache-2.0 */
/* How a gate's answer is told in JSON: see gate_json.h. */
#include "gate_json.h"

#include <string.h>

#include "../base/text.h"

char *gate_authenticate_url(const struct engine *engine, const char *provider_id, struct arena *arena)
{
	return arena_printf(arena, "%s/external-auth/%s", engine->access_url, provider_id);
}

static const char *display_name(const struct gate_finding *finding)
{
	return finding->provider != NULL ? finding->provider->display_name : finding->finding.requirement->provider_id;
}

static void add_fixable_by(struct json *state, enum reason reason)
{
	enum fixable_by fixable_by = reason_fixable_by(reason);

	json_add_string(state, "fixable_by", fixable_by == FIXABLE_BY_NOBODY ? NULL : fixable_by_word(fixable_by));
}

static void add_retry_after(struct json *state, unsigned retry_after_s)
{
	if (retry_after_s == 0)
		json_add_null(state, "retry_after");
	else
		json_add_integer(state, "retry_after", (int64_t)retry_after_s);
}

void gate_json_push_state(struct json *array, const struct engine *engine, const struct gate_finding *finding,
	bool with_retry_after, struct arena *arena)
{
	struct json *state = json_push_object(array);
	const struct provider *provider = finding->provider;
	const char *id = finding->finding.requirement->provider_id;
	enum reason reason = finding->finding.reason;
	enum verdict verdict = reason_verdict(reason);

	json_add_string(state, "id", id);
	json_add_string(state, "type", provider != NULL ? provider->type_word : id);
	json_add_string(state, "display_name", display_name(finding));
	json_add_string(state, "display_icon", provider != NULL ? provider->display_icon : "");
	json_add_string(state, "authenticate_url", gate_authenticate_url(engine, id, arena));
	json_add_bool(state, "optional", finding->finding.requirement->optional);
	json_add_bool(state, "authenticated", verdict == VERDICT_OK);
	json_add_string(state, "verdict", verdict_word(verdict));
	json_add_string(state, "reason", reason_word(reason));
	add_fixable_by(state, reason);
	if (with_retry_after)
		add_retry_after(state, finding->finding.retry_after_s);
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

static const char *refusal_detail(const struct gate_answer *answer, const char *owner_name, struct arena *arena)
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

static void add_validations(struct json *root, const struct gate_answer *answer, enum verdict verdict)
{
	struct json *validations = json_add_array(root, "validations");

	for (size_t i = 0; i < answer->finding_count; i++) {
		if (!is_told(&answer->findings[i], verdict))
			continue;
		struct json *entry = json_push_object(validations);

		json_add_string(entry, "field", "external_auth");
		json_add_string(entry, "detail", answer->findings[i].finding.requirement->provider_id);
	}
}

static void add_states(
	struct json *root, const struct engine *engine, const struct gate_answer *answer, struct arena *arena)
{
	struct json *states = json_add_array(root, "external_auth");

	for (size_t i = 0; i < answer->finding_count; i++) {
		if (answer->findings[i].asked_for)
			gate_json_push_state(states, engine, &answer->findings[i], true, arena);
	}
}

struct json *gate_json_refusal(const struct engine *engine, const struct gate_answer *answer,
	const struct gate_refusal *refusal, struct arena *arena)
{
	struct json *root = json_new_object();
	bool refused = answer->decision.outcome == OUTCOME_REFUSED;
	enum problem_kind kind = refused ? PROBLEM_EXTERNAL_AUTH_REQUIRED : PROBLEM_EXTERNAL_AUTH_UNVERIFIABLE;

	json_add_string(root, "message",
		refused ? "External authentication is required to create a workspace with this template."
			: "External authentication could not be verified right now; try again.");
	json_add_string(root, "detail", refusal_detail(answer, refusal->owner_name, arena));
	json_add_string(root, "code", problem_word(kind));
	json_add_string(root, "decision_id", refusal->decision_id);
	json_add_string(root, "request_id", refusal->request_id);
	add_validations(root, answer, refused ? VERDICT_MISSING : VERDICT_UNVERIFIABLE);
	add_states(root, engine, answer, arena);
	return root;
}

void gate_json_push_warnings(struct json *array, const struct gate_answer *answer, struct arena *arena)
{
	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct gate_finding *finding = &answer->findings[i];

		if (!finding->finding.warns)
			continue;
		struct json *warning = json_push_object(array);

		json_add_string(warning, "provider", finding->finding.requirement->provider_id);
		json_add_string(warning, "reason", reason_word(finding->finding.reason));
		json_add_string(warning, "message",
			arena_printf(arena, "%s: %s", display_name(finding), reason_sentence(finding->finding.reason)));
	}
}

char *gate_json_findings(const struct gate_answer *answer, struct arena *arena)
{
	SCOPED(json_release) struct json *array = json_new_array();

	for (size_t i = 0; i < answer->finding_count; i++) {
		const struct gate_finding *finding = &answer->findings[i];
		struct json *entry = json_push_object(array);

		json_add_string(entry, "provider", finding->finding.requirement->provider_id);
		json_add_bool(entry, "optional", finding->finding.requirement->optional);
		if (!finding->asked_for)
			continue;
		json_add_string(entry, "verdict", verdict_word(reason_verdict(finding->finding.reason)));
		json_add_string(entry, "reason", reason_word(finding->finding.reason));
		json_add_integer(entry, "status", finding->provider_status);
		json_add_integer(entry, "duration_ms", finding->duration_us / 1000);
	}
	return json_print(array, arena);
}
