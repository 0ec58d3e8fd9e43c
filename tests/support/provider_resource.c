/* SPDX-License-Identifier: Apache-2.0 */
/* What an access token opens (the user in three shapes, app installations), how it is revoked, and discovery. */
#include "provider_handlers.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The same account has the same number in every run, as far as tests care. */
static double account_number(const char *login)
{
	unsigned hash = 2166136261U;
	for (; *login; login++)
		hash = (hash ^ (unsigned char)*login) * 16777619U;
	return 1000 + hash % 1000000;
}

static void account_add(cJSON *json, const char *provider, const char *login)
{
	SCOPED(text_release) struct text page = {0};
	SCOPED(text_release) struct text picture = {0};
	text_add_format(&page, "%s/%s/people/", exchange_base_url, provider);
	text_add_encoded(&page, login);
	text_add_format(&picture, "%s.png", page.bytes);
	cJSON_AddNumberToObject(json, "id", account_number(login));
	cJSON_AddStringToObject(json, "login", login);
	cJSON_AddStringToObject(json, "avatar_url", picture.bytes);
	cJSON_AddStringToObject(json, "html_url", page.bytes);
}

static void name_add(cJSON *json, const char *login)
{
	char name[LOGIN_SIZE];
	snprintf(name, sizeof(name), "%s", login);
	if (name[0] >= 'a' && name[0] <= 'z')
		name[0] = (char)(name[0] - 'a' + 'A');
	cJSON_AddStringToObject(json, "name", name);
}

/* Looks at the request's token; false after having put the 401 into the answer. */
static bool access_check(struct exchange *exchange, struct access_facts *ret_facts)
{
	const char *access = exchange_bearer(exchange);
	*ret_facts = (struct access_facts){0};
	if (access)
		ledger_examine_access(&exchange->provider->ledger, access, ret_facts);
	bool lagging = exchange->fault && ret_facts->age_ms < exchange->fault->lag_ms;
	if (ret_facts->live && !lagging) {
		provider_count(exchange->provider, COUNTER_validations_ok);
		return true;
	}
	provider_count(exchange->provider, COUNTER_validations_refused);
	exchange_answer_message(exchange, 401, "Bad credentials");
	exchange_add_header(exchange, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
	exchange->outcome = lagging ? "lagging" : "invalid_token";
	return false;
}

void resource_user(struct exchange *exchange)
{
	struct access_facts facts;
	if (!access_check(exchange, &facts))
		return;
	cJSON *json = cJSON_CreateObject();
	account_add(json, exchange->provider->name, facts.login);
	name_add(json, facts.login);
	exchange_answer_json(exchange, 200, json);
}

void resource_userinfo(struct exchange *exchange)
{
	struct access_facts facts;
	if (!access_check(exchange, &facts))
		return;
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "sub", facts.login);
	cJSON_AddStringToObject(json, "preferred_username", facts.login);
	name_add(json, facts.login);
	exchange_answer_json(exchange, 200, json);
}

void resource_validate(struct exchange *exchange)
{
	struct access_facts facts;
	if (!access_check(exchange, &facts))
		return;
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "login", facts.login);
	cJSON_AddStringToObject(json, "scope", facts.scope);
	cJSON_AddItemToObject(json, "expires_in_seconds",
		facts.expires_in_s ? cJSON_CreateNumber((double)facts.expires_in_s) : cJSON_CreateNull());
	exchange_answer_json(exchange, 200, json);
}

static cJSON *installation_make(const struct exchange *exchange, long number, const char *login)
{
	SCOPED(text_release) struct text page = {0};
	cJSON *json = cJSON_CreateObject();
	text_add_format(&page, "%s/%s/installations/%ld", exchange_base_url, exchange->provider->name, number);
	cJSON_AddNumberToObject(json, "id", (double)number);
	cJSON_AddStringToObject(json, "html_url", page.bytes);
	cJSON *account = cJSON_AddObjectToObject(json, "account");
	account_add(account, exchange->provider->name, login);
	cJSON_AddStringToObject(account, "type", "User");
	return json;
}

void resource_installations(struct exchange *exchange)
{
	struct access_facts facts;
	if (!access_check(exchange, &facts))
		return;
	long count = exchange->switches->installations;
	cJSON *json = cJSON_CreateObject();
	cJSON_AddNumberToObject(json, "total_count", (double)count);
	cJSON *list = cJSON_AddArrayToObject(json, "installations");
	for (long number = 1; number <= count; number++)
		cJSON_AddItemToArray(list, installation_make(exchange, number, facts.login));
	exchange_answer_json(exchange, 200, json);
}

/* RFC 7009 section 2.2: 200 also for a token that nobody knows. */
void revoke_token(struct exchange *exchange)
{
	const char *token = parameters_get(&exchange->form, "token");
	if (!client_identify(exchange, true))
		return;
	if (!token || exchange->form.broken || exchange->form.repeated) {
		exchange_answer_error(
			exchange, 400, "invalid_request", "token is missing, or parameters are malformed");
		return;
	}
	bool known = ledger_revoke(&exchange->provider->ledger, token, true);
	provider_count(exchange->provider, COUNTER_revocations);
	exchange_answer_json(exchange, 200, cJSON_CreateObject());
	exchange->outcome = known ? "revoked" : "unknown_token";
}

/* GitHub: DELETE /applications/{client_id}/grant with JSON {access_token} and Basic; 204. */
void revoke_grant(struct exchange *exchange)
{
	const cJSON *token = cJSON_GetObjectItemCaseSensitive(exchange->json, "access_token");
	if (!client_identify(exchange, true))
		return;
	if (exchange->client_auth != CLIENT_AUTH_BASIC ||
		strcmp(exchange->segments[0], exchange->switches->client_id) != 0) {
		exchange_answer_message(exchange, 404, "Not Found");
		return;
	}
	if (!cJSON_IsString(token) || !ledger_revoke(&exchange->provider->ledger, token->valuestring, true)) {
		exchange_answer_message(exchange, 422, "Validation Failed");
		return;
	}
	provider_count(exchange->provider, COUNTER_revocations);
	exchange_empty_answer(exchange);
	exchange->outcome = "revoked";
}

static void address_add(const struct exchange *exchange, cJSON *json, const char *name, const char *path)
{
	SCOPED(text_release) struct text address = {0};
	text_add_format(&address, "%s/%s%s", exchange_base_url, exchange->provider->name, path);
	cJSON_AddStringToObject(json, name, address.bytes);
}

static void words_add(cJSON *json, const char *name, const char *const *words, int count)
{
	cJSON_AddItemToObject(json, name, cJSON_CreateStringArray(words, count));
}

/* OpenID Connect Discovery 1.0 section 3, with what RFC 8414 adds. */
void discovery_show(struct exchange *exchange)
{
	static const struct {
		const char *name;
		const char *path;
	} addresses[] = {
		{"authorization_endpoint", "/authorize"},
		{"token_endpoint", "/token"},
		{"userinfo_endpoint", "/userinfo"},
		{"revocation_endpoint", "/revoke"},
		{"device_authorization_endpoint", "/device/code"},
	};
	static const char *const responses[] = {"code"};
	static const char *const methods[] = {"S256"};
	static const char *const grants[] = {
		"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"};
	static const char *const auths[] = {"client_secret_basic", "client_secret_post"};
	cJSON *json = cJSON_CreateObject();
	address_add(exchange, json, "issuer", exchange->switches->wrong_issuer ? "-impostor" : "");
	for (size_t i = 0; i < COUNT_OF(addresses); i++)
		address_add(exchange, json, addresses[i].name, addresses[i].path);
	words_add(json, "response_types_supported", responses, COUNT_OF(responses));
	words_add(json, "grant_types_supported", grants, COUNT_OF(grants));
	words_add(json, "code_challenge_methods_supported", methods, COUNT_OF(methods));
	words_add(json, "token_endpoint_auth_methods_supported", auths, COUNT_OF(auths));
	cJSON_AddBoolToObject(
		json, "authorization_response_iss_parameter_supported", exchange->switches->authorize_iss);
	exchange_answer_json(exchange, 200, json);
}
