/* SPDX-License-Identifier: Apache-2.0 */
/* What the service is measured against: the same HTTP library with the same options, the same statements over a pool of
 * the same size, an answer of the same size, and nothing else. No JSON, no authentication, no gate, no log. The
 * distance between this program and the service is what the service itself costs. */
#include <civetweb.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceiling_database.h"
#include "must_check.h"

#define ANSWER_BYTES_MAX 16384
#define HELLO_BYTES 200

/* One kind of request: what it asks the database, and the answer that was made for it at the start. */
struct kind {
	const char *prefix; /* of the path; the owner's name follows */
	bool reads;
	bool by_name;
	bool inserts;
	bool unlogged; /* without the row of the decision log */
	const char *status;
	size_t answer_size;
	char answer[ANSWER_BYTES_MAX];
};

static struct kind kinds[] = {
	{.prefix = "/create/", .reads = true, .by_name = true, .inserts = true, .status = "201 Created"},
	{.prefix = "/unlogged/",
		.reads = true,
		.by_name = true,
		.inserts = true,
		.unlogged = true,
		.status = "201 Created"},
	{.prefix = "/check/", .reads = true, .by_name = true, .status = "200 OK"},
	{.prefix = "/read/", .reads = true, .status = "200 OK"},
	{.prefix = "/verdict/", .reads = true, .status = "200 OK"},
	{.prefix = "/hello", .status = "200 OK", .answer_size = HELLO_BYTES},
};

enum setting {
	OPTION_URL,
	OPTION_QUERIES,
	OPTION_TEMPLATE,
	OPTION_VERSION,
	OPTION_PROVIDER,
	OPTION_CONNECTIONS,
	OPTION_THREADS,
	OPTION_RUN,
	OPTION_CREATE_BYTES,
	OPTION_CHECK_BYTES,
	OPTION_READ_BYTES,
	OPTION_VERDICT_BYTES,
	OPTION_COUNT
};

static const struct option options[] = {
	[OPTION_URL] = {"url", required_argument, NULL, 0},
	[OPTION_QUERIES] = {"queries", required_argument, NULL, 0},
	[OPTION_TEMPLATE] = {"template", required_argument, NULL, 0},
	[OPTION_VERSION] = {"version", required_argument, NULL, 0},
	[OPTION_PROVIDER] = {"provider", required_argument, NULL, 0},
	[OPTION_CONNECTIONS] = {"connections", required_argument, NULL, 0},
	[OPTION_THREADS] = {"threads", required_argument, NULL, 0},
	[OPTION_RUN] = {"run", required_argument, NULL, 0},
	[OPTION_CREATE_BYTES] = {"create-bytes", required_argument, NULL, 0},
	[OPTION_CHECK_BYTES] = {"check-bytes", required_argument, NULL, 0},
	[OPTION_READ_BYTES] = {"read-bytes", required_argument, NULL, 0},
	[OPTION_VERDICT_BYTES] = {"verdict-bytes", required_argument, NULL, 0},
	[OPTION_COUNT] = {0},
};

static struct database *database;
static const char *run_name;

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* An answer of the given size, head included: a JSON string of dots. */
static bool answer_make(struct kind *kind)
{
	static const char head[] = "HTTP/1.1 %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
				   "Content-Length: %04zu\r\n\r\n";
	int head_size = snprintf(NULL, 0, head, kind->status, (size_t)0);

	if (head_size < 0 || kind->answer_size < (size_t)head_size + 2 || kind->answer_size >= sizeof(kind->answer)) {
		(void)fprintf(stderr, "%s: an answer of %zu bytes cannot be made\n", kind->prefix, kind->answer_size);
		return false;
	}
	size_t body_size = kind->answer_size - (size_t)head_size;
	(void)snprintf(kind->answer, sizeof(kind->answer), head, kind->status, body_size);
	char *body = kind->answer + head_size;
	memset(body, '.', body_size);
	body[0] = '"';
	body[body_size - 1] = '"';
	return true;
}

static const struct kind *find_kind(const char *path)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (strncmp(path, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return &kinds[i];
	}
	return NULL;
}

static bool ask_database(const struct kind *kind, const char *owner)
{
	static atomic_uint_fast32_t count;
	char name[32];
	char owner_id[UUID_TEXT_BYTES];

	if (!kind->reads)
		return true;
	(void)snprintf(name, sizeof(name), "%s-%08x", run_name, (unsigned int)atomic_fetch_add(&count, 1));
	return database_read(database, owner, kind->by_name ? name : NULL, owner_id) &&
	       (!kind->inserts || database_insert(database, owner_id, name, !kind->unlogged));
}

static int fail(struct mg_connection *connection, int status)
{
	(void)mg_printf(connection, "HTTP/1.1 %d Failed\r\nContent-Length: 0\r\n\r\n", status);
	return status;
}

static int begin_request(struct mg_connection *connection)
{
	const struct mg_request_info *info = mg_get_request_info(connection);
	const struct kind *kind = find_kind(info->request_uri);
	char body[4096];

	/* The body is taken off the connection and not looked at. */
	while (mg_read(connection, body, sizeof(body)) > 0)
		continue;
	if (kind == NULL)
		return fail(connection, 404);
	if (!ask_database(kind, info->request_uri + strlen(kind->prefix)))
		return fail(connection, 500);
	(void)mg_write(connection, kind->answer, kind->answer_size);
	return 200;
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static bool read_options(int argc, char **argv, const char *ret_values[OPTION_COUNT])
{
	int index = 0;
	int found = 0;

	while ((found = getopt_long(argc, argv, "", options, &index)) == 0)
		ret_values[index] = optarg;
	for (index = 0; found == -1 && index < OPTION_COUNT; index++) {
		if (ret_values[index] == NULL) {
			(void)fprintf(stderr, "--%s is missing\n", options[index].name);
			return false;
		}
	}
	return found == -1;
}

static size_t number_of(const char *text)
{
	return (size_t)strtoul(text, NULL, 10);
}

static bool answers_make(const char *const values[OPTION_COUNT])
{
	kinds[0].answer_size = number_of(values[OPTION_CREATE_BYTES]);
	kinds[1].answer_size = number_of(values[OPTION_CREATE_BYTES]);
	kinds[2].answer_size = number_of(values[OPTION_CHECK_BYTES]);
	kinds[3].answer_size = number_of(values[OPTION_READ_BYTES]);
	kinds[4].answer_size = number_of(values[OPTION_VERDICT_BYTES]);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (!answer_make(&kinds[i]))
			return false;
	}
	return true;
}

/* The service's own options (gate/http/server.c), a request's bounds included. */
static struct mg_context *listen_start(const char *threads)
{
	const char *settings[] = {"listening_ports", "127.0.0.1:0", "num_threads", threads, "connection_queue", "4096",
		"listen_backlog", "1024", "max_request_size", "16384", "tcp_nodelay", "1", "enable_keep_alive", "yes",
		"request_timeout_ms", "20000", "keep_alive_timeout_ms", "25000", "decode_url", "no",
		"decode_query_string", "no", NULL};
	struct mg_callbacks callbacks = {.begin_request = begin_request};
	struct mg_init_data init = {.callbacks = &callbacks, .configuration_options = settings};

	(void)mg_init_library(0);
	return mg_start2(&init, NULL);
}

static int serve(const char *threads)
{
	struct mg_server_port port = {0};
	sigset_t signals;
	int signal_number = 0;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	struct mg_context *context = listen_start(threads);
	if (context == NULL || mg_get_server_ports(context, 1, &port) != 1) {
		(void)fprintf(stderr, "CivetWeb does not start\n");
		return EXIT_FAILURE;
	}
	(void)printf("ceiling: listening on http://127.0.0.1:%d\n", port.port);
	(void)fflush(stdout);
	(void)sigwait(&signals, &signal_number);
	mg_stop(context);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *values[OPTION_COUNT] = {NULL};

	if (!read_options(argc, argv, values) || !answers_make(values))
		return 2;
	const struct database_options asked = {.url = values[OPTION_URL],
		.queries = values[OPTION_QUERIES],
		.template_id = values[OPTION_TEMPLATE],
		.version_id = values[OPTION_VERSION],
		.provider_id = values[OPTION_PROVIDER],
		.connections = number_of(values[OPTION_CONNECTIONS])};
	run_name = values[OPTION_RUN];
	if (!database_open(&asked, &database))
		return EXIT_FAILURE;
	int code = serve(values[OPTION_THREADS]);
	database_close(database);
	return code;
}
