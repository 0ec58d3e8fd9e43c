/* SPDX-License-Identifier: Apache-2.0 */
/* One requirement on its way to a verdict. The policy says what to do next (policy/next_step.c); settling does it and
 * tells what came back, never waiting itself: the gate waits for all of them at once. Private to link/. */
#ifndef LINK_SETTLE_H
#define LINK_SETTLE_H

#include "../store/links.h"
#include "breaker.h"
#include "engine.h"
#include "flight.h"
#include "inquiry.h"

/* What all requirements of one evaluation share. */
struct settle_scope {
	struct engine *engine;
	struct arena *arena;
	const char *owner_id;
	struct waiter *waiter; /* NULL until something has to be waited for; the gate frees it */
	struct deadline half;  /* of the budget: the wait for another token while the one there is lives */
	int64_t begun_us;
	bool without_asking;   /* verdicts are presumed from what is stored */
	bool without_effects;  /* no refresh: that one works is presumed */
	bool has_whole_budget; /* not less patience than the configuration gives */
};

#define FOREVER_US INT64_MAX

struct settling {
	struct provider *provider;
	size_t tag;
	struct link link; /* meaningful when facts.linked */
	struct link_facts facts;
	struct provider_rules rules;
	struct progress progress;
	struct inquirer *inquirer; /* a validation under way, or NULL */
	struct ticket *ticket;     /* a refresh under way, or NULL */
	struct deadline wake;      /* when to go on without either; FOREVER_US: not */
	bool pausing;              /* nothing is under way: the same question is asked again at wake */
	unsigned refusals;         /* of this token straight after it was issued */
	int64_t renewed_us;        /* when this evaluation got another token than it began with; 0: it did not */
	bool settled;
	enum step_kind presumed; /* what would have been done next; STEP_SETTLED where nothing was presumed */
	enum reason reason;
	int64_t known_good_at_ms; /* by what the store or this process remembers; for FAIL_MODE last_known_good */
	bool confirmed;           /* the provider said so within this evaluation */
	const char *account;      /* whom the provider named; NULL: not said */
	unsigned retry_after_s;
	int provider_status;
	int64_t duration_us;
};

/* The facts of a link; NULL: not linked. */
void settle_adopt_link(const struct settle_scope *scope, struct settling *settling, const struct link *link);

/* Goes on until the requirement is settled or something has to be waited for. */
void settle_advance(struct settle_scope *scope, struct settling *settling);

/* Takes the answer of its call or the end of its refresh, whichever has come, and goes on. */
void settle_take_end(struct settle_scope *scope, struct settling *settling);

/* Its moment to go on (settling->wake) has come. */
void settle_wake(struct settle_scope *scope, struct settling *settling);

/* The budget is over: what is not settled is nobody's fault but the provider's, or a refresh is still under way. */
void settle_give_up(struct settle_scope *scope, struct settling *settling);

/* Writes what must be known after this process, and in others; best effort. */
void settle_note(const struct settle_scope *scope, const struct settling *settling);

/* --- between settle.c and settle_validation.c -------------------------------------------------------------------- */

/* Where everything ends that this evaluation waits for. */
struct waiter *settle_waiter(struct settle_scope *scope);

/* Adds to the facts of a link that was adopted what this process remembers of its token. */
void settle_recall(const struct settle_scope *scope, struct settling *settling);

/* Counts a verdict that came from there. */
void settle_count_reuse(const struct settling *settling);

/* Asks the provider, alone or with others, unless it is left alone: then the progress says that it is unavailable. */
void settle_ask(struct settle_scope *scope, struct settling *settling);

/* false: the token endpoint is left alone, and the progress says that the refresh failed. */
bool settle_may_refresh(struct settle_scope *scope, struct settling *settling);

/* Keeps what the answer says of the token and of the provider. */
void settle_learn(struct settle_scope *scope, struct settling *settling, enum validation validation,
	const struct http_answer *answer);

/* Leaves a question that is under way when the budget ends. */
void settle_stop_asking(struct settle_scope *scope, struct settling *settling);

#endif
