/* SPDX-License-Identifier: Apache-2.0 */
/* The misbehaving provider as the tests of link/ use it: see demo.h. */
#include <arpa/inet.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../gate/base/json.h"
#include "../../../gate/base/text.h"
#include "demo.h"

static struct {
	pid_t process;
	int port;
} demo;

static void end_run(const char *what)
{
	fprintf(stderr, "cannot use the demonstration provider: %s\n", what);
	exit(1);
}

static void read_port(int descriptor)
{
	char line[256];
	FILE *stream = fdopen(descriptor, "r");
	const char *port = stream != NULL && fgets(line, sizeof(line), stream) != NULL ? strrchr(line, ':') : NULL;

	if (port == NULL)
		end_run("it says no address");
	demo.port = (int)strtol(port + 1, NULL, 10);
	fclose(stream);
}

void demo_start(void)
{
	char *binary = getenv("PROVIDER_BIN");
	char *arguments[] = {
		binary, (char[]){"--listen"}, (char[]){"127.0.0.1:0"}, (char[]){"--threads"}, (char[]){"256"}, NULL};
	posix_spawn_file_actions_t actions;
	int ends[2];

	if (binary == NULL || pipe(ends) != 0)
		end_run("PROVIDER_BIN names no program");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	if (posix_spawn(&demo.process, binary, &actions, NULL, arguments, environ) != 0)
		end_run("it does not start");
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	read_port(ends[0]);
}

void demo_stop(void)
{
	kill(demo.process, SIGTERM);
	waitpid(demo.process, NULL, 0);
}

const char *demo_url(struct arena *arena, const char *path)
{
	return arena_printf(arena, "http://127.0.0.1:%d%s", demo.port, path);
}

static int demo_connect(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)demo.port)};
	int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connection < 0 || connect(connection, (const struct sockaddr *)&address, sizeof(address)) != 0)
		end_run("no connection");
	return connection;
}

const char *demo_ask(struct arena *arena, const char *method, const char *path, const char *json)
{
	int connection = demo_connect();
	struct text answer = text_in(arena);
	char piece[4096];
	const char *request = arena_printf(arena,
		"%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		method, path, demo.port, strlen(json), json);

	if (write(connection, request, strlen(request)) != (ssize_t)strlen(request))
		end_run("it does not listen");
	for (ssize_t size; (size = read(connection, piece, sizeof(piece))) > 0;)
		text_add_bytes(&answer, piece, (size_t)size);
	close(connection);
	return answer.bytes;
}

void demo_switch(struct arena *arena, const char *name, const char *json)
{
	const char *path = arena_printf(arena, "/_control/%s", name);
	const char *answer = demo_ask(arena, "PUT", path, json);

	if (strncmp(answer, "HTTP/1.1 2", 10) != 0)
		end_run(answer);
}

void demo_fault(struct arena *arena, const char *name, const char *endpoint, const char *fault)
{
	demo_switch(arena, name, arena_printf(arena, "{\"faults\": {\"%s\": %s}}", endpoint, fault));
}

static const char *body_of(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	if (body == NULL)
		end_run("an answer without a body");
	return body + 4;
}

static struct secret member_secret(struct arena *arena, const struct json *root, const char *name)
{
	const char *text = json_string(json_member(root, name));

	if (text == NULL)
		end_run(name);
	return secret_copy(arena, text, strlen(text));
}

struct demo_pair demo_mint(struct arena *arena, const char *name)
{
	SCOPED(json_release) struct json *root = NULL;
	struct problem problem;
	const char *body = body_of(demo_ask(arena, "POST", arena_printf(arena, "/_control/%s/tokens", name), "{}"));

	if (!json_parse(body, strlen(body), &root, &problem))
		end_run(problem.message);
	return (struct demo_pair){.access_token = member_secret(arena, root, "access_token"),
		.refresh_token = member_secret(arena, root, "refresh_token")};
}

struct secret demo_token(struct arena *arena, const char *name)
{
	return demo_mint(arena, name).access_token;
}

long demo_number(struct arena *arena, const char *name, const char *group, const char *number)
{
	const char *answer = demo_ask(arena, "GET", arena_printf(arena, "/_control/%s", name), "");
	const char *found = strstr(answer, arena_printf(arena, "\"%s\":{", group));

	found = found != NULL ? strstr(found, arena_printf(arena, "\"%s\":", number)) : NULL;
	return found != NULL ? strtol(strchr(found, ':') + 1, NULL, 10) : -1;
}

struct secret demo_authorize(struct arena *arena, const char *url)
{
	const char *path = strchr(strstr(url, "://") + 3, '/');
	const char *answer = demo_ask(arena, "GET", path, "");
	const char *location = strcasestr(answer, "\r\nLocation: ");
	const char *query = location != NULL ? strchr(location, '?') : NULL;

	if (query == NULL)
		end_run(answer);
	const char *form = arena_copy_bytes(arena, query + 1, strcspn(query + 1, "\r\n"));
	const char *code = form_value(arena, form, "code");
	if (code == NULL)
		end_run(answer);
	return secret_copy(arena, code, strlen(code));
}

struct provider *demo_provider(struct arena *arena, const char *name, enum provider_type type)
{
	static const char secret[] = "gatehouse-demo-secret";
	struct provider *provider = arena_alloc(arena, sizeof(*provider));

	provider->id = name;
	provider->type = type;
	provider->type_word = "";
	provider->display_name = name;
	provider->display_icon = "";
	provider->issuer = "";
	provider->client_id = "gatehouse-demo";
	provider->client_secret = (struct secret){.text = secret, .size = sizeof(secret) - 1};
	provider->auth_url = demo_url(arena, arena_printf(arena, "/%s/authorize", name));
	provider->token_url = demo_url(arena, arena_printf(arena, "/%s/token", name));
	provider->validate_url = demo_url(arena, arena_printf(arena, "/%s/user", name));
	provider->revoke_url = demo_url(arena, arena_printf(arena, "/%s/revoke", name));
	provider->redirect_url = "";
	provider->device_code_url = "";
	provider->app_install_url = "";
	provider->app_installations_url = "";
	provider->api_base_url = "";
	provider->regex = "";
	provider->preset_regex = "";
	provider->scopes = "repo workflow";
	provider->extra_token_keys = "";
	provider->pkce = true;
	return provider;
}
