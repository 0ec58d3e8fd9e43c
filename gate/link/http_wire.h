/* SPDX-License-Identifier: Apache-2.0 */
/* What the loop (http_loop.c) asks of the transfers (http_client.c, the only file that knows curl): begin one, give one
 * up, go on with all, tell which ended. Everything but wire_wake belongs to the loop's thread. */
#ifndef LINK_HTTP_WIRE_H
#define LINK_HTTP_WIRE_H

#include "http_call.h"

struct http_wire;

/* Ends the process where it cannot: this runs at start only. */
struct http_wire *wire_new(void);
void wire_free(struct http_wire *wire);

/* Begins the call's transfer; false where the request is none that can be sent. */
MUST_CHECK bool wire_begin(struct http_wire *wire, struct http_call *call);

/* Ends the call's transfer, if it has one, and keeps what can be used again. */
void wire_end(struct http_wire *wire, struct http_call *call);

/* Goes on with every transfer as far as it can without waiting. */
void wire_perform(struct http_wire *wire);

/* A call whose transfer has ended, with transport, status and failure set, or NULL. Follows redirects by itself. */
struct http_call *wire_next_ended(struct http_wire *wire);

/* Waits until a transfer can go on, somebody wakes the thread, or the time has passed. */
void wire_sleep(struct http_wire *wire, int duration_ms);
void wire_wake(struct http_wire *wire); /* from any thread */

#endif
