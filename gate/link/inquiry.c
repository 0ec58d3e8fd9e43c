/* SPDX-License-Identifier: Apache-2.0 */
/* Shared questions: see inquiry.h. One lock for the table; inside it are taken the lock of a question's waiter and the
 * client's, never the other way round. A question's call ends at a waiter of its own, which those who asked follow. */
#include "inquiry.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/metrics.h"
#include "http_call.h"
#include "validate.h"

#define CHAINS 256

/* The transfer itself is bounded (PROVIDER_REQUEST_MS); how long to stand in the provider's line is for those who wait
 * to say, and the last of them takes the call along. */
#define LINE_MS (60 * 60 * 1000)

struct inquiry {
	struct inquiry *next; /* in its chain, while it is listed */
	bool is_listed;       /* newcomers may find it */
	size_t inquirers;
	const struct provider *provider;
	int64_t generation;
	int64_t asked_us;
	struct waiter *crowd; /* where the call ends: nobody waits here, the inquirers follow */
	struct http_call *call;
	char owner_id[];
};

struct inquirer {
	struct awaited awaited; /* first, so that the one is the other */
	struct inquiries *inquiries;
	struct inquiry *inquiry;
};

struct inquiries {
	struct http_client *http;
	pthread_mutex_t lock;
	struct inquiry *chains[CHAINS];
};

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL) {
		(void)fputs("gatehouse: out of memory for a question to a provider\n", stderr);
		abort();
	}
	return memory;
}

struct inquiries *inquiries_new(struct http_client *http)
{
	struct inquiries *inquiries = allocate(sizeof(*inquiries));

	inquiries->http = http;
	pthread_mutex_init(&inquiries->lock, NULL);
	return inquiries;
}

void inquiries_free(struct inquiries *inquiries)
{
	if (inquiries == NULL)
		return;
	pthread_mutex_destroy(&inquiries->lock);
	free(inquiries);
}

/* --- the table; all with the lock held --------------------------------------------------------------------------- */

/* FNV-1a over the owner's id: an owner's few providers make no long chain. */
static struct inquiry **chain_of(struct inquiries *inquiries, const char *owner_id)
{
	uint32_t hash = UINT32_C(2166136261);

	for (const char *byte = owner_id; *byte != '\0'; byte++)
		hash = (hash ^ (uint8_t)*byte) * UINT32_C(16777619);
	return &inquiries->chains[hash % CHAINS];
}

static bool is_about(const struct inquiry *inquiry, const struct verdict_key *key)
{
	return inquiry->provider == key->provider && inquiry->generation == key->generation &&
	       strcmp(inquiry->owner_id, key->owner_id) == 0;
}

static struct inquiry *find_inquiry(struct inquiries *inquiries, const struct verdict_key *key)
{
	struct inquiry *inquiry = *chain_of(inquiries, key->owner_id);

	while (inquiry != NULL && !is_about(inquiry, key))
		inquiry = inquiry->next;
	return inquiry;
}

static void unlist(struct inquiries *inquiries, struct inquiry *inquiry)
{
	struct inquiry **at = chain_of(inquiries, inquiry->owner_id);

	if (!inquiry->is_listed)
		return;
	while (*at != inquiry)
		at = &(*at)->next;
	*at = inquiry->next;
	inquiry->is_listed = false;
}

static struct inquiry *add_inquiry(struct inquiries *inquiries, const struct verdict_key *key)
{
	size_t owner_size = strlen(key->owner_id) + 1;
	struct inquiry *inquiry = allocate(sizeof(*inquiry) + owner_size);
	struct inquiry **chain = chain_of(inquiries, key->owner_id);

	memcpy(inquiry->owner_id, key->owner_id, owner_size);
	inquiry->provider = key->provider;
	inquiry->generation = key->generation;
	inquiry->asked_us = clock_monotonic_us();
	inquiry->crowd = waiter_new();
	inquiry->next = *chain;
	*chain = inquiry;
	inquiry->is_listed = true;
	return inquiry;
}

static struct inquiry *start_inquiry(
	struct inquiries *inquiries, const struct inquiry_question *question, struct inquirer *inquirer)
{
	struct inquiry *inquiry = add_inquiry(inquiries, &question->key);
	struct http_request request = validate_request(
		question->key.provider, question->access_token, question->arena, deadline_in_ms(LINE_MS));

	/* Nothing is under way yet, so it is in time. */
	if (!waiter_follow(inquiry->crowd, &inquirer->awaited))
		abort();
	inquiry->call = http_call_start(inquiries->http, &request, inquiry->crowd, 0);
	return inquiry;
}

/* The question under way that is the same, once the inquirer follows it; NULL: there is none. */
static struct inquiry *join_inquiry(
	struct inquiries *inquiries, const struct verdict_key *key, struct inquirer *inquirer)
{
	struct inquiry *inquiry = find_inquiry(inquiries, key);

	if (inquiry == NULL)
		return NULL;
	if (waiter_follow(inquiry->crowd, &inquirer->awaited)) {
		metrics_add(METRIC_VALIDATIONS_JOINED, (struct metric_labels){{key->provider->id, NULL, NULL}}, 1);
		return inquiry;
	}
	/* Its answer is there, and was given before it was asked for now. */
	unlist(inquiries, inquiry);
	return NULL;
}

/* --- what others call -------------------------------------------------------------------------------------------- */

_Static_assert(offsetof(struct inquirer, awaited) == 0, "an awaited that comes back is its inquirer");

struct inquirer *inquiry_join(
	struct inquiries *inquiries, const struct inquiry_question *question, struct waiter *waiter, size_t tag)
{
	struct inquirer *inquirer = allocate(sizeof(*inquirer));

	waiter_begin(waiter, &inquirer->awaited, tag);
	inquirer->inquiries = inquiries;
	pthread_mutex_lock(&inquiries->lock);
	inquirer->inquiry = join_inquiry(inquiries, &question->key, inquirer);
	if (inquirer->inquiry == NULL)
		inquirer->inquiry = start_inquiry(inquiries, question, inquirer);
	inquirer->inquiry->inquirers++;
	pthread_mutex_unlock(&inquiries->lock);
	return inquirer;
}

int64_t inquirer_asked_us(const struct inquirer *inquirer)
{
	return inquirer->inquiry->asked_us;
}

struct http_answer inquirer_answer(const struct inquirer *inquirer)
{
	return http_call_peek(inquirer->inquiry->call);
}

static void free_inquiry(struct inquiry *inquiry)
{
	http_call_free(inquiry->call);
	waiter_free(inquiry->crowd);
	free(inquiry);
}

void inquirer_leave(struct inquirer *inquirer)
{
	if (inquirer == NULL)
		return;
	struct inquiries *inquiries = inquirer->inquiries;
	struct inquiry *inquiry = inquirer->inquiry;

	pthread_mutex_lock(&inquiries->lock);
	waiter_unfollow(inquiry->crowd, &inquirer->awaited);
	bool is_last = --inquiry->inquirers == 0;
	if (is_last)
		unlist(inquiries, inquiry);
	pthread_mutex_unlock(&inquiries->lock);
	(void)waiter_leave(&inquirer->awaited);
	waiter_forget(&inquirer->awaited);
	free(inquirer);
	if (is_last)
		free_inquiry(inquiry);
}
