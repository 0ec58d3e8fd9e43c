/* SPDX-License-Identifier: Apache-2.0 */
/* The device flow (RFC 8628): the endpoint that hands out codes, and the page where a person types one in. Polling is
 * the token endpoint's business. */
#include "provider_handlers.h"

#include <string.h>

static void address_add(cJSON *json, const char *name, const char *provider, const char *user_code)
{
	SCOPED(text_release) struct text address = {0};
	text_add_format(&address, "%s/%s/device", exchange_base_url, provider);
	if (user_code)
		text_add_format(&address, "?user_code=%s", user_code);
	cJSON_AddStringToObject(json, name, address.bytes);
}

void device_begin(struct exchange *exchange)
{
	const struct switches *switches = exchange->switches;
	const char *client = parameters_get(&exchange->form, "client_id");
	char device_code[SECRET_SIZE];
	char user_code[SECRET_SIZE];
	if (switches->device_secret && !client_identify(exchange, true))
		return;
	/* A device cannot keep a secret (RFC 8628 section 5.6): its client id is enough. */
	if (!client || strcmp(client, switches->client_id) != 0) {
		exchange_answer_error(exchange, 401, "invalid_client", "unknown client_id");
		return;
	}
	struct grant grant = {
		.scope = switches->scope ? switches->scope : parameters_get(&exchange->form, "scope"),
		.life_s = switches->device_expires_in,
	};
	ledger_issue_device(&exchange->provider->ledger, &grant, switches->device_interval, device_code, user_code);
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "device_code", device_code);
	cJSON_AddStringToObject(json, "user_code", user_code);
	address_add(json, "verification_uri", exchange->provider->name, NULL);
	address_add(json, "verification_uri_complete", exchange->provider->name, user_code);
	cJSON_AddNumberToObject(json, "expires_in", (double)switches->device_expires_in);
	if (switches->device_interval_sent)
		cJSON_AddNumberToObject(json, "interval", (double)switches->device_interval);
	bool as_form = switches->device_answer == DEVICE_ANSWER_FORM ||
		       (switches->device_answer == DEVICE_ANSWER_NEGOTIATE && !exchange_wants_json(exchange));
	if (!as_form) {
		exchange_answer_json(exchange, 200, json);
		return;
	}
	exchange_answer_form(exchange, json);
	cJSON_Delete(json);
}

void device_show(struct exchange *exchange)
{
	SCOPED(text_release) struct text page = {0};
	const char *user_code = parameters_get(&exchange->query, "user_code");
	text_add(&page, "<p>Type the code that your device shows.</p><form method=\"post\">"
			"<p><label>Code <input name=\"user_code\" value=\"");
	text_add_html(&page, user_code ? user_code : "");
	text_add(&page, "\"></label></p><p><label>Account <input name=\"login\" value=\"");
	text_add_html(&page, exchange->switches->login);
	text_add(&page, "\"></label></p><button name=\"decision\" value=\"approve\">Approve</button>"
			"<button name=\"decision\" value=\"deny\">Deny</button></form>");
	exchange_answer_page(exchange, "Connect a device", &page);
}

void device_decide(struct exchange *exchange)
{
	SCOPED(text_release) struct text page = {0};
	const char *user_code = parameters_get(&exchange->form, "user_code");
	const char *decision = parameters_get(&exchange->form, "decision");
	const char *login = parameters_get(&exchange->form, "login");
	bool approve = decision && strcmp(decision, "approve") == 0;
	bool decided = user_code && ledger_decide_device(&exchange->provider->ledger, user_code, approve,
					    login ? login : exchange->switches->login);
	text_add(&page, !decided  ? "<p>There is no such code, or it was used or has expired.</p>"
			: approve ? "<p>Approved. You may go back to your device.</p>"
				  : "<p>Denied.</p>");
	exchange_answer_page(exchange, "Connect a device", &page);
	exchange->answer.status = decided ? 200 : 400;
	exchange->outcome = !decided ? "unknown_code" : approve ? "approved" : "denied";
}
