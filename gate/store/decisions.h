/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log's writing side; decision_log.h reads it, retention.h says how long rows stay. Decisions that create
 * something are written by the statement that creates it. Refusals go through a bounded queue to a writer thread that
 * inserts them in batches, so that a storm of refusals costs the gate nothing: what does not fit is dropped and
 * counted. Closing the store writes what is queued. */
#ifndef STORE_DECISIONS_H
#define STORE_DECISIONS_H

#include "store.h"

struct decision_row {
	const char *id; /* UUID */
	const char *request_id;
	const char *surface; /* surface_word; NULL: api */
	const char *moment;  /* moment_word */
	const char *initiator_id;
	const char *on_behalf_of; /* whom a control plane named as initiator, or NULL */
	const char *owner_id;     /* NULL: an owner whom the service has not seen yet */
	const char *owner_name;
	const char *template_version_id;
	const char *outcome;        /* outcome_word */
	const char *strict_outcome; /* had everything been enforced and nobody been exempt */
	size_t reason_count;
	const char *const *reasons; /* reason_word of the findings that were not plainly good, each once */
	const char *findings;       /* JSON array, as gate_json_findings writes it */
	int64_t duration_ms;
};

/* Whether the queue takes a row now. A no is counted as a dropped row; after a yes the row is to be enqueued. */
bool decision_is_taken(struct store *store);

/* Copies the row into the queue; never blocks. */
void decision_enqueue(struct store *store, const struct decision_row *row);

#endif
