/* SPDX-License-Identifier: Apache-2.0 */
/* Header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a caller who did not learn how a request ended
 * sends it again with the same key, and it is done once. The value is opaque, 1 to IDEMPOTENCY_KEY_BYTES_MAX printable
 * ASCII characters, and belongs to the caller. What was done (2xx) is kept with its answer. The gate's refusal keeps
 * the key for the same request, which is judged anew; any other end gives the key back. A handler has two lines and
 * hands the answer to its statement:
 *
 *	if (!idempotency_begin(request, &once, reply, problem))
 *		return false;
 *	return once.replayed || idempotency_end(&once, create(request, &once, reply, problem), reply);
 *
 * behind its checks of the body and of the caller's right, before anything that has a side effect. */
#ifndef HTTP_IDEMPOTENCY_H
#define HTTP_IDEMPOTENCY_H

#include "../store/idempotency.h"
#include "reply.h"
#include "request.h"

struct idempotency {
	bool replayed; /* reply is the answer that was given before */
	bool held;     /* a key was sent, and it is ours to answer */
	const struct request *request;
	struct idempotency_name name;
	struct idempotency_answer answer;
	int64_t claimed_at_ms; /* the database's clock */
	int64_t claimed_us;    /* ours, at the same moment */
};

/* Takes the key, if the request has one. PROBLEM_VALIDATION_FAILED naming the header, PROBLEM_IDEMPOTENCY_KEY_REUSED
 * where it stands for another request, PROBLEM_IDEMPOTENCY_KEY_IN_USE where the same one is still being answered. The
 * same request is the same method, path and body, byte for byte. */
MUST_CHECK bool idempotency_begin(
	const struct request *request, struct idempotency *ret_once, struct reply *reply, struct problem *problem);

/* The answer for the statement that writes what the key guards (bind_answer of the store); NULL where no key was sent.
 * It must be whole before: use idempotency_now_ms for the time it tells. Lives as long as once and the reply. */
const struct idempotency_answer *idempotency_answer(struct idempotency *once, const struct reply *reply);

/* The time by the database's clock, as it was told with the claim and carried on by our monotonic one; 0 where no key
 * was sent: the statement takes its own. */
int64_t idempotency_now_ms(const struct idempotency *once);

/* The statement found that another run has taken the key over: nothing was written. Always returns false. */
bool idempotency_lost(struct problem *problem);

/* Gives the key back, or keeps it for this request alone where the handler answered with a refusal; does nothing where
 * the handler did what it was asked for. Returns done. */
MUST_CHECK bool idempotency_end(const struct idempotency *once, bool done, const struct reply *reply);

#endif
