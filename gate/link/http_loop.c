/* SPDX-License-Identifier: Apache-2.0 */
/* The one thread that makes all transfers: it takes calls in, begins as many per provider as the provider's bound
 * allows, lets the others wait in that provider's line, and hands answers back. One thread with shared connections
 * costs a thirtieth of a connection per request over TLS, and a line per provider keeps a dead one from holding up the
 * rest. No lock is held while transfers go on. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/metrics.h"
#include "bounds.h"
#include "http_wire.h"
#include "must_check.h"

/* Every configured provider has a lane of its own; names beyond (there are none) share the last one. */
#define LANES_MAX (PROVIDERS_MAX + 8)

/* The thread looks around at least so often, also when nobody wakes it. */
#define SLEEP_MS_MAX 10000

static const char too_late[] = "too many requests to this provider were before it";

struct call_list {
	struct http_call *first, *last;
};

struct lane {
	const char *provider_id;
	size_t running_count;
	struct call_list waiting, running;
};

struct http_client {
	pthread_t thread;
	struct http_wire *wire;

	pthread_mutex_t lock;
	bool sleeping;
	bool stopping;
	struct http_call *started_first, *started_last;
	struct http_call *cancelled_first;

	/* The thread alone. */
	size_t lane_count;
	struct lane lanes[LANES_MAX];
	size_t waiting_count;
	int64_t next_expiry_us; /* no later than the first deadline of those that wait in line */
};

/* --- lists ------------------------------------------------------------------------------------------------------- */

static void list_append(struct call_list *list, struct http_call *call)
{
	call->previous = list->last;
	call->next = NULL;
	if (list->last != NULL)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
}

static void list_remove(struct call_list *list, struct http_call *call)
{
	if (call->previous != NULL)
		call->previous->next = call->next;
	else
		list->first = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	else
		list->last = call->previous;
	call->previous = NULL;
	call->next = NULL;
}

static struct lane *lane_of(struct http_client *client, const char *provider_id)
{
	for (size_t i = 0; i < client->lane_count; i++) {
		struct lane *lane = &client->lanes[i];

		if (lane->provider_id == provider_id || strcmp(lane->provider_id, provider_id) == 0)
			return lane;
	}
	if (client->lane_count == LANES_MAX)
		return &client->lanes[LANES_MAX - 1];
	struct lane *lane = &client->lanes[client->lane_count++];
	lane->provider_id = provider_id;
	return lane;
}

/* --- how a call ends --------------------------------------------------------------------------------------------- */

static const char *result_label(const struct http_call *call)
{
	static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};

	switch (call->transport) {
	case TRANSPORT_ANSWERED:
		if (call->status >= 100 && call->status <= 599)
			return classes[call->status / 100 - 1];
		return "other";
	case TRANSPORT_NOT_SENT:
		return "not_sent";
	case TRANSPORT_AMBIGUOUS:
	case TRANSPORT_COUNT:
		break;
	}
	return "ambiguous";
}

static void count_end(struct http_call *call, const char *result)
{
	call->duration_us = call->begun_us != 0 ? clock_monotonic_us() - call->begun_us : 0;
	metrics_add(METRIC_PROVIDER_REQUESTS, (struct metric_labels){{call->provider_id, call->purpose, result}}, 1);
	if (call->begun_us != 0)
		metrics_observe_us(METRIC_PROVIDER_DURATION,
			(struct metric_labels){{call->provider_id, call->purpose, NULL}}, call->duration_us);
}

/* Takes the call out of its lane and gives its transfer back. */
static void call_leave(struct http_client *client, struct http_call *call)
{
	struct lane *lane = lane_of(client, call->provider_id);

	if (call->begun_us == 0) {
		list_remove(&lane->waiting, call);
		client->waiting_count--;
		return;
	}
	list_remove(&lane->running, call);
	lane->running_count--;
	metrics_add(METRIC_PROVIDER_IN_FLIGHT, (struct metric_labels){{call->provider_id, NULL, NULL}}, -1);
	wire_end(client->wire, call);
}

/* transport, status and failure are set. */
static void call_finish(struct http_client *client, struct http_call *call)
{
	call_leave(client, call);
	count_end(call, result_label(call));
	http_call_hand_over(call);
}

static void call_fail(struct http_client *client, struct http_call *call, enum transport transport, const char *failure)
{
	call->transport = transport;
	call->failure = failure;
	call_finish(client, call);
}

/* The message of http_call_free, the last thing that is said about an abandoned call. */
static void call_drop(struct http_client *client, struct http_call *call)
{
	if (!call->finished) {
		call_leave(client, call);
		count_end(call, "canceled");
	}
	http_call_destroy(call);
}

/* --- the loop ---------------------------------------------------------------------------------------------------- */

static void call_begin(struct http_client *client, struct lane *lane, struct http_call *call)
{
	list_remove(&lane->waiting, call);
	client->waiting_count--;
	list_append(&lane->running, call);
	lane->running_count++;
	metrics_add(METRIC_PROVIDER_IN_FLIGHT, (struct metric_labels){{call->provider_id, NULL, NULL}}, 1);
	call->begun_us = clock_monotonic_us();
	if (deadline_left_ms(call->deadline) == 0)
		call_fail(client, call, TRANSPORT_NOT_SENT, too_late);
	else if (!wire_begin(client->wire, call))
		call_fail(client, call, TRANSPORT_NOT_SENT, "the request is not lawful");
}

static void lanes_begin_calls(struct http_client *client)
{
	for (size_t i = 0; i < client->lane_count; i++) {
		struct lane *lane = &client->lanes[i];

		while (lane->waiting.first != NULL && lane->running_count < PROVIDER_IN_FLIGHT_MAX)
			call_begin(client, lane, lane->waiting.first);
	}
}

static void lane_admit(struct http_client *client, struct http_call *call)
{
	list_append(&lane_of(client, call->provider_id)->waiting, call);
	client->waiting_count++;
	if (call->refused != NULL) {
		call_fail(client, call, TRANSPORT_NOT_SENT, call->refused);
		return;
	}
	if (call->deadline.at_us < client->next_expiry_us)
		client->next_expiry_us = call->deadline.at_us;
}

static void lane_expire(struct http_client *client, struct lane *lane)
{
	struct http_call *call = lane->waiting.first;

	while (call != NULL) {
		struct http_call *next = call->next;

		if (deadline_passed(call->deadline))
			call_fail(client, call, TRANSPORT_NOT_SENT, too_late);
		else if (call->deadline.at_us < client->next_expiry_us)
			client->next_expiry_us = call->deadline.at_us;
		call = next;
	}
}

/* Ends those whose deadline passed while they stood in line; looks through the lines only when one can have. */
static void lanes_expire(struct http_client *client)
{
	if (clock_monotonic_us() < client->next_expiry_us)
		return;
	client->next_expiry_us = INT64_MAX;
	for (size_t i = 0; i < client->lane_count; i++)
		lane_expire(client, &client->lanes[i]);
}

/* Reads what others left here. false: the client is to end. */
static bool loop_receive(struct http_client *client)
{
	pthread_mutex_lock(&client->lock);
	struct http_call *started = client->started_first;
	struct http_call *cancelled = client->cancelled_first;
	bool stopping = client->stopping;
	client->started_first = NULL;
	client->started_last = NULL;
	client->cancelled_first = NULL;
	pthread_mutex_unlock(&client->lock);

	while (started != NULL) {
		struct http_call *next = started->next_started;

		lane_admit(client, started);
		started = next;
	}
	while (cancelled != NULL) {
		struct http_call *next = cancelled->next_cancelled;

		call_drop(client, cancelled);
		cancelled = next;
	}
	return !stopping;
}

static int loop_sleep_ms(const struct http_client *client)
{
	if (client->waiting_count == 0)
		return SLEEP_MS_MAX;
	int64_t left_ms = deadline_left_ms((struct deadline){.at_us = client->next_expiry_us}) + 1;
	return left_ms < SLEEP_MS_MAX ? (int)left_ms : SLEEP_MS_MAX;
}

static void loop_sleep(struct http_client *client)
{
	pthread_mutex_lock(&client->lock);
	bool idle = client->started_first == NULL && client->cancelled_first == NULL && !client->stopping;
	client->sleeping = idle;
	pthread_mutex_unlock(&client->lock);
	if (!idle)
		return;

	wire_sleep(client->wire, loop_sleep_ms(client));

	pthread_mutex_lock(&client->lock);
	client->sleeping = false;
	pthread_mutex_unlock(&client->lock);
}

static void loop_end(struct http_client *client)
{
	for (size_t i = 0; i < client->lane_count; i++) {
		struct lane *lane = &client->lanes[i];

		while (lane->waiting.first != NULL)
			call_fail(client, lane->waiting.first, TRANSPORT_AMBIGUOUS, "the service is ending");
		while (lane->running.first != NULL)
			call_fail(client, lane->running.first, TRANSPORT_AMBIGUOUS, "the service is ending");
	}
	(void)loop_receive(client);
}

static void *loop_run(void *argument)
{
	struct http_client *client = argument;

	while (loop_receive(client)) {
		lanes_expire(client);
		lanes_begin_calls(client);
		wire_perform(client->wire);
		for (struct http_call *call; (call = wire_next_ended(client->wire)) != NULL;)
			call_finish(client, call);
		lanes_begin_calls(client);
		loop_sleep(client);
	}
	loop_end(client);
	return NULL;
}

/* --- what others call -------------------------------------------------------------------------------------------- */

struct http_call *http_call_start(
	struct http_client *client, const struct http_request *request, struct waiter *waiter, size_t tag)
{
	struct http_call *call = http_call_new(client, request, waiter, tag);

	pthread_mutex_lock(&client->lock);
	if (client->started_last != NULL)
		client->started_last->next_started = call;
	else
		client->started_first = call;
	client->started_last = call;
	bool sleeping = client->sleeping;
	client->sleeping = false;
	pthread_mutex_unlock(&client->lock);
	if (sleeping)
		wire_wake(client->wire);
	return call;
}

void http_call_free(struct http_call *call)
{
	if (call == NULL)
		return;
	if (!http_call_abandon(call)) {
		http_call_destroy(call);
		return;
	}
	struct http_client *client = call->client;
	pthread_mutex_lock(&client->lock);
	call->next_cancelled = client->cancelled_first;
	client->cancelled_first = call;
	bool sleeping = client->sleeping;
	client->sleeping = false;
	pthread_mutex_unlock(&client->lock);
	if (sleeping)
		wire_wake(client->wire);
}

/* --- start and end ----------------------------------------------------------------------------------------------- */

/* Signals are for the main thread. */
static void start_thread(struct http_client *client)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int outcome = pthread_create(&client->thread, NULL, loop_run, client);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (outcome != 0) {
		(void)fputs("gatehouse: cannot start the thread that asks providers\n", stderr);
		abort();
	}
	(void)pthread_setname_np(client->thread, "providers");
}

struct http_client *http_client_new(void)
{
	struct http_client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		(void)fputs("gatehouse: out of memory\n", stderr);
		abort();
	}
	client->wire = wire_new();
	client->next_expiry_us = INT64_MAX;
	pthread_mutex_init(&client->lock, NULL);
	start_thread(client);
	return client;
}

void http_client_free(struct http_client *client)
{
	if (client == NULL)
		return;
	pthread_mutex_lock(&client->lock);
	client->stopping = true;
	pthread_mutex_unlock(&client->lock);
	wire_wake(client->wire);
	pthread_join(client->thread, NULL);
	wire_free(client->wire);
	pthread_mutex_destroy(&client->lock);
	free(client);
}
