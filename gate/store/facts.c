/* SPDX-License-Identifier: Apache-2.0 */
/* The one read before the gate. */
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
static void read_links_and_exemptions(const struct rows *rows, struct arena *arena, const struct vault *vault,
	int first_column, struct create_facts *ret_facts)
{
	size_t count = rows_count(rows);
	ret_facts->links = arena_alloc(arena, count * sizeof(*ret_facts->links));
	ret_facts->exemptions = arena_alloc(arena, count * sizeof(*ret_facts->exemptions));
	for (size_t i = 0; i < count; i++) {
		struct row row = row_at(rows, i);
		row_skip(&row, first_column);
		if (row_is_null(&row))
			continue;
		if (is_exemption(row))
			read_exemption(&row, arena, ret_facts);
		else
			link_read_row(&row, arena, vault, &ret_facts->links[ret_facts->link_count++]);
	}
}

static void bind_named(struct call *call, struct arena *arena, const struct requirements *named)
{
	const char *provider_ids[REQUIREMENTS_MAX];
	if (named == NULL) {
		bind_null(call);
		return;
	}
	for (size_t i = 0; i < named->count; i++)
		provider_ids[i] = named->list[i].provider_id;
	bind_texts(call, arena, named->count, provider_ids);
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
	struct call call;
	call_read(&call, QUERY_CREATE_FACTS_READ);
	bind_reference(&call, question->owner);
	bind_text(&call, question->template_id);
	bind_text(&call, question->version_id);
	bind_text(&call, question->workspace_name);
	bind_named(&call, arena, question->named);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	read_owner(&row, arena, ret_facts);
	if (!read_version(&row, arena, ret_facts, problem))
		return false;
	adopt_named(question->named, ret_facts);
	ret_facts->name_taken = row_bool(&row);
	read_links_and_exemptions(&rows, arena, store_vault(store), row.column, ret_facts);
	return true;
}
