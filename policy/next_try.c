/* SPDX-License-Identifier: Apache-2.0 */
/* What to do after one try to refresh a token, and whether a refusal of a brand-new token stands: the effects in the
 * token endpoint's table of contract section 5. A refresh token may be spent once; a try whose outcome nobody learnt
 * may have spent it, so it is repeated at most once, whoever repeats it; after that, the owner's link rests for a
 * cool-down before it is tried again (schema/queries/lease_take.sql keeps the rest where a process died twice). */
#include "policy.h"

#define BACKOFF_FIRST_MS 250
#define BACKOFF_MAX_MS 2000

#define LAG_MAX_MS 1000
#define LAG_FIRST_MS 50
#define LAG_WAIT_MAX_MS 200

/* Doubles from first at each repetition, up to max. */
static int64_t backoff_ms(int64_t first, int64_t max, unsigned repetitions)
{
	int64_t wait_ms = first;

	while (repetitions > 0 && wait_ms < max) {
		wait_ms *= 2;
		repetitions--;
	}
	return wait_ms < max ? wait_ms : max;
}

static struct next_try end_with(const struct try_facts *facts, enum try_step step, enum reason reason)
{
	return (struct next_try){.step = step, .reason = reason, .outcome_known = facts->ambiguous == 0};
}

static struct next_try again_after(const struct try_facts *facts, int64_t wait_ms)
{
	struct next_try next = end_with(facts, TRY_REPEAT, REASON_COUNT);

	next.wait_ms = wait_ms;
	return next;
}

/* An end without tokens and without blame. One that leaves an exchange behind whose outcome nobody knows lets some time
 * pass before anybody asks again. */
static struct next_try give_up(const struct try_facts *facts)
{
	if (facts->ambiguous > 0)
		return end_with(facts, TRY_COOL_DOWN, REASON_PROVIDER_UNAVAILABLE);
	return end_with(facts, TRY_RELEASE, REASON_COUNT);
}

/* Retry-After is honoured where it fits into the time there is; else somebody else tries later. */
static struct next_try judge_transient(const struct try_facts *facts)
{
	int64_t wait_ms = backoff_ms(BACKOFF_FIRST_MS, BACKOFF_MAX_MS, facts->again);

	if (facts->retry_after_ms > wait_ms)
		wait_ms = facts->retry_after_ms;
	if (wait_ms >= facts->retry_left_ms || wait_ms >= facts->lease_left_ms)
		return give_up(facts);
	return again_after(facts, wait_ms);
}

/* One more try, unless this was it: an earlier lease, or a try of this one, ended without an outcome before. */
static struct next_try judge_ambiguous(const struct try_facts *facts)
{
	if (facts->unresolved == 0 && facts->ambiguous <= 1 && facts->lease_left_ms > 0)
		return again_after(facts, 0);
	return give_up(facts);
}

/* Refused after an exchange that may have happened: the provider rotated and the new token never arrived. */
static struct next_try judge_refused(const struct try_facts *facts)
{
	bool may_be_spent = facts->unresolved > 0 || facts->ambiguous > 0;
	struct next_try next =
		end_with(facts, TRY_REMEMBER, may_be_spent ? REASON_ROTATION_LOST : REASON_REFRESH_REJECTED);

	next.outcome_known = true;
	return next;
}

struct next_try next_try(const struct try_facts *facts)
{
	switch (facts->class) {
	case GRANT_GRANTED:
		return (struct next_try){.step = TRY_SAVE, .reason = REASON_COUNT, .outcome_known = true};
	case GRANT_USER:
		return judge_refused(facts);
	case GRANT_OPERATOR:
		return end_with(facts, TRY_COOL_DOWN_CLIENT, REASON_PROVIDER_MISCONFIGURED);
	case GRANT_TRANSIENT:
	case GRANT_NOT_SENT:
		return judge_transient(facts);
	case GRANT_AMBIGUOUS:
	case GRANT_CLASS_COUNT:
		break;
	}
	return judge_ambiguous(facts);
}

int64_t lag_wait_ms(int64_t token_age_ms, unsigned refusals)
{
	int64_t wait_ms = backoff_ms(LAG_FIRST_MS, LAG_WAIT_MAX_MS, refusals > 0 ? refusals - 1 : 0);

	if (token_age_ms < 0 || token_age_ms > LAG_MAX_MS - wait_ms)
		return -1;
	return wait_ms;
}
