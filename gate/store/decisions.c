/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log's queue and its writer: requests copy rows into the filling batch, the writer swaps it for an empty
 * one and inserts it piece by piece. */
#include "decisions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/metrics.h"
#include "../base/text.h"
#include "bounds.h"
#include "call.h"
#include "decision_queue.h"

/* Rows of one statement: enough that the statement costs next to nothing a row, few enough to stay in milliseconds. */
#define CHUNK_ROWS 256

/* After the first row the writer waits so long for company. */
#define GATHER_MS 20

/* Copies of queued rows: DECISION_QUEUE_MAX rows of a few hundred bytes. Beyond, rows are dropped as with a full queue;
 * the arena's own bound leaves room for its blocks' ends. */
#define COPIED_BYTES_MAX (8 * 1024 * 1024)
#define BATCH_ARENA_BYTES_MAX (4 * COPIED_BYTES_MAX)

/* While the database is away a chunk is tried again for so long, and when the service stops for so long. */
#define RETRY_MS 60000
#define RETRY_CLOSING_MS 3000
#define RETRY_PAUSE_MS 200

#define MICROSECONDS 1000000
#define TELL_EVERY_MS 60000

struct queued {
	struct decision_row row;
	const char *reasons; /* with commas between, or NULL */
	int64_t at_ms;
};

struct batch {
	struct arena *arena;
	size_t count;
	struct queued *rows;
};

struct decision_queue {
	struct store *store;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t writer;
	struct batch batches[2];
	struct batch *filling;
	size_t writing;             /* rows of the other batch that are not written yet */
	struct retention retention; /* the writer's */
	int64_t rate_max;           /* rows a second in the long run; 0: any */
	int64_t due_us;             /* when the next row would come that keeps exactly to the rate */
	int64_t told_us;            /* when the log last said that rows are dropped; 0: never */
	bool closing;
	struct deadline close_by;
};

static void count_dropped(size_t count)
{
	metrics_add(METRIC_DECISION_LOG_DROPPED, (struct metric_labels){0}, (int64_t)count);
}

/* --- the requests' side ------------------------------------------------------------------------------------------ */

/* All but the findings and the request's id is short: ids, words and names, and each reason once. */
static size_t size_of(const struct decision_row *row)
{
	return 1024 + (row->findings == NULL ? 0 : strlen(row->findings)) +
	       (row->request_id == NULL ? 0 : strlen(row->request_id));
}

/* Words hold no comma. */
static const char *join_reasons(const struct decision_row *row, struct arena *arena)
{
	if (row->reasons == NULL || row->reason_count == 0)
		return NULL;
	struct text joined = text_in(arena);
	for (size_t i = 0; i < row->reason_count; i++) {
		text_add(&joined, i == 0 ? "" : ",");
		text_add(&joined, row->reasons[i]);
	}
	return joined.bytes;
}

static void copy_row(struct batch *batch, const struct decision_row *row)
{
	struct arena *arena = batch->arena;
	batch->rows[batch->count++] = (struct queued){
		.row =
			{
				.id = arena_copy(arena, row->id),
				.request_id = arena_copy(arena, row->request_id),
				.surface = arena_copy(arena, row->surface),
				.moment = arena_copy(arena, row->moment),
				.initiator_id = arena_copy(arena, row->initiator_id),
				.on_behalf_of = arena_copy(arena, row->on_behalf_of),
				.owner_id = arena_copy(arena, row->owner_id),
				.owner_name = arena_copy(arena, row->owner_name),
				.template_version_id = arena_copy(arena, row->template_version_id),
				.outcome = arena_copy(arena, row->outcome),
				.strict_outcome = arena_copy(arena, row->strict_outcome),
				.findings = arena_copy(arena, row->findings == NULL ? "[]" : row->findings),
				.duration_ms = row->duration_ms,
			},
		.reasons = join_reasons(row, arena),
		.at_ms = clock_now_ms(),
	};
}

/* So many rows a second in the long run, and a full queue's worth at once (the generic cell rate algorithm): a storm
 * must neither fill the disk nor take the database's time from those who create. */
static int64_t rate_interval_us(const struct decision_queue *queue)
{
	return queue->rate_max == 0 ? 0 : MICROSECONDS / queue->rate_max;
}

static bool is_beyond_rate(const struct decision_queue *queue, int64_t now_us)
{
	return queue->due_us - now_us > (DECISION_QUEUE_MAX - 1) * rate_interval_us(queue);
}

static void spend_rate(struct decision_queue *queue, int64_t now_us)
{
	queue->due_us = (queue->due_us > now_us ? queue->due_us : now_us) + rate_interval_us(queue);
}

static bool has_room(const struct decision_queue *queue, const struct decision_row *row)
{
	return queue->filling->count + queue->writing < DECISION_QUEUE_MAX &&
	       arena_used(queue->filling->arena) + size_of(row) <= COPIED_BYTES_MAX;
}

/* Once in a while, so that a storm does not fill the service's own log instead. */
static bool is_time_to_tell(struct decision_queue *queue, int64_t now_us)
{
	if (queue->told_us != 0 && now_us - queue->told_us < TELL_EVERY_MS * 1000)
		return false;
	queue->told_us = now_us;
	return true;
}

static void drop(struct decision_queue *queue, bool tell)
{
	count_dropped(1);
	if (tell)
		log_event(LOG_WARN, "decisions come faster than they are logged: some are only counted",
			log_number("rate_max", queue->rate_max));
}

bool decision_is_taken(struct store *store)
{
	static const struct decision_row any;
	struct decision_queue *queue = store_decisions(store);
	int64_t now_us = clock_monotonic_us();
	pthread_mutex_lock(&queue->lock);
	bool taken = has_room(queue, &any) && !is_beyond_rate(queue, now_us);
	bool tell = !taken && is_time_to_tell(queue, now_us);
	pthread_mutex_unlock(&queue->lock);
	if (!taken)
		drop(queue, tell);
	return taken;
}

void decision_enqueue(struct store *store, const struct decision_row *row)
{
	struct decision_queue *queue = store_decisions(store);
	int64_t now_us = clock_monotonic_us();
	pthread_mutex_lock(&queue->lock);
	bool fits = has_room(queue, row) && !is_beyond_rate(queue, now_us);
	bool tell = !fits && is_time_to_tell(queue, now_us);
	if (fits) {
		copy_row(queue->filling, row);
		spend_rate(queue, now_us);
	}
	if (fits && queue->filling->count == 1)
		pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
	if (!fits)
		drop(queue, tell);
}

/* --- the writer's side ------------------------------------------------------------------------------------------- */

/* One column of the chunk as an array parameter. */
static void bind_column(struct call *call, struct arena *arena, const struct queued *rows, size_t count, size_t offset)
{
	const char *texts[CHUNK_ROWS];
	for (size_t i = 0; i < count; i++)
		memcpy(&texts[i], (const char *)&rows[i] + offset, sizeof(texts[i]));
	bind_texts(call, arena, count, texts);
}

/* In the order of decision_insert.sql. */
static const size_t columns[] = {
	offsetof(struct queued, row.id),
	offsetof(struct queued, row.request_id),
	offsetof(struct queued, row.surface),
	offsetof(struct queued, row.moment),
	offsetof(struct queued, row.initiator_id),
	offsetof(struct queued, row.on_behalf_of),
	offsetof(struct queued, row.owner_id),
	offsetof(struct queued, row.owner_name),
	offsetof(struct queued, row.template_version_id),
	offsetof(struct queued, row.outcome),
	offsetof(struct queued, row.strict_outcome),
	offsetof(struct queued, reasons),
	offsetof(struct queued, row.findings),
};

static bool insert_rows(struct store *store, const struct queued *rows, size_t count, struct problem *problem)
{
	SCOPED(arena_release) struct arena *arena = arena_new(BATCH_ARENA_BYTES_MAX);
	int64_t durations[CHUNK_ROWS];
	int64_t times[CHUNK_ROWS];
	for (size_t i = 0; i < count; i++) {
		durations[i] = rows[i].row.duration_ms;
		times[i] = rows[i].at_ms;
	}
	struct call call;
	call_write(&call, QUERY_DECISION_INSERT);
	for (size_t i = 0; i < COUNT_OF(columns); i++)
		bind_column(&call, arena, rows, count, columns[i]);
	bind_integers(&call, arena, count, durations);
	bind_integers(&call, arena, count, times);
	return store_do(store, &call, problem);
}

/* Whether the service stops, and by when the writer must be done then. */
static bool is_closing(struct decision_queue *queue, struct deadline *ret_by)
{
	pthread_mutex_lock(&queue->lock);
	bool closing = queue->closing;
	*ret_by = queue->close_by;
	pthread_mutex_unlock(&queue->lock);
	return closing;
}

/* Tries again while the database is away. A row whose answer was lost is not written twice: its id is the key. */
static bool insert_patiently(
	struct decision_queue *queue, const struct queued *rows, size_t count, struct problem *problem)
{
	struct deadline patience = deadline_in_ms(RETRY_MS);
	const struct timespec pause = {.tv_nsec = RETRY_PAUSE_MS * 1000000L};
	while (!insert_rows(queue->store, rows, count, problem)) {
		struct deadline by;
		if (is_closing(queue, &by))
			patience = deadline_earlier(patience, by);
		if (problem->kind != PROBLEM_DATABASE_UNAVAILABLE || deadline_passed(patience))
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

static void lose(size_t count, const struct problem *problem)
{
	log_event(LOG_ERROR, "decisions are lost to the log", log_number("count", (int64_t)count),
		log_string("why", problem->message));
	count_dropped(count);
}

static void write_chunk(struct decision_queue *queue, const struct queued *rows, size_t count)
{
	struct problem problem = {0};
	if (insert_patiently(queue, rows, count, &problem))
		return;
	if (problem.kind == PROBLEM_DATABASE_UNAVAILABLE) {
		lose(count, &problem);
		return;
	}
	/* One row that the database refuses must not cost the others. */
	for (size_t i = 0; i < count; i++)
		if (!insert_patiently(queue, &rows[i], 1, &problem))
			lose(1, &problem);
}

static void note_written(struct decision_queue *queue, size_t count)
{
	pthread_mutex_lock(&queue->lock);
	queue->writing -= count;
	pthread_mutex_unlock(&queue->lock);
	retention_note_written(&queue->retention, count);
}

/* A little sweeping behind each chunk: a step removes more than a chunk adds, so that a storm cannot outrun it, and is
 * over before the queue is full. */
static void sweep(struct decision_queue *queue)
{
	struct deadline by;
	if (!is_closing(queue, &by))
		retention_work(&queue->retention, queue->store);
}

static void write_batch(struct decision_queue *queue, struct batch *batch)
{
	for (size_t at = 0; at < batch->count; at += CHUNK_ROWS) {
		size_t count = batch->count - at < CHUNK_ROWS ? batch->count - at : CHUNK_ROWS;
		write_chunk(queue, &batch->rows[at], count);
		note_written(queue, count);
		sweep(queue);
	}
	batch->count = 0;
	arena_reset(batch->arena);
}

/* The batch to write, which is empty when it is time to sweep, or NULL when the queue is closed and empty. */
static struct batch *take_batch(struct decision_queue *queue)
{
	struct timespec sweep_at = deadline_timespec(retention_next(&queue->retention));
	bool quiet = false;
	pthread_mutex_lock(&queue->lock);
	while (queue->filling->count == 0 && !queue->closing && !quiet)
		quiet = pthread_cond_timedwait(&queue->wake, &queue->lock, &sweep_at) != 0;
	struct timespec until = deadline_timespec(deadline_in_ms(GATHER_MS));
	while (!queue->closing && !quiet && pthread_cond_timedwait(&queue->wake, &queue->lock, &until) == 0)
		continue;
	struct batch *batch = queue->filling;
	queue->filling = batch == &queue->batches[0] ? &queue->batches[1] : &queue->batches[0];
	queue->writing = batch->count;
	bool over = queue->closing && batch->count == 0;
	pthread_mutex_unlock(&queue->lock);
	return over ? NULL : batch;
}

static void *writer_run(void *argument)
{
	struct decision_queue *queue = argument;
	for (struct batch *batch = take_batch(queue); batch != NULL; batch = take_batch(queue)) {
		if (batch->count == 0)
			sweep(queue);
		write_batch(queue, batch);
	}
	return NULL;
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static void free_memory(struct decision_queue *queue)
{
	for (size_t i = 0; i < COUNT_OF(queue->batches); i++) {
		arena_free(queue->batches[i].arena);
		free(queue->batches[i].rows);
	}
	free(queue);
}

struct decision_queue *decision_queue_new(struct store *store, struct retention_limits limits, int64_t rate_max)
{
	struct decision_queue *queue = calloc(1, sizeof(*queue));
	if (queue == NULL)
		return NULL;
	queue->store = store;
	queue->rate_max = rate_max;
	queue->filling = &queue->batches[0];
	retention_start(&queue->retention, limits);
	bool complete = true;
	for (size_t i = 0; i < COUNT_OF(queue->batches); i++) {
		queue->batches[i].arena = arena_new(BATCH_ARENA_BYTES_MAX);
		queue->batches[i].rows = calloc(DECISION_QUEUE_MAX, sizeof(struct queued));
		complete = complete && queue->batches[i].rows != NULL;
	}
	pthread_mutex_init(&queue->lock, NULL);
	condition_init(&queue->wake);
	if (complete && pthread_create(&queue->writer, NULL, writer_run, queue) == 0)
		return queue;
	free_memory(queue);
	return NULL;
}

void decision_queue_free(struct decision_queue *queue)
{
	if (queue == NULL)
		return;
	pthread_mutex_lock(&queue->lock);
	queue->closing = true;
	queue->close_by = deadline_in_ms(RETRY_CLOSING_MS);
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
	pthread_join(queue->writer, NULL);
	pthread_cond_destroy(&queue->wake);
	pthread_mutex_destroy(&queue->lock);
	free_memory(queue);
}
