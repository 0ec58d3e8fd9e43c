/* SPDX-License-Identifier: Apache-2.0 */
/* What each key still does: see key_report.h. */
#include "key_report.h"

#include <string.h>

#include "vault_cell.h"

/* Keys that are given and, beside them, keys that the database still names: of a list that was changed often. Beyond
 * this more are not told apart, which the caller sees as a failure. */
#define LINES_MAX ((size_t)VAULT_KEYS_MAX * 16)

static const char *const WORDS[KEY_STATE_COUNT] = {
	[KEY_SEALS] = "encrypts",
	[KEY_IN_USE] = "in_use",
	[KEY_RELEASABLE] = "releasable",
	[KEY_UNUSED] = "unused",
	[KEY_MISSING] = "missing",
	[KEY_WRONG] = "wrong",
};

const char *key_state_word(enum key_state state)
{
	return WORDS[state];
}

static void add_given(struct key_report *report, const struct vault *vault)
{
	for (size_t i = 0; i < vault_key_count(vault); i++)
		report->lines[report->count++] =
			(struct key_line){.key_id = vault_key_id_at(vault, i), .position = i + 1};
}

/* The line of a key, made where there is none; NULL where there are too many. */
static struct key_line *find_line(struct key_report *report, const char *key_id)
{
	for (size_t i = 0; i < report->count; i++)
		if (strcmp(report->lines[i].key_id, key_id) == 0)
			return &report->lines[i];
	if (report->count == LINES_MAX)
		return NULL;
	report->lines[report->count] = (struct key_line){.key_id = key_id};
	return &report->lines[report->count++];
}

static bool refuse_many(struct problem *problem)
{
	return problem_set(problem, PROBLEM_INTERNAL, "The database names more than %zu keys.", LINES_MAX);
}

static bool add_usage(struct key_report *report, struct store *store, struct arena *arena, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_VAULT_USAGE);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	for (size_t i = 0; i < rows_count(&rows); i++) {
		struct row row = row_at(&rows, i);
		const char *key_id = row_text(&row, arena);
		int64_t links = row_integer(&row);
		int64_t states = row_integer(&row);
		if (*key_id == '\0') {
			report->clear_links = links;
			report->clear_states = states;
			continue;
		}
		struct key_line *line = find_line(report, key_id);
		if (line == NULL)
			return refuse_many(problem);
		line->links = links;
		line->states = states;
	}
	return true;
}

static bool add_checks(struct key_report *report, struct store *store, struct arena *arena, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_VAULT_CHECK_READ);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	for (size_t i = 0; i < rows_count(&rows); i++) {
		struct row row = row_at(&rows, i);
		struct key_line *line = find_line(report, row_text(&row, arena));
		if (line == NULL)
			return refuse_many(problem);
		size_t size = 0;
		const uint8_t *bytes = row_bytes(&row, &size);
		struct sealed value = {(uint8_t *)arena_copy_bytes(arena, bytes, size), size};
		bool opens = vault_opens_check(store_vault(store), arena, line->key_id, value);
		line->check = opens ? CHECK_GOOD : CHECK_WRONG;
	}
	return true;
}

static enum key_state judge(const struct key_line *line)
{
	if (line->position == 0)
		return KEY_MISSING;
	if (line->check == CHECK_WRONG)
		return KEY_WRONG;
	if (line->position == 1)
		return KEY_SEALS;
	if (line->links > 0 || line->states > 0)
		return KEY_IN_USE;
	return line->check == CHECK_GOOD ? KEY_RELEASABLE : KEY_UNUSED;
}

bool key_report_read(struct store *store, struct arena *arena, struct key_report *ret_report, struct problem *problem)
{
	*ret_report = (struct key_report){.lines = arena_alloc(arena, LINES_MAX * sizeof(*ret_report->lines))};
	add_given(ret_report, store_vault(store));
	if (!add_usage(ret_report, store, arena, problem) || !add_checks(ret_report, store, arena, problem))
		return false;
	for (size_t i = 0; i < ret_report->count; i++)
		ret_report->lines[i].state = judge(&ret_report->lines[i]);
	return true;
}

int64_t key_report_rows_to_do(const struct key_report *report, bool from_clear)
{
	int64_t rows = from_clear ? report->clear_links + report->clear_states : 0;
	for (size_t i = 0; i < report->count; i++)
		if (report->lines[i].position != 1)
			rows += report->lines[i].links + report->lines[i].states;
	return rows;
}
