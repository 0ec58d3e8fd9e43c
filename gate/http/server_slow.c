/* SPDX-License-Identifier: Apache-2.0 */
/* The deadlines of clients, applied inside poll(2) as CivetWeb calls it. ppoll does the waiting here: it is another
 * symbol of the C library, so no lookup of the hidden one is needed. */

/* The fortified header would define poll inline, which this file defines for real. */
#undef _FORTIFY_SOURCE
#include "server_slow.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>

#include "../base/clock.h"
#include "../base/metrics.h"
#include "bounds.h"

/* full: what a phase may take while at least half of the workers are free. least: what it may take when none is; a head
 * or a body that is on its way arrives within a round trip or two, and a connection between two requests of a busy
 * client is idle for less. In between the limit shrinks in proportion. */
static const struct {
	int64_t full_ms;
	int64_t least_ms;
} LIMITS[SLOW_PHASE_COUNT] = {
	[SLOW_HANDSHAKE] = {REQUEST_READ_MS, 250},
	[SLOW_HEAD] = {REQUEST_READ_MS, 250},
	[SLOW_IDLE] = {KEEP_ALIVE_IDLE_MS, 100},
	[SLOW_BODY] = {REQUEST_READ_MS, 250},
	[SLOW_WRITE] = {REQUEST_READ_MS, 250},
};

/* How often a wait looks again at how many workers are free. */
#define SLICE_CALM_MS 250
#define SLICE_SCARCE_MS 50

/* When all workers are taken, a connection makes room for those that queue after this long. */
#define YIELD_AFTER_US 1000000

/* What a client may still send after its last answer, in time and bytes. */
#define LINGER_MS 250
#define LINGER_BYTES (4 * 1024 * 1024)

static _Thread_local struct slow_worker *current;

void slow_thread_set(struct slow_worker *worker)
{
	current = worker;
}

void slow_enter(struct slow_worker *worker, enum slow_phase phase)
{
	int64_t now_us = clock_monotonic_us();

	if (worker->phase == SLOW_FREE && phase != SLOW_FREE) {
		atomic_fetch_add(&worker->guard->occupied, 1);
		worker->connected_us = now_us;
		worker->timed_out = false;
		worker->request_count = 0;
		worker->fd = -1;
	}
	if (worker->phase != SLOW_FREE && phase == SLOW_FREE)
		atomic_fetch_sub(&worker->guard->occupied, 1);
	worker->phase = phase;
	worker->since_us = now_us;
	worker->has_waited = false;
}

int64_t slow_limit_us(enum slow_phase phase, int free_workers, int threads)
{
	int64_t full_us = LIMITS[phase].full_ms * 1000;
	int64_t least_us = LIMITS[phase].least_ms * 1000;
	int half = threads / 2 > 0 ? threads / 2 : 1;

	if (free_workers >= half)
		return full_us;
	return least_us + (full_us - least_us) * (free_workers > 0 ? free_workers : 0) / half;
}

static int guard_free(struct slow_guard *guard)
{
	return guard->threads - atomic_load(&guard->occupied);
}

bool slow_should_yield(const struct slow_worker *worker)
{
	return guard_free(worker->guard) <= 0 && clock_monotonic_us() - worker->connected_us > YIELD_AFTER_US;
}

static int wait_ms(struct pollfd *fds, nfds_t count, int64_t timeout_ms)
{
	struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};

	return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

static bool wait_is_over(const struct slow_worker *worker, int64_t now_us)
{
	struct slow_guard *guard = worker->guard;

	if (atomic_load(&guard->stopping))
		return true;
	if (worker->phase == SLOW_IDLE && atomic_load(&guard->draining))
		return true;
	return now_us - worker->since_us >= slow_limit_us(worker->phase, guard_free(guard), guard->threads);
}

/* Tells CivetWeb that the connection failed. An error alone makes it give up a read; a write goes on until the socket
 * refuses, so there the socket is shut down. */
static int give_up(struct slow_worker *worker, struct pollfd *fd)
{
	bool is_slow = worker->phase != SLOW_IDLE && !atomic_load(&worker->guard->stopping);

	if (is_slow && !worker->timed_out)
		metrics_add(METRIC_HTTP_SLOW_CLOSED, (struct metric_labels){0}, 1);
	worker->timed_out = true;
	if (worker->phase == SLOW_WRITE)
		shutdown(fd->fd, SHUT_RDWR);
	fd->revents = POLLERR;
	return 1;
}

/* Waits at most one slice; also ends when the server begins to drain or stop. */
static int wait_slice(const struct slow_worker *worker, struct pollfd *fd, int64_t left_ms)
{
	struct slow_guard *guard = worker->guard;
	struct pollfd both[2] = {*fd, {.fd = guard->wake_fd, .events = POLLIN}};
	int64_t slice_ms = guard_free(guard) * 2 < guard->threads ? SLICE_SCARCE_MS : SLICE_CALM_MS;
	/* Once it is readable it stays so: those who go on after it must not spin on it. */
	nfds_t count = atomic_load(&guard->draining) || guard->wake_fd < 0 ? 1 : 2;
	int result = wait_ms(both, count, left_ms < slice_ms ? left_ms : slice_ms);

	fd->revents = both[0].revents;
	if (result < 0)
		return result;
	return both[0].revents != 0 ? 1 : 0;
}

/* Not inlined: the C library declares poll's first argument as written only, and gcc believes it. */
__attribute__((noinline)) static int wait_for_client(struct slow_worker *worker, struct pollfd *fd, int timeout_ms)
{
	int64_t end_us = clock_monotonic_us() + (int64_t)timeout_ms * 1000;

	if (worker->phase == SLOW_FREE)
		slow_enter(worker, SLOW_HANDSHAKE);
	worker->fd = fd->fd;
	for (;;) {
		int64_t now_us = clock_monotonic_us();
		int64_t left_ms = timeout_ms < 0 ? INT64_MAX : (end_us - now_us + 999) / 1000;
		int result;

		/* What has already come is taken, however late this thread got to run. */
		if (wait_is_over(worker, now_us) && (worker->has_waited || wait_ms(fd, 1, 0) <= 0))
			return give_up(worker, fd);
		worker->has_waited = true;
		result = wait_slice(worker, fd, left_ms > 0 ? left_ms : 0);
		if (result > 0 && worker->phase == SLOW_IDLE)
			slow_enter(worker, SLOW_HEAD);
		if (result != 0 || (timeout_ms >= 0 && clock_monotonic_us() >= end_us))
			return result;
	}
}

/* The accepting thread looks at its stop flag between two polls; being woken spares the rest of its two seconds. */
__attribute__((noinline)) static int wait_for_connection(
	const struct slow_worker *worker, struct pollfd *fd, int timeout_ms)
{
	struct slow_guard *guard = worker->guard;
	struct pollfd both[2] = {*fd, {.fd = guard->wake_fd, .events = POLLIN}};
	bool draining = atomic_load(&guard->draining);
	int result;

	if (atomic_load(&guard->stopping))
		return 0;
	/* While draining the eventfd is readable already, so the flag is looked at every slice instead. */
	result = wait_ms(both, draining ? 1 : 2, draining ? SLICE_CALM_MS : timeout_ms);
	fd->revents = both[0].revents;
	if (result < 0)
		return result;
	return both[0].revents != 0 ? 1 : 0;
}

/* Takes the place of the C library's for the whole process: the dynamic linker finds the program's symbol first.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct slow_worker *worker = current;

	if (worker == NULL || count != 1 || worker->phase == SLOW_BUSY)
		return wait_ms(fds, count, timeout_ms);
	if (worker->is_listener)
		return wait_for_connection(worker, fds, timeout_ms);
	return wait_for_client(worker, fds, timeout_ms);
}

void slow_linger(const struct slow_worker *worker)
{
	char bytes[16384];
	int64_t end_us = clock_monotonic_us() + LINGER_MS * 1000;
	size_t total = 0;

	if (worker->fd < 0 || worker->timed_out || guard_free(worker->guard) <= 0)
		return;
	if (shutdown(worker->fd, SHUT_WR) != 0)
		return;
	while (total < LINGER_BYTES && clock_monotonic_us() < end_us) {
		struct pollfd fd = {.fd = worker->fd, .events = POLLIN};
		ssize_t size = 0;

		if (wait_ms(&fd, 1, (end_us - clock_monotonic_us() + 999) / 1000) > 0)
			size = recv(worker->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (size <= 0)
			return;
		total += (size_t)size;
	}
}

bool slow_client_is_gone(void)
{
	if (current == NULL || current->fd < 0)
		return false;

	struct pollfd fd = {.fd = current->fd, .events = POLLRDHUP};

	return wait_ms(&fd, 1, 0) > 0;
}

bool slow_head_is_full(const struct slow_worker *worker)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (worker->fd < 0 || worker->request_count > 0)
		return false;
	if (getsockopt(worker->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
		return false;
	return info.tcpi_bytes_received >= HEAD_BYTES_MAX;
}
