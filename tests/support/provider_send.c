/* SPDX-License-Identifier: Apache-2.0 */
/* Sending an answer: whole, in one write, when the provider behaves, because a second write costs 40 ms where Nagle's
 * algorithm meets a delayed acknowledgement; cut, trickled or huge when it does not. */
#include "provider_exchange.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *reason_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{200, "OK"},
		{201, "Created"},
		{204, "No Content"},
		{302, "Found"},
		{307, "Temporary Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
	};
	for (size_t i = 0; i < COUNT_OF(phrases); i++) {
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return "Status";
}

/* What CivetWeb will do with the connection after this answer: the header must say the same. */
static bool keeps_alive(const struct exchange *exchange)
{
	const char *wish = mg_get_header(exchange->connection, "Connection");
	if (strcmp(exchange->info->http_version, "1.1") != 0)
		return false;
	return !wish || strcasecmp(wish, "close") != 0;
}

static bool has_body(int status)
{
	return status != 204 && status != 304;
}

static void head_add(const struct exchange *exchange, bool keep_alive, size_t body_length, struct text *message)
{
	const struct answer *answer = &exchange->answer;
	text_add_format(message, "HTTP/1.1 %d %s\r\n", answer->status, reason_phrase(answer->status));
	if (answer->content_type)
		text_add_format(message, "Content-Type: %s\r\n", answer->content_type);
	if (has_body(answer->status))
		text_add_format(message, "Content-Length: %zu\r\n", body_length);
	if (answer->headers.bytes)
		text_add(message, answer->headers.bytes);
	text_add_format(
		message, "Cache-Control: no-store\r\nConnection: %s\r\n\r\n", keep_alive ? "keep-alive" : "close");
}

static bool write_bytes(const struct exchange *exchange, const char *bytes, size_t length)
{
	return length == 0 || mg_write(exchange->connection, bytes, length) == (int)length;
}

static void send_trickled(const struct exchange *exchange, const struct text *head, long pause_ms)
{
	const struct text *body = &exchange->answer.body;
	bool going = write_bytes(exchange, head->bytes, head->length);
	for (size_t i = 0; going && i < body->length; i++)
		going = patience_sleep(pause_ms) && write_bytes(exchange, body->bytes + i, 1);
}

/* A JSON object of exactly `total` bytes; the smallest possible one where that is not enough for an object. */
static void send_huge(const struct exchange *exchange, size_t total)
{
	static const char start[] = "{\"padding\":\"";
	static const char end[] = "\"}";
	char piece[65536];
	SCOPED(text_release) struct text head = {0};
	size_t frame = sizeof(start) - 1 + sizeof(end) - 1;
	size_t left = total > frame ? total - frame : 0;
	head_add(exchange, false, left + frame, &head);
	memset(piece, 'x', sizeof(piece));
	text_add(&head, start);
	bool going = write_bytes(exchange, head.bytes, head.length);
	while (going && left > 0 && !patience_ended()) {
		size_t length = left < sizeof(piece) ? left : sizeof(piece);
		going = write_bytes(exchange, piece, length);
		left -= length;
	}
	if (going && left == 0)
		write_bytes(exchange, end, sizeof(end) - 1);
}

static void send_half(const struct exchange *exchange, struct text *head)
{
	const struct text *body = &exchange->answer.body;
	if (body->length)
		text_add_bytes(head, body->bytes, body->length / 2);
	write_bytes(exchange, head->bytes, head->length);
}

static void send_with_fault(const struct exchange *exchange, const struct fault *fault)
{
	SCOPED(text_release) struct text head = {0};
	mg_disable_keep_alive(exchange->connection);
	if (fault->black_hole || fault->cut == CUT_BEFORE_HEADERS)
		return;
	if (fault->body_bytes) {
		send_huge(exchange, (size_t)fault->body_bytes);
		return;
	}
	head_add(exchange, false, exchange->answer.body.length, &head);
	if (fault->cut == CUT_MID_BODY)
		send_half(exchange, &head);
	else
		send_trickled(exchange, &head, fault->trickle_ms);
}

static bool changes_sending(const struct fault *fault)
{
	return fault && (fault->black_hole || fault->cut || fault->body_bytes || fault->trickle_ms);
}

void exchange_send(struct exchange *exchange)
{
	const struct fault *fault = exchange->fault;
	const struct text *body = &exchange->answer.body;
	SCOPED(text_release) struct text message = {0};
	if (!has_body(exchange->answer.status) || strcmp(exchange->info->request_method, "HEAD") == 0)
		text_release(&exchange->answer.body);
	if (changes_sending(fault)) {
		send_with_fault(exchange, fault);
		return;
	}
	bool keep_alive = keeps_alive(exchange) && !atomic_load(&exchange_crowded);
	if (!keep_alive)
		mg_disable_keep_alive(exchange->connection);
	head_add(exchange, keep_alive, body->length, &message);
	if (body->length)
		text_add_bytes(&message, body->bytes, body->length);
	write_bytes(exchange, message.bytes, message.length);
}
