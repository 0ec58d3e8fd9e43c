/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes, and the one way a request goes: read, gate, fault, handler, gate, log, answer. */
#include "provider_handlers.h"

#include <stdio.h>
#include <string.h>

/* Longer than any client waits, short enough that a forgotten request ends. */
enum { BLACK_HOLE_LIMIT_MS = 120000 };

enum scope { SCOPE_PROCESS, SCOPE_CONTROL, SCOPE_PROVIDER };

struct route {
	const char *method;
	enum scope scope;
	const char *path; /* after the provider's name where there is one; a star stands for one segment */
	enum endpoint endpoint;
	void (*handle)(struct exchange *exchange);
};

static const struct route routes[] = {
	{"GET", SCOPE_PROVIDER, "/user", ENDPOINT_VALIDATE, resource_user},
	{"GET", SCOPE_PROVIDER, "/userinfo", ENDPOINT_VALIDATE, resource_userinfo},
	{"GET", SCOPE_PROVIDER, "/validate", ENDPOINT_VALIDATE, resource_validate},
	{"GET", SCOPE_PROVIDER, "/authorize", ENDPOINT_AUTHORIZE, authorize_show},
	{"POST", SCOPE_PROVIDER, "/authorize", ENDPOINT_AUTHORIZE, authorize_decide},
	{"POST", SCOPE_PROVIDER, "/token", ENDPOINT_TOKEN, token_grant},
	{"GET", SCOPE_PROVIDER, "/installations", ENDPOINT_INSTALLATIONS, resource_installations},
	{"POST", SCOPE_PROVIDER, "/revoke", ENDPOINT_REVOKE, revoke_token},
	{"DELETE", SCOPE_PROVIDER, "/applications/*/grant", ENDPOINT_REVOKE, revoke_grant},
	{"POST", SCOPE_PROVIDER, "/device/code", ENDPOINT_DEVICE, device_begin},
	{"GET", SCOPE_PROVIDER, "/device", ENDPOINT_VERIFY, device_show},
	{"POST", SCOPE_PROVIDER, "/device", ENDPOINT_VERIFY, device_decide},
	{"GET", SCOPE_PROVIDER, "/.well-known/openid-configuration", ENDPOINT_DISCOVERY, discovery_show},

	{"GET", SCOPE_PROCESS, "/_control", ENDPOINT_COUNT, control_list},
	{"GET", SCOPE_PROCESS, "/_control/tokens", ENDPOINT_COUNT, control_tokens},
	{"GET", SCOPE_CONTROL, "", ENDPOINT_COUNT, control_show},
	{"PUT", SCOPE_CONTROL, "", ENDPOINT_COUNT, control_change},
	{"DELETE", SCOPE_CONTROL, "", ENDPOINT_COUNT, control_reset},
	{"POST", SCOPE_CONTROL, "/tokens", ENDPOINT_COUNT, control_mint},
	{"POST", SCOPE_CONTROL, "/revoke", ENDPOINT_COUNT, control_revoke},
	{"POST", SCOPE_CONTROL, "/device", ENDPOINT_COUNT, control_decide_device},
	{"GET", SCOPE_CONTROL, "/requests", ENDPOINT_COUNT, control_requests},
	{"GET", SCOPE_CONTROL, "/gates/*", ENDPOINT_COUNT, control_show_gate},
	{"PUT", SCOPE_CONTROL, "/gates/*", ENDPOINT_COUNT, control_set_gate},
	{"POST", SCOPE_CONTROL, "/gates/*/release", ENDPOINT_COUNT, control_release_gate},
};

static const char control_prefix[] = "/_control/";
static atomic_long in_flight;
static struct gate doors; /* open as soon as the process knows its own URL */

long route_in_flight(void)
{
	return atomic_load(&in_flight);
}

void route_close_doors(void)
{
	gate_make(&doors);
	gate_set(&doors, GATE_CLOSED, GATE_BEFORE);
}

void route_open_doors(void)
{
	gate_set(&doors, GATE_OPEN, GATE_BEFORE);
}

/* Takes "/name" off the front of `path` and gives the rest; NULL when there is no lawful name. */
static const char *path_take_name(const char *path, char ret_name[PROVIDER_NAME_SIZE])
{
	if (*path != '/')
		return NULL;
	size_t length = strcspn(path + 1, "/");
	if (length >= PROVIDER_NAME_SIZE)
		return NULL;
	memcpy(ret_name, path + 1, length);
	ret_name[length] = '\0';
	return provider_name_is_lawful(ret_name) ? path + 1 + length : NULL;
}

static bool path_match(const char *pattern, const char *path, char segments[SEGMENT_COUNT_MAX][SEGMENT_SIZE])
{
	for (unsigned star = 0; *pattern; pattern++) {
		if (*pattern != '*') {
			if (*pattern != *path++)
				return false;
			continue;
		}
		size_t length = strcspn(path, "/");
		if (length == 0 || length >= SEGMENT_SIZE || star == SEGMENT_COUNT_MAX)
			return false;
		memcpy(segments[star], path, length);
		segments[star++][length] = '\0';
		path += length;
	}
	return *path == '\0';
}

/* Finds the route of method and path; with NULL, `ret_known` tells whether another method would have one. */
static const struct route *route_find(
	struct exchange *exchange, enum scope scope, const char *path, const char *method, bool *ret_known)
{
	for (size_t i = 0; i < COUNT_OF(routes); i++) {
		if (routes[i].scope != scope || !path_match(routes[i].path, path, exchange->segments))
			continue;
		*ret_known = true;
		if (strcmp(routes[i].method, method) == 0)
			return &routes[i];
	}
	return NULL;
}

/* Tells what the path is about, and puts the provider it names into the exchange. */
static const struct route *route_choose(struct exchange *exchange, bool *ret_known)
{
	char name[PROVIDER_NAME_SIZE];
	const char *path = exchange->info->local_uri;
	const char *method = exchange->info->request_method;
	const struct route *route = route_find(exchange, SCOPE_PROCESS, path, method, ret_known);
	if (route || *ret_known)
		return route;
	bool control = strncmp(path, control_prefix, sizeof(control_prefix) - 1) == 0;
	const char *rest = path_take_name(control ? path + sizeof(control_prefix) - 2 : path, name);
	if (!rest)
		return NULL;
	route = route_find(exchange, control ? SCOPE_CONTROL : SCOPE_PROVIDER, rest, method, ret_known);
	if (route)
		exchange->provider = provider_find(name);
	return exchange->provider ? route : NULL;
}

/* The answer that a fault makes up. */
static void fault_answer(struct exchange *exchange, const struct fault *fault)
{
	exchange->outcome = "fault";
	if (fault->error) {
		exchange_answer_error(exchange, 400, fault->error, "a fault that was asked for");
	} else if (fault->redirect) {
		exchange_answer_redirect(exchange, fault->redirect);
	} else {
		exchange_empty_answer(exchange);
		exchange->answer.status = 200;
		exchange->answer.content_type = "application/json";
		text_add(&exchange->answer.body,
			fault->body ? fault->body : "{\"message\":\"a fault that was asked for\"}");
	}
	if (fault->status)
		exchange->answer.status = (int)fault->status;
}

static void fault_shape_answer(struct exchange *exchange, const struct fault *fault)
{
	if (fault_replaces_answer(fault))
		fault_answer(exchange, fault);
	if (fault->content_type)
		exchange->answer.content_type = fault->content_type;
	const cJSON *header;
	cJSON_ArrayForEach(header, fault->headers) exchange_add_header(exchange, header->string, header->valuestring);
	if (fault->black_hole)
		exchange->outcome = "black_hole";
}

/* Does what the provider does with the request, under the fault that befalls it. */
static void exchange_carry_out(struct exchange *exchange, const struct route *route)
{
	const struct fault *fault = exchange->fault;
	if (fault && fault->delay_ms)
		patience_sleep(fault->delay_ms);
	if (!fault || fault_commits(fault))
		route->handle(exchange);
	if (fault)
		fault_shape_answer(exchange, fault);
}

/* The refresh token a request at the token endpoint spends, wherever the provider's dialect puts it. */
static const char *refresh_in(const struct exchange *exchange)
{
	if (exchange->endpoint != ENDPOINT_TOKEN)
		return NULL;
	const char *refresh = parameters_get(&exchange->form, "refresh_token");
	return refresh ? refresh : parameters_get(&exchange->form, "assertion");
}

static void exchange_serve_endpoint(struct exchange *exchange, const struct route *route)
{
	struct provider *provider = exchange->provider;
	struct gate *gate = &provider->gates[route->endpoint];
	exchange->endpoint = route->endpoint;
	const char *refresh = refresh_in(exchange);
	provider_begin_request(provider, route->endpoint);
	if (refresh && ledger_count_refresh(&provider->ledger, refresh, 1) > 1)
		provider_count(provider, COUNTER_refreshes_overlapping);
	gate_pass(gate, GATE_BEFORE);
	/* Switches are read behind the gate: a test may change them while a request stands there. */
	exchange->switches = provider_hold_switches(provider);
	exchange->fault = provider_claim_fault(provider, exchange->switches, route->endpoint);
	exchange_carry_out(exchange, route);
	gate_pass(gate, GATE_AFTER);
	if (refresh)
		ledger_count_refresh(&provider->ledger, refresh, -1);
	/* The log is written before the answer leaves, so that who has the answer finds it there. */
	exchange_record(exchange);
	if (exchange->fault && exchange->fault->black_hole)
		gate_fall_into_black_hole(gate, BLACK_HOLE_LIMIT_MS);
}

static void exchange_serve(struct exchange *exchange)
{
	bool known = false;
	const struct route *route = route_choose(exchange, &known);
	if (!exchange_read(exchange))
		return;
	if (!route) {
		exchange_answer_message(exchange, known ? 405 : 404, known ? "not with this method" : "no such path");
		return;
	}
	if (route->scope == SCOPE_PROVIDER)
		exchange_serve_endpoint(exchange, route);
	else
		route->handle(exchange);
}

int route_serve(struct mg_connection *connection)
{
	struct exchange exchange = {
		.connection = connection,
		.info = mg_get_request_info(connection),
		.endpoint = ENDPOINT_COUNT,
		.started_ms = clock_steady_ms(),
		.at_ms = clock_calendar_ms(),
		.client_auth = CLIENT_AUTH_NONE,
	};
	atomic_fetch_add(&in_flight, 1);
	gate_pass(&doors, GATE_BEFORE);
	exchange_serve(&exchange);
	exchange_send(&exchange);
	int status = exchange.answer.status;
	exchange_release(&exchange);
	atomic_fetch_sub(&in_flight, 1);
	return status ? status : 200;
}
