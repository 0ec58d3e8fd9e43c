/* SPDX-License-Identifier: Apache-2.0 */
/* Families of refresh tokens: see token_families.h. */
#include "token_families.h"

#include <string.h>

#include "bounds.h"

/* --- tokens ------------------------------------------------------------------------------------------------------- */

struct presented {
	struct secret token;
	uint8_t handle[LOGIN_HANDLE_BYTES];
	uint8_t handle_hash[SHA256_BYTES];
	uint8_t secret_hash[SHA256_BYTES];
};

bool family_is_token(const char *text)
{
	return strncmp(text, LOGIN_REFRESH_PREFIX, strlen(LOGIN_REFRESH_PREFIX)) == 0 &&
	       strlen(text) == strlen(LOGIN_REFRESH_PREFIX) + LOGIN_REFRESH_CHARS;
}

static bool read_token(struct arena *arena, const char *text, struct presented *ret_presented)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	if (!family_is_token(text) ||
		!base64url_decode(arena, text + strlen(LOGIN_REFRESH_PREFIX), LOGIN_REFRESH_CHARS, &bytes, &size) ||
		size != LOGIN_REFRESH_BYTES)
		return false;
	ret_presented->token = (struct secret){.text = text, .size = strlen(text)};
	memcpy(ret_presented->handle, bytes, LOGIN_HANDLE_BYTES);
	sha256(bytes, LOGIN_HANDLE_BYTES, ret_presented->handle_hash);
	sha256(bytes + LOGIN_HANDLE_BYTES, SECRET_RANDOM_BYTES, ret_presented->secret_hash);
	return true;
}

/* --- use ---------------------------------------------------------------------------------------------------------- */

struct family {
	const char *id;
	const char *user_id;
	const char *client_id;
	struct family_facts facts;
	struct login_kept kept;
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
	login_read_kept(&row, arena, &ret_family->kept);
	return true;
}

/* What one statement is given, so that a function has few parameters. */
struct rotation_step {
	const struct presented *presented;
	const struct family_use *use;
	struct login_mint mint;
};

/* Not done: it is not the newest any more, or its family has ended. */
static bool run_rotation(struct store *store, struct arena *arena, const struct rotation_step *step,
	struct login_minted *ret_minted, struct problem *problem)
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
	return login_run(store, arena, &call, &step->mint, ret_minted, problem);
}

static bool delete_family(struct store *store, const char *id, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_TOKEN_FAMILY_DELETE);
	bind_text(&call, id);
	return store_do(store, &call, problem);
}

/* One look and what follows from it. *ret_again: somebody was faster, and a new look will tell what they did. */
static bool refresh_once(struct store *store, struct arena *arena, const struct rotation_step *step, bool *ret_again,
	struct family_outcome *ret_outcome, struct problem *problem)
{
	struct family family = {0};
	struct login_minted minted;
	bool found = false;
	*ret_again = false;
	*ret_outcome = (struct family_outcome){.answer = FAMILY_ENDED};
	if (!read_family(store, arena, step->presented, &found, &family, problem))
		return false;
	if (!found || strcmp(family.client_id, step->use->client_id) != 0)
		return true;
	ret_outcome->user_id = family.user_id;
	ret_outcome->answer = family_judge_refresh(&family.facts, family.kept.now_ms);
	if (ret_outcome->answer == FAMILY_REPLAY)
		return login_replay(arena, step->presented->token, &family.kept, &ret_outcome->pair, problem);
	if (ret_outcome->answer == FAMILY_REUSE)
		return delete_family(store, family.id, problem);
	if (ret_outcome->answer != FAMILY_ROTATE)
		return true;
	if (!run_rotation(store, arena, step, &minted, problem))
		return false;
	ret_outcome->pair = minted.pair;
	*ret_again = !minted.done;
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
	for (int round = 0; again && round < LOGIN_ROUNDS_MAX; round++)
		if (!refresh_once(store, arena, &step, &again, ret_outcome, problem))
			return false;
	return !again || login_keeps_changing(problem);
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
