/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log's queue and its writer thread, as the store owns them: see decisions.h. */
#ifndef STORE_DECISION_QUEUE_H
#define STORE_DECISION_QUEUE_H

#include "store.h"

struct decision_queue;

/* NULL where no thread can be made. */
struct decision_queue *decision_queue_new(struct store *store, struct retention_limits limits, int64_t rate_max);

/* Writes what is queued, for a bounded time, and ends the thread. NULL is nothing to do. */
void decision_queue_free(struct decision_queue *queue);

struct decision_queue *store_decisions(struct store *store);

#endif
