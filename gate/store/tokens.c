/* SPDX-License-Identifier: Apache-2.0 */
/* API tokens: found by hash on the way of every request whose caller is not remembered. */
#include <string.h>

#include "user_row.h"
#include "users.h"

static void read_token(struct row *row, struct arena *arena, struct api_token *ret_token)
{
	ret_token->id = row_uuid(row, arena);
	ret_token->name = row_text(row, arena);
	ret_token->created_at_ms = row_time_ms(row);
	ret_token->expires_at_ms = row_time_ms(row);
	ret_token->last_used_at_ms = row_time_ms(row);
}

bool token_insert(struct store *store, struct arena *arena, const char *user_id, const char *name,
	const uint8_t hash[SHA256_BYTES], int64_t lifetime_s, struct api_token *ret_token, struct problem *problem)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	struct call call;
	call_write(&call, QUERY_TOKEN_INSERT);
	call.expects_violation = true;
	bind_bytes(&call, hash, SHA256_BYTES);
	bind_text(&call, id);
	bind_text(&call, user_id);
	bind_text(&call, name == NULL ? "" : name);
	bind_integer(&call, lifetime_s);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	if (rows_violate(&rows, "api_tokens_user_id_fkey"))
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such user any more.");
	if (rows_count(&rows) == 0)
		return problem_set(problem, PROBLEM_CONFLICT, "The token cannot be stored.");
	struct row row = row_at(&rows, 0);
	read_token(&row, arena, ret_token);
	return true;
}

/* Once a minute and token; that it fails is logged where it happens and harms nobody. */
static void touch(struct store *store, const uint8_t hash[SHA256_BYTES])
{
	struct problem unused = {0};
	struct call call;
	call_write(&call, QUERY_TOKEN_TOUCH);
	bind_bytes(&call, hash, SHA256_BYTES);
	if (!store_do(store, &call, &unused))
		return;
}

bool token_find_user(struct store *store, struct arena *arena, const uint8_t hash[SHA256_BYTES], bool *ret_found,
	struct user *ret_user, int64_t *ret_left_ms, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_TOKEN_FIND_USER);
	bind_bytes(&call, hash, SHA256_BYTES);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	if (!*ret_found)
		return true;
	struct row row = row_at(&rows, 0);
	user_read_row(&row, arena, ret_user);
	*ret_left_ms = row_integer(&row);
	if (row_bool(&row))
		touch(store, hash);
	return true;
}

bool token_list(struct store *store, struct arena *arena, const char *user_id, struct page page, size_t *ret_count,
	struct api_token **ret_tokens, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_TOKEN_LIST);
	bind_text(&call, user_id);
	bind_page(&call, page);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_tokens = rows_room(&rows, arena, sizeof(**ret_tokens), ret_count);
	for (size_t i = 0; i < *ret_count; i++) {
		struct row row = row_at(&rows, i);
		read_token(&row, arena, &(*ret_tokens)[i]);
	}
	return true;
}

bool token_delete(struct store *store, const char *user_id, const char *token_id, bool *ret_found,
	uint8_t ret_hash[SHA256_BYTES], struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_TOKEN_DELETE);
	bind_text(&call, user_id);
	bind_text(&call, token_id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	if (!*ret_found)
		return true;
	struct row row = row_at(&rows, 0);
	size_t size = 0;
	const uint8_t *hash = row_bytes(&row, &size);
	if (hash != NULL && size == SHA256_BYTES)
		memcpy(ret_hash, hash, SHA256_BYTES);
	return true;
}

bool user_bootstrap_admin(struct store *store, struct secret token, struct problem *problem)
{
	char user_id[UUID_TEXT_SIZE];
	char token_id[UUID_TEXT_SIZE];
	uint8_t hash[SHA256_BYTES];
	uuid_new(user_id);
	uuid_new(token_id);
	sha256(token.text, token.size, hash);
	struct call call;
	call_write(&call, QUERY_USER_BOOTSTRAP_ADMIN);
	bind_text(&call, user_id);
	bind_bytes(&call, hash, sizeof(hash));
	bind_text(&call, token_id);
	bind_integer(&call, TOKEN_LIFETIME_MAX_S);
	return store_do(store, &call, problem);
}
