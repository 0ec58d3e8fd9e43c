/* SPDX-License-Identifier: Apache-2.0 */
/* The login server's two machines: a device code (RFC 8628 sections 3.3 to 3.5), and a family of rotating refresh
 * tokens (RFC 9700 section 4.14.2). The statements of the store carry out what is said here, each in one conditional
 * step. */
#include "grant.h"

#include <stddef.h>

#include "must_check.h"

/* An approved code is redeemed a little behind its expiry, too: its owner said yes in time, and a client that polls at
 * its interval comes behind them. Where a move leads from the state it starts in; any other move from there is
 * unlawful. */
static const struct {
	enum grant_state from;
	enum grant_move move;
	enum grant_state to;
	int64_t late_ms; /* still lawful so long after the expiry */
} moves[] = {
	{GRANT_PENDING, GRANT_APPROVE, GRANT_APPROVED, 0},
	{GRANT_PENDING, GRANT_DENY, GRANT_DENIED, 0},
	{GRANT_APPROVED, GRANT_CONSUME, GRANT_CONSUMED, GRANT_LATE_MS},
};

bool grant_may_move(const struct grant_facts *facts, enum grant_move move, int64_t now_ms, enum grant_state *ret_state)
{
	for (size_t i = 0; i < COUNT_OF(moves); i++)
		if (moves[i].from == facts->state && moves[i].move == move &&
			now_ms - moves[i].late_ms < facts->expires_at_ms) {
			*ret_state = moves[i].to;
			return true;
		}
	return false;
}

/* The interval counts from the last poll that came in time; the first one is free, and a little jitter is nobody's
 * fault. */
static bool is_too_early(const struct grant_facts *facts, int64_t now_ms)
{
	return facts->polled_at_ms != 0 && now_ms - facts->polled_at_ms < facts->interval_ms - GRANT_JITTER_MS;
}

static enum grant_answer judge_pending(const struct grant_facts *facts, int64_t now_ms)
{
	if (now_ms >= facts->expires_at_ms)
		return GRANT_ANSWER_EXPIRED;
	return is_too_early(facts, now_ms) ? GRANT_ANSWER_SLOW_DOWN : GRANT_ANSWER_PENDING;
}

static enum grant_answer judge_consumed(const struct grant_facts *facts, int64_t now_ms)
{
	bool is_young = now_ms - facts->redeemed_at_ms < GRANT_REPLAY_MS;

	return is_young && facts->pair_unused ? GRANT_ANSWER_REPLAY : GRANT_ANSWER_SPENT;
}

enum grant_answer grant_judge_poll(const struct grant_facts *facts, int64_t now_ms)
{
	enum grant_state consumed;

	switch (facts->state) {
	case GRANT_PENDING:
		return judge_pending(facts, now_ms);
	case GRANT_APPROVED:
		return grant_may_move(facts, GRANT_CONSUME, now_ms, &consumed) ? GRANT_ANSWER_REDEEM
									       : GRANT_ANSWER_EXPIRED;
	case GRANT_DENIED:
		return GRANT_ANSWER_DENIED;
	case GRANT_CONSUMED:
		return judge_consumed(facts, now_ms);
	case GRANT_STATE_COUNT:
		break;
	}
	return GRANT_ANSWER_SPENT;
}

enum family_answer family_judge_refresh(const struct family_facts *facts, int64_t now_ms)
{
	if (!facts->user_active || now_ms >= facts->expires_at_ms || now_ms >= facts->idle_until_ms)
		return FAMILY_ENDED;
	if (facts->is_head)
		return FAMILY_ROTATE;
	if (facts->is_previous && now_ms - facts->rotated_at_ms < FAMILY_GRACE_MS)
		return FAMILY_REPLAY;
	return FAMILY_REUSE;
}
