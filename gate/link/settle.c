/* SPDX-License-Identifier: Apache-2.0 */
/* One requirement on its way to a verdict: does what the policy says, step by step. */
#include "settle.h"

#include "../base/log.h"
#include "validate.h"

void settle_adopt_link(const struct settle_scope *scope, struct settling *settling, const struct link *link)
{
	if (link == NULL) {
		settling->facts = (struct link_facts){.remembered = REASON_COUNT};
		settling->known_good_at_ms = 0;
		return;
	}
	settling->link = *link;
	settling->facts = (struct link_facts){
		.linked = true,
		.readable = link->readable,
		.has_refresh_token = !secret_is_empty(link->refresh_token),
		.remembered = link->remembered,
		.issued_at_ms = link->issued_at_ms,
		.expires_at_ms = link->expires_at_ms,
	};
	settle_recall(scope, settling);
}

static void settle_with(struct settle_scope *scope, struct settling *settling, enum reason reason)
{
	settling->settled = true;
	settling->reason = reason;
	settling->duration_us = clock_monotonic_us() - scope->begun_us;
	settle_count_reuse(settling);
}

struct waiter *settle_waiter(struct settle_scope *scope)
{
	if (scope->waiter == NULL)
		scope->waiter = waiter_new();
	return scope->waiter;
}

/* Reads the link again and takes it on where somebody has replaced the token meanwhile, by a refresh or by linking
 * again: then the new one is judged from the start. false: the database does not say. */
static bool read_again(struct settle_scope *scope, struct settling *settling, bool *ret_moved)
{
	struct problem problem;
	struct link link;
	bool found = false;

	if (!link_find(scope->engine->store, scope->arena, scope->owner_id, settling->provider->id, &found, &link,
		    &problem)) {
		log_event(LOG_WARN, "link not read again", log_string("provider", settling->provider->id),
			log_string("problem", problem.message));
		return false;
	}
	*ret_moved = !found || link.generation != settling->link.generation;
	settle_adopt_link(scope, settling, found ? &link : NULL);
	if (!*ret_moved)
		return true;
	settling->progress = (struct progress){.refresh = settling->progress.refresh};
	settling->confirmed = false;
	settling->refusals = 0;
	settling->renewed_us = clock_monotonic_us();
	return true;
}

static bool reread_link(struct settle_scope *scope, struct settling *settling)
{
	bool moved = false;

	if (!read_again(scope, settling, &moved))
		return false;
	settling->progress.reread = !moved;
	return true;
}

/* --- refreshing -------------------------------------------------------------------------------------------------- */

/* While the token there is may still be good, a refresh that takes long must leave time to judge it on its own. */
static bool may_do_without(const struct settling *settling)
{
	if (settling->progress.validation == VALIDATION_REJECTED)
		return false;
	return settling->facts.expires_at_ms == 0 || settling->facts.expires_at_ms > clock_now_ms();
}

static void start_refresh(struct settle_scope *scope, struct settling *settling)
{
	const struct refresh_question question = {
		.owner_id = scope->owner_id,
		.provider = settling->provider,
		.generation = settling->link.generation,
		.refresh_token = settling->link.refresh_token,
		.extras = settling->link.extras,
	};

	if (scope->without_effects) {
		settling->presumed = STEP_REFRESH;
		settle_with(scope, settling, REASON_NOT_VALIDATED);
		return;
	}
	if (!settle_may_refresh(scope, settling))
		return;
	settling->ticket = flight_join(scope->engine->flights, &question, settle_waiter(scope), settling->tag);
	if (may_do_without(settling))
		settling->wake = scope->half;
}

/* The flight has ended, and what it did stands in the link. Where the link has not moved, a flight that did not try was
 * for another generation and is joined anew; one that says it has saved is not believed. */
static void take_refresh(struct settle_scope *scope, struct settling *settling)
{
	struct refresh_outcome outcome = ticket_outcome(settling->ticket);
	bool moved = false;

	ticket_leave(settling->ticket);
	settling->ticket = NULL;
	settling->wake.at_us = FOREVER_US;
	settling->retry_after_s = outcome.retry_after_s;
	if (!read_again(scope, settling, &moved)) {
		settling->progress.refresh = outcome.end == REFRESH_GRANTED || outcome.end == REFRESH_NOT_TRIED
						     ? REFRESH_FAILED_TRANSIENTLY
						     : outcome.end;
		return;
	}
	if (!moved && outcome.end == REFRESH_GRANTED)
		settling->progress.refresh = REFRESH_FAILED_TRANSIENTLY;
	else if (!moved || outcome.end == REFRESH_GRANTED)
		settling->progress.refresh = outcome.end;
}

/* --- step by step ------------------------------------------------------------------------------------------------ */

static bool is_waiting(const struct settling *settling)
{
	return settling->inquirer != NULL || settling->ticket != NULL || settling->pausing;
}

/* For whoever may ask nobody. What this process does not remember the store may: a confirmation of any age is one. */
static void settle_presuming(struct settle_scope *scope, struct settling *settling)
{
	struct step step = presume(&settling->facts, &settling->rules, clock_now_ms());
	bool was_confirmed = step.kind == STEP_VALIDATE && settling->known_good_at_ms > 0;

	settling->presumed = step.kind;
	settle_with(scope, settling, was_confirmed ? REASON_VALID : step.reason);
}

void settle_advance(struct settle_scope *scope, struct settling *settling)
{
	if (scope->without_asking && !settling->settled)
		settle_presuming(scope, settling);
	while (!settling->settled && !is_waiting(settling)) {
		struct step step = next_step(&settling->facts, &settling->rules, &settling->progress, clock_now_ms());

		switch (step.kind) {
		case STEP_SETTLED:
			settle_with(scope, settling, step.reason);
			break;
		case STEP_VALIDATE:
			settle_ask(scope, settling);
			break;
		case STEP_REREAD:
			if (!reread_link(scope, settling))
				settle_with(scope, settling, REASON_PROVIDER_UNAVAILABLE);
			break;
		case STEP_REFRESH:
			start_refresh(scope, settling);
			break;
		case STEP_COUNT:
			settle_with(scope, settling, REASON_PROVIDER_UNAVAILABLE);
			break;
		}
	}
}

/* Whose account it is, is kept beside the confirmation, and only github says. */
static void note_account(struct settle_scope *scope, struct settling *settling, const struct http_answer *answer)
{
	struct provider_user user;

	if (validate_read_user(settling->provider, answer, scope->arena, &user))
		settling->account = user.login;
}

/* How old the token is that was asked about: since this evaluation got it, or by the store's clock. */
static int64_t token_age_ms(const struct settling *settling)
{
	if (settling->renewed_us != 0)
		return (clock_monotonic_us() - settling->renewed_us) / 1000;
	return settling->facts.issued_at_ms > 0 ? clock_now_ms() - settling->facts.issued_at_ms : -1;
}

/* GitHub's replicas lag behind a refresh: a refusal straight after one is asked about again. */
static bool pause_for_lag(struct settling *settling)
{
	if (settling->provider->type != PROVIDER_GITHUB)
		return false;
	int64_t wait_ms = lag_wait_ms(token_age_ms(settling), ++settling->refusals);
	if (wait_ms < 0)
		return false;
	settling->pausing = true;
	settling->wake = deadline_in_ms(wait_ms);
	return true;
}

static void take_validation(struct settle_scope *scope, struct settling *settling)
{
	struct http_answer answer = inquirer_answer(settling->inquirer);
	struct validation_answer facts = validate_answer_facts(&answer);
	enum validation validation = judge_validation(&facts);

	settle_learn(scope, settling, validation, &answer);
	settling->confirmed = validation == VALIDATION_CONFIRMED;
	settling->retry_after_s = http_answer_retry_after_s(&answer);
	settling->provider_status = answer.status;
	if (settling->confirmed && settling->provider->fail_mode == FAIL_MODE_LAST_KNOWN_GOOD)
		note_account(scope, settling, &answer);
	if (answer.failure != NULL)
		log_event(LOG_WARN, "provider not reached", log_string("provider", settling->provider->id),
			log_string("purpose", "validate"), log_string("failure", answer.failure),
			log_duration("duration_ms", answer.duration_us));
	bool is_lag = validation == VALIDATION_REJECTED && answer.status == 401 && pause_for_lag(settling);
	inquirer_leave(settling->inquirer);
	settling->inquirer = NULL;
	if (!is_lag)
		settling->progress.validation = validation;
}

void settle_take_end(struct settle_scope *scope, struct settling *settling)
{
	if (settling->ticket != NULL)
		take_refresh(scope, settling);
	else if (settling->inquirer != NULL)
		take_validation(scope, settling);
	settle_advance(scope, settling);
}

/* A refresh that is not waited for any longer goes on without us. Another process may be at it; where this one is, the
 * provider has not answered. */
static void stop_waiting_for_refresh(struct settling *settling)
{
	if (settling->ticket == NULL)
		return;
	bool elsewhere = ticket_is_elsewhere(settling->ticket);
	ticket_leave(settling->ticket);
	settling->ticket = NULL;
	settling->progress.refresh = elsewhere ? REFRESH_FAILED_IN_PROGRESS : REFRESH_FAILED_TRANSIENTLY;
}

void settle_wake(struct settle_scope *scope, struct settling *settling)
{
	settling->wake.at_us = FOREVER_US;
	settling->pausing = false;
	stop_waiting_for_refresh(settling);
	settle_advance(scope, settling);
}

void settle_give_up(struct settle_scope *scope, struct settling *settling)
{
	if (settling->settled)
		return;
	settle_stop_asking(scope, settling);
	bool was_refreshing = settling->ticket != NULL;
	stop_waiting_for_refresh(settling);
	bool in_progress = was_refreshing && settling->progress.refresh == REFRESH_FAILED_IN_PROGRESS;
	settle_with(scope, settling, in_progress ? REASON_REFRESH_IN_PROGRESS : REASON_PROVIDER_UNAVAILABLE);
}
