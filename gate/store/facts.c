/* SPDX-License-Identifier: Apache-2.0 */
/* The one read before the gate. */
#include "facts_batch.h"
#include "link_row.h"
#include "user_row.h"
#include "version_row.h"
#include "workspaces.h"

#define USER_COLUMNS 6
#define TEMPLATE_COLUMNS 3
#define VERSION_COLUMNS 6

static void read_owner(struct row *row, struct arena *arena, struct create_facts *ret_facts)
{
	ret_facts->owner_found = !row_is_null(row);
	if (ret_facts->owner_found)
		user_read_row(row, arena, &ret_facts->owner);
	else
		row_skip(row, USER_COLUMNS);
}

static bool read_version(struct row *row, struct arena *arena, struct create_facts *ret_facts, struct problem *problem)
{
	ret_facts->version_found = !row_is_null(row);
	if (!ret_facts->version_found) {
		row_skip(row, TEMPLATE_COLUMNS + VERSION_COLUMNS);
		return true;
	}
	ret_facts->template_name = row_text(row, arena);
	/* A setting that a newer service wrote and this one does not know says nothing: then the deployment's holds. */
	(void)enforcement_setting_read(row_text(row, arena), &ret_facts->template_enforcement);
	ret_facts->template_deprecated = row_bool(row);
	return version_read_row(row, arena, &ret_facts->version, problem);
}

/* The third column of both is the link's generation, which every link has. */
static bool is_exemption(struct row row)
{
	row_skip(&row, 2);
	return row_is_null(&row);
}

static void read_exemption(struct row *row, struct arena *arena, struct create_facts *facts)
{
	struct exemption *exemption = &facts->exemptions[facts->exemption_count++];
	*exemption = (struct exemption){.id = row_uuid(row, arena),
		.owner_id = facts->owner.id,
		.owner_name = facts->owner.username,
		.template_id = facts->version.template_id,
		.template_name = facts->template_name};
	exemption->provider_id = row_text(row, arena);
	row_skip(row, 1); /* generation */
	exemption->granted_by_name = row_text(row, arena);
	row_skip(row, 3); /* the tokens */
	exemption->reason = row_text(row, arena);
	row_skip(row, 2); /* what is remembered */
	int64_t read_at_ms = row_time_ms(row);
	exemption->expires_at_ms = row_time_ms(row);
	exemption->over = deadline_in_ms(exemption->expires_at_ms - read_at_ms);
	row_skip(row, 1); /* when it was valid last */
	exemption->created_at_ms = row_time_ms(row);
}

/* Each row repeats all but its own link or exemption, or has neither. */
static void read_links_and_exemptions(struct facts_rows *rows, struct row row, struct arena *arena,
	const struct vault *vault, struct create_facts *ret_facts)
{
	int first_column = row.column;
	size_t count = 1 + facts_rows_left(rows);
	ret_facts->links = arena_alloc(arena, count * sizeof(*ret_facts->links));
	ret_facts->exemptions = arena_alloc(arena, count * sizeof(*ret_facts->exemptions));
	do {
		row.column = first_column;
		if (row_is_null(&row))
			continue;
		if (is_exemption(row))
			read_exemption(&row, arena, ret_facts);
		else
			link_read_row(&row, arena, vault, &ret_facts->links[ret_facts->link_count++]);
	} while (facts_rows_next(rows, &row));
}

/* Named providers stand for a version: nothing is stored of it but what was named. */
static void adopt_named(const struct requirements *named, struct create_facts *ret_facts)
{
	if (named == NULL)
		return;
	ret_facts->version_found = true;
	ret_facts->version.requirements = *named;
}

bool create_facts_read(struct store *store, struct arena *arena, const struct create_question *question,
	struct create_facts *ret_facts, struct problem *problem)
{
	*ret_facts = (struct create_facts){0};
	SCOPED(facts_rows_release) struct facts_rows rows = {0};
	if (!facts_batch_ask(store_facts(store), arena, question, &rows, problem))
		return false;
	struct row row;
	if (!facts_rows_next(&rows, &row))
		return problem_set(problem, PROBLEM_INTERNAL, "The database left a question without an answer.");
	read_owner(&row, arena, ret_facts);
	if (!read_version(&row, arena, ret_facts, problem))
		return false;
	adopt_named(question->named, ret_facts);
	ret_facts->name_taken = row_bool(&row);
	read_links_and_exemptions(&rows, row, arena, store_vault(store), ret_facts);
	return true;
}
