/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server: the only file that knows CivetWeb. Closes its framing holes before a handler runs, bounds slow
 * clients, answers each request with one write, logs one line a request, and lets a drain finish what is in flight. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "route.h"
#include "service.h"

struct server;

struct server_options {
	const char *address; /* host:port, port 0 picks a free one */
	int64_t threads;
	const char *tls_cert_file; /* "" or NULL: plain HTTP */
	const char *tls_key_file;
	const struct route *routes;
	size_t route_count;
	bool quiet; /* the admin listener does not log its requests */
};

/* Listens. service may still change until server_serve: requests that come before are answered 503 `draining`. The
 * problem's message says what to do (port in use, TLS that the library cannot do, a certificate that does not load). */
MUST_CHECK bool server_start(const struct server_options *options, struct server **ret_server, struct problem *problem);

/* The port listened on. */
int server_port(const struct server *server);

/* From now on requests reach their handlers. */
void server_serve(struct server *server, const struct service *service);

/* Stops taking new requests (503, connection closed), waits until those in flight are answered or the deadline passes.
 */
void server_drain(struct server *server, struct deadline deadline);

/* Closes everything. NULL is nothing to do. */
void server_stop(struct server *server);

/* Whether this process can serve HTTPS at all: Debian's CivetWeb cannot load OpenSSL 3 by itself (see server_tls.c). */
bool server_tls_is_available(void);

#endif
