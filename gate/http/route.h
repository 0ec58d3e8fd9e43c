/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes: the one place that says what the service answers to. A guard holds it and schema/openapi.yaml
 * together. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "reply.h"
#include "request.h"

/* Fills reply and returns true, or sets problem and returns false; the server then answers the problem. */
typedef bool route_handler(const struct request *request, struct reply *reply, struct problem *problem);

enum route_caller {
	ROUTE_NEEDS_TOKEN,   /* 401 before anything else; the body is not read */
	ROUTE_NEEDS_NOTHING, /* browser routes find their own session; health has none */
};

enum route_body {
	ROUTE_NO_BODY,
	ROUTE_JSON_BODY,
	/* Holds a document of somebody else's of which little is read: what the fence of base/json.h refuses in lawful
	 * JSON, numbers beyond 2^53 above all, does not refuse the whole. */
	ROUTE_FOREIGN_JSON_BODY,
	ROUTE_FORM_BODY, /* application/x-www-form-urlencoded, read by request_form */
	ROUTE_ANY_BODY,  /* of any type, up to BODY_BYTES_MAX: somebody else's, read over */
};

struct route {
	const char *method; /* "ANY": every method the HTTP library knows */
	/* "/api/v2/users/{user}": a segment in braces matches one non-empty segment. "/gate/v1/ext-authz/...": what
	 * stands behind, which may be nothing, is the path of a request to somebody else and is taken as it was sent.
	 */
	const char *pattern;
	enum route_caller caller;
	enum route_body body;
	route_handler *handler;
};

/* The tables of the API listener, of the hook listener (a part of the API's) and of the admin listener. */
extern const struct route ROUTES_API[];
extern const size_t ROUTES_API_COUNT;
extern const struct route ROUTES_HOOK[];
extern const size_t ROUTES_HOOK_COUNT;
extern const struct route ROUTES_ADMIN[];
extern const size_t ROUTES_ADMIN_COUNT;

/* Whether a target as sent is below a pattern that takes any rest of a path: escaped slashes, dots and odd bytes in it
 * are between the two whose request it is. */
bool route_takes_any_path(const struct route *routes, size_t route_count, const char *target);

/* Finds the route and fills the request's parameters. NULL with PROBLEM_NOT_FOUND where no pattern fits the path, or
 * with PROBLEM_METHOD_NOT_ALLOWED and *ret_allow (for the Allow header) where only the method does not. HEAD finds GET.
 */
const struct route *route_find(const struct route *routes, size_t route_count, struct request *request,
	const char **ret_allow, struct problem *problem);

#endif
