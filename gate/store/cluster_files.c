/* SPDX-License-Identifier: Apache-2.0 */
/* The files and folders around the embedded cluster. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster.h"

/* A socket's path has 108 bytes with its NUL (unix(7)); the server adds "/.s.PGSQL.5432". */
#define SOCKET_DIR_BYTES_MAX 85

/* The log says why the server did not start; a megabyte of that is plenty. */
#define LOG_BYTES_MAX (1024 * 1024)
#define COMPLAINT_BYTES_MAX 4096

/* The server reads the folder as an item of a list, so only characters that mean nothing there. */
#define PLAIN_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-"

static bool refuse(const char *path, const char *why, const char *fix, struct problem *problem)
{
	problem_set(problem, PROBLEM_VALIDATION_FAILED, "The state directory %.160s %s.", path, why);
	return problem_detail(problem, "%s", fix);
}

/* --- the state directory ------------------------------------------------------------------------------------------ */

static bool make_parents(struct arena *arena, const char *path)
{
	char *copy = arena_copy(arena, path);
	for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			return false;
		*slash = '/';
	}
	return true;
}

/* user postgres must pass every folder above its own. */
static bool check_way(const struct cluster *cluster, struct problem *problem)
{
	char *path = arena_copy(cluster->arena, cluster->state_dir);
	for (char *slash = strrchr(path, '/'); slash != NULL && slash != path; slash = strrchr(path, '/')) {
		*slash = '\0';
		struct stat status;
		if (stat(path, &status) == 0 && (status.st_mode & S_IXOTH) == 0 && status.st_uid != cluster->uid)
			return refuse(cluster->state_dir,
				arena_printf(cluster->arena, "cannot be reached by user postgres because of %s", path),
				arena_printf(cluster->arena,
					"chmod o+x %s, or set GATEHOUSE_STATE_DIR to another place", path),
				problem);
	}
	return true;
}

static bool check_state(const struct cluster *cluster, struct problem *problem)
{
	const char *path = cluster->state_dir;
	struct stat status;
	if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
		return refuse(path, "is not a folder", "Set GATEHOUSE_STATE_DIR to another place.", problem);
	if (status.st_uid != geteuid())
		return refuse(path, "belongs to another user",
			arena_printf(cluster->arena,
				"chown it to user id %u, or set GATEHOUSE_STATE_DIR to another place",
				(unsigned)geteuid()),
			problem);
	if ((status.st_mode & 022) != 0)
		return refuse(
			path, "can be written by others", arena_printf(cluster->arena, "chmod go-w %s", path), problem);
	/* Only the right to pass through: what lies in it has modes of its own. */
	if (cluster->switches_user && (status.st_mode & S_IXOTH) == 0 &&
		chmod(path, (status.st_mode & 07777) | 0011) != 0)
		return refuse(path, "cannot be opened for user postgres", strerrordesc_np(errno), problem);
	return !cluster->switches_user || check_way(cluster, problem);
}

bool cluster_prepare_state(struct cluster *cluster, const char *state_dir, struct problem *problem)
{
	mode_t mode = cluster->switches_user ? 0711 : 0700;
	if (!make_parents(cluster->arena, state_dir))
		return refuse(state_dir, "cannot be made", strerrordesc_np(errno), problem);
	bool made = mkdir(state_dir, mode) == 0;
	if ((made && chmod(state_dir, mode) != 0) || (!made && errno != EEXIST))
		return refuse(state_dir, "cannot be made", strerrordesc_np(errno), problem);
	char absolute[PATH_MAX];
	if (realpath(state_dir, absolute) == NULL)
		return refuse(state_dir, "cannot be found", strerrordesc_np(errno), problem);
	cluster->state_dir = arena_copy(cluster->arena, absolute);
	cluster->data_dir = arena_printf(cluster->arena, "%s/postgres", absolute);
	cluster->log_path = arena_printf(cluster->arena, "%s/postgres.log", absolute);
	return check_state(cluster, problem);
}

bool cluster_make_folder(const struct cluster *cluster, const char *path)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return false;
	struct stat status;
	if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode))
		return false;
	if (cluster->switches_user && status.st_uid != cluster->uid && lchown(path, cluster->uid, cluster->gid) != 0)
		return false;
	return (status.st_mode & 0777) == 0700 || chmod(path, 0700) == 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

bool cluster_remove_tree(const char *path)
{
	/* At start, in one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	return access(path, F_OK) != 0 || nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0;
}

/* --- the socket's folder ------------------------------------------------------------------------------------------ */

static const char *record_path(const struct cluster *cluster)
{
	return arena_printf(cluster->arena, "%s/socket-dir", cluster->state_dir);
}

static bool write_record(const struct cluster *cluster)
{
	const char *path = record_path(cluster);
	const char *draft = arena_printf(cluster->arena, "%s.new", path);
	int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	size_t size = strlen(cluster->socket_dir);
	bool written = write(fd, cluster->socket_dir, size) == (ssize_t)size;
	return close(fd) == 0 && written && rename(draft, path) == 0;
}

bool cluster_find_socket(struct cluster *cluster)
{
	int fd = open(record_path(cluster), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	char text[SOCKET_DIR_BYTES_MAX + 1] = "";
	ssize_t size = read(fd, text, SOCKET_DIR_BYTES_MAX);
	close(fd);
	cluster->socket_dir = size > 0 ? arena_copy_bytes(cluster->arena, text, (size_t)size) : NULL;
	return size > 0;
}

static bool is_usable(const char *path)
{
	return strlen(path) <= SOCKET_DIR_BYTES_MAX && path[strspn(path, PLAIN_CHARACTERS)] == '\0';
}

static bool is_ours(const struct cluster *cluster, const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == cluster->uid &&
	       (status.st_mode & 0777) == 0700;
}

static bool make_elsewhere(struct cluster *cluster)
{
	/* At start, before other threads read the environment. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *runtime = cluster->switches_user ? "/run" : getenv("XDG_RUNTIME_DIR");
	const char *places[] = {runtime, "/tmp"};
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		if (places[i] == NULL || *places[i] != '/')
			continue;
		char *path = arena_printf(cluster->arena, "%s/gatehouse-XXXXXX", places[i]);
		if (!is_usable(path) || mkdtemp(path) == NULL)
			continue;
		cluster->socket_dir = path;
		return cluster_make_folder(cluster, path);
	}
	return false;
}

bool cluster_prepare_socket(struct cluster *cluster, struct problem *problem)
{
	const char *inside = arena_printf(cluster->arena, "%s/run", cluster->state_dir);
	bool found = false;
	if (is_usable(inside)) {
		cluster->socket_dir = inside;
		found = cluster_make_folder(cluster, inside);
	} else {
		found = (cluster_find_socket(cluster) && is_ours(cluster, cluster->socket_dir)) ||
			make_elsewhere(cluster);
	}
	if (found && write_record(cluster))
		return true;
	return refuse(cluster->state_dir, "has no place for the database's socket", strerrordesc_np(errno), problem);
}

void cluster_drop_socket(const struct cluster *cluster)
{
	if (strncmp(cluster->socket_dir, cluster->state_dir, strlen(cluster->state_dir)) == 0)
		return;
	(void)rmdir(cluster->socket_dir);
	(void)unlink(record_path(cluster));
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

int cluster_open_log(const struct cluster *cluster)
{
	int fd = open(cluster->log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat status;
	if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size > LOG_BYTES_MAX && ftruncate(fd, 0) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static const char *last_line_with(char *text, const char *word)
{
	const char *found = NULL;
	for (char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
		found = at;
	return found;
}

const char *cluster_last_complaint(const struct cluster *cluster, struct arena *arena)
{
	char text[COMPLAINT_BYTES_MAX + 1] = "";
	int fd = cluster_open_log(cluster);
	if (fd < 0)
		return "its log cannot be read";
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > COMPLAINT_BYTES_MAX ? size - COMPLAINT_BYTES_MAX : 0;
	ssize_t got = pread(fd, text, COMPLAINT_BYTES_MAX, from);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	static const char *const words[] = {"PANIC:", "FATAL:", "error:"};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		const char *line = last_line_with(text, words[i]);
		if (line != NULL)
			return arena_copy_bytes(arena, line, strcspn(line, "\n"));
	}
	return "its log says nothing";
}
