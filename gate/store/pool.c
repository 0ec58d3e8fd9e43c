/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of connections: see pool.h. */
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/metrics.h"
#include "../base/one_shot.h"
#include "fault.h"

/* A statement takes a millisecond; who has waited five seconds for a connection is better told so. */
#define BORROW_MS 5000

/* No connection is open at all: a server that is there answers within this, one that is not is not waited for. */
#define AWAY_MS 1000

/* How often who waits looks whether that has changed. */
#define LOOK_MS 100

/* After a failed attempt to grow (too many clients, say) the pool makes do with what it has for so long. */
#define GROW_AGAIN_MS 1000

enum turn { TURN_SERVED = 1, TURN_FAILED };

/* Posted with the lock held, by whoever takes it off the queue. */
struct waiter {
	struct one_shot turn;
	struct connection *connection;
	struct waiter *next;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* wakes the connector */
	pthread_t connector;
	struct connection_plan plan; /* the connector's own */
	char *url;
	size_t url_size;
	struct connection *idle; /* last in, first out: what was just used is warm */
	struct waiter *first;
	struct waiter **last;
	size_t connections_max;
	size_t open; /* idle or lent */
	bool away;   /* the last attempt to connect failed; kept for the log */
	bool closing;
	struct deadline grow_again;
};

/* --- waiters; all with the lock held ---------------------------------------------------------------------------- */

static void enqueue(struct pool *pool, struct waiter *waiter)
{
	*pool->last = waiter;
	pool->last = &waiter->next;
	/* A full pool has no use for the connector, and waking it would cost each wait two switches and a lock. */
	if (pool->open < pool->connections_max)
		pthread_cond_signal(&pool->wanted);
}

static void remove_waiter(struct pool *pool, const struct waiter *waiter)
{
	struct waiter **at = &pool->first;
	while (*at != NULL && *at != waiter)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = waiter->next;
	if (*at == NULL)
		pool->last = at;
}

static void serve(struct pool *pool, struct connection *connection)
{
	struct waiter *waiter = pool->first;
	if (waiter == NULL) {
		connection->next = pool->idle;
		pool->idle = connection;
		return;
	}
	remove_waiter(pool, waiter);
	waiter->connection = connection;
	one_shot_post(&waiter->turn, TURN_SERVED);
}

static void fail_all(struct pool *pool)
{
	while (pool->first != NULL) {
		struct waiter *waiter = pool->first;
		remove_waiter(pool, waiter);
		one_shot_post(&waiter->turn, TURN_FAILED);
	}
}

static void note_open(struct pool *pool, size_t open)
{
	pool->open = open;
	metrics_set(METRIC_DATABASE_CONNECTIONS, (struct metric_labels){0}, (int64_t)open);
}

/* --- the connector ---------------------------------------------------------------------------------------------- */

static void note_attempt(struct pool *pool, bool succeeded, const char *why)
{
	if (succeeded && pool->away)
		log_line(LOG_INFO, "the database is back");
	if (!succeeded && !pool->away)
		log_event(LOG_WARN, "the database cannot be reached", log_string("why", why));
	pool->away = !succeeded;
}

static void connect_one(struct pool *pool)
{
	char why[256] = "";
	pthread_mutex_unlock(&pool->lock);
	struct connection *connection = connection_open(&pool->plan, why, sizeof(why));
	pthread_mutex_lock(&pool->lock);
	if (connection == NULL && pool->open > 0) {
		pool->grow_again = deadline_in_ms(GROW_AGAIN_MS);
		return;
	}
	note_attempt(pool, connection != NULL, why);
	if (connection == NULL) {
		fail_all(pool);
		return;
	}
	note_open(pool, pool->open + 1);
	serve(pool, connection);
}

static bool may_grow(const struct pool *pool)
{
	if (pool->first == NULL || pool->open >= pool->connections_max)
		return false;
	return pool->open == 0 || deadline_passed(pool->grow_again);
}

static void await_wanted(struct pool *pool)
{
	if (pool->first == NULL || pool->open >= pool->connections_max) {
		pthread_cond_wait(&pool->wanted, &pool->lock);
		return;
	}
	struct timespec until = deadline_timespec(pool->grow_again);
	pthread_cond_timedwait(&pool->wanted, &pool->lock, &until);
}

static void *connector_run(void *argument)
{
	struct pool *pool = argument;
	pthread_mutex_lock(&pool->lock);
	while (!pool->closing) {
		if (may_grow(pool))
			connect_one(pool);
		else
			await_wanted(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* --- the pool --------------------------------------------------------------------------------------------------- */

struct pool *pool_new(struct secret url, bool prepare, size_t connections_max)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	char *copy = calloc(1, url.size + 1);
	if (pool == NULL || copy == NULL) {
		free(pool);
		free(copy);
		return NULL;
	}
	memcpy(copy, url.text == NULL ? "" : url.text, url.size);
	pool->url = copy;
	pool->url_size = url.size;
	pool->plan = (struct connection_plan){.url = copy, .prepare = prepare};
	pool->connections_max = connections_max == 0 ? 1 : connections_max;
	pool->last = &pool->first;
	pthread_mutex_init(&pool->lock, NULL);
	condition_init(&pool->wanted);
	if (pthread_create(&pool->connector, NULL, connector_run, pool) == 0)
		return pool;
	free(copy);
	free(pool);
	return NULL;
}

static void close_list(struct connection *list)
{
	while (list != NULL) {
		struct connection *next = list->next;
		connection_close(list);
		list = next;
	}
}

void pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	fail_all(pool);
	pthread_cond_signal(&pool->wanted);
	pthread_mutex_unlock(&pool->lock);
	pthread_join(pool->connector, NULL);
	close_list(pool->idle);
	pthread_cond_destroy(&pool->wanted);
	pthread_mutex_destroy(&pool->lock);
	explicit_bzero(pool->url, pool->url_size);
	free(pool->url);
	free(pool);
}

/* How long is waited depends on whether any connection is open, which may change meanwhile: so now and then it looks.
 * NULL where no connection came. */
static struct connection *await_turn(struct pool *pool, struct waiter *self)
{
	struct deadline away = deadline_in_ms(AWAY_MS);
	struct deadline busy = deadline_in_ms(BORROW_MS);
	bool over = false;
	while (!over && one_shot_wait(&self->turn, deadline_in_ms(LOOK_MS)) == 0) {
		pthread_mutex_lock(&pool->lock);
		bool waits = one_shot_peek(&self->turn) == 0;
		over = !waits || deadline_passed(pool->open == 0 ? away : busy);
		if (over && waits)
			remove_waiter(pool, self);
		pthread_mutex_unlock(&pool->lock);
	}
	return self->connection;
}

static struct connection *take(struct pool *pool)
{
	struct waiter self = {.next = NULL};
	bool waits = false;
	pthread_mutex_lock(&pool->lock);
	struct connection *connection = pool->first == NULL ? pool->idle : NULL;
	if (connection != NULL) {
		pool->idle = connection->next;
	} else if (!pool->closing) {
		one_shot_init(&self.turn);
		enqueue(pool, &self);
		waits = true;
	}
	pthread_mutex_unlock(&pool->lock);
	if (!waits)
		return connection;
	connection = await_turn(pool, &self);
	one_shot_destroy(&self.turn);
	return connection;
}

bool pool_borrow(struct pool *pool, struct connection **ret_connection, struct problem *problem)
{
	int64_t started_us = clock_monotonic_us();
	struct connection *connection = take(pool);
	while (connection != NULL && connection_is_stale(connection)) {
		pool_discard(pool, connection);
		connection = take(pool);
	}
	metrics_observe_us(METRIC_DATABASE_WAIT, (struct metric_labels){0}, clock_monotonic_us() - started_us);
	*ret_connection = connection;
	return connection != NULL || fault_unavailable(problem);
}

void pool_return(struct pool *pool, struct connection *connection)
{
	pthread_mutex_lock(&pool->lock);
	serve(pool, connection);
	pthread_mutex_unlock(&pool->lock);
}

void pool_discard(struct pool *pool, struct connection *connection)
{
	pthread_mutex_lock(&pool->lock);
	size_t closed = 1;
	connection->next = pool->idle;
	for (struct connection *idle = pool->idle; idle != NULL; idle = idle->next)
		closed++;
	pool->idle = NULL;
	note_open(pool, pool->open - closed);
	pthread_cond_signal(&pool->wanted);
	pthread_mutex_unlock(&pool->lock);
	close_list(connection);
}
