/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller's Idempotency-Key stands for: one run that holds it, or the answer that a run left. Whoever writes what
 * the key guards writes the answer with the same statement, and only while the key is still theirs: so no crash parts
 * the two, and of two runs of one key one writes. Holds are judged on the database's clock. */
#ifndef STORE_IDEMPOTENCY_H
#define STORE_IDEMPOTENCY_H

#include "store.h"

/* Which key of which caller, and the run that holds it. */
struct idempotency_name {
	const char *user_id;
	uint8_t key_hash[SHA256_BYTES];
	char holder[UUID_TEXT_SIZE]; /* made by the run */
};

#define IDEMPOTENCY_STATE_LIST(X)                                                                                      \
	X(IDEMPOTENCY_CLAIMED, "claimed")                                                                              \
	X(IDEMPOTENCY_HELD, "held")         /* the same request is being answered */                                   \
	X(IDEMPOTENCY_OTHER, "other")       /* it stands for another request, answered or not */                       \
	X(IDEMPOTENCY_ANSWERED, "answered") /* the same request was answered */

#define ENUMERATE(name, word) name,
enum idempotency_state { IDEMPOTENCY_STATE_LIST(ENUMERATE) IDEMPOTENCY_STATE_COUNT };
#undef ENUMERATE

struct idempotency_request {
	const struct idempotency_name *name;
	uint8_t body_hash[SHA256_BYTES]; /* over everything that makes it the same request */
	int64_t hold_ms;
	int64_t keep_ms; /* from now: how long an answer is given again */
};

/* What the key stands for when it was answered. location may be NULL. */
struct idempotency_answer {
	const struct idempotency_name *name;
	int status;
	const char *location;
	const char *body;
};

struct idempotency_claim {
	enum idempotency_state state;
	int64_t now_ms;                   /* the database's clock */
	int64_t left_ms;                  /* IDEMPOTENCY_HELD: until its hold ends */
	struct idempotency_answer answer; /* IDEMPOTENCY_ANSWERED; its name is NULL */
};

/* Takes the key or says why not. A run that let its hold end is taken over by the same request: it has written nothing
 * and will not. May be run twice. PROBLEM_UNAUTHENTICATED where the user is gone. */
MUST_CHECK bool idempotency_claim(struct store *store, struct arena *arena, const struct idempotency_request *request,
	struct idempotency_claim *ret_claim, struct problem *problem);

/* Ends the run's hold, if the key is still its own and not answered: for keep_ms the same request may be judged anew,
 * and another one is IDEMPOTENCY_OTHER. */
MUST_CHECK bool idempotency_refuse(
	struct store *store, const struct idempotency_name *name, int64_t keep_ms, struct problem *problem);

/* Gives the key back, if it is still this run's and not answered: the next one finds it new. */
MUST_CHECK bool idempotency_release(struct store *store, const struct idempotency_name *name, struct problem *problem);

#endif
