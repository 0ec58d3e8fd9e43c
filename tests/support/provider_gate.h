/* SPDX-License-Identifier: Apache-2.0 */
/* Gates hold requests until a test lets them go, so that tests enumerate interleavings without sleeping. Also here:
 * every other wait of the process, so that one call ends them all when the process is told to stop. */
#ifndef PROVIDER_GATE_H
#define PROVIDER_GATE_H

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* `once` holds the next request only and is open for those behind it. */
enum gate_state { GATE_OPEN, GATE_CLOSED, GATE_ONCE };
/* Before the provider commits the effect of a request, or after it, with the answer held back. */
enum gate_moment { GATE_BEFORE, GATE_AFTER };

/* Requests at a gate draw tickets and are let go in that order: those below `released` may walk. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_int state;
	enum gate_moment moment;
	unsigned long tickets;
	unsigned long released;
	unsigned long openings;
	struct gate *next; /* all gates of the process, to wake them at its end */
};

/* A gate is never destroyed: providers last as long as the process. */
void gate_make(struct gate *gate);
/* Waits at a gate that is closed at this moment. */
void gate_pass(struct gate *gate, enum gate_moment moment);
/* Waits until the gate is opened or `limit_ms` are over. */
void gate_fall_into_black_hole(struct gate *gate, long limit_ms);
void gate_set(struct gate *gate, enum gate_state state, enum gate_moment moment);
/* Lets the longest-waiting `count` go; answers how many there were. */
unsigned gate_release(struct gate *gate, unsigned count);
/* Waits until `waiting` requests stand at the gate; false when `timeout_ms` are over first. */
bool gate_await(struct gate *gate, unsigned waiting, long timeout_ms);
cJSON *gate_to_json(struct gate *gate);
bool gate_state_from_word(const char *word, enum gate_state *ret_state);
bool gate_moment_from_word(const char *word, enum gate_moment *ret_moment);

/* False when the process was told to stop before the time was over. */
bool patience_sleep(long duration_ms);
bool patience_ended(void);
/* Ends every wait of the process, for good. */
void patience_end(void);

#endif
