/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens of a login: see login_pair.h. */
#include "login_pair.h"

#include <string.h>

/* Lets secret scanners tell what leaked. */
#define ACCESS_PREFIX "gha_"

_Static_assert(LOGIN_REFRESH_BYTES % 3 == 0, "a refresh token is whole groups of base64url");

/* What the pair is sealed for; and between its two tokens, which are base64url. */
#define PAIR_PLACE "gatehouse login pair"
#define PAIR_SEPARATOR ' '

void login_mint(struct arena *arena, const uint8_t *handle, struct login_mint *ret_mint)
{
	uint8_t *bytes = arena_alloc(arena, LOGIN_REFRESH_BYTES);
	random_bytes(bytes, LOGIN_REFRESH_BYTES);
	if (handle != NULL)
		memcpy(bytes, handle, LOGIN_HANDLE_BYTES);
	char *refresh_token =
		arena_printf(arena, LOGIN_REFRESH_PREFIX "%s", base64url_encode(arena, bytes, LOGIN_REFRESH_BYTES));
	ret_mint->refresh_token = (struct secret){.text = refresh_token, .size = strlen(refresh_token)};
	ret_mint->access_token = secret_random(arena, ACCESS_PREFIX);
	sha256(bytes, LOGIN_HANDLE_BYTES, ret_mint->handle_hash);
	sha256(bytes + LOGIN_HANDLE_BYTES, SECRET_RANDOM_BYTES, ret_mint->head_hash);
	sha256(ret_mint->access_token.text, ret_mint->access_token.size, ret_mint->access_hash);
	uuid_new(ret_mint->access_id);
}

/* RFC 5869: the stored hash of the token tells nothing about this key. */
static void pair_key(struct secret presented, uint8_t ret_key[AES_KEY_BYTES])
{
	const struct hkdf_input input = {.key = presented, .info = {.text = PAIR_PLACE, .size = strlen(PAIR_PLACE)}};
	hkdf_sha256(&input, ret_key, AES_KEY_BYTES);
}

struct sealed login_seal(struct arena *arena, struct secret presented, const struct login_mint *mint)
{
	uint8_t *key = arena_alloc(arena, AES_KEY_BYTES);
	char *pair = arena_printf(arena, "%s%c%s", mint->access_token.text, PAIR_SEPARATOR, mint->refresh_token.text);
	pair_key(presented, key);
	return aes_seal(arena, key, (struct secret){.text = pair, .size = strlen(pair)}, PAIR_PLACE);
}

/* What is left of a token's life on the database's clock, never less than a second. */
static int64_t left_ms(int64_t expires_at_ms, int64_t now_ms)
{
	int64_t left = expires_at_ms - now_ms;
	return left < 1000 ? 1000 : left;
}

bool login_run(struct store *store, struct arena *arena, struct call *call, const struct login_mint *mint,
	struct login_minted *ret_minted, struct problem *problem)
{
	SCOPED(rows_release) struct rows rows = {0};
	*ret_minted = (struct login_minted){.done = false};
	if (!store_run(store, call, &rows, problem))
		return false;
	ret_minted->done = rows_count(&rows) > 0;
	if (!ret_minted->done)
		return true;
	struct row row = row_at(&rows, 0);
	ret_minted->user_id = row_uuid(&row, arena);
	int64_t expires_at_ms = row_time_ms(&row);
	ret_minted->pair = (struct login_pair){.access_token = mint->access_token,
		.refresh_token = mint->refresh_token,
		.access_left_ms = left_ms(expires_at_ms, row_time_ms(&row))};
	return true;
}

/* --- once more ---------------------------------------------------------------------------------------------------- */

void login_read_kept(struct row *row, struct arena *arena, struct login_kept *ret_kept)
{
	const uint8_t *bytes = row_bytes(row, &ret_kept->sealed.size);
	ret_kept->sealed.bytes =
		bytes == NULL ? NULL : (uint8_t *)arena_copy_bytes(arena, bytes, ret_kept->sealed.size);
	ret_kept->access_expires_at_ms = row_time_ms(row);
	ret_kept->now_ms = row_time_ms(row);
}

static bool open_pair(struct arena *arena, struct secret presented, struct sealed sealed, struct login_pair *ret_pair)
{
	uint8_t *key = arena_alloc(arena, AES_KEY_BYTES);
	struct secret pair = {0};
	pair_key(presented, key);
	if (sealed.bytes == NULL || !aes_open(arena, key, sealed, PAIR_PLACE, &pair))
		return false;
	const char *separator = memchr(pair.text, PAIR_SEPARATOR, pair.size);
	if (separator == NULL)
		return false;
	size_t access_size = (size_t)(separator - pair.text);
	ret_pair->access_token = secret_copy(arena, pair.text, access_size);
	ret_pair->refresh_token = secret_copy(arena, separator + 1, pair.size - access_size - 1);
	return true;
}

bool login_replay(struct arena *arena, struct secret presented, const struct login_kept *kept,
	struct login_pair *ret_pair, struct problem *problem)
{
	ret_pair->access_left_ms = left_ms(kept->access_expires_at_ms, kept->now_ms);
	if (open_pair(arena, presented, kept->sealed, ret_pair))
		return true;
	return problem_set(problem, PROBLEM_INTERNAL, "The tokens that were given before cannot be opened.");
}

bool login_keeps_changing(struct problem *problem)
{
	problem_set(problem, PROBLEM_CHANGED_MEANWHILE, "The login is being changed by others just now.");
	problem->retry_after_s = 1;
	return false;
}
