/* SPDX-License-Identifier: Apache-2.0 */
/* The breakers' shared state, behind one lock: it is held for a few comparisons. See breaker.h. */
#include "breaker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/metrics.h"
#include "must_check.h"

struct breakers {
	const struct providers *providers;
	pthread_mutex_t lock;
	struct breaker_state states[PROVIDERS_MAX][BREAKER_ENDPOINT_COUNT]; /* in the order of the providers */
};

static const char *const endpoint_words[] = {[BREAKER_VALIDATE] = "validate", [BREAKER_TOKEN] = "token"};
_Static_assert(COUNT_OF(endpoint_words) == BREAKER_ENDPOINT_COUNT, "every endpoint has its word");

static void show_state(const struct provider *provider, enum breaker_endpoint endpoint, bool open)
{
	metrics_set(METRIC_BREAKER_OPEN, (struct metric_labels){{provider->id, endpoint_words[endpoint], NULL}}, open);
}

struct breakers *breakers_new(const struct providers *providers)
{
	struct breakers *breakers = calloc(1, sizeof(*breakers));

	if (breakers == NULL) {
		(void)fputs("gatehouse: out of memory for the breakers\n", stderr);
		abort();
	}
	breakers->providers = providers;
	pthread_mutex_init(&breakers->lock, NULL);
	/* An alert needs the series before it is wanted. */
	for (size_t i = 0; i < providers->count; i++)
		for (size_t endpoint = 0; endpoint < BREAKER_ENDPOINT_COUNT; endpoint++)
			show_state(providers->list[i], (enum breaker_endpoint)endpoint, false);
	return breakers;
}

void breakers_free(struct breakers *breakers)
{
	if (breakers == NULL)
		return;
	pthread_mutex_destroy(&breakers->lock);
	free(breakers);
}

/* NULL: there are no breakers, or it is no provider of the configuration's. */
static struct breaker_state *find_state(
	struct breakers *breakers, const struct provider *provider, enum breaker_endpoint endpoint)
{
	if (breakers == NULL)
		return NULL;
	for (size_t i = 0; i < breakers->providers->count; i++)
		if (breakers->providers->list[i] == provider)
			return &breakers->states[i][endpoint];
	return NULL;
}

bool breaker_lets_ask(struct breakers *breakers, const struct provider *provider, enum breaker_endpoint endpoint,
	unsigned *ret_retry_after_s)
{
	struct breaker_state *state = find_state(breakers, provider, endpoint);

	*ret_retry_after_s = 0;
	if (state == NULL)
		return true;
	pthread_mutex_lock(&breakers->lock);
	int64_t now_ms = clock_monotonic_us() / 1000;
	struct breaker_step step = breaker_next_step(state, now_ms);
	if (step.kind == BREAKER_PROBE)
		*state = breaker_after_probe(state, now_ms);
	pthread_mutex_unlock(&breakers->lock);
	*ret_retry_after_s = step.retry_after_s;
	if (step.kind != BREAKER_SKIP)
		return true;
	metrics_add(METRIC_BREAKER_SKIPPED, (struct metric_labels){{provider->id, endpoint_words[endpoint], NULL}}, 1);
	return false;
}

static void tell_change(const struct provider *provider, enum breaker_endpoint endpoint, bool open)
{
	show_state(provider, endpoint, open);
	if (open)
		log_event(LOG_WARN, "provider left alone: it could not be reached several times in a row",
			log_string("provider", provider->id), log_string("endpoint", endpoint_words[endpoint]));
	else
		log_event(LOG_INFO, "provider reached again", log_string("provider", provider->id),
			log_string("endpoint", endpoint_words[endpoint]));
}

void breaker_note(struct breakers *breakers, const struct provider *provider, enum breaker_endpoint endpoint,
	bool reached, int64_t asked_us)
{
	struct breaker_state *state = find_state(breakers, provider, endpoint);

	if (state == NULL)
		return;
	pthread_mutex_lock(&breakers->lock);
	int64_t now_ms = clock_monotonic_us() / 1000;
	bool was_open = state->probe_at_ms != 0;
	*state = reached ? breaker_after_reached(now_ms) : breaker_after_failure(state, asked_us / 1000, now_ms);
	bool is_open = state->probe_at_ms != 0;
	/* Told with the lock held, so that the metric ends as the state does. */
	if (is_open != was_open)
		tell_change(provider, endpoint, is_open);
	pthread_mutex_unlock(&breakers->lock);
}
