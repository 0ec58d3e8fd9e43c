/* SPDX-License-Identifier: Apache-2.0 */
/* Leases: see leases.h. All statements may be run again where nobody knows whether they were run: the lease id in their
 * conditions sees to it. */
#include "leases.h"

#include <string.h>

#include "call.h"
#include "vault_cell.h"

/* What one save seals: three values and their places, with room for the allocator. */
#define SAVE_ARENA_BYTES_MAX ((size_t)16 * PROVIDER_TOKEN_BYTES_MAX)

#define WORD_OF(name, word) word,
static const char *const state_words[] = {LEASE_STATE_LIST(WORD_OF)};
#undef WORD_OF

static void bind_name(struct call *call, const struct lease_name *name)
{
	bind_text(call, name->owner_id);
	bind_text(call, name->provider_id);
	bind_integer(call, name->generation);
	bind_text(call, name->lease_id);
}

static const char *reason_or_null(enum reason reason)
{
	return reason == REASON_COUNT ? NULL : reason_word(reason);
}

static enum reason row_reason(struct row *row, struct arena *arena)
{
	const char *word = row_text(row, arena);
	return word == NULL ? REASON_COUNT : reason_from_word(word);
}

static enum lease_state row_state(struct row *row, struct arena *arena)
{
	const char *word = row_text(row, arena);
	for (int state = 0; word != NULL && state < LEASE_STATE_COUNT; state++)
		if (strcmp(state_words[state], word) == 0)
			return (enum lease_state)state;
	return LEASE_MOVED;
}

bool lease_take(struct store *store, struct arena *arena, const struct lease_request *request,
	struct lease_answer *ret_answer, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_LEASE_TAKE);
	bind_name(&call, &request->name);
	bind_integer(&call, request->lease_ms);
	bind_bytes(&call, request->client_hash, SHA256_BYTES);
	bind_integer(&call, request->cooldown_ms);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_answer = (struct lease_answer){.state = LEASE_MOVED, .reason = REASON_COUNT};
	if (rows_count(&rows) == 0)
		return true;
	struct row row = row_at(&rows, 0);
	ret_answer->state = row_state(&row, arena);
	ret_answer->unresolved = (unsigned)row_integer(&row);
	ret_answer->reason = row_reason(&row, arena);
	ret_answer->left_ms = row_integer(&row);
	return true;
}

static void bind_grant(struct call *call, struct arena *arena, const struct vault *vault, const struct lease_name *name,
	const struct lease_grant *grant)
{
	struct cell cell = {name->owner_id, name->provider_id, "access_token"};
	bind_cell(call, arena, vault, cell, grant->access_token);
	cell.column = "refresh_token";
	bind_cell(call, arena, vault, cell, grant->refresh_token);
	cell.column = "extras";
	bind_cell(call, arena, vault, cell, grant->extras);
	bind_text(call, vault_key_id(vault));
	bind_time_ms(call, grant->expires_at_ms);
}

/* No row was written. Perhaps because an earlier run of the same statement wrote it and its answer was lost: then the
 * next generation carries our lease's id, which nobody else writes there. */
static bool is_saved_already(struct store *store, struct arena *arena, const struct lease_name *name, bool *ret_saved,
	struct problem *problem)
{
	struct lease_view view = {.lease_id = NULL};
	bool linked = false;
	if (!lease_look(store, arena, name->owner_id, name->provider_id, &linked, &view, problem))
		return false;
	*ret_saved = linked && view.generation == name->generation + 1 && view.lease_id != NULL &&
		     strcmp(view.lease_id, name->lease_id) == 0;
	return true;
}

bool lease_save(struct store *store, const struct lease_name *name, const struct lease_grant *grant, bool *ret_saved,
	struct problem *problem)
{
	if (secret_is_empty(grant->access_token))
		return problem_set(problem, PROBLEM_INTERNAL, "A link without an access token cannot be stored.");
	SCOPED(arena_release) struct arena *arena = arena_new(SAVE_ARENA_BYTES_MAX);
	struct call call;
	call_read(&call, QUERY_LEASE_SAVE);
	bind_name(&call, name);
	bind_grant(&call, arena, store_vault(store), name, grant);
	if (!store_ask(store, &call, ret_saved, problem))
		return false;
	return *ret_saved || is_saved_already(store, arena, name, ret_saved, problem);
}

bool lease_finish(struct store *store, const struct lease_name *name, const struct lease_end *end, bool *ret_ended,
	struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_LEASE_END);
	bind_name(&call, name);
	bind_bool(&call, end->outcome_known);
	bind_text(&call, reason_or_null(end->remembered));
	bind_text(&call, reason_or_null(end->cooldown));
	bind_integer(&call, end->cooldown_ms);
	if (end->cooldown_client != NULL)
		bind_bytes(&call, end->cooldown_client, SHA256_BYTES);
	else
		bind_null(&call);
	bind_text(&call, end->failure);
	return store_ask(store, &call, ret_ended, problem);
}

bool lease_look(struct store *store, struct arena *arena, const char *owner_id, const char *provider_id,
	bool *ret_linked, struct lease_view *ret_view, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_LEASE_LOOK);
	bind_text(&call, owner_id);
	bind_text(&call, provider_id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_linked, problem))
		return false;
	if (!*ret_linked)
		return true;
	struct row row = row_at(&rows, 0);
	ret_view->generation = row_integer(&row);
	ret_view->lease_id = row_uuid(&row, arena);
	bool was_held = !row_is_null(&row);
	ret_view->held_left_ms = row_integer(&row);
	ret_view->held = was_held && ret_view->held_left_ms > 0;
	ret_view->ran_out = was_held && !ret_view->held;
	ret_view->unresolved = (unsigned)row_integer(&row);
	ret_view->remembered = row_reason(&row, arena);
	ret_view->cooldown = row_reason(&row, arena);
	ret_view->cooldown_left_ms = row_integer(&row);
	if (ret_view->cooldown_left_ms <= 0)
		ret_view->cooldown = REASON_COUNT;
	ret_view->last_failure = row_text(&row, arena);
	ret_view->last_failure_at_ms = row_time_ms(&row);
	return true;
}
