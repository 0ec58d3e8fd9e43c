/* SPDX-License-Identifier: Apache-2.0 */
/* The control API under /_control: how a test tells a provider what to do and asks what it did. */
#include "provider_handlers.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Longer than any test waits for a gate; a forgotten poll must not hold its thread for ever. */
enum { GATE_AWAIT_DEFAULT_MS = 5000, GATE_AWAIT_MAX_MS = 120000 };

static const cJSON *member(const struct exchange *exchange, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(exchange->json, name);
}

/* The member as text; `otherwise` when it is absent or no text. */
static const char *member_text(const struct exchange *exchange, const char *name, const char *otherwise)
{
	const cJSON *value = member(exchange, name);
	return cJSON_IsString(value) ? value->valuestring : otherwise;
}

static long member_number(const struct exchange *exchange, const char *name, long otherwise)
{
	const cJSON *value = member(exchange, name);
	if (!cJSON_IsNumber(value) || !(value->valuedouble > -1e9 && value->valuedouble < 1e9))
		return otherwise;
	return (long)value->valuedouble;
}

static void name_add(struct provider *provider, void *names)
{
	cJSON_AddItemToArray(names, cJSON_CreateString(provider->name));
}

static void tokens_add(struct provider *provider, void *tokens)
{
	ledger_list(&provider->ledger, provider->name, tokens);
}

void control_list(struct exchange *exchange)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "url", exchange_base_url);
	provider_visit_all(name_add, cJSON_AddArrayToObject(json, "providers"));
	exchange_answer_json(exchange, 200, json);
}

void control_tokens(struct exchange *exchange)
{
	cJSON *json = cJSON_CreateObject();
	provider_visit_all(tokens_add, cJSON_AddArrayToObject(json, "tokens"));
	exchange_answer_json(exchange, 200, json);
}

void control_show(struct exchange *exchange)
{
	struct provider *provider = exchange->provider;
	SCOPED(text_release) struct text url = {0};
	cJSON *json = cJSON_CreateObject();
	text_add_format(&url, "%s/%s", exchange_base_url, provider->name);
	cJSON_AddStringToObject(json, "name", provider->name);
	cJSON_AddStringToObject(json, "url", url.bytes);
	struct switches *switches = provider_hold_switches(provider);
	cJSON_AddItemToObject(json, "switches", switches_to_json(switches));
	switches_drop(switches);
	cJSON_AddItemToObject(json, "counters", provider_counters_to_json(provider));
	cJSON_AddItemToObject(json, "gates", provider_gates_to_json(provider));
	exchange_answer_json(exchange, 200, json);
}

void control_change(struct exchange *exchange)
{
	struct refusal refusal = {0};
	if (!exchange->json)
		exchange_answer_message(exchange, 400, "a JSON body is needed (Content-Type: application/json)");
	else if (!provider_change_switches(exchange->provider, exchange->json, &refusal))
		exchange_answer_message(exchange, 400, refusal.why);
	else
		control_show(exchange);
}

void control_reset(struct exchange *exchange)
{
	provider_reset(exchange->provider);
	exchange_empty_answer(exchange);
}

void control_mint(struct exchange *exchange)
{
	struct provider *provider = exchange->provider;
	struct token_pair pair;
	exchange->switches = provider_hold_switches(provider);
	const struct switches *switches = exchange->switches;
	const cJSON *refresh = member(exchange, "refresh");
	struct grant grant = {
		.login = member_text(exchange, "login", switches->login),
		.scope = member_text(exchange, "scope", switches->scope),
	};
	struct token_rules rules = {
		.expires_in_s = member_number(exchange, "expires_in", switches->expires_in),
		.with_refresh = refresh ? cJSON_IsTrue(refresh) : switches->refresh_token,
	};
	ledger_mint_tokens(&provider->ledger, &grant, &rules, &pair);
	provider_count(provider, COUNTER_tokens_issued);
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "access_token", pair.access);
	cJSON_AddItemToObject(
		json, "refresh_token", pair.refresh[0] ? cJSON_CreateString(pair.refresh) : cJSON_CreateNull());
	cJSON_AddNumberToObject(json, "expires_in", (double)rules.expires_in_s);
	cJSON_AddStringToObject(json, "login", pair.login);
	cJSON_AddStringToObject(json, "scope", pair.scope);
	exchange_answer_json(exchange, 201, json);
}

void control_revoke(struct exchange *exchange)
{
	struct ledger *ledger = &exchange->provider->ledger;
	const char *access = member_text(exchange, "access_token", NULL);
	const char *refresh = member_text(exchange, "refresh_token", NULL);
	const char *login = member_text(exchange, "login", NULL);
	unsigned revoked = 0;
	if (!access && !refresh && !login && !cJSON_IsTrue(member(exchange, "all"))) {
		exchange_answer_message(exchange, 400, "access_token, refresh_token, login or all is needed");
		return;
	}
	if (access)
		revoked += ledger_revoke(ledger, access, false);
	if (refresh)
		revoked += ledger_revoke(ledger, refresh, false);
	if (!access && !refresh)
		revoked += ledger_revoke_login(ledger, login);
	cJSON *json = cJSON_CreateObject();
	cJSON_AddNumberToObject(json, "revoked", revoked);
	exchange_answer_json(exchange, 200, json);
}

void control_decide_device(struct exchange *exchange)
{
	const char *user_code = member_text(exchange, "user_code", NULL);
	const cJSON *approve = member(exchange, "approve");
	struct provider *provider = exchange->provider;
	exchange->switches = provider_hold_switches(provider);
	const char *login = member_text(exchange, "login", exchange->switches->login);
	if (!user_code || !cJSON_IsBool(approve))
		exchange_answer_message(exchange, 400, "user_code (text) and approve (true or false) are needed");
	else if (!ledger_decide_device(&provider->ledger, user_code, cJSON_IsTrue(approve), login))
		exchange_answer_message(exchange, 404, "no undecided device code has this user code");
	else
		exchange_empty_answer(exchange);
}

void control_requests(struct exchange *exchange)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddItemToObject(json, "requests", provider_records_to_json(exchange->provider));
	exchange_answer_json(exchange, 200, json);
}

/* The gate the path names; NULL after having put the 404 into the answer. */
static struct gate *gate_named(struct exchange *exchange)
{
	enum endpoint endpoint;
	if (endpoint_from_word(exchange->segments[0], &endpoint))
		return &exchange->provider->gates[endpoint];
	exchange_answer_message(exchange, 404, "no such endpoint");
	return NULL;
}

/* A whole number from the query; false after having put the 400 into the answer. */
static bool query_number(struct exchange *exchange, const char *name, long max, long *ret_number)
{
	const char *text = parameters_get(&exchange->query, name);
	char *end = NULL;
	if (!text)
		return true;
	long number = strtol(text, &end, 10);
	if (*end == '\0' && number >= 0 && number <= max) {
		*ret_number = number;
		return true;
	}
	exchange_answer_message(exchange, 400, "waiting and timeout_ms are whole numbers");
	return false;
}

void control_show_gate(struct exchange *exchange)
{
	struct gate *gate = gate_named(exchange);
	long waiting = 0;
	long timeout_ms = GATE_AWAIT_DEFAULT_MS;
	if (!gate || !query_number(exchange, "waiting", INT_MAX, &waiting) ||
		!query_number(exchange, "timeout_ms", GATE_AWAIT_MAX_MS, &timeout_ms))
		return;
	bool reached = gate_await(gate, (unsigned)waiting, timeout_ms);
	exchange_answer_json(exchange, reached ? 200 : 408, gate_to_json(gate));
}

void control_set_gate(struct exchange *exchange)
{
	struct gate *gate = gate_named(exchange);
	enum gate_state state;
	enum gate_moment moment;
	if (!gate)
		return;
	if (!gate_state_from_word(member_text(exchange, "state", ""), &state)) {
		exchange_answer_message(exchange, 400, "state takes open|closed|once");
		return;
	}
	if (!gate_moment_from_word(member_text(exchange, "moment", "before"), &moment)) {
		exchange_answer_message(exchange, 400, "moment takes before|after");
		return;
	}
	gate_set(gate, state, moment);
	exchange_answer_json(exchange, 200, gate_to_json(gate));
}

void control_release_gate(struct exchange *exchange)
{
	struct gate *gate = gate_named(exchange);
	if (!gate)
		return;
	long count = member_number(exchange, "count", 1);
	unsigned released = gate_release(gate, count > 0 ? (unsigned)count : 0);
	cJSON *json = gate_to_json(gate);
	cJSON_AddNumberToObject(json, "released", released);
	exchange_answer_json(exchange, 200, json);
}
