/* SPDX-License-Identifier: Apache-2.0 */
/* What this process knows of a token without asking, asking its provider where that is of use, and what is kept of the
 * answer: in memory for ages of verdicts, in the breaker, and in the store for FAIL_MODE last_known_good alone. */
#include "../base/log.h"
#include "../base/metrics.h"
#include "settle.h"

/* A confirmation is written so often for those who need one that outlives the process. */
#define NOTE_EVERY_MS 60000

static struct verdict_key key_of(const struct settle_scope *scope, const struct settling *settling)
{
	return (struct verdict_key){
		.owner_id = scope->owner_id, .provider = settling->provider, .generation = settling->link.generation};
}

void settle_recall(const struct settle_scope *scope, struct settling *settling)
{
	struct verdict_key key = key_of(scope, settling);
	int64_t asked_us = 0;
	enum validation outcome = verdict_cache_find(scope->engine->verdicts, &key, &asked_us);

	/* The age is of the monotonic clock, so that a wall clock that is set makes nothing young. */
	settling->facts.last_valid_at_ms =
		outcome == VALIDATION_CONFIRMED ? clock_now_ms() - (clock_monotonic_us() - asked_us) / 1000 : 0;
	settling->known_good_at_ms = settling->facts.last_valid_at_ms;
	if (outcome != VALIDATION_REJECTED && settling->link.last_valid_at_ms > settling->known_good_at_ms)
		settling->known_good_at_ms = settling->link.last_valid_at_ms;
}

void settle_count_reuse(const struct settling *settling)
{
	bool reused = settling->reason == REASON_VALID && settling->progress.validation == VALIDATION_NONE;

	if (reused && settling->presumed == STEP_SETTLED)
		metrics_add(METRIC_VERDICT_CACHE_HITS, (struct metric_labels){{settling->provider->id, NULL, NULL}}, 1);
}

void settle_ask(struct settle_scope *scope, struct settling *settling)
{
	struct engine *engine = scope->engine;
	const struct inquiry_question question = {
		.key = key_of(scope, settling), .access_token = settling->link.access_token, .arena = scope->arena};
	unsigned retry_after_s = 0;

	if (!breaker_lets_ask(engine->breakers, settling->provider, BREAKER_VALIDATE, &retry_after_s)) {
		settling->progress.validation = VALIDATION_UNAVAILABLE;
		settling->retry_after_s = retry_after_s;
		return;
	}
	settling->inquirer = inquiry_join(engine->inquiries, &question, settle_waiter(scope), settling->tag);
}

bool settle_may_refresh(struct settle_scope *scope, struct settling *settling)
{
	unsigned retry_after_s = 0;

	if (breaker_lets_ask(scope->engine->breakers, settling->provider, BREAKER_TOKEN, &retry_after_s))
		return true;
	settling->progress.refresh = REFRESH_FAILED_TRANSIENTLY;
	settling->retry_after_s = retry_after_s;
	return false;
}

void settle_learn(struct settle_scope *scope, struct settling *settling, enum validation validation,
	const struct http_answer *answer)
{
	struct engine *engine = scope->engine;
	struct verdict_key key = key_of(scope, settling);
	int64_t asked_us = inquirer_asked_us(settling->inquirer);

	verdict_cache_put(engine->verdicts, &key, validation, asked_us);
	breaker_note(engine->breakers, settling->provider, BREAKER_VALIDATE,
		breaker_is_reached(answer->transport, answer->status), asked_us);
}

void settle_stop_asking(struct settle_scope *scope, struct settling *settling)
{
	if (settling->inquirer == NULL)
		return;
	/* Whoever brings little patience must not make the provider look dead to everybody. */
	if (scope->has_whole_budget)
		breaker_note(scope->engine->breakers, settling->provider, BREAKER_VALIDATE, false,
			inquirer_asked_us(settling->inquirer));
	log_event(LOG_WARN, "provider not reached", log_string("provider", settling->provider->id),
		log_string("purpose", "validate"), log_string("failure", "the budget of the evaluation ended"),
		log_duration("duration_ms", clock_monotonic_us() - scope->begun_us));
	inquirer_leave(settling->inquirer);
	settling->inquirer = NULL;
}

/* --- what outlives the process ----------------------------------------------------------------------------------- */

static bool is_worth_noting(const struct settle_scope *scope, const struct settling *settling)
{
	struct verdict_key key = key_of(scope, settling);

	if (!settling->confirmed || settling->provider->fail_mode != FAIL_MODE_LAST_KNOWN_GOOD)
		return false;
	if (clock_now_ms() - settling->link.last_valid_at_ms < NOTE_EVERY_MS)
		return false;
	return verdict_cache_claim_note(scope->engine->verdicts, &key, NOTE_EVERY_MS);
}

/* What was confirmed once must not pass as last known good after the provider said no. */
static bool is_worth_forgetting(const struct settling *settling)
{
	return settling->reason == REASON_TOKEN_REVOKED && settling->link.last_valid_at_ms != 0;
}

static bool note_verdict(const struct settle_scope *scope, const struct settling *settling, struct problem *problem)
{
	struct store *store = scope->engine->store;
	const char *provider_id = settling->provider->id;

	if (is_worth_forgetting(settling))
		return link_note_rejected(store, scope->owner_id, provider_id, settling->link.generation, problem);
	if (is_worth_noting(scope, settling))
		return link_note_valid(
			store, scope->owner_id, provider_id, settling->link.generation, settling->account, problem);
	return true;
}

void settle_note(const struct settle_scope *scope, const struct settling *settling)
{
	struct problem problem;

	if (!note_verdict(scope, settling, &problem))
		log_event(LOG_WARN, "verdict not noted", log_string("provider", settling->provider->id),
			log_string("problem", problem.message));
}
