/* SPDX-License-Identifier: Apache-2.0 */
/* What statements that answer an Idempotency-Key share: their CTE `once` (workspace_insert.sql shows it). */
#ifndef STORE_IDEMPOTENCY_ROW_H
#define STORE_IDEMPOTENCY_ROW_H

#include "call.h"
#include "idempotency.h"

/* Five parameters: hash of the key, holder, status, location, body; all NULL where answer is NULL (no key was sent).
 * The sixth that `once` needs is the user's id, which such a statement has as its initiator. */
void bind_answer(struct call *call, const struct idempotency_answer *answer);

#endif
