/* SPDX-License-Identifier: Apache-2.0 */
/* The facts behind a receipt: see receipts.h. */
#include "receipts.h"

#include <string.h>

#include "call.h"

static struct receipt_link *find_link(
	const struct receipt_question *question, struct receipt_link *links, const char *provider_id)
{
	for (size_t i = 0; i < question->link_count; i++)
		if (strcmp(question->provider_ids[i], provider_id) == 0)
			return &links[i];
	return NULL;
}

/* Each row repeats all but its own link, or has no link at all. */
static void read_links(const struct rows *rows, struct arena *arena, int first_column,
	const struct receipt_question *question, struct receipt_link *links)
{
	for (size_t i = 0; i < rows_count(rows); i++) {
		struct row row = row_at(rows, i);
		row_skip(&row, first_column);
		if (row_is_null(&row))
			continue;
		struct receipt_link *link = find_link(question, links, row_text(&row, arena));
		if (link != NULL)
			link->stands = row_integer(&row);
	}
}

bool receipt_facts_read(struct store *store, struct arena *arena, const struct receipt_question *question,
	struct receipt_facts *facts, struct receipt_link *links, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_RECEIPT_FACTS_READ);
	bind_text(&call, question->owner_id);
	bind_text(&call, question->owner_id == NULL ? question->owner_name : NULL);
	bind_text(&call, question->version_id);
	bind_texts(&call, arena, question->link_count, question->provider_ids);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	facts->owner_found = row_bool(&row);
	facts->owner_suspended = row_bool(&row);
	facts->version_found = row_bool(&row);
	facts->version_archived = row_bool(&row);
	read_links(&rows, arena, row.column, question, links);
	return true;
}
