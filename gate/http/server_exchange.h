/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer, from a head that was read to the bytes to write, in the order of contract section 4:
 * framing, route, caller, body, handler. Knows no HTTP library: the body comes through a function. */
#ifndef HTTP_SERVER_EXCHANGE_H
#define HTTP_SERVER_EXCHANGE_H

#include "../base/text.h"
#include "route.h"
#include "server_framing.h"
#include "server_read.h"
#include "service.h"

struct exchange {
	/* Given. */
	const struct route *routes;
	size_t route_count;
	const struct service *service; /* NULL: not serving yet, or no longer */
	struct arena *arena;
	const struct request_head *head;
	struct body_source source;
	bool close; /* no further request on this connection */

	/* Found out. */
	struct request request;
	struct body_framing framing;
	const struct route *route; /* NULL: none fits */
	struct reply reply;
	bool has_unread_body;
};

/* Runs the request; afterwards reply is whole. */
void exchange_run(struct exchange *exchange);

/* The answer as it goes over the wire: status line, headers, body, for one write. */
struct text exchange_print(const struct exchange *exchange);

/* "200" for 200, for the label of a metric. */
const char *exchange_status_word(int status);

/* An answer without a request that could be understood. */
struct text exchange_print_problem(struct arena *arena, const struct problem *problem);

#endif
