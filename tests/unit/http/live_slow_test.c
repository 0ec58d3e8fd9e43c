/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that drip, three times as many as there are workers: a normal request is answered all the same, and a slow
 * but honest client is left alone while workers are free. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../gate/base/metrics.h"
#include "client.h"
#include "fake_service.h"

#define THREADS 8
#define DRIPPERS (3 * THREADS)
#define ASKED 9

/* What a request may take under attack. The median holds on a busy machine, too; the worst only shows that nobody waits
 * for an attacker's ten seconds, three queues deep. */
#define MEDIAN_US_MAX 1500000
#define WORST_US_MAX 9000000

static struct server *server;
static int port;
static atomic_bool stop_dripping;

/* Sends a beginning and then a byte each 100 ms, and comes back when it is thrown out. */
static void *drip(void *beginning)
{
	while (!atomic_load(&stop_dripping)) {
		int fd = client_connect(port);

		client_say(fd, beginning);
		while (!atomic_load(&stop_dripping) && !client_is_closed(fd, 100) && client_say(fd, "x"))
			;
		close(fd);
	}
	return NULL;
}

/* Keeps connections open between requests, one request a second. */
static void *idle(void *request)
{
	while (!atomic_load(&stop_dripping)) {
		int fd = client_connect(port);

		while (!atomic_load(&stop_dripping) && client_say(fd, request) && client_answer(fd).status == 200)
			if (client_is_closed(fd, 1000))
				break;
		close(fd);
	}
	return NULL;
}

static int compare_us(const void *left, const void *right)
{
	int64_t difference = *(const int64_t *)left - *(const int64_t *)right;

	return difference < 0 ? -1 : difference > 0;
}

/* Sorted. */
static void ask_under_attack(int64_t took_us[ASKED])
{
	for (int i = 0; i < ASKED; i++) {
		int64_t start_us = client_now_us();
		struct answer answer = client_ask(port, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

		took_us[i] = client_now_us() - start_us;
		assert_int_equal(answer.status, 200);
		usleep(100 * 1000);
	}
	qsort(took_us, ASKED, sizeof(*took_us), compare_us);
}

static void with_attackers(void *(*attack)(void *), const char *beginning)
{
	pthread_t attackers[DRIPPERS];
	char copy[256];
	int64_t took_us[ASKED];

	snprintf(copy, sizeof(copy), "%s", beginning);
	atomic_store(&stop_dripping, false);
	for (size_t i = 0; i < DRIPPERS; i++)
		pthread_create(&attackers[i], NULL, attack, copy);
	usleep(300 * 1000);
	ask_under_attack(took_us);
	atomic_store(&stop_dripping, true);
	for (size_t i = 0; i < DRIPPERS; i++)
		pthread_join(attackers[i], NULL);
	print_message("answers under attack: median %lld ms, worst %lld ms\n", (long long)took_us[ASKED / 2] / 1000,
		(long long)took_us[ASKED - 1] / 1000);
	assert_true(took_us[ASKED / 2] < MEDIAN_US_MAX);
	assert_true(took_us[ASKED - 1] < WORST_US_MAX);
}

static void survives_dripped_heads(void **state)
{
	(void)state;
	with_attackers(drip, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Drip: ");
}

static void survives_dripped_bodies(void **state)
{
	(void)state;
	with_attackers(drip, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
			     "1000000\r\n\r\n{");
}

static void survives_connections_that_say_nothing(void **state)
{
	(void)state;
	with_attackers(drip, "");
}

static void survives_unwanted_bodies_that_drip(void **state)
{
	(void)state;
	with_attackers(drip, "DELETE /things/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{");
}

static void serves_more_idle_connections_than_workers(void **state)
{
	(void)state;
	with_attackers(idle, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
}

/* Reads nothing of a large answer. */
static void *never_read(void *request)
{
	while (!atomic_load(&stop_dripping)) {
		int fd = client_connect_narrow(port);

		client_say(fd, request);
		for (int i = 0; i < 20 && !atomic_load(&stop_dripping); i++)
			usleep(100 * 1000);
		close(fd);
	}
	return NULL;
}

static void survives_clients_that_do_not_read(void **state)
{
	(void)state;
	with_attackers(never_read, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void leaves_an_honest_slow_client_alone(void **state)
{
	static const char request[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
				      "Content-Length: 11\r\n\r\n{\"say\":\"a\"}";
	int fd = client_connect(port);

	(void)state;
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		assert_true(client_send(fd, request + i, 1));
		usleep(30 * 1000);
	}
	assert_int_equal(client_answer(fd).status, 201);
	usleep(1500 * 1000);
	client_say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(client_answer(fd).status, 200);
	close(fd);
}

static void ends_an_idle_connection_in_time(void **state)
{
	int fd = client_connect(port);

	(void)state;
	client_say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(client_answer(fd).status, 200);
	assert_false(client_is_closed(fd, KEEP_ALIVE_IDLE_MS - 1000));
	assert_true(client_is_closed(fd, 2000));
	close(fd);
}

static void answers_a_dripped_body_after_its_deadline(void **state)
{
	int fd = client_connect(port);
	int64_t start_us = client_now_us();
	struct answer answer;

	(void)state;
	client_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
		       "1000\r\n\r\n");
	while (client_now_us() - start_us < (REQUEST_READ_MS + 3000) * 1000LL && client_say(fd, " ")) {
		usleep(200 * 1000);
		if (client_now_us() - start_us > (REQUEST_READ_MS + 400) * 1000LL)
			break;
	}
	answer = client_answer(fd);
	assert_int_equal(answer.status, 400);
	assert_true(client_now_us() - start_us < (REQUEST_READ_MS + 2000) * 1000LL);
	close(fd);
}

static void counts_what_it_closed(void **state)
{
	struct arena *arena = arena_new((size_t)1024 * 1024);
	struct text text = text_in(arena);

	(void)state;
	metrics_write(&text);
	assert_non_null(strstr(text.bytes, "gatehouse_http_slow_connections_closed_total "));
	assert_null(strstr(text.bytes, "gatehouse_http_slow_connections_closed_total 0\n"));
	arena_free(arena);
}

static int start(void **state)
{
	(void)state;
	server = fake_server_start(THREADS);
	port = server_port(server);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_stop(server);
	fake_service_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_dripped_heads),
		cmocka_unit_test(survives_dripped_bodies),
		cmocka_unit_test(survives_connections_that_say_nothing),
		cmocka_unit_test(survives_unwanted_bodies_that_drip),
		cmocka_unit_test(serves_more_idle_connections_than_workers),
		cmocka_unit_test(survives_clients_that_do_not_read),
		cmocka_unit_test(leaves_an_honest_slow_client_alone),
		cmocka_unit_test(ends_an_idle_connection_in_time),
		cmocka_unit_test(answers_a_dripped_body_after_its_deadline),
		cmocka_unit_test(counts_what_it_closed),
	};

	return cmocka_run_group_tests_name("http slow clients", tests, start, stop);
}
