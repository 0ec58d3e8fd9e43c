/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to PostgreSQL: see connection.h. */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"

/* No statement of a request works for longer: each is a handful of index lookups, so one that takes seconds waits for a
 * lock or a sick disk. The wait here is longer, so that it is the server who gives up first and says why. */
#define STATEMENT_TIMEOUT_MS 5000
#define ANSWER_TIMEOUT_MS 7000

/* The planner is told what is true of every statement here: there is an index for it. Otherwise a plan that was made
 * while a table was empty reads all of it until the next autovacuum. All parameters are equally selective, so the
 * generic plan is as good as any, and nothing runs long enough to be worth compiling. */
#define SESSION_OPTIONS                                                                                                \
	"-c statement_timeout=5000 -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"

_Static_assert(STATEMENT_TIMEOUT_MS == 5000, "SESSION_OPTIONS spells it out");

/* Defaults that the connection string overrides. Two seconds is the least connect_timeout libpq honours. A server that
 * no longer answers, not even TCP, is given up after five. Of several hosts the one that takes writes is wanted. */
static PGconn *connect_with(const char *url, const char *options)
{
	const char *keywords[] = {"fallback_application_name", "connect_timeout", "target_session_attrs",
		"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "client_encoding",
		options == NULL ? "dbname" : "options", options == NULL ? NULL : "dbname", NULL};
	const char *values[] = {"gatehouse", "2", "read-write", "10", "5", "3", "5000", "UTF8",
		options == NULL ? url : options, url, NULL};
	return PQconnectdbParams(keywords, values, /* expand_dbname= */ 1);
}

void connection_explain(const PGconn *pg, char *ret_why, size_t why_size)
{
	const char *message = PQerrorMessage(pg);
	(void)snprintf(ret_why, why_size, "%.*s", (int)strcspn(message, "\n"), message);
}

static bool refuses_options(const PGconn *pg)
{
	return strstr(PQerrorMessage(pg), "unsupported startup parameter") != NULL;
}

/* libpq would write the server's warnings to stderr, between the lines of our log. */
static void drop_notice(void *argument, const char *message)
{
	(void)argument;
	(void)message;
}

struct connection *connection_open(struct connection_plan *plan, char *ret_why, size_t why_size)
{
	PGconn *pg = connect_with(plan->url, plan->options_refused ? NULL : SESSION_OPTIONS);
	if (PQstatus(pg) != CONNECTION_OK && !plan->options_refused && refuses_options(pg)) {
		PQfinish(pg);
		plan->options_refused = true;
		pg = connect_with(plan->url, NULL);
	}
	struct connection *connection = PQstatus(pg) == CONNECTION_OK ? calloc(1, sizeof(*connection)) : NULL;
	if (connection == NULL) {
		connection_explain(pg, ret_why, why_size);
		PQfinish(pg);
		return NULL;
	}
	(void)PQsetNoticeProcessor(pg, drop_notice, NULL);
	connection->pg = pg;
	connection->prepare = plan->prepare;
	connection->cancels = plan->options_refused;
	return connection;
}

void connection_close(struct connection *connection)
{
	if (connection == NULL)
		return;
	PQfinish(connection->pg);
	free(connection);
}

bool connection_is_stale(const struct connection *connection)
{
	struct pollfd socket = {.fd = PQsocket(connection->pg), .events = POLLIN};
	return PQstatus(connection->pg) != CONNECTION_OK || poll(&socket, 1, 0) != 0;
}

/* Waits until the next result can be had without waiting. */
static bool await_input(PGconn *pg, struct deadline deadline)
{
	while (PQisBusy(pg)) {
		struct pollfd socket = {.fd = PQsocket(pg), .events = POLLIN};
		int ready = poll(&socket, 1, (int)deadline_left_ms(deadline));
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0 || !PQconsumeInput(pg))
			return false;
	}
	return true;
}

static bool is_failure(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY;
}

/* Keeps the last result, or the first failure: a commit that fails comes behind a statement that succeeded. */
static PGresult *keep_one(PGresult *kept, PGresult *next)
{
	if (kept != NULL && is_failure(kept)) {
		PQclear(next);
		return kept;
	}
	PQclear(kept);
	return next;
}

/* A statement that was ended by an administrator before it had an answer has not been committed. */
static bool was_ended_before(const PGresult *first)
{
	const char *sqlstate = first == NULL ? NULL : PQresultErrorField(first, PG_DIAG_SQLSTATE);
	return sqlstate != NULL && strcmp(sqlstate, "57P01") == 0;
}

static void give_up(const struct connection *connection)
{
	if (!connection->cancels)
		return;
	char unused[256];
	PGcancel *cancel = PQgetCancel(connection->pg);
	if (cancel != NULL)
		(void)PQcancel(cancel, unused, sizeof(unused));
	PQfreeCancel(cancel);
}

static void await_answer(struct connection *connection, int64_t timeout_ms, struct answer *ret_answer)
{
	struct deadline deadline = deadline_in_ms(timeout_ms);
	PGresult *kept = NULL;
	bool first = true;
	for (;;) {
		if (!await_input(connection->pg, deadline)) {
			if (deadline_passed(deadline))
				give_up(connection);
			ret_answer->lost = true;
			break;
		}
		PGresult *next = PQgetResult(connection->pg);
		if (next == NULL)
			break;
		if (first)
			ret_answer->not_begun = was_ended_before(next);
		first = false;
		kept = keep_one(kept, next);
	}
	ret_answer->result = kept;
	ret_answer->lost = ret_answer->lost || PQstatus(connection->pg) != CONNECTION_OK;
}

/* A statement is prepared when a connection first meets it. */
static bool prepare_once(struct connection *connection, enum query query, struct answer *ret_answer)
{
	if (connection->prepared[query])
		return true;
	const struct statement *statement = statement_of(query);
	if (!PQsendPrepare(connection->pg, statement->name, statement->text, 0, NULL)) {
		*ret_answer = (struct answer){.lost = true, .not_begun = true};
		return false;
	}
	await_answer(connection, ANSWER_TIMEOUT_MS, ret_answer);
	connection->prepared[query] = answer_is_done(ret_answer);
	if (!connection->prepared[query]) {
		ret_answer->not_begun = true;
		return false;
	}
	PQclear(ret_answer->result);
	*ret_answer = (struct answer){0};
	return true;
}

static int send_call(struct connection *connection, const struct call *call)
{
	const struct statement *statement = statement_of(call->query);
	if (connection->prepare)
		return PQsendQueryPrepared(connection->pg, statement->name, call->count, call->values, call->sizes,
			call->formats, /* resultFormat= */ 1);
	return PQsendQueryParams(connection->pg, statement->text, call->count, NULL, call->values, call->sizes,
		call->formats, /* resultFormat= */ 1);
}

void connection_run(struct connection *connection, const struct call *call, struct answer *ret_answer)
{
	*ret_answer = (struct answer){0};
	if (connection->prepare && !prepare_once(connection, call->query, ret_answer))
		return;
	if (!send_call(connection, call)) {
		ret_answer->lost = true;
		return;
	}
	await_answer(connection, connection->cancels ? STATEMENT_TIMEOUT_MS : ANSWER_TIMEOUT_MS, ret_answer);
}

void connection_run_script(struct connection *connection, const char *script, struct answer *ret_answer)
{
	*ret_answer = (struct answer){.result = PQexec(connection->pg, script)};
	ret_answer->lost = PQstatus(connection->pg) != CONNECTION_OK;
}

const char *answer_sqlstate(const struct answer *answer)
{
	return answer->result == NULL ? NULL : PQresultErrorField(answer->result, PG_DIAG_SQLSTATE);
}

bool answer_is_done(const struct answer *answer)
{
	return answer->result != NULL && !answer->lost && !is_failure(answer->result);
}
