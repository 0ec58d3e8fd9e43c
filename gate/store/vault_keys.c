/* SPDX-License-Identifier: Apache-2.0 */
/* The key file of an embedded cluster, made once and never overwritten: whoever loses it loses every token. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/log.h"
#include "vault.h"

#define KEY_FILE_NAME "encryption-keys"

/* A list of VAULT_KEYS_MAX keys with blanks and commas is far shorter. */
#define KEY_FILE_BYTES_MAX 4096

static inline void close_file(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static bool refuse_file(const char *path, const char *why, const char *fix, struct problem *problem)
{
	problem_set(problem, PROBLEM_VALIDATION_FAILED, "The key file %.160s %s.", path, why);
	return problem_detail(problem, "%s", fix);
}

static bool check_file(int fd, const char *path, struct arena *arena, struct problem *problem)
{
	struct stat status;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return refuse_file(path, "is not a regular file", "Move it away or put the key file back.", problem);
	if (status.st_uid != geteuid())
		return refuse_file(path, "belongs to another user",
			arena_printf(arena, "chown %u %s", (unsigned)geteuid(), path), problem);
	if ((status.st_mode & 077) != 0)
		return refuse_file(
			path, "can be read or written by others", arena_printf(arena, "chmod 600 %s", path), problem);
	return true;
}

static bool read_keys(int fd, const char *path, struct arena *arena, struct secret *ret_keys, struct problem *problem)
{
	char *text = arena_alloc(arena, KEY_FILE_BYTES_MAX + 1);
	size_t size = 0;
	ssize_t got = 1;
	while (got > 0 && size < KEY_FILE_BYTES_MAX) {
		got = read(fd, text + size, KEY_FILE_BYTES_MAX - size);
		if (got > 0)
			size += (size_t)got;
	}
	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r' || text[size - 1] == ' '))
		size--;
	if (got < 0 || size == 0)
		return refuse_file(
			path, "cannot be read or is empty", "Put the key file back from your backup.", problem);
	text[size] = '\0';
	*ret_keys = (struct secret){text, size};
	return true;
}

static bool write_all(int fd, const char *text)
{
	size_t size = strlen(text);
	return write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
}

/* Written beside its place and linked there whole, so that no crash leaves half a key; link(2) never overwrites. */
static bool make_file(const char *state_dir, const char *path, struct arena *arena, struct problem *problem)
{
	uint8_t key[AES_KEY_BYTES];
	random_bytes(key, sizeof(key));
	const char *text = arena_printf(arena, "%s\n", base64_encode(arena, key, sizeof(key)));
	explicit_bzero(key, sizeof(key));
	const char *draft = arena_printf(arena, "%s.new", path);
	(void)unlink(draft);
	SCOPED(close_file) int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool written = fd >= 0 && write_all(fd, text) && (link(draft, path) == 0 || errno == EEXIST);
	int saved = errno;
	(void)unlink(draft);
	SCOPED(close_file) int folder = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	written = written && folder >= 0 && fsync(folder) == 0;
	if (!written)
		return refuse_file(path, "cannot be written", strerrordesc_np(saved), problem);
	log_event(LOG_INFO, "made a key for the tokens at rest; back this file up", log_string("file", path));
	return true;
}

bool vault_key_file(
	const char *state_dir, bool create, struct arena *arena, struct secret *ret_keys, struct problem *problem)
{
	const char *path = arena_printf(arena, "%s/%s", state_dir, KEY_FILE_NAME);
	if (create && access(path, F_OK) != 0 && !make_file(state_dir, path, arena, problem))
		return false;
	SCOPED(close_file) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return refuse_file(path, "cannot be opened", strerrordesc_np(errno), problem);
	return check_file(fd, path, arena, problem) && read_keys(fd, path, arena, ret_keys, problem);
}
