/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a request's head can be understood in one way only. CivetWeb reads heads more kindly than the proxies in
 * front of it, and two readers who disagree about where a request ends are how requests are smuggled (RFC 9112
 * section 11.2). Pure checks on plain facts, so that a table of heads can test them. */
#ifndef HTTP_SERVER_FRAMING_H
#define HTTP_SERVER_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/arena.h"
#include "bounds.h"
#include "must_check.h"
#include "problem.h"

struct head_line {
	const char *name;
	const char *value;
	bool blank_before_colon;
};

struct request_head {
	const char *method;
	const char *target;  /* as sent, without the query */
	const char *query;   /* as sent, "" where there is none */
	const char *version; /* "1.1" */
	const char *address; /* of the peer; "" where it is not known */
	bool is_https;
	bool lines_are_clean; /* every line ends with CRLF, none is folded, and all of them were read */
	size_t line_count;
	struct head_line lines[HEADERS_MAX + 1];
};

/* What the head says about the body. */
struct body_framing {
	bool is_chunked;
	int64_t length; /* of a body that is not chunked; 0: none */
	bool expects_continue;
};

/* Sets PROBLEM_BAD_REQUEST or PROBLEM_HEADER_TOO_LARGE where the head is ambiguous or over its bounds. The connection
 * must then be closed: nobody knows where the next request starts. */
MUST_CHECK bool framing_check(const struct request_head *head, struct body_framing *ret_body, struct problem *problem);

/* The decoded path. Only origin-form is served (RFC 9112 section 3.2.1); an escaped NUL or slash, a control character,
 * a broken escape and what is not UTF-8 are PROBLEM_BAD_REQUEST. */
MUST_CHECK bool framing_decode_path(
	struct arena *arena, const char *target, const char **ret_path, struct problem *problem);

/* The value of the first header of this name, in any case of letters; NULL where there is none. */
const char *head_value(const struct request_head *head, const char *name);

/* Of the last one. */
const char *head_last_value(const struct request_head *head, const char *name);

/* The same for a header that decides something and may stand there once only: PROBLEM_BAD_REQUEST where it is repeated
 * or its value is longer than bytes_max or no UTF-8, which the database would refuse. */
MUST_CHECK bool head_single_value(const struct request_head *head, const char *name, size_t bytes_max,
	const char **ret_value, struct problem *problem);

/* Whether the client can keep the connection. */
bool head_wants_keep_alive(const struct request_head *head);

#endif
