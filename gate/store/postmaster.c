/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded server while we run: started, watched, started again, stopped. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "cluster.h"

/* Contract of embedded.h: a fast shutdown writes a checkpoint, which takes a slow disk seconds. */
#define STOP_MS 30000

/* A server whose gatehouse was killed has been told to stop; it is asked again after this. */
#define ORPHAN_GRACE_MS 2000

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 5000

/* A server that ran this long before it ended is started again without much ado. */
#define STEADY_MS 10000

struct postmaster {
	const struct cluster *cluster;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t watcher;
	pid_t pid; /* 0: not running */
	int exits;
	bool stopping;
	bool watched; /* the watcher is at work */
};

/* --- a server that an earlier gatehouse has left behind ------------------------------------------------------------
 */

static pid_t recorded_pid(const struct cluster *cluster)
{
	char path[PATH_MAX];
	char text[32] = "";
	(void)snprintf(path, sizeof(path), "%s/postmaster.pid", cluster->data_dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t size = read(fd, text, sizeof(text) - 1);
	close(fd);
	long pid = size > 0 ? strtol(text, NULL, 10) : 0;
	return pid > 1 ? (pid_t)pid : 0;
}

/* The number in the file may be anybody's by now: a server of this cluster works in its folder. */
static bool is_server(const struct cluster *cluster, pid_t pid)
{
	char link[64];
	char folder[PATH_MAX];
	(void)snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	ssize_t size = readlink(link, folder, sizeof(folder) - 1);
	if (pid == 0 || size <= 0)
		return false;
	folder[size] = '\0';
	return strcmp(folder, cluster->data_dir) == 0;
}

static bool await_end(const struct cluster *cluster, pid_t pid, int64_t duration_ms)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000000L};
	struct deadline deadline = deadline_in_ms(duration_ms);
	while (is_server(cluster, pid)) {
		if (deadline_passed(deadline))
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

static void end_orphan(const struct cluster *cluster)
{
	pid_t pid = recorded_pid(cluster);
	if (await_end(cluster, pid, ORPHAN_GRACE_MS))
		return;
	log_event(LOG_WARN, "stopping a PostgreSQL that an earlier gatehouse left behind", log_number("pid", pid));
	(void)kill(pid, SIGINT);
	if (await_end(cluster, pid, STOP_MS))
		return;
	(void)kill(pid, SIGQUIT);
	(void)!await_end(cluster, pid, STOP_MS);
}

/* --- the watcher ---------------------------------------------------------------------------------------------------
 */

/* Unix socket only, in a folder that only its user can open. Small, since it serves one service: the pool, and some for
 * psql. No replicas will ever connect, so the WAL may be minimal. The log speaks of starts, stops and fatal errors;
 * what a statement did wrong is in the service's own. */
static pid_t spawn_server(const struct cluster *cluster)
{
	struct arena *arena = arena_new(65536);
	const char *const arguments[] = {arena_printf(arena, "%s/postgres", cluster->programs), "-D", cluster->data_dir,
		"-k", cluster->socket_dir, "-c", "listen_addresses=", "-c", "port=5432", "-c",
		"unix_socket_permissions=0700", "-c", "max_connections=100", "-c", "shared_buffers=64MB", "-c",
		"max_wal_size=1GB", "-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "jit=off", "-c",
		"logging_collector=off", "-c", "log_destination=stderr", "-c", "log_min_messages=log", "-c",
		"log_min_error_statement=panic", "-c", "log_checkpoints=off", "-c", "cluster_name=gatehouse", NULL};
	pid_t pid = cluster_spawn(cluster, arguments, SIGINT);
	arena_free(arena);
	return pid;
}

/* Waits without reaping, so that the number stays the server's while somebody may still send it a signal. */
static void await_exit(pid_t pid)
{
	siginfo_t info;
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
		continue;
}

static void run_server(struct postmaster *self)
{
	end_orphan(self->cluster);
	pthread_mutex_lock(&self->lock);
	if (!self->stopping)
		self->pid = spawn_server(self->cluster);
	pid_t pid = self->pid;
	pthread_mutex_unlock(&self->lock);
	if (pid > 0)
		await_exit(pid);
	pthread_mutex_lock(&self->lock);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	self->pid = 0;
	self->exits++;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
}

/* false when it is time to end. */
static bool rest(struct postmaster *self, int64_t duration_ms)
{
	struct timespec until = deadline_timespec(deadline_in_ms(duration_ms));
	pthread_mutex_lock(&self->lock);
	int timed_out = 0;
	while (!self->stopping && timed_out == 0)
		timed_out = pthread_cond_timedwait(&self->changed, &self->lock, &until);
	bool go_on = !self->stopping;
	pthread_mutex_unlock(&self->lock);
	if (go_on)
		log_line(LOG_ERROR, "the embedded PostgreSQL has ended; starting it again");
	return go_on;
}

static void *watch(void *argument)
{
	struct postmaster *self = argument;
	int64_t backoff_ms = BACKOFF_FIRST_MS;
	do {
		int64_t started_us = clock_monotonic_us();
		run_server(self);
		if (clock_monotonic_us() - started_us > STEADY_MS * 1000)
			backoff_ms = BACKOFF_FIRST_MS;
		else
			backoff_ms = backoff_ms * 2 < BACKOFF_LAST_MS ? backoff_ms * 2 : BACKOFF_LAST_MS;
	} while (rest(self, backoff_ms));
	pthread_mutex_lock(&self->lock);
	self->watched = false;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

struct postmaster *postmaster_new(const struct cluster *cluster)
{
	struct postmaster *self = calloc(1, sizeof(*self));
	if (self == NULL)
		return NULL;
	self->cluster = cluster;
	self->watched = true;
	pthread_mutex_init(&self->lock, NULL);
	condition_init(&self->changed);
	if (pthread_create(&self->watcher, NULL, watch, self) == 0)
		return self;
	free(self);
	return NULL;
}

int postmaster_exits(struct postmaster *self)
{
	pthread_mutex_lock(&self->lock);
	int exits = self->exits;
	pthread_mutex_unlock(&self->lock);
	return exits;
}

/* With the lock held. */
static void ask_to_stop(struct postmaster *self, int signal_number, int64_t duration_ms)
{
	struct timespec until = deadline_timespec(deadline_in_ms(duration_ms));
	int timed_out = 0;
	if (self->pid > 0)
		(void)kill(self->pid, signal_number);
	while (self->watched && timed_out == 0)
		timed_out = pthread_cond_timedwait(&self->changed, &self->lock, &until);
}

void postmaster_free(struct postmaster *self)
{
	if (self == NULL)
		return;
	pthread_mutex_lock(&self->lock);
	self->stopping = true;
	pthread_cond_broadcast(&self->changed);
	ask_to_stop(self, SIGINT, STOP_MS);
	if (self->watched)
		ask_to_stop(self, SIGQUIT, STOP_MS);
	pthread_mutex_unlock(&self->lock);
	pthread_join(self->watcher, NULL);
	pthread_cond_destroy(&self->changed);
	pthread_mutex_destroy(&self->lock);
	free(self);
}
