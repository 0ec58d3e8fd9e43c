/* SPDX-License-Identifier: Apache-2.0 */
/* How long rows stay that nobody removes: decisions by their age, those that are not allowed also by their number, and
 * with them idempotency keys, exemptions, device codes and logins whose time is over. A sweep goes in small steps
 * between which the decision log's writer does its own work; rows that another process removes at the same time are
 * left to it. */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/clock.h"

struct store;

struct retention_limits {
	bool sweeps;          /* false: nothing is ever removed; for commands that only look or do one thing */
	int64_t decisions_ms; /* how long a decision is kept; 0: for ever */
	int64_t excess_above; /* how many decisions are kept that made nothing; 0: all */
	int64_t interval_ms;  /* a sweep begins so long after the last one; 0: a minute */
	int64_t rows;         /* and when so many rows were written since; 0: a hundred thousand */
};

enum sweep {
	SWEEP_OLD_DECISIONS,
	SWEEP_EXCESS,
	SWEEP_IDEMPOTENCY_KEYS,
	SWEEP_EXEMPTIONS,
	SWEEP_DEVICE_GRANTS,
	SWEEP_LOGINS,
	SWEEP_ACCESS_TOKENS,
	SWEEP_LOGIN_ATTEMPTS,
	SWEEP_COUNT /* no sweep is under way */
};

/* One thread's. */
struct retention {
	struct retention_limits limits;
	struct deadline next;
	int64_t written; /* rows since the last sweep began */
	bool counts;     /* this sweep looks for decisions that are too many */
	enum sweep under_way;
	char bound[37]; /* of SWEEP_EXCESS: the newest id that goes; "" while it is not known */
};

/* The first sweep is due at once: limits may have been narrowed. */
void retention_start(struct retention *retention, struct retention_limits limits);

void retention_note_written(struct retention *retention, size_t rows);

/* When retention_work has something to do. */
struct deadline retention_next(const struct retention *retention);

/* Begins a sweep where one is due, and takes one step of the sweep under way: one statement of at most a thousand rows.
 * A sweep that meets a problem is given up and begun anew at its next time. */
void retention_work(struct retention *retention, struct store *store);

#endif
