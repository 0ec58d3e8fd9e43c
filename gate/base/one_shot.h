/* SPDX-License-Identifier: Apache-2.0 */
/* A word from one thread to one other that waits for it, said once. A semaphore and no condition: whoever is woken need
 * not take a lock again, which others are after at that very moment. */
#ifndef BASE_ONE_SHOT_H
#define BASE_ONE_SHOT_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "clock.h"

struct one_shot {
	sem_t posted;
	/* Hands over all that was done before the word (the semaphore does so too, but ThreadSanitizer does not know
	 * sem_clockwait). */
	atomic_int word;
};

void one_shot_init(struct one_shot *one_shot);
void one_shot_destroy(struct one_shot *one_shot);

/* At most once. `word` is not 0. The waiter may be gone with its one_shot as soon as it is posted. */
void one_shot_post(struct one_shot *one_shot, int word);

/* The word, however long it takes. */
int one_shot_await(struct one_shot *one_shot);

/* The word, or 0 where none came in time. */
int one_shot_wait(struct one_shot *one_shot, struct deadline deadline);

/* The word if it was said already, else 0. */
int one_shot_peek(struct one_shot *one_shot);

#endif
