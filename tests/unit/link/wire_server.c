/* SPDX-License-Identifier: Apache-2.0 */
/* A server of a few lines: see wire_server.h. One thread, one poll over the listener and its connections. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire_server.h"

#define CONNECTIONS_MAX 8

struct wire_server {
	pthread_t thread;
	pthread_mutex_t lock;
	const char *answer;
	size_t requests;
	char url[64];
	int wake[2];
	size_t count;
	struct pollfd watched[CONNECTIONS_MAX + 2]; /* the wake pipe, the listener, connections */
};

static const char *next_answer(struct wire_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->requests++;
	const char *answer = server->answer;
	pthread_mutex_unlock(&server->lock);
	return answer;
}

/* false: the connection is to be closed. */
static bool serve(struct wire_server *server, int connection)
{
	char request[16384];
	ssize_t size = read(connection, request, sizeof(request));

	if (size <= 0)
		return false;
	const char *answer = next_answer(server);
	(void)!send(connection, answer, strlen(answer), MSG_NOSIGNAL);
	return strstr(answer, "Content-Length: 0") != NULL;
}

static void serve_connections(struct wire_server *server)
{
	for (size_t i = 2; i < server->count; i++) {
		if (server->watched[i].revents == 0 || serve(server, server->watched[i].fd))
			continue;
		close(server->watched[i].fd);
		server->watched[i] = server->watched[--server->count];
		i--;
	}
}

static void *run(void *argument)
{
	struct wire_server *server = argument;

	while (poll(server->watched, server->count, -1) > 0 && server->watched[0].revents == 0) {
		serve_connections(server);
		if (server->watched[1].revents != 0 && server->count < CONNECTIONS_MAX + 2)
			server->watched[server->count++] =
				(struct pollfd){.fd = accept(server->watched[1].fd, NULL, NULL), .events = POLLIN};
	}
	for (size_t i = 1; i < server->count; i++)
		close(server->watched[i].fd);
	return NULL;
}

struct wire_server *wire_server_start(const char *answer)
{
	struct wire_server *server = calloc(1, sizeof(*server));
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (server == NULL || pipe(server->wake) != 0 ||
		bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 16) != 0 ||
		getsockname(listener, (struct sockaddr *)&address, &size) != 0)
		abort();
	server->answer = answer;
	server->watched[0] = (struct pollfd){.fd = server->wake[0], .events = POLLIN};
	server->watched[1] = (struct pollfd){.fd = listener, .events = POLLIN};
	server->count = 2;
	(void)snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
	pthread_mutex_init(&server->lock, NULL);
	pthread_create(&server->thread, NULL, run, server);
	return server;
}

void wire_server_answer_with(struct wire_server *server, const char *answer)
{
	pthread_mutex_lock(&server->lock);
	server->answer = answer;
	pthread_mutex_unlock(&server->lock);
}

const char *wire_server_url(const struct wire_server *server)
{
	return server->url;
}

size_t wire_server_requests(struct wire_server *server)
{
	pthread_mutex_lock(&server->lock);
	size_t requests = server->requests;
	pthread_mutex_unlock(&server->lock);
	return requests;
}

void wire_server_stop(struct wire_server *server)
{
	close(server->wake[1]);
	pthread_join(server->thread, NULL);
	close(server->wake[0]);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
