/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to providers. One thread owns curl's multi handle and does every transfer of the process, with shared
 * connections, HTTP/2 and DNS, bounded per provider; others hand it requests and wait with a deadline. TLS is verified,
 * redirects are not followed (http_request.follow_same_host allows them on the same host), bodies are bounded. */
#ifndef LINK_HTTP_CLIENT_H
#define LINK_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/secret.h"
#include "policy.h"
#include "waiter.h"

struct http_client;
struct http_call;

/* Starts the thread. Ends the process where it cannot: this runs at start only. */
struct http_client *http_client_new(void);
/* Ends the thread; calls still running are told TRANSPORT_AMBIGUOUS. */
void http_client_free(struct http_client *client);

struct http_header {
	const char *name;
	struct secret value;
};

#define HTTP_REQUEST_HEADERS_MAX 8

/* Everything is copied by http_call_start. */
struct http_request {
	const char *provider_id; /* whose bound, and whose label in the metrics; must outlive the process */
	const char *purpose;     /* "validate", "exchange", "revoke", "installations", …: a literal */
	const char *method;
	const char *url;
	size_t header_count;
	struct http_header headers[HTTP_REQUEST_HEADERS_MAX];
	struct secret body;    /* empty: none */
	size_t body_bytes_max; /* of the answer */
	bool follow_same_host;
	struct deadline deadline; /* by then it has ended, the wait for the provider's bound included */
	int64_t transfer_ms;      /* how long the transfer may take once it is begun; 0: until the deadline */
};

/* What came back. Strings live in the arena given to http_call_take. */
struct http_answer {
	enum transport transport;
	int status;
	const char *content_type; /* "" where there is none */
	const char *retry_after;  /* NULL where there is none; as sent */
	bool rate_limit_exhausted;
	int64_t rate_limit_reset; /* until when it is, as sent: a time or a wait in seconds; 0 where that is not said */
	struct secret body;
	bool body_too_large; /* transport is TRANSPORT_AMBIGUOUS then */
	const char *failure; /* why there is no answer, in curl's words, without URL or secrets; NULL otherwise */
	int64_t duration_us;
};

/* Hands the request to the thread; never blocks. waiter (waiter.h) may be shared by several calls, and by whatever else
 * its thread waits for. tag comes back as it is. */
struct http_call *http_call_start(
	struct http_client *client, const struct http_request *request, struct waiter *waiter, size_t tag);

/* Waits until one of the waiter's started calls has ended and returns it, or NULL when the deadline passes or none is
 * under way. Each ended call is returned once. Only for a waiter of nothing but calls. */
struct http_call *http_waiter_next(struct waiter *waiter, struct deadline deadline);
size_t http_call_tag(const struct http_call *call);

/* What a Retry-After header asks for (RFC 9110 section 10.2.3), in seconds from now, at most an hour; 0 where there is
 * none, or a date that has passed. */
unsigned http_answer_retry_after_s(const struct http_answer *answer);

/* For how long an exhausted rate limit stays so: seconds, at most an hour; 0 where there is none, or nobody says. */
unsigned http_answer_reset_s(const struct http_answer *answer);

/* Moves the answer into the arena. */
struct http_answer http_call_take(struct http_call *call, struct arena *arena);

/* Gives the call up: an ended one is freed, a running one is cancelled on the thread (its connection closed). The
 * answer taken before stays. NULL is nothing to do. */
void http_call_free(struct http_call *call);

/* Start, wait, take, free. A deadline that passes first is TRANSPORT_AMBIGUOUS. */
struct http_answer http_client_ask(struct http_client *client, const struct http_request *request, struct arena *arena);
/* The same for the service, whose log says why there is no answer. */
struct http_answer http_client_ask_provider(
	struct http_client *client, const struct http_request *request, struct arena *arena);

#endif
