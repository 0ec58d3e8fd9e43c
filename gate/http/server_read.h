/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a body: bounded in size here, in time by server_slow. */
#ifndef HTTP_SERVER_READ_H
#define HTTP_SERVER_READ_H

#include "../base/arena.h"
#include "server_framing.h"

/* Where a body comes from. */
struct body_source {
	void *connection;
	/* Up to size bytes; 0 at the body's end, -1 when the client failed, sent a bad chunk or took too long. */
	int (*read)(void *connection, void *bytes, size_t size);
	/* Tells a client that waits for it (Expect: 100-continue) to send the body. */
	bool (*send_continue)(void *connection);
	/* Nothing more will be read: what follows is not the client's time. */
	void (*finish)(void *connection);
};

/* Bodies up to this size that a request has for no reason are read over, so that the connection can be kept. */
#define BODY_IGNORED_BYTES_MAX 65536

/* Reads the whole body into the arena, NUL-terminated. PROBLEM_BODY_TOO_LARGE beyond BODY_BYTES_MAX (before reading
 * where the length is given), PROBLEM_BAD_REQUEST where it ends too soon. After a failure the connection must be
 * closed. */
MUST_CHECK bool body_read(const struct body_source *source, const struct body_framing *framing, struct arena *arena,
	const char **ret_body, size_t *ret_size, struct problem *problem);

/* Reads over a body that nobody wants; false where it is too large or does not come, and the connection
 * must be closed.
 */
bool body_skip(const struct body_source *source, const struct body_framing *framing);

/* Reads over a body that is meant for somebody else, with the bounds and problems of body_read. */
MUST_CHECK bool body_ignore(
	const struct body_source *source, const struct body_framing *framing, struct problem *problem);

/* Whether a Content-Type names JSON: application/json, with or without parameters. */
bool content_type_is_json(const char *content_type);

/* The same for a form: application/x-www-form-urlencoded. */
bool content_type_is_form(const char *content_type);

#endif
