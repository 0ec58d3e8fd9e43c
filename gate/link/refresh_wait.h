/* SPDX-License-Identifier: Apache-2.0 */
/* The two waits of a refresh: for another process that holds the lease, and before another try. Private to refresh.c.
 */
#ifndef LINK_REFRESH_WAIT_H
#define LINK_REFRESH_WAIT_H

#include "refresh.h"

/* Waits; less when the service ends. */
void refresh_pause(int64_t wait_ms, const struct refresh_signs *signs);

/* Waits until whoever holds the lease has ended it, nobody waits for the answer any more, or the service ends. true:
 * *ret_outcome is what to adopt, the new generation or the recorded failure. false: the lease has run out without a
 * word, so it may be taken. */
MUST_CHECK bool refresh_await_holder(struct engine *engine, const struct refresh_question *question,
	const struct refresh_signs *signs, struct refresh_outcome *ret_outcome);

#endif
