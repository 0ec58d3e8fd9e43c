/* SPDX-License-Identifier: Apache-2.0 */
/* The keys, and what is sealed with them: see vault.h. */
#include "vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/log.h"
#include "vault_cell.h"

/* Eight characters tell sixteen keys apart and tell nothing about them. */
#define KEY_ID_CHARS 8

/* 32 bytes of base64 with or without padding, and some room to say what is wrong with a longer one. */
#define KEY_TEXT_BYTES_MAX 128

/* Every key that may have sealed something here has sealed this text in the table vault_check. */
#define CHECK_TEXT "gatehouse"
#define CHECK_PLACE "vault_check"

/* Of services that start at once on an empty table each attempt lets one be first. */
#define CHECK_ATTEMPTS_MAX 8

/* A key list of VAULT_KEYS_MAX keys and the check values together. */
#define VAULT_ARENA_BYTES_MAX 65536

struct key {
	uint8_t bytes[AES_KEY_BYTES];
	char id[KEY_ID_CHARS + 1];
};

struct vault {
	size_t count;
	struct key keys[VAULT_KEYS_MAX];
};

static bool refuse_key(size_t ordinal, const char *why, struct problem *problem)
{
	problem_set(problem, PROBLEM_VALIDATION_FAILED, "Encryption key %zu of the list %s.", ordinal, why);
	return problem_detail(problem, "Each key is 32 random bytes in base64; `openssl rand -base64 32` makes one.");
}

static bool add_key(struct vault *vault, struct arena *arena, const char *text, size_t size, struct problem *problem)
{
	size_t ordinal = vault->count + 1;
	if (vault->count == VAULT_KEYS_MAX)
		return refuse_key(ordinal, "is one too many (16 are allowed)", problem);
	uint8_t *bytes = NULL;
	size_t byte_count = 0;
	if (size == 0 || size > KEY_TEXT_BYTES_MAX)
		return refuse_key(ordinal, size == 0 ? "is empty" : "is too long", problem);
	if (!base64_decode(arena, arena_copy_bytes(arena, text, size), &bytes, &byte_count))
		return refuse_key(ordinal, "is not base64", problem);
	if (byte_count != AES_KEY_BYTES)
		return refuse_key(ordinal, "does not have 32 bytes", problem);
	struct key *key = &vault->keys[vault->count];
	char hex[SHA256_HEX_SIZE];
	sha256_hex(bytes, byte_count, hex);
	memcpy(key->bytes, bytes, AES_KEY_BYTES);
	memcpy(key->id, hex, KEY_ID_CHARS);
	vault->count++;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Reads the comma list; blanks around a key do not count, since key files end in a newline. */
static bool add_keys(struct vault *vault, struct arena *arena, struct secret keys, struct problem *problem)
{
	size_t at = 0;
	while (at <= keys.size) {
		const char *comma = memchr(keys.text + at, ',', keys.size - at);
		size_t end = comma == NULL ? keys.size : (size_t)(comma - keys.text);
		size_t from = at;
		size_t to = end;
		while (from < to && is_blank(keys.text[from]))
			from++;
		while (to > from && is_blank(keys.text[to - 1]))
			to--;
		if (!add_key(vault, arena, keys.text + from, to - from, problem))
			return false;
		at = end + 1;
	}
	return true;
}

bool vault_open(struct secret keys, struct vault **ret_vault, struct problem *problem)
{
	struct vault *vault = calloc(1, sizeof(*vault));
	if (vault == NULL)
		return problem_set(problem, PROBLEM_INTERNAL, "There is no memory for the encryption keys.");
	SCOPED(arena_release) struct arena *arena = arena_new(VAULT_ARENA_BYTES_MAX);
	if (!secret_is_empty(keys) && !add_keys(vault, arena, keys, problem)) {
		vault_close(vault);
		return false;
	}
	*ret_vault = vault;
	return true;
}

void vault_close(struct vault *vault)
{
	if (vault == NULL)
		return;
	explicit_bzero(vault, sizeof(*vault));
	free(vault);
}

/* --- cells ------------------------------------------------------------------------------------------------------ */

const char *vault_key_id(const struct vault *vault)
{
	return vault->count == 0 ? NULL : vault->keys[0].id;
}

static const struct key *find_key(const struct vault *vault, const char *id)
{
	for (size_t i = 0; i < vault->count; i++)
		if (strcmp(vault->keys[i].id, id) == 0)
			return &vault->keys[i];
	return NULL;
}

size_t vault_key_count(const struct vault *vault)
{
	return vault->count;
}

const char *vault_key_id_at(const struct vault *vault, size_t index)
{
	return vault->keys[index].id;
}

bool vault_has_key(const struct vault *vault, const char *key_id)
{
	return find_key(vault, key_id) != NULL;
}

static const char *place_of(struct arena *arena, struct cell cell)
{
	return arena_printf(arena, "%s|%s|%s", cell.row_id, cell.provider_id, cell.column);
}

struct sealed vault_seal(const struct vault *vault, struct arena *arena, struct cell cell, struct secret plain)
{
	if (secret_is_empty(plain))
		return (struct sealed){0};
	return aes_seal(arena, vault->keys[0].bytes, plain, place_of(arena, cell));
}

void bind_cell(struct call *call, struct arena *arena, const struct vault *vault, struct cell cell, struct secret plain)
{
	if (secret_is_empty(plain)) {
		bind_null(call);
		return;
	}
	if (vault->count == 0) {
		bind_bytes(call, plain.text, plain.size);
		return;
	}
	struct sealed sealed = vault_seal(vault, arena, cell, plain);
	bind_bytes(call, sealed.bytes, sealed.size);
}

bool row_cell(struct row *row, struct arena *arena, const struct vault *vault, const char *key_id, struct cell cell,
	struct secret *ret_plain)
{
	size_t size = 0;
	const uint8_t *bytes = row_bytes(row, &size);
	*ret_plain = (struct secret){0};
	if (bytes == NULL)
		return true;
	if (key_id == NULL) {
		*ret_plain = secret_copy(arena, (const char *)bytes, size);
		return true;
	}
	const struct key *key = find_key(vault, key_id);
	if (key == NULL)
		return false;
	struct sealed sealed = {(uint8_t *)arena_copy_bytes(arena, bytes, size), size};
	return aes_open(arena, key->bytes, sealed, place_of(arena, cell), ret_plain);
}

/* --- the check at start ----------------------------------------------------------------------------------------- */

static bool refuse_keys(const char *key_id, const char *why, struct problem *problem)
{
	problem_set(problem, PROBLEM_VALIDATION_FAILED,
		"Tokens in this database are encrypted with key %.16s, which %s.", key_id, why);
	(void)problem_add_violation(problem, "external_token_encryption_keys", "%s", why);
	return problem_detail(problem,
		"Add that key to GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS, behind the one that is "
		"to encrypt from now on (with the embedded database: to the file encryption-keys in "
		"the state directory, or put that file back from your backup); or use the database that "
		"belongs to the given keys.");
}

bool vault_opens_check(const struct vault *vault, struct arena *arena, const char *key_id, struct sealed value)
{
	const struct key *key = find_key(vault, key_id);
	struct secret plain = {0};
	struct secret expected = {CHECK_TEXT, strlen(CHECK_TEXT)};
	return key != NULL && aes_open(arena, key->bytes, value, CHECK_PLACE, &plain) && secret_equals(plain, expected);
}

static bool check_one(
	const struct vault *vault, struct arena *arena, struct row *row, const char *key_id, struct problem *problem)
{
	if (!vault_has_key(vault, key_id))
		return refuse_keys(key_id, "is not among the given keys", problem);
	size_t size = 0;
	const uint8_t *bytes = row_bytes(row, &size);
	struct sealed sealed = {(uint8_t *)arena_copy_bytes(arena, bytes, size), size};
	if (vault_opens_check(vault, arena, key_id, sealed))
		return true;
	return refuse_keys(key_id, "does not open the check value", problem);
}

/* *ret_slot: the one behind the last. */
static bool check_values(const struct vault *vault, struct store *store, struct arena *arena, bool *ret_known,
	int64_t *ret_slot, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_VAULT_CHECK_READ);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	*ret_known = vault->count == 0;
	*ret_slot = 1;
	for (size_t i = 0; i < rows_count(&rows); i++) {
		struct row row = row_at(&rows, i);
		const char *key_id = row_text(&row, arena);
		if (!check_one(vault, arena, &row, key_id, problem))
			return false;
		*ret_slot = row_integer(&row) + 1;
		*ret_known = *ret_known || strcmp(key_id, vault->keys[0].id) == 0;
	}
	return true;
}

/* A service that ran on while a rotation forgot its key's check value may have sealed links with that key since. */
static bool check_links(const struct vault *vault, struct store *store, struct arena *arena, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_VAULT_LINK_KEYS);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	for (size_t i = 0; i < rows_count(&rows); i++) {
		struct row row = row_at(&rows, i);
		const char *key_id = row_text(&row, arena);
		if (*key_id != '\0' && !vault_has_key(vault, key_id))
			return refuse_keys(key_id, "is not among the given keys", problem);
	}
	return true;
}

static bool add_check_value(
	const struct vault *vault, struct store *store, struct arena *arena, int64_t slot, struct problem *problem)
{
	struct secret plain = {CHECK_TEXT, strlen(CHECK_TEXT)};
	struct sealed sealed = aes_seal(arena, vault->keys[0].bytes, plain, CHECK_PLACE);
	struct call call;
	call_write(&call, QUERY_VAULT_CHECK_INSERT);
	bind_text(&call, vault->keys[0].id);
	bind_bytes(&call, sealed.bytes, sealed.size);
	bind_integer(&call, slot);
	return store_do(store, &call, problem);
}

bool vault_check(const struct vault *vault, struct store *store, struct problem *problem)
{
	SCOPED(arena_release) struct arena *arena = arena_new(VAULT_ARENA_BYTES_MAX);
	for (int attempt = 0; attempt < CHECK_ATTEMPTS_MAX; attempt++) {
		bool known = false;
		int64_t slot = 0;
		if (!check_values(vault, store, arena, &known, &slot, problem))
			return false;
		if (known)
			return check_links(vault, store, arena, problem);
		if (!check_links(vault, store, arena, problem) || !add_check_value(vault, store, arena, slot, problem))
			return false;
	}
	return problem_set(
		problem, PROBLEM_CHANGED_MEANWHILE, "The encryption keys' check value is being changed by others.");
}
