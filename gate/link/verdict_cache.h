/* SPDX-License-Identifier: Apache-2.0 */
/* What providers said of tokens lately, in this process's memory: whether a confirmation is young enough to be used
 * again (GATE_MAX_AGE, PREFLIGHT_MAX_AGE: contract section 5) is the policy's to say. A verdict is good for exactly the
 * generation it was given for, so that whatever writes a link ends it. Bounded; nothing is allocated after the start.
 */
#ifndef LINK_VERDICT_CACHE_H
#define LINK_VERDICT_CACHE_H

#include "provider.h"

struct verdict_cache;

/* Whose token; never the token itself. An owner id that is no UUID is not remembered. */
struct verdict_key {
	const char *owner_id;
	const struct provider *provider;
	int64_t generation;
};

/* Ends the process where memory is out. */
struct verdict_cache *verdict_cache_new(void);
void verdict_cache_free(struct verdict_cache *cache); /* NULL is nothing to do */

/* All below: a NULL cache knows nothing and remembers nothing. Moments are of clock_monotonic_us. */

/* What the provider said last of the token of exactly this generation, VALIDATION_CONFIRMED or VALIDATION_REJECTED, and
 * when it was asked; VALIDATION_NONE: nothing that is remembered. */
enum validation verdict_cache_find(struct verdict_cache *cache, const struct verdict_key *key, int64_t *ret_asked_us);

/* Remembers a confirmation or a rejection, of a provider that was asked at asked_us; other outcomes say nothing about
 * the token. What was asked later stays, a rejection stays where both were asked at once. */
void verdict_cache_put(
	struct verdict_cache *cache, const struct verdict_key *key, enum validation outcome, int64_t asked_us);

/* true at most once in every_ms for a link that is remembered: the caller is to write what must outlive the process.
 * Whatever is not remembered is always true. */
bool verdict_cache_claim_note(struct verdict_cache *cache, const struct verdict_key *key, int64_t every_ms);

/* Forgets the link, because it was changed. Only memory is saved by this: its generation has moved on. */
void verdict_cache_drop(struct verdict_cache *cache, const char *owner_id, const struct provider *provider);

#endif
