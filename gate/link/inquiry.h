/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a provider whether one token is good, shared by all evaluations of this process that want to know it at the
 * same time: who comes while the question is under way joins it, which counts as asked now. Each waits with a deadline
 * of its own (waiter.h) and may leave; the question goes on for the others and is taken back when nobody is left. */
#ifndef LINK_INQUIRY_H
#define LINK_INQUIRY_H

#include "http_client.h"
#include "provider.h"
#include "verdict_cache.h"
#include "waiter.h"

struct inquiries;

/* http must stay. Ends the process where memory is out. */
struct inquiries *inquiries_new(struct http_client *http);
void inquiries_free(struct inquiries *inquiries); /* when nobody asks any more; NULL is nothing to do */

struct inquiry_question {
	struct verdict_key key; /* what is shared: the same owner, provider and generation */
	struct secret access_token;
	struct arena *arena; /* for the request's text, which is copied */
};

/* One evaluation's part in a question. */
struct inquirer;

/* Asks, or joins who asks already; never blocks. Its end comes from the waiter with this tag. */
struct inquirer *inquiry_join(
	struct inquiries *inquiries, const struct inquiry_question *question, struct waiter *waiter, size_t tag);

/* When the question was asked that this is a part of, on clock_monotonic_us. */
int64_t inquirer_asked_us(const struct inquirer *inquirer);

/* The answer, once the waiter has said that it is there; good until inquirer_leave. */
struct http_answer inquirer_answer(const struct inquirer *inquirer);

/* NULL is nothing to do. */
void inquirer_leave(struct inquirer *inquirer);

#endif
