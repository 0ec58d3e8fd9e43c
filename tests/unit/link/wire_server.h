/* SPDX-License-Identifier: Apache-2.0 */
/* A server of a few lines that answers every request with the same bytes and closes where they are none: for answers
 * that no HTTP library would send. */
#ifndef TEST_LINK_WIRE_SERVER_H
#define TEST_LINK_WIRE_SERVER_H

#include <stddef.h>

struct wire_server;

/* Keeps the answer's pointer. After an answer with a "Content-Length: 0" the connection stays open, else it is closed.
 */
struct wire_server *wire_server_start(const char *answer);
void wire_server_answer_with(struct wire_server *server, const char *answer);
const char *wire_server_url(const struct wire_server *server);
size_t wire_server_requests(struct wire_server *server);
void wire_server_stop(struct wire_server *server);

#endif
