/* SPDX-License-Identifier: Apache-2.0 */
/* Waiters: see waiter.h. Counted references, because a call that was given up outlives the thread that waited for it.
 */
#include "waiter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	size_t references; /* the one who waits, and everything that was begun */
	size_t under_way;
	struct awaited *first_ended, *last_ended;
	struct awaited *followers; /* of other waiters; their locks are taken inside this one's */
};

struct waiter *waiter_new(void)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (waiter == NULL) {
		(void)fputs("gatehouse: out of memory for waiting for a provider\n", stderr);
		abort();
	}
	pthread_mutex_init(&waiter->lock, NULL);
	condition_init(&waiter->ended);
	waiter->references = 1;
	return waiter;
}

static void drop_reference(struct waiter *waiter)
{
	pthread_mutex_lock(&waiter->lock);
	size_t left = --waiter->references;
	pthread_mutex_unlock(&waiter->lock);
	if (left > 0)
		return;
	pthread_cond_destroy(&waiter->ended);
	pthread_mutex_destroy(&waiter->lock);
	free(waiter);
}

void waiter_free(struct waiter *waiter)
{
	if (waiter != NULL)
		drop_reference(waiter);
}

void waiter_release(struct waiter **waiter)
{
	waiter_free(*waiter);
}

void waiter_begin(struct waiter *waiter, struct awaited *awaited, size_t tag)
{
	*awaited = (struct awaited){.waiter = waiter, .tag = tag, .state = AWAITED_UNDER_WAY};
	pthread_mutex_lock(&waiter->lock);
	waiter->references++;
	waiter->under_way++;
	pthread_mutex_unlock(&waiter->lock);
}

/* --- what has ended; all with the lock held ---------------------------------------------------------------------- */

static void append_ended(struct waiter *waiter, struct awaited *awaited)
{
	awaited->next_ended = NULL;
	if (waiter->last_ended != NULL)
		waiter->last_ended->next_ended = awaited;
	else
		waiter->first_ended = awaited;
	waiter->last_ended = awaited;
}

static struct awaited *pop_ended(struct waiter *waiter)
{
	struct awaited *awaited = waiter->first_ended;

	if (awaited == NULL)
		return NULL;
	waiter->first_ended = awaited->next_ended;
	if (waiter->first_ended == NULL)
		waiter->last_ended = NULL;
	awaited->next_ended = NULL;
	return awaited;
}

/* For one that is given up after it ended and before anybody took it. */
static void remove_ended(struct waiter *waiter, const struct awaited *gone)
{
	struct awaited *awaited = waiter->first_ended;

	waiter->first_ended = NULL;
	waiter->last_ended = NULL;
	while (awaited != NULL) {
		struct awaited *next = awaited->next_ended;

		if (awaited != gone)
			append_ended(waiter, awaited);
		awaited = next;
	}
}

/* --- the hand-over ----------------------------------------------------------------------------------------------- */

/* With the lock held. */
static bool end_one(struct waiter *waiter, struct awaited *awaited)
{
	if (awaited->state != AWAITED_UNDER_WAY)
		return false;
	awaited->state = AWAITED_ENDED;
	waiter->under_way--;
	append_ended(waiter, awaited);
	pthread_cond_signal(&waiter->ended);
	return true;
}

/* With the leader's lock held. A follower whose end was told may be gone at once. */
static void end_followers(struct waiter *leader)
{
	struct awaited *follower = leader->followers;

	leader->followers = NULL;
	while (follower != NULL) {
		struct awaited *next = follower->next_follower;
		struct waiter *waiter = follower->waiter;

		pthread_mutex_lock(&waiter->lock);
		(void)end_one(waiter, follower);
		pthread_mutex_unlock(&waiter->lock);
		follower = next;
	}
}

bool waiter_hand_over(struct awaited *awaited)
{
	struct waiter *waiter = awaited->waiter;

	pthread_mutex_lock(&waiter->lock);
	bool is_wanted = end_one(waiter, awaited);
	end_followers(waiter);
	pthread_mutex_unlock(&waiter->lock);
	return is_wanted;
}

bool waiter_follow(struct waiter *leader, struct awaited *follower)
{
	pthread_mutex_lock(&leader->lock);
	bool is_in_time = leader->first_ended == NULL;
	if (is_in_time) {
		follower->next_follower = leader->followers;
		leader->followers = follower;
	}
	pthread_mutex_unlock(&leader->lock);
	return is_in_time;
}

void waiter_unfollow(struct waiter *leader, const struct awaited *follower)
{
	pthread_mutex_lock(&leader->lock);
	struct awaited **at = &leader->followers;
	while (*at != NULL && *at != follower)
		at = &(*at)->next_follower;
	if (*at != NULL)
		*at = follower->next_follower;
	pthread_mutex_unlock(&leader->lock);
}

bool waiter_leave(struct awaited *awaited)
{
	struct waiter *waiter = awaited->waiter;

	pthread_mutex_lock(&waiter->lock);
	bool is_under_way = awaited->state == AWAITED_UNDER_WAY;
	if (is_under_way) {
		awaited->state = AWAITED_LEFT;
		waiter->under_way--;
	} else {
		remove_ended(waiter, awaited);
	}
	pthread_mutex_unlock(&waiter->lock);
	return is_under_way;
}

void waiter_forget(struct awaited *awaited)
{
	struct waiter *waiter = awaited->waiter;

	awaited->waiter = NULL;
	drop_reference(waiter);
}

struct awaited *waiter_next(struct waiter *waiter, struct deadline deadline)
{
	struct timespec until = deadline_timespec(deadline);
	int outcome = 0;

	pthread_mutex_lock(&waiter->lock);
	while (waiter->first_ended == NULL && outcome == 0)
		outcome = pthread_cond_timedwait(&waiter->ended, &waiter->lock, &until);
	struct awaited *awaited = pop_ended(waiter);
	pthread_mutex_unlock(&waiter->lock);
	return awaited;
}

bool waiter_is_idle(struct waiter *waiter)
{
	pthread_mutex_lock(&waiter->lock);
	bool is_idle = waiter->first_ended == NULL && waiter->under_way == 0;
	pthread_mutex_unlock(&waiter->lock);
	return is_idle;
}
