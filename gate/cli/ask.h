/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the service, and its answer: what api.c and authorization.c are written on. Nothing is sent again by
 * itself, no redirect is followed, and the answer is bounded (http_client.h). */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "../link/http_client.h"
#include "cli.h"

/* Requests that wait for providers end within the service's budget of 10 s; this is more. */
#define ASK_DEFAULT_MS 30000

struct ask {
	const char *method;
	const char *path;            /* below the service's address, with its query; starts with a slash */
	struct secret token;         /* empty: none is sent */
	const char *form;            /* application/x-www-form-urlencoded; NULL: none */
	const char *json;            /* NULL: none */
	const char *idempotency_key; /* NULL: none */
	const char *agent;           /* the User-Agent; NULL: that of http_client.c */
	int64_t timeout_ms;          /* 0: ASK_DEFAULT_MS */
};

struct http_answer cli_ask(struct cli *cli, const struct ask *ask);

/* Ends the way out; nothing is under way. */
void cli_ask_end(struct cli *cli);

/* A service that could not be reached, as a problem. Always false. */
bool cli_unreachable(const struct cli *cli, const struct http_answer *answer, struct problem *problem);

#endif
