/* SPDX-License-Identifier: Apache-2.0 */
/* The schema's history, embedded at build from schema/migrations/, applied in order, each once, under a lock that
 * several starting replicas share (a lock row or transaction-level advisory lock: nothing of a session's, for
 * pgbouncer). */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "store.h"

/* Brings the database to this binary's version and sets *ret_applied to how many migrations that took. Fails, with one
 * sentence that says what to do, where the database cannot be reached, is newer than the binary, or lacks rights. */
MUST_CHECK bool migrate_database(struct secret connection_url, int *ret_applied, struct problem *problem);

/* Whether libpq can read the connection string; whether anybody answers there is another question. */
MUST_CHECK bool migrate_url_is_lawful(struct secret connection_url);

/* The newest migration this binary knows. */
int migrate_newest_version(void);

#endif
