/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to PostgreSQL and one statement on it. No state lives in a connection beyond a statement, but for the
 * named prepared statements it has met. */
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "call.h"

/* How to connect; constant for the life of a pool but for options_refused, which connection_open learns. */
struct connection_plan {
	const char *url;
	bool prepare;
	bool options_refused; /* pgbouncer refuses the startup parameter `options`: statements are then timed here */
};

struct connection {
	PGconn *pg;
	bool prepare;
	bool cancels; /* the server has no statement_timeout from us */
	bool prepared[QUERY_COUNT];
	struct connection *next; /* of the pool's idle ones */
};

/* How one statement ended. result may be NULL where the connection was lost. */
struct answer {
	PGresult *result;
	bool lost;      /* the connection is of no more use */
	bool not_begun; /* it is certain that nothing was done */
};

/* Waits for the server as long as connect_timeout says, for each host of the URL. NULL on failure, with libpq's words,
 * which hold no password, in ret_why. Threads may open connections of one plan one after the other only. */
struct connection *connection_open(struct connection_plan *plan, char *ret_why, size_t why_size);
void connection_close(struct connection *connection);

/* Whether the server has said something (mostly good-bye) or gone since the last statement. Never waits. */
bool connection_is_stale(const struct connection *connection);

/* Runs a statement with its parameters and waits for its end, also for the commit behind it. */
void connection_run(struct connection *connection, const struct call *call, struct answer *ret_answer);

/* Runs the statements of a script in the simple protocol, without a limit in time: for migrations. */
void connection_run_script(struct connection *connection, const char *script, struct answer *ret_answer);

/* The five characters of a failed result, or NULL. */
const char *answer_sqlstate(const struct answer *answer);
bool answer_is_done(const struct answer *answer);

/* The first line of libpq's message. */
void connection_explain(const PGconn *pg, char *ret_why, size_t why_size);

#endif
