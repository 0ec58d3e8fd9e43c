/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and what they seal: a moved value does not open, a wrong key is found at start, the key file is guarded. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

static struct vault *open_keys(const char *keys)
{
	struct problem problem = {0};
	struct vault *vault = NULL;
	assert_done(vault_open(fixture_secret(keys), &vault, &problem), problem);
	return vault;
}

static void assert_refused(const char *keys, const char *word)
{
	struct problem problem = {0};
	struct vault *vault = NULL;
	assert_false(vault_open(fixture_secret(keys), &vault, &problem));
	assert_non_null(strstr(problem.message, word));
	assert_non_null(strstr(problem.detail, "openssl rand -base64 32"));
	assert_null(strstr(problem.message, keys));
}

static void wrong_keys_are_named_by_their_place(void **state)
{
	(void)state;
	assert_refused("not!base64", "key 1");
	assert_refused(KEY_A ",c2hvcnQ=", "key 2 of the list does not have 32 bytes");
	assert_refused(KEY_A ",", "key 2 of the list is empty");
	vault_close(open_keys(" " KEY_A " ,\n" KEY_B "\n"));
	vault_close(open_keys("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
}

static void moved_value_does_not_open(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user alice = fixture_user(f, "v-alice");
	struct user bob = fixture_user(f, "v-bob");
	struct link link = {0};
	bool found = false;
	fixture_link(f, alice.id, "github", "alice's");
	fixture_link(f, bob.id, "github", "bob's");
	fixture_sql(f, "UPDATE links b SET access_token = a.access_token FROM links a, users ua, users ub WHERE "
		       "a.owner_id = "
		       "ua.id AND ua.username = 'v-alice' AND b.owner_id = ub.id AND ub.username = 'v-bob'");
	assert_done(link_find(f->store, f->arena, bob.id, "github", &found, &link, &problem), problem);
	assert_true(found && !link.readable && secret_is_empty(link.access_token));
	fixture_sql(f, "UPDATE links SET refresh_token = access_token WHERE account IS NULL AND owner_id = (SELECT id "
		       "FROM users "
		       "WHERE username = 'v-alice')");
	assert_done(link_find(f->store, f->arena, alice.id, "github", &found, &link, &problem), problem);
	assert_false(link.readable);
}

static void second_key_opens_and_first_seals(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "v-keys");
	struct link link = {0};
	struct store *store = NULL;
	bool found = false;
	struct vault *old = open_keys(KEY_A);
	struct store_options options = {.connection_url = f->url, .prepare = true, .connections = 1, .vault = old};
	struct link_tokens tokens = {.owner_id = user.id, .provider_id = "github", .access_token = fixture_secret("t")};
	assert_done(store_open(&options, &store, &problem), problem);
	assert_done(link_save(store, &tokens, NULL, &problem), problem);
	store_close(store);
	struct vault *both = open_keys(KEY_B "," KEY_A);
	options.vault = both;
	assert_done(store_open(&options, &store, &problem), problem);
	assert_done(link_find(store, f->arena, user.id, "github", &found, &link, &problem), problem);
	assert_true(link.readable);
	assert_done(link_save(store, &tokens, NULL, &problem), problem);
	store_close(store);
	options.vault = old;
	assert_done(store_open(&options, &store, &problem), problem);
	assert_done(link_find(store, f->arena, user.id, "github", &found, &link, &problem), problem);
	assert_true(found && !link.readable);
	store_close(store);
	vault_close(old);
	vault_close(both);
}

static void clear_values_stay_readable_when_keys_come(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "v-clear");
	struct vault *none = open_keys("");
	struct store *store = NULL;
	struct link link = {0};
	bool found = false;
	struct store_options options = {.connection_url = f->url, .prepare = true, .connections = 1, .vault = none};
	struct link_tokens tokens = {
		.owner_id = user.id, .provider_id = "gitea", .access_token = fixture_secret("clear")};
	assert_done(store_open(&options, &store, &problem), problem);
	assert_done(link_save(store, &tokens, NULL, &problem), problem);
	store_close(store);
	vault_close(none);
	assert_string_equal(
		fixture_sql(f, "SELECT count(*) FROM links WHERE access_token = 'clear' AND key_id IS NULL"), "1");
	assert_done(link_find(f->store, f->arena, user.id, "gitea", &found, &link, &problem), problem);
	assert_string_equal(link.access_token.text, "clear");
}

static void wrong_key_is_found_at_start(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct vault *right = open_keys(KEY_A);
	struct vault *wrong = open_keys(KEY_B);
	struct vault *both = open_keys(KEY_B "," KEY_A);
	struct vault *none = open_keys("");
	fixture_sql(f, "DELETE FROM links");
	assert_done(vault_check(none, f->store, &problem), problem);
	assert_done(vault_check(right, f->store, &problem), problem);
	assert_done(vault_check(right, f->store, &problem), problem);
	assert_false(vault_check(wrong, f->store, &problem));
	assert_non_null(strstr(problem.message, "not among the given keys"));
	assert_false(vault_check(none, f->store, &problem));
	assert_done(vault_check(both, f->store, &problem), problem);
	assert_false(vault_check(right, f->store, &problem));
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM vault_check"), "2");
	fixture_sql(f, "UPDATE vault_check SET value = (SELECT value FROM vault_check WHERE slot = 1) WHERE slot = 2");
	assert_false(vault_check(both, f->store, &problem));
	assert_non_null(strstr(problem.message, "does not open"));
	vault_close(right);
	vault_close(wrong);
	vault_close(both);
	vault_close(none);
}

static void key_file_is_made_once_and_guarded(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct secret first = {0};
	struct secret second = {0};
	struct stat status;
	char folder[64];
	char path[128];
	fixture_make_dir(folder, sizeof(folder));
	snprintf(path, sizeof(path), "%s/encryption-keys", folder);
	assert_false(vault_key_file(folder, false, f->arena, &first, &problem));
	assert_done(vault_key_file(folder, true, f->arena, &first, &problem), problem);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_done(vault_key_file(folder, true, f->arena, &second, &problem), problem);
	assert_string_equal(first.text, second.text);
	vault_close(open_keys(first.text));
	assert_int_equal(chmod(path, 0644), 0);
	assert_false(vault_key_file(folder, true, f->arena, &second, &problem));
	assert_non_null(strstr(problem.detail, "chmod 600"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_false(vault_key_file(folder, true, f->arena, &second, &problem));
	fixture_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_keys_are_named_by_their_place),
		cmocka_unit_test(moved_value_does_not_open),
		cmocka_unit_test(second_key_opens_and_first_seals),
		cmocka_unit_test(clear_values_stay_readable_when_keys_come),
		cmocka_unit_test(wrong_key_is_found_at_start),
		cmocka_unit_test(key_file_is_made_once_and_guarded),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
