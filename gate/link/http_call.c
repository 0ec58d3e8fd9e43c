/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: the memory of a request and its answer, and the hand-over between the thread that asks and the one that
 * transfers. A call that waits in line costs its request and little more; the answer's memory grows as it arrives
 * and is wiped, because answers of token endpoints hold tokens. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/log.h"
#include "http_call.h"
#include "must_check.h"

/* Most answers (a user, a token) fit the first piece; larger ones double it. */
#define ANSWER_FIRST_BYTES 2048

/* A provider may ask for any patience; more than this is not passed on, because a client that waits longer gives up. */
#define RETRY_AFTER_S_MAX 3600

/* A reset with more digits is none: so many hold seconds since 1970 for the next 300 years. */
#define RESET_DIGITS_MAX 10

/* No wait is 30 years long: from here on a reset is a time, in seconds since 1970. */
#define RESET_IS_TIME_FROM 1000000000

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL) {
		(void)fputs("gatehouse: out of memory for a request to a provider\n", stderr);
		abort();
	}
	return memory;
}

/* --- calls ------------------------------------------------------------------------------------------------------- */

static bool has_control(const char *text)
{
	for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++)
		if (*byte < 0x20 || *byte == 0x7f)
			return true;
	return false;
}

/* A token somebody imported could hold a line break and so write headers of its own (RFC 9110 section 5.5). */
static const char *why_refused(const struct http_request *request)
{
	if (strlen(request->url) > URL_BYTES_MAX || has_control(request->url))
		return "the URL is not lawful";
	for (size_t i = 0; i < request->header_count; i++) {
		const struct secret *value = &request->headers[i].value;

		if (strlen(value->text) != value->size || has_control(value->text))
			return "a header would hold a control character";
	}
	return NULL;
}

static size_t request_text_size(const struct http_request *request)
{
	size_t size = strlen(request->method) + 1 + strlen(request->url) + 1 + request->body.size + 1;

	for (size_t i = 0; i < request->header_count; i++)
		size += strlen(request->headers[i].name) + request->headers[i].value.size + sizeof(": ");
	return size;
}

/* Copies and moves *place behind the copy and its NUL. */
static const char *put_bytes(char **place, const char *bytes, size_t size)
{
	char *copy = *place;

	if (size > 0)
		memcpy(copy, bytes, size);
	copy[size] = '\0';
	*place = copy + size + 1;
	return copy;
}

static const char *put_header(char **place, const struct http_header *header)
{
	char *line = *place;

	put_bytes(place, header->name, strlen(header->name));
	*place -= 1;
	put_bytes(place, ": ", 2);
	*place -= 1;
	put_bytes(place, header->value.text, header->value.size);
	return line;
}

static void put_request(struct http_call *call, const struct http_request *request)
{
	char *place = (char *)(call + 1);

	call->method = put_bytes(&place, request->method, strlen(request->method));
	call->url = put_bytes(&place, request->url, strlen(request->url));
	for (size_t i = 0; i < request->header_count; i++)
		call->headers[i] = put_header(&place, &request->headers[i]);
	call->header_count = request->header_count;
	call->body.text = put_bytes(&place, request->body.text, request->body.size);
	call->body.size = request->body.size;
}

struct http_call *http_call_new(
	struct http_client *client, const struct http_request *request, struct waiter *waiter, size_t tag)
{
	size_t block_size = sizeof(struct http_call) + request_text_size(request);
	struct http_call *call = allocate(block_size);

	call->client = client;
	call->block_size = block_size;
	call->provider_id = request->provider_id;
	call->purpose = request->purpose;
	call->body_bytes_max = request->body_bytes_max;
	call->follow_same_host = request->follow_same_host;
	call->deadline = request->deadline;
	call->transfer_ms = request->transfer_ms;
	call->refused = why_refused(request);
	call->transport = TRANSPORT_NOT_SENT;
	put_request(call, request);
	waiter_begin(waiter, &call->awaited, tag);
	return call;
}

static void drop_answer_bytes(struct http_call *call)
{
	if (call->answer_bytes != NULL)
		explicit_bzero(call->answer_bytes, call->answer_capacity);
	free(call->answer_bytes);
	call->answer_bytes = NULL;
	call->answer_size = 0;
	call->answer_capacity = 0;
}

void http_call_destroy(struct http_call *call)
{
	drop_answer_bytes(call);
	waiter_forget(&call->awaited);
	explicit_bzero(call, call->block_size);
	free(call);
}

void http_call_hand_over(struct http_call *call)
{
	/* For the client's thread, which is told so of calls that were left; handed over, the call is another thread's.
	 */
	call->finished = true;
	(void)waiter_hand_over(&call->awaited);
}

bool http_call_abandon(struct http_call *call)
{
	return waiter_leave(&call->awaited);
}

size_t http_call_tag(const struct http_call *call)
{
	return call->awaited.tag;
}

_Static_assert(offsetof(struct http_call, awaited) == 0, "an awaited that comes back is its call");

struct http_call *http_waiter_next(struct waiter *waiter, struct deadline deadline)
{
	if (waiter_is_idle(waiter))
		return NULL;
	return (struct http_call *)waiter_next(waiter, deadline);
}

/* --- what arrives ------------------------------------------------------------------------------------------------ */

struct header_value {
	const char *text;
	size_t size;
};

/* The value of a header line when it has this name, without the blanks around it; text NULL for another header. */
static struct header_value header_value(const char *line, size_t size, const char *name)
{
	size_t name_size = strlen(name);

	if (size <= name_size || line[name_size] != ':' || strncasecmp(line, name, name_size) != 0)
		return (struct header_value){NULL, 0};
	const char *text = line + name_size + 1;
	size_t left = size - name_size - 1;
	while (left > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		left--;
	}
	while (left > 0 && strchr(" \t\r\n", text[left - 1]) != NULL)
		left--;
	return (struct header_value){text, left};
}

/* Keeps the value where the line has this name and it fits; a longer one is nothing we could use. */
static void keep_header(const char *line, size_t size, const char *name, char *ret_value, size_t value_size)
{
	struct header_value value = header_value(line, size, name);

	if (value.text == NULL || value.size >= value_size)
		return;
	memcpy(ret_value, value.text, value.size);
	ret_value[value.size] = '\0';
}

/* "0", also with parameters behind ("0;w=60"), and not "00:30". */
static bool says_zero_left(const char *line, size_t size, const char *name)
{
	struct header_value value = header_value(line, size, name);

	if (value.text == NULL || value.size == 0 || value.text[0] != '0')
		return false;
	return value.size == 1 || strchr(",; ", value.text[1]) != NULL;
}

/* GitHub and GitLab say a time, IETF's draft of RateLimit-Reset a wait. 0 for what is no number of seconds. */
static void keep_reset(const char *line, size_t size, const char *name, int64_t *ret_reset)
{
	char digits[RESET_DIGITS_MAX + 1] = "";

	keep_header(line, size, name, digits, sizeof(digits));
	if (digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0')
		*ret_reset = strtoll(digits, NULL, 10);
}

static void forget_headers(struct http_call *call)
{
	call->content_type[0] = '\0';
	call->retry_after[0] = '\0';
	call->rate_limit_exhausted = false;
	call->rate_limit_reset = 0;
}

bool http_call_add_header(struct http_call *call, const char *line, size_t size)
{
	call->header_bytes += size;
	if (call->header_bytes > PROVIDER_HEADER_BYTES_MAX) {
		call->headers_too_large = true;
		return false;
	}
	if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		forget_headers(call);
		return true;
	}
	keep_header(line, size, "Content-Type", call->content_type, sizeof(call->content_type));
	keep_header(line, size, "Retry-After", call->retry_after, sizeof(call->retry_after));
	if (says_zero_left(line, size, "X-RateLimit-Remaining") || says_zero_left(line, size, "RateLimit-Remaining"))
		call->rate_limit_exhausted = true;
	keep_reset(line, size, "X-RateLimit-Reset", &call->rate_limit_reset);
	keep_reset(line, size, "RateLimit-Reset", &call->rate_limit_reset);
	return true;
}

/* realloc would leave the old bytes behind unwiped. */
static void grow_answer(struct http_call *call, size_t wanted)
{
	size_t capacity = call->answer_capacity == 0 ? ANSWER_FIRST_BYTES : call->answer_capacity;

	while (capacity < wanted)
		capacity *= 2;
	char *bytes = allocate(capacity);
	size_t size = call->answer_size;
	if (size > 0)
		memcpy(bytes, call->answer_bytes, size);
	drop_answer_bytes(call);
	call->answer_bytes = bytes;
	call->answer_size = size;
	call->answer_capacity = capacity;
}

bool http_call_add_body(struct http_call *call, const char *piece, size_t size)
{
	if (size > call->body_bytes_max - call->answer_size) {
		call->body_too_large = true;
		return false;
	}
	size_t wanted = call->answer_size + size + 1;
	if (wanted > call->answer_capacity)
		grow_answer(call, wanted);
	memcpy(call->answer_bytes + call->answer_size, piece, size);
	call->answer_size += size;
	call->answer_bytes[call->answer_size] = '\0';
	return true;
}

void http_call_restart(struct http_call *call)
{
	drop_answer_bytes(call);
	forget_headers(call);
	call->header_bytes = 0;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static struct http_answer unanswered(enum transport transport, const char *failure, int64_t duration_us)
{
	return (struct http_answer){
		.transport = transport, .content_type = "", .failure = failure, .duration_us = duration_us};
}

struct http_answer http_call_peek(const struct http_call *call)
{
	struct http_answer answer = unanswered(call->transport, call->failure, call->duration_us);

	answer.body_too_large = call->body_too_large;
	if (call->transport != TRANSPORT_ANSWERED)
		return answer;
	answer.status = call->status;
	answer.content_type = call->content_type;
	answer.retry_after = call->retry_after[0] != '\0' ? call->retry_after : NULL;
	answer.rate_limit_exhausted = call->rate_limit_exhausted;
	answer.rate_limit_reset = call->rate_limit_reset;
	answer.body.text = call->answer_bytes != NULL ? call->answer_bytes : "";
	answer.body.size = call->answer_size;
	return answer;
}

static unsigned bounded_patience_s(int64_t seconds)
{
	return seconds < RETRY_AFTER_S_MAX ? (unsigned)seconds : RETRY_AFTER_S_MAX;
}

unsigned http_answer_retry_after_s(const struct http_answer *answer)
{
	const char *text = answer->retry_after;
	int64_t at_ms = 0;

	if (text == NULL || *text == '\0')
		return 0;
	if (strspn(text, "0123456789") == strlen(text))
		return bounded_patience_s(strtoll(text, NULL, 10));
	int64_t now_ms = clock_now_ms();
	if (!clock_parse_http_date(text, &at_ms) || at_ms <= now_ms)
		return 0;
	return bounded_patience_s((at_ms - now_ms + 999) / 1000);
}

struct http_answer http_call_take(struct http_call *call, struct arena *arena)
{
	struct http_answer answer = http_call_peek(call);

	answer.content_type = arena_copy(arena, answer.content_type);
	answer.retry_after = arena_copy(arena, answer.retry_after);
	if (answer.body.text != NULL)
		answer.body = secret_copy(arena, answer.body.text, answer.body.size);
	drop_answer_bytes(call);
	return answer;
}

unsigned http_answer_reset_s(const struct http_answer *answer)
{
	int64_t wait_s = answer->rate_limit_exhausted ? answer->rate_limit_reset : 0;

	if (wait_s >= RESET_IS_TIME_FROM)
		wait_s -= clock_now_ms() / 1000;
	if (wait_s < 0)
		return 0;
	return wait_s < RETRY_AFTER_S_MAX ? (unsigned)wait_s : RETRY_AFTER_S_MAX;
}

/* The transfer has the same deadline, and the thread knows better whether the request had left: it gets a moment to say
 * so. */
#define ASK_GRACE_MS 250

struct http_answer http_client_ask(struct http_client *client, const struct http_request *request, struct arena *arena)
{
	struct waiter *waiter = waiter_new();
	struct http_call *call = http_call_start(client, request, waiter, 0);
	struct deadline deadline = {.at_us = request->deadline.at_us + INT64_C(1000) * ASK_GRACE_MS};
	struct http_answer answer = unanswered(TRANSPORT_AMBIGUOUS, "the deadline passed", 0);

	if (http_waiter_next(waiter, deadline) != NULL)
		answer = http_call_take(call, arena);
	http_call_free(call);
	waiter_free(waiter);
	return answer;
}

/* Who asks is told that there is no answer; why, as a certificate that nobody vouches for, is for the operator. */
static void log_unanswered(const struct http_request *request, const struct http_answer *answer)
{
	log_event(LOG_WARN, "provider not reached", log_string("provider", request->provider_id),
		log_string("purpose", request->purpose), log_string("failure", answer->failure),
		log_duration("duration_ms", answer->duration_us));
}

struct http_answer http_client_ask_provider(
	struct http_client *client, const struct http_request *request, struct arena *arena)
{
	struct http_answer answer = http_client_ask(client, request, arena);

	if (answer.failure != NULL)
		log_unanswered(request, &answer);
	return answer;
}
