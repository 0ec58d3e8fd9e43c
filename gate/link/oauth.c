/* SPDX-License-Identifier: Apache-2.0 */
/* The grants as client of a provider: where the browser is sent, the exchange of what it brings back, and the form that
 * asks for a new token. What differs between providers is said in one place each, beside the rule it departs from. */
#include <string.h>

#include "../base/text.h"
#include "oauth.h"
#include "token_endpoint.h"

/* The id of Azure DevOps as a resource of Microsoft Entra, the same in every tenant. */
#define ENTRA_RESOURCE "499b84ac-1321-427f-aa17-267ca6975798"

const char *oauth_redirect_uri(const struct engine *engine, const struct provider *provider, struct arena *arena)
{
	if (*provider->redirect_url != '\0')
		return provider->redirect_url;
	return arena_printf(arena, "%s/external-auth/%s/callback", engine->access_url, provider->id);
}

char *oauth_authorize_url(const struct engine *engine, const struct provider *provider, struct secret state,
	struct secret verifier, struct arena *arena)
{
	struct text query = text_in(arena);
	bool is_azure = provider->type == PROVIDER_AZURE_DEVOPS;

	text_add_form(&query, "response_type", is_azure ? "Assertion" : "code");
	text_add_form(&query, "client_id", provider->client_id);
	text_add_form(&query, "redirect_uri", oauth_redirect_uri(engine, provider, arena));
	if (*provider->scopes != '\0')
		text_add_form(&query, "scope", provider->scopes);
	text_add_form(&query, "state", state.text);
	if (provider->pkce && !secret_is_empty(verifier)) {
		text_add_form(&query, "code_challenge", pkce_challenge(arena, verifier));
		text_add_form(&query, "code_challenge_method", "S256");
	}
	if (provider->type == PROVIDER_AZURE_DEVOPS_ENTRA)
		text_add_form(&query, "resource", ENTRA_RESOURCE);
	/* RFC 6749 section 3.1: a query the endpoint has already is kept. */
	const char *separator = strchr(provider->auth_url, '?') == NULL ? "?" : "&";
	return arena_printf(arena, "%s%s%s", provider->auth_url, separator, query.bytes);
}

static const char *exchange_form(const struct engine *engine, const struct provider *provider, struct secret code,
	struct secret verifier, struct arena *arena)
{
	struct text form = text_in(arena);
	bool is_azure = provider->type == PROVIDER_AZURE_DEVOPS;

	text_add_form(
		&form, "grant_type", is_azure ? "urn:ietf:params:oauth:grant-type:jwt-bearer" : "authorization_code");
	text_add_form(&form, is_azure ? "assertion" : "code", code.text);
	text_add_form(&form, "redirect_uri", oauth_redirect_uri(engine, provider, arena));
	if (provider->pkce && !secret_is_empty(verifier))
		text_add_form(&form, "code_verifier", verifier.text);
	if (provider->type == PROVIDER_AZURE_DEVOPS_ENTRA)
		text_add_form(&form, "resource", ENTRA_RESOURCE);
	return form.bytes;
}

const char *oauth_refresh_form(
	const struct engine *engine, const struct provider *provider, struct secret refresh_token, struct arena *arena)
{
	struct text form = text_in(arena);
	bool is_azure = provider->type == PROVIDER_AZURE_DEVOPS;

	text_add_form(&form, "grant_type", "refresh_token");
	text_add_form(&form, is_azure ? "assertion" : "refresh_token", refresh_token.text);
	if (is_azure)
		text_add_form(&form, "redirect_uri", oauth_redirect_uri(engine, provider, arena));
	if (provider->type == PROVIDER_AZURE_DEVOPS_ENTRA) {
		text_add_form(&form, "resource", ENTRA_RESOURCE);
		if (*provider->scopes != '\0')
			text_add_form(&form, "scope", provider->scopes);
	}
	return form.bytes;
}

const char *oauth_device_form(const struct provider *provider, struct arena *arena)
{
	struct text form = text_in(arena);

	if (*provider->scopes != '\0')
		text_add_form(&form, "scope", provider->scopes);
	if (provider->type == PROVIDER_AZURE_DEVOPS_ENTRA)
		text_add_form(&form, "resource", ENTRA_RESOURCE);
	return form.bytes;
}

const char *oauth_device_poll_form(const struct provider *provider, struct secret device_code, struct arena *arena)
{
	struct text form = text_in(arena);

	text_add_form(&form, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
	text_add_form(&form, "device_code", device_code.text);
	/* The first version of Entra's endpoints calls it so. */
	if (provider->type == PROVIDER_AZURE_DEVOPS_ENTRA)
		text_add_form(&form, "code", device_code.text);
	return form.bytes;
}

/* --- saying whose turn it is ------------------------------------------------------------------------------------- */

enum turn { TURN_OWNER, TURN_OPERATOR, TURN_WAIT };

/* Words about an authorization code that judge_refresh, which knows refresh tokens, does not place. The first two are
 * GitHub's, the next one Slack's; invalid_scope and invalid_target are RFC 6749 section 5.2 and RFC 8707 section 2. */
static const struct {
	const char *error;
	enum turn turn;
} code_errors[] = {
	{"bad_verification_code", TURN_OWNER},
	{"redirect_uri_mismatch", TURN_OPERATOR},
	{"invalid_code", TURN_OWNER},
	{"invalid_scope", TURN_OPERATOR},
	{"invalid_target", TURN_OPERATOR},
	{"invalid_request", TURN_OPERATOR},
	{"unauthorized_client", TURN_OPERATOR},
	{"unsupported_grant_type", TURN_OPERATOR},
};

static enum turn whose_turn(const struct token_reply *reply)
{
	for (size_t i = 0; i < COUNT_OF(code_errors); i++)
		if (strcmp(code_errors[i].error, reply->error) == 0)
			return code_errors[i].turn;
	if (reply->class == GRANT_OPERATOR || reply->status == 401)
		return reply->class == GRANT_USER ? TURN_OWNER : TURN_OPERATOR;
	return reply->class == GRANT_USER ? TURN_OWNER : TURN_WAIT;
}

/* "(invalid_grant)" or "(HTTP 503)": all that is told of the answer. */
static const char *shown_cause(const struct token_reply *reply, struct arena *arena)
{
	if (reply->error[0] != '\0')
		return arena_printf(arena, " (%s)", reply->error);
	if (reply->status != 0)
		return arena_printf(arena, " (HTTP %d)", reply->status);
	return "";
}

static bool tell_answered(
	const struct provider *provider, const struct token_reply *reply, struct arena *arena, struct problem *problem)
{
	const char *cause = shown_cause(reply, arena);

	switch (whose_turn(reply)) {
	case TURN_OWNER:
		problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s did not accept the sign-in%s.",
			provider->display_name, cause);
		return problem_detail(problem, "It may have run out or been used already. Connect %s once more.",
			provider->display_name);
	case TURN_OPERATOR:
		problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s does not accept this service as its client%s.",
			provider->display_name, cause);
		return problem_detail(problem,
			"Nothing is wrong with your account. The operator needs to check the client id, client secret, "
			"redirect URL and scopes of provider \"%s\".",
			provider->id);
	case TURN_WAIT:
		break;
	}
	problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s could not finish the sign-in just now%s.",
		provider->display_name, cause);
	return problem_detail(
		problem, "Nothing is wrong with your account. Connect %s again in a moment.", provider->display_name);
}

static bool tell_failure(
	const struct provider *provider, const struct token_reply *reply, struct arena *arena, struct problem *problem)
{
	if (reply->class == GRANT_NOT_SENT) {
		problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s cannot be reached.", provider->display_name);
		return problem_detail(problem,
			"Nothing is wrong with your account. Connect %s again in a moment; if it stays so, the "
			"operator needs "
			"to check the connection to it.",
			provider->display_name);
	}
	if (reply->class == GRANT_AMBIGUOUS) {
		problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s gave no answer that can be read.",
			provider->display_name);
		return problem_detail(problem,
			"Connect %s once more: the sign-in that was under way cannot be used again.",
			provider->display_name);
	}
	return tell_answered(provider, reply, arena, problem);
}

bool oauth_exchange_code(struct engine *engine, struct provider *provider, struct secret code, struct secret verifier,
	struct arena *arena, struct oauth_grant *ret_grant, struct problem *problem)
{
	if (!provider_discover(engine, provider, problem))
		return false;
	struct token_question question = {
		.purpose = "exchange",
		.form = exchange_form(engine, provider, code, verifier, arena),
		.deadline = deadline_in_ms(PROVIDER_EXCHANGE_MS),
	};
	struct token_reply reply = token_endpoint_ask(engine, provider, &question, arena);
	if (reply.class != GRANT_GRANTED)
		return tell_failure(provider, &reply, arena, problem);
	if (reply.unusable != NULL) {
		problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s issued a token that this service cannot use.",
			provider->display_name);
		return problem_detail(problem, "The operator needs to know: %s.", reply.unusable);
	}
	*ret_grant = reply.grant;
	return true;
}
