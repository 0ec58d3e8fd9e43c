/* SPDX-License-Identifier: Apache-2.0 */
/* The file of logins as text: what is read comes back as it was, what is not exactly such a file is refused. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cli/token_file.h"

#define LOGIN "\"issuer\":\"https://a\",\"client_id\":\"c\",\"profile\":\"p\""

static struct arena *arena;

static bool parse(const char *text, struct token_file *file)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	bool good = token_file_parse((struct secret){.text = text, .size = strlen(text)}, arena, file, &problem);

	if (!good)
		assert_int_equal(problem.kind, PROBLEM_MALFORMED_JSON);
	return good;
}

static void what_is_read_is_written(void **state)
{
	static const char text[] =
		"{\"version\":1,\"current\":{\"issuer\":\"https://a\",\"profile\":\"p\"},\"logins\":[{" LOGIN
		",\"store\":\"file\",\"access_token\":\"x\",\"refresh_token\":\"y\",\"issued_at\":"
		"\"2026-01-01T00:00:00.000Z\",\"expires_at\":\"2026-01-01T00:15:00.000Z\",\"generation\":7,"
		"\"needs_login\":false,\"refreshing\":{\"hash\":\"ab\",\"at\":\"2026-01-01T00:14:00.000Z\"},"
		"\"later\":{\"a\":[1]}},{\"issuer\":\"https://a\",\"client_id\":\"c\",\"profile\":\"q\",\"store\":"
		"\"keyring\",\"generation\":1,\"needs_login\":true}],\"newer\":\"kept\"}";
	static struct token_file file;

	(void)state;
	assert_true(parse(text, &file));
	assert_int_equal(file.entry_count, 2);
	assert_int_equal(file.entries[0].generation, 7);
	assert_string_equal(file.entries[0].refresh_token.text, "y");
	assert_int_equal(file.entries[0].expires_at_ms - file.entries[0].issued_at_ms, 900000);
	assert_int_equal(file.entries[1].store, TOKEN_STORE_KEYRING);
	assert_true(file.entries[1].needs_login);
	assert_string_equal(token_file_print(&file, arena), text);
}

static void anything_else_is_refused(void **state)
{
	static const char *const wrong[] = {"", " ", "{}", "[]", "null", "{\"version\":1}", "{\"logins\":[]}",
		"{\"version\":2,\"logins\":[]}", "{\"version\":\"1\",\"logins\":[]}", "{\"version\":1,\"logins\":{}}",
		"{\"version\":1,\"logins\":[]", "{\"version\":1,\"logins\":[]}x",
		"{\"version\":1,\"version\":1,\"logins\":[]}", "{\"version\":1,\"logins\":[1]}",
		"{\"version\":1,\"logins\":[{}]}",
		"{\"version\":1,\"logins\":[{\"issuer\":\"a\",\"client_id\":\"c\"}]}",
		"{\"version\":1,\"logins\":[{" LOGIN ",\"generation\":\"1\"}]}",
		"{\"version\":1,\"logins\":[{" LOGIN ",\"store\":\"cloud\"}]}",
		"{\"version\":1,\"logins\":[{" LOGIN ",\"expires_at\":\"soon\"}]}",
		"{\"version\":1,\"logins\":[{" LOGIN ",\"access_token\":1}]}",
		"{\"version\":1,\"logins\":[{" LOGIN ",\"refreshing\":1}]}",
		"{\"version\":1,\"logins\":[{" LOGIN "},{" LOGIN "}]}", "{\"version\":1,\"current\":{},\"logins\":[]}",
		"{\"version\":1,\"logins\":[{" LOGIN ",\"x\":\"\\u0000\"}]}"};
	static struct token_file file;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		if (parse(wrong[i], &file))
			fail_msg("%s", wrong[i]);
	}
	assert_true(parse("{\"version\":1,\"logins\":[]}", &file));
	assert_true(parse("{\"version\":1,\"logins\":[{" LOGIN "}]}", &file));
	assert_true(parse("{\"version\":1,\"logins\":[{" LOGIN "},{\"issuer\":\"https://"
			  "a\",\"client_id\":\"d\",\"profile\":\"p\"}]}",
		&file));
}

static void entries_are_kept_apart(void **state)
{
	static struct token_file file;

	(void)state;
	file = (struct token_file){.current_issuer = "https://a", .current_profile = "q"};
	assert_non_null(token_file_make(&file, (struct token_key){"https://a", "c", "p"}));
	assert_non_null(token_file_make(&file, (struct token_key){"https://a", "c", "q"}));
	assert_non_null(token_file_make(&file, (struct token_key){"https://b", "c", "p"}));
	assert_ptr_equal(token_file_make(&file, (struct token_key){"https://a", "c", "p"}), &file.entries[0]);
	assert_int_equal(file.entry_count, 3);
	assert_null(token_file_find(&file, (struct token_key){"https://a", "another", "p"}));
	token_file_remove(&file, token_file_find(&file, (struct token_key){"https://a", "c", "q"}));
	assert_int_equal(file.entry_count, 2);
	assert_null(token_file_find(&file, (struct token_key){"https://a", "c", "q"}));
	assert_non_null(token_file_find(&file, (struct token_key){"https://b", "c", "p"}));
	assert_null(file.current_issuer);
	while (file.entry_count < TOKEN_ENTRIES_MAX)
		assert_non_null(token_file_make(
			&file, (struct token_key){arena_printf(arena, "https://%zu", file.entry_count), "c", "p"}));
	assert_null(token_file_make(&file, (struct token_key){"https://one-more", "c", "p"}));
	assert_non_null(token_file_make(&file, (struct token_key){"https://b", "c", "p"}));
}

static void names_of_locks_do_not_meet(void **state)
{
	static const char *const logins[][3] = {{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""},
		{"a", "b", "../../c"}, {"", "", ""}, {"a", "b", "C"}};
	char names[COUNT_OF(logins)][TOKEN_LOCK_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(logins); i++) {
		token_lock_name(logins[i][0], logins[i][1], logins[i][2], names[i]);
		assert_int_equal(strlen(names[i]), strlen("refresh-.lock") + 64);
		assert_null(strchr(names[i], '/'));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
	}
}

static void a_change_is_private_and_whole(void **state)
{
	char place[] = "/tmp/token_file.XXXXXX";
	struct problem problem = {.kind = PROBLEM_NONE};
	struct state_directory directory;
	struct token_change change;
	static struct token_file file;
	struct stat status;

	(void)state;
	assert_non_null(mkdtemp(place));
	assert_int_equal(setenv("XDG_STATE_HOME", place, 1), 0);
	assert_true(state_directory_open(arena, false, &directory, &problem));
	assert_int_equal(directory.descriptor, -1);
	assert_true(state_directory_open(arena, true, &directory, &problem));
	assert_true(token_file_begin(&directory, arena, &change, &problem));
	assert_non_null(token_file_make(change.file, (struct token_key){"https://a", "c", "p"}));
	assert_true(token_file_commit(&change, arena, &problem));
	assert_int_equal(change.lock.descriptor, -1);
	assert_true(token_file_read(&directory, arena, &file, &problem));
	assert_int_equal(file.entry_count, 1);
	assert_int_equal(fstatat(directory.descriptor, TOKEN_FILE_NAME, &status, 0), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(unlinkat(directory.descriptor, TOKEN_FILE_NAME, 0), 0);
	assert_int_equal(unlinkat(directory.descriptor, TOKEN_FILE_LOCK, 0), 0);
	state_directory_close(&directory);
	assert_int_equal(rmdir(arena_printf(arena, "%s/gatehouse", place)), 0);
	assert_int_equal(rmdir(place), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_written),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(entries_are_kept_apart),
		cmocka_unit_test(names_of_locks_do_not_meet),
		cmocka_unit_test(a_change_is_private_and_whole),
	};

	arena = arena_new(64 * 1024 * 1024);
	int failed = cmocka_run_group_tests_name("token file", tests, NULL, NULL);
	arena_free(arena);
	return failed;
}
