/* SPDX-License-Identifier: Apache-2.0 */
/* One refresh: take the lease, exchange, save before anybody looks at the token. See refresh.h. Nothing of the database
 * is held while the provider is asked; the exchange ends well before the lease does; a granted token is saved for as
 * long as the database takes to come back. What follows from a try is the policy's (policy/next_try.c). */
#include "refresh.h"

#include <time.h>

#include "../base/log.h"
#include "../base/metrics.h"
#include "../base/text.h"
#include "breaker.h"
#include "oauth.h"
#include "refresh_wait.h"
#include "token_endpoint.h"
#include "verdict_cache.h"

/* This part of the lease is kept for saving, and a try begins only while this part is left before that. */
#define LEASE_SAVE_DIVISOR 5
#define LEASE_TRY_DIVISOR 10

/* What is left to do when the database does not take an end that is not a token: the lease runs out by itself. */
#define LEASE_FINISH_MS 10000

#define STORE_RETRY_FIRST_MS 50
#define STORE_RETRY_MAX_MS 1000

/* Names, numbers and a sentence. */
#define LEASE_ARENA_BYTES_MAX ((size_t)256 * 1024)

struct attempt {
	struct engine *engine;
	const struct refresh_question *question;
	struct refresh_signs *signs;
	struct lease_name lease;
	char lease_id[UUID_TEXT_SIZE];
	uint8_t client_hash[SHA256_BYTES];
	struct deadline exchange_end; /* of every exchange of this lease; the time to save is behind it */
	struct deadline try_end;      /* until then a try may begin */
	struct deadline retry_end;    /* REFRESH_RETRY_TIMEOUT */
	struct try_facts facts;
	int64_t begun_us;
};

bool refresh_is_stopping(const struct refresh_signs *signs)
{
	return atomic_load(signs->ending) != REFRESH_SERVING;
}

static struct refresh_outcome ended(enum refresh_end end, unsigned retry_after_s)
{
	return (struct refresh_outcome){.end = end, .retry_after_s = retry_after_s};
}

static void count_end(const struct attempt *attempt, const char *end)
{
	metrics_add(METRIC_REFRESHES, (struct metric_labels){{attempt->question->provider->id, end, NULL}}, 1);
}

/* --- the lease --------------------------------------------------------------------------------------------------- */

/* A size in front of each part: no two configurations read the same. */
static void hash_client(const struct provider *provider, struct arena *arena, uint8_t ret_hash[SHA256_BYTES])
{
	const struct secret secrets[] = {provider->client_secret, provider->client_secret_2};
	struct text whole = text_in(arena);

	text_add(&whole, provider->client_id);
	for (size_t i = 0; i < COUNT_OF(secrets); i++) {
		const char *secret = secrets[i].text != NULL ? secrets[i].text : "";

		text_add(&whole, arena_printf(arena, "\n%zu\n", secrets[i].size));
		text_add_bytes(&whole, secret, secrets[i].size);
	}
	sha256(whole.bytes, whole.size, ret_hash);
}

/* The clock starts before the statement is sent, so that by our clock the lease ends no later than by the database's.
 */
static void set_deadlines(struct attempt *attempt)
{
	int64_t lease_ms = attempt->engine->refresh_lease_ms;
	int64_t usable_ms = lease_ms - lease_ms / LEASE_SAVE_DIVISOR;

	attempt->exchange_end = deadline_in_ms(usable_ms);
	attempt->try_end = deadline_in_ms(usable_ms - lease_ms / LEASE_TRY_DIVISOR);
	attempt->retry_end = deadline_in_ms(attempt->question->provider->refresh_retry_timeout_ms);
}

static bool take_lease(struct attempt *attempt, struct arena *arena, struct lease_answer *ret_answer)
{
	struct engine *engine = attempt->engine;
	struct lease_request request = {.name = attempt->lease,
		.lease_ms = engine->refresh_lease_ms,
		.cooldown_ms = engine->refresh_cooldown_ms,
		.client_hash = attempt->client_hash};
	struct problem problem;

	set_deadlines(attempt);
	if (lease_take(engine->store, arena, &request, ret_answer, &problem))
		return true;
	log_event(LOG_WARN, "lease not taken", log_string("provider", attempt->question->provider->id),
		log_string("owner_id", attempt->question->owner_id), log_string("problem", problem.message));
	count_end(attempt, "database_unavailable");
	return false;
}

/* --- saving ------------------------------------------------------------------------------------------------------ */

/* An answer without a refresh token or extras keeps the old ones. */
static struct lease_grant keep_what_is_not_named(
	const struct refresh_question *question, const struct oauth_grant *grant)
{
	return (struct lease_grant){
		.access_token = grant->access_token,
		.refresh_token = secret_is_empty(grant->refresh_token) ? question->refresh_token : grant->refresh_token,
		.extras = secret_is_empty(grant->extras) ? question->extras : grant->extras,
		.expires_at_ms = grant->expires_at_ms,
	};
}

/* Doubles *pause_ms after it has passed. */
static void pause_for_store(int64_t *pause_ms)
{
	const struct timespec pause = {
		.tv_sec = (time_t)(*pause_ms / 1000), .tv_nsec = (long)(*pause_ms % 1000 * 1000000)};

	(void)nanosleep(&pause, NULL);
	*pause_ms = *pause_ms * 2 < STORE_RETRY_MAX_MS ? *pause_ms * 2 : STORE_RETRY_MAX_MS;
}

static bool save_while_the_store_is_away(
	struct attempt *attempt, const struct lease_grant *grant, bool *ret_saved, struct problem *problem)
{
	struct deadline deadline = deadline_in_ms(REFRESH_SAVE_MS);
	int64_t pause_ms = STORE_RETRY_FIRST_MS;
	bool told = false;

	while (!lease_save(attempt->engine->store, &attempt->lease, grant, ret_saved, problem)) {
		if (deadline_passed(deadline) || atomic_load(attempt->signs->ending) == REFRESH_LEAVING)
			return false;
		if (!told)
			log_event(LOG_WARN, "refreshed token not saved yet",
				log_string("provider", attempt->question->provider->id),
				log_string("owner_id", attempt->question->owner_id),
				log_string("problem", problem->message));
		told = true;
		pause_for_store(&pause_ms);
	}
	return true;
}

/* Before anybody validates it: what is wrong with the new token must not lose it. */
static struct refresh_outcome save_grant(struct attempt *attempt, const struct oauth_grant *granted)
{
	struct lease_grant grant = keep_what_is_not_named(attempt->question, granted);
	const char *provider_id = attempt->question->provider->id;
	struct problem problem;
	bool saved = false;

	if (!save_while_the_store_is_away(attempt, &grant, &saved, &problem)) {
		log_event(LOG_ERROR, "refreshed token lost: the database did not come back",
			log_string("provider", provider_id), log_string("owner_id", attempt->question->owner_id),
			log_string("problem", problem.message));
		count_end(attempt, "not_saved");
		return ended(REFRESH_FAILED_TRANSIENTLY, 0);
	}
	log_event(LOG_INFO, saved ? "token refreshed" : "refreshed token dropped: the link was changed meanwhile",
		log_string("provider", provider_id), log_string("owner_id", attempt->question->owner_id),
		log_number("generation", attempt->question->generation + (saved ? 1 : 0)),
		log_number("tries", attempt->facts.again + 1),
		log_duration("duration_ms", clock_monotonic_us() - attempt->begun_us));
	if (saved)
		verdict_cache_drop(attempt->engine->verdicts, attempt->question->owner_id, attempt->question->provider);
	count_end(attempt, saved ? "granted" : "superseded");
	return ended(saved ? REFRESH_GRANTED : REFRESH_NOT_TRIED, 0);
}

/* --- ending without a token -------------------------------------------------------------------------------------- */

/* What each end tells the policy about the next step, in the order of enum try_step. */
static enum refresh_end end_of(const struct next_try *next)
{
	if (next->reason == REASON_REFRESH_REJECTED)
		return REFRESH_FAILED_REJECTED;
	if (next->reason == REASON_ROTATION_LOST)
		return REFRESH_FAILED_ROTATION_LOST;
	if (next->reason == REASON_PROVIDER_MISCONFIGURED)
		return REFRESH_FAILED_MISCONFIGURED;
	return REFRESH_FAILED_TRANSIENTLY;
}

/* What is remembered of a refusal and shown to operators: our words, the provider's OAuth error word, the status; never
 * its body, which may repeat the token. */
static const char *tell_failure(const struct token_reply *reply, struct arena *arena)
{
	if (reply->unusable != NULL)
		return arena_printf(arena, "the provider issued a token that cannot be used: %s", reply->unusable);
	if (reply->class == GRANT_NOT_SENT)
		return "the token endpoint cannot be reached";
	if (reply->transport != TRANSPORT_ANSWERED)
		return "the token endpoint gave no complete answer";
	if (reply->error[0] != '\0')
		return arena_printf(arena, "the token endpoint said %s (HTTP %d)", reply->error, reply->status);
	return arena_printf(arena, "the token endpoint said HTTP %d", reply->status);
}

static void finish_lease(struct attempt *attempt, const struct lease_end *end, bool *ret_ended)
{
	struct deadline deadline = deadline_in_ms(LEASE_FINISH_MS);
	int64_t pause_ms = STORE_RETRY_FIRST_MS;
	struct problem problem;

	*ret_ended = true;
	while (!lease_finish(attempt->engine->store, &attempt->lease, end, ret_ended, &problem)) {
		if (deadline_passed(deadline) || refresh_is_stopping(attempt->signs)) {
			log_event(LOG_WARN, "end of a refresh not noted",
				log_string("provider", attempt->question->provider->id),
				log_string("owner_id", attempt->question->owner_id),
				log_string("problem", problem.message));
			return;
		}
		pause_for_store(&pause_ms);
	}
}

static struct refresh_outcome end_without_token(
	struct attempt *attempt, const struct next_try *next, const struct token_reply *reply, struct arena *arena)
{
	bool cools = next->step == TRY_COOL_DOWN || next->step == TRY_COOL_DOWN_CLIENT;
	const struct lease_end end = {
		.outcome_known = next->outcome_known,
		.remembered = next->step == TRY_REMEMBER ? next->reason : REASON_COUNT,
		.cooldown = cools ? next->reason : REASON_COUNT,
		.cooldown_ms = attempt->engine->refresh_cooldown_ms,
		.cooldown_client = next->step == TRY_COOL_DOWN_CLIENT ? attempt->client_hash : NULL,
		.failure = tell_failure(reply, arena),
	};
	bool was_ours = true;

	finish_lease(attempt, &end, &was_ours);
	log_event(LOG_WARN, "token not refreshed", log_string("provider", attempt->question->provider->id),
		log_string("owner_id", attempt->question->owner_id),
		log_number("generation", attempt->question->generation),
		log_string("class", grant_class_word(reply->class)), log_string("end", try_step_word(next->step)),
		log_string("failure", end.failure), log_number("tries", attempt->facts.again + 1),
		log_duration("duration_ms", clock_monotonic_us() - attempt->begun_us));
	if (!was_ours) {
		count_end(attempt, "superseded");
		return ended(REFRESH_NOT_TRIED, 0);
	}
	count_end(attempt, next->step == TRY_REMEMBER ? reason_word(next->reason) : grant_class_word(reply->class));
	int64_t cooldown_s = cools ? attempt->engine->refresh_cooldown_ms / 1000 : 0;
	return ended(end_of(next), reply->retry_after_s > cooldown_s ? reply->retry_after_s : (unsigned)cooldown_s);
}

/* --- exchanging -------------------------------------------------------------------------------------------------- */

static struct token_reply ask(struct attempt *attempt, struct arena *arena)
{
	const struct refresh_question *question = attempt->question;
	const struct token_question asked = {
		.purpose = "refresh",
		.form = oauth_refresh_form(attempt->engine, question->provider, question->refresh_token, arena),
		.deadline = deadline_earlier(deadline_in_ms(PROVIDER_EXCHANGE_MS), attempt->exchange_end),
	};
	struct token_reply reply = token_endpoint_ask(attempt->engine, question->provider, &asked, arena);

	/* Something was issued, and it is no token for us: as if nobody could read the answer. */
	if (reply.class == GRANT_GRANTED && reply.unusable != NULL)
		reply.class = GRANT_AMBIGUOUS;
	return reply;
}

static struct next_try judge(struct attempt *attempt, const struct token_reply *reply)
{
	struct try_facts *facts = &attempt->facts;
	bool stopping = refresh_is_stopping(attempt->signs);

	facts->class = reply->class;
	if (reply->class == GRANT_AMBIGUOUS)
		facts->ambiguous++;
	facts->retry_after_ms = (int64_t)reply->retry_after_s * 1000;
	facts->retry_left_ms = stopping ? 0 : deadline_left_ms(attempt->retry_end);
	facts->lease_left_ms = stopping ? 0 : deadline_left_ms(attempt->try_end);
	return next_try(facts);
}

/* One try and what follows from it; true: it has ended. What was granted lives no longer than it takes to save it. */
static bool try_once(struct attempt *attempt, struct refresh_outcome *ret_outcome)
{
	SCOPED(arena_release) struct arena *arena = arena_new(REFRESH_ARENA_BYTES_MAX);
	int64_t asked_us = clock_monotonic_us();
	struct token_reply reply = ask(attempt, arena);
	struct next_try next = judge(attempt, &reply);

	if (next.step != TRY_REPEAT)
		breaker_note(attempt->engine->breakers, attempt->question->provider, BREAKER_TOKEN,
			breaker_is_reached(reply.transport, reply.status), asked_us);

	switch (next.step) {
	case TRY_REPEAT:
		refresh_pause(next.wait_ms, attempt->signs);
		attempt->facts.again++;
		return false;
	case TRY_SAVE:
		*ret_outcome = save_grant(attempt, &reply.grant);
		return true;
	case TRY_REMEMBER:
	case TRY_RELEASE:
	case TRY_COOL_DOWN:
	case TRY_COOL_DOWN_CLIENT:
	case TRY_STEP_COUNT:
		break;
	}
	*ret_outcome = end_without_token(attempt, &next, &reply, arena);
	return true;
}

static struct refresh_outcome exchange(struct attempt *attempt, unsigned unresolved)
{
	struct refresh_outcome outcome;

	attempt->facts = (struct try_facts){.unresolved = unresolved};
	if (unresolved > 0)
		log_event(LOG_WARN, "an earlier exchange was never heard of again: trying once more",
			log_string("provider", attempt->question->provider->id),
			log_string("owner_id", attempt->question->owner_id),
			log_number("generation", attempt->question->generation));
	while (!try_once(attempt, &outcome))
		continue;
	return outcome;
}

/* --- the whole way ----------------------------------------------------------------------------------------------- */

static enum refresh_end end_remembered(enum reason reason)
{
	return reason == REASON_ROTATION_LOST ? REFRESH_FAILED_ROTATION_LOST : REFRESH_FAILED_REJECTED;
}

static enum refresh_end end_cooling(enum reason reason)
{
	return reason == REASON_PROVIDER_MISCONFIGURED ? REFRESH_FAILED_MISCONFIGURED : REFRESH_FAILED_TRANSIENTLY;
}

static struct refresh_outcome end_by_lease(struct attempt *attempt, const struct lease_answer *answer)
{
	switch (answer->state) {
	case LEASE_TAKEN:
		return exchange(attempt, answer->unresolved);
	case LEASE_REMEMBERED:
		return ended(end_remembered(answer->reason), 0);
	case LEASE_COOLING:
		return ended(end_cooling(answer->reason), (unsigned)((answer->left_ms + 999) / 1000));
	case LEASE_HELD:
		return ended(REFRESH_FAILED_IN_PROGRESS, (unsigned)((answer->left_ms + 999) / 1000));
	case LEASE_MOVED:
	case LEASE_STATE_COUNT:
		break;
	}
	return ended(REFRESH_NOT_TRIED, 0);
}

/* Where another process holds the lease, waits for how that ends; only a lease that ran out is taken again. */
struct refresh_outcome refresh_link(
	struct engine *engine, const struct refresh_question *question, struct refresh_signs *signs)
{
	SCOPED(arena_release) struct arena *arena = arena_new(LEASE_ARENA_BYTES_MAX);
	struct attempt attempt = {
		.engine = engine, .question = question, .signs = signs, .begun_us = clock_monotonic_us()};
	struct lease_answer answer;
	struct refresh_outcome adopted;
	struct problem problem;

	if (!provider_discover(engine, question->provider, &problem)) {
		count_end(&attempt, grant_class_word(GRANT_NOT_SENT));
		return ended(REFRESH_FAILED_TRANSIENTLY, 0);
	}
	uuid_new(attempt.lease_id);
	attempt.lease = (struct lease_name){.owner_id = question->owner_id,
		.provider_id = question->provider->id,
		.generation = question->generation,
		.lease_id = attempt.lease_id};
	hash_client(question->provider, arena, attempt.client_hash);
	for (;;) {
		if (!take_lease(&attempt, arena, &answer))
			return ended(REFRESH_FAILED_TRANSIENTLY, 0);
		if (answer.state != LEASE_HELD)
			return end_by_lease(&attempt, &answer);
		atomic_store(&signs->elsewhere, true);
		bool is_over = refresh_await_holder(engine, question, signs, &adopted);
		atomic_store(&signs->elsewhere, false);
		if (is_over) {
			count_end(&attempt, "adopted");
			return adopted;
		}
		arena_reset(arena);
	}
}
