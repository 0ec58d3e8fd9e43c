/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency-Key: see idempotency.h. */
#include "idempotency.h"

#include <string.h>
#include <strings.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/text.h"
#include "service.h"

#define HEADER "Idempotency-Key"

/* When to look again for a run that is still at it: most take milliseconds, and asking costs one round trip. */
#define IN_USE_RETRY_S 1

static bool is_lawful(const char *key)
{
	size_t size = strlen(key);

	for (size_t i = 0; i < size; i++)
		if (key[i] < ' ' || key[i] > '~')
			return false;
	return size > 0 && size <= IDEMPOTENCY_KEY_BYTES_MAX;
}

/* The NUL between method, path and body stands in none of them before the body. */
static void hash_request(const struct request *request, uint8_t ret_hash[SHA256_BYTES])
{
	struct text text = text_in(request->arena);

	text_add_bytes(&text, request->method, strlen(request->method) + 1);
	text_add_bytes(&text, request->path, strlen(request->path) + 1);
	text_add_bytes(&text, request->body, request->body_size);
	sha256(text.bytes, text.size, ret_hash);
}

static bool claim(const struct request *request, struct idempotency *once, struct idempotency_claim *ret_claim,
	struct problem *problem)
{
	struct idempotency_request asked = {.name = &once->name,
		.hold_ms = request->service->engine->gate_timeout_ms + IDEMPOTENCY_HOLD_MARGIN_MS,
		.keep_ms = IDEMPOTENCY_KEEP_MS};

	hash_request(request, asked.body_hash);
	if (!idempotency_claim(request->service->store, request->arena, &asked, ret_claim, problem))
		return false;
	once->claimed_at_ms = ret_claim->now_ms;
	once->claimed_us = clock_monotonic_us();
	return true;
}

static bool refuse_reused(struct problem *problem)
{
	(void)problem_set(
		problem, PROBLEM_IDEMPOTENCY_KEY_REUSED, "This Idempotency-Key was sent with another request.");
	return problem_detail(problem, "A key stands for one method, path and body; send a new one with this request.");
}

static bool refuse_in_use(int64_t left_ms, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_IDEMPOTENCY_KEY_IN_USE,
		"The first request with this Idempotency-Key is still being answered.");
	problem->retry_after_s = IN_USE_RETRY_S;
	return problem_detail(problem,
		"Send it again to learn its answer; should that never come, it is done anew in %d s at the latest.",
		(int)(left_ms / 1000 + 1));
}

static bool replay(const struct idempotency_answer *answer, struct idempotency *once, struct reply *reply)
{
	reply_json_text(reply, answer->status, answer->body);
	reply_add_header(reply, "Location", answer->location);
	reply_add_header(reply, "Idempotency-Replayed", "true");
	reply->outcome = "replayed";
	once->replayed = true;
	return true;
}

bool idempotency_begin(
	const struct request *request, struct idempotency *ret_once, struct reply *reply, struct problem *problem)
{
	const char *key = request_header(request, REQUEST_HEADER_IDEMPOTENCY_KEY);
	struct idempotency_claim found;

	*ret_once = (struct idempotency){.request = request, .name = {.user_id = request->caller.user_id}};
	if (key == NULL)
		return true;
	if (!is_lawful(key))
		return problem_add_violation(
			problem, HEADER, "must be 1 to %d printable ASCII characters", IDEMPOTENCY_KEY_BYTES_MAX);
	sha256(key, strlen(key), ret_once->name.key_hash);
	uuid_new(ret_once->name.holder);
	if (!claim(request, ret_once, &found, problem))
		return false;
	switch (found.state) {
	case IDEMPOTENCY_OTHER:
		return refuse_reused(problem);
	case IDEMPOTENCY_ANSWERED:
		return replay(&found.answer, ret_once, reply);
	case IDEMPOTENCY_CLAIMED:
		ret_once->held = true;
		return true;
	case IDEMPOTENCY_HELD:
	case IDEMPOTENCY_STATE_COUNT:
		break;
	}
	return refuse_in_use(found.left_ms, problem);
}

static const char *location_of(const struct reply *reply)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (strcasecmp(reply->headers[i].name, "Location") == 0)
			return reply->headers[i].value;
	return NULL;
}

const struct idempotency_answer *idempotency_answer(struct idempotency *once, const struct reply *reply)
{
	if (!once->held)
		return NULL;
	once->answer = (struct idempotency_answer){&once->name, reply->status, location_of(reply), reply->body};
	return &once->answer;
}

int64_t idempotency_now_ms(const struct idempotency *once)
{
	if (!once->held)
		return 0;
	return once->claimed_at_ms + (clock_monotonic_us() - once->claimed_us) / 1000;
}

bool idempotency_lost(struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_IDEMPOTENCY_KEY_IN_USE,
		"This took so long that another request with this Idempotency-Key began.");
	problem->retry_after_s = IN_USE_RETRY_S;
	return problem_detail(problem, "This one changed nothing. Send it again to learn the other one's answer.");
}

/* A handler that answered by itself, and not with 2xx, told the gate's refusal. */
static bool let_go(const struct idempotency *once, bool done, struct problem *problem)
{
	struct store *store = once->request->service->store;

	if (done)
		return idempotency_refuse(store, &once->name, IDEMPOTENCY_REFUSAL_KEEP_MS, problem);
	return idempotency_release(store, &once->name, problem);
}

/* Where this fails it costs the caller a wait until the hold ends, and nothing else. */
bool idempotency_end(const struct idempotency *once, bool done, const struct reply *reply)
{
	const struct request *request = once->request;
	struct problem problem = {0};

	if (!once->held || (done && reply->status < 300))
		return done;
	if (!let_go(once, done, &problem))
		log_event(LOG_WARN, "idempotency key not released", log_string("request_id", request->id),
			log_string("why", problem.message));
	return done;
}
