/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint: who is the client, which grant is it, is the grant good, and in which dialect goes the answer. */
#include "provider_handlers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What a client said about itself, wherever it said it. */
struct client_claim {
	enum client_auth method;
	const char *id;
	const char *secret;
	char basic[512]; /* the decoded Basic credentials, which id and secret may point into */
};

/* RFC 6749 section 2.3.1: id and secret are form-encoded, then joined by a colon and base64-encoded. */
static bool claim_read_basic(struct client_claim *claim, const char *encoded)
{
	if (!base64_decode(encoded, claim->basic, sizeof(claim->basic)))
		return false;
	char *secret = strchr(claim->basic, ':');
	if (!secret)
		return false;
	*secret++ = '\0';
	claim->id = claim->basic;
	claim->secret = secret;
	return form_decode(claim->basic) && form_decode(secret);
}

static bool claim_read(const struct exchange *exchange, struct client_claim *claim)
{
	const struct parameters *form = &exchange->form;
	const char *authorization = mg_get_header(exchange->connection, "Authorization");
	const char *bearer = exchange_bearer(exchange);
	claim->id = parameters_get(form, "client_id");
	if (authorization && strncasecmp(authorization, "Basic ", 6) == 0) {
		claim->method = CLIENT_AUTH_BASIC;
		return claim_read_basic(claim, authorization + 6);
	}
	if (bearer) {
		claim->method = CLIENT_AUTH_BEARER;
		claim->secret = bearer;
		return true;
	}
	if (parameters_get(form, "client_assertion")) {
		claim->method = CLIENT_AUTH_ASSERTION;
		claim->secret = parameters_get(form, "client_assertion");
		return true;
	}
	claim->secret = parameters_get(form, "client_secret");
	claim->method = claim->secret ? CLIENT_AUTH_POST : CLIENT_AUTH_NONE;
	return true;
}

static bool claim_is_true(const struct switches *switches, const struct client_claim *claim, bool secret_needed)
{
	/* Where the secret comes as bearer or assertion, the dialects name the client elsewhere or not at all. */
	bool id_needed = claim->method != CLIENT_AUTH_BEARER && claim->method != CLIENT_AUTH_ASSERTION;
	if (claim->id ? strcmp(claim->id, switches->client_id) != 0 : id_needed)
		return false;
	if (claim->method == CLIENT_AUTH_NONE)
		return !secret_needed || switches->client_auth == CLIENT_AUTH_NONE;
	if (switches->client_auth != CLIENT_AUTH_ANY && switches->client_auth != claim->method)
		return false;
	return secret_equals(claim->secret, switches->client_secret) ||
	       (switches->client_secret_2 && secret_equals(claim->secret, switches->client_secret_2));
}

bool client_identify(struct exchange *exchange, bool secret_needed)
{
	struct client_claim claim = {.method = CLIENT_AUTH_NONE};
	bool readable = claim_read(exchange, &claim);
	exchange->client_auth = claim.method;
	if (readable && claim_is_true(exchange->switches, &claim, secret_needed))
		return true;
	provider_count(exchange->provider, COUNTER_clients_refused);
	exchange_answer_error(exchange, 401, "invalid_client", "the client is unknown or its credentials are wrong");
	return false;
}

static void redemption_refuse(struct exchange *exchange, enum redemption outcome)
{
	static const struct {
		const char *error;
		const char *description;
	} refusals[] = {
		[REFUSED_UNKNOWN] = {"invalid_grant", "nobody knows this grant"},
		[REFUSED_EXPIRED] = {"invalid_grant", "the grant has expired"},
		[REFUSED_REVOKED] = {"invalid_grant", "the grant was revoked"},
		[REFUSED_REUSED] = {"invalid_grant", "the grant was used before"},
		[REFUSED_REDIRECT_URI] = {"invalid_grant", "redirect_uri is not that of the authorization"},
		[REFUSED_VERIFIER] = {"invalid_grant", "code_verifier does not fit"},
		[REFUSED_PENDING] = {"authorization_pending", "nobody has decided yet"},
		[REFUSED_TOO_FAST] = {"slow_down", "polled too fast"},
		[REFUSED_DENIED] = {"access_denied", "the user said no"},
	};
	exchange_answer_error(exchange, 400, refusals[outcome].error, refusals[outcome].description);
}

/* The members of a token answer that every dialect shares. */
static void token_members_add(cJSON *json, const struct switches *switches, const struct token_pair *pair)
{
	char expires[24];
	snprintf(expires, sizeof(expires), "%ld", switches->expires_in);
	if (switches->token_answer != TOKEN_ANSWER_NO_TOKEN)
		cJSON_AddStringToObject(json, "access_token", pair->access);
	cJSON_AddStringToObject(json, "token_type", "bearer");
	if (pair->refresh[0])
		cJSON_AddStringToObject(json, "refresh_token", pair->refresh);
	if (switches->expires_in_form == EXPIRES_NUMBER)
		cJSON_AddNumberToObject(json, "expires_in", (double)switches->expires_in);
	if (switches->expires_in_form == EXPIRES_STRING)
		cJSON_AddStringToObject(json, "expires_in", expires);
	cJSON_AddStringToObject(json, "scope", pair->scope);
	const cJSON *extra;
	cJSON_ArrayForEach(extra, switches->token_extra)
		cJSON_AddItemToObject(json, extra->string, cJSON_Duplicate(extra, 1));
}

/* Slack's oauth.v2.access: the app's token outside, the user's own in authed_user. */
static void slack_members_add(struct exchange *exchange, cJSON *json, struct family *family)
{
	struct token_pair user;
	struct token_rules rules = {.expires_in_s = exchange->switches->expires_in};
	ledger_issue_tokens(&exchange->provider->ledger, family, &rules, &user);
	cJSON_AddBoolToObject(json, "ok", true);
	cJSON *authed_user = cJSON_AddObjectToObject(json, "authed_user");
	cJSON_AddStringToObject(authed_user, "id", user.login);
	cJSON_AddStringToObject(authed_user, "scope", user.scope);
	cJSON_AddStringToObject(authed_user, "access_token", user.access);
	cJSON_AddStringToObject(authed_user, "token_type", "user");
}

static void answer_as_text(struct exchange *exchange, const char *content_type, const char *body)
{
	exchange_empty_answer(exchange);
	exchange->answer.status = 200;
	exchange->answer.content_type = content_type;
	text_add(&exchange->answer.body, body);
}

static void token_answer(struct exchange *exchange, cJSON *json)
{
	switch (exchange->switches->token_answer) {
	case TOKEN_ANSWER_NEGOTIATE:
		if (!exchange_wants_json(exchange)) {
			exchange_answer_form(exchange, json);
			break;
		}
		exchange_answer_json(exchange, 200, cJSON_Duplicate(json, 1));
		break;
	case TOKEN_ANSWER_JSON:
	case TOKEN_ANSWER_SLACK:
	case TOKEN_ANSWER_NO_TOKEN:
		exchange_answer_json(exchange, 200, cJSON_Duplicate(json, 1));
		break;
	case TOKEN_ANSWER_FORM:
		exchange_answer_form(exchange, json);
		break;
	case TOKEN_ANSWER_HTML:
		answer_as_text(
			exchange, "text/html", "<!doctype html><title>Sorry</title><h1>Down for maintenance</h1>");
		break;
	case TOKEN_ANSWER_EMPTY:
		answer_as_text(exchange, "application/json", "");
		break;
	}
}

static void grant_tokens(struct exchange *exchange, struct family *family, bool with_refresh)
{
	struct token_pair pair;
	const struct switches *switches = exchange->switches;
	struct token_rules rules = {.expires_in_s = switches->expires_in, .with_refresh = with_refresh};
	SCOPED(json_release) cJSON *json = cJSON_CreateObject();
	ledger_issue_tokens(&exchange->provider->ledger, family, &rules, &pair);
	provider_count(exchange->provider, COUNTER_tokens_issued);
	token_members_add(json, switches, &pair);
	if (switches->token_answer == TOKEN_ANSWER_SLACK)
		slack_members_add(exchange, json, family);
	token_answer(exchange, json);
	exchange->outcome = "granted";
}

static void grant_code(struct exchange *exchange, const char *code)
{
	struct provider *provider = exchange->provider;
	struct family *family = NULL;
	struct code_claim claim = {
		.code = code,
		.redirect_uri = parameters_get(&exchange->form, "redirect_uri"),
		.verifier = parameters_get(&exchange->form, "code_verifier"),
		.check_pkce = exchange->switches->pkce != PKCE_IGNORED,
	};
	enum redemption outcome = ledger_redeem_code(&provider->ledger, &claim, &family);
	if (outcome == REDEEMED) {
		grant_tokens(exchange, family, exchange->switches->refresh_token);
		return;
	}
	provider_count(provider, COUNTER_codes_refused);
	if (outcome == REFUSED_REUSED) {
		provider_count(provider, COUNTER_codes_reused);
		provider_count(provider, COUNTER_families_revoked);
	}
	redemption_refuse(exchange, outcome);
}

static void grant_refresh(struct exchange *exchange, const char *refresh)
{
	struct provider *provider = exchange->provider;
	const struct switches *switches = exchange->switches;
	struct family *family = NULL;
	enum redemption outcome =
		ledger_redeem_refresh(&provider->ledger, refresh, switches->rotate, switches->reuse_revokes, &family);
	if (outcome == REDEEMED) {
		provider_count(provider, COUNTER_refreshes_granted);
		grant_tokens(exchange, family, switches->rotate && switches->refresh_token);
		return;
	}
	provider_count(provider, COUNTER_refreshes_refused);
	if (outcome == REFUSED_REUSED) {
		provider_count(provider, COUNTER_refreshes_reused);
		if (switches->reuse_revokes)
			provider_count(provider, COUNTER_families_revoked);
	}
	redemption_refuse(exchange, outcome);
}

static void grant_device(struct exchange *exchange, const char *device_code)
{
	struct provider *provider = exchange->provider;
	struct family *family = NULL;
	provider_count(provider, COUNTER_device_polls);
	enum redemption outcome = ledger_redeem_device(
		&provider->ledger, device_code, exchange->switches->device_enforce_interval, &family);
	if (outcome == REDEEMED)
		grant_tokens(exchange, family, exchange->switches->refresh_token);
	else if (outcome == REFUSED_EXPIRED)
		exchange_answer_error(exchange, 400, "expired_token", "the device code has expired");
	else
		redemption_refuse(exchange, outcome);
}

/* Each grant type: the parameter that carries the grant (azure-devops puts all in `assertion`), and who redeems it. */
static const struct grant_kind {
	const char *type;
	const char *parameter;
	const char *other_parameter;
	bool secret_needed; /* a device cannot keep one (RFC 8628 section 5.6) */
	void (*redeem)(struct exchange *exchange, const char *value);
} grant_kinds[] = {
	{"authorization_code", "code", NULL, true, grant_code},
	{"refresh_token", "refresh_token", "assertion", true, grant_refresh},
	{"urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", NULL, true, grant_code},
	{"urn:ietf:params:oauth:grant-type:device_code", "device_code", NULL, false, grant_device},
};

/* GitHub's dialect leaves grant_type out for a code; RFC 6749 section 4.1.3 does not. */
static const char *grant_type(const struct exchange *exchange)
{
	const char *type = parameters_get(&exchange->form, "grant_type");
	bool lenient = exchange->switches->error_style == ERROR_STYLE_GITHUB;
	return type || !lenient ? type : "authorization_code";
}

static const struct grant_kind *grant_kind_find(const char *type)
{
	for (size_t i = 0; i < COUNT_OF(grant_kinds); i++) {
		if (strcmp(grant_kinds[i].type, type) == 0)
			return &grant_kinds[i];
	}
	return NULL;
}

static const char *grant_value(const struct exchange *exchange, const struct grant_kind *kind)
{
	const char *value = parameters_get(&exchange->form, kind->parameter);
	if (value || !kind->other_parameter)
		return value;
	return parameters_get(&exchange->form, kind->other_parameter);
}

void token_grant(struct exchange *exchange)
{
	const char *type = grant_type(exchange);
	if (exchange->form.broken || exchange->form.repeated || !type) {
		exchange_answer_error(exchange, 400, "invalid_request", "malformed, repeated or missing parameters");
		return;
	}
	const struct grant_kind *kind = grant_kind_find(type);
	if (!kind) {
		exchange_answer_error(exchange, 400, "unsupported_grant_type", "no such grant type");
		return;
	}
	bool is_device = kind->redeem == grant_device;
	if (!client_identify(exchange, kind->secret_needed || (is_device && exchange->switches->device_secret)))
		return;
	const char *value = grant_value(exchange, kind);
	if (value)
		kind->redeem(exchange, value);
	else
		exchange_answer_error(exchange, 400, "invalid_request", "the grant itself is missing");
}
