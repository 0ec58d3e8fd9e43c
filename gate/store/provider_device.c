/* SPDX-License-Identifier: Apache-2.0 */
/* Codes of providers' device flow: see provider_device.h. */
#include "provider_device.h"

#include <string.h>

#include "bounds.h"
#include "vault_cell.h"

/* One code, sealed, and its place. */
#define DEVICE_ARENA_BYTES_MAX 65536

/* The state's word in provider_device_claim.sql, in the order of enum device_claim_state. */
static const char *const state_words[] = {"taken", "early", "held", "expired", "over", "linked", "suspended"};
_Static_assert(COUNT_OF(state_words) == DEVICE_CLAIM_UNKNOWN, "every state has a word, but that there is no row");

bool provider_device_count(struct store *store, const char *user_id, const char *provider_id,
	struct device_waiting *ret_waiting, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_PROVIDER_DEVICE_COUNT);
	bind_text(&call, user_id);
	bind_text(&call, provider_id);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	if (rows_count(&rows) == 0)
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such user any more.");
	struct row row = row_at(&rows, 0);
	ret_waiting->suspended = row_bool(&row);
	ret_waiting->count = row_integer(&row);
	ret_waiting->first_ends_in_s = row_integer(&row);
	return true;
}

/* The code opens only in its own row. */
static struct cell code_cell(const struct device_key *key, struct arena *arena)
{
	char *row_id = arena_alloc(arena, SHA256_HEX_SIZE);
	sha256_hex(key->hash, SHA256_BYTES, row_id);
	return (struct cell){row_id, key->provider_id, "device_code"};
}

bool provider_device_insert(struct store *store, const struct device_key *key, struct secret device_code,
	struct device_times times, struct problem *problem)
{
	SCOPED(arena_release) struct arena *arena = arena_new(DEVICE_ARENA_BYTES_MAX);
	const struct vault *vault = store_vault(store);
	struct call call;
	call_write(&call, QUERY_PROVIDER_DEVICE_INSERT);
	call.expects_violation = true;
	bind_bytes(&call, key->hash, SHA256_BYTES);
	bind_text(&call, key->user_id);
	bind_text(&call, key->provider_id);
	bind_cell(&call, arena, vault, code_cell(key, arena), device_code);
	bind_text(&call, vault_key_id(vault));
	bind_integer(&call, times.interval_s);
	bind_integer(&call, times.lifetime_s);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	if (rows_violate(&rows, "provider_devices_user_id_fkey"))
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no such user any more.");
	if (*rows.violated != '\0')
		return problem_set(problem, PROBLEM_INTERNAL, "The code breaks the rule %s.", rows.violated);
	return true;
}

static enum device_claim_state state_of(const char *word)
{
	size_t i = 0;
	while (i < COUNT_OF(state_words) && strcmp(state_words[i], word) != 0)
		i++;
	return (enum device_claim_state)i;
}

static bool claim_once(struct store *store, struct arena *arena, const struct device_key *key, const char *poll_id,
	struct device_claim *ret_claim, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_PROVIDER_DEVICE_CLAIM);
	bind_bytes(&call, key->hash, SHA256_BYTES);
	bind_text(&call, key->user_id);
	bind_text(&call, key->provider_id);
	bind_text(&call, poll_id);
	bind_integer(&call, DEVICE_HOLD_MS);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_claim = (struct device_claim){.state = DEVICE_CLAIM_UNKNOWN};
	if (rows_count(&rows) == 0)
		return true;
	struct row row = row_at(&rows, 0);
	ret_claim->state = state_of(row_text(&row, arena));
	ret_claim->outcome = row_text(&row, arena);
	ret_claim->interval_s = row_integer(&row);
	ret_claim->wait_ms = row_integer(&row);
	const char *key_id = row_text(&row, arena);
	if (ret_claim->state == DEVICE_CLAIM_TAKEN)
		ret_claim->readable = row_cell(
			&row, arena, store_vault(store), key_id, code_cell(key, arena), &ret_claim->device_code);
	return true;
}

bool provider_device_claim(struct store *store, struct arena *arena, const struct device_key *key, const char *poll_id,
	struct device_claim *ret_claim, struct problem *problem)
{
	if (!claim_once(store, arena, key, poll_id, ret_claim, problem))
		return false;
	/* A statement that waited for the row sees it as it is now, but the links as they were before it waited: one
	 * that has just been made is seen by the next. */
	if (ret_claim->state != DEVICE_CLAIM_OVER || strcmp(ret_claim->outcome, "granted") != 0)
		return true;
	return claim_once(store, arena, key, poll_id, ret_claim, problem);
}

bool provider_device_release(struct store *store, const struct device_key *key, const char *poll_id,
	const struct device_release *release, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_PROVIDER_DEVICE_RELEASE);
	bind_bytes(&call, key->hash, SHA256_BYTES);
	bind_text(&call, poll_id);
	bind_text(&call, release->outcome);
	bind_integer(&call, release->interval_s);
	bind_integer(&call, release->wait_s);
	return store_do(store, &call, problem);
}
