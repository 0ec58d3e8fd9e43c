/* SPDX-License-Identifier: Apache-2.0 */
/* One refresh of one link, from the lease to the saved token (contract section 5, steps 2 to 6), as a straight line on
 * a thread of its own. Private to flight.c. */
#ifndef LINK_REFRESH_H
#define LINK_REFRESH_H

#include <stdatomic.h>

#include "../store/leases.h"
#include "engine.h"

/* Whose token, as it was read: the lease is for exactly this generation, so what was read then is what is spent. */
struct refresh_question {
	const char *owner_id;
	struct provider *provider;
	int64_t generation;
	struct secret refresh_token;
	struct secret extras; /* kept where an answer names none */
};

/* How near the service's end is. REFRESH_STOPPING: what need not be begun is not, what is under way goes on.
 * REFRESH_LEAVING: a database that is still away is not waited for any longer. */
enum refresh_ending { REFRESH_SERVING, REFRESH_STOPPING, REFRESH_LEAVING };

/* What others tell a refresh under way, and what it tells those who will not wait for its end. */
struct refresh_signs {
	_Atomic size_t wanted;     /* how many wait for it; nobody: it need not wait for another process */
	const _Atomic int *ending; /* enum refresh_ending */
	_Atomic bool elsewhere;    /* another process holds the lease: its end is waited for */
};

bool refresh_is_stopping(const struct refresh_signs *signs);

/* How it ended. REFRESH_NOT_TRIED: the link is no longer what the question says, so it is read again and judged anew.
 */
struct refresh_outcome {
	enum refresh_end end;
	unsigned retry_after_s; /* 0: nothing says how long to wait */
};

/* Waits for the provider, for another process, and for the database while a token is to be saved. */
struct refresh_outcome refresh_link(
	struct engine *engine, const struct refresh_question *question, struct refresh_signs *signs);

#endif
