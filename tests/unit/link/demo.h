/* SPDX-License-Identifier: Apache-2.0 */
/* The misbehaving provider as the tests of link/ use it: its process, its control API, and a browser that follows
 * nothing. Speaks HTTP by hand, so that the client under test is not also the one that prepares the test. */
#ifndef TEST_LINK_DEMO_H
#define TEST_LINK_DEMO_H

#include <stddef.h>

#include "../../../gate/base/arena.h"
#include "../../../gate/link/provider.h"

/* Starts the program PROVIDER_BIN names; fails the run where it cannot. */
void demo_start(void);
void demo_stop(void);

/* "http://127.0.0.1:PORT"; PATH is printf-like behind it. */
const char *demo_url(struct arena *arena, const char *path);

/* One request, its whole answer (status line, header, body) as text in the arena; "" where the other side cannot be
 * reached. */
const char *demo_ask(struct arena *arena, const char *method, const char *path, const char *json);

/* PUT /_control/NAME with the switches. */
void demo_switch(struct arena *arena, const char *name, const char *json);

/* PUT /_control/NAME with a fault of one endpoint. */
void demo_fault(struct arena *arena, const char *name, const char *endpoint, const char *fault);

/* A token of the provider, made without a flow. */
struct secret demo_token(struct arena *arena, const char *name);

/* The same with its refresh token. */
struct demo_pair {
	struct secret access_token;
	struct secret refresh_token;
};
struct demo_pair demo_mint(struct arena *arena, const char *name);

/* The number that GET /_control/NAME shows under this name within this group ("requests", "in_flight_max", "counters").
 */
long demo_number(struct arena *arena, const char *name, const char *group, const char *number);

/* What stands after `name=` in the Location that this authorization URL answers with. */
struct secret demo_authorize(struct arena *arena, const char *url);

/* A provider of this name with every URL of the demonstration provider. */
struct provider *demo_provider(struct arena *arena, const char *name, enum provider_type type);

#endif
