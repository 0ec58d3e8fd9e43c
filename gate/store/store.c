/* SPDX-License-Identifier: Apache-2.0 */
/* The store: a pool, the decision log's writer, and how one statement is run on a borrowed connection. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/metrics.h"
#include "bell.h"
#include "call.h"
#include "decision_queue.h"
#include "facts_batch.h"
#include "fault.h"
#include "migrate.h"
#include "pool.h"

/* Once more than the first time: a statement meets a dead connection or a deadlock once; twice is an outage. */
#define ATTEMPTS_MAX 2

struct store {
	struct pool *pool;
	struct facts_batch *facts;
	struct decision_queue *decisions;
	struct bell *bell;
	const struct vault *vault;
};

bool store_open(const struct store_options *options, struct store **ret_store, struct problem *problem)
{
	struct store *store = calloc(1, sizeof(*store));
	if (store == NULL)
		return problem_set(problem, PROBLEM_INTERNAL, "There is no memory for the connection pool.");
	store->vault = options->vault;
	store->bell = bell_new();
	store->pool = pool_new(options->connection_url, options->prepare, options->connections);
	/* The other half of the connections is for what is no question before the gate. */
	store->facts = facts_batch_new(store, (options->connections + 1) / 2);
	store->decisions = store->pool == NULL || store->bell == NULL || store->facts == NULL
				   ? NULL
				   : decision_queue_new(store, options->retention, options->decision_rate_max);
	if (store->decisions == NULL) {
		store_close(store);
		return problem_set(problem, PROBLEM_INTERNAL, "The connection pool's threads cannot be started.");
	}
	*ret_store = store;
	return true;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	decision_queue_free(store->decisions);
	facts_batch_free(store->facts);
	pool_free(store->pool);
	bell_free(store->bell);
	free(store);
}

const struct vault *store_vault(const struct store *store)
{
	return store->vault;
}

struct facts_batch *store_facts(struct store *store)
{
	return store->facts;
}

struct bell *store_bell(struct store *store)
{
	return store->bell;
}

struct decision_queue *store_decisions(struct store *store)
{
	return store->decisions;
}

enum run_end { RUN_DONE, RUN_FAILED, RUN_AGAIN };

static enum run_end end_internal(const struct call *call, const struct answer *answer, struct problem *problem)
{
	log_event(LOG_ERROR, "statement failed", log_string("statement", statement_of(call->query)->name),
		log_string("sqlstate", answer_sqlstate(answer)),
		log_string(
			"hint", strncmp(answer_sqlstate(answer), "42P05", 5) == 0 ? "GATEHOUSE_PG_PREPARE=off" : NULL));
	problem_set(problem, PROBLEM_INTERNAL, "The database refused a statement of the service.");
	return RUN_FAILED;
}

/*
 * A full disk, a lock or a statement that took too long: the connection stands and /readyz is content, so this line is
 * the only one that says why. The server's words name files, limits and sizes, never a value.
 */
static void log_refused_for_now(const struct call *call, const struct answer *answer)
{
	log_event(LOG_WARN, "the database could not carry out a statement",
		log_string("statement", statement_of(call->query)->name),
		log_string("sqlstate", answer_sqlstate(answer)),
		log_string("why", PQresultErrorField(answer->result, PG_DIAG_MESSAGE_PRIMARY)));
}

static void take_violation(const struct answer *answer, struct rows *ret_rows)
{
	const char *constraint = PQresultErrorField(answer->result, PG_DIAG_CONSTRAINT_NAME);
	memset(ret_rows, 0, sizeof(*ret_rows));
	if (constraint != NULL)
		(void)snprintf(ret_rows->violated, sizeof(ret_rows->violated), "%s", constraint);
}

/* What follows from a statement that failed, in the order of enum fault. `again`: it is certain that nothing was done.
 */
static const struct {
	bool drop;
	bool again;
} treatment[FAULT_COUNT] = {
	[FAULT_AWAY] = {.drop = true},
	[FAULT_READ_ONLY] = {.drop = true, .again = true},
	[FAULT_STALE] = {.drop = true, .again = true},
	[FAULT_AGAIN] = {.again = true},
};

/* The connection is given back or dropped here. */
static enum run_end end_failed(struct store *store, struct connection *connection, const struct call *call,
	const struct answer *answer, struct rows *ret_rows, struct problem *problem)
{
	enum fault fault = answer->lost ? FAULT_AWAY : fault_of(answer_sqlstate(answer));
	if (treatment[fault].drop)
		pool_discard(store->pool, connection);
	else
		pool_return(store->pool, connection);
	if (fault == FAULT_OTHER || (fault == FAULT_VIOLATION && !call->expects_violation))
		return end_internal(call, answer, problem);
	if (fault == FAULT_VIOLATION) {
		take_violation(answer, ret_rows);
		return RUN_DONE;
	}
	if (fault == FAULT_BUSY)
		log_refused_for_now(call, answer);
	fault_unavailable(problem);
	bool again = treatment[fault].again || (fault == FAULT_AWAY && (!call->writes || answer->not_begun));
	return again ? RUN_AGAIN : RUN_FAILED;
}

static enum run_end run_once(
	struct store *store, const struct call *call, struct rows *ret_rows, struct problem *problem)
{
	struct connection *connection = NULL;
	if (!pool_borrow(store->pool, &connection, problem))
		return RUN_FAILED;
	struct answer answer;
	connection_run(connection, call, &answer);
	if (answer_is_done(&answer)) {
		pool_return(store->pool, connection);
		*ret_rows = (struct rows){.result = answer.result};
		return RUN_DONE;
	}
	enum run_end end = end_failed(store, connection, call, &answer, ret_rows, problem);
	PQclear(answer.result);
	return end;
}

static const char *end_word(enum run_end end, const struct problem *problem)
{
	if (end == RUN_DONE)
		return "ok";
	return problem->kind == PROBLEM_DATABASE_UNAVAILABLE ? "unavailable" : "error";
}

bool store_run(struct store *store, const struct call *call, struct rows *ret_rows, struct problem *problem)
{
	int64_t started_us = clock_monotonic_us();
	enum run_end end = RUN_AGAIN;
	for (int attempt = 0; end == RUN_AGAIN && attempt < ATTEMPTS_MAX; attempt++)
		end = run_once(store, call, ret_rows, problem);
	metrics_observe_us(METRIC_DATABASE_DURATION, (struct metric_labels){0}, clock_monotonic_us() - started_us);
	metrics_add(METRIC_DATABASE_QUERIES, (struct metric_labels){{end_word(end, problem)}}, 1);
	return end == RUN_DONE;
}

bool store_find(
	struct store *store, const struct call *call, struct rows *ret_rows, bool *ret_found, struct problem *problem)
{
	if (!store_run(store, call, ret_rows, problem))
		return false;
	*ret_found = rows_count(ret_rows) > 0;
	return true;
}

bool store_ask(struct store *store, const struct call *call, bool *ret_found, struct problem *problem)
{
	SCOPED(rows_release) struct rows rows = {0};
	return store_find(store, call, &rows, ret_found, problem);
}

bool store_do(struct store *store, const struct call *call, struct problem *problem)
{
	SCOPED(rows_release) struct rows rows = {0};
	return store_run(store, call, &rows, problem);
}

bool store_ping(struct store *store, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_PING);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	int64_t version = row_integer(&row);
	if (version == migrate_newest_version())
		return true;
	problem_set(problem, PROBLEM_DATABASE_UNAVAILABLE,
		"The database's schema is at version %d, this service's is %d.", (int)version,
		migrate_newest_version());
	return problem_detail(problem, "Restart the service: it migrates the database or says why not.");
}
