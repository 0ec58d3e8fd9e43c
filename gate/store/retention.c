/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep: a table of statements, each run until it removes less than it may. See retention.h. */
#include "retention.h"

#include <stdio.h>

#include "../base/log.h"
#include "../base/metrics.h"
#include "call.h"

#define RETENTION_INTERVAL_MS 60000
#define RETENTION_ROWS 100000

/* As the statements say, some of which take so many of each kind: a thousand rows go in some ten milliseconds. */
#define STEP_ROWS 1000

/* Between two steps while there is nothing to write, so that a large sweep leaves the database to others. */
#define PAUSE_MS 20

static const struct {
	enum query query;
	const char *what; /* for the metric */
} sweeps[SWEEP_COUNT] = {
	[SWEEP_OLD_DECISIONS] = {QUERY_RETENTION_OLD_DECISIONS, "old_decisions"},
	[SWEEP_EXCESS] = {QUERY_RETENTION_EXCESS, "excess"},
	[SWEEP_IDEMPOTENCY_KEYS] = {QUERY_RETENTION_IDEMPOTENCY_KEYS, "idempotency_keys"},
	[SWEEP_EXEMPTIONS] = {QUERY_RETENTION_EXEMPTIONS, "exemptions"},
	[SWEEP_DEVICE_GRANTS] = {QUERY_RETENTION_DEVICE_GRANTS, "device_grants"},
	[SWEEP_LOGINS] = {QUERY_RETENTION_LOGINS, "logins"},
	[SWEEP_ACCESS_TOKENS] = {QUERY_RETENTION_ACCESS_TOKENS, "access_tokens"},
	[SWEEP_LOGIN_ATTEMPTS] = {QUERY_RETENTION_LOGIN_ATTEMPTS, "login_attempts"},
};

void retention_start(struct retention *retention, struct retention_limits limits)
{
	*retention = (struct retention){.limits = limits, .counts = true, .under_way = SWEEP_COUNT};
	if (limits.interval_ms == 0)
		retention->limits.interval_ms = RETENTION_INTERVAL_MS;
	if (limits.rows == 0)
		retention->limits.rows = RETENTION_ROWS;
	retention->next = deadline_in_ms(limits.sweeps ? 0 : INT64_MAX);
}

void retention_note_written(struct retention *retention, size_t rows)
{
	retention->written += (int64_t)rows;
}

struct deadline retention_next(const struct retention *retention)
{
	if (retention->under_way == SWEEP_COUNT)
		return retention->next;
	return deadline_in_ms(PAUSE_MS);
}

static bool is_due(const struct retention *retention)
{
	return retention->limits.sweeps &&
	       (retention->written >= retention->limits.rows || deadline_passed(retention->next));
}

static void begin(struct retention *retention)
{
	/* Counting reads an index; who wrote nothing made nothing too many. */
	retention->counts = retention->counts || retention->written > 0;
	retention->next = deadline_in_ms(retention->limits.interval_ms);
	retention->written = 0;
	retention->bound[0] = '\0';
	retention->under_way = SWEEP_OLD_DECISIONS;
}

static bool is_wanted(const struct retention *retention)
{
	if (retention->under_way == SWEEP_OLD_DECISIONS)
		return retention->limits.decisions_ms > 0;
	if (retention->under_way == SWEEP_EXCESS)
		return retention->limits.excess_above > 0 && retention->counts;
	return true;
}

/* *ret_found: there are too many. */
static bool find_bound(struct retention *retention, struct store *store, bool *ret_found, struct problem *problem)
{
	SCOPED(arena_release) struct arena *arena = arena_new(4096);
	SCOPED(rows_release) struct rows rows = {0};
	struct call call;
	call_read(&call, QUERY_RETENTION_EXCESS_BOUND);
	bind_integer(&call, retention->limits.excess_above);
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_found)
		(void)snprintf(retention->bound, sizeof(retention->bound), "%s", row_uuid(&row, arena));
	return true;
}

static bool remove_some(
	const struct retention *retention, struct store *store, int64_t *ret_removed, struct problem *problem)
{
	SCOPED(rows_release) struct rows rows = {0};
	struct call call;
	call_write(&call, sweeps[retention->under_way].query);
	if (retention->under_way == SWEEP_OLD_DECISIONS)
		bind_integer(&call, retention->limits.decisions_ms);
	if (retention->under_way == SWEEP_EXCESS)
		bind_text(&call, retention->bound);
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	*ret_removed = row_integer(&row);
	metrics_add(METRIC_SWEPT, (struct metric_labels){{sweeps[retention->under_way].what}}, *ret_removed);
	return true;
}

/* *ret_more: the sweep that is under way is not done with this part. */
static bool take_step(struct retention *retention, struct store *store, bool *ret_more, struct problem *problem)
{
	int64_t removed = 0;
	if (retention->under_way == SWEEP_EXCESS && retention->bound[0] == '\0')
		return find_bound(retention, store, ret_more, problem);
	if (!remove_some(retention, store, &removed, problem))
		return false;
	*ret_more = removed >= STEP_ROWS;
	return true;
}

void retention_work(struct retention *retention, struct store *store)
{
	struct problem problem = {0};
	bool more = false;
	if (retention->under_way == SWEEP_COUNT && is_due(retention))
		begin(retention);
	while (retention->under_way != SWEEP_COUNT && !is_wanted(retention))
		retention->under_way++;
	if (retention->under_way == SWEEP_COUNT)
		return;
	if (!take_step(retention, store, &more, &problem)) {
		log_event(LOG_WARN, "sweep given up", log_string("what", sweeps[retention->under_way].what),
			log_string("why", problem.message));
		retention->under_way = SWEEP_COUNT;
		return;
	}
	if (more)
		return;
	if (retention->under_way == SWEEP_EXCESS)
		retention->counts = false;
	retention->under_way++;
}
