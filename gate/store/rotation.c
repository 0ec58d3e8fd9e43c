/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of keys: see rotation.h. Three tables, walked key by key; within a key by the rows' own keys, so that a row
 * which cannot be written now is passed by and met again in the next pass. */
#include "rotation.h"

#include <stdlib.h>
#include <string.h>

#include "../base/log.h"
#include "bounds.h"
#include "vault_cell.h"

#define CELLS_MAX 3

/* A row's values as they are read, open, sealed anew and bound, each of them twice while the arena grows, beside its
 * ids. */
#define ROW_BYTES_MAX (8 * CELLS_MAX * (PROVIDER_TOKEN_BYTES_MAX + SEAL_OVERHEAD_BYTES))
#define BATCH_ARENA_BYTES_MAX ((ROTATION_BATCH_MAX + 1) * (size_t)ROW_BYTES_MAX)

/* The ids of the keys that one table's rows are sealed with; the ids of one row. */
#define WALK_ARENA_BYTES_MAX (1024 * 1024)

/* The tables that hold sealed values. Their statements have the same columns (row id, provider id, the id that the
 * values are bound to, generation, values) and the same parameters, but for how many values a row has. */
static const struct sheet {
	enum query keys;
	enum query read;
	enum query write;
	const char *before_all; /* a row id that none is before */
	size_t cell_count;
	const char *columns[CELLS_MAX];
} SHEETS[] = {
	{QUERY_VAULT_LINK_KEYS, QUERY_ROTATION_LINKS_READ, QUERY_ROTATION_LINKS_WRITE,
		"00000000-0000-0000-0000-000000000000", 3, {"access_token", "refresh_token", "extras"}},
	{QUERY_VAULT_STATE_KEYS, QUERY_ROTATION_STATES_READ, QUERY_ROTATION_STATES_WRITE, "", 1, {"verifier"}},
	{QUERY_VAULT_DEVICE_KEYS, QUERY_ROTATION_DEVICES_READ, QUERY_ROTATION_DEVICES_WRITE, "", 1, {"device_code"}},
};

struct rotation {
	struct store *store;
	struct rotation_plan plan;
	struct rotation_tally tally;
	struct arena *walk;  /* lives as long as one table's walk */
	struct arena *place; /* where the walk stands */
	struct arena *batch; /* lives as long as one batch */
	bool first_pass;

	size_t sheet;
	bool keys_read;
	size_t key_count;
	size_t key;
	const char **key_ids;    /* '' for clear rows */
	const char *row_id;      /* the last one read of this key */
	const char *provider_id; /* and its provider */

	const struct sheet *batch_sheet;
	const char *batch_key_id;
	size_t count; /* rows of the batch that can be written */
	const char **row_ids;
	const char **provider_ids;
	int64_t *generations;
	struct sealed *was[CELLS_MAX];
	struct sealed *now[CELLS_MAX];
};

bool rotation_new(
	struct store *store, struct rotation_plan plan, struct rotation **ret_rotation, struct problem *problem)
{
	struct rotation *rotation = calloc(1, sizeof(*rotation));
	if (rotation == NULL)
		return problem_set(problem, PROBLEM_INTERNAL, "There is no memory for the rotation.");
	rotation->store = store;
	rotation->plan = plan;
	rotation->walk = arena_new(WALK_ARENA_BYTES_MAX);
	rotation->place = arena_new(WALK_ARENA_BYTES_MAX);
	rotation->batch = arena_new(BATCH_ARENA_BYTES_MAX);
	rotation->first_pass = true;
	*ret_rotation = rotation;
	return true;
}

void rotation_free(struct rotation *rotation)
{
	if (rotation == NULL)
		return;
	arena_free(rotation->walk);
	arena_free(rotation->place);
	arena_free(rotation->batch);
	free(rotation);
}

struct rotation_tally rotation_tally(const struct rotation *rotation)
{
	return rotation->tally;
}

/* --- the walk ----------------------------------------------------------------------------------------------------- */

static void start_key(struct rotation *rotation)
{
	rotation->row_id = SHEETS[rotation->sheet].before_all;
	rotation->provider_id = "";
}

static bool wants_key(const struct rotation *rotation, const char *key_id)
{
	if (*key_id == '\0')
		return rotation->plan.from_clear;
	return strcmp(key_id, vault_key_id(store_vault(rotation->store))) != 0;
}

static bool read_keys(struct rotation *rotation, struct problem *problem)
{
	struct call call;
	call_read(&call, SHEETS[rotation->sheet].keys);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(rotation->store, &call, &rows, problem))
		return false;
	arena_reset(rotation->walk);
	rotation->key_ids = arena_alloc(rotation->walk, (rows_count(&rows) + 1) * sizeof(*rotation->key_ids));
	rotation->key_count = 0;
	rotation->key = 0;
	for (size_t i = 0; i < rows_count(&rows); i++) {
		struct row row = row_at(&rows, i);
		const char *key_id = row_text(&row, rotation->walk);
		if (wants_key(rotation, key_id))
			rotation->key_ids[rotation->key_count++] = key_id;
	}
	rotation->keys_read = true;
	start_key(rotation);
	return true;
}

/* Finds the next key that has rows to seal anew; *ret_more false: the pass is over. */
static bool find_key(struct rotation *rotation, bool *ret_more, struct problem *problem)
{
	while (rotation->sheet < COUNT_OF(SHEETS)) {
		if (!rotation->keys_read && !read_keys(rotation, problem))
			return false;
		if (rotation->key < rotation->key_count) {
			*ret_more = true;
			return true;
		}
		rotation->keys_read = false;
		rotation->sheet++;
	}
	*ret_more = false;
	rotation->sheet = 0;
	rotation->first_pass = false;
	return true;
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

static void start_batch(struct rotation *rotation, size_t rows)
{
	struct arena *arena = rotation->batch;
	rotation->batch_sheet = &SHEETS[rotation->sheet];
	rotation->batch_key_id = rotation->key_ids[rotation->key];
	rotation->row_ids = arena_alloc(arena, rows * sizeof(*rotation->row_ids));
	rotation->provider_ids = arena_alloc(arena, rows * sizeof(*rotation->provider_ids));
	rotation->generations = arena_alloc(arena, rows * sizeof(*rotation->generations));
	for (size_t i = 0; i < rotation->batch_sheet->cell_count; i++) {
		rotation->was[i] = arena_alloc(arena, rows * sizeof(*rotation->was[i]));
		rotation->now[i] = arena_alloc(arena, rows * sizeof(*rotation->now[i]));
	}
}

static struct sealed copy_bytes(struct row row, struct arena *arena)
{
	size_t size = 0;
	const uint8_t *bytes = row_bytes(&row, &size);
	if (bytes == NULL)
		return (struct sealed){0};
	return (struct sealed){(uint8_t *)arena_copy_bytes(arena, bytes, size), size};
}

/* Opens one value and seals it anew; false where no key opens it. */
static bool take_cell(struct rotation *rotation, struct row *row, struct cell cell, size_t index)
{
	const struct vault *vault = store_vault(rotation->store);
	const char *key_id = rotation->batch_key_id;
	struct secret plain = {0};
	rotation->was[index][rotation->count] = copy_bytes(*row, rotation->batch);
	if (!row_cell(row, rotation->batch, vault, *key_id == '\0' ? NULL : key_id, cell, &plain))
		return false;
	rotation->now[index][rotation->count] = vault_seal(vault, rotation->batch, cell, plain);
	return true;
}

static void take_row(struct rotation *rotation, struct row row)
{
	const char *row_id = row_text(&row, rotation->batch);
	const char *provider_id = row_text(&row, rotation->batch);
	struct cell cell = {.row_id = row_text(&row, rotation->batch), .provider_id = provider_id};
	bool readable = true;
	rotation->row_ids[rotation->count] = row_id;
	rotation->provider_ids[rotation->count] = provider_id;
	rotation->generations[rotation->count] = row_integer(&row);
	for (size_t i = 0; i < rotation->batch_sheet->cell_count && readable; i++) {
		cell.column = rotation->batch_sheet->columns[i];
		readable = take_cell(rotation, &row, cell, i);
	}
	rotation->count += readable;
	rotation->tally.found += readable;
	rotation->tally.unreadable += !readable;
	if (!readable && rotation->first_pass)
		log_event(LOG_WARN, "a stored value does not open and is left as it is",
			log_string("key_id", rotation->batch_key_id), log_string("column", cell.column),
			log_string("row_id", row_id), log_string("provider", provider_id));
}

static void take_rows(struct rotation *rotation, const struct rows *rows)
{
	size_t count = rows_count(rows);
	arena_reset(rotation->batch);
	start_batch(rotation, count + 1);
	for (size_t i = 0; i < count; i++)
		take_row(rotation, row_at(rows, i));
	if (count < rotation->plan.batch) {
		rotation->key++;
		start_key(rotation);
		return;
	}
	struct row last = row_at(rows, count - 1);
	arena_reset(rotation->place);
	rotation->row_id = row_text(&last, rotation->place);
	rotation->provider_id = row_text(&last, rotation->place);
}

bool rotation_read(struct rotation *rotation, bool *ret_more, struct problem *problem)
{
	bool is_start = rotation->sheet == 0 && !rotation->keys_read;
	rotation->count = 0;
	if (is_start)
		rotation->tally.found = rotation->tally.unreadable = 0;
	if (!find_key(rotation, ret_more, problem))
		return false;
	if (!*ret_more)
		return true;
	struct call call;
	call_read(&call, SHEETS[rotation->sheet].read);
	bind_text(&call, rotation->key_ids[rotation->key]);
	bind_text(&call, rotation->row_id);
	bind_text(&call, rotation->provider_id);
	bind_integer(&call, (int64_t)rotation->plan.batch);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(rotation->store, &call, &rows, problem))
		return false;
	take_rows(rotation, &rows);
	return true;
}

static void bind_batch(struct call *call, struct rotation *rotation)
{
	struct arena *arena = rotation->batch;
	size_t count = rotation->count;
	bind_text(call, rotation->batch_key_id);
	bind_text(call, vault_key_id(store_vault(rotation->store)));
	bind_texts(call, arena, count, rotation->row_ids);
	bind_texts(call, arena, count, rotation->provider_ids);
	bind_integers(call, arena, count, rotation->generations);
	for (size_t i = 0; i < rotation->batch_sheet->cell_count; i++) {
		bind_sealed(call, arena, count, rotation->was[i]);
		bind_sealed(call, arena, count, rotation->now[i]);
	}
}

bool rotation_write(struct rotation *rotation, struct problem *problem)
{
	if (rotation->count == 0)
		return true;
	struct call call;
	call_write(&call, rotation->batch_sheet->write);
	bind_batch(&call, rotation);
	rotation->count = 0;
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(rotation->store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	int64_t written = row_integer(&row);
	if (rotation->batch_sheet == &SHEETS[0])
		rotation->tally.links += written;
	else
		rotation->tally.states += written;
	return true;
}

bool rotation_retire(
	struct store *store, struct arena *arena, size_t *ret_count, const char ***ret_key_ids, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_VAULT_CHECK_RETIRE);
	bind_text(&call, vault_key_id(store_vault(store)));
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_key_ids = rows_room(&rows, arena, sizeof(**ret_key_ids), ret_count);
	for (size_t i = 0; i < *ret_count; i++) {
		struct row row = row_at(&rows, i);
		(*ret_key_ids)[i] = row_text(&row, arena);
	}
	return true;
}
