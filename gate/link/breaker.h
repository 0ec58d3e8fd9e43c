/* SPDX-License-Identifier: Apache-2.0 */
/* Which providers this process leaves alone because they could not be reached lately (contract section 5, "Breaker").
 * What follows from what is the policy's (policy/breaker.c); here lies the state that all threads share. */
#ifndef LINK_BREAKER_H
#define LINK_BREAKER_H

#include "provider.h"

/* The two ways to a provider each have a count of their own: where tokens are refused service, others may be checked.
 */
enum breaker_endpoint { BREAKER_VALIDATE, BREAKER_TOKEN, BREAKER_ENDPOINT_COUNT };

struct breakers;

/* Closed for every provider. providers must stay. Ends the process where memory is out. */
struct breakers *breakers_new(const struct providers *providers);
void breakers_free(struct breakers *breakers); /* NULL is nothing to do */

/* Whether to ask this endpoint now. false: it is left alone, and *ret_retry_after_s (at least 1) is until the next
 * probe. true while it is left alone makes the caller the probe, so whoever is told true asks. Without breakers (NULL)
 * always true. */
bool breaker_lets_ask(struct breakers *breakers, const struct provider *provider, enum breaker_endpoint endpoint,
	unsigned *ret_retry_after_s);

/* How an evaluation (of BREAKER_TOKEN: a refresh) fared that asked the endpoint at this moment of clock_monotonic_us.
 */
void breaker_note(struct breakers *breakers, const struct provider *provider, enum breaker_endpoint endpoint,
	bool reached, int64_t asked_us);

#endif
