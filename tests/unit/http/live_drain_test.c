/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping: what is in flight is answered, what is new is refused, and idle connections do not hold the stop up. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"
#include "fake_service.h"

static void *drain_and_stop(void *server)
{
	server_drain(server, deadline_in_ms(5000));
	return NULL;
}

static void answers_what_is_in_flight_and_refuses_what_is_new(void **state)
{
	struct server *server = fake_server_start(16);
	int port = server_port(server);
	int slow = client_connect(port), kept = client_connect(port);
	struct answer answer;
	pthread_t drainer;

	(void)state;
	client_say(kept, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(client_answer(kept).status, 200);
	client_say(slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
	usleep(200 * 1000);
	pthread_create(&drainer, NULL, drain_and_stop, server);
	usleep(200 * 1000);
	assert_true(client_is_closed(kept, 500));
	answer = client_ask(port, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(answer.status, 503);
	assert_string_equal(answer_header(&answer, "Connection"), "close");
	assert_string_equal(answer_header(&answer, "Retry-After"), "1");
	assert_non_null(strstr(answer.body, "\"draining\""));
	answer = client_answer(slow);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.body, "{\"hello\":\"world\"}");
	pthread_join(drainer, NULL);
	server_stop(server);
	fake_service_stop();
	close(slow);
	close(kept);
}

static void refuses_until_it_serves(void **state)
{
	struct server_options options = {
		.address = "127.0.0.1:0", .threads = 4, .routes = FAKE_ROUTES, .route_count = FAKE_ROUTES_COUNT};
	struct problem problem = {0};
	struct server *server = NULL;
	const char hello[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

	(void)state;
	assert_true(server_start(&options, &server, &problem));
	assert_int_equal(client_ask(server_port(server), hello).status, 503);
	server_serve(server, fake_service_start());
	assert_int_equal(client_ask(server_port(server), hello).status, 200);
	server_stop(server);
	fake_service_stop();
}

static void a_deadline_ends_the_drain(void **state)
{
	struct server *server = fake_server_start(4);
	int slow = client_connect(server_port(server));
	int64_t start_us;

	(void)state;
	client_say(slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
	usleep(100 * 1000);
	start_us = client_now_us();
	server_drain(server, deadline_in_ms(200));
	assert_true(client_now_us() - start_us < 600000);
	server_stop(server);
	fake_service_stop();
	close(slow);
}

static void stops_at_once_with_idle_and_half_sent_requests(void **state)
{
	struct server *server = fake_server_start(16);
	int fds[8];
	int64_t start_us;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = client_connect(server_port(server));
		client_say(fds[i], i % 2 == 0 ? "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /hello HT");
		if (i % 2 == 0)
			assert_int_equal(client_answer(fds[i]).status, 200);
	}
	start_us = client_now_us();
	server_drain(server, deadline_in_ms(5000));
	server_stop(server);
	print_message("drain and stop took %lld ms\n", (long long)(client_now_us() - start_us) / 1000);
	assert_true(client_now_us() - start_us < 1500000);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	fake_service_stop();
}

static void says_why_it_cannot_listen(void **state)
{
	static const struct {
		const char *address;
		const char *says;
	} rows[] = {
		{"127.0.0.1", "write host:port"},
		{"127.0.0.1:99999", "write host:port"},
		{"127.0.0.1:8x", "write host:port"},
		{"[::1]:0", "IPv6"},
		{"no-such-host.invalid:0", "no IPv4 address"},
		{"192.0.2.1:0", "does not have that address"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct server_options options = {.address = rows[i].address, .threads = 2};
		struct problem problem = {0};
		struct server *server = NULL;

		assert_false(server_start(&options, &server, &problem));
		print_message("%s\n", problem.message);
		assert_non_null(strstr(problem.message, rows[i].says));
		assert_null(server);
	}
}

static void says_that_the_port_is_taken(void **state)
{
	struct server *first = fake_server_start(2), *second = NULL;
	struct server_options options = {.threads = 2};
	struct problem problem = {0};
	char address[32];

	(void)state;
	snprintf(address, sizeof(address), "localhost:%d", server_port(first));
	options.address = address;
	assert_false(server_start(&options, &second, &problem));
	assert_non_null(strstr(problem.message, "another process listens there already"));
	server_stop(first);
	fake_service_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_what_is_in_flight_and_refuses_what_is_new),
		cmocka_unit_test(refuses_until_it_serves),
		cmocka_unit_test(a_deadline_ends_the_drain),
		cmocka_unit_test(stops_at_once_with_idle_and_half_sent_requests),
		cmocka_unit_test(says_why_it_cannot_listen),
		cmocka_unit_test(says_that_the_port_is_taken),
	};

	return cmocka_run_group_tests_name("http drain", tests, NULL, NULL);
}
