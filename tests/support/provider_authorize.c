/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization endpoint: checks the request as RFC 6749 section 4.1.1 and RFC 7636 section 4.3 say, approves by
 * itself or asks on a page, and sends the browser back, wrongly where it is switched to. */
#include "provider_handlers.h"

#include <string.h>
#include <strings.h>

static bool is_web_url(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* Without a client and a redirect URI to trust, the error stays here (RFC 6749 section 4.1.2.1). */
static const char *request_find_untrusted(const struct exchange *exchange)
{
	const struct switches *switches = exchange->switches;
	const char *client = parameters_get(&exchange->query, "client_id");
	const char *redirect_uri = parameters_get(&exchange->query, "redirect_uri");
	if (exchange->query.broken)
		return "the query is malformed";
	if (exchange->query.repeated)
		return "a parameter is repeated";
	if (!client || strcmp(client, switches->client_id) != 0)
		return "unknown client_id";
	if (!redirect_uri || !is_web_url(redirect_uri) || strchr(redirect_uri, '#'))
		return "redirect_uri must be an http or https URL without fragment";
	if (switches->redirect_uri && strcmp(redirect_uri, switches->redirect_uri) != 0)
		return "redirect_uri is not the registered one";
	return NULL;
}

/* The error to send back for a request whose client is known, or NULL. */
static const char *request_find_error(const struct exchange *exchange)
{
	const struct parameters *query = &exchange->query;
	const char *type = parameters_get(query, "response_type");
	const char *challenge = parameters_get(query, "code_challenge");
	const char *method = parameters_get(query, "code_challenge_method");
	if (!type)
		return "invalid_request";
	if (strcmp(type, "code") != 0 && strcmp(type, "Assertion") != 0)
		return "unsupported_response_type";
	if (exchange->switches->pkce == PKCE_IGNORED)
		return NULL;
	if (!challenge)
		return exchange->switches->pkce == PKCE_REQUIRED ? "invalid_request" : NULL;
	/* Without a method it would be "plain", which nobody should use; 43 characters are a SHA-256. */
	return method && strcmp(method, "S256") == 0 && strlen(challenge) == 43 ? NULL : "invalid_request";
}

static void location_add(struct text *location, const char *name, const char *value)
{
	if (!value)
		return;
	text_add(location, strchr(location->bytes, '?') ? "&" : "?");
	text_add_format(location, "%s=", name);
	text_add_encoded(location, value);
}

static void send_back(struct exchange *exchange, const char *name, const char *value)
{
	const struct switches *switches = exchange->switches;
	SCOPED(text_release) struct text location = {0};
	SCOPED(text_release) struct text issuer = {0};
	const char *state = parameters_get(&exchange->query, "state");
	if (switches->authorize_fault == AUTHORIZE_WRONG_STATE)
		state = "not-the-state-you-sent";
	if (switches->authorize_fault == AUTHORIZE_NO_STATE)
		state = NULL;
	bool wrong_iss = switches->authorize_fault == AUTHORIZE_WRONG_ISS;
	text_add_format(&issuer, "%s/%s%s", exchange_base_url, exchange->provider->name, wrong_iss ? "-impostor" : "");
	text_add(&location, parameters_get(&exchange->query, "redirect_uri"));
	location_add(&location, name, value);
	location_add(&location, "state", state);
	location_add(&location, "iss", switches->authorize_iss || wrong_iss ? issuer.bytes : NULL);
	exchange_answer_redirect(exchange, location.bytes);
}

static void send_back_error(struct exchange *exchange, const char *error)
{
	send_back(exchange, "error", error);
	exchange->outcome = error;
}

static void approve(struct exchange *exchange, const char *login)
{
	const struct switches *switches = exchange->switches;
	char code[SECRET_SIZE];
	struct grant grant = {
		.login = login,
		.scope = switches->scope ? switches->scope : parameters_get(&exchange->query, "scope"),
		.redirect_uri = parameters_get(&exchange->query, "redirect_uri"),
		.challenge = parameters_get(&exchange->query, "code_challenge"),
		.life_s = switches->code_expires_in,
	};
	if (switches->authorize_fault == AUTHORIZE_NO_CODE) {
		send_back(exchange, "code", NULL);
		return;
	}
	ledger_issue_code(&exchange->provider->ledger, &grant, code);
	provider_count(exchange->provider, COUNTER_codes_issued);
	send_back(exchange, "code", code);
	exchange->outcome = "approved";
}

static const char *login_wanted(const struct exchange *exchange)
{
	const char *login = parameters_get(&exchange->form, "login");
	if (!login)
		login = parameters_get(&exchange->query, "login");
	return login ? login : exchange->switches->login;
}

static void ask(struct exchange *exchange)
{
	SCOPED(text_release) struct text page = {0};
	const char *scope = parameters_get(&exchange->query, "scope");
	text_add(&page, "<p><strong>");
	text_add_html(&page, exchange->switches->client_id);
	text_add(&page, "</strong> asks to act for you at <strong>");
	text_add_html(&page, exchange->provider->name);
	text_add(&page, "</strong>");
	text_add(&page, scope ? ", with the scope <em>" : "");
	text_add_html(&page, scope ? scope : "");
	text_add(&page, scope ? "</em>" : "");
	/* A form without an action posts to the page's own address, query included. */
	text_add(&page, ".</p><form method=\"post\"><p><label>Account <input name=\"login\" value=\"");
	text_add_html(&page, login_wanted(exchange));
	text_add(&page, "\"></label></p><button name=\"decision\" value=\"approve\">Approve</button>"
			"<button name=\"decision\" value=\"deny\">Deny</button></form>");
	exchange_answer_page(exchange, "Demonstration provider", &page);
	exchange->outcome = "asked";
}

/* Answers what needs no decision of the user; false when the request is good. */
static bool request_refuse(struct exchange *exchange)
{
	const char *untrusted = request_find_untrusted(exchange);
	if (untrusted) {
		exchange_answer_message(exchange, 400, untrusted);
		return true;
	}
	const char *error = request_find_error(exchange);
	if (!error && exchange->switches->authorize_fault == AUTHORIZE_ACCESS_DENIED)
		error = "access_denied";
	if (error)
		send_back_error(exchange, error);
	return error != NULL;
}

void authorize_show(struct exchange *exchange)
{
	if (request_refuse(exchange))
		return;
	if (exchange->switches->consent)
		ask(exchange);
	else
		approve(exchange, login_wanted(exchange));
}

void authorize_decide(struct exchange *exchange)
{
	const char *decision = parameters_get(&exchange->form, "decision");
	if (request_refuse(exchange))
		return;
	if (decision && strcmp(decision, "approve") == 0)
		approve(exchange, login_wanted(exchange));
	else
		send_back_error(exchange, "access_denied");
}
