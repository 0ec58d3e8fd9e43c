/* SPDX-License-Identifier: Apache-2.0 */
/* The token file as JSON: strict in what it reads, because a file that is taken for an empty one is written over and
 * with it every login; members it does not know are carried along. */
#include <string.h>

#include "../base/clock.h"
#include "../base/json.h"
#include "token_file.h"

#define FORMAT_VERSION 1
#define TEXT_BYTES_MAX 4096
#define TOKEN_BYTES_MAX 16384

static const char *const store_words[] = {[TOKEN_STORE_FILE] = "file", [TOKEN_STORE_KEYRING] = "keyring"};

static bool malformed(struct problem *problem, const char *what)
{
	(void)problem_set(problem, PROBLEM_MALFORMED_JSON, "The file of logins is damaged.");
	return problem_detail(problem, "%s", what);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static bool is_known(const char *name, const char *const *known, size_t known_count)
{
	for (size_t i = 0; i < known_count; i++) {
		if (strcmp(name, known[i]) == 0)
			return true;
	}
	return false;
}

struct known_members {
	const char *const *names;
	size_t count;
};

static bool read_rest(const struct json *object, struct known_members known, struct arena *arena,
	struct token_rest *ret_rest, struct problem *problem)
{
	for (const struct json *member = json_first(object); member != NULL; member = json_next(member)) {
		if (is_known(json_key(member), known.names, known.count))
			continue;
		if (ret_rest->count == TOKEN_REST_MAX)
			return malformed(problem, "it has too many members");
		ret_rest->list[ret_rest->count].name = arena_copy(arena, json_key(member));
		ret_rest->list[ret_rest->count].value = json_print(member, arena);
		ret_rest->count++;
	}
	return true;
}

static bool read_time(const char *text, int64_t *ret_at_ms, struct problem *problem)
{
	return text == NULL || clock_parse_rfc3339(text, ret_at_ms) || malformed(problem, "a time is not lawful");
}

static bool read_store(const char *word, enum token_store *ret_store, struct problem *problem)
{
	for (size_t i = 0; i < COUNT_OF(store_words); i++) {
		if (word == NULL || strcmp(word, store_words[i]) == 0) {
			*ret_store = (enum token_store)i;
			return true;
		}
	}
	return malformed(problem, "a login is stored where this version does not know");
}

static struct secret secret_of(const char *text)
{
	return (struct secret){.text = text, .size = text != NULL ? strlen(text) : 0};
}

static bool read_refreshing(
	const struct json *value, struct arena *arena, struct token_entry *entry, struct problem *problem)
{
	const char *at = NULL;
	const struct json_field fields[] = {
		{.name = "hash", .type = JSON_STRING, .target = &entry->refreshing_hash, .bytes_max = SHA256_HEX_SIZE},
		{.name = "at", .type = JSON_STRING, .target = &at, .bytes_max = TEXT_BYTES_MAX},
	};

	if (value == NULL)
		return true;
	if (!json_read_fields(value, fields, COUNT_OF(fields), arena, problem))
		return malformed(problem, "a login's `refreshing` is not lawful");
	return read_time(at, &entry->refreshing_at_ms, problem);
}

static bool read_entry(
	const struct json *value, struct arena *arena, struct token_entry *entry, struct problem *problem)
{
	static const char *const known[] = {"issuer", "client_id", "profile", "store", "access_token", "refresh_token",
		"issued_at", "expires_at", "generation", "needs_login", "refreshing"};
	const char *access_token = NULL, *refresh_token = NULL, *store = NULL, *issued_at = NULL, *expires_at = NULL;
	const struct json *refreshing = NULL;
	const struct json_field fields[] = {
		{.name = "issuer",
			.type = JSON_STRING,
			.target = &entry->issuer,
			.required = true,
			.bytes_max = TEXT_BYTES_MAX},
		{.name = "client_id",
			.type = JSON_STRING,
			.target = &entry->client_id,
			.required = true,
			.bytes_max = TEXT_BYTES_MAX},
		{.name = "profile",
			.type = JSON_STRING,
			.target = &entry->profile,
			.required = true,
			.bytes_max = TEXT_BYTES_MAX},
		{.name = "store", .type = JSON_STRING, .target = &store, .bytes_max = TEXT_BYTES_MAX},
		{.name = "access_token", .type = JSON_STRING, .target = &access_token, .bytes_max = TOKEN_BYTES_MAX},
		{.name = "refresh_token", .type = JSON_STRING, .target = &refresh_token, .bytes_max = TOKEN_BYTES_MAX},
		{.name = "issued_at", .type = JSON_STRING, .target = &issued_at, .bytes_max = TEXT_BYTES_MAX},
		{.name = "expires_at", .type = JSON_STRING, .target = &expires_at, .bytes_max = TEXT_BYTES_MAX},
		{.name = "generation", .type = JSON_INTEGER, .target = &entry->generation},
		{.name = "needs_login", .type = JSON_BOOL, .target = &entry->needs_login},
		{.name = "refreshing", .type = JSON_OBJECT, .target = &refreshing},
	};

	*entry = (struct token_entry){0};
	if (!json_read_fields(value, fields, COUNT_OF(fields), arena, problem)) {
		const struct violation first = problem->violations[0];

		return malformed(problem, problem->violation_count == 0
						  ? "a login is no object"
						  : arena_printf(arena, "a login's %s %s", first.field, first.detail));
	}
	entry->access_token = secret_of(access_token);
	entry->refresh_token = secret_of(refresh_token);
	return read_store(store, &entry->store, problem) && read_time(issued_at, &entry->issued_at_ms, problem) &&
	       read_time(expires_at, &entry->expires_at_ms, problem) &&
	       read_refreshing(refreshing, arena, entry, problem) &&
	       read_rest(value, (struct known_members){known, COUNT_OF(known)}, arena, &entry->rest, problem);
}

static bool read_entries(const struct json *list, struct arena *arena, struct token_file *file, struct problem *problem)
{
	if (json_count(list) > TOKEN_ENTRIES_MAX)
		return malformed(problem, "it has too many logins");
	for (const struct json *value = json_first(list); value != NULL; value = json_next(value)) {
		struct token_entry entry;

		if (!read_entry(value, arena, &entry, problem))
			return false;
		if (token_file_find(file, (struct token_key){entry.issuer, entry.client_id, entry.profile}) != NULL)
			return malformed(problem, "it has a login twice");
		file->entries[file->entry_count++] = entry;
	}
	return true;
}

static bool read_current(
	const struct json *value, struct arena *arena, struct token_file *file, struct problem *problem)
{
	const struct json_field fields[] = {
		{.name = "issuer",
			.type = JSON_STRING,
			.target = &file->current_issuer,
			.required = true,
			.bytes_max = TEXT_BYTES_MAX},
		{.name = "profile",
			.type = JSON_STRING,
			.target = &file->current_profile,
			.required = true,
			.bytes_max = TEXT_BYTES_MAX},
	};

	return value == NULL || json_read_fields(value, fields, COUNT_OF(fields), arena, problem) ||
	       malformed(problem, "`current` is not lawful");
}

bool token_file_parse(struct secret text, struct arena *arena, struct token_file *ret_file, struct problem *problem)
{
	static const char *const known[] = {"version", "current", "logins"};
	SCOPED(json_release) struct json *root = NULL;
	int64_t version = 0;
	const struct json *current = NULL;
	const struct json *logins = NULL;
	const struct json_field fields[] = {
		{.name = "version", .type = JSON_INTEGER, .target = &version, .required = true},
		{.name = "current", .type = JSON_OBJECT, .target = &current},
		{.name = "logins", .type = JSON_ARRAY, .target = &logins, .required = true},
	};

	*ret_file = (struct token_file){0};
	if (!json_parse(text.text, text.size, &root, problem))
		return false;
	if (!json_is(root, JSON_OBJECT) || !json_read_fields(root, fields, COUNT_OF(fields), arena, problem))
		return malformed(problem, "it is no file of logins");
	if (version != FORMAT_VERSION)
		return malformed(problem, "another version of gatehouse wrote it");
	return read_current(current, arena, ret_file, problem) && read_entries(logins, arena, ret_file, problem) &&
	       read_rest(root, (struct known_members){known, COUNT_OF(known)}, arena, &ret_file->rest, problem);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void add_rest(struct json *object, const struct token_rest *rest)
{
	for (size_t i = 0; i < rest->count; i++)
		json_add_raw(object, rest->list[i].name, rest->list[i].value);
}

static void add_time(struct json *object, const char *name, int64_t at_ms, struct arena *arena)
{
	if (at_ms != 0)
		json_add_string(object, name, clock_rfc3339(arena, at_ms));
}

static void add_entry(struct json *list, const struct token_entry *entry, struct arena *arena)
{
	struct json *object = json_push_object(list);

	json_add_string(object, "issuer", entry->issuer);
	json_add_string(object, "client_id", entry->client_id);
	json_add_string(object, "profile", entry->profile);
	json_add_string(object, "store", store_words[entry->store]);
	if (entry->store == TOKEN_STORE_FILE && !secret_is_empty(entry->access_token))
		json_add_string(object, "access_token", entry->access_token.text);
	if (entry->store == TOKEN_STORE_FILE && !secret_is_empty(entry->refresh_token))
		json_add_string(object, "refresh_token", entry->refresh_token.text);
	add_time(object, "issued_at", entry->issued_at_ms, arena);
	add_time(object, "expires_at", entry->expires_at_ms, arena);
	json_add_integer(object, "generation", entry->generation);
	json_add_bool(object, "needs_login", entry->needs_login);
	if (entry->refreshing_hash != NULL) {
		struct json *refreshing = json_add_object(object, "refreshing");

		json_add_string(refreshing, "hash", entry->refreshing_hash);
		add_time(refreshing, "at", entry->refreshing_at_ms, arena);
	}
	add_rest(object, &entry->rest);
}

char *token_file_print(const struct token_file *file, struct arena *arena)
{
	SCOPED(json_release) struct json *root = json_new_object();

	json_add_integer(root, "version", FORMAT_VERSION);
	if (file->current_issuer != NULL) {
		struct json *current = json_add_object(root, "current");

		json_add_string(current, "issuer", file->current_issuer);
		json_add_string(current, "profile", file->current_profile);
	}
	struct json *logins = json_add_array(root, "logins");

	for (size_t i = 0; i < file->entry_count; i++)
		add_entry(logins, &file->entries[i], arena);
	add_rest(root, &file->rest);
	return json_print(root, arena);
}
