/* SPDX-License-Identifier: Apache-2.0 */
/* Rings when this process has put a build into the queue, so that a provisioner who waits here need not wait for the
 * next look. It is a short cut only: builds that another replica added, or whose time has come, are found by looking.
 */
#ifndef STORE_BELL_H
#define STORE_BELL_H

#include <stdint.h>

#include "../base/clock.h"

struct store;
struct bell;

struct bell *bell_new(void); /* NULL: no memory */
void bell_free(struct bell *bell);

struct bell *store_bell(struct store *store);

void bell_ring(struct bell *bell);

/* How often it has rung. Read before a look at the queue, so that what is added behind the look is not slept through.
 */
uint64_t bell_count(struct bell *bell);

/* Waits until it has rung more often than that, or until the deadline. */
void bell_await(struct bell *bell, uint64_t count, struct deadline until);

/* A place among those who wait, for as long as they do; false where there are waiters_max already. Each keeps a thread
 * from answering anybody else. */
bool bell_enter(struct bell *bell, int64_t waiters_max);
void bell_leave(struct bell *bell);

#endif
