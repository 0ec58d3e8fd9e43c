/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded pool of connections. Who waits is served in order of arrival: a connection that comes back goes straight to
 * the longest waiter. One thread makes all connections, one after the other and outside the lock, so that an outage
 * costs one attempt at a time however many requests wait, and no request waits for a slow handshake or a slow name
 * server. */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include "connection.h"

struct pool;

/* The pool keeps a copy of url. NULL where no thread can be made. */
struct pool *pool_new(struct secret url, bool prepare, size_t connections_max);

/* All connections must have been given back. */
void pool_free(struct pool *pool);

/* A connection for one statement, or PROBLEM_DATABASE_UNAVAILABLE: at once where the server refuses, after a second
 * where it does not answer at all, after five where all connections are busy for so long. */
MUST_CHECK bool pool_borrow(struct pool *pool, struct connection **ret_connection, struct problem *problem);

void pool_return(struct pool *pool, struct connection *connection);

/* For a connection that broke. The idle ones have most likely lost the same server, and are closed with it. */
void pool_discard(struct pool *pool, struct connection *connection);

#endif
