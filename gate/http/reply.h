/* SPDX-License-Identifier: Apache-2.0 */
/* The answer a handler builds: whole, written once by the server. */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "../base/arena.h"
#include "../base/json.h"
#include "problem.h"

#define REPLY_HEADERS_MAX 8

struct reply {
	struct arena *arena;
	int status;
	const char *content_type; /* NULL: no body */
	const char *body;
	size_t body_size;
	size_t header_count;
	struct {
		const char *name;
		const char *value;
	} headers[REPLY_HEADERS_MAX];
	const char *decision_id; /* for the request's log line; NULL: none */
	const char *outcome;
};

/* Prints the tree into the arena and frees it. */
void reply_json(struct reply *reply, int status, struct json *root);
/* json lives in the reply's arena. */
void reply_json_text(struct reply *reply, int status, const char *json);
void reply_empty(struct reply *reply, int status);
/* page lives in the reply's arena. */
void reply_html(struct reply *reply, int status, const char *page);
void reply_text(struct reply *reply, int status, const char *content_type, const char *text);

/* 303 See Other: the browser goes on with GET. */
void reply_redirect(struct reply *reply, const char *location);

/* name is a literal; value is copied. Values with control characters are refused (the header is left out). */
void reply_add_header(struct reply *reply, const char *name, const char *value);

/* The body that reply_problem writes, where it is kept instead of answered. */
const char *reply_problem_body(const struct problem *problem, const char *request_id, struct arena *arena);

/* The error body of contract section 3: message, detail, code, request_id, validations; WWW-Authenticate on 401 and
 * Retry-After where the problem says when. */
void reply_problem(struct reply *reply, const struct problem *problem, const char *request_id);

#endif
