/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of the fake service, and token_find_user with three callers. */
#include "fake_service.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../gate/base/log.h"
#include "../../../gate/http/identify.h"
#include "../../../gate/store/users.h"

static atomic_uint lookups;
static atomic_int delay_ms;
static atomic_bool alice_is_gone;
static struct service service;

static const struct {
	const char *token;
	struct user user;
} CALLERS[] = {
	{TOKEN_ALICE, {.id = ALICE_ID, .username = "alice", .roles = 1U << ROLE_MEMBER}},
	{TOKEN_SUSPENDED,
		{.id = "01890000-0000-7000-8000-00000000bad0", .username = "mallory", .suspended = true, .roles = 1}},
};

unsigned fake_lookups(void)
{
	return atomic_load(&lookups);
}

void fake_lookup_delay_ms(int new_delay_ms)
{
	atomic_store(&delay_ms, new_delay_ms);
}

void fake_forget_alice(bool gone)
{
	atomic_store(&alice_is_gone, gone);
}

bool token_find_user(struct store *store, struct arena *arena, const uint8_t hash[SHA256_BYTES], bool *ret_found,
	struct user *ret_user, int64_t *ret_left_ms, struct problem *problem)
{
	uint8_t known[SHA256_BYTES];
	bool gone = atomic_load(&alice_is_gone);

	(void)store;
	(void)arena;
	atomic_fetch_add(&lookups, 1);
	if (atomic_load(&delay_ms) > 0)
		usleep((useconds_t)atomic_load(&delay_ms) * 1000);
	sha256(TOKEN_DATABASE_AWAY, strlen(TOKEN_DATABASE_AWAY), known);
	if (memcmp(known, hash, SHA256_BYTES) == 0) {
		problem_set(problem, PROBLEM_DATABASE_UNAVAILABLE, "The database cannot be reached.");
		problem->retry_after_s = 2;
		return false;
	}
	*ret_found = false;
	for (size_t i = gone ? 1 : 0; i < COUNT_OF(CALLERS); i++) {
		sha256(CALLERS[i].token, strlen(CALLERS[i].token), known);
		if (memcmp(known, hash, SHA256_BYTES) != 0)
			continue;
		*ret_user = CALLERS[i].user;
		*ret_left_ms = 3600000;
		*ret_found = true;
	}
	return true;
}

static bool handle_hello(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct json *root = json_new_object();

	(void)request;
	(void)problem;
	json_add_string(root, "hello", "world");
	reply_json(reply, 200, root);
	return true;
}

static bool handle_me(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct json *root = json_new_object();

	(void)problem;
	json_add_string(root, "id", request->caller.user_id);
	json_add_string(root, "username", request->caller.username);
	reply_json(reply, 200, root);
	return true;
}

static bool handle_slow(const struct request *request, struct reply *reply, struct problem *problem)
{
	usleep(1000 * 1000);
	return handle_hello(request, reply, problem);
}

/* Says how large the body was and what its member "say" held. */
static bool handle_echo(const struct request *request, struct reply *reply, struct problem *problem)
{
	const struct json *say = json_member(request->json, "say");
	struct json *root = json_new_object();

	(void)problem;
	json_add_integer(root, "size", (int64_t)request->body_size);
	json_add_string(root, "say", json_string(say));
	reply_json(reply, 201, root);
	return true;
}

static bool handle_thing(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct json *root = json_new_object();

	(void)problem;
	json_add_string(root, "id", request_parameter(request, "id"));
	json_add_string(root, "part", request_parameter(request, "part"));
	reply_json(reply, 200, root);
	return true;
}

static bool handle_nothing(const struct request *request, struct reply *reply, struct problem *problem)
{
	(void)request;
	(void)problem;
	reply_empty(reply, 204);
	return true;
}

/* Says what came of a request to somebody else. */
static bool handle_hook(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct json *root = json_new_object();

	(void)problem;
	json_add_string(root, "method", request->method);
	json_add_string(root, "path", request->path);
	json_add_string(root, "owner", request_header(request, REQUEST_HEADER_OWNER));
	json_add_string(root, "key", request_header(request, REQUEST_HEADER_IDEMPOTENCY_KEY));
	reply_json(reply, 200, root);
	return true;
}

static char large[LARGE_BYTES];

static bool handle_large(const struct request *request, struct reply *reply, struct problem *problem)
{
	(void)problem;
	*reply = (struct reply){.arena = request->arena,
		.status = 200,
		.content_type = "text/plain",
		.body = large,
		.body_size = LARGE_BYTES};
	return true;
}

const struct route FAKE_ROUTES[] = {
	{"GET", "/hello", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, handle_hello},
	{"GET", "/slow", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, handle_slow},
	{"GET", "/large", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, handle_large},
	{"GET", "/me", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, handle_me},
	{"POST", "/me", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, handle_echo},
	{"POST", "/echo", ROUTE_NEEDS_NOTHING, ROUTE_JSON_BODY, handle_echo},
	{"ANY", "/hook/...", ROUTE_NEEDS_NOTHING, ROUTE_ANY_BODY, handle_hook},
	{"DELETE", "/things/{id}", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, handle_nothing},
	{"GET", "/things/{id}/parts/{part}", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, handle_thing},
};
const size_t FAKE_ROUTES_COUNT = COUNT_OF(FAKE_ROUTES);

const struct service *fake_service_start(void)
{
	service = (struct service){.identities = identity_cache_new(), .access_url = "http://127.0.0.1"};
	log_setup(getenv("HTTP_TEST_LOG") != NULL ? LOG_INFO : LOG_ERROR, LOG_JSON);
	return &service;
}

void fake_service_stop(void)
{
	identity_cache_free(service.identities);
	service.identities = NULL;
}

struct server *fake_server_start_with(const struct server_options *options)
{
	struct problem problem = {0};
	struct server *server = NULL;

	if (!server_start(options, &server, &problem)) {
		fprintf(stderr, "the server did not start: %s\n", problem.message);
		exit(1);
	}
	server_serve(server, fake_service_start());
	return server;
}

struct server *fake_server_start(int64_t threads)
{
	struct server_options options = {
		.address = "127.0.0.1:0", .threads = threads, .routes = FAKE_ROUTES, .route_count = FAKE_ROUTES_COUNT};

	return fake_server_start_with(&options);
}

int fake_port;
static struct server *group_server;

int fake_group_start(void **state)
{
	(void)state;
	group_server = fake_server_start(16);
	fake_port = server_port(group_server);
	return 0;
}

int fake_group_stop(void **state)
{
	(void)state;
	server_stop(group_server);
	fake_service_stop();
	return 0;
}
