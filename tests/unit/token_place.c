/* SPDX-License-Identifier: Apache-2.0 */
/* Logins on file systems that do not behave as a local one: no locks, a rename that was done and is said to have
 * failed, a directory that cannot be made durable. The system calls are this program's own, and fail when told to. */
#include "unit.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/session_store.h"

static struct {
	int lock_error;
	int rename_error; /* after the rename was done */
	bool loses_rename;
	int directory_syncs_failed; /* so many times */
	long magic;
} faults;

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): glibc's names are reserved ones */
int flock(int descriptor, int operation)
{
	if (faults.lock_error == 0)
		return (int)syscall(SYS_flock, descriptor, operation);
	errno = faults.lock_error;
	return -1;
}

int renameat(int old_directory, const char *old_name, int new_directory, const char *new_name)
{
	if (!faults.loses_rename && syscall(SYS_renameat2, old_directory, old_name, new_directory, new_name, 0) != 0)
		return -1;
	errno = faults.rename_error;
	return faults.rename_error == 0 ? 0 : -1;
}

int fsync(int descriptor)
{
	struct stat status;

	if (faults.directory_syncs_failed == 0 || fstat(descriptor, &status) != 0 || !S_ISDIR(status.st_mode))
		return (int)syscall(SYS_fsync, descriptor);
	faults.directory_syncs_failed--;
	errno = EIO;
	return -1;
}

int fstatfs(int descriptor, struct statfs *ret_status)
{
	(void)descriptor;
	*ret_status = (struct statfs){.f_type = faults.magic};
	return 0;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* --- a place ------------------------------------------------------------------------------------------------------ */

static struct {
	char parent[64];
	struct arena *arena;
	struct state_directory directory;
	struct cli cli;
} place;

static int place_make(void **state)
{
	struct problem problem = {.kind = PROBLEM_NONE};

	(void)state;
	memset(&faults, 0, sizeof(faults));
	(void)snprintf(place.parent, sizeof(place.parent), "/tmp/token_place.XXXXXX");
	place.arena = arena_new(4 * 1024 * 1024);
	if (mkdtemp(place.parent) == NULL || setenv("XDG_STATE_HOME", place.parent, 1) != 0)
		return -1;
	if (!state_directory_open(place.arena, true, &place.directory, &problem))
		return -1;
	place.cli = (struct cli){.arena = place.arena,
		.state = &place.directory,
		.issuer = "https://a",
		.profile = "p",
		.lock_timeout_ms = 1000};
	return 0;
}

static int place_drop(void **state)
{
	char lock[TOKEN_LOCK_NAME_SIZE];

	(void)state;
	token_lock_name(place.cli.issuer, AUTHORIZATION_CLIENT_ID, place.cli.profile, lock);
	(void)unlinkat(place.directory.descriptor, lock, 0);
	(void)unlinkat(place.directory.descriptor, TOKEN_FILE_NAME, 0);
	(void)unlinkat(place.directory.descriptor, TOKEN_FILE_LOCK, 0);
	state_directory_close(&place.directory);
	int left = rmdir(arena_printf(place.arena, "%s/gatehouse", place.parent)) | rmdir(place.parent);
	arena_free(place.arena);
	return left; /* no temporary file stays behind */
}

static struct token_entry login_of(const char *refresh_token)
{
	return (struct token_entry){.issuer = "https://a",
		.client_id = AUTHORIZATION_CLIENT_ID,
		.profile = "p",
		.access_token = {.text = "x", .size = 1},
		.refresh_token = {.text = refresh_token, .size = strlen(refresh_token)},
		.generation = 1};
}

static bool save_login(struct problem *problem)
{
	const struct cli_grant grant = {.access_token = {.text = "x", .size = 1},
		.refresh_token = {.text = "old", .size = 3},
		.expires_in_s = 900};
	struct secret replaced;

	return session_save_login(&place.cli, &grant, TOKEN_STORE_FILE, &replaced, problem);
}

static const char *stored_token(void)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	struct token_entry entry;
	bool found = false;

	assert_true(session_read(&place.cli, &found, &entry, &problem));
	return found ? entry.refresh_token.text : "";
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void locks_that_cannot_be_had_name_their_place(void **state)
{
	const int errors[] = {ENOLCK, EOPNOTSUPP, EBADF};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct problem problem = {.kind = PROBLEM_NONE};
		struct token_lock lock;

		faults.lock_error = errors[i];
		assert_false(session_lock(&place.cli, TOKEN_STORE_FILE, &lock, &problem));
		assert_int_equal(problem.kind, PROBLEM_INTERNAL);
		assert_non_null(strstr(problem.detail, place.directory.path));
		assert_non_null(strstr(problem.detail, "XDG_STATE_HOME"));
	}
}

static void rename_that_was_done_is_no_failure(void **state)
{
	struct problem problem = {.kind = PROBLEM_NONE};

	(void)state;
	faults.rename_error = ENOENT;
	assert_true(save_login(&problem));
	assert_string_equal(stored_token(), "old");
	faults.loses_rename = true;
	faults.rename_error = EIO;
	assert_false(save_login(&problem));
}

/* The token that came is in the file and not surely on the disk: tried again, it is saved and no logout of somebody. */
static void save_that_is_tried_again_finds_its_own(void **state)
{
	const struct token_entry before = login_of("old");
	const struct token_entry after = login_of("new");
	struct problem problem = {.kind = PROBLEM_NONE};
	enum session_save end = SESSION_GONE;

	(void)state;
	assert_true(save_login(&problem));
	faults.directory_syncs_failed = 1;
	assert_false(session_store_replace(&place.cli, &before, &after, &end, &problem));
	assert_true(session_store_replace(&place.cli, &before, &after, &end, &problem));
	assert_int_equal(end, SESSION_SAVED);
	assert_string_equal(stored_token(), "new");
	const struct token_entry other = login_of("other");
	assert_true(session_store_replace(&place.cli, &before, &other, &end, &problem));
	assert_int_equal(end, SESSION_GONE);
	assert_string_equal(stored_token(), "new");
}

static void places_that_machines_share_are_told(void **state)
{
	static const struct {
		long magic;
		const char *kind;
	} kinds[] = {{NFS_SUPER_MAGIC, "NFS"}, {SMB2_SUPER_MAGIC, "SMB"}, {FUSE_SUPER_MAGIC, "FUSE"}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		faults.magic = kinds[i].magic;
		assert_string_equal(state_directory_shared(&place.directory), kinds[i].kind);
	}
	faults.magic = TMPFS_MAGIC;
	assert_null(state_directory_shared(&place.directory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(locks_that_cannot_be_had_name_their_place, place_make, place_drop),
		cmocka_unit_test_setup_teardown(rename_that_was_done_is_no_failure, place_make, place_drop),
		cmocka_unit_test_setup_teardown(save_that_is_tried_again_finds_its_own, place_make, place_drop),
		cmocka_unit_test_setup_teardown(places_that_machines_share_are_told, place_make, place_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
