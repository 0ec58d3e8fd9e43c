/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks: the wall clock for what is stored and shown, the monotonic one for budgets and durations. The lease
 * is judged on neither: it uses the database's. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "arena.h"

int64_t clock_now_ms(void);       /* milliseconds since 1970 UTC */
int64_t clock_monotonic_us(void); /* microseconds since an arbitrary start */

/* A moment by which something must be done, on the monotonic clock. */
struct deadline {
	int64_t at_us;
};

struct deadline deadline_in_ms(int64_t duration_ms);
struct deadline deadline_earlier(struct deadline left, struct deadline right);
int64_t deadline_left_ms(struct deadline deadline); /* 0 when passed */
bool deadline_passed(struct deadline deadline);
struct timespec deadline_timespec(struct deadline deadline); /* for conditions made by condition_init */

/* A condition variable that waits on the monotonic clock. */
void condition_init(pthread_cond_t *condition);

/* RFC 3339 in UTC with milliseconds and Z; NULL for 0. */
char *clock_rfc3339(struct arena *arena, int64_t at_ms);
/* Parses RFC 3339 with any offset; false where it is none. */
bool clock_parse_rfc3339(const char *text, int64_t *ret_at_ms);
/* Parses an HTTP-date in any of its three forms (RFC 9110 section 5.6.7), to the second; false where it is none. */
bool clock_parse_http_date(const char *text, int64_t *ret_at_ms);

#endif
