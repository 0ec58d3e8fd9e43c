/* SPDX-License-Identifier: Apache-2.0 */
/* One requirement on its way to a verdict. The policy says what to do next (policy/next_step.c); settling does it and
 * tells what came back, never waiting itself: the gate waits for all of them at once. Private to link/. */
#ifndef LINK_SETTLE_H
#define LINK_SETTLE_H

#include "../store/links.h"
#include "engine.h"

/* What all requirements of one evaluation share. */
struct settle_scope {
	struct engine *engine;
	struct arena *arena;
	const char *owner_id;
	struct http_waiter *waiter; /* NULL until somebody has to be asked; the gate frees it */
	struct deadline deadline;   /* of requests: a little before the budget ends, so that their ends are seen */
	int64_t begun_us;
};

struct settling {
	const struct provider *provider;
	size_t tag;
	struct link link; /* meaningful when facts.linked */
	struct link_facts facts;
	struct provider_rules rules;
	struct progress progress;
	struct http_call *call; /* under way; NULL when settled */
	bool settled;
	enum reason reason;
	int64_t note_use_ms; /* how old a noted confirmation is read; 0: by nobody, so none is noted */
	bool confirmed;      /* the provider said so within this evaluation */
	const char *account; /* whom the provider named; NULL: not said */
	unsigned retry_after_s;
	int provider_status;
	int64_t duration_us;
};

/* The facts of a link; NULL: not linked. */
void settle_adopt_link(struct settling *settling, const struct link *link);

/* Goes on until the requirement is settled or a provider has to be waited for. */
void settle_advance(struct settle_scope *scope, struct settling *settling);

/* Takes the answer of its call, which has ended, and goes on. */
void settle_take_answer(struct settle_scope *scope, struct settling *settling);

/* The budget is over: what is not settled is nobody's fault but the provider's. */
void settle_give_up(struct settle_scope *scope, struct settling *settling);

#endif
