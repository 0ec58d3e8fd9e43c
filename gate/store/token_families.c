/* SPDX-License-Identifier: Apache-2.0 */
/* Families of refresh tokens: see token_families.h. */
#include "token_families.h"

#include <string.h>

#include "bounds.h"

/* Lets secret scanners tell what leaked. */
#define REFRESH_PREFIX "ghr_"
#define ACCESS_PREFIX "gha_"

#define TOKEN_BYTES (FAMILY_HANDLE_BYTES + SECRET_RANDOM_BYTES)
#define TOKEN_CHARS (TOKEN_BYTES / 3 * 4)
_Static_assert(TOKEN_BYTES % 3 == 0, "a refresh token is whole groups of base64url");

/* What the pair is sealed for; and between its two tokens, which are base64url. */
#define PAIR_PLACE "gatehouse login pair"
#define PAIR_SEPARATOR ' '

/* A loser of a race looks again, and then sees what the winner did. */
#define REFRESH_ROUNDS_MAX 3

/* --- tokens ------------------------------------------------------------------------------------------------------- */

struct presented {
	struct secret token;
	uint8_t handle[FAMILY_HANDLE_BYTES];
	uint8_t handle_hash[SHA256_BYTES];
	uint8_t secret_hash[SHA256_BYTES];
};

bool family_is_token(const char *text)
{
	return strncmp(text, REFRESH_PREFIX, strlen(REFRESH_PREFIX)) == 0 &&
	       strlen(text) == strlen(REFRESH_PREFIX) + TOKEN_CHARS;
}

static bool read_token(struct arena *arena, const char *text, struct presented *ret_presented)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	if (!family_is_token(text) ||
		!base64url_decode(arena, text + strlen(REFRESH_PREFIX), TOKEN_CHARS, &bytes, &size) ||
		size != TOKEN_BYTES)
		return false;
	ret_presented->token = (struct secret){.text = text, .size = strlen(text)};
	memcpy(ret_presented->handle, bytes, FAMILY_HANDLE_BYTES);
	sha256(bytes, FAMILY_HANDLE_BYTES, ret_presented->handle_hash);
	sha256(bytes + FAMILY_HANDLE_BYTES, SECRET_RANDOM_BYTES, ret_presented->secret_hash);
	return true;
}

void login_mint(struct arena *arena, const uint8_t *handle, struct login_mint *ret_mint)
{
	uint8_t *bytes = arena_alloc(arena, TOKEN_BYTES);
	random_bytes(bytes, TOKEN_BYTES);
	if (handle != NULL)
		memcpy(bytes, handle, FAMILY_HANDLE_BYTES);
	char *refresh_token = arena_printf(arena, REFRESH_PREFIX "%s", base64url_encode(arena, bytes, TOKEN_BYTES));
	ret_mint->refresh_token = (struct secret){.text = refresh_token, .size = strlen(refresh_token)};
	ret_mint->access_token = secret_random(arena, ACCESS_PREFIX);
	sha256(bytes, FAMILY_HANDLE_BYTES, ret_mint->handle_hash);
	sha256(bytes + FAMILY_HANDLE_BYTES, SECRET_RANDOM_BYTES, ret_mint->head_hash);
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

bool login_open(struct arena *arena, struct secret presented, struct sealed sealed, struct login_pair *ret_pair)
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

int64_t login_left_ms(int64_t expires_at_ms, int64_t now_ms)
{
	int64_t left_ms = expires_at_ms - now_ms;
	return left_ms < 1000 ? 1000 : left_ms;
}

/* --- use ---------------------------------------------------------------------------------------------------------- */

struct family {
	const char *id;
	const char *user_id;
	const char *client_id;
	struct family_facts facts;
	struct sealed sealed;
	int64_t access_expires_at_ms;
	int64_t now_ms;
};

static bool read_family(struct store *store, struct arena *arena, const struct presented *presented, bool *ret_found,
	struct family *ret_family, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_TOKEN_FAMILY_READ);
	bind_bytes(&call, presented->handle_hash, SHA256_BYTES);
	bind_bytes(&call, presented->secret_hash, SHA256_BYTES);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_found = rows_count(&rows) > 0;
	if (!*ret_found)
		return true;
	struct row row = row_at(&rows, 0);
	ret_family->id = row_uuid(&row, arena);
	ret_family->user_id = row_uuid(&row, arena);
	ret_family->client_id = row_text(&row, arena);
	ret_family->facts.is_head = row_bool(&row);
	ret_family->facts.is_previous = row_bool(&row);
	ret_family->facts.rotated_at_ms = row_time_ms(&row);
	ret_family->facts.idle_until_ms = row_time_ms(&row);
	ret_family->facts.expires_at_ms = row_time_ms(&row);
	ret_family->facts.user_active = row_bool(&row);
	const uint8_t *bytes = row_bytes(&row, &ret_family->sealed.size);
	ret_family->sealed.bytes =
		bytes == NULL ? NULL : (uint8_t *)arena_copy_bytes(arena, bytes, ret_family->sealed.size);
	ret_family->access_expires_at_ms = row_time_ms(&row);
	ret_family->now_ms = row_time_ms(&row);
	return true;
}

/* What one statement is given, so that a function has few parameters. */
struct rotation_step {
	const struct presented *presented;
	const struct family_use *use;
	struct login_mint mint;
};

/* *ret_done false: it is not the newest any more, or its family has ended. */
static bool run_rotation(struct store *store, struct arena *arena, const struct rotation_step *step, bool *ret_done,
	struct login_pair *ret_pair, struct problem *problem)
{
	struct sealed sealed = login_seal(arena, step->presented->token, &step->mint);
	struct call call;
	call_write(&call, QUERY_TOKEN_FAMILY_ROTATE);
	bind_bytes(&call, step->presented->handle_hash, SHA256_BYTES);
	bind_bytes(&call, step->presented->secret_hash, SHA256_BYTES);
	bind_text(&call, step->use->client_id);
	bind_bytes(&call, step->mint.head_hash, SHA256_BYTES);
	bind_bytes(&call, sealed.bytes, sealed.size);
	bind_bytes(&call, step->mint.access_hash, SHA256_BYTES);
	bind_text(&call, step->mint.access_id);
	bind_integer(&call, step->use->limits.access_ms);
	bind_integer(&call, step->use->limits.idle_ms);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_done = rows_count(&rows) > 0;
	if (!*ret_done)
		return true;
	struct row row = row_at(&rows, 0);
	row_skip(&row, 1);
	int64_t expires_at_ms = row_time_ms(&row);
	*ret_pair = (struct login_pair){.access_token = step->mint.access_token,
		.refresh_token = step->mint.refresh_token,
		.access_left_ms = login_left_ms(expires_at_ms, row_time_ms(&row))};
	return true;
}

static bool delete_family(struct store *store, const char *id, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_TOKEN_FAMILY_DELETE);
	bind_text(&call, id);
	return store_do(store, &call, problem);
}

static bool replay(struct arena *arena, const struct family *family, const struct presented *presented,
	struct login_pair *ret_pair, struct problem *problem)
{
	ret_pair->access_left_ms = login_left_ms(family->access_expires_at_ms, family->now_ms);
	if (login_open(arena, presented->token, family->sealed, ret_pair))
		return true;
	return problem_set(problem, PROBLEM_INTERNAL, "The successor of a refresh token cannot be opened.");
}

/* One look and what follows from it. *ret_again: somebody was faster, and a new look will tell what they did. */
static bool refresh_once(struct store *store, struct arena *arena, const struct rotation_step *step, bool *ret_again,
	struct family_outcome *ret_outcome, struct problem *problem)
{
	struct family family = {0};
	bool found = false;
	bool done = false;
	*ret_again = false;
	*ret_outcome = (struct family_outcome){.answer = FAMILY_ENDED};
	if (!read_family(store, arena, step->presented, &found, &family, problem))
		return false;
	if (!found || strcmp(family.client_id, step->use->client_id) != 0)
		return true;
	ret_outcome->user_id = family.user_id;
	ret_outcome->answer = family_judge_refresh(&family.facts, family.now_ms);
	if (ret_outcome->answer == FAMILY_REPLAY)
		return replay(arena, &family, step->presented, &ret_outcome->pair, problem);
	if (ret_outcome->answer == FAMILY_REUSE)
		return delete_family(store, family.id, problem);
	if (ret_outcome->answer != FAMILY_ROTATE)
		return true;
	if (!run_rotation(store, arena, step, &done, &ret_outcome->pair, problem))
		return false;
	*ret_again = !done;
	return true;
}

bool family_refresh(struct store *store, struct arena *arena, const struct family_use *use,
	struct family_outcome *ret_outcome, struct problem *problem)
{
	struct presented *presented = arena_alloc(arena, sizeof(*presented));
	struct rotation_step step = {.presented = presented, .use = use};
	bool again = true;
	*ret_outcome = (struct family_outcome){.answer = FAMILY_ENDED};
	if (!read_token(arena, use->token, presented))
		return true;
	login_mint(arena, presented->handle, &step.mint);
	for (int round = 0; again && round < REFRESH_ROUNDS_MAX; round++)
		if (!refresh_once(store, arena, &step, &again, ret_outcome, problem))
			return false;
	if (!again)
		return true;
	problem_set(problem, PROBLEM_CHANGED_MEANWHILE, "The login is being changed by others.");
	problem->retry_after_s = 1;
	return false;
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

bool family_revoke(struct store *store, struct arena *arena, const char *token, const char *client_id,
	enum revocation *ret_revocation, const char **ret_user_id, struct problem *problem)
{
	struct presented *presented = arena_alloc(arena, sizeof(*presented));
	struct family family = {0};
	bool found = false;
	*ret_revocation = REVOCATION_UNKNOWN;
	*ret_user_id = NULL;
	if (!read_token(arena, token, presented))
		return true;
	if (!read_family(store, arena, presented, &found, &family, problem))
		return false;
	if (!found)
		return true;
	*ret_revocation = strcmp(family.client_id, client_id) == 0 ? REVOCATION_DONE : REVOCATION_FOREIGN;
	if (*ret_revocation == REVOCATION_FOREIGN)
		return true;
	*ret_user_id = family.user_id;
	return delete_family(store, family.id, problem);
}

bool access_token_revoke(struct store *store, const uint8_t hash[SHA256_BYTES], const char *client_id,
	enum revocation *ret_revocation, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_ACCESS_TOKEN_DELETE);
	bind_bytes(&call, hash, SHA256_BYTES);
	bind_text(&call, client_id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_revocation = REVOCATION_UNKNOWN;
	if (rows_count(&rows) == 0)
		return true;
	struct row row = row_at(&rows, 0);
	*ret_revocation = row_bool(&row) ? REVOCATION_DONE : REVOCATION_FOREIGN;
	return true;
}

bool family_trim(struct store *store, const char *user_id, size_t *ret_ended, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_TOKEN_FAMILY_TRIM);
	bind_text(&call, user_id);
	bind_integer(&call, LOGIN_FAMILIES_MAX);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	struct row row = row_at(&rows, 0);
	*ret_ended = (size_t)row_integer(&row);
	return true;
}
