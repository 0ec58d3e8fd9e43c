/* SPDX-License-Identifier: Apache-2.0 */
/* A counter and a condition: see bell.h. */
#include "bell.h"

#include <pthread.h>
#include <stdlib.h>

struct bell {
	pthread_mutex_t lock;
	pthread_cond_t rung;
	uint64_t count;
	int64_t waiters;
};

struct bell *bell_new(void)
{
	struct bell *bell = calloc(1, sizeof(*bell));
	if (bell == NULL)
		return NULL;
	pthread_mutex_init(&bell->lock, NULL);
	condition_init(&bell->rung);
	return bell;
}

void bell_free(struct bell *bell)
{
	if (bell == NULL)
		return;
	pthread_cond_destroy(&bell->rung);
	pthread_mutex_destroy(&bell->lock);
	free(bell);
}

void bell_ring(struct bell *bell)
{
	pthread_mutex_lock(&bell->lock);
	bell->count++;
	pthread_cond_broadcast(&bell->rung);
	pthread_mutex_unlock(&bell->lock);
}

uint64_t bell_count(struct bell *bell)
{
	pthread_mutex_lock(&bell->lock);
	uint64_t count = bell->count;
	pthread_mutex_unlock(&bell->lock);
	return count;
}

void bell_await(struct bell *bell, uint64_t count, struct deadline until)
{
	struct timespec limit = deadline_timespec(until);
	pthread_mutex_lock(&bell->lock);
	while (bell->count == count && !deadline_passed(until))
		pthread_cond_timedwait(&bell->rung, &bell->lock, &limit);
	pthread_mutex_unlock(&bell->lock);
}

bool bell_enter(struct bell *bell, int64_t waiters_max)
{
	pthread_mutex_lock(&bell->lock);
	bool entered = bell->waiters < waiters_max;
	if (entered)
		bell->waiters++;
	pthread_mutex_unlock(&bell->lock);
	return entered;
}

void bell_leave(struct bell *bell)
{
	pthread_mutex_lock(&bell->lock);
	bell->waiters--;
	pthread_mutex_unlock(&bell->lock);
}
