/* SPDX-License-Identifier: Apache-2.0 */
/* Gates and interruptible waits of the demonstration provider; see provider_gate.h. */
#include "provider_gate.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static const char *const state_words[] = {[GATE_OPEN] = "open", [GATE_CLOSED] = "closed", [GATE_ONCE] = "once"};
static const char *const moment_words[] = {[GATE_BEFORE] = "before", [GATE_AFTER] = "after"};

static atomic_bool ended;
static struct gate *all_gates;
static pthread_mutex_t all_gates_lock = PTHREAD_MUTEX_INITIALIZER;
static struct gate sleepers; /* everybody who just sleeps waits here; made with the first gate */
static pthread_once_t sleepers_once = PTHREAD_ONCE_INIT;

static void gate_join(struct gate *gate)
{
	pthread_mutex_lock(&all_gates_lock);
	gate->next = all_gates;
	all_gates = gate;
	pthread_mutex_unlock(&all_gates_lock);
}

void gate_make(struct gate *gate)
{
	pthread_condattr_t steady;
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->changed, &steady);
	pthread_condattr_destroy(&steady);
	atomic_init(&gate->state, GATE_OPEN);
	gate_join(gate);
}

static void sleepers_make(void)
{
	gate_make(&sleepers);
}

static struct timespec deadline_after(long duration_ms)
{
	struct timespec deadline;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += duration_ms / 1000;
	deadline.tv_nsec += duration_ms % 1000 * 1000000;
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_nsec -= 1000000000;
		deadline.tv_sec++;
	}
	return deadline;
}

void gate_pass(struct gate *gate, enum gate_moment moment)
{
	/* The common case costs no lock: load tests go through here. */
	if (atomic_load(&gate->state) == GATE_OPEN)
		return;
	pthread_mutex_lock(&gate->lock);
	if (atomic_load(&gate->state) != GATE_OPEN && gate->moment == moment) {
		int once = GATE_ONCE;
		atomic_compare_exchange_strong(&gate->state, &once, GATE_OPEN);
		unsigned long ticket = gate->tickets++;
		pthread_cond_broadcast(&gate->changed);
		while (ticket >= gate->released && !patience_ended())
			pthread_cond_wait(&gate->changed, &gate->lock);
	}
	pthread_mutex_unlock(&gate->lock);
}

void gate_fall_into_black_hole(struct gate *gate, long limit_ms)
{
	struct timespec deadline = deadline_after(limit_ms);
	pthread_mutex_lock(&gate->lock);
	unsigned long openings = gate->openings;
	int waited = 0;
	while (gate->openings == openings && waited != ETIMEDOUT && !patience_ended())
		waited = pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline);
	pthread_mutex_unlock(&gate->lock);
}

void gate_set(struct gate *gate, enum gate_state state, enum gate_moment moment)
{
	pthread_mutex_lock(&gate->lock);
	atomic_store(&gate->state, (int)state);
	gate->moment = moment;
	if (state == GATE_OPEN) {
		gate->released = gate->tickets;
		gate->openings++;
	}
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

unsigned gate_release(struct gate *gate, unsigned count)
{
	pthread_mutex_lock(&gate->lock);
	unsigned long standing = gate->tickets - gate->released;
	unsigned walking = standing < count ? (unsigned)standing : count;
	gate->released += walking;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
	return walking;
}

bool gate_await(struct gate *gate, unsigned waiting, long timeout_ms)
{
	struct timespec deadline = deadline_after(timeout_ms);
	pthread_mutex_lock(&gate->lock);
	int waited = 0;
	/* Who was released but has not walked yet does not stand here any more. */
	while (gate->tickets - gate->released < waiting && waited != ETIMEDOUT && !patience_ended())
		waited = pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline);
	bool reached = gate->tickets - gate->released >= waiting;
	pthread_mutex_unlock(&gate->lock);
	return reached;
}

cJSON *gate_to_json(struct gate *gate)
{
	cJSON *object = cJSON_CreateObject();
	pthread_mutex_lock(&gate->lock);
	cJSON_AddStringToObject(object, "state", state_words[atomic_load(&gate->state)]);
	cJSON_AddStringToObject(object, "moment", moment_words[gate->moment]);
	cJSON_AddNumberToObject(object, "waiting", (double)(gate->tickets - gate->released));
	cJSON_AddNumberToObject(object, "held_so_far", (double)gate->tickets);
	pthread_mutex_unlock(&gate->lock);
	return object;
}

bool gate_state_from_word(const char *word, enum gate_state *ret_state)
{
	for (enum gate_state i = GATE_OPEN; i <= GATE_ONCE; i++) {
		if (strcmp(state_words[i], word) == 0) {
			*ret_state = i;
			return true;
		}
	}
	return false;
}

bool gate_moment_from_word(const char *word, enum gate_moment *ret_moment)
{
	for (enum gate_moment i = GATE_BEFORE; i <= GATE_AFTER; i++) {
		if (strcmp(moment_words[i], word) == 0) {
			*ret_moment = i;
			return true;
		}
	}
	return false;
}

bool patience_sleep(long duration_ms)
{
	struct timespec deadline = deadline_after(duration_ms);
	pthread_once(&sleepers_once, sleepers_make);
	pthread_mutex_lock(&sleepers.lock);
	int waited = 0;
	while (waited != ETIMEDOUT && !patience_ended())
		waited = pthread_cond_timedwait(&sleepers.changed, &sleepers.lock, &deadline);
	pthread_mutex_unlock(&sleepers.lock);
	return !patience_ended();
}

bool patience_ended(void)
{
	return atomic_load(&ended);
}

void patience_end(void)
{
	atomic_store(&ended, true);
	pthread_mutex_lock(&all_gates_lock);
	for (struct gate *gate = all_gates; gate; gate = gate->next) {
		/* Under the gate's lock, so that nobody between the question and the wait misses it. */
		pthread_mutex_lock(&gate->lock);
		pthread_cond_broadcast(&gate->changed);
		pthread_mutex_unlock(&gate->lock);
	}
	pthread_mutex_unlock(&all_gates_lock);
}
