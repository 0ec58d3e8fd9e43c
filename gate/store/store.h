/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL: a small pool of connections, borrowed for one statement and given back, never held while a provider is
 * asked. No state lives in a connection beyond a statement (pgbouncer's transaction mode works). Where the server
 * cannot be reached a call fails at once with PROBLEM_DATABASE_UNAVAILABLE and a retry_after_s; the next call connects
 * anew, so a restart of PostgreSQL needs none of ours. A read that meets a connection that died is run once more on a
 * new one; a write whose outcome nobody learnt is not. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "must_check.h"
#include "problem.h"
#include "retention.h"

struct store;
struct vault;

struct store_options {
	struct secret connection_url;      /* any libpq connection string */
	bool prepare;                      /* named prepared statements; false behind pgbouncer in transaction mode */
	size_t connections;                /* size of the pool */
	const struct vault *vault;         /* opens and seals token columns; owned by the caller, outlives the store */
	struct retention_limits retention; /* all 0: nothing is swept */
	int64_t decision_rate_max;         /* queued decisions written a second in the long run; 0: any number */
};

/* Makes the pool; connects on first use. The caller owns *ret_store. */
MUST_CHECK bool store_open(const struct store_options *options, struct store **ret_store, struct problem *problem);
void store_close(struct store *store);

/* One trivial statement: is the database there, and is its schema this binary's? For /readyz. */
MUST_CHECK bool store_ping(struct store *store, struct problem *problem);

/* A page of a list: rows after the id after_id ("" from the start), at most limit. */
struct page {
	const char *after_id;
	int64_t limit;
};

#endif
