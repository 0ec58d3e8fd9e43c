/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of tokens and locks: see state_directory.h. */
#include "state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DIRECTORY_NAME "gatehouse"
#define PASSWD_BYTES_MAX 16384

static const char *absolute_value(const char *name)
{
	const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody changes the environment */

	return value != NULL && value[0] == '/' ? value : NULL;
}

static const char *passwd_home(struct arena *arena)
{
	char *buffer = arena_alloc(arena, PASSWD_BYTES_MAX);
	struct passwd entry;
	struct passwd *found = NULL;

	if (getpwuid_r(geteuid(), &entry, buffer, PASSWD_BYTES_MAX, &found) != 0 || found == NULL)
		return NULL;
	return found->pw_dir != NULL && found->pw_dir[0] == '/' ? found->pw_dir : NULL;
}

/* XDG Base Directory Specification: a value that is not absolute is invalid and ignored. */
static const char *find_parent(struct arena *arena)
{
	const char *given = absolute_value("XDG_STATE_HOME");
	const char *home = absolute_value("HOME");

	if (given != NULL)
		return given;
	if (home == NULL)
		home = passwd_home(arena);
	return home != NULL ? arena_printf(arena, "%s/.local/state", home) : NULL;
}

static bool complain(struct problem *problem, const char *what, const char *path)
{
	(void)problem_set(problem, PROBLEM_INTERNAL, "Cannot use %.200s: %s.", path, what);
	return problem_detail(problem, "Tokens and locks are kept there; XDG_STATE_HOME names another place, for every "
				       "process alike.");
}

static void make_parents(struct arena *arena, const char *path)
{
	char *partial = arena_copy(arena, path);

	for (char *slash = strchr(partial + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(partial, 0700);
		*slash = '/';
	}
	(void)mkdir(partial, 0700);
}

static const char *directory_distrust(int descriptor)
{
	struct stat status;

	if (fstat(descriptor, &status) != 0)
		return "it cannot be looked at";
	if (status.st_uid != geteuid())
		return "it belongs to somebody else";
	if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "others may write to it (mend it with `chmod 700`)";
	return NULL;
}

/* The last part is not followed where it is a symbolic link; what leads there may be one, and is resolved, so that
 * every process means the same directory. */
static bool open_below(
	int parent, const char *path, bool create, struct state_directory *directory, struct problem *problem)
{
	if (create)
		(void)mkdirat(parent, DIRECTORY_NAME, 0700);
	directory->path = path;
	directory->descriptor = openat(parent, DIRECTORY_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory->descriptor < 0) {
		if (errno == ENOENT && !create)
			return true;
		if (errno == ENOTDIR || errno == ELOOP)
			return complain(problem, "it is a symbolic link or no directory", path);
		return complain(problem, strerror(errno), path); /* NOLINT(concurrency-mt-unsafe) */
	}
	const char *distrust = directory_distrust(directory->descriptor);
	if (distrust == NULL)
		return true;
	state_directory_close(directory);
	return complain(problem, distrust, path);
}

static bool open_in(struct arena *arena, const char *parent, bool create, struct state_directory *ret_directory,
	struct problem *problem)
{
	char resolved[PATH_MAX];
	int descriptor;

	*ret_directory = (struct state_directory){.descriptor = -1, .path = ""};
	if (parent == NULL)
		return complain(problem, "nothing says where it is", "the home directory");
	if (create)
		make_parents(arena, parent);
	ret_directory->path = arena_printf(arena, "%s/" DIRECTORY_NAME, parent);
	if (realpath(parent, resolved) != NULL)
		ret_directory->path = arena_printf(arena, "%s/" DIRECTORY_NAME, resolved);
	descriptor = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (descriptor < 0 && errno == ENOENT && !create)
		return true;
	if (descriptor < 0)
		return complain(problem, strerror(errno), parent); /* NOLINT(concurrency-mt-unsafe) */

	bool good = open_below(descriptor, ret_directory->path, create, ret_directory, problem);

	(void)close(descriptor);
	return good;
}

bool state_directory_open(
	struct arena *arena, bool create, struct state_directory *ret_directory, struct problem *problem)
{
	return open_in(arena, find_parent(arena), create, ret_directory, problem);
}

bool state_directory_open_of_user(struct arena *arena, struct state_directory *ret_directory, struct problem *problem)
{
	const char *home = passwd_home(arena);

	return open_in(arena, home != NULL ? arena_printf(arena, "%s/.local/state", home) : NULL, true, ret_directory,
		problem);
}

void state_directory_close(struct state_directory *directory)
{
	if (directory->descriptor >= 0)
		(void)close(directory->descriptor);
	directory->descriptor = -1;
}

const char *state_directory_shared(const struct state_directory *directory)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} kinds[] = {
		{NFS_SUPER_MAGIC, "NFS"},
		{SMB2_SUPER_MAGIC, "SMB"},
		{CIFS_SUPER_MAGIC, "SMB"},
		{FUSE_SUPER_MAGIC, "FUSE"},
	};
	struct statfs status;

	if (fstatfs(directory->descriptor, &status) != 0)
		return NULL;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (kinds[i].magic == (uint32_t)status.f_type)
			return kinds[i].name;
	return NULL;
}

const char *state_file_distrust(int descriptor, mode_t forbidden)
{
	struct stat status;

	if (fstat(descriptor, &status) != 0)
		return "it cannot be looked at";
	if (!S_ISREG(status.st_mode))
		return "it is no regular file";
	if (status.st_uid != geteuid())
		return "it belongs to somebody else";
	if ((status.st_mode & forbidden) != 0)
		return "others may read or write it (mend it with `chmod 600`, and log in again: the tokens in it may "
		       "have been read)";
	return NULL;
}
