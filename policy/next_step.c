/* SPDX-License-Identifier: Apache-2.0 */
/* What to do next for one link, from what is known of it: the validation and refresh tables of contract section 5. The
 * engine asks, does what the answer says, and asks again with what came back, until the answer is STEP_SETTLED. */
#include "policy.h"

static struct step settled(enum reason reason)
{
	return (struct step){.kind = STEP_SETTLED, .reason = reason};
}

static struct step proceed(enum step_kind kind)
{
	return (struct step){.kind = kind, .reason = REASON_COUNT};
}

bool confirmation_is_fresh(int64_t confirmed_at_ms, int64_t age_max_ms, int64_t now_ms)
{
	if (confirmed_at_ms <= 0 || confirmed_at_ms > now_ms)
		return false;
	return now_ms - confirmed_at_ms < age_max_ms;
}

/* A time that is not known is after every expiry: a missing fact never keeps a token alive. */
static bool is_expired(const struct link_facts *facts, int64_t now_ms)
{
	if (facts->expires_at_ms == 0)
		return false;
	return now_ms <= 0 || now_ms >= facts->expires_at_ms;
}

/* MIN_VALID, or half of the token's whole life where that is shorter: a provider whose tokens live shorter than
 * MIN_VALID would otherwise be asked for a new one at every evaluation. */
static int64_t life_wanted_ms(const struct link_facts *facts, const struct provider_rules *rules)
{
	if (facts->issued_at_ms <= 0 || facts->issued_at_ms >= facts->expires_at_ms)
		return rules->min_valid_ms;

	/* Rounded up: less than the half of an odd number is less than the next whole one. */
	int64_t life_ms = facts->expires_at_ms - facts->issued_at_ms;
	int64_t half_life_ms = life_ms - life_ms / 2;
	return half_life_ms < rules->min_valid_ms ? half_life_ms : rules->min_valid_ms;
}

static bool is_too_old(const struct link_facts *facts, const struct provider_rules *rules, int64_t now_ms)
{
	if (facts->expires_at_ms == 0)
		return false;
	if (is_expired(facts, now_ms))
		return true;
	return facts->expires_at_ms - now_ms < life_wanted_ms(facts, rules);
}

static bool has_remembered(const struct link_facts *facts)
{
	return facts->remembered == REASON_REFRESH_REJECTED || facts->remembered == REASON_ROTATION_LOST;
}

/* At most once in an evaluation, and never again once the provider has refused this refresh token. */
static bool may_refresh(
	const struct link_facts *facts, const struct provider_rules *rules, const struct progress *progress)
{
	if (!facts->has_refresh_token || !rules->refreshes)
		return false;
	return !has_remembered(facts) && progress->refresh == REFRESH_NOT_TRIED;
}

/* Why no new token replaced one that is of no use any more. An outage or an operator's mistake that kept the refresh
 * from being decided stays that: the owner is told to link again only where the provider has refused the refresh token
 * or where there was no way to refresh (contract section 8). otherwise is the reason for the latter. */
static enum reason why_not_replaced(
	const struct link_facts *facts, const struct progress *progress, enum reason otherwise)
{
	switch (progress->refresh) {
	case REFRESH_FAILED_TRANSIENTLY:
		return REASON_PROVIDER_UNAVAILABLE;
	case REFRESH_FAILED_MISCONFIGURED:
		return REASON_PROVIDER_MISCONFIGURED;
	case REFRESH_FAILED_IN_PROGRESS:
		return REASON_REFRESH_IN_PROGRESS;
	case REFRESH_FAILED_REJECTED:
		return REASON_REFRESH_REJECTED;
	case REFRESH_FAILED_ROTATION_LOST:
		return REASON_ROTATION_LOST;
	case REFRESH_NOT_TRIED:
	case REFRESH_GRANTED:
	case REFRESH_END_COUNT:
		break;
	}
	return has_remembered(facts) ? facts->remembered : otherwise;
}

/* A token that was dead when the provider issued it is the provider's trouble: the next evaluation may refresh it. */
static struct step judge_expired(const struct link_facts *facts, const struct progress *progress)
{
	if (progress->refresh == REFRESH_GRANTED)
		return settled(REASON_PROVIDER_UNAVAILABLE);
	return settled(why_not_replaced(facts, progress, REASON_EXPIRED));
}

/* Somebody may have replaced the token while it was being asked about, so the link is read again first. */
static struct step judge_rejected(
	const struct link_facts *facts, const struct provider_rules *rules, const struct progress *progress)
{
	if (!progress->reread)
		return proceed(STEP_REREAD);
	if (may_refresh(facts, rules, progress))
		return proceed(STEP_REFRESH);
	return settled(why_not_replaced(facts, progress, REASON_TOKEN_REVOKED));
}

struct step next_step(const struct link_facts *facts, const struct provider_rules *rules,
	const struct progress *progress, int64_t now_ms)
{
	if (!facts->linked)
		return settled(REASON_NOT_LINKED);
	if (!facts->readable)
		return settled(REASON_DECRYPTION_FAILED);
	if (is_too_old(facts, rules, now_ms) && may_refresh(facts, rules, progress))
		return proceed(STEP_REFRESH);
	if (is_expired(facts, now_ms))
		return judge_expired(facts, progress);
	if (!rules->validates)
		return settled(REASON_NOT_VALIDATED);

	switch (progress->validation) {
	case VALIDATION_NONE:
		if (confirmation_is_fresh(facts->last_valid_at_ms, rules->verdict_age_max_ms, now_ms))
			return settled(REASON_VALID);
		return proceed(STEP_VALIDATE);
	case VALIDATION_CONFIRMED:
		return settled(REASON_VALID);
	case VALIDATION_RATE_LIMITED:
		return settled(REASON_RATE_LIMITED);
	case VALIDATION_REJECTED:
		return judge_rejected(facts, rules, progress);
	case VALIDATION_UNAVAILABLE:
	case VALIDATION_COUNT:
		break;
	}
	return settled(REASON_PROVIDER_UNAVAILABLE);
}
