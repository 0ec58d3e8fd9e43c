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

enum route_body { ROUTE_NO_BODY, ROUTE_JSON_BODY };

struct route {
	const char *method;
	const char *pattern; /* "/api/v2/users/{user}": a segment in braces matches one non-empty segment */
	enum route_caller caller;
	enum route_body body;
	route_handler *handler;
};

/* The API listener's and the admin listener's tables. */
extern const struct route ROUTES_API[];
extern const size_t ROUTES_API_COUNT;
extern const struct route ROUTES_ADMIN[];
extern const size_t ROUTES_ADMIN_COUNT;

/* Finds the route and fills the request's parameters. NULL with PROBLEM_NOT_FOUND where no pattern fits the path, or
 * with PROBLEM_METHOD_NOT_ALLOWED and *ret_allow (for the Allow header) where only the method does not. HEAD finds GET.
 */
const struct route *route_find(const struct route *routes, size_t route_count, struct request *request,
	const char **ret_allow, struct problem *problem);

#endif
