/* SPDX-License-Identifier: Apache-2.0 */
/* Questions before the gate that come at the same time are asked in one statement: while every statement that may run
 * is under way, questions queue, and the next one takes all that wait. Alone, a question is asked at once; under load
 * one round trip and one start of the executor serve many, and PostgreSQL's part of each shrinks to its index lookups.
 * The threads that ask take turns at it ("Leader/Followers", Schmidt and others, POSA volume 2): there is no thread for
 * it. */
#ifndef STORE_FACTS_BATCH_H
#define STORE_FACTS_BATCH_H

#include "call.h"
#include "workspaces.h"

struct facts_batch;

/* At most statements_max statements run at once. NULL where there is no memory. */
struct facts_batch *facts_batch_new(struct store *store, size_t statements_max);

/* Nobody may be asking. */
void facts_batch_free(struct facts_batch *batch);

/* One question's rows among those of others. */
struct facts_rows {
	struct facts_result *result;
	int64_t number;
	size_t next;
};

/* As store_run with QUERY_CREATE_FACTS_READ. The outage that one statement meets is the outage of all in it; any other
 * error may be one question's own doing, so each is asked again alone. On success the caller owns *ret_rows. */
MUST_CHECK bool facts_batch_ask(struct facts_batch *batch, struct arena *arena, const struct create_question *question,
	struct facts_rows *ret_rows, struct problem *problem);

void facts_rows_release(struct facts_rows *rows); /* for SCOPED */

/* The question's next row, at its first column; false behind the last. There is at least one. */
bool facts_rows_next(struct facts_rows *rows, struct row *ret_row);

/* How many come yet. */
size_t facts_rows_left(const struct facts_rows *rows);

/* The batch of this store. */
struct facts_batch *store_facts(struct store *store);

#endif
