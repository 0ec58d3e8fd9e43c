/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer, as the handlers see them: parameters decoded and bounded, an answer that is built whole
 * and sent in one write. */
#ifndef PROVIDER_EXCHANGE_H
#define PROVIDER_EXCHANGE_H

#include "provider_state.h"

#include <civetweb.h>

/* An authorization request has about ten parameters; whoever sends more than this is testing limits. */
enum { PARAMETER_COUNT_MAX = 48, SEGMENT_COUNT_MAX = 2, SEGMENT_SIZE = 128 };
/* OAuth requests fit in some KiB; a change of switches may carry a whole faulty body. */
enum { BODY_MAX_BYTES_READ = 1 << 20, BODY_MAX_BYTES_DISCARDED = 16 << 20 };

struct parameter {
	const char *name;
	const char *value;
};

/* Names and values point into `text`, the decoded copy of a query or form. */
struct parameters {
	char *text;
	struct parameter list[PARAMETER_COUNT_MAX];
	unsigned count;
	bool broken;   /* a bad escape, or too many */
	bool repeated; /* RFC 6749 section 3.1: parameters must not be included more than once */
};

struct answer {
	int status;
	const char *content_type;
	struct text headers; /* whole lines, each with its CRLF */
	struct text body;
};

struct exchange {
	struct mg_connection *connection;
	const struct mg_request_info *info;
	struct provider *provider; /* NULL where the path names none */
	struct switches *switches;
	const struct fault *fault; /* what befalls this request, or NULL */
	enum endpoint endpoint;
	char segments[SEGMENT_COUNT_MAX][SEGMENT_SIZE]; /* what the stars of the route stood for */
	struct parameters query;
	struct parameters form;
	char *body;
	cJSON *json; /* the body, when it is labelled as JSON; NULL otherwise */
	struct answer answer;
	/* For the log: */
	enum client_auth client_auth;
	const char *outcome;
	long started_ms;
	long at_ms;
};

/* Where this process is reached: scheme, host and port, no slash at the end. Set once, before the doors open. */
extern char exchange_base_url[256];

/* Whether so many connections are open that each should end with its answer; set by the process. */
extern atomic_bool exchange_crowded;

/* Reads query and body; false after having put a refusal into the answer. */
bool exchange_read(struct exchange *exchange);
void exchange_release(struct exchange *exchange);

/* NULL when it is absent or empty (RFC 6749 section 3.1 treats both alike). */
const char *parameters_get(const struct parameters *parameters, const char *name);
/* The text after "Bearer " (or GitHub's "token ") of Authorization, or NULL. */
const char *exchange_bearer(const struct exchange *exchange);

/* Answers with JSON and frees it. */
void exchange_answer_json(struct exchange *exchange, int status, cJSON *json);
/* Answers with the object as a form, as GitHub does unless JSON is asked for. The object stays the caller's. */
void exchange_answer_form(struct exchange *exchange, const cJSON *json);
bool exchange_wants_json(const struct exchange *exchange);
/* An OAuth error; in GitHub's style when the provider is switched to it. Sets the outcome. */
void exchange_answer_error(struct exchange *exchange, int status, const char *error, const char *description);
/* `message` for a control call gone wrong. */
void exchange_answer_message(struct exchange *exchange, int status, const char *message);
void exchange_answer_redirect(struct exchange *exchange, const char *location);
/* A small HTML page around what was put into the body. */
void exchange_answer_page(struct exchange *exchange, const char *title, const struct text *content);
void exchange_add_header(struct exchange *exchange, const char *name, const char *value);
void exchange_empty_answer(struct exchange *exchange);

/* Writes the log's record; the request is no longer in flight after it. */
void exchange_record(struct exchange *exchange);
/* Sends the answer as built, or as the fault wants it sent. */
void exchange_send(struct exchange *exchange);

#endif
