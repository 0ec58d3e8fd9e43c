/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded default from outside: start, join, stop. See embedded.h. */
#include "embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "cluster.h"

/* Paths of up to PATH_MAX, some dozens of them. */
#define EMBEDDED_ARENA_BYTES_MAX (1024 * 1024)

/* After kill -9 the server replays at most max_wal_size, 1 GB, before it answers. */
#define READY_MS 300000

/* A server that ends so often before its first answer will not come up. The first attempts may meet the processes of
 * one that was killed, which take a moment to notice. */
#define START_EXITS_MAX 5

/* A service that is just stopping gives the lock back in a moment. */
#define LOCK_MS 2000

/* A running service may be making its cluster right now. */
#define JOIN_MS 30000

/* Who stops a cluster lets the commands that joined it finish; they take a second. */
#define USERS_MS 10000

#define POLL_MS 20

struct embedded {
	struct cluster cluster;
	struct postmaster *postmaster; /* NULL: joined, another process runs it */
	int lock;                      /* exclusive: who starts and stops the cluster */
	int users;                     /* shared: who uses it; exclusive: nobody may join, it is being stopped */
};

static void pause_briefly(void)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	(void)nanosleep(&pause, NULL);
}

/* --- the lock ------------------------------------------------------------------------------------------------------
 */

/* -1 with errno EWOULDBLOCK where somebody else holds it otherwise. */
static int take_file_lock(const struct cluster *cluster, const char *name, int operation)
{
	int fd = open(arena_printf(cluster->arena, "%s/%s", cluster->state_dir, name),
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	if (flock(fd, operation | LOCK_NB) != 0) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int take_lock(const struct cluster *cluster)
{
	int fd = take_file_lock(cluster, "lock", LOCK_EX);
	if (fd < 0)
		return -1;
	char text[16];
	int size = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	/* For the reader of the file; the lock holds without it. */
	if (ftruncate(fd, 0) != 0 || write(fd, text, (size_t)size) != size)
		errno = 0;
	return fd;
}

static int take_lock_patiently(const struct cluster *cluster, int64_t patience_ms)
{
	struct deadline deadline = deadline_in_ms(patience_ms);
	int fd = take_lock(cluster);
	while (fd < 0 && errno == EWOULDBLOCK && !deadline_passed(deadline)) {
		pause_briefly();
		fd = take_lock(cluster);
	}
	return fd;
}

static bool refuse_lock(const struct cluster *cluster, int error, struct problem *problem)
{
	if (error != EWOULDBLOCK) {
		problem_set(problem, PROBLEM_VALIDATION_FAILED,
			"The lock in the state directory %.160s cannot be taken.", cluster->state_dir);
		return problem_detail(problem, "%s", strerrordesc_np(error));
	}
	problem_set(
		problem, PROBLEM_CONFLICT, "Another gatehouse runs on the state directory %.160s.", cluster->state_dir);
	return problem_detail(problem,
		"Stop it (its process id is in %s/lock), or set GATEHOUSE_STATE_DIR to another place; "
		"several services share one database by GATEHOUSE_PG_CONNECTION_URL.",
		cluster->state_dir);
}

/* --- start, join, stop -----------------------------------------------------------------------------------------------
 */

static struct embedded *embedded_new(void)
{
	struct embedded *embedded = calloc(1, sizeof(*embedded));
	if (embedded == NULL)
		return NULL;
	embedded->lock = -1;
	embedded->users = -1;
	embedded->cluster.arena = arena_new(EMBEDDED_ARENA_BYTES_MAX);
	return embedded;
}

static void embedded_free(struct embedded *embedded)
{
	if (embedded->users >= 0)
		close(embedded->users);
	if (embedded->lock >= 0)
		close(embedded->lock);
	arena_free(embedded->cluster.arena);
	free(embedded);
}

static bool await_ready(struct embedded *embedded, const char *url, struct problem *problem)
{
	struct deadline deadline = deadline_in_ms(READY_MS);
	while (PQping(url) != PQPING_OK) {
		if (postmaster_exits(embedded->postmaster) >= START_EXITS_MAX || deadline_passed(deadline)) {
			problem_set(problem, PROBLEM_DATABASE_UNAVAILABLE,
				"The embedded PostgreSQL does not start: %.160s",
				cluster_last_complaint(&embedded->cluster, embedded->cluster.arena));
			return problem_detail(problem, "The whole story is in %s.", embedded->cluster.log_path);
		}
		pause_briefly();
	}
	return true;
}

/* With the lock held. */
static bool start_cluster(
	struct embedded *embedded, struct arena *arena, struct secret *ret_connection_url, struct problem *problem)
{
	struct cluster *cluster = &embedded->cluster;
	if (!cluster_find_programs(cluster, problem) || !cluster_init(cluster, problem) ||
		!cluster_prepare_socket(cluster, problem))
		return false;
	embedded->postmaster = postmaster_new(cluster);
	if (embedded->postmaster == NULL)
		return problem_set(problem, PROBLEM_INTERNAL, "The thread that watches PostgreSQL cannot be started.");
	*ret_connection_url = cluster_url(cluster, arena);
	return await_ready(embedded, ret_connection_url->text, problem);
}

static bool lock_and_start(struct embedded *embedded, int64_t patience_ms, struct arena *arena,
	struct secret *ret_connection_url, struct problem *problem)
{
	embedded->lock = take_lock_patiently(&embedded->cluster, patience_ms);
	if (embedded->lock < 0)
		return refuse_lock(&embedded->cluster, errno, problem);
	return start_cluster(embedded, arena, ret_connection_url, problem);
}

bool embedded_start(const char *state_dir, struct arena *arena, struct embedded **ret_embedded,
	struct secret *ret_connection_url, struct problem *problem)
{
	struct embedded *embedded = embedded_new();
	if (embedded == NULL)
		return problem_set(problem, PROBLEM_INTERNAL, "There is no memory for the embedded database.");
	if (cluster_find_user(&embedded->cluster, problem) &&
		cluster_prepare_state(&embedded->cluster, state_dir, problem) &&
		lock_and_start(embedded, LOCK_MS, arena, ret_connection_url, problem)) {
		*ret_embedded = embedded;
		return true;
	}
	embedded_stop(embedded);
	return false;
}

/* A place among the users first, so that whoever runs the cluster does not stop it between our look and our use. */
static bool join_running(struct embedded *embedded, struct arena *arena, struct secret *ret_connection_url)
{
	embedded->users = take_file_lock(&embedded->cluster, "users", LOCK_SH);
	if (embedded->users < 0)
		return false;
	if (cluster_find_socket(&embedded->cluster)) {
		*ret_connection_url = cluster_url(&embedded->cluster, arena);
		if (PQping(ret_connection_url->text) == PQPING_OK)
			return true;
	}
	close(embedded->users);
	embedded->users = -1;
	return false;
}

/* Where the lock is another's, its service answers, or ends and leaves the lock to us. */
static bool join_or_start(
	struct embedded *embedded, struct arena *arena, struct secret *ret_connection_url, struct problem *problem)
{
	struct deadline deadline = deadline_in_ms(JOIN_MS);
	do {
		embedded->lock = take_lock(&embedded->cluster);
		if (embedded->lock >= 0)
			return start_cluster(embedded, arena, ret_connection_url, problem);
		if (errno != EWOULDBLOCK)
			return refuse_lock(&embedded->cluster, errno, problem);
		if (join_running(embedded, arena, ret_connection_url))
			return true;
		pause_briefly();
	} while (!deadline_passed(deadline));
	problem_set(
		problem, PROBLEM_DATABASE_UNAVAILABLE, "The running gatehouse's embedded PostgreSQL does not answer.");
	return problem_detail(problem, "Look at that service's log and at %s.", embedded->cluster.log_path);
}

bool embedded_join(const char *state_dir, struct arena *arena, struct embedded **ret_embedded,
	struct secret *ret_connection_url, struct problem *problem)
{
	struct embedded *embedded = embedded_new();
	if (embedded == NULL)
		return problem_set(problem, PROBLEM_INTERNAL, "There is no memory for the embedded database.");
	if (cluster_find_user(&embedded->cluster, problem) &&
		cluster_prepare_state(&embedded->cluster, state_dir, problem) &&
		join_or_start(embedded, arena, ret_connection_url, problem)) {
		*ret_embedded = embedded;
		return true;
	}
	embedded_stop(embedded);
	return false;
}

/* Waits for the users to finish and lets no new one in; one that takes too long loses the cluster. */
static void lock_users_out(struct embedded *embedded)
{
	struct deadline deadline = deadline_in_ms(USERS_MS);
	do {
		embedded->users = take_file_lock(&embedded->cluster, "users", LOCK_EX);
		if (embedded->users >= 0 || errno != EWOULDBLOCK)
			return;
		pause_briefly();
	} while (!deadline_passed(deadline));
}

void embedded_stop(struct embedded *embedded)
{
	if (embedded == NULL)
		return;
	if (embedded->postmaster != NULL) {
		lock_users_out(embedded);
		postmaster_free(embedded->postmaster);
		cluster_drop_socket(&embedded->cluster);
	}
	embedded_free(embedded);
}
