/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log. Decisions that create something are written by the statement that creates it. Refusals go through a
 * bounded queue to a writer thread that inserts them in batches, so that a storm of refusals costs the gate nothing:
 * what does not fit is dropped and counted. Closing the store writes what is queued. */
#ifndef STORE_DECISIONS_H
#define STORE_DECISIONS_H

#include "store.h"

struct decision_row {
	const char *id; /* UUID */
	const char *request_id;
	const char *moment; /* "create"; later start, claim, acquire, check */
	const char *initiator_id;
	const char *owner_id;
	const char *template_version_id;
	const char *outcome;  /* outcome_word */
	const char *findings; /* JSON array: provider, verdict, reason, optional, status, duration_ms */
	int64_t duration_ms;
};

/* Copies the row into the queue; never blocks. */
void decision_enqueue(struct store *store, const struct decision_row *row);

#endif
