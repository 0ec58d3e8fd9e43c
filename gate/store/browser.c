/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets, browser sessions and authorization states: see browser.h. */
#include "browser.h"

#include "bounds.h"
#include "user_row.h"
#include "vault_cell.h"

/* One verifier and its place. */
#define STATE_ARENA_BYTES_MAX 65536

bool ticket_insert(struct store *store, const uint8_t hash[SHA256_BYTES], const char *user_id, const char *provider_id,
	const char *redirect, int64_t *ret_expires_at_ms, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_TICKET_INSERT);
	call.expects_violation = true;
	bind_bytes(&call, hash, SHA256_BYTES);
	bind_text(&call, user_id);
	bind_text(&call, provider_id);
	bind_text(&call, redirect);
	bind_integer(&call, TICKET_LIFETIME_S);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	if (rows_count(&rows) == 0)
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such user any more.");
	struct row row = row_at(&rows, 0);
	*ret_expires_at_ms = row_time_ms(&row);
	return true;
}

bool ticket_redeem(struct store *store, struct arena *arena, const uint8_t ticket_hash[SHA256_BYTES],
	const char *provider_id, const uint8_t session_hash[SHA256_BYTES], bool *ret_found, struct problem *problem)
{
	(void)arena;
	char session_id[UUID_TEXT_SIZE];
	uuid_new(session_id);
	struct call call;
	call_write(&call, QUERY_TICKET_REDEEM);
	bind_bytes(&call, ticket_hash, SHA256_BYTES);
	bind_text(&call, provider_id);
	bind_bytes(&call, session_hash, SHA256_BYTES);
	bind_text(&call, session_id);
	bind_integer(&call, BROWSER_SESSION_LIFETIME_S);
	return store_ask(store, &call, ret_found, problem);
}

bool session_find(struct store *store, struct arena *arena, const uint8_t hash[SHA256_BYTES], bool *ret_found,
	struct browser_session *ret_session, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_SESSION_FIND);
	bind_bytes(&call, hash, SHA256_BYTES);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	if (!*ret_found)
		return true;
	struct row row = row_at(&rows, 0);
	ret_session->id = row_uuid(&row, arena);
	ret_session->provider_id = row_text(&row, arena);
	ret_session->redirect = row_text(&row, arena);
	user_read_row(&row, arena, &ret_session->user);
	return true;
}

/* The verifier opens only in its own state's row. */
static struct cell verifier_cell(const uint8_t hash[SHA256_BYTES], const char *provider_id, struct arena *arena)
{
	char *row_id = arena_alloc(arena, SHA256_HEX_SIZE);
	sha256_hex(hash, SHA256_BYTES, row_id);
	return (struct cell){row_id, provider_id, "verifier"};
}

bool state_insert(struct store *store, const uint8_t hash[SHA256_BYTES], const char *session_id,
	const struct oauth_state *state, struct problem *problem)
{
	SCOPED(arena_release) struct arena *arena = arena_new(STATE_ARENA_BYTES_MAX);
	const struct vault *vault = store_vault(store);
	struct call call;
	call_write(&call, QUERY_STATE_INSERT);
	call.expects_violation = true;
	bind_bytes(&call, hash, SHA256_BYTES);
	bind_text(&call, session_id);
	bind_text(&call, state->provider_id);
	bind_cell(&call, arena, vault, verifier_cell(hash, state->provider_id, arena), state->verifier);
	bind_text(&call, vault_key_id(vault));
	bind_text(&call, state->redirect);
	bind_integer(&call, OAUTH_STATE_LIFETIME_S);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	if (*rows.violated != '\0')
		return problem_set(problem, PROBLEM_SESSION_REQUIRED, "The browser session has ended.");
	return true;
}

bool state_take(struct store *store, struct arena *arena, const uint8_t hash[SHA256_BYTES], const char *session_id,
	bool *ret_found, struct oauth_state *ret_state, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_STATE_TAKE);
	bind_bytes(&call, hash, SHA256_BYTES);
	bind_text(&call, session_id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	if (!*ret_found)
		return true;
	struct row row = row_at(&rows, 0);
	ret_state->provider_id = row_text(&row, arena);
	const char *key_id = row_text(&row, arena);
	ret_state->redirect = row_text(&row, arena);
	struct cell cell = verifier_cell(hash, ret_state->provider_id, arena);
	if (row_cell(&row, arena, store_vault(store), key_id, cell, &ret_state->verifier))
		return true;
	return problem_set(problem, PROBLEM_INTERNAL, "The authorization request's secret cannot be decrypted.");
}
