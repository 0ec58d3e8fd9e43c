/* SPDX-License-Identifier: Apache-2.0 */
/* A client that sends exactly the bytes it is told to: what an HTTP library would refuse to send is what is tested. */
#ifndef TEST_HTTP_CLIENT_H
#define TEST_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connected socket to 127.0.0.1, with a receive timeout of 20 s. */
int client_connect(int port);

/* The same with a receive buffer that holds next to nothing. */
int client_connect_narrow(int port);

/* Sends all of it; false where the peer has gone. */
bool client_send(int fd, const char *bytes, size_t size);
bool client_say(int fd, const char *text);

struct answer {
	int status; /* 0: closed without an answer */
	char head[4096];
	char body[8192]; /* its beginning */
	size_t body_size;
	int64_t took_us;
};

/* One answer, framed by its Content-Length. */
struct answer client_answer(int fd);
struct answer client_answer_to_head(int fd);

/* Sends text on a new connection, returns the first answer and closes. */
struct answer client_ask(int port, const char *text);

/* Whether the peer closes within so long, with nothing more to read. */
bool client_is_closed(int fd, int within_ms);

/* The value of a header of the answer, in a buffer that the next call reuses; NULL where it is absent. */
const char *answer_header(const struct answer *answer, const char *name);

int64_t client_now_us(void);

#endif
