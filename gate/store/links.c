/* SPDX-License-Identifier: Apache-2.0 */
/* Links: see links.h. */
#include "links.h"

#include "../base/log.h"
#include "link_row.h"
#include "vault_cell.h"

/* What one save seals: three values and their places, with room for the allocator. */
#define SAVE_ARENA_BYTES_MAX (16 * PROVIDER_TOKEN_BYTES_MAX)

/* The caller is told decryption_failed; which key is missing is for the operator. */
static void tell_unreadable(const struct link *link, const struct vault *vault, const char *key_id)
{
	bool given = vault_has_key(vault, key_id == NULL ? "" : key_id);
	log_event(LOG_WARN,
		given ? "stored tokens do not open with their key" : "stored tokens are of a key that is not given",
		log_string("key_id", key_id), log_string("owner_id", link->owner_id),
		log_string("provider", link->provider_id));
}

void link_read_row(struct row *row, struct arena *arena, const struct vault *vault, struct link *ret_link)
{
	*ret_link = (struct link){.owner_id = row_uuid(row, arena), .provider_id = row_text(row, arena)};
	ret_link->generation = row_integer(row);
	const char *key_id = row_text(row, arena);
	struct cell cell = {ret_link->owner_id, ret_link->provider_id, "access_token"};
	bool access = row_cell(row, arena, vault, key_id, cell, &ret_link->access_token);
	cell.column = "refresh_token";
	ret_link->has_refresh_token = !row_is_null(row);
	bool refresh = row_cell(row, arena, vault, key_id, cell, &ret_link->refresh_token);
	cell.column = "extras";
	bool extras = row_cell(row, arena, vault, key_id, cell, &ret_link->extras);
	ret_link->readable = access && refresh && extras;
	if (!ret_link->readable) {
		tell_unreadable(ret_link, vault, key_id);
		ret_link->access_token = ret_link->refresh_token = ret_link->extras = (struct secret){0};
	}
	ret_link->account = row_text(row, arena);
	const char *remembered = row_text(row, arena);
	ret_link->remembered = remembered == NULL ? REASON_COUNT : reason_from_word(remembered);
	ret_link->remembered_detail = row_text(row, arena);
	ret_link->issued_at_ms = row_time_ms(row);
	ret_link->expires_at_ms = row_time_ms(row);
	ret_link->last_valid_at_ms = row_time_ms(row);
	ret_link->created_at_ms = row_time_ms(row);
	ret_link->updated_at_ms = row_time_ms(row);
}

bool link_list(struct store *store, struct arena *arena, const char *owner_id, size_t *ret_count,
	struct link **ret_links, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_LINK_LIST);
	bind_text(&call, owner_id);
	bind_integer(&call, LINKS_MAX);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_links = rows_room(&rows, arena, sizeof(**ret_links), ret_count);
	for (size_t i = 0; i < *ret_count; i++) {
		struct row row = row_at(&rows, i);
		link_read_row(&row, arena, store_vault(store), &(*ret_links)[i]);
	}
	return true;
}

/* Runs a statement that gives one link or none. */
static bool find_one(struct store *store, struct arena *arena, const struct call *call, bool *ret_found,
	struct link *ret_link, struct problem *problem)
{
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, call, &rows, ret_found, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_found)
		link_read_row(&row, arena, store_vault(store), ret_link);
	return true;
}

bool link_find(struct store *store, struct arena *arena, const char *owner_id, const char *provider_id, bool *ret_found,
	struct link *ret_link, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_LINK_FIND);
	bind_text(&call, owner_id);
	bind_text(&call, provider_id);
	return find_one(store, arena, &call, ret_found, ret_link, problem);
}

bool link_delete(struct store *store, struct arena *arena, const char *owner_id, const char *provider_id,
	bool *ret_found, struct link *ret_link, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_LINK_DELETE);
	bind_text(&call, owner_id);
	bind_text(&call, provider_id);
	return find_one(store, arena, &call, ret_found, ret_link, problem);
}

static void bind_tokens(
	struct call *call, struct arena *arena, const struct vault *vault, const struct link_tokens *tokens)
{
	struct cell cell = {tokens->owner_id, tokens->provider_id, "access_token"};
	bind_cell(call, arena, vault, cell, tokens->access_token);
	cell.column = "refresh_token";
	bind_cell(call, arena, vault, cell, tokens->refresh_token);
	cell.column = "extras";
	bind_cell(call, arena, vault, cell, tokens->extras);
	bind_text(call, vault_key_id(vault));
}

bool link_save(struct store *store, const struct link_tokens *tokens, int64_t *ret_generation, struct problem *problem)
{
	if (secret_is_empty(tokens->access_token))
		return problem_set(problem, PROBLEM_INTERNAL, "A link without an access token cannot be stored.");
	SCOPED(arena_release) struct arena *arena = arena_new(SAVE_ARENA_BYTES_MAX);
	struct call call;
	call_write(&call, QUERY_LINK_SAVE);
	call.expects_violation = true;
	bind_text(&call, tokens->owner_id);
	bind_text(&call, tokens->provider_id);
	bind_tokens(&call, arena, store_vault(store), tokens);
	bind_text(&call, tokens->account);
	bind_time_ms(&call, tokens->expires_at_ms);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	if (rows_violate(&rows, "links_owner_id_fkey"))
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such user any more.");
	if (rows_count(&rows) == 0)
		return problem_set(problem, PROBLEM_INTERNAL, "The link breaks the rule %s.", rows.violated);
	struct row row = row_at(&rows, 0);
	if (ret_generation != NULL)
		*ret_generation = row_integer(&row);
	return true;
}

bool link_note_valid(struct store *store, const char *owner_id, const char *provider_id, int64_t generation,
	const char *account, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_LINK_NOTE_VALID);
	bind_text(&call, owner_id);
	bind_text(&call, provider_id);
	bind_integer(&call, generation);
	bind_text(&call, account);
	return store_do(store, &call, problem);
}

bool link_note_rejected(
	struct store *store, const char *owner_id, const char *provider_id, int64_t generation, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_LINK_NOTE_REJECTED);
	bind_text(&call, owner_id);
	bind_text(&call, provider_id);
	bind_integer(&call, generation);
	return store_do(store, &call, problem);
}
