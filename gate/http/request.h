/* SPDX-License-Identifier: Apache-2.0 */
/* One request as handlers see it: bounded, decoded, with its caller. No type of the HTTP library. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "../base/arena.h"
#include "../base/json.h"
#include "bounds.h"
#include "policy.h"
#include "problem.h"

struct service;

/* Who calls, as identify.c found out. */
struct caller {
	const char *user_id; /* NULL: nobody (routes that need no token) */
	const char *username;
	role_set roles;
};

#define ROUTE_PARAMETERS_MAX 4

/* The few headers that handlers read, each with the most bytes its value may have. The server refuses (400) a request
 * that has one of them twice, or longer: a second owner that a client slips past its proxy must never win. */
#define REQUEST_HEADER_LIST(X)                                                                                         \
	X(REQUEST_HEADER_OWNER, "X-Gatehouse-Owner", SUBJECT_HEADER_BYTES_MAX)                                         \
	X(REQUEST_HEADER_TEMPLATE_VERSION, "X-Gatehouse-Template-Version", SUBJECT_HEADER_BYTES_MAX)                   \
	X(REQUEST_HEADER_TRANSITION, "X-Gatehouse-Transition", SUBJECT_HEADER_BYTES_MAX)                               \
	X(REQUEST_HEADER_PARTIAL_BODY, "x-envoy-auth-partial-body", SUBJECT_HEADER_BYTES_MAX)                          \
	X(REQUEST_HEADER_IDEMPOTENCY_KEY, "Idempotency-Key", IDEMPOTENCY_KEY_BYTES_MAX)

#define ENUMERATE(name, text, bytes_max) name,
enum request_header { REQUEST_HEADER_LIST(ENUMERATE) REQUEST_HEADER_COUNT };
#undef ENUMERATE

struct request {
	const struct service *service;
	struct arena *arena;
	const char *id; /* X-Request-Id: the caller's, if it is sane, else a new UUID */
	const char *method;
	const char *path;  /* decoded, but for routes that take any rest of a path (route.h): there as sent */
	const char *query; /* as sent, "" where there is none */
	const char *parameter_names[ROUTE_PARAMETERS_MAX];
	const char *parameters[ROUTE_PARAMETERS_MAX];
	const char *body; /* NUL-terminated; "" where there is none */
	size_t body_size;
	const struct json *json; /* the parsed body on routes that take JSON; an empty body is an empty object */
	const char *form;   /* the body on routes that take a form, as sent; "" elsewhere and where there is none */
	const char *cookie; /* the Cookie header, or NULL */
	const char *agent;  /* the User-Agent header, or NULL */
	const char *authorization; /* the Authorization header, or NULL; who calls the API is in caller */
	const char *address; /* of the client, or of a proxy in front that is not trusted; "" where it is not known */
	const char *headers[REQUEST_HEADER_COUNT];
	bool wants_html; /* Accept prefers text/html */
	bool is_https;
	struct caller caller;
};

/* The value of a `{name}` of the route's pattern; never NULL for a name the pattern has. */
const char *request_parameter(const struct request *request, const char *name);

/* A parameter of the query, decoded; NULL where it is absent, "" where it is given twice or does not decode. */
const char *request_query(const struct request *request, const char *name);

/* A parameter of the form, decoded; *ret_value is NULL where it is absent or has no value, which is the same (RFC 6749
 * section 3.1). PROBLEM_BAD_REQUEST where it is given more than once or does not decode. */
MUST_CHECK bool request_form(
	const struct request *request, const char *name, const char **ret_value, struct problem *problem);

/* A cookie's value, or NULL. */
const char *request_cookie(const struct request *request, const char *name);

/* The header's value as sent, "" where it is given but empty; NULL where it is absent. */
const char *request_header(const struct request *request, enum request_header header);

/* Whether the caller has gone away meanwhile: for handlers that wait long, and whose answer must not be lost. Asked on
 * the thread that runs the handler. */
bool request_is_abandoned(const struct request *request);

/* limit and after_id of a list; adds violations for values out of range. */
struct page;
MUST_CHECK bool request_page(const struct request *request, struct page *ret_page, struct problem *problem);

#endif
