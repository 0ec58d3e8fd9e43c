/* SPDX-License-Identifier: Apache-2.0 */
/* From the verdicts of all providers to the one decision of the gate: contract sections 1, 4 and 5. What is not known
 * is treated as the strictest setting: no fail mode said is closed. */
#include "policy.h"

/* Told when no finding knows better. A dead provider is probed every 5 s (contract section 5, breaker); sooner nothing
 * can have changed. */
#define UNVERIFIABLE_RETRY_AFTER_S 5

/* The reason after FAIL_MODE had its say. It lets pass whatever could not be verified, decryption_failed included: an
 * operator who asks for an open door in trouble means every trouble, and the warning names it. It never turns a missing
 * link into a present one. */
static enum reason apply_fail_mode(const struct judged *judged, int64_t now_ms)
{
	if (reason_verdict(judged->reason) != VERDICT_UNVERIFIABLE)
		return judged->reason;
	if (judged->fail_mode == FAIL_MODE_OPEN)
		return REASON_FAIL_OPEN;
	if (judged->fail_mode != FAIL_MODE_LAST_KNOWN_GOOD)
		return judged->reason;
	if (!confirmation_is_fresh(judged->last_valid_at_ms, judged->last_known_good_max_age_ms, now_ms))
		return judged->reason;
	return REASON_LAST_KNOWN_GOOD;
}

static bool is_let_pass(enum reason reason)
{
	return reason == REASON_FAIL_OPEN || reason == REASON_LAST_KNOWN_GOOD;
}

/* An optional provider neither blocks nor warns: the template's author said that the create may go on without it. */
static struct finding make_finding(const struct judged *judged, int64_t now_ms)
{
	enum reason reason = apply_fail_mode(judged, now_ms);
	enum verdict verdict = reason_verdict(reason);
	bool fails = !judged->requirement->optional && verdict != VERDICT_OK;
	bool counts = !judged->requirement->optional && judged->enforcement != ENFORCEMENT_DRYRUN;
	bool objects = fails && counts;
	bool only_warns = judged->enforcement == ENFORCEMENT_WARN || judged->exempt;

	return (struct finding){
		.requirement = judged->requirement,
		.reason = reason,
		.enforcement = judged->enforcement,
		.retry_after_s = verdict == VERDICT_UNVERIFIABLE ? judged->retry_after_s : 0,
		.blocks = objects && !only_warns,
		.warns = (objects && only_warns) || (counts && is_let_pass(reason)),
		.exempt = objects && judged->exempt && judged->enforcement != ENFORCEMENT_WARN,
		.would_block = fails,
	};
}

/* Missing outweighs unverifiable: connecting an account is something the owner can do at once, waiting is not. */
static enum outcome weigh(const struct decision *decision, bool strictly)
{
	enum outcome outcome = OUTCOME_ALLOWED;

	for (size_t i = 0; i < decision->finding_count; i++) {
		const struct finding *finding = &decision->findings[i];

		if (strictly ? !finding->would_block : !finding->blocks)
			continue;
		if (reason_verdict(finding->reason) == VERDICT_MISSING)
			return OUTCOME_REFUSED;
		outcome = OUTCOME_UNVERIFIABLE;
	}
	return outcome;
}

static unsigned longest_wait_s(const struct decision *decision)
{
	unsigned wait_s = 0;

	for (size_t i = 0; i < decision->finding_count; i++) {
		const struct finding *finding = &decision->findings[i];

		if (finding->blocks && finding->retry_after_s > wait_s)
			wait_s = finding->retry_after_s;
	}
	return wait_s != 0 ? wait_s : UNVERIFIABLE_RETRY_AFTER_S;
}

void decide(const struct judged *judged, size_t judged_count, int64_t now_ms, struct decision *ret_decision)
{
	/* More than fits cannot have been judged whole, and half a judgement never means yes. */
	*ret_decision = (struct decision){.outcome = OUTCOME_UNVERIFIABLE,
		.strict_outcome = OUTCOME_UNVERIFIABLE,
		.retry_after_s = UNVERIFIABLE_RETRY_AFTER_S};
	if (judged_count > REQUIREMENTS_MAX)
		return;

	for (size_t i = 0; i < judged_count; i++)
		ret_decision->findings[i] = make_finding(&judged[i], now_ms);
	ret_decision->finding_count = judged_count;
	ret_decision->outcome = weigh(ret_decision, false);
	ret_decision->strict_outcome = weigh(ret_decision, true);
	ret_decision->retry_after_s = ret_decision->outcome == OUTCOME_UNVERIFIABLE ? longest_wait_s(ret_decision) : 0;
}
