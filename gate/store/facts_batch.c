/* SPDX-License-Identifier: Apache-2.0 */
/* Many questions in one statement: see facts_batch.h. */
#include "facts_batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../base/metrics.h"
#include "../base/one_shot.h"
#include "../base/text.h"
#include "bounds.h"
#include "policy.h"

/* Shared by those whose questions it answers; the last one clears it. */
struct facts_result {
	struct rows rows;
	atomic_size_t users;
};

enum turn { TURN_LEAD = 1, TURN_ANSWERED, TURN_FAILED, TURN_ALONE };

/* On the stack of the thread that asks. Whoever leads writes to it, and to its problem, until it posts. */
struct asker {
	const struct create_question *question;
	struct one_shot turn;
	struct facts_rows rows;
	struct problem *problem;
	struct asker *next;
};

struct facts_batch {
	struct store *store;
	pthread_mutex_t lock;
	size_t leaders_max;
	size_t leaders; /* each has a statement under way */
	struct asker *first;
	struct asker **last;
};

struct facts_batch *facts_batch_new(struct store *store, size_t statements_max)
{
	struct facts_batch *batch = calloc(1, sizeof(*batch));
	if (batch == NULL)
		return NULL;
	batch->store = store;
	batch->leaders_max = statements_max;
	batch->last = &batch->first;
	pthread_mutex_init(&batch->lock, NULL);
	return batch;
}

void facts_batch_free(struct facts_batch *batch)
{
	if (batch == NULL)
		return;
	pthread_mutex_destroy(&batch->lock);
	free(batch);
}

/* --- rows ------------------------------------------------------------------------------------------------------- */

static struct facts_result *result_new(struct rows rows, size_t users)
{
	struct facts_result *result = calloc(1, sizeof(*result));
	/* As the arena does: without memory for this there is none for anything. */
	if (result == NULL)
		abort();
	result->rows = rows;
	atomic_init(&result->users, users);
	return result;
}

void facts_rows_release(struct facts_rows *rows)
{
	if (rows->result != NULL && atomic_fetch_sub(&rows->result->users, 1) == 1) {
		rows_release(&rows->result->rows);
		free(rows->result);
	}
	rows->result = NULL;
}

bool facts_rows_next(struct facts_rows *rows, struct row *ret_row)
{
	size_t count = rows_count(&rows->result->rows);
	while (rows->next < count) {
		*ret_row = row_at(&rows->result->rows, rows->next++);
		if (row_integer(ret_row) == rows->number)
			return true;
	}
	return false;
}

size_t facts_rows_left(const struct facts_rows *rows)
{
	struct facts_rows ahead = *rows;
	struct row row;
	size_t left = 0;
	while (facts_rows_next(&ahead, &row))
		left++;
	return left;
}

/* --- one statement ------------------------------------------------------------------------------------------------ */

/* Ids of providers hold no comma (contract section 2). */
static const char *join_named(struct arena *arena, const struct requirements *named)
{
	if (named == NULL)
		return NULL;
	struct text joined = text_in(arena);
	for (size_t i = 0; i < named->count; i++) {
		text_add(&joined, i == 0 ? "" : ",");
		text_add(&joined, named->list[i].provider_id);
	}
	return joined.bytes;
}

enum { OWNER_ID, OWNER_NAME, TEMPLATE_ID, VERSION_ID, WORKSPACE_NAME, NAMED, PARAMETER_COUNT };

/* The askers' rows are numbered in their order. */
static bool run(
	struct facts_batch *batch, struct arena *arena, struct asker *first, size_t count, struct rows *ret_rows)
{
	const char *values[PARAMETER_COUNT][FACTS_BATCH_MAX];
	size_t i = 0;
	for (const struct asker *asker = first; i < count; asker = asker->next, i++) {
		const struct create_question *question = asker->question;
		bool is_id = question->owner != NULL && name_is_uuid(question->owner);
		values[OWNER_ID][i] = is_id ? question->owner : NULL;
		values[OWNER_NAME][i] = is_id ? NULL : question->owner;
		values[TEMPLATE_ID][i] = question->template_id;
		values[VERSION_ID][i] = question->version_id;
		values[WORKSPACE_NAME][i] = question->workspace_name;
		values[NAMED][i] = join_named(arena, question->named);
	}
	struct call call;
	call_read(&call, QUERY_CREATE_FACTS_READ);
	for (size_t parameter = 0; parameter < PARAMETER_COUNT; parameter++)
		bind_texts(&call, arena, count, values[parameter]);
	return store_run(batch->store, &call, ret_rows, first->problem);
}

static bool ask_alone(struct facts_batch *batch, struct arena *arena, struct asker *self)
{
	struct rows rows = {0};
	if (!run(batch, arena, self, 1, &rows))
		return false;
	self->rows = (struct facts_rows){.result = result_new(rows, 1), .number = 1};
	return true;
}

/* --- turns -------------------------------------------------------------------------------------------------------- */

/* With the lock held. The first of the queue and at most so many in all, cut off from the rest; NULL where nobody
 * waits. */
static struct asker *take_first(struct facts_batch *batch, size_t count_max, size_t *ret_count)
{
	struct asker *first = batch->first;
	struct asker **end = &batch->first;
	for (*ret_count = 0; *end != NULL && *ret_count < count_max; (*ret_count)++)
		end = &(*end)->next;
	batch->first = *end;
	*end = NULL;
	if (batch->first == NULL)
		batch->last = &batch->first;
	return *ret_count == 0 ? NULL : first;
}

/* An asker is gone as soon as it is posted. */
static void post_all(struct asker *first, enum turn turn, const struct problem *problem)
{
	for (struct asker *asker = first, *next; asker != NULL; asker = next) {
		next = asker->next;
		if (turn == TURN_FAILED)
			*asker->problem = *problem;
		one_shot_post(&asker->turn, turn);
	}
}

/* In an outage nobody leads on: whoever waited behind it would wait as long for the same. */
static void pass_lead(struct facts_batch *batch, const struct problem *outage)
{
	size_t count = 0;
	struct asker *failed = NULL;
	pthread_mutex_lock(&batch->lock);
	if (outage != NULL)
		failed = take_first(batch, SIZE_MAX, &count);
	struct asker *next = take_first(batch, 1, &count);
	if (next == NULL)
		batch->leaders--;
	pthread_mutex_unlock(&batch->lock);
	post_all(next, TURN_LEAD, NULL);
	post_all(failed, TURN_FAILED, outage);
}

static void share(struct asker *first, struct facts_result *result)
{
	int64_t number = 1;
	for (struct asker *asker = first; asker != NULL; asker = asker->next)
		asker->rows = (struct facts_rows){.result = result, .number = number++};
}

/* `self` waits no longer, and takes along who does. */
static enum turn lead(struct facts_batch *batch, struct arena *arena, struct asker *self)
{
	size_t count = 0;
	pthread_mutex_lock(&batch->lock);
	self->next = take_first(batch, FACTS_BATCH_MAX - 1, &count);
	pthread_mutex_unlock(&batch->lock);
	count++;
	struct rows rows = {0};
	bool done = run(batch, arena, self, count, &rows);
	bool outage = !done && self->problem->kind == PROBLEM_DATABASE_UNAVAILABLE;
	pass_lead(batch, outage ? self->problem : NULL);
	enum turn turn = done ? TURN_ANSWERED : outage || count == 1 ? TURN_FAILED : TURN_ALONE;
	if (done)
		share(self, result_new(rows, count));
	post_all(self->next, turn, self->problem);
	return turn;
}

/* Without a bound of its own: what is waited for is a statement, which has one for its connection and one for its
 * answer. */
static enum turn await_turn(struct facts_batch *batch, struct arena *arena, struct asker *self)
{
	pthread_mutex_lock(&batch->lock);
	bool leads = batch->leaders < batch->leaders_max;
	if (leads) {
		batch->leaders++;
	} else {
		*batch->last = self;
		batch->last = &self->next;
	}
	pthread_mutex_unlock(&batch->lock);
	enum turn turn = leads ? TURN_LEAD : (enum turn)one_shot_await(&self->turn);
	return turn == TURN_LEAD ? lead(batch, arena, self) : turn;
}

bool facts_batch_ask(struct facts_batch *batch, struct arena *arena, const struct create_question *question,
	struct facts_rows *ret_rows, struct problem *problem)
{
	struct asker self = {.question = question, .problem = problem};
	one_shot_init(&self.turn);
	enum turn turn = await_turn(batch, arena, &self);
	one_shot_destroy(&self.turn);
	metrics_add(METRIC_DATABASE_FACTS, (struct metric_labels){0}, 1);
	bool done = turn == TURN_ANSWERED;
	if (turn == TURN_ALONE)
		done = ask_alone(batch, arena, &self);
	*ret_rows = self.rows;
	return done;
}
