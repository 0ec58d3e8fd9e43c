/* SPDX-License-Identifier: Apache-2.0 */
/* Reading requests and building answers; see provider_exchange.h. Forms are parsed here because CivetWeb's own form
 * parser loops for ever on a NUL (CVE-2025-9648). */
#include "provider_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char exchange_base_url[256];
atomic_bool exchange_crowded;

/* What must not stand in the request log. */
static const char *const secret_names[] = {"access_token", "refresh_token", "token", "code", "code_verifier",
	"client_secret", "client_assertion", "assertion", "device_code", "authorization"};

static const struct {
	const char *oauth;
	const char *github;
} github_errors[] = {
	{"invalid_client", "incorrect_client_credentials"},
	{"invalid_grant", "bad_refresh_token"},
};

static bool is_repeated(const struct parameters *parameters, const char *name)
{
	for (unsigned i = 0; i + 1 < parameters->count; i++) {
		if (strcmp(parameters->list[i].name, name) == 0)
			return true;
	}
	return false;
}

static void parameters_add(struct parameters *parameters, const char *name, const char *value)
{
	if (parameters->count == PARAMETER_COUNT_MAX) {
		parameters->broken = true;
		return;
	}
	parameters->list[parameters->count++] = (struct parameter){name, value};
	parameters->repeated |= is_repeated(parameters, name);
}

static void parameters_read_form(struct parameters *parameters, const char *encoded)
{
	parameters->text = memory_copy(encoded);
	char *rest = parameters->text;
	while (rest && *rest) {
		char *name = strsep(&rest, "&");
		char *value = strchr(name, '=');
		if (value)
			*value++ = '\0';
		if (!form_decode(name) || (value && !form_decode(value))) {
			parameters->broken = true;
			return;
		}
		if (*name)
			parameters_add(parameters, name, value ? value : "");
	}
}

/* GitHub takes JSON where OAuth has forms, and its own client libraries send it. */
static void parameters_read_json(struct parameters *parameters, const cJSON *object)
{
	const cJSON *value;
	if (!cJSON_IsObject(object))
		return;
	cJSON_ArrayForEach(value, object)
	{
		if (cJSON_IsString(value))
			parameters_add(parameters, value->string, value->valuestring);
	}
}

const char *parameters_get(const struct parameters *parameters, const char *name)
{
	for (unsigned i = 0; i < parameters->count; i++) {
		if (strcmp(parameters->list[i].name, name) == 0)
			return *parameters->list[i].value ? parameters->list[i].value : NULL;
	}
	return NULL;
}

/* Reads on, up to a second bound: a connection closed on unread bytes is reset, and the refusal is lost with it. */
static void body_discard(const struct exchange *exchange)
{
	char piece[16384];
	for (size_t discarded = 0; discarded < BODY_MAX_BYTES_DISCARDED;) {
		int count = mg_read(exchange->connection, piece, sizeof(piece));
		if (count <= 0)
			return;
		discarded += (size_t)count;
	}
}

/* Reads what was announced, or chunks until their end, up to the bound; NULL when it is more or breaks off. */
static char *body_read(const struct exchange *exchange, size_t *ret_length)
{
	SCOPED(text_release) struct text body = {0};
	char piece[16384];
	long long announced = exchange->info->content_length;
	if (announced > BODY_MAX_BYTES_READ)
		return NULL;
	while (announced < 0 || (long long)body.length < announced) {
		int count = mg_read(exchange->connection, piece, sizeof(piece));
		if (count < 0 || (count == 0 && announced > 0))
			return NULL;
		if (count == 0)
			break;
		text_add_bytes(&body, piece, (size_t)count);
		if (body.length > BODY_MAX_BYTES_READ)
			return NULL;
	}
	text_add(&body, "");
	char *bytes = body.bytes;
	*ret_length = body.length;
	body = (struct text){0};
	return bytes;
}

static bool type_is(const struct exchange *exchange, const char *type)
{
	const char *label = mg_get_header(exchange->connection, "Content-Type");
	return label && strncasecmp(label, type, strlen(type)) == 0;
}

static bool refuse(struct exchange *exchange, int status, const char *why)
{
	/* What was not read must not be taken for the next request. */
	mg_disable_keep_alive(exchange->connection);
	exchange_answer_message(exchange, status, why);
	return false;
}

bool exchange_read(struct exchange *exchange)
{
	size_t length = 0;
	/* CivetWeb drops fields beyond its 64 silently, a length among them perhaps. */
	if (exchange->info->num_headers >= MG_MAX_HEADERS)
		return refuse(exchange, 431, "too many header fields");
	if (exchange->info->query_string)
		parameters_read_form(&exchange->query, exchange->info->query_string);
	bool has_body = exchange->info->content_length > 0 || mg_get_header(exchange->connection, "Transfer-Encoding");
	if (!has_body)
		return true;
	exchange->body = body_read(exchange, &length);
	if (!exchange->body) {
		body_discard(exchange);
		return refuse(exchange, 413, "the body is too long or broken off");
	}
	if (strlen(exchange->body) != length)
		return refuse(exchange, 400, "the body has a NUL in it");
	if (type_is(exchange, "application/x-www-form-urlencoded"))
		parameters_read_form(&exchange->form, exchange->body);
	if (!type_is(exchange, "application/json"))
		return true;
	exchange->json = cJSON_ParseWithOpts(exchange->body, NULL, 1);
	if (!exchange->json)
		return refuse(exchange, 400, "the body is not JSON");
	parameters_read_json(&exchange->form, exchange->json);
	return true;
}

void exchange_release(struct exchange *exchange)
{
	free(exchange->query.text);
	free(exchange->form.text);
	free(exchange->body);
	cJSON_Delete(exchange->json);
	text_release(&exchange->answer.headers);
	text_release(&exchange->answer.body);
	switches_drop(exchange->switches);
}

const char *exchange_bearer(const struct exchange *exchange)
{
	static const char *const schemes[] = {"Bearer ", "token "};
	const char *authorization = mg_get_header(exchange->connection, "Authorization");
	for (size_t i = 0; authorization && i < COUNT_OF(schemes); i++) {
		if (strncasecmp(authorization, schemes[i], strlen(schemes[i])) == 0)
			return authorization + strlen(schemes[i]);
	}
	return NULL;
}

void exchange_empty_answer(struct exchange *exchange)
{
	text_release(&exchange->answer.headers);
	text_release(&exchange->answer.body);
	exchange->answer = (struct answer){.status = 204};
}

void exchange_answer_json(struct exchange *exchange, int status, cJSON *json)
{
	exchange_empty_answer(exchange);
	exchange->answer.status = status;
	exchange->answer.content_type = "application/json";
	text_add_json(&exchange->answer.body, json);
	cJSON_Delete(json);
}

bool exchange_wants_json(const struct exchange *exchange)
{
	const char *accept = mg_get_header(exchange->connection, "Accept");
	return accept && strstr(accept, "application/json");
}

void exchange_answer_form(struct exchange *exchange, const cJSON *json)
{
	exchange_empty_answer(exchange);
	exchange->answer.status = 200;
	exchange->answer.content_type = "application/x-www-form-urlencoded; charset=utf-8";
	struct text *body = &exchange->answer.body;
	const cJSON *member;
	cJSON_ArrayForEach(member, json)
	{
		SCOPED(text_release) struct text printed = {0};
		text_add_json(&printed, member);
		text_add_format(body, "%s%s=", member == json->child ? "" : "&", member->string);
		text_add_encoded(body, cJSON_IsString(member) ? member->valuestring : printed.bytes);
	}
}

static const char *github_error(const char *error)
{
	for (size_t i = 0; i < COUNT_OF(github_errors); i++) {
		if (strcmp(github_errors[i].oauth, error) == 0)
			return github_errors[i].github;
	}
	return error;
}

void exchange_answer_error(struct exchange *exchange, int status, const char *error, const char *description)
{
	bool github = exchange->switches && exchange->switches->error_style == ERROR_STYLE_GITHUB;
	cJSON *json = cJSON_CreateObject();
	exchange->outcome = github ? github_error(error) : error;
	cJSON_AddStringToObject(json, "error", exchange->outcome);
	cJSON_AddStringToObject(json, "error_description", description);
	exchange_answer_json(exchange, github ? 200 : status, json);
	if (!github && status == 401)
		exchange_add_header(exchange, "WWW-Authenticate", "Basic realm=\"demo\"");
}

void exchange_answer_message(struct exchange *exchange, int status, const char *message)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "message", message);
	exchange_answer_json(exchange, status, json);
	exchange->outcome = "refused";
}

void exchange_answer_redirect(struct exchange *exchange, const char *location)
{
	exchange_empty_answer(exchange);
	exchange->answer.status = 302;
	exchange_add_header(exchange, "Location", location);
}

void exchange_answer_page(struct exchange *exchange, const char *title, const struct text *content)
{
	static const char style[] = "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
				    "<style>body{font:16px/1.5 sans-serif;max-width:32em;margin:4em auto;padding:0 1em}"
				    "button{font:inherit;padding:.4em 1.2em;margin-right:.6em}</style>";
	exchange_empty_answer(exchange);
	struct answer *answer = &exchange->answer;
	answer->status = 200;
	answer->content_type = "text/html; charset=utf-8";
	text_add_format(&answer->body, "<!doctype html><html lang=\"en\">%s<title>", style);
	text_add_html(&answer->body, title);
	text_add(&answer->body, "</title><h1>");
	text_add_html(&answer->body, title);
	text_add_format(&answer->body, "</h1>%s</html>\n", content->bytes);
}

void exchange_add_header(struct exchange *exchange, const char *name, const char *value)
{
	/* Values come from requests and switches: one with a line break would split the answer. */
	if (strpbrk(value, "\r\n"))
		return;
	text_add_format(&exchange->answer.headers, "%s: %s\r\n", name, value);
}

static bool is_secret(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(secret_names); i++) {
		if (strcmp(secret_names[i], name) == 0)
			return true;
	}
	return false;
}

static void value_add(cJSON *values, const char *name, const char *value)
{
	char fingerprint[FINGERPRINT_SIZE];
	if (is_secret(name))
		secret_fingerprint(value, fingerprint);
	cJSON_AddStringToObject(values, name, is_secret(name) ? fingerprint : value);
}

/* All parameters as JSON text, or NULL when there are none. */
static char *values_print(const struct exchange *exchange)
{
	const char *bearer = exchange_bearer(exchange);
	if (exchange->query.count + exchange->form.count == 0 && !bearer)
		return NULL;
	SCOPED(json_release) cJSON *values = cJSON_CreateObject();
	for (unsigned i = 0; i < exchange->query.count; i++)
		value_add(values, exchange->query.list[i].name, exchange->query.list[i].value);
	for (unsigned i = 0; i < exchange->form.count; i++)
		value_add(values, exchange->form.list[i].name, exchange->form.list[i].value);
	if (bearer)
		value_add(values, "authorization", bearer);
	return cJSON_PrintUnformatted(values);
}

void exchange_record(struct exchange *exchange)
{
	struct record record = {
		.at_ms = exchange->at_ms,
		.took_ms = clock_steady_ms() - exchange->started_ms,
		.status = exchange->answer.status,
		.fault = exchange->fault != NULL,
		.endpoint = exchange->endpoint,
		.client_auth = exchange->client_auth,
		.values = values_print(exchange),
	};
	snprintf(record.method, sizeof(record.method), "%s", exchange->info->request_method);
	snprintf(record.path, sizeof(record.path), "%s", exchange->info->local_uri);
	snprintf(record.outcome, sizeof(record.outcome), "%s", exchange->outcome ? exchange->outcome : "ok");
	provider_end_request(exchange->provider, exchange->endpoint);
	provider_record(exchange->provider, &record);
}
