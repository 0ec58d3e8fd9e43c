/* SPDX-License-Identifier: Apache-2.0 */
/* Locks between command lines: see token_lock.h. */
#include "token_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/secret.h"

/* A holder that refreshes takes a tenth of a second; one that hangs is asked less and less. */
#define POLL_FIRST_MS 50
#define POLL_MS_MAX 250

/* Somebody who removed the lock file while it was waited for makes the wait begin anew; nobody does so for long. */
#define REOPENED_MAX 8

void token_lock_name(
	const char *issuer, const char *client_id, const char *profile, char ret_name[TOKEN_LOCK_NAME_SIZE])
{
	SCOPED(arena_release) struct arena *arena = arena_new(65536);
	const char *const parts[] = {"v1", issuer, client_id, profile};
	char hex[SHA256_HEX_SIZE];
	size_t size = 0;
	char *joined;

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		size += strlen(parts[i]) + 1;
	joined = arena_alloc(arena, size);
	/* NUL between the parts: no two logins have one name because their parts run together. */
	for (size_t i = 0, at = 0; i < COUNT_OF(parts); at += strlen(parts[i]) + 1, i++)
		memcpy(joined + at, parts[i], strlen(parts[i]) + 1);
	sha256_hex(joined, size - 1, hex);
	(void)snprintf(ret_name, TOKEN_LOCK_NAME_SIZE, "refresh-%s.lock", hex);
}

static bool complain(
	struct problem *problem, const struct state_directory *directory, const char *name, const char *what)
{
	(void)problem_set(problem, PROBLEM_INTERNAL, "Cannot lock the login.");
	return problem_detail(problem,
		"%.200s/%.80s: %.120s. Logins are never refreshed without their lock; XDG_STATE_HOME names another "
		"place.",
		directory->path, name, what);
}

static int open_lock(const struct state_directory *directory, const char *name, struct problem *problem)
{
	struct stat status;
	int descriptor = openat(
		directory->descriptor, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);

	if (descriptor < 0) {
		(void)complain(problem, directory, name,
			errno == ELOOP ? "it is a symbolic link" : strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */
		return -1;
	}
	const char *distrust = state_file_distrust(descriptor, 0);
	if (distrust == NULL && fstat(descriptor, &status) == 0 && status.st_nlink > 1)
		distrust = "it has another name elsewhere";
	if (distrust == NULL && (status.st_mode & 077) != 0 && fchmod(descriptor, 0600) != 0)
		distrust = "others may hold it";
	if (distrust == NULL)
		return descriptor;
	(void)complain(problem, directory, name, distrust);
	(void)close(descriptor);
	return -1;
}

/* Whether the file that was locked is the one that others will find by its name. */
static bool is_still_there(const struct state_directory *directory, const char *name, int descriptor)
{
	struct stat held;
	struct stat named;

	return fstat(descriptor, &held) == 0 &&
	       fstatat(directory->descriptor, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && held.st_ino == named.st_ino &&
	       held.st_dev == named.st_dev;
}

/* Up to half of the step more or less, so that many waiters do not ask in step. */
static void pause_ms(int64_t step_ms, struct deadline deadline)
{
	uint8_t random = 0;
	int64_t left_ms = deadline_left_ms(deadline);
	int64_t duration_ms;

	random_bytes(&random, sizeof(random));
	duration_ms = step_ms / 2 + step_ms * random / 255;
	if (duration_ms > left_ms)
		duration_ms = left_ms;
	const struct timespec duration = {.tv_sec = duration_ms / 1000, .tv_nsec = (duration_ms % 1000) * 1000000};
	(void)nanosleep(&duration, NULL);
}

/* A network file system without its lock service, for one: waiting does not help. */
static bool cannot_lock(const struct state_directory *directory, const char *name, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_INTERNAL, "Cannot lock the login: %s.",
		strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */
	return problem_detail(problem,
		"The file system of %.200s/%.80s cannot lock; set XDG_STATE_HOME to a place on a local one.",
		directory->path, name);
}

/* false: not held; problem says why. */
static bool lock_opened(const struct state_directory *directory, const char *name, int descriptor,
	struct deadline deadline, struct problem *problem)
{
	int64_t step_ms = POLL_FIRST_MS;

	while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return cannot_lock(directory, name, problem);
		if (deadline_passed(deadline)) {
			(void)problem_set(
				problem, PROBLEM_OVERLOADED, "Another gatehouse process holds the lock of this login.");
			return problem_detail(problem, "Try again; GATEHOUSE_LOCK_TIMEOUT says how long to wait.");
		}
		pause_ms(step_ms, deadline);
		step_ms = step_ms * 3 / 2 < POLL_MS_MAX ? step_ms * 3 / 2 : POLL_MS_MAX;
	}
	return true;
}

bool token_lock_take(const struct state_directory *directory, const char *name, int64_t timeout_ms,
	struct token_lock *ret_lock, struct problem *problem)
{
	struct deadline deadline = deadline_in_ms(timeout_ms);

	ret_lock->descriptor = -1;
	for (int opened = 0; opened < REOPENED_MAX; opened++) {
		int descriptor = open_lock(directory, name, problem);

		if (descriptor < 0)
			return false;
		if (!lock_opened(directory, name, descriptor, deadline, problem)) {
			(void)close(descriptor);
			return false;
		}
		if (is_still_there(directory, name, descriptor)) {
			ret_lock->descriptor = descriptor;
			return true;
		}
		(void)close(descriptor);
	}
	return complain(problem, directory, name, "somebody removes it all the time");
}

void token_lock_release(struct token_lock *lock)
{
	if (lock->descriptor >= 0)
		(void)close(lock->descriptor);
	lock->descriptor = -1;
}
