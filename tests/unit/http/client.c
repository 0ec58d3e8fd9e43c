/* SPDX-License-Identifier: Apache-2.0 */
/* The client of the live tests. */
#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t client_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int connect_with(int port, int receive_bytes)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval timeout = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (receive_bytes > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	if (connect(fd, (const struct sockaddr *)&name, sizeof(name)) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

int client_connect(int port)
{
	return connect_with(port, 0);
}

int client_connect_narrow(int port)
{
	return connect_with(port, 4096);
}

bool client_send(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		size -= (size_t)sent;
	}
	return true;
}

bool client_say(int fd, const char *text)
{
	return client_send(fd, text, strlen(text));
}

/* Byte by byte, so that nothing of a next answer is taken. */
static bool read_head(int fd, struct answer *answer)
{
	size_t size = 0;

	while (size < sizeof(answer->head) - 1) {
		if (recv(fd, answer->head + size, 1, 0) != 1)
			return false;
		answer->head[++size] = '\0';
		if (size >= 4 && strcmp(answer->head + size - 4, "\r\n\r\n") == 0)
			return sscanf(answer->head, "HTTP/1.1 %d ", &answer->status) == 1;
	}
	return false;
}

static void read_body(int fd, struct answer *answer, size_t length)
{
	char bytes[8192];

	while (answer->body_size < length) {
		size_t want = length - answer->body_size < sizeof(bytes) ? length - answer->body_size : sizeof(bytes);
		ssize_t got = recv(fd, bytes, want, 0);

		if (got <= 0)
			return;
		if (answer->body_size + (size_t)got < sizeof(answer->body))
			memcpy(answer->body + answer->body_size, bytes, (size_t)got);
		answer->body_size += (size_t)got;
	}
}

static struct answer read_answer(int fd, bool has_body)
{
	struct answer answer = {0};
	int64_t start_us = client_now_us();
	const char *length;

	if (!read_head(fd, &answer))
		answer.status = 0;
	length = answer_header(&answer, "Content-Length");
	if (answer.status != 0 && length != NULL && has_body)
		read_body(fd, &answer, strtoul(length, NULL, 10));
	answer.took_us = client_now_us() - start_us;
	return answer;
}

struct answer client_answer(int fd)
{
	return read_answer(fd, true);
}

struct answer client_answer_to_head(int fd)
{
	return read_answer(fd, false);
}

struct answer client_ask(int port, const char *text)
{
	int fd = client_connect(port);
	struct answer answer;

	client_say(fd, text);
	answer = client_answer(fd);
	close(fd);
	return answer;
}

bool client_is_closed(int fd, int within_ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char byte;

	if (poll(&wait, 1, within_ms) <= 0)
		return false;
	return recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

const char *answer_header(const struct answer *answer, const char *name)
{
	static _Thread_local char value[512];
	size_t name_size = strlen(name);

	for (const char *line = strstr(answer->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, name_size) != 0 || line[name_size] != ':')
			continue;
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + name_size + 2, "\r"), line + name_size + 2);
		return value;
	}
	return NULL;
}
