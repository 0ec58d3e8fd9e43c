/* SPDX-License-Identifier: Apache-2.0 */
#include "one_shot.h"

#include <errno.h>

void one_shot_init(struct one_shot *one_shot)
{
	/* It fails for a count beyond SEM_VALUE_MAX alone. */
	(void)sem_init(&one_shot->posted, /* pshared= */ 0, 0);
	atomic_init(&one_shot->word, 0);
}

void one_shot_destroy(struct one_shot *one_shot)
{
	(void)sem_destroy(&one_shot->posted);
}

void one_shot_post(struct one_shot *one_shot, int word)
{
	atomic_store(&one_shot->word, word);
	(void)sem_post(&one_shot->posted);
}

int one_shot_await(struct one_shot *one_shot)
{
	while (sem_wait(&one_shot->posted) != 0)
		continue;
	return one_shot_peek(one_shot);
}

int one_shot_wait(struct one_shot *one_shot, struct deadline deadline)
{
	struct timespec until = deadline_timespec(deadline);
	while (sem_clockwait(&one_shot->posted, CLOCK_MONOTONIC, &until) != 0) {
		if (errno != EINTR)
			return 0;
	}
	return one_shot_peek(one_shot);
}

int one_shot_peek(struct one_shot *one_shot)
{
	return atomic_load(&one_shot->word);
}
