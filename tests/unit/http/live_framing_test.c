/* SPDX-License-Identifier: Apache-2.0 */
/* Heads that two readers could understand in two ways, sent to a running server: each is refused with 400 (431) as JSON
 * and the connection is closed, so that what follows is never taken for a request. */
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

#define SMUGGLED "GET /things/1/parts/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

static const struct {
	const char *name;
	const char *sent;
	int status;
	const char *code;
} REFUSED[] = {
	{"both length headers",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		400, "bad_request"},
	{"repeated length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400,
		"bad_request"},
	{"letters in the length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5abc\r\n\r\n{}{}{", 400,
		"bad_request"},
	{"sign in the length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n{}{}{", 400, "bad_request"},
	{"list of lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}", 400, "bad_request"},
	{"hexadecimal length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n{}", 400, "bad_request"},
	{"negative length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "bad_request"},
	{"empty length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400, "bad_request"},
	{"overflowing length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400,
		"bad_request"},
	{"blank before the colon", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		400, "bad_request"},
	{"identity, then chunked",
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: "
		"chunked\r\n\r\n0\r\n\r\n",
		400, "bad_request"},
	{"identity", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 400, "bad_request"},
	{"gzip, chunked", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400,
		"bad_request"},
	{"xchunked", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400,
		"bad_request"},
	{"chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
		"bad_request"},
	{"no Host", "GET /hello HTTP/1.1\r\nAccept: */*\r\n\r\n", 400, "bad_request"},
	{"two Hosts", "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "bad_request"},
	{"two Authorizations",
		"GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400,
		"bad_request"},
	{"folded line hides a length",
		"POST /echo HTTP/1.1\r\nHost: x\r\nX-A: b\r\n folded\r\nContent-Length: 60\r\n\r\n" SMUGGLED, 400,
		"bad_request"},
	{"folded first line", "GET /hello HTTP/1.1\r\n Host: x\r\nHost: y\r\n\r\n", 400, "bad_request"},
	{"bare LF between lines", "GET /hello HTTP/1.1\r\nHost: x\nAccept: a\r\n\r\n", 400, "bad_request"},
	{"bare LF after the request line", "GET /hello HTTP/1.1\nHost: x\r\n\r\n", 400, "bad_request"},
	{"bare LF at the end", "GET /hello HTTP/1.1\r\nHost: x\n\n" SMUGGLED, 400, "bad_request"},
	{"NUL escape", "GET /hello%00x HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"newline escape", "GET /hello%0ax HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"broken escape", "GET /hello%4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"bad UTF-8 in the path", "GET /things/%ff/parts/1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"overlong UTF-8 in the path", "GET /things/%c0%af/parts/1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"absolute form", "GET http://elsewhere/hello HTTP/1.1\r\nHost: elsewhere\r\n\r\n", 400, "bad_request"},
	{"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"authority form", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"TRACE", "TRACE /hello HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"unknown method", "FETCH /hello HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"no version", "GET /hello\r\n\r\n", 400, "bad_request"},
	{"another version", "GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", 400, "bad_request"},
	{"control character in a header", "GET /hello HTTP/1.1\r\nHost: x\r\nX-A: a\x01z\r\n\r\n", 400, "bad_request"},
	{"unknown expectation", "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 2\r\n\r\n{}", 400,
		"bad_request"},
	{"chunk extension",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\n\r\n",
		400, "bad_request"},
	{"endless chunk size",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n",
		400, "bad_request"},
	{"chunk without its end",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n",
		400, "bad_request"},
};

static void refuses(void **state)
{
	size_t i = (size_t)(uintptr_t)*state;
	int fd = client_connect(fake_port);
	struct answer answer;
	char code[64];

	client_say(fd, REFUSED[i].sent);
	answer = client_answer(fd);
	snprintf(code, sizeof(code), "\"code\":\"%s\"", REFUSED[i].code);
	assert_int_equal(answer.status, REFUSED[i].status);
	assert_non_null(strstr(answer.body, code));
	assert_string_equal(answer_header(&answer, "Connection"), "close");
	assert_string_equal(answer_header(&answer, "Content-Type"), "application/json");
	assert_true(client_is_closed(fd, 2000));
	close(fd);
}

static void refuses_too_many_headers(void **state)
{
	char text[8192] = "POST /echo HTTP/1.1\r\nHost: x\r\n";
	int fd = client_connect(fake_port);
	struct answer answer;

	(void)state;
	for (int i = 0; i < 70; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "X-%d: y\r\n", i);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "Content-Length: 52\r\n\r\n" SMUGGLED);
	client_say(fd, text);
	answer = client_answer(fd);
	assert_int_equal(answer.status, 431);
	assert_non_null(strstr(answer.body, "header_too_large"));
	assert_true(client_is_closed(fd, 2000));
	close(fd);
}

static void refuses_a_head_that_is_too_large(void **state)
{
	static char text[40000] = "GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: ";
	int fd = client_connect(fake_port);
	struct answer answer;

	(void)state;
	memset(text + strlen(text), 'x', 20000);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "\r\n\r\n");
	client_say(fd, text);
	answer = client_answer(fd);
	assert_int_equal(answer.status, 431);
	assert_true(client_is_closed(fd, 2000));
	close(fd);
}

static void takes_a_large_head(void **state)
{
	static char text[20000] = "GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: ";
	struct answer answer;

	(void)state;
	memset(text + strlen(text), 'x', 15000);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "\r\n\r\n");
	answer = client_ask(fake_port, text);
	assert_int_equal(answer.status, 200);
}

static const struct {
	const char *name;
	const char *sent;
	int status;
	const char *header;
	const char *value;
} ANSWERED[] = {
	{"plain", "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 200, "Connection", "keep-alive"},
	{"no headers in HTTP/1.0", "GET /hello HTTP/1.0\r\n\r\n", 200, "Connection", "close"},
	{"query is not the path's", "GET /hello?a=%00 HTTP/1.1\r\nHost: x\r\n\r\n", 200, "X-Content-Type-Options",
		"nosniff"},
	{"no store", "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 200, "Cache-Control", "no-store"},
	{"sane request id", "GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-1\r\n\r\n", 200, "X-Request-Id",
		"abc-1"},
	{"blanks behind a value", "GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-2  \r\n\r\n", 200,
		"X-Request-Id", "abc-2"},
	{"client closes", "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, "Connection", "close"},
	{"unknown path", "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404, "Content-Type", "application/json"},
	{"no prefix match", "GET /helloX HTTP/1.1\r\nHost: x\r\n\r\n", 404, "Connection", "keep-alive"},
	{"no path below", "GET /hello/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "Connection", "keep-alive"},
	{"dots are not resolved", "GET /things/../hello HTTP/1.1\r\nHost: x\r\n\r\n", 404, "Connection", "keep-alive"},
	{"other method", "PUT /me HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Allow", "GET, HEAD, POST"},
	{"no token", "GET /me HTTP/1.1\r\nHost: x\r\n\r\n", 401, "WWW-Authenticate", "Bearer"},
	{"bad token", "GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nope\r\n\r\n", 401, "WWW-Authenticate",
		"Bearer error=\"invalid_token\""},
	{"token in the query", "GET /me?access_token=" TOKEN_ALICE " HTTP/1.1\r\nHost: x\r\n\r\n", 401,
		"WWW-Authenticate", "Bearer"},
	{"token", "GET /me HTTP/1.1\r\nHost: x\r\nauthorization: bearer " TOKEN_ALICE "\r\n\r\n", 200, "Connection",
		"keep-alive"},
	{"session token", "GET /me HTTP/1.1\r\nHost: x\r\nCoder-Session-Token: " TOKEN_ALICE "\r\n\r\n", 200,
		"Connection", "keep-alive"},
	{"suspended", "GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN_SUSPENDED "\r\n\r\n", 403,
		"Connection", "keep-alive"},
	{"database away", "GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN_DATABASE_AWAY "\r\n\r\n", 503,
		"Retry-After", "2"},
	{"no content", "DELETE /things/7 HTTP/1.1\r\nHost: x\r\n\r\n", 204, "Connection", "keep-alive"},
};

static void answers(void **state)
{
	size_t i = (size_t)(uintptr_t)*state;
	struct answer answer = client_ask(fake_port, ANSWERED[i].sent);
	const char *value = answer_header(&answer, ANSWERED[i].header);

	assert_int_equal(answer.status, ANSWERED[i].status);
	assert_non_null(value);
	assert_string_equal(value, ANSWERED[i].value);
	assert_non_null(answer_header(&answer, "X-Request-Id"));
}

static void replaces_an_insane_request_id(void **state)
{
	struct answer answer = client_ask(fake_port, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\"b\r\n\r\n");

	(void)state;
	assert_int_equal(strlen(answer_header(&answer, "X-Request-Id")), 36);
}

static void answers_204_without_length(void **state)
{
	struct answer answer = client_ask(fake_port, "DELETE /things/7 HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	assert_null(answer_header(&answer, "Content-Length"));
	assert_null(answer_header(&answer, "Content-Type"));
}

static void answers_head_without_body(void **state)
{
	int fd = client_connect(fake_port);
	struct answer head, get;

	(void)state;
	client_say(fd, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	head = client_answer_to_head(fd);
	get = client_answer(fd);
	close(fd);
	assert_int_equal(head.status, 200);
	assert_string_equal(answer_header(&head, "Content-Length"), "17");
	assert_int_equal(get.status, 200);
	assert_string_equal(get.body, "{\"hello\":\"world\"}");
}

static void decodes_parameters(void **state)
{
	struct answer answer = client_ask(fake_port, "GET /things/a%20b/parts/%c3%a4 HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	assert_string_equal(answer.body, "{\"id\":\"a b\",\"part\":\"\xc3\xa4\"}");
}

static void answers_pipelined_requests_in_order(void **state)
{
	int fd = client_connect(fake_port);

	(void)state;
	client_say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
		       "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"
		       "{\"say\":\"a\"}"
		       "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 11 \r\n\r\n"
		       "{\"say\":\"c\"}"
		       "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: "
		       "chunked\r\n\r\n"
		       "5\r\n{\"say\r\n6\r\n\":\"b\"}\r\n0\r\n\r\n"
		       "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(client_answer(fd).status, 200);
	assert_string_equal(client_answer(fd).body, "{\"size\":11,\"say\":\"a\"}");
	assert_string_equal(client_answer(fd).body, "{\"size\":11,\"say\":\"c\"}");
	assert_string_equal(client_answer(fd).body, "{\"size\":11,\"say\":\"b\"}");
	assert_int_equal(client_answer(fd).status, 404);
	close(fd);
}

static void refuses_a_bad_target_after_a_good_one(void **state)
{
	int fd = client_connect(fake_port);

	(void)state;
	client_say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(client_answer(fd).status, 200);
	assert_int_equal(client_answer(fd).status, 400);
	assert_true(client_is_closed(fd, 2000));
	close(fd);
}

int main(void)
{
	struct CMUnitTest tests[COUNT_OF(REFUSED) + COUNT_OF(ANSWERED) + 16];
	size_t count = 0;

	for (size_t i = 0; i < COUNT_OF(REFUSED); i++)
		tests[count++] = (struct CMUnitTest){REFUSED[i].name, refuses, NULL, NULL, (void *)(uintptr_t)i};
	for (size_t i = 0; i < COUNT_OF(ANSWERED); i++)
		tests[count++] = (struct CMUnitTest){ANSWERED[i].name, answers, NULL, NULL, (void *)(uintptr_t)i};
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(refuses_too_many_headers);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(refuses_a_head_that_is_too_large);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(takes_a_large_head);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(replaces_an_insane_request_id);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(answers_204_without_length);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(answers_head_without_body);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(decodes_parameters);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(answers_pipelined_requests_in_order);
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(refuses_a_bad_target_after_a_good_one);
	return _cmocka_run_group_tests("http live framing", tests, count, fake_group_start, fake_group_stop);
}
