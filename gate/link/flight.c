/* SPDX-License-Identifier: Apache-2.0 */
/* The flight table and its threads: see flight.h. Each provider has a line of its own and a bound of its own, and
 * threads serve the lines in turn, so a provider that never answers holds up nobody else's refreshes. One lock for
 * everything here; it is never held while a flight asks the database or a provider. A waiter's own lock is taken inside
 * it, never the other way round. */
#include "flight.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/log.h"
#include "../base/metrics.h"

/* A thread without work for so long ends. */
#define THREAD_IDLE_MS 10000

/* What drain keeps of its time for threads that have been told to leave a database that is away. */
#define LEAVE_MS INT64_C(3000)

/* One refresh token and its extras beside the names. */
#define FLIGHT_ARENA_BYTES_MAX ((size_t)4 * PROVIDER_TOKEN_BYTES_MAX)

#define BUCKETS 256

/* Threads of all providers together, as a multiple of one provider's bound: more dead providers at once are not
 * provided for. */
#define THREADS_PER_BOUND 4

struct ticket {
	struct awaited awaited; /* first, so that the one is the other */
	struct flights *flights;
	struct flight *flight; /* NULL: it has ended. Guarded by the flights' lock, like the two below. */
	struct ticket *previous, *next;
	int64_t generation; /* that the caller asked about */
	struct refresh_outcome outcome;
};

_Static_assert(offsetof(struct ticket, awaited) == 0, "an awaited that comes back is its ticket");

struct flight {
	struct arena *arena;
	struct refresh_question question;
	struct refresh_signs signs;
	struct ticket *tickets;
	struct flight *next_in_bucket;
	struct flight *next_in_line;
};

/* The flights of one provider that have not begun. */
struct line {
	const struct provider *provider;
	size_t under_way;
	size_t length;
	struct flight *first, *last;
};

struct flights {
	struct engine *engine;
	size_t provider_max;
	_Atomic int ending;

	pthread_mutex_t lock;
	pthread_cond_t wanted; /* a flight may begin, or the end has come */
	pthread_cond_t left;   /* a thread has ended */
	size_t threads;
	size_t idle;
	size_t line_count;
	size_t line_next; /* whose turn it is */
	struct line lines[PROVIDERS_MAX];
	struct flight *buckets[BUCKETS];
};

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL) {
		(void)fputs("gatehouse: out of memory for a refresh\n", stderr);
		abort();
	}
	return memory;
}

/* --- the table; all with the lock held --------------------------------------------------------------------------- */

/* FNV-1a over the owner's id; a provider more or less makes no long list. */
static struct flight **bucket_of(struct flights *flights, const char *owner_id)
{
	uint32_t hash = UINT32_C(2166136261);

	for (const char *byte = owner_id; *byte != '\0'; byte++)
		hash = (hash ^ (uint8_t)*byte) * UINT32_C(16777619);
	return &flights->buckets[hash % BUCKETS];
}

static struct flight *find_flight(struct flights *flights, const struct refresh_question *question)
{
	struct flight *flight = *bucket_of(flights, question->owner_id);

	while (flight != NULL && (flight->question.provider != question->provider ||
					 strcmp(flight->question.owner_id, question->owner_id) != 0))
		flight = flight->next_in_bucket;
	return flight;
}

static struct line *line_of(struct flights *flights, const struct provider *provider)
{
	for (size_t i = 0; i < flights->line_count; i++)
		if (flights->lines[i].provider == provider)
			return &flights->lines[i];
	/* There are no more providers than lines. */
	struct line *line = &flights->lines[flights->line_count++ % PROVIDERS_MAX];
	line->provider = provider;
	return line;
}

static void stand_in_line(struct flights *flights, struct flight *flight)
{
	struct line *line = line_of(flights, flight->question.provider);

	if (line->last != NULL)
		line->last->next_in_line = flight;
	else
		line->first = flight;
	line->last = flight;
	line->length++;
}

static bool may_begin(const struct flights *flights, const struct line *line)
{
	return line->first != NULL && line->under_way < flights->provider_max;
}

/* The next line that has a flight which may begin, or NULL. */
static struct line *find_line(struct flights *flights)
{
	for (size_t i = 0; i < flights->line_count; i++) {
		struct line *line = &flights->lines[(flights->line_next + i) % flights->line_count];

		if (may_begin(flights, line))
			return line;
	}
	return NULL;
}

/* How many flights only lack a thread. */
static size_t count_ready(const struct flights *flights)
{
	size_t ready = 0;

	for (size_t i = 0; i < flights->line_count; i++) {
		const struct line *line = &flights->lines[i];
		size_t room = flights->provider_max - line->under_way;

		ready += line->length < room ? line->length : room;
	}
	return ready;
}

/* NULL: none may begin. */
static struct flight *take_from_line(struct flights *flights)
{
	struct line *line = find_line(flights);

	if (line == NULL)
		return NULL;
	struct flight *flight = line->first;
	line->first = flight->next_in_line;
	if (line->first == NULL)
		line->last = NULL;
	line->length--;
	line->under_way++;
	flights->line_next = (size_t)(line - flights->lines) + 1;
	return flight;
}

static struct flight *add_flight(struct flights *flights, const struct refresh_question *question)
{
	struct flight *flight = allocate(sizeof(*flight));
	struct flight **bucket = bucket_of(flights, question->owner_id);

	flight->arena = arena_new(FLIGHT_ARENA_BYTES_MAX);
	flight->question = (struct refresh_question){
		.owner_id = arena_copy(flight->arena, question->owner_id),
		.provider = question->provider,
		.generation = question->generation,
		.refresh_token = secret_copy(flight->arena, question->refresh_token.text, question->refresh_token.size),
	};
	if (!secret_is_empty(question->extras))
		flight->question.extras = secret_copy(flight->arena, question->extras.text, question->extras.size);
	flight->signs.ending = &flights->ending;
	flight->next_in_bucket = *bucket;
	*bucket = flight;
	stand_in_line(flights, flight);
	metrics_add(METRIC_FLIGHTS, (struct metric_labels){0}, 1);
	return flight;
}

static void remove_flight(struct flights *flights, const struct flight *flight)
{
	struct flight **at = bucket_of(flights, flight->question.owner_id);

	while (*at != flight)
		at = &(*at)->next_in_bucket;
	*at = flight->next_in_bucket;
	metrics_add(METRIC_FLIGHTS, (struct metric_labels){0}, -1);
}

static void free_flight(struct flight *flight)
{
	arena_free(flight->arena);
	free(flight);
}

static void attach(struct flight *flight, struct ticket *ticket)
{
	ticket->flight = flight;
	ticket->next = flight->tickets;
	if (ticket->next != NULL)
		ticket->next->previous = ticket;
	flight->tickets = ticket;
	atomic_fetch_add(&flight->signs.wanted, 1);
}

static void detach(struct ticket *ticket)
{
	struct flight *flight = ticket->flight;

	if (ticket->previous != NULL)
		ticket->previous->next = ticket->next;
	else
		flight->tickets = ticket->next;
	if (ticket->next != NULL)
		ticket->next->previous = ticket->previous;
	ticket->flight = NULL;
	atomic_fetch_sub(&flight->signs.wanted, 1);
}

/* What was found out of another generation than the caller's is not for the caller to use. */
static void land(struct flights *flights, struct flight *flight, struct refresh_outcome outcome)
{
	remove_flight(flights, flight);
	while (flight->tickets != NULL) {
		struct ticket *ticket = flight->tickets;
		bool is_same = ticket->generation == flight->question.generation;

		detach(ticket);
		ticket->outcome = is_same ? outcome : (struct refresh_outcome){.end = REFRESH_NOT_TRIED};
		(void)waiter_hand_over(&ticket->awaited);
	}
}

/* --- the threads ------------------------------------------------------------------------------------------------- */

/* One that nobody waits for any more before it has begun need not begin, nor one at the end of the service. */
static bool is_worth_flying(const struct flight *flight)
{
	return atomic_load(&flight->signs.wanted) > 0 && !refresh_is_stopping(&flight->signs);
}

/* Comes and goes with the lock held. */
static void fly(struct flights *flights, struct flight *flight)
{
	struct refresh_outcome outcome = {.end = REFRESH_FAILED_TRANSIENTLY};

	if (is_worth_flying(flight)) {
		pthread_mutex_unlock(&flights->lock);
		outcome = refresh_link(flights->engine, &flight->question, &flight->signs);
		pthread_mutex_lock(&flights->lock);
	}
	line_of(flights, flight->question.provider)->under_way--;
	land(flights, flight, outcome);
	free_flight(flight);
}

/* Waits for a flight that may begin; NULL: none came for a while, or the end has come. With the lock held. */
static struct flight *await_flight(struct flights *flights)
{
	struct timespec until = deadline_timespec(deadline_in_ms(THREAD_IDLE_MS));
	int outcome = 0;

	flights->idle++;
	while (find_line(flights) == NULL && flights->ending == REFRESH_SERVING && outcome == 0)
		outcome = pthread_cond_timedwait(&flights->wanted, &flights->lock, &until);
	flights->idle--;
	return take_from_line(flights);
}

static void *run_thread(void *argument)
{
	struct flights *flights = argument;
	struct flight *flight;

	pthread_mutex_lock(&flights->lock);
	while ((flight = await_flight(flights)) != NULL)
		fly(flights, flight);
	flights->threads--;
	pthread_cond_signal(&flights->left);
	pthread_mutex_unlock(&flights->lock);
	return NULL;
}

static bool start_thread(struct flights *flights)
{
	sigset_t all, before;
	pthread_t thread;

	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int outcome = pthread_create(&thread, NULL, run_thread, flights);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (outcome != 0)
		return false;
	(void)pthread_setname_np(thread, "refresh");
	(void)pthread_detach(thread);
	return true;
}

/* With the lock held. A thread that was woken is idle until it runs: what it was woken for still counts as ready. Where
 * no thread can be made, the flight waits for one that is there. */
static void find_thread(struct flights *flights)
{
	pthread_cond_signal(&flights->wanted);
	if (flights->threads == flights->provider_max * THREADS_PER_BOUND || count_ready(flights) <= flights->idle)
		return;
	flights->threads++;
	if (start_thread(flights))
		return;
	flights->threads--;
	log_event(LOG_ERROR, "no thread for a refresh", log_number("threads", (int64_t)flights->threads));
}

/* --- what others call -------------------------------------------------------------------------------------------- */

struct flights *flights_new(struct engine *engine, size_t provider_max)
{
	struct flights *flights = allocate(sizeof(*flights));

	flights->engine = engine;
	flights->provider_max = provider_max > 0 ? provider_max : 1;
	pthread_mutex_init(&flights->lock, NULL);
	condition_init(&flights->wanted);
	condition_init(&flights->left);
	return flights;
}

struct ticket *flight_join(
	struct flights *flights, const struct refresh_question *question, struct waiter *waiter, size_t tag)
{
	struct ticket *ticket = allocate(sizeof(*ticket));

	waiter_begin(waiter, &ticket->awaited, tag);
	ticket->flights = flights;
	ticket->generation = question->generation;
	pthread_mutex_lock(&flights->lock);
	struct flight *flight = find_flight(flights, question);
	bool is_new = flight == NULL;
	if (is_new)
		flight = add_flight(flights, question);
	attach(flight, ticket);
	if (is_new)
		find_thread(flights);
	pthread_mutex_unlock(&flights->lock);
	return ticket;
}

struct refresh_outcome ticket_outcome(const struct ticket *ticket)
{
	return ticket->outcome;
}

bool ticket_is_elsewhere(const struct ticket *ticket)
{
	pthread_mutex_lock(&ticket->flights->lock);
	bool elsewhere = ticket->flight != NULL && atomic_load(&ticket->flight->signs.elsewhere);
	pthread_mutex_unlock(&ticket->flights->lock);
	return elsewhere;
}

void ticket_leave(struct ticket *ticket)
{
	if (ticket == NULL)
		return;
	pthread_mutex_lock(&ticket->flights->lock);
	if (ticket->flight != NULL)
		detach(ticket);
	pthread_mutex_unlock(&ticket->flights->lock);
	(void)waiter_leave(&ticket->awaited);
	waiter_forget(&ticket->awaited);
	free(ticket);
}

/* With the lock held. */
static void await_threads(struct flights *flights, struct deadline deadline)
{
	struct timespec until = deadline_timespec(deadline);
	int outcome = 0;

	while (flights->threads > 0 && outcome == 0)
		outcome = pthread_cond_timedwait(&flights->left, &flights->lock, &until);
}

void flights_drain(struct flights *flights, struct deadline deadline)
{
	if (flights == NULL)
		return;
	pthread_mutex_lock(&flights->lock);
	if (flights->threads > flights->idle)
		log_event(LOG_INFO, "waiting for refreshes under way",
			log_number("refreshes", (int64_t)(flights->threads - flights->idle)));
	atomic_store(&flights->ending, REFRESH_STOPPING);
	pthread_cond_broadcast(&flights->wanted);
	await_threads(flights, (struct deadline){.at_us = deadline.at_us - LEAVE_MS * 1000});
	if (flights->threads > 0) {
		log_event(LOG_ERROR, "refreshes under way are given up",
			log_number("refreshes", (int64_t)flights->threads));
		atomic_store(&flights->ending, REFRESH_LEAVING);
		/* They see it at their next look; the store under them must not go before. */
		while (flights->threads > 0)
			await_threads(flights, deadline_in_ms(LEAVE_MS));
	}
	pthread_mutex_unlock(&flights->lock);
}

void flights_free(struct flights *flights)
{
	if (flights == NULL)
		return;
	pthread_cond_destroy(&flights->left);
	pthread_cond_destroy(&flights->wanted);
	pthread_mutex_destroy(&flights->lock);
	free(flights);
}
