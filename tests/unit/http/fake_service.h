/* SPDX-License-Identifier: Apache-2.0 */
/* A server on a free port with a few handlers and callers that are known without a database. */
#ifndef TEST_HTTP_FAKE_SERVICE_H
#define TEST_HTTP_FAKE_SERVICE_H

#include "../../../gate/http/server.h"

#define TOKEN_ALICE "token-of-alice"
#define TOKEN_SUSPENDED "token-of-mallory"
#define TOKEN_DATABASE_AWAY "token-while-the-database-is-away"
#define LARGE_BYTES ((size_t)6 * 1024 * 1024) /* of GET /large: more than a socket buffers */
#define ALICE_ID "01890000-0000-7000-8000-00000000a11c"

extern const struct route FAKE_ROUTES[];
extern const size_t FAKE_ROUTES_COUNT;

/* How often the store was asked for a token; how long it takes to answer. */
unsigned fake_lookups(void);
void fake_lookup_delay_ms(int delay_ms);
void fake_forget_alice(bool gone);

/* A service that has an identity cache and nothing else; a server that serves it on a free port of 127.0.0.1. */
const struct service *fake_service_start(void);
void fake_service_stop(void);
struct server *fake_server_start(int64_t threads);
struct server *fake_server_start_with(const struct server_options *options);

/* The server of a whole test program, for cmocka's group setup and teardown. */
extern int fake_port;
int fake_group_start(void **state);
int fake_group_stop(void **state);

#endif
