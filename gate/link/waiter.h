/* SPDX-License-Identifier: Apache-2.0 */
/* A place where one thread waits for whichever of the things it has under way ends next: calls to providers
 * (http_client.h), questions shared with others (inquiry.h) and refresh flights (flight.h). Each embeds a struct
 * awaited. Private to link/. */
#ifndef LINK_WAITER_H
#define LINK_WAITER_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/clock.h"
#include "must_check.h"

struct waiter;

/* AWAITED_LEFT: the waiting thread has given it up while it was under way. Guarded by the waiter's lock. */
enum awaited_state { AWAITED_UNDER_WAY, AWAITED_ENDED, AWAITED_LEFT };

/* One thing that is waited for: first member of whatever it is. */
struct awaited {
	struct waiter *waiter;
	size_t tag; /* comes back as it was given */
	enum awaited_state state;
	struct awaited *next_ended;
	struct awaited *next_follower;
};

/* Ends the process where memory is out. */
struct waiter *waiter_new(void);
/* Gives the waiting thread's part back; the rest goes with the last thing that was waited for. NULL is nothing to do.
 */
void waiter_free(struct waiter *waiter);
void waiter_release(struct waiter **waiter); /* for SCOPED */

/* From now on it is under way. */
void waiter_begin(struct waiter *waiter, struct awaited *awaited, size_t tag);

/* It has ended, said by whoever carries it out; from here on it belongs to the waiting thread. false: that one has
 * left, and it stays with the caller. */
bool waiter_hand_over(struct awaited *awaited);

/* The waiting thread is done with it. true: it was under way and stays with whoever carries it out; false: it had
 * ended. */
bool waiter_leave(struct awaited *awaited);

/* The last thing said about an awaited by whoever owns it then. */
void waiter_forget(struct awaited *awaited);

/* Makes the end of what is under way at leader, a waiter that no thread waits at, the end of this one too, at its own
 * waiter. false: it has ended already. */
MUST_CHECK bool waiter_follow(struct waiter *leader, struct awaited *follower);

/* From here on the leader's end is not told to the follower. Before waiter_leave, whether it has ended or not. */
void waiter_unfollow(struct waiter *leader, const struct awaited *follower);

/* Waits until something has ended and returns it, or NULL when the deadline passes. Each is returned once. */
struct awaited *waiter_next(struct waiter *waiter, struct deadline deadline);

/* Nothing is under way, and nothing has ended that was not returned yet. */
bool waiter_is_idle(struct waiter *waiter);

#endif
