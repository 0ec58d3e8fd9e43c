/* SPDX-License-Identifier: Apache-2.0 */
/* Building the answer in the request's arena, so that the server writes it with one call. */
#include "reply.h"

#include <string.h>
#include <strings.h>

static const char TYPE_JSON[] = "application/json";
static const char TYPE_HTML[] = "text/html; charset=utf-8";

static void set_body(struct reply *reply, int status, const char *content_type, const char *body)
{
	reply->status = status;
	reply->content_type = content_type;
	reply->body = body;
	reply->body_size = body == NULL ? 0 : strlen(body);
}

void reply_json(struct reply *reply, int status, struct json *root)
{
	set_body(reply, status, TYPE_JSON, json_print(root, reply->arena));
	json_free(root);
}

void reply_json_text(struct reply *reply, int status, const char *json)
{
	set_body(reply, status, TYPE_JSON, json);
}

void reply_empty(struct reply *reply, int status)
{
	set_body(reply, status, NULL, NULL);
}

void reply_html(struct reply *reply, int status, const char *page)
{
	set_body(reply, status, TYPE_HTML, page);
}

void reply_text(struct reply *reply, int status, const char *content_type, const char *text)
{
	set_body(reply, status, content_type, arena_copy(reply->arena, text));
}

void reply_redirect(struct reply *reply, const char *location)
{
	reply_empty(reply, 303);
	reply_add_header(reply, "Location", location);
}

static bool value_is_sane(const char *value)
{
	for (const unsigned char *at = (const unsigned char *)value; *at != '\0'; at++)
		if ((*at < 0x20 && *at != '\t') || *at == 0x7f)
			return false;
	return true;
}

void reply_add_header(struct reply *reply, const char *name, const char *value)
{
	size_t at = 0;

	if (value == NULL || !value_is_sane(value))
		return;
	/* The same name again replaces the value, but for cookies, of which there may be several. */
	while (at < reply->header_count &&
		(strcasecmp(reply->headers[at].name, name) != 0 || strcasecmp(name, "Set-Cookie") == 0))
		at++;
	if (at == REPLY_HEADERS_MAX)
		return;
	reply->headers[at].name = name;
	reply->headers[at].value = arena_copy(reply->arena, value);
	if (at == reply->header_count)
		reply->header_count++;
}

static void add_violations(struct json *root, const struct problem *problem)
{
	struct json *validations;

	if (problem->violation_count == 0)
		return;
	validations = json_add_array(root, "validations");
	for (size_t i = 0; i < problem->violation_count; i++) {
		struct json *violation = json_push_object(validations);

		json_add_string(violation, "field", problem->violations[i].field);
		json_add_string(violation, "detail", problem->violations[i].detail);
	}
}

static struct json *show_problem(const struct problem *problem, const char *request_id)
{
	struct json *root = json_new_object();

	json_add_string(root, "message", problem->message[0] != '\0' ? problem->message : "The request failed.");
	if (problem->detail[0] != '\0')
		json_add_string(root, "detail", problem->detail);
	json_add_string(root, "code", problem_word(problem->kind));
	if (request_id != NULL)
		json_add_string(root, "request_id", request_id);
	add_violations(root, problem);
	return root;
}

const char *reply_problem_body(const struct problem *problem, const char *request_id, struct arena *arena)
{
	SCOPED(json_release) struct json *root = show_problem(problem, request_id);

	return json_print(root, arena);
}

void reply_problem(struct reply *reply, const struct problem *problem, const char *request_id)
{
	int status = problem_status(problem->kind);

	reply_json(reply, status, show_problem(problem, request_id));
	/* RFC 9110 section 11.6.1: a 401 says how to authenticate. */
	if (status == 401)
		reply_add_header(reply, "WWW-Authenticate", "Bearer");
	if (problem->retry_after_s > 0)
		reply_add_header(reply, "Retry-After", arena_printf(reply->arena, "%u", problem->retry_after_s));
}
