/* SPDX-License-Identifier: Apache-2.0 */
/* The token file on the disk: see token_file.h. */
#include "token_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/secret.h"

#define TEMPORARY_PREFIX ".tokens.json."
#define TEMPORARY_AGE_S 86400

/* Reading, changing and writing takes some milliseconds; a disk that is slow takes longer. */
#define FILE_LOCK_MS 10000

/* --- reading ----------------------------------------------------------------------------------------------------- */

static bool complain(struct problem *problem, const struct state_directory *directory, const char *what)
{
	(void)problem_set(problem, PROBLEM_INTERNAL, "Cannot use the file of logins.");
	return problem_detail(problem, "%.250s/" TOKEN_FILE_NAME ": %.200s.", directory->path, what);
}

/* false: errno says why, or the file is too large. */
static bool read_whole(int descriptor, struct arena *arena, struct secret *ret_text)
{
	char *bytes = arena_alloc(arena, TOKEN_FILE_BYTES_MAX + 1);
	size_t size = 0;

	errno = EFBIG;
	while (size <= TOKEN_FILE_BYTES_MAX) {
		ssize_t got = read(descriptor, bytes + size, TOKEN_FILE_BYTES_MAX + 1 - size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		size += (size_t)got;
	}
	*ret_text = (struct secret){.text = bytes, .size = size};
	return size <= TOKEN_FILE_BYTES_MAX;
}

bool token_file_read(const struct state_directory *directory, struct arena *arena, struct token_file *ret_file,
	struct problem *problem)
{
	struct secret text = {.text = ""};
	int descriptor = -1;

	*ret_file = (struct token_file){0};
	if (directory->descriptor < 0)
		return true;
	descriptor = openat(
		directory->descriptor, TOKEN_FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (descriptor < 0 && errno == ENOENT)
		return true;
	if (descriptor < 0)
		return complain(problem, directory,
			errno == ELOOP ? "it is a symbolic link; make it a file, or let XDG_STATE_HOME name the place"
				       : strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */

	const char *distrust = state_file_distrust(descriptor, 077);

	if (distrust == NULL && !read_whole(descriptor, arena, &text))
		distrust = strerror(errno); /* NOLINT(concurrency-mt-unsafe) */
	(void)close(descriptor);
	if (distrust != NULL)
		return complain(problem, directory, distrust);
	if (token_file_parse(text, arena, ret_file, problem))
		return true;
	return complain(problem, directory,
		arena_printf(arena, "it is damaged (%.150s); move it away and log in again", problem->detail));
}

/* --- entries ----------------------------------------------------------------------------------------------------- */

struct token_entry *token_file_find(struct token_file *file, struct token_key key)
{
	for (size_t i = 0; i < file->entry_count; i++) {
		struct token_entry *entry = &file->entries[i];

		if (strcmp(entry->issuer, key.issuer) == 0 && strcmp(entry->client_id, key.client_id) == 0 &&
			strcmp(entry->profile, key.profile) == 0)
			return entry;
	}
	return NULL;
}

struct token_entry *token_file_make(struct token_file *file, struct token_key key)
{
	struct token_entry *entry = token_file_find(file, key);

	if (entry != NULL || file->entry_count == TOKEN_ENTRIES_MAX)
		return entry;
	entry = &file->entries[file->entry_count++];
	*entry = (struct token_entry){.issuer = key.issuer, .client_id = key.client_id, .profile = key.profile};
	return entry;
}

void token_file_remove(struct token_file *file, struct token_entry *entry)
{
	size_t at = (size_t)(entry - file->entries);

	if (file->current_issuer != NULL && strcmp(file->current_issuer, entry->issuer) == 0 &&
		strcmp(file->current_profile, entry->profile) == 0) {
		file->current_issuer = NULL;
		file->current_profile = NULL;
	}
	memmove(entry, entry + 1, (file->entry_count - at - 1) * sizeof(*entry));
	file->entry_count--;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static bool write_whole(int descriptor, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t put = write(descriptor, text, left);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		text += put;
		left -= (size_t)put;
	}
	return true;
}

/* Beside the file, so that the rename stays within one file system. The name is random and the file must be new: nobody
 * who may not write the directory can have prepared it. */
static int open_temporary(const struct state_directory *directory, char *ret_name, size_t name_size)
{
	uint8_t random[6];

	random_bytes(random, sizeof(random));
	(void)snprintf(ret_name, name_size, TEMPORARY_PREFIX "%02x%02x%02x%02x%02x%02x", random[0], random[1],
		random[2], random[3], random[4], random[5]);
	return openat(directory->descriptor, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* A network file system may carry a rename out, lose the answer, and say of the second attempt that it failed. */
static bool is_in_place(const struct state_directory *directory, const struct stat *written)
{
	struct stat named;

	return fstatat(directory->descriptor, TOKEN_FILE_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_ino == written->st_ino && named.st_dev == written->st_dev;
}

static bool write_file(const struct state_directory *directory, const char *text)
{
	char name[64];
	struct stat written = {.st_ino = 0};
	int descriptor = open_temporary(directory, name, sizeof(name));
	int wrong = 0;

	if (descriptor < 0)
		return false;
	if (!write_whole(descriptor, text) || fsync(descriptor) != 0 || fstat(descriptor, &written) != 0)
		wrong = errno;
	if (close(descriptor) != 0 && wrong == 0)
		wrong = errno;
	if (wrong == 0 && renameat(directory->descriptor, name, directory->descriptor, TOKEN_FILE_NAME) != 0)
		wrong = is_in_place(directory, &written) ? 0 : errno;
	if (wrong != 0) {
		(void)unlinkat(directory->descriptor, name, 0);
		errno = wrong;
		return false;
	}
	/* Some file systems cannot sync a directory; the rename is done all the same. */
	return fsync(directory->descriptor) == 0 || errno == EINVAL || errno == ENOTSUP;
}

bool token_file_begin(const struct state_directory *directory, struct arena *arena, struct token_change *ret_change,
	struct problem *problem)
{
	*ret_change = (struct token_change){.directory = directory, .lock = {.descriptor = -1}};
	ret_change->file = arena_alloc(arena, sizeof(*ret_change->file));
	if (!token_lock_take(directory, TOKEN_FILE_LOCK, FILE_LOCK_MS, &ret_change->lock, problem))
		return false;
	if (token_file_read(directory, arena, ret_change->file, problem))
		return true;
	token_file_abandon(ret_change);
	return false;
}

bool token_file_commit(struct token_change *change, struct arena *arena, struct problem *problem)
{
	bool good = write_file(change->directory, token_file_print(change->file, arena));

	if (!good)
		(void)complain(problem, change->directory, strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */
	token_file_abandon(change);
	return good;
}

void token_file_abandon(struct token_change *change)
{
	token_lock_release(&change->lock);
}

/* --- what crashes leave ------------------------------------------------------------------------------------------ */

static void sweep_one(int directory, const char *name)
{
	struct stat status;

	if (strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) != 0)
		return;
	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
		status.st_mtime < time(NULL) - TEMPORARY_AGE_S)
		(void)unlinkat(directory, name, 0);
}

void token_file_sweep(const struct state_directory *directory)
{
	int descriptor = openat(directory->descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = descriptor >= 0 ? fdopendir(descriptor) : NULL;

	if (listing == NULL) {
		if (descriptor >= 0)
			(void)close(descriptor);
		return;
	}
	for (struct dirent *entry; (entry = readdir(listing)) != NULL;) /* NOLINT(concurrency-mt-unsafe) */
		sweep_one(descriptor, entry->d_name);
	(void)closedir(listing);
}
