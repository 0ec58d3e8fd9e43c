/* SPDX-License-Identifier: Apache-2.0 */
/* Logins in the file and in the keyring: see session_store.h. */
#include "session_store.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "keyring.h"

/* --- the keyring's part ------------------------------------------------------------------------------------------ */

static struct secret keyring_text(const struct token_entry *entry, struct arena *arena)
{
	SCOPED(json_release) struct json *root = json_new_object();

	json_add_string(root, "access_token", entry->access_token.text);
	json_add_string(root, "refresh_token", entry->refresh_token.text);
	json_add_integer(root, "issued_at_ms", entry->issued_at_ms);
	json_add_integer(root, "expires_at_ms", entry->expires_at_ms);
	json_add_integer(root, "generation", entry->generation);
	const char *text = json_print(root, arena);

	return (struct secret){.text = text, .size = strlen(text)};
}

static bool read_keyring_text(
	struct secret text, struct arena *arena, struct token_entry *entry, struct problem *problem)
{
	SCOPED(json_release) struct json *root = NULL;
	const char *access_token = NULL;
	const char *refresh_token = NULL;
	const struct json_field fields[] = {
		{.name = "access_token", .type = JSON_STRING, .target = &access_token},
		{.name = "refresh_token", .type = JSON_STRING, .target = &refresh_token},
		{.name = "issued_at_ms", .type = JSON_INTEGER, .target = &entry->issued_at_ms},
		{.name = "expires_at_ms", .type = JSON_INTEGER, .target = &entry->expires_at_ms},
		{.name = "generation", .type = JSON_INTEGER, .target = &entry->generation},
	};

	if (!json_parse(text.text, text.size, &root, problem) ||
		!json_read_fields(root, fields, COUNT_OF(fields), arena, problem))
		return problem_set(problem, PROBLEM_INTERNAL, "What the keyring holds of this login is damaged.");
	entry->access_token = (struct secret){access_token, access_token != NULL ? strlen(access_token) : 0};
	entry->refresh_token = (struct secret){refresh_token, refresh_token != NULL ? strlen(refresh_token) : 0};
	return true;
}

static bool load_from_keyring(struct cli *cli, struct token_entry *entry, struct problem *problem)
{
	struct secret text;

	if (!keyring_load(entry->issuer, entry->profile, cli->arena, &text, problem))
		return false;
	return secret_is_empty(text) || read_keyring_text(text, cli->arena, entry, problem);
}

/* --- both -------------------------------------------------------------------------------------------------------- */

static struct token_key key_of(const struct cli *cli)
{
	return (struct token_key){.issuer = cli->issuer, .client_id = AUTHORIZATION_CLIENT_ID, .profile = cli->profile};
}

bool session_read(struct cli *cli, bool *ret_found, struct token_entry *ret_entry, struct problem *problem)
{
	struct token_file *file = arena_alloc(cli->arena, sizeof(*file));
	const struct token_entry *entry;

	*ret_found = false;
	if (!token_file_read(cli->state, cli->arena, file, problem))
		return false;
	entry = token_file_find(file, key_of(cli));
	if (entry == NULL)
		return true;
	*ret_found = true;
	*ret_entry = *entry;
	return ret_entry->store == TOKEN_STORE_FILE || load_from_keyring(cli, ret_entry, problem);
}

/* Whether the entry in the file is the one that was read. In the keyring only a login changes it, under the lock. */
static bool is_same(const struct token_entry *now, const struct token_entry *before)
{
	if (now == NULL || now->store != before->store)
		return false;
	return now->store == TOKEN_STORE_KEYRING || secret_equals(now->refresh_token, before->refresh_token);
}

static bool replace(struct cli *cli, const struct token_entry *before, const struct token_entry *after,
	enum session_save *ret_end, struct problem *problem)
{
	struct token_change change;
	struct token_entry *entry;

	*ret_end = SESSION_GONE;
	if (!token_file_begin(cli->state, cli->arena, &change, problem))
		return false;
	entry = token_file_find(change.file, key_of(cli));
	/* An attempt that failed when the file was in its place already is made again. */
	if (!is_same(entry, before) && !is_same(entry, after)) {
		token_file_abandon(&change);
		return true;
	}
	struct token_rest rest = entry->rest;

	*entry = *after;
	entry->rest = rest;
	*ret_end = SESSION_SAVED;
	return token_file_commit(&change, cli->arena, problem);
}

bool session_store_note(struct cli *cli, const struct token_entry *before, const struct token_entry *after,
	enum session_save *ret_end, struct problem *problem)
{
	return replace(cli, before, after, ret_end, problem);
}

bool session_store_replace(struct cli *cli, const struct token_entry *before, const struct token_entry *after,
	enum session_save *ret_end, struct problem *problem)
{
	if (before->store == TOKEN_STORE_KEYRING &&
		!keyring_save(before->issuer, before->profile, keyring_text(after, cli->arena), problem))
		return false;
	return replace(cli, before, after, ret_end, problem);
}

/* --- the lock ---------------------------------------------------------------------------------------------------- */

/* Lock and login are seen by the same processes: beside the file, or, for a keyring, where no variable leads away. */
bool session_lock(struct cli *cli, enum token_store store, struct token_lock *ret_lock, struct problem *problem)
{
	char name[TOKEN_LOCK_NAME_SIZE];
	struct state_directory own;

	token_lock_name(cli->issuer, AUTHORIZATION_CLIENT_ID, cli->profile, name);
	if (store == TOKEN_STORE_FILE)
		return token_lock_take(cli->state, name, cli->lock_timeout_ms, ret_lock, problem);
	ret_lock->descriptor = -1;
	if (!state_directory_open_of_user(cli->arena, &own, problem))
		return false;

	bool good = token_lock_take(&own, name, cli->lock_timeout_ms, ret_lock, problem);

	state_directory_close(&own);
	return good;
}

const char *session_lock_path(struct cli *cli, enum token_store store)
{
	char name[TOKEN_LOCK_NAME_SIZE];
	struct problem unread = {.kind = PROBLEM_NONE};
	struct state_directory own = {.descriptor = -1, .path = ""};

	token_lock_name(cli->issuer, AUTHORIZATION_CLIENT_ID, cli->profile, name);
	if (store == TOKEN_STORE_FILE)
		return arena_printf(cli->arena, "%s/%s", cli->state->path, name);
	if (!state_directory_open_of_user(cli->arena, &own, &unread))
		return "";
	state_directory_close(&own);
	return arena_printf(cli->arena, "%s/%s", own.path, name);
}

/* --- logging in and out ------------------------------------------------------------------------------------------ */

static bool save_login(
	struct cli *cli, const struct token_entry *login, struct secret *ret_replaced, struct problem *problem)
{
	struct token_change change;
	struct token_entry *entry;

	if (!token_file_begin(cli->state, cli->arena, &change, problem))
		return false;
	entry = token_file_make(change.file, key_of(cli));
	if (entry == NULL) {
		token_file_abandon(&change);
		(void)problem_set(problem, PROBLEM_INTERNAL, "There are %d logins already.", TOKEN_ENTRIES_MAX);
		return problem_detail(problem, "Log out of one with `gatehouse logout --url URL --profile NAME`.");
	}
	struct token_rest rest = entry->rest;
	int64_t generation = entry->generation;

	*ret_replaced = entry->refresh_token;
	*entry = *login;
	entry->rest = rest;
	entry->generation = generation + 1;
	change.file->current_issuer = cli->issuer;
	change.file->current_profile = cli->profile;
	return token_file_commit(&change, cli->arena, problem);
}

bool session_save_login(struct cli *cli, const struct cli_grant *grant, enum token_store store,
	struct secret *ret_replaced, struct problem *problem)
{
	int64_t now_ms = clock_now_ms();
	const struct token_entry login = {.issuer = cli->issuer,
		.client_id = AUTHORIZATION_CLIENT_ID,
		.profile = cli->profile,
		.store = store,
		.access_token = grant->access_token,
		.refresh_token = grant->refresh_token,
		.issued_at_ms = now_ms,
		.expires_at_ms = grant->expires_in_s > 0 ? now_ms + grant->expires_in_s * 1000 : 0};
	struct token_lock lock;

	*ret_replaced = (struct secret){.text = NULL};
	if (!session_lock(cli, store, &lock, problem))
		return false;

	bool good = store == TOKEN_STORE_FILE ||
		    keyring_save(cli->issuer, cli->profile, keyring_text(&login, cli->arena), problem);

	good = good && save_login(cli, &login, ret_replaced, problem);
	token_lock_release(&lock);
	return good;
}

bool session_remove(struct cli *cli, struct problem *problem)
{
	struct token_change change;
	struct token_entry *entry;
	bool in_keyring;

	if (!token_file_begin(cli->state, cli->arena, &change, problem))
		return false;
	entry = token_file_find(change.file, key_of(cli));
	in_keyring = entry != NULL && entry->store == TOKEN_STORE_KEYRING;
	if (entry == NULL) {
		token_file_abandon(&change);
		return true;
	}
	token_file_remove(change.file, entry);
	if (!token_file_commit(&change, cli->arena, problem))
		return false;
	return !in_keyring || keyring_remove(cli->issuer, cli->profile, problem);
}
