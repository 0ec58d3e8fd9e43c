/* SPDX-License-Identifier: Apache-2.0 */
/* One requirement on its way to a verdict: does what the policy says, step by step. */
#include <stdlib.h>

#include "../base/log.h"
#include "http_call.h"
#include "settle.h"
#include "validate.h"

/* A provider may ask for any patience; more than this is not passed on, because a client that waits longer gives up. */
#define RETRY_AFTER_S_MAX 3600

void settle_adopt_link(struct settling *settling, const struct link *link)
{
	if (link == NULL) {
		settling->facts = (struct link_facts){.remembered = REASON_COUNT};
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
		.last_valid_at_ms = link->last_valid_at_ms,
	};
}

static void settle_with(struct settle_scope *scope, struct settling *settling, enum reason reason)
{
	settling->settled = true;
	settling->reason = reason;
	settling->duration_us = clock_monotonic_us() - scope->begun_us;
}

static void start_validation(struct settle_scope *scope, struct settling *settling)
{
	struct http_request request =
		validate_request(settling->provider, settling->link.access_token, scope->arena, scope->deadline);

	if (scope->waiter == NULL)
		scope->waiter = http_waiter_new();
	settling->call = http_call_start(scope->engine->http, &request, scope->waiter, settling->tag);
}

/* A rejected token may have been replaced meanwhile, by a refresh elsewhere or by linking again: then the new one is
 * judged from the start. false: the database does not say. */
static bool reread_link(struct settle_scope *scope, struct settling *settling)
{
	struct problem problem;
	struct link link;
	bool found = false;
	int64_t judged_generation = settling->link.generation;

	if (!link_find(scope->engine->store, scope->arena, scope->owner_id, settling->provider->id, &found, &link,
		    &problem)) {
		log_event(LOG_WARN, "link not read again", log_string("provider", settling->provider->id),
			log_string("problem", problem.message));
		return false;
	}
	if (found && link.generation == judged_generation) {
		settling->progress.reread = true;
		return true;
	}
	settle_adopt_link(settling, found ? &link : NULL);
	settling->progress.validation = VALIDATION_NONE;
	settling->progress.reread = false;
	settling->confirmed = false;
	return true;
}

/* The one place where a refresh is asked for. rules.refreshes is false as long as the engine has no refresh, so the
 * policy never comes here; should it, the token could not be replaced just now. */
static void refresh_link(struct settling *settling)
{
	settling->progress.refresh = REFRESH_FAILED_TRANSIENTLY;
}

void settle_advance(struct settle_scope *scope, struct settling *settling)
{
	while (!settling->settled && settling->call == NULL) {
		struct step step = next_step(&settling->facts, &settling->rules, &settling->progress, clock_now_ms());

		switch (step.kind) {
		case STEP_SETTLED:
			settle_with(scope, settling, step.reason);
			break;
		case STEP_VALIDATE:
			start_validation(scope, settling);
			break;
		case STEP_REREAD:
			if (!reread_link(scope, settling))
				settle_with(scope, settling, REASON_PROVIDER_UNAVAILABLE);
			break;
		case STEP_REFRESH:
			refresh_link(settling);
			break;
		case STEP_COUNT:
			settle_with(scope, settling, REASON_PROVIDER_UNAVAILABLE);
			break;
		}
	}
}

/* RFC 9110 section 10.2.3: seconds; a date, which few send, is left out. */
static unsigned read_retry_after_s(const char *text)
{
	char *end = NULL;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	unsigned long seconds = strtoul(text, &end, 10);
	if (*end != '\0')
		return 0;
	return seconds < RETRY_AFTER_S_MAX ? (unsigned)seconds : RETRY_AFTER_S_MAX;
}

/* Whose account it is, is kept beside the confirmation, and only github says. */
static void note_account(struct settle_scope *scope, struct settling *settling, const struct http_answer *answer)
{
	struct provider_user user;

	if (validate_read_user(settling->provider, answer, scope->arena, &user))
		settling->account = user.login;
}

void settle_take_answer(struct settle_scope *scope, struct settling *settling)
{
	struct http_answer answer = http_call_peek(settling->call);
	struct validation_answer facts = validate_answer_facts(&answer);

	settling->progress.validation = judge_validation(&facts);
	settling->confirmed = settling->progress.validation == VALIDATION_CONFIRMED;
	settling->retry_after_s = read_retry_after_s(answer.retry_after);
	settling->provider_status = answer.status;
	if (settling->confirmed && settling->note_use_ms > 0)
		note_account(scope, settling, &answer);
	if (answer.failure != NULL)
		log_event(LOG_WARN, "provider not reached", log_string("provider", settling->provider->id),
			log_string("purpose", "validate"), log_string("failure", answer.failure),
			log_duration("duration_ms", answer.duration_us));
	http_call_free(settling->call);
	settling->call = NULL;
	settle_advance(scope, settling);
}

void settle_give_up(struct settle_scope *scope, struct settling *settling)
{
	if (settling->settled)
		return;
	http_call_free(settling->call);
	settling->call = NULL;
	settle_with(scope, settling, REASON_PROVIDER_UNAVAILABLE);
}
