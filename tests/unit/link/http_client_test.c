/* SPDX-License-Identifier: Apache-2.0 */
/* The way out to providers: what counts as not sent and as ambiguous, the bounds, redirects, and that one dead provider
 * costs the others nothing. */
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../gate/link/http_client.h"
#include "bounds.h"
#include "demo.h"
#include "must_check.h"
#include "wire_server.h"

#define ENOUGH_MS 20000

struct state {
	struct http_client *client;
	struct arena *arena;
};

static int set_up(void **state)
{
	struct state *made = calloc(1, sizeof(*made));

	made->arena = arena_new(64 << 20);
	made->client = http_client_new();
	*state = made;
	return 0;
}

static int tear_down(void **state)
{
	struct state *made = *state;

	http_client_free(made->client);
	arena_free(made->arena);
	free(made);
	return 0;
}

static struct http_request get(const char *provider_id, const char *url, int64_t timeout_ms)
{
	return (struct http_request){
		.provider_id = provider_id,
		.purpose = "validate",
		.method = "GET",
		.url = url,
		.body_bytes_max = PROVIDER_BODY_BYTES_MAX,
		.follow_same_host = true,
		.deadline = deadline_in_ms(timeout_ms),
	};
}

static struct http_request validate(struct state *state, const char *name, int64_t timeout_ms)
{
	struct secret token = demo_token(state->arena, name);
	const char *path = arena_printf(state->arena, "/%s/user", name);
	const char *bearer = arena_printf(state->arena, "Bearer %s", token.text);
	struct http_request request = get(name, demo_url(state->arena, path), timeout_ms);

	request.header_count = 1;
	request.headers[0] = (struct http_header){"Authorization", {bearer, strlen(bearer)}};
	return request;
}

static struct http_answer ask(struct state *state, struct http_request request)
{
	return http_client_ask(state->client, &request, state->arena);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void an_answer_comes_back_whole(void **data)
{
	struct state *state = *data;

	demo_fault(state->arena, "whole", "validate",
		"{\"status\": 418, \"body\": \"tea\", \"content_type\": \"text/plain\", \"headers\": "
		"{\"Retry-After\": \"7\", \"X-RateLimit-Remaining\": \"0\"}}");
	struct http_answer answer = ask(state, validate(state, "whole", ENOUGH_MS));
	assert_int_equal(answer.transport, TRANSPORT_ANSWERED);
	assert_int_equal(answer.status, 418);
	assert_string_equal(answer.body.text, "tea");
	assert_int_equal(answer.body.size, 3);
	assert_string_equal(answer.content_type, "text/plain");
	assert_string_equal(answer.retry_after, "7");
	assert_true(answer.rate_limit_exhausted);
	assert_null(answer.failure);
}

static void a_token_reaches_the_provider(void **data)
{
	struct state *state = *data;
	struct http_answer answer = ask(state, validate(state, "bearer", ENOUGH_MS));

	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer.body.text, "alice"));
	assert_null(answer.retry_after);
	assert_false(answer.rate_limit_exhausted);
}

static void what_was_not_sent_is_told(void **data)
{
	struct state *state = *data;
	struct wire_server *closed = wire_server_start("");
	const char *refused = arena_copy(state->arena, wire_server_url(closed));

	wire_server_stop(closed);
	const char *urls[] = {
		refused,
		"http://name.invalid/user",
		arena_printf(state->arena, "https%s", demo_url(state->arena, "/tls/user") + strlen("http")),
	};
	for (size_t i = 0; i < COUNT_OF(urls); i++) {
		struct http_answer answer = ask(state, get("not-sent", urls[i], ENOUGH_MS));

		assert_int_equal(answer.transport, TRANSPORT_NOT_SENT);
		assert_int_equal(answer.status, 0);
		assert_non_null(answer.failure);
		assert_null(strstr(answer.failure, "127.0.0.1"));
	}
}

static void what_may_have_been_sent_is_ambiguous(void **data)
{
	static const char *const faults[] = {
		"{\"cut\": \"before_headers\"}",
		"{\"cut\": \"mid_body\"}",
		"{\"black_hole\": true}",
		"{\"trickle_ms\": 400}",
	};
	struct state *state = *data;

	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		const char *name = arena_printf(state->arena, "ambiguous-%zu", i);

		demo_fault(state->arena, name, "validate", faults[i]);
		struct http_answer answer = ask(state, validate(state, name, 500));
		assert_int_equal(answer.transport, TRANSPORT_AMBIGUOUS);
		assert_int_equal(answer.status, 0);
		assert_non_null(answer.failure);
	}
}

static void what_is_no_http_is_ambiguous(void **data)
{
	static const char *const answers[] = {
		"no http at all\r\n\r\n",
		"HTTP/1.1 abc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	};
	struct state *state = *data;

	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct wire_server *server = wire_server_start(answers[i]);
		struct http_answer answer = ask(state, get("no-http", wire_server_url(server), ENOUGH_MS));

		assert_int_equal(answer.transport, TRANSPORT_AMBIGUOUS);
		wire_server_stop(server);
	}
}

/* --- bounds ------------------------------------------------------------------------------------------------------ */

static void a_body_over_the_bound_is_refused(void **data)
{
	struct state *state = *data;

	demo_fault(state->arena, "large", "validate", "{\"body_bytes\": 65537}");
	struct http_request request = validate(state, "large", ENOUGH_MS);
	request.body_bytes_max = 65536;
	struct http_answer answer = ask(state, request);
	assert_int_equal(answer.transport, TRANSPORT_AMBIGUOUS);
	assert_true(answer.body_too_large);

	request.body_bytes_max = 65537;
	answer = ask(state, request);
	assert_int_equal(answer.transport, TRANSPORT_ANSWERED);
	assert_int_equal(answer.body.size, 65537);
}

static void a_header_over_the_bound_is_refused(void **data)
{
	struct state *state = *data;
	const char *line = "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
	char *answer_text = arena_alloc(state->arena, PROVIDER_HEADER_BYTES_MAX + 4096);
	char *place = stpcpy(answer_text, "HTTP/1.1 200 OK\r\n");

	while (place - answer_text <= PROVIDER_HEADER_BYTES_MAX)
		place = stpcpy(place, line);
	stpcpy(place, "Content-Length: 0\r\n\r\n");
	struct wire_server *server = wire_server_start(answer_text);
	struct http_answer answer = ask(state, get("long-header", wire_server_url(server), ENOUGH_MS));
	wire_server_stop(server);
	assert_int_equal(answer.transport, TRANSPORT_AMBIGUOUS);
	assert_string_equal(answer.failure, "the answer's header is too large");
}

static void a_header_with_a_line_break_is_never_sent(void **data)
{
	struct state *state = *data;
	struct http_request request = validate(state, "injected", ENOUGH_MS);
	static const char value[] = "Bearer x\r\nX-Admin: yes";

	request.headers[0].value = (struct secret){value, sizeof(value) - 1};
	struct http_answer answer = ask(state, request);
	assert_int_equal(answer.transport, TRANSPORT_NOT_SENT);
	assert_int_equal(demo_number(state->arena, "injected", "requests", "validate"), 0);
}

/* --- redirects --------------------------------------------------------------------------------------------------- */

static void a_redirect_on_the_same_host_keeps_the_token(void **data)
{
	struct state *state = *data;

	demo_fault(state->arena, "moved", "validate", "{\"redirect\": \"/moved/userinfo\", \"times\": 2}");
	struct http_answer answer = ask(state, validate(state, "moved", ENOUGH_MS));
	assert_int_equal(answer.transport, TRANSPORT_ANSWERED);
	assert_int_equal(answer.status, 200);
}

static void redirects_in_a_circle_end(void **data)
{
	struct state *state = *data;

	demo_fault(state->arena, "circle", "validate", "{\"redirect\": \"/circle/user\"}");
	struct http_answer answer = ask(state, validate(state, "circle", ENOUGH_MS));
	assert_int_equal(answer.transport, TRANSPORT_ANSWERED);
	assert_in_range(answer.status, 300, 399);
}

static void a_redirect_to_another_host_is_not_followed(void **data)
{
	struct state *state = *data;
	struct wire_server *other = wire_server_start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	const char *fault = arena_printf(state->arena, "{\"redirect\": \"%s\"}", wire_server_url(other));

	demo_fault(state->arena, "elsewhere", "validate", fault);
	struct http_answer answer = ask(state, validate(state, "elsewhere", ENOUGH_MS));
	assert_in_range(answer.status, 300, 399);
	assert_int_equal(wire_server_requests(other), 0);
	wire_server_stop(other);
}

static void a_post_is_not_redirected(void **data)
{
	struct state *state = *data;

	demo_fault(state->arena, "post-moved", "token", "{\"redirect\": \"/post-moved/user\"}");
	struct http_request request = get("post-moved", demo_url(state->arena, "/post-moved/token"), ENOUGH_MS);
	request.method = "POST";
	request.body = (struct secret){"code=x", 6};
	struct http_answer answer = ask(state, request);
	assert_in_range(answer.status, 300, 399);
}

/* --- connections ------------------------------------------------------------------------------------------------- */

static void a_post_is_never_sent_twice(void **data)
{
	struct state *state = *data;
	struct wire_server *server = wire_server_start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	struct http_request request = get("once", wire_server_url(server), ENOUGH_MS);

	assert_int_equal(ask(state, request).transport, TRANSPORT_ANSWERED);
	wire_server_answer_with(server, "");
	request.method = "POST";
	request.body = (struct secret){"refresh_token=x", 15};
	assert_int_equal(ask(state, request).transport, TRANSPORT_AMBIGUOUS);
	assert_int_equal(wire_server_requests(server), 2);
	wire_server_stop(server);
}

static void a_dead_provider_holds_up_nobody_else(void **data)
{
	struct state *state = *data;
	struct waiter *waiter = waiter_new();
	struct http_call *calls[PROVIDER_IN_FLIGHT_MAX + 20];
	struct http_request request = validate(state, "hole", 3000);
	size_t not_sent = 0;
	size_t ambiguous = 0;

	demo_ask(state->arena, "PUT", "/_control/hole/gates/validate", "{\"state\": \"closed\"}");
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		request.deadline = deadline_in_ms(i < PROVIDER_IN_FLIGHT_MAX ? 3000 : 2000);
		calls[i] = http_call_start(state->client, &request, waiter, i);
	}
	const char *gate = demo_ask(state->arena, "GET", "/_control/hole/gates/validate?waiting=65&timeout_ms=500", "");
	assert_non_null(strstr(gate, "\"waiting\":64"));
	struct http_answer alive = ask(state, validate(state, "alive", 1000));
	assert_int_equal(alive.status, 200);

	for (struct http_call *call; (call = http_waiter_next(waiter, deadline_in_ms(ENOUGH_MS))) != NULL;) {
		struct http_answer answer = http_call_take(call, state->arena);

		not_sent += answer.transport == TRANSPORT_NOT_SENT;
		ambiguous += answer.transport == TRANSPORT_AMBIGUOUS;
	}
	for (size_t i = 0; i < COUNT_OF(calls); i++)
		http_call_free(calls[i]);
	waiter_free(waiter);
	assert_int_equal(ambiguous, PROVIDER_IN_FLIGHT_MAX);
	assert_int_equal(not_sent, 20);
	demo_ask(state->arena, "PUT", "/_control/hole/gates/validate", "{\"state\": \"open\"}");
}

static void what_comes_too_late_is_not_sent(void **data)
{
	struct state *state = *data;
	struct http_answer answer = ask(state, validate(state, "late", 0));

	assert_int_equal(answer.transport, TRANSPORT_NOT_SENT);
	assert_int_equal(demo_number(state->arena, "late", "requests", "validate"), 0);
}

static void those_in_line_follow_in_order(void **data)
{
	struct state *state = *data;
	struct waiter *waiter = waiter_new();
	struct http_request request = validate(state, "line", ENOUGH_MS);
	struct http_call *calls[3 * PROVIDER_IN_FLIGHT_MAX];
	size_t answered = 0;

	for (size_t i = 0; i < COUNT_OF(calls); i++)
		calls[i] = http_call_start(state->client, &request, waiter, i);
	for (struct http_call *call; (call = http_waiter_next(waiter, deadline_in_ms(ENOUGH_MS))) != NULL;)
		answered += http_call_take(call, state->arena).status == 200;
	for (size_t i = 0; i < COUNT_OF(calls); i++)
		http_call_free(calls[i]);
	waiter_free(waiter);
	assert_int_equal(answered, COUNT_OF(calls));
}

static void a_cancelled_call_makes_room(void **data)
{
	struct state *state = *data;
	struct waiter *waiter = waiter_new();
	struct http_request request = validate(state, "cancelled", ENOUGH_MS);
	struct http_call *calls[PROVIDER_IN_FLIGHT_MAX];

	demo_fault(state->arena, "cancelled", "validate", "{\"black_hole\": true, \"times\": 64}");
	for (size_t i = 0; i < COUNT_OF(calls); i++)
		calls[i] = http_call_start(state->client, &request, waiter, i);
	assert_null(http_waiter_next(waiter, deadline_in_ms(300)));
	for (size_t i = 0; i < COUNT_OF(calls); i++)
		http_call_free(calls[i]);
	assert_null(http_waiter_next(waiter, deadline_in_ms(ENOUGH_MS)));
	waiter_free(waiter);
	assert_int_equal(ask(state, request).status, 200);
}

static void ending_tells_those_who_wait(void **data)
{
	struct state *state = *data;
	struct waiter *waiter = waiter_new();
	struct http_request request = validate(state, "ending", ENOUGH_MS);

	demo_fault(state->arena, "ending", "validate", "{\"black_hole\": true}");
	struct http_call *call = http_call_start(state->client, &request, waiter, 0);
	assert_null(http_waiter_next(waiter, deadline_in_ms(100)));
	http_client_free(state->client);
	state->client = NULL;
	assert_ptr_equal(http_waiter_next(waiter, deadline_in_ms(ENOUGH_MS)), call);
	assert_int_equal(http_call_take(call, state->arena).transport, TRANSPORT_AMBIGUOUS);
	http_call_free(call);
	waiter_free(waiter);
}

/* --- a name server that does not answer -------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	bool held;
	bool entered;
} resolver = {.lock = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER};

/* Takes the place of the C library's for this program, libcurl included. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;

	if (node != NULL && strcmp(node, "hangs.invalid") == 0) {
		pthread_mutex_lock(&resolver.lock);
		resolver.entered = true;
		while (resolver.held)
			pthread_cond_wait(&resolver.freed, &resolver.lock);
		pthread_mutex_unlock(&resolver.lock);
		return EAI_AGAIN;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(node, service, hints, ret_list);
}

static void set_resolver_held(bool held)
{
	pthread_mutex_lock(&resolver.lock);
	resolver.held = held;
	pthread_cond_broadcast(&resolver.freed);
	pthread_mutex_unlock(&resolver.lock);
}

static void a_hanging_name_server_holds_up_nobody(void **data)
{
	struct state *state = *data;

	set_resolver_held(true);
	struct http_answer hanging = ask(state, get("hangs", "http://hangs.invalid/user", 300));
	struct http_answer alive = ask(state, validate(state, "resolves", 2000));
	set_resolver_held(false);
	assert_true(resolver.entered);
	assert_int_equal(hanging.transport, TRANSPORT_NOT_SENT);
	assert_int_equal(alive.status, 200);
}

/* --- many threads ------------------------------------------------------------------------------------------------ */

static void *ask_often(void *argument)
{
	struct state *state = argument;
	struct arena *arena = arena_new(64 << 20);
	struct state own = {.client = state->client, .arena = arena};
	struct http_request request = validate(&own, "often", ENOUGH_MS);
	size_t *answered = calloc(1, sizeof(*answered));

	for (size_t i = 0; i < 50; i++) {
		struct waiter *waiter = waiter_new();
		struct http_call *given_up = http_call_start(own.client, &request, waiter, 1);

		*answered += http_client_ask(own.client, &request, arena).status == 200;
		http_call_free(given_up);
		waiter_free(waiter);
	}
	arena_free(arena);
	return answered;
}

static void many_threads_may_ask_and_give_up(void **data)
{
	pthread_t threads[8];
	size_t answered = 0;

	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_create(&threads[i], NULL, ask_often, *data);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		void *count = NULL;

		pthread_join(threads[i], &count);
		answered += *(size_t *)count;
		free(count);
	}
	assert_int_equal(answered, 8 * 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_comes_back_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_token_reaches_the_provider, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_sent_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_may_have_been_sent_is_ambiguous, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_http_is_ambiguous, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_body_over_the_bound_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_header_over_the_bound_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_header_with_a_line_break_is_never_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_redirect_on_the_same_host_keeps_the_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(redirects_in_a_circle_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_redirect_to_another_host_is_not_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_post_is_not_redirected, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_post_is_never_sent_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dead_provider_holds_up_nobody_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_comes_too_late_is_not_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(those_in_line_follow_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cancelled_call_makes_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ending_tells_those_who_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hanging_name_server_holds_up_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_threads_may_ask_and_give_up, set_up, tear_down),
	};

	demo_start();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	demo_stop();
	return failed;
}
