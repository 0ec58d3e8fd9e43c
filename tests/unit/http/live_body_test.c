/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies over a running server: types, bounds, chunks, Expect, and bodies nobody wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"
#include "fake_service.h"

#define POST_JSON "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

static const struct {
	const char *name;
	const char *sent;
	int status;
	const char *body_has;
} CASES[] = {
	{"json", POST_JSON "Content-Length: 11\r\n\r\n{\"say\":\"a\"}", 201, "\"say\":\"a\""},
	{"json with a charset",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: Application/JSON; charset=utf-8\r\nContent-Length: "
		"2\r\n\r\n{}",
		201, "\"size\":2"},
	{"no body is an empty object", "POST /echo HTTP/1.1\r\nHost: x\r\n\r\n", 201, "\"size\":0"},
	{"length zero", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 201, "\"size\":0"},
	{"empty chunked body", POST_JSON "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 201, "\"size\":0"},
	{"chunked with a trailer", POST_JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-T: 1\r\n\r\n", 201,
		"\"size\":2"},
	{"no type", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 415, "unsupported_media_type"},
	{"another type",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/jsonp\r\nContent-Length: 2\r\n\r\n{}", 415,
		"unsupported_media_type"},
	{"a form",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		"Content-Length: 3\r\n\r\na=%",
		415, "unsupported_media_type"},
	{"malformed", POST_JSON "Content-Length: 2\r\n\r\n{]", 400, "malformed_json"},
	{"bad UTF-8", POST_JSON "Content-Length: 11\r\n\r\n{\"say\":\"\xff\"}", 400, "malformed_json"},
	{"too large by its length", POST_JSON "Content-Length: 200000000\r\n\r\n{}", 413, "body_too_large"},
	{"too large by one", POST_JSON "Content-Length: 1048577\r\n\r\n{}", 413, "body_too_large"},
	{"401 before the body", "POST /me HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{}", 401,
		"unauthenticated"},
	{"404 before the body", "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{}", 404,
		"not_found"},
	{"too large for a route without body", "GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", 413,
		"body_too_large"},
};

static void answers(void **state)
{
	size_t i = (size_t)(uintptr_t)*state;
	int fd = client_connect(fake_port);
	struct answer answer;

	client_say(fd, CASES[i].sent);
	answer = client_answer(fd);
	assert_int_equal(answer.status, CASES[i].status);
	assert_non_null(strstr(answer.body, CASES[i].body_has));
	assert_true(answer.took_us < 1000000);
	close(fd);
}

static void keeps_the_connection_after_an_unwanted_body(void **state)
{
	int fd = client_connect(fake_port);

	(void)state;
	client_say(fd, "DELETE /things/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
		       "DELETE /things/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
		       "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(client_answer(fd).status, 204);
	assert_int_equal(client_answer(fd).status, 204);
	assert_int_equal(client_answer(fd).status, 200);
	close(fd);
}

/* What was not read of a body must not be taken for the next request. */
static void closes_after_an_unread_body(void **state)
{
	int fd = client_connect(fake_port);
	struct answer answer;

	(void)state;
	client_say(fd, "POST /me HTTP/1.1\r\nHost: x\r\nContent-Length: 39\r\n\r\nGET /hello HTTP/1.1\r\nHost: "
		       "xxxxxxx\r\n\r\n");
	answer = client_answer(fd);
	assert_int_equal(answer.status, 401);
	assert_string_equal(answer_header(&answer, "Connection"), "close");
	assert_true(client_is_closed(fd, 2000));
	close(fd);
}

/* The client sees 413 although it is still sending: the connection is not reset under its answer. */
static void answers_413_while_the_client_sends(void **state)
{
	static char block[65536];
	int fd = client_connect(fake_port);
	struct answer answer;
	int64_t start_us = client_now_us();

	(void)state;
	client_say(fd, POST_JSON "Content-Length: 209715200\r\n\r\n");
	for (int i = 0; i < 32; i++)
		if (!client_send(fd, block, sizeof(block)))
			break;
	answer = client_answer(fd);
	assert_int_equal(answer.status, 413);
	assert_true(client_now_us() - start_us < 2000000);
	close(fd);
}

static void takes_a_body_of_the_largest_size(void **state)
{
	static char body[BODY_BYTES_MAX + 1];
	char head[256];
	int fd = client_connect(fake_port);
	struct answer answer;

	(void)state;
	memset(body, ' ', BODY_BYTES_MAX);
	memcpy(body, "{\"say\":\"big\"}", 13);
	snprintf(head, sizeof(head), POST_JSON "Content-Length: %d\r\n\r\n", BODY_BYTES_MAX);
	client_say(fd, head);
	client_send(fd, body, BODY_BYTES_MAX);
	answer = client_answer(fd);
	assert_int_equal(answer.status, 201);
	assert_string_equal(answer.body, "{\"size\":1048576,\"say\":\"big\"}");
	close(fd);
}

static struct answer send_chunks(size_t count)
{
	static char block[65536];
	int fd = client_connect(fake_port);
	struct answer answer;

	memset(block, ' ', sizeof(block));
	client_say(fd, POST_JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
	for (size_t i = 0; i < count; i++)
		if (!client_say(fd, "10000\r\n") || !client_send(fd, block, sizeof(block)) || !client_say(fd, "\r\n"))
			break;
	client_say(fd, "0\r\n\r\n");
	answer = client_answer(fd);
	close(fd);
	return answer;
}

static void bounds_chunked_bodies(void **state)
{
	(void)state;
	assert_string_equal(send_chunks(15).body, "{\"size\":983042,\"say\":null}");
	assert_int_equal(send_chunks(17).status, 413);
}

static void answers_expect_before_the_body(void **state)
{
	int fd = client_connect(fake_port);
	struct answer interim, answer;

	(void)state;
	client_say(fd, POST_JSON "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n");
	interim = client_answer(fd);
	assert_int_equal(interim.status, 100);
	client_say(fd, "{\"say\":\"a\"}");
	answer = client_answer(fd);
	assert_int_equal(answer.status, 201);
	assert_true(interim.took_us + answer.took_us < 500000);
	close(fd);
}

static void answers_expect_with_the_refusal(void **state)
{
	struct answer answer = client_ask(fake_port, "POST /me HTTP/1.1\r\nHost: x\r\nExpect: "
						     "100-continue\r\nContent-Length: 11\r\n\r\n");

	(void)state;
	assert_int_equal(answer.status, 401);
	assert_string_equal(answer_header(&answer, "Connection"), "close");
}

static void sends_a_large_answer_whole(void **state)
{
	struct answer answer = client_ask(fake_port, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.body_size, LARGE_BYTES);
}

int main(void)
{
	struct CMUnitTest tests[COUNT_OF(CASES) + 16];
	size_t count = 0;

	for (size_t i = 0; i < COUNT_OF(CASES); i++)
		tests[count++] = (struct CMUnitTest){CASES[i].name, answers, NULL, NULL, (void *)(uintptr_t)i};
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(keeps_the_connection_after_an_unwanted_body);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(closes_after_an_unread_body);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(answers_413_while_the_client_sends);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(takes_a_body_of_the_largest_size);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(bounds_chunked_bodies);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(answers_expect_before_the_body);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(answers_expect_with_the_refusal);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(sends_a_large_answer_whole);
	return _cmocka_run_group_tests("http live bodies", tests, count, fake_group_start, fake_group_stop);
}
