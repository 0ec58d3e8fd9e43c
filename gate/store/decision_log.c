/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the decision log: see decision_log.h. */
#include "decision_log.h"

#include <stdio.h>
#include <string.h>

#include "../base/secret.h"
#include "call.h"

/* Below and above every id. */
#define FIRST_ID "00000000-0000-0000-0000-000000000000"
#define LAST_ID "ffffffff-ffff-ffff-ffff-ffffffffffff"

/* A decision has its id before providers are asked, on the clock of its process, and its time when it is written.
 * Within so long lie two evaluations of the longest budget and clocks that differ by minutes. */
#define ID_AHEAD_MS INT64_C(900000)

static void read_decision(struct row *row, struct arena *arena, struct logged_decision *ret_decision)
{
	ret_decision->id = row_uuid(row, arena);
	ret_decision->request_id = row_text(row, arena);
	ret_decision->surface = row_text(row, arena);
	ret_decision->moment = row_text(row, arena);
	ret_decision->initiator_id = row_uuid(row, arena);
	ret_decision->initiator_name = row_text(row, arena);
	ret_decision->on_behalf_of = row_text(row, arena);
	ret_decision->owner_id = row_uuid(row, arena);
	ret_decision->owner_name = row_text(row, arena);
	ret_decision->template_version_id = row_uuid(row, arena);
	ret_decision->outcome = row_text(row, arena);
	ret_decision->strict_outcome = row_text(row, arena);
	ret_decision->reasons = row_text(row, arena);
	ret_decision->findings = row_text(row, arena);
	ret_decision->duration_ms = row_integer(row);
	ret_decision->created_at_ms = row_time_ms(row);
}

/* The lowest version 7 UUID of a time (RFC 9562 section 5.7: 48 bits of milliseconds first). */
static void write_lowest_id(int64_t at_ms, char ret_id[UUID_TEXT_SIZE])
{
	uint64_t ms = at_ms < 0 ? 0 : (uint64_t)at_ms & UINT64_C(0xffffffffffff);
	(void)snprintf(ret_id, UUID_TEXT_SIZE, "%08llx-%04llx-0000-0000-000000000000", (unsigned long long)(ms >> 16),
		(unsigned long long)(ms & 0xffff));
}

bool decision_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct logged_decision *ret_decision, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_DECISION_FIND);
	bind_text(&call, id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_found)
		read_decision(&row, arena, ret_decision);
	return true;
}

static void bind_filter(struct call *call, const struct decision_filter *filter, char lowest_id[UUID_TEXT_SIZE])
{
	memcpy(lowest_id, FIRST_ID, sizeof(FIRST_ID));
	if (filter->since_ms != 0)
		write_lowest_id(filter->since_ms - ID_AHEAD_MS, lowest_id);
	bind_text(call, filter->owner_id);
	bind_text(call, filter->owner_name);
	bind_text(call, filter->outcome);
	bind_text(call, filter->reason);
	bind_time_ms(call, filter->since_ms);
	bind_text(call, lowest_id);
}

bool decision_list(struct store *store, struct arena *arena, const struct decision_filter *filter, struct page page,
	size_t *ret_count, struct logged_decision **ret_decisions, struct problem *problem)
{
	char lowest_id[UUID_TEXT_SIZE];
	struct call call;
	call_read(&call, QUERY_DECISION_LIST);
	bind_filter(&call, filter, lowest_id);
	bind_text(&call, page.after_id == NULL || *page.after_id == '\0' ? LAST_ID : page.after_id);
	bind_integer(&call, page.limit);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_decisions = rows_room(&rows, arena, sizeof(**ret_decisions), ret_count);
	for (size_t i = 0; i < *ret_count; i++) {
		struct row row = row_at(&rows, i);
		read_decision(&row, arena, &(*ret_decisions)[i]);
	}
	return true;
}
