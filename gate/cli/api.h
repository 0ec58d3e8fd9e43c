/* SPDX-License-Identifier: Apache-2.0 */
/* The service's API with the caller's login (or GATEHOUSE_TOKEN), for every command. */
#ifndef CLI_API_H
#define CLI_API_H

#include "../base/json.h"
#include "cli.h"

struct api_request {
	const char *method;
	const char *path;
	const char *json;            /* the body, or NULL */
	const char *idempotency_key; /* or NULL; a request with one is sent again where no answer came */
	int64_t timeout_ms;          /* 0: the default */
};

/* json is NULL where there is no body, or none that is JSON; release it with json_release. */
struct api_answer {
	int status; /* 0: none came */
	unsigned retry_after_s;
	const char *body;
	struct json *json;
};

/* false: no token could be had, no answer came, it is none of a Gatehouse, or it says no (status 300 and above); the
 * answer is filled all the same, and the problem has its words and its kind, by its `code`. */
MUST_CHECK bool api_call(
	struct cli *cli, const struct api_request *request, struct api_answer *ret_answer, struct problem *problem);

/* Whether the service only cannot answer right now, so that who waits for something anyway asks again. */
bool api_may_pass(const struct problem *problem);

void api_answer_release(struct api_answer *answer); /* for SCOPED */

/* A path; names from outside go through api_escape. */
char *api_path(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *api_escape(struct cli *cli, const char *name);

/* --json: the answer as the service gave it, on stdout. */
void api_print(const struct api_answer *answer);

/* A member that is text; "" where it is not. */
const char *api_text(const struct json *object, const char *name);

#endif
