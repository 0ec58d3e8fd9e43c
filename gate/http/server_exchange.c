/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of one request. Each either goes on or sets a problem, which becomes the answer. */
#include "server_exchange.h"

#include <stdlib.h>
#include <string.h>

#include "../base/networks.h"
#include "../base/secret.h"
#include "browser.h"
#include "identify.h"
#include "oauth_answer.h"

/* What the lines before a body come to; more of them make the text grow. A text that grew piece by piece would copy a
 * large body several times. */
#define HEAD_BYTES_USUAL 640

/* Reason phrases are for people who read a trace; clients look at the number. */
static const struct {
	int status;
	const char *word;
	const char *reason;
} STATUSES[] = {
	{200, "200", "OK"},
	{201, "201", "Created"},
	{202, "202", "Accepted"},
	{204, "204", "No Content"},
	{302, "302", "Found"},
	{303, "303", "See Other"},
	{304, "304", "Not Modified"},
	{400, "400", "Bad Request"},
	{401, "401", "Unauthorized"},
	{403, "403", "Forbidden"},
	{404, "404", "Not Found"},
	{405, "405", "Method Not Allowed"},
	{409, "409", "Conflict"},
	{413, "413", "Content Too Large"},
	{415, "415", "Unsupported Media Type"},
	{422, "422", "Unprocessable Content"},
	{429, "429", "Too Many Requests"},
	{431, "431", "Request Header Fields Too Large"},
	{500, "500", "Internal Server Error"},
	{502, "502", "Bad Gateway"},
	{503, "503", "Service Unavailable"},
	{504, "504", "Gateway Timeout"},
};

static const char *status_reason(int status)
{
	for (size_t i = 0; i < COUNT_OF(STATUSES); i++)
		if (STATUSES[i].status == status)
			return STATUSES[i].reason;
	return "Answer";
}

const char *exchange_status_word(int status)
{
	for (size_t i = 0; i < COUNT_OF(STATUSES); i++)
		if (STATUSES[i].status == status)
			return STATUSES[i].word;
	return "other";
}

static const char *request_id_of(struct arena *arena, const struct request_head *head)
{
	const char *given = head_value(head, "X-Request-Id");
	char made[UUID_TEXT_SIZE];

	if (given != NULL && name_is_request_id(given))
		return arena_copy(arena, given);
	uuid_new(made);
	return arena_copy(arena, made);
}

/* The weight of one media type in an Accept header (RFC 9110 section 12.5.1), in thousandths; -1: not named. */
static int accept_weight(const char *accept, const char *type)
{
	size_t type_size = strlen(type);

	for (const char *range = accept; *range != '\0'; range += strcspn(range, ",")) {
		size_t size;
		const char *weight;

		range += strspn(range, ", \t");
		size = strcspn(range, ",");
		if (strncmp(range, type, type_size) != 0 || strchr(",; \t", range[type_size]) == NULL)
			continue;
		weight = memmem(range, size, "q=", 2);
		return weight == NULL ? 1000 : (int)(strtod(weight + 2, NULL) * 1000);
	}
	return -1;
}

static bool accepts_html_best(const char *accept)
{
	int html;

	if (accept == NULL)
		return false;
	html = accept_weight(accept, "text/html");
	return html > 0 && html >= accept_weight(accept, "application/json");
}

/* Each proxy adds at the end whom it was asked by, so the last one that is no trusted proxy's is the client; what
 * stands before it anybody may have sent. */
static const char *client_address(struct arena *arena, const struct service *service, const struct request_head *head)
{
	const char *trusted = service != NULL && service->config != NULL ? service->config->trusted_proxies : NULL;
	const char *address = head->address != NULL ? head->address : "";
	const char *chain = trusted != NULL && trusted[0] != '\0' ? head_last_value(head, "X-Forwarded-For") : NULL;
	size_t end = chain != NULL ? strlen(chain) : 0;

	while (end > 0 && networks_hold(trusted, address)) {
		size_t start;

		while (end > 0 && strchr(" \t,", chain[end - 1]) != NULL)
			end--;
		for (start = end; start > 0 && strchr(" \t,", chain[start - 1]) == NULL;)
			start--;
		/* What is longer than an address of either kind (INET6_ADDRSTRLEN) is none. */
		if (start == end || end - start > 45)
			break;
		address = arena_copy_bytes(arena, chain + start, end - start);
		end = start;
	}
	return address;
}

/* What can be said of a request before it is known to be well-formed. */
static void fill_request(struct exchange *exchange)
{
	const struct request_head *head = exchange->head;
	const struct service *service = exchange->service;
	struct request *request = &exchange->request;

	*request = (struct request){
		.service = service,
		.arena = exchange->arena,
		.id = request_id_of(exchange->arena, head),
		.method = head->method,
		.path = "",
		.query = head->query,
		.body = "",
		.form = "",
		.cookie = head_value(head, "Cookie"),
		.agent = head_value(head, "User-Agent"),
		.authorization = head_value(head, "Authorization"),
		.address = client_address(exchange->arena, service, head),
		.wants_html = accepts_html_best(head_value(head, "Accept")),
		.is_https = head->is_https,
	};
	/* A proxy in front may end TLS; the access URL says what the browser sees. */
	if (service != NULL && service->access_url != NULL && strncmp(service->access_url, "https://", 8) == 0)
		request->is_https = true;
}

static bool has_body(const struct exchange *exchange)
{
	return exchange->framing.is_chunked || exchange->framing.length > 0;
}

/* RFC 6750 section 2: one way to send a token, and never the URL. Below a pattern that takes any rest of a path the
 * query is somebody else's. */
static bool check_query(const struct exchange *exchange, bool is_sent, struct problem *problem)
{
	const struct request *request = &exchange->request;

	if (!is_sent || exchange->route->body == ROUTE_ANY_BODY ||
		!form_is_given(request->arena, request->query, "access_token"))
		return true;
	return problem_set(problem, PROBLEM_BAD_REQUEST, "A token is sent in a header, and nothing of it in the URL.");
}

/* RFC 6750 section 3.1: the error of each refusal; a token that was sent and is no good is told apart from none. */
static const char *challenge_of(enum problem_kind kind, bool is_sent)
{
	if (kind == PROBLEM_UNAUTHENTICATED && is_sent)
		return "Bearer error=\"invalid_token\"";
	if (kind == PROBLEM_BAD_REQUEST)
		return "Bearer error=\"invalid_request\"";
	return NULL;
}

static bool identify(struct exchange *exchange, struct problem *problem)
{
	const char *session_token = head_value(exchange->head, "Coder-Session-Token");
	bool is_sent;

	if (exchange->route->caller == ROUTE_NEEDS_NOTHING)
		return true;
	if (!head_single_value(
		    exchange->head, "Authorization", HEAD_BYTES_MAX, &exchange->request.authorization, problem))
		return false;
	is_sent = identify_is_token_sent(exchange->request.authorization, session_token);
	if (check_query(exchange, is_sent, problem) &&
		identify_caller(&exchange->request, exchange->request.authorization, session_token, problem))
		return true;
	reply_add_header(&exchange->reply, "WWW-Authenticate", challenge_of(problem->kind, is_sent));
	return false;
}

static bool read_body(struct exchange *exchange, struct problem *problem)
{
	struct request *request = &exchange->request;

	if (!body_read(&exchange->source, &exchange->framing, exchange->arena, &request->body, &request->body_size,
		    problem)) {
		exchange->close = true;
		return false;
	}
	exchange->has_unread_body = false;
	return true;
}

static bool read_json(struct exchange *exchange, struct json **ret_root, struct problem *problem)
{
	struct request *request = &exchange->request;

	if (has_body(exchange) && !content_type_is_json(head_value(exchange->head, "Content-Type")))
		return problem_set(problem, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
			"The body must be sent with Content-Type: application/json.");
	if (!read_body(exchange, problem))
		return false;
	if (request->body_size == 0)
		return json_parse("{}", 2, ret_root, problem);
	if (exchange->route->body == ROUTE_FOREIGN_JSON_BODY && text_is_utf8(request->body, request->body_size))
		return json_parse_foreign(request->body, request->body_size, ret_root, problem);
	return json_parse(request->body, request->body_size, ret_root, problem);
}

/* A NUL would end the text before the body's end. */
static bool read_form(struct exchange *exchange, struct problem *problem)
{
	struct request *request = &exchange->request;

	if (has_body(exchange) && !content_type_is_form(head_value(exchange->head, "Content-Type")))
		return problem_set(problem, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
			"The body must be sent with Content-Type: application/x-www-form-urlencoded.");
	if (!read_body(exchange, problem))
		return false;
	if (memchr(request->body, '\0', request->body_size) != NULL)
		return problem_set(problem, PROBLEM_BAD_REQUEST, "The body is not form-encoded.");
	request->form = request->body;
	return true;
}

static bool skip_body(struct exchange *exchange, struct problem *problem)
{
	if (!body_skip(&exchange->source, &exchange->framing)) {
		exchange->close = true;
		return problem_set(problem, PROBLEM_BODY_TOO_LARGE, "This request takes no body.");
	}
	exchange->has_unread_body = false;
	return true;
}

static bool ignore_body(struct exchange *exchange, struct problem *problem)
{
	if (!body_ignore(&exchange->source, &exchange->framing, problem)) {
		exchange->close = true;
		return false;
	}
	exchange->has_unread_body = false;
	return true;
}

static bool take_body(struct exchange *exchange, struct json **ret_root, struct problem *problem)
{
	switch (exchange->route->body) {
	case ROUTE_NO_BODY:
		return skip_body(exchange, problem);
	case ROUTE_JSON_BODY:
	case ROUTE_FOREIGN_JSON_BODY:
		return read_json(exchange, ret_root, problem);
	case ROUTE_FORM_BODY:
		return read_form(exchange, problem);
	case ROUTE_ANY_BODY:
		return ignore_body(exchange, problem);
	}
	return false;
}

RELEASE_WITH(release_tree, struct json, json_free)

static bool call_handler(struct exchange *exchange, struct problem *problem)
{
	struct request *request = &exchange->request;
	SCOPED(release_tree) struct json *root = NULL;
	bool done;
	bool has_come = take_body(exchange, &root, problem);

	exchange->source.finish(exchange->source.connection);
	if (!has_come)
		return false;
	request->json = root;
	done = exchange->route->handler(request, &exchange->reply, problem);
	request->json = NULL;
	return done;
}

static bool take_path(struct exchange *exchange, struct problem *problem)
{
	const char *target = exchange->head->target;

	if (!route_takes_any_path(exchange->routes, exchange->route_count, target))
		return framing_decode_path(exchange->arena, target, &exchange->request.path, problem);
	exchange->request.path = target;
	return true;
}

static bool take_headers(struct exchange *exchange, struct problem *problem)
{
#define ENUMERATE(name, text, bytes_max) [name] = {text, bytes_max},
	static const struct {
		const char *name;
		size_t bytes_max;
	} rows[] = {REQUEST_HEADER_LIST(ENUMERATE)};
#undef ENUMERATE

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (!head_single_value(
			    exchange->head, rows[i].name, rows[i].bytes_max, &exchange->request.headers[i], problem))
			return false;
	return true;
}

static bool take_steps(struct exchange *exchange, struct problem *problem)
{
	const char *allow = NULL;

	if (!framing_check(exchange->head, &exchange->framing, problem) || !take_path(exchange, problem)) {
		exchange->close = true;
		return false;
	}
	exchange->has_unread_body = has_body(exchange);
	if (exchange->service == NULL) {
		exchange->close = true;
		problem_set(problem, PROBLEM_DRAINING, "The service is starting or stopping.");
		problem->retry_after_s = 1;
		return false;
	}
	exchange->route = route_find(exchange->routes, exchange->route_count, &exchange->request, &allow, problem);
	if (exchange->route == NULL) {
		reply_add_header(&exchange->reply, "Allow", allow);
		return false;
	}
	return take_headers(exchange, problem) && identify(exchange, problem) && call_handler(exchange, problem);
}

/* An answer that forgot its status, or a problem that forgot its kind, is our bug and not the caller's business. */
static void answer_problem(struct exchange *exchange, struct problem *problem)
{
	const char *challenge = NULL;

	if (problem->kind == PROBLEM_NONE)
		problem_set(problem, PROBLEM_INTERNAL, "The request failed for an unknown reason.");
	for (size_t i = 0; i < exchange->reply.header_count; i++)
		if (strcmp(exchange->reply.headers[i].name, "WWW-Authenticate") == 0)
			challenge = arena_copy(exchange->arena, exchange->reply.headers[i].value);
	/* RFC 6750 section 3.1: the caller is known, and may not. There are no scopes to name. */
	if (problem->kind == PROBLEM_FORBIDDEN && exchange->route != NULL &&
		exchange->route->caller == ROUTE_NEEDS_TOKEN)
		challenge = "Bearer error=\"insufficient_scope\"";
	if (!browser_tell_problem(&exchange->request, &exchange->reply, problem) &&
		!oauth_tell_problem(&exchange->request, &exchange->reply, problem))
		reply_problem(&exchange->reply, problem, exchange->request.id);
	if (challenge != NULL)
		reply_add_header(&exchange->reply, "WWW-Authenticate", challenge);
	if (exchange->reply.outcome == NULL)
		exchange->reply.outcome = problem_word(problem->kind);
}

void exchange_run(struct exchange *exchange)
{
	struct problem problem = {0};

	exchange->reply = (struct reply){.arena = exchange->arena};
	exchange->close = exchange->close || !head_wants_keep_alive(exchange->head);
	fill_request(exchange);
	if (!take_steps(exchange, &problem) || exchange->reply.status == 0)
		answer_problem(exchange, &problem);
	/* A body that was not read would be taken for the next request. */
	if (exchange->has_unread_body)
		exchange->close = true;
}

static void print_field(struct text *text, const char *name, const char *value)
{
	text_add(text, name);
	text_add(text, ": ");
	text_add(text, value);
	text_add(text, "\r\n");
}

static void print_head(struct text *text, const struct reply *reply, const char *request_id)
{
	bool may_have_body = reply->status != 204 && reply->status != 304;

	text_add(text, "HTTP/1.1 ");
	text_add_number(text, (unsigned)reply->status);
	text_add(text, " ");
	text_add(text, status_reason(reply->status));
	text_add(text, "\r\n");
	if (reply->content_type != NULL && may_have_body)
		print_field(text, "Content-Type", reply->content_type);
	if (may_have_body) {
		text_add(text, "Content-Length: ");
		text_add_number(text, reply->body_size);
		text_add(text, "\r\n");
	}
	text_add(text, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
	if (request_id != NULL)
		print_field(text, "X-Request-Id", request_id);
	for (size_t i = 0; i < reply->header_count; i++)
		print_field(text, reply->headers[i].name, reply->headers[i].value);
}

static void print_body(struct text *text, const struct reply *reply, bool close)
{
	text_add(text, close ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
	if (reply->status != 204 && reply->status != 304 && reply->body_size > 0)
		text_add_bytes(text, reply->body, reply->body_size);
}

struct text exchange_print(const struct exchange *exchange)
{
	struct text text = text_sized(exchange->arena, HEAD_BYTES_USUAL + exchange->reply.body_size);
	struct reply reply = exchange->reply;

	print_head(&text, &reply, exchange->request.id);
	/* HEAD is answered as GET is, length included, without the body (RFC 9110 section 9.3.2). */
	if (strcmp(exchange->request.method, "HEAD") == 0)
		reply.body_size = 0;
	print_body(&text, &reply, exchange->close);
	return text;
}

struct text exchange_print_problem(struct arena *arena, const struct problem *problem)
{
	struct text text = text_in(arena);
	struct reply reply = {.arena = arena};
	char id[UUID_TEXT_SIZE];

	uuid_new(id);
	reply_problem(&reply, problem, id);
	print_head(&text, &reply, id);
	print_body(&text, &reply, true);
	return text;
}
