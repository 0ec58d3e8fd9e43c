/* SPDX-License-Identifier: Apache-2.0 */
/* One call to a provider between the thread that asks and the thread that transfers: its request as copied, its answer
 * as it arrives, and the hand-over of either. Knows HTTP's words, not curl. Private to http_client.c, http_call.c and
 * the gate (which looks at answers without copying them). */
#ifndef LINK_HTTP_CALL_H
#define LINK_HTTP_CALL_H

#include "http_client.h"
#include "must_check.h"

/* Longest values kept of an answer's header: a media type with its charset, and an HTTP date. */
#define CONTENT_TYPE_BYTES_MAX 128
#define RETRY_AFTER_BYTES_MAX 64

/* Owned by the client's thread while it is under way, by who started it when it has ended. One that was left is freed
 * by the client's thread when it reads the message that says so. */
struct http_call {
	struct awaited awaited; /* first, so that the one is the other */
	struct http_client *client;

	/* The request; all text lies behind the struct in the same block. */
	size_t block_size;
	const char *provider_id;
	const char *purpose;
	const char *method;
	const char *url;
	size_t header_count;
	const char *headers[HTTP_REQUEST_HEADERS_MAX]; /* "Name: value" */
	struct secret body;
	size_t body_bytes_max;
	bool follow_same_host;
	struct deadline deadline;
	int64_t transfer_ms;
	const char *refused; /* why this request must not be sent as it is; NULL: it may */

	/* Guarded by the client's lock. */
	struct http_call *next_started;
	struct http_call *next_cancelled;

	/* The client's thread alone. */
	struct http_call *previous, *next; /* in its lane's list */
	void *handle;                      /* the transfer, NULL while it waits in line */
	void *handle_headers;
	bool finished;
	unsigned redirects;
	size_t header_bytes;
	int64_t begun_us;

	/* The answer: written by the client's thread before it hands the call over. */
	enum transport transport;
	int status;
	char content_type[CONTENT_TYPE_BYTES_MAX];
	char retry_after[RETRY_AFTER_BYTES_MAX];
	bool rate_limit_exhausted;
	int64_t rate_limit_reset;
	bool body_too_large;
	bool headers_too_large;
	char *answer_bytes;
	size_t answer_size, answer_capacity;
	const char *failure;
	int64_t duration_us;
};

/* A copy of the request, under way for the waiter. Ends the process where memory is out. */
struct http_call *http_call_new(
	struct http_client *client, const struct http_request *request, struct waiter *waiter, size_t tag);

/* Wipes and frees. */
void http_call_destroy(struct http_call *call);

/* What arrives: one header line (a status line starts the answer anew), one piece of the body. false: over the bound.
 */
bool http_call_add_header(struct http_call *call, const char *line, size_t size);
bool http_call_add_body(struct http_call *call, const char *piece, size_t size);

/* Forgets what has arrived, before the same call is sent to the place a redirect names. */
void http_call_restart(struct http_call *call);

/* Hands an ended call to its waiter. The call belongs to somebody else afterwards. */
void http_call_hand_over(struct http_call *call);

/* Turns a running call into an abandoned one; false where it had ended: the caller owns it then. */
bool http_call_abandon(struct http_call *call);

/* The answer as it lies in the call: good until http_call_free. */
struct http_answer http_call_peek(const struct http_call *call);

#endif
