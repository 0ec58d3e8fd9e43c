/* SPDX-License-Identifier: Apache-2.0 */
/* For comparing by hand: the whole path (framing, route, arena, caller from the cache, JSON) on one port and a bare
 * CivetWeb handler with the same options on another. `http_bench THREADS` prints both ports and serves until it is
 * killed. */
#include <civetweb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../gate/base/log.h"
#include "fake_service.h"

static int answer_bare(struct mg_connection *connection, void *data)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 64\r\n"
				   "Cache-Control: no-store\r\nConnection: keep-alive\r\n\r\n"
				   "{\"id\":\"" ALICE_ID "\",\"username\":\"alice\"}";

	(void)data;
	mg_write(connection, text, sizeof(text) - 1);
	return 200;
}

int main(int argc, char **argv)
{
	const char *threads = argc > 1 ? argv[1] : "64";
	const char *options[] = {"listening_ports", "127.0.0.1:0", "num_threads", threads, "tcp_nodelay", "1",
		"enable_keep_alive", "yes", "keep_alive_timeout_ms", "5000", "connection_queue", "4096",
		"listen_backlog", "1024", "max_request_size", "16384", NULL};
	struct server *server = fake_server_start(strtol(threads, NULL, 10));
	struct mg_context *bare = mg_start(NULL, NULL, options);
	struct mg_server_port port = {0};

	mg_set_request_handler(bare, "/me$", answer_bare, NULL);
	mg_get_server_ports(bare, 1, &port);
	printf("%d %d\n", server_port(server), port.port);
	fflush(stdout);
	pause();
	server_stop(server);
	mg_stop(bare);
	return 0;
}
