/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds how long a client may keep a worker waiting. CivetWeb gives every connection a worker and bounds only a head,
 * with a fixed time; a few clients that send a byte a second would hold them all. Every wait of CivetWeb for a client
 * is a poll(2) on the worker's own thread, so poll is defined here, in front of the C library's: on workers that wait
 * for a client it applies a deadline for the whole phase, which shrinks as workers get scarce; on all other threads,
 * and on workers that run a handler, it is the C library's. No thread closes another one's socket, so there is no race.
 */
#ifndef HTTP_SERVER_SLOW_H
#define HTTP_SERVER_SLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What a worker does. */
enum slow_phase {
	SLOW_FREE, /* waits for a connection, or shakes hands for TLS */
	SLOW_HANDSHAKE,
	SLOW_HEAD,
	SLOW_IDLE, /* a kept-alive connection between two requests */
	SLOW_BODY,
	SLOW_BUSY, /* a handler runs: not waiting for the client */
	SLOW_WRITE,
	SLOW_PHASE_COUNT,
};

/* One a server, shared by its workers. */
struct slow_guard {
	int threads;
	int wake_fd;          /* an eventfd that becomes readable when the server drains or stops */
	atomic_int occupied;  /* workers that have a connection */
	atomic_bool draining; /* idle connections are closed at once */
	atomic_bool stopping; /* every wait ends at once */
};

/* One a worker, used by its thread only. */
struct slow_worker {
	struct slow_guard *guard;
	enum slow_phase phase;
	int64_t since_us;     /* of the phase, monotonic */
	int64_t connected_us; /* of the connection */
	int fd;               /* of the connection, once it was waited for; else -1 */
	int request_count;    /* begun on this connection */
	bool has_waited;      /* in this phase */
	bool timed_out;       /* the connection was given up */
	bool is_listener;     /* the thread that accepts */
};

/* Ties worker to the calling thread; NULL unties. */
void slow_thread_set(struct slow_worker *worker);

/* Moves to another phase; from and to SLOW_FREE the connection begins and ends. */
void slow_enter(struct slow_worker *worker, enum slow_phase phase);

/* How long a phase may last while so many of the workers are free, in microseconds. */
int64_t slow_limit_us(enum slow_phase phase, int free_workers, int threads);

/* Whether a connection that has been served for a while should make room, because all workers are taken. */
bool slow_should_yield(const struct slow_worker *worker);

/* After the last answer on a connection with unread bytes: tells the client that nothing more comes and reads for a
 * moment, because closing at once would reset the connection and the client would lose the answer. Plain TCP only. */
void slow_linger(const struct slow_worker *worker);

/* Whether the client of this thread's request has closed its connection; false on a thread that serves none. One that
 * has only closed its own direction counts as gone: nothing tells the two apart. */
bool slow_client_is_gone(void);

/* Whether a whole head's worth of bytes arrived for the connection's first request. */
bool slow_head_is_full(const struct slow_worker *worker);

#endif
