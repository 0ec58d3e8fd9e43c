/* SPDX-License-Identifier: Apache-2.0 */
/* One's own token: see external_token.h. The gate judges a list of one, so the token is refreshed, validated and as
 * young as a create would demand; enforcement plays no part, because a token that does not work helps nobody. */
#include "external_token.h"

#include "../base/clock.h"
#include "../base/json_text.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/gate.h"
#include "../link/gate_json.h"
#include "../store/links.h"

/* The user name that git sends beside the token over https; most hosts look at the token alone. */
static const char *const git_usernames[PROVIDER_TYPE_COUNT] = {
	[PROVIDER_OTHER] = "oauth2",
	[PROVIDER_GITHUB] = "x-access-token",
	[PROVIDER_GITLAB] = "oauth2",
	[PROVIDER_GITEA] = "oauth2",
	[PROVIDER_BITBUCKET_CLOUD] = "x-token-auth",
	[PROVIDER_BITBUCKET_SERVER] = "x-token-auth",
	[PROVIDER_AZURE_DEVOPS] = "oauth2",
	[PROVIDER_AZURE_DEVOPS_ENTRA] = "oauth2",
	[PROVIDER_SLACK] = "oauth2",
	[PROVIDER_JFROG] = "oauth2",
};

static bool judge(const struct request *request, const struct provider *provider, struct gate_answer *ret_answer,
	struct problem *problem)
{
	struct engine *engine = request->service->engine;
	struct requirements *wanted = arena_alloc(request->arena, sizeof(*wanted));
	struct link link;
	bool linked = false;

	(void)requirements_add(wanted, provider->id, false);
	if (!link_find(request->service->store, request->arena, request->caller.user_id, provider->id, &linked, &link,
		    problem))
		return false;

	const struct gate_question question = {.owner_id = request->caller.user_id,
		.requirements = wanted,
		.link_count = linked ? 1 : 0,
		.links = &link,
		.moment = MOMENT_CREATE,
		.timeout_ms = engine->gate_timeout_ms};

	return gate_evaluate(engine, &question, request->arena, ret_answer, problem);
}

static void reply_token(const struct gate_finding *finding, struct reply *reply)
{
	const struct provider *provider = finding->provider;
	struct text body = text_in(reply->arena);

	json_text_open(&body, NULL, '{');
	json_text_string(&body, "access_token", finding->access_token.text);
	json_text_string(&body, "expires_at", clock_rfc3339(reply->arena, finding->token_expires_at_ms));
	json_text_string(&body, "type", provider->type_word);
	json_text_string(&body, "username", git_usernames[provider->type]);
	json_text_string(&body, "password", finding->access_token.text);
	json_text_close(&body, '}');
	reply_json_text(reply, 200, body.bytes);
}

/* The gate's no about one provider, in the gate's words. There is no decision: nothing was to be decided. */
static void reply_refusal(const struct request *request, const struct gate_answer *answer, struct reply *reply)
{
	const struct gate_finding *finding = &answer->findings[0];
	bool missing = reason_verdict(finding->finding.reason) == VERDICT_MISSING;
	unsigned wait_s = finding->finding.retry_after_s > 0 ? finding->finding.retry_after_s : 1;
	enum problem_kind kind = missing ? PROBLEM_EXTERNAL_AUTH_REQUIRED : PROBLEM_EXTERNAL_AUTH_UNVERIFIABLE;
	struct text body = text_in(reply->arena);

	if (!missing)
		reply_add_header(reply, "Retry-After", arena_printf(request->arena, "%u", wait_s));
	json_text_open(&body, NULL, '{');
	json_text_string(&body, "message",
		arena_printf(request->arena,
			missing ? "You must connect %s first." : "%s could not be checked right now.",
			finding->provider->display_name));
	json_text_string(&body, "detail", reason_sentence(finding->finding.reason));
	json_text_string(&body, "code", problem_word(kind));
	json_text_string(&body, "request_id", request->id);
	json_text_open(&body, "validations", '[');
	json_text_open(&body, NULL, '{');
	json_text_string(&body, "field", "external_auth");
	json_text_string(&body, "detail", finding->provider->id);
	json_text_close(&body, '}');
	json_text_close(&body, ']');
	json_text_open(&body, "external_auth", '[');
	gate_json_push_state(&body, request->service->engine, finding, true, request->arena);
	json_text_close(&body, ']');
	json_text_close(&body, '}');
	reply_json_text(reply, missing ? 403 : 503, body.bytes);
}

/* A link that passes by its fail mode alone may have a token that nobody can read. */
static bool has_token(const struct gate_finding *finding)
{
	return reason_verdict(finding->finding.reason) == VERDICT_OK && !secret_is_empty(finding->access_token);
}

bool api_external_token_get(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct gate_answer *answer = arena_alloc(request->arena, sizeof(*answer));
	struct provider *provider = NULL;
	const char *owner = NULL;

	if (!subject_reference(request, request_parameter(request, "user"), ACTION_LINK_TOKEN, &owner, problem) ||
		!engine_find_provider(
			request->service->engine, request_parameter(request, "provider"), &provider, problem) ||
		!judge(request, provider, answer, problem))
		return false;
	if (has_token(&answer->findings[0]))
		reply_token(&answer->findings[0], reply);
	else
		reply_refusal(request, answer, reply);
	return true;
}
