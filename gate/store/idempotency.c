/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency keys: see idempotency.h. Both statements may be run again where nobody knows whether they were run: the
 * holder in their conditions sees to it. */
#include "idempotency.h"

#include <string.h>

#include "idempotency_row.h"

#define WORD_OF(name, word) word,
static const char *const state_words[] = {IDEMPOTENCY_STATE_LIST(WORD_OF)};
#undef WORD_OF

static enum idempotency_state row_state(struct row *row, struct arena *arena)
{
	const char *word = row_text(row, arena);
	for (int state = 0; word != NULL && state < IDEMPOTENCY_STATE_COUNT; state++)
		if (strcmp(state_words[state], word) == 0)
			return (enum idempotency_state)state;
	return IDEMPOTENCY_HELD;
}

static void bind_name(struct call *call, const struct idempotency_name *name)
{
	bind_text(call, name->user_id);
	bind_bytes(call, name->key_hash, SHA256_BYTES);
}

bool idempotency_claim(struct store *store, struct arena *arena, const struct idempotency_request *request,
	struct idempotency_claim *ret_claim, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_IDEMPOTENCY_CLAIM);
	call.expects_violation = true;
	bind_name(&call, request->name);
	bind_bytes(&call, request->body_hash, SHA256_BYTES);
	bind_text(&call, request->name->holder);
	bind_integer(&call, request->hold_ms);
	bind_integer(&call, request->keep_ms);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_run(store, &call, &rows, problem))
		return false;
	/* A caller is known for some seconds after they were removed. */
	if (rows_violate(&rows, "idempotency_keys_user_id_fkey"))
		return problem_set(problem, PROBLEM_UNAUTHENTICATED, "The token's user does not exist any more.");
	if (*rows.violated != '\0')
		return problem_set(problem, PROBLEM_INTERNAL, "The key breaks the rule %s.", rows.violated);
	struct row row = row_at(&rows, 0);
	*ret_claim = (struct idempotency_claim){.state = row_state(&row, arena)};
	ret_claim->now_ms = row_time_ms(&row);
	ret_claim->left_ms = row_integer(&row);
	ret_claim->answer.status = (int)row_integer(&row);
	ret_claim->answer.location = row_text(&row, arena);
	ret_claim->answer.body = row_text(&row, arena);
	return true;
}

bool idempotency_refuse(
	struct store *store, const struct idempotency_name *name, int64_t keep_ms, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_IDEMPOTENCY_REFUSE);
	bind_name(&call, name);
	bind_text(&call, name->holder);
	bind_integer(&call, keep_ms);
	return store_do(store, &call, problem);
}

bool idempotency_release(struct store *store, const struct idempotency_name *name, struct problem *problem)
{
	struct call call;
	call_read(&call, QUERY_IDEMPOTENCY_RELEASE);
	bind_name(&call, name);
	bind_text(&call, name->holder);
	return store_do(store, &call, problem);
}

void bind_answer(struct call *call, const struct idempotency_answer *answer)
{
	if (answer == NULL) {
		for (int i = 0; i < 5; i++)
			bind_null(call);
		return;
	}
	bind_bytes(call, answer->name->key_hash, SHA256_BYTES);
	bind_text(call, answer->name->holder);
	bind_integer(call, answer->status);
	bind_text(call, answer->location);
	bind_text(call, answer->body);
}
