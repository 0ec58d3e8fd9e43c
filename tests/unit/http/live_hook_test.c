/* SPDX-License-Identifier: Apache-2.0 */
/* Routes for requests to somebody else: any method, any path behind the prefix, any body, and the headers that say whom
 * it is about, of which a second one must never win. */
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

#define HOST " HTTP/1.1\r\nHost: x\r\n"
#define LONG_65 "0123456789012345678901234567890123456789012345678901234567890123x"

static const struct {
	const char *name;
	const char *sent;
	int status;
	const char *body_has;
} CASES[] = {
	{"GET", "GET /hook/a" HOST "\r\n", 200, "\"method\":\"GET\",\"path\":\"/hook/a\""},
	{"POST", "POST /hook/a" HOST "\r\n", 200, "\"POST\""},
	{"PUT", "PUT /hook/a" HOST "\r\n", 200, "\"PUT\""},
	{"PATCH", "PATCH /hook/a" HOST "\r\n", 200, "\"PATCH\""},
	{"DELETE", "DELETE /hook/a" HOST "\r\n", 200, "\"DELETE\""},
	{"OPTIONS", "OPTIONS /hook/a" HOST "\r\n", 200, "\"OPTIONS\""},
	{"OPTIONS of a browser",
		"OPTIONS /hook/a" HOST "Origin: http://o\r\nAccess-Control-Request-Method: PUT\r\n\r\n", 200,
		"\"OPTIONS\""},
	{"PROPFIND", "PROPFIND /hook/a" HOST "Depth: 1\r\n\r\n", 200, "\"PROPFIND\""},
	{"MKCOL", "MKCOL /hook/a" HOST "\r\n", 200, "\"MKCOL\""},
	{"REPORT", "REPORT /hook/a" HOST "\r\n", 200, "\"REPORT\""},
	{"without a rest", "GET /hook" HOST "\r\n", 200, "\"path\":\"/hook\""},
	{"an empty rest", "GET /hook/" HOST "\r\n", 200, "\"path\":\"/hook/\""},
	{"a query", "GET /hook/a?b=%00&c" HOST "\r\n", 200, "\"path\":\"/hook/a\""},
	{"an escaped slash", "GET /hook/a%2Fb" HOST "\r\n", 200, "\"path\":\"/hook/a%2Fb\""},
	{"an escaped byte that is no UTF-8", "GET /hook/%ff%00%0a" HOST "\r\n", 200, "\"path\":\"/hook/%ff%00%0a\""},
	{"a broken escape", "GET /hook/100%" HOST "\r\n", 200, "\"path\":\"/hook/100%\""},
	{"empty segments", "GET /hook//a//" HOST "\r\n", 200, "\"path\":\"/hook//a//\""},
	{"dots", "GET /hook/a/../../hello" HOST "\r\n", 200, "\"path\":\"/hook/a/../../hello\""},
	{"another prefix", "GET /hooks" HOST "\r\n", 404, "not_found"},
	{"an escaped slash after the prefix", "GET /hook%2fa" HOST "\r\n", 400, "bad_request"},
	{"an escaped slash elsewhere", "GET /things/a%2fb/parts/c" HOST "\r\n", 400, "bad_request"},
	{"another method elsewhere", "OPTIONS /hello" HOST "\r\n", 405, "method_not_allowed"},
	{"a form", "POST /hook/" HOST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=%",
		200, "\"POST\""},
	{"JSON that is none", "POST /hook/" HOST "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{]", 200,
		"\"POST\""},
	{"a body without a type", "POST /hook/" HOST "Content-Length: 3\r\n\r\n\xff\x01\n", 200, "\"POST\""},
	{"a chunked body", "PUT /hook/" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 200, "\"PUT\""},
	{"a body too large by its length", "POST /hook/" HOST "Content-Length: 1048577\r\n\r\n", 413, "body_too_large"},
	{"an owner", "GET /hook/" HOST "x-gatehouse-OWNER: alice\r\n\r\n", 200, "\"owner\":\"alice\""},
	{"an empty owner", "GET /hook/" HOST "X-Gatehouse-Owner:\r\n\r\n", 200, "\"owner\":\"\""},
	{"no owner", "GET /hook/" HOST "\r\n", 200, "\"owner\":null"},
	{"two owners", "GET /hook/" HOST "X-Gatehouse-Owner: mallory\r\nX-Gatehouse-Owner: alice\r\n\r\n", 400,
		"bad_request"},
	{"two owners in other letters", "GET /hook/" HOST "X-Gatehouse-Owner: a\r\nx-gatehouse-owner: a\r\n\r\n", 400,
		"bad_request"},
	{"two versions", "GET /hook/" HOST "X-Gatehouse-Template-Version: a\r\nX-Gatehouse-Template-Version: b\r\n\r\n",
		400, "bad_request"},
	{"two transitions", "GET /hook/" HOST "X-Gatehouse-Transition: stop\r\nX-Gatehouse-Transition: start\r\n\r\n",
		400, "bad_request"},
	{"two partial bodies",
		"GET /hook/" HOST "x-envoy-auth-partial-body: false\r\nx-envoy-auth-partial-body: true\r\n\r\n", 400,
		"bad_request"},
	{"two keys", "GET /hello" HOST "Idempotency-Key: a\r\nIdempotency-Key: a\r\n\r\n", 400, "bad_request"},
	{"a key", "GET /hook" HOST "Idempotency-Key: " LONG_65 "\r\n\r\n", 200, "\"key\":\"" LONG_65 "\""},
	{"an owner too long", "GET /hook/" HOST "X-Gatehouse-Owner: " LONG_65 "\r\n\r\n", 400, "longer than 64 bytes"},
};

static void answers(void **state)
{
	size_t i = (size_t)(uintptr_t)*state;
	struct answer answer = client_ask(fake_port, CASES[i].sent);

	assert_int_equal(answer.status, CASES[i].status);
	assert_non_null(strstr(answer.body, CASES[i].body_has));
}

/* A body of somebody else's request does not become a request of its own. */
static void reads_over_bodies(void **state)
{
	static char body[BODY_BYTES_MAX];
	int fd = client_connect(fake_port);
	char head[128];

	(void)state;
	memset(body, '{', sizeof(body));
	snprintf(head, sizeof(head), "PUT /hook/big" HOST "Content-Length: %d\r\n\r\n", BODY_BYTES_MAX);
	client_say(fd, head);
	client_send(fd, body, sizeof(body));
	assert_int_equal(client_answer(fd).status, 200);
	client_say(fd, "GET /hello" HOST "\r\n");
	assert_int_equal(client_answer(fd).status, 200);
	close(fd);
}

static void tells_a_client_that_waits_to_go_on(void **state)
{
	int fd = client_connect(fake_port);

	(void)state;
	client_say(fd, "PUT /hook/" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	assert_int_equal(client_answer(fd).status, 100);
	client_say(fd, "ab");
	assert_int_equal(client_answer(fd).status, 200);
	close(fd);
}

static void answers_head_without_a_body(void **state)
{
	int fd = client_connect(fake_port);

	(void)state;
	client_say(fd, "HEAD /hook/a" HOST "\r\nGET /hello" HOST "\r\n");
	assert_int_equal(client_answer_to_head(fd).status, 200);
	assert_int_equal(client_answer(fd).status, 200);
	close(fd);
}

int main(void)
{
	struct CMUnitTest tests[COUNT_OF(CASES) + 3];
	size_t count = 0;

	for (size_t i = 0; i < COUNT_OF(CASES); i++)
		tests[count++] = (struct CMUnitTest){CASES[i].name, answers, NULL, NULL, (void *)(uintptr_t)i};
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(reads_over_bodies);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(tells_a_client_that_waits_to_go_on);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(answers_head_without_a_body);
	return _cmocka_run_group_tests("http live hooks", tests, count, fake_group_start, fake_group_stop);
}
