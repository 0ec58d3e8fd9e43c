/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse-demo-provider: the provider that misbehaves. One process plays any number of OAuth 2 providers, well by
 * default and badly on request, for people who try Gatehouse, for its tests and for its benchmarks. Here: options,
 * start and end. */
#include "provider_handlers.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };
enum { THREADS_MAX = 4096 };
enum { CONFIG_MAX_BYTES = 1 << 20 };
/* Held requests are let go at the end; what is not answered after this is cut off. */
enum { DRAIN_LIMIT_MS = 300 };

struct options {
	const char *listen;
	const char *threads;
	const char *url_file;
	const char *url;
};

static const char usage[] =
	"Usage: gatehouse-demo-provider [OPTION]...\n"
	"An OAuth 2 provider that misbehaves on request. Every path begins with a provider's name, and a name that "
	"was\n"
	"never heard before is a new provider that behaves.\n"
	"\n"
	"  --listen HOST:PORT       where to listen; port 0 picks a free one (default 127.0.0.1:0)\n"
	"  --threads N              how many connections are served at once (default 64; an idle connection keeps its\n"
	"                           thread, so beyond 7/8 of N connections end with their answer)\n"
	"  --config FILE            JSON: {NAME: {SWITCH: VALUE}}, as PUT /_control/NAME would set them\n"
	"  --client NAME=ID:SECRET  the client of provider NAME (default gatehouse-demo:gatehouse-demo-secret)\n"
	"  --url URL                how others reach it, when that is not http://HOST:PORT\n"
	"  --url-file FILE          write that URL here when ready\n"
	"  --help                   this text\n"
	"\n"
	"When ready it prints one line: gatehouse-demo-provider: listening on URL\n"
	"\n"
	"Paths of a provider, after /NAME:\n"
	"  GET|POST /authorize                      authorization; ?login= picks the account\n"
	"  POST /token                              authorization_code, refresh_token, jwt-bearer, device_code\n"
	"  GET /user, /userinfo, /validate          200 while the bearer token is live, else 401\n"
	"  GET /installations                       GitHub's list of app installations\n"
	"  POST /revoke                             RFC 7009\n"
	"  DELETE /applications/CLIENT_ID/grant     GitHub's revocation\n"
	"  POST /device/code, GET|POST /device      device flow, and the page where people approve\n"
	"  GET /.well-known/openid-configuration    discovery\n"
	"\n"
	"Control, JSON both ways:\n"
	"  GET /_control                            the names of all providers\n"
	"  GET /_control/tokens                     every secret ever issued, by all providers, dead ones too\n"
	"  PUT /_control/NAME                       merge switches; null puts one back to its default\n"
	"  GET /_control/NAME                       switches, counters, gates\n"
	"  DELETE /_control/NAME                    back to the beginning, and all its tokens are dead\n"
	"  POST /_control/NAME/tokens               mint {login, expires_in, refresh, scope} without a flow\n"
	"  POST /_control/NAME/revoke               kill {access_token | refresh_token | login | all: true}\n"
	"  POST /_control/NAME/device               decide {user_code, approve, login}\n"
	"  GET /_control/NAME/requests              the last 1000 requests; secrets as fingerprints\n"
	"  PUT /_control/NAME/gates/ENDPOINT        {state: open|closed|once, moment: before|after}\n"
	"  GET /_control/NAME/gates/ENDPOINT        ?waiting=N&timeout_ms=T waits for N requests at the gate; 408 if "
	"not\n"
	"  POST /_control/NAME/gates/ENDPOINT/release  let {count} go, the longest-waiting first (default 1)\n";

static void help_print(void)
{
	fputs(usage, stdout);
	switches_print_help(stdout);
}

__attribute__((format(printf, 1, 2))) static bool complain(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("gatehouse-demo-provider: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	return false;
}

static void file_close(FILE **file)
{
	if (*file)
		fclose(*file);
}

static char *file_read(const char *path)
{
	SCOPED(file_close) FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	char *content = memory_take(CONFIG_MAX_BYTES + 1);
	content[fread(content, 1, CONFIG_MAX_BYTES, file)] = '\0';
	return content;
}

static bool provider_configure(const char *name, const cJSON *switches)
{
	struct refusal refusal = {0};
	struct provider *provider = provider_find(name);
	if (!provider)
		return complain("%s is no name for a provider", name);
	return provider_change_switches(provider, switches, &refusal) || complain("%s: %s", name, refusal.why);
}

static bool config_apply(const char *path)
{
	SCOPED(memory_release) char *content = file_read(path);
	if (!content)
		return complain("cannot read %s", path);
	SCOPED(json_release) cJSON *config = cJSON_ParseWithOpts(content, NULL, 1);
	if (!cJSON_IsObject(config))
		return complain("%s is not a JSON object", path);
	const cJSON *switches;
	cJSON_ArrayForEach(switches, config)
	{
		if (!provider_configure(switches->string, switches))
			return false;
	}
	return true;
}

/* NAME=ID:SECRET */
static bool client_apply(const char *argument)
{
	SCOPED(memory_release) char *name = memory_copy(argument);
	char *id = strchr(name, '=');
	char *secret = id ? strchr(id, ':') : NULL;
	if (!secret)
		return complain("--client takes NAME=ID:SECRET");
	*id++ = '\0';
	*secret++ = '\0';
	SCOPED(json_release) cJSON *switches = cJSON_CreateObject();
	cJSON_AddStringToObject(switches, "client_id", id);
	cJSON_AddStringToObject(switches, "client_secret", secret);
	return provider_configure(name, switches);
}

static bool threads_are_lawful(const char *text)
{
	char *end = NULL;
	long threads = strtol(text, &end, 10);
	return (*end == '\0' && threads >= 1 && threads <= THREADS_MAX) ||
	       complain("--threads takes 1..%d", THREADS_MAX);
}

/* Reads the command line; false after a complaint. `ret_help` tells that only help is wanted. */
static bool options_read(int count, char **arguments, struct options *options, bool *ret_help)
{
	static const struct option known[] = {
		{"listen", required_argument, NULL, 'l'},
		{"threads", required_argument, NULL, 't'},
		{"config", required_argument, NULL, 'c'},
		{"client", required_argument, NULL, 'i'},
		{"url", required_argument, NULL, 'u'},
		{"url-file", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool good = true;
	int letter;
	while (good && (letter = getopt_long(count, arguments, "", known, NULL)) != -1) {
		switch (letter) {
		case 'l':
			options->listen = optarg;
			break;
		case 't':
			options->threads = optarg;
			good = threads_are_lawful(optarg);
			break;
		case 'c':
			good = config_apply(optarg);
			break;
		case 'i':
			good = client_apply(optarg);
			break;
		case 'u':
			options->url = optarg;
			break;
		case 'f':
			options->url_file = optarg;
			break;
		case 'h':
			*ret_help = true;
			break;
		default:
			good = false;
		}
	}
	return good && (optind == count || complain("what is %s?", arguments[optind]));
}

/* A keep-alive connection owns its thread even while it is idle. So idle ones never take all threads: beyond seven
 * eighths of them, connections end with their answer. */
static long connections_comfortable;
static atomic_long connections_open;

static int connection_begin(const struct mg_connection *connection, void **ret_data)
{
	(void)connection;
	(void)ret_data;
	atomic_store(&exchange_crowded, atomic_fetch_add(&connections_open, 1) + 1 > connections_comfortable);
	return 0;
}

static void connection_end(const struct mg_connection *connection)
{
	(void)connection;
	atomic_store(&exchange_crowded, atomic_fetch_sub(&connections_open, 1) - 1 > connections_comfortable);
}

static struct mg_context *server_start(const struct options *options, const char *listen)
{
	const char *settings[] = {
		"listening_ports",
		listen,
		"num_threads",
		options->threads,
		/* A second write, where a fault needs one, would wait 40 ms for an acknowledgement otherwise. */
		"tcp_nodelay",
		"1",
		"enable_keep_alive",
		"yes",
		/* Longer than clients keep idle connections, so that they close first and none races with a request. */
		"keep_alive_timeout_ms",
		"10000",
		"request_timeout_ms",
		"30000",
		"connection_queue",
		"1024",
		"listen_backlog",
		"1024",
		NULL,
	};
	char why[256] = "";
	struct mg_callbacks callbacks = {
		.begin_request = route_serve,
		.init_connection = connection_begin,
		.connection_closed = connection_end,
	};
	struct mg_init_data init = {.callbacks = &callbacks, .configuration_options = settings};
	struct mg_error_data error = {.text = why, .text_buffer_size = sizeof(why)};
	long threads = strtol(options->threads, NULL, 10);
	connections_comfortable = threads - (threads + 7) / 8;
	struct mg_context *server = mg_start2(&init, &error);
	if (!server)
		complain("cannot listen on %s: %s", listen, why);
	return server;
}

/* CivetWeb knows addresses only. */
static void listen_address_read(const char *listen, char *ret_address, size_t size)
{
	bool local = strncmp(listen, "localhost:", 10) == 0;
	snprintf(ret_address, size, "%s%s", local ? "127.0.0.1:" : "", local ? listen + 10 : listen);
}

static void base_url_set(struct mg_context *server, const struct options *options, const char *address)
{
	struct mg_server_port port = {0};
	mg_get_server_ports(server, 1, &port);
	const char *colon = strrchr(address, ':');
	int host_length = colon ? (int)(colon - address) : 0;
	if (options->url)
		snprintf(exchange_base_url, sizeof(exchange_base_url), "%s", options->url);
	else
		snprintf(exchange_base_url, sizeof(exchange_base_url), "http://%.*s:%d", host_length ? host_length : 9,
			host_length ? address : "127.0.0.1", port.port);
}

/* Appears whole or not at all: who waits for the file reads it at once. */
static bool url_file_write(const char *path)
{
	SCOPED(text_release) struct text beside = {0};
	text_add_format(&beside, "%s.new", path);
	FILE *file = fopen(beside.bytes, "we");
	bool written = file && fprintf(file, "%s\n", exchange_base_url) > 0;
	if (file)
		written &= fclose(file) == 0;
	return (written && rename(beside.bytes, path) == 0) || complain("cannot write %s", path);
}

/* Ends what CivetWeb's threads wait for: they look for the end only every two seconds otherwise. */
static void sockets_shut_down(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	int last = limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
	for (int descriptor = 3; descriptor < last; descriptor++)
		shutdown(descriptor, SHUT_RDWR);
}

static void server_stop(struct mg_context *server)
{
	patience_end();
	for (int waited_ms = 0; route_in_flight() > 0 && waited_ms < DRAIN_LIMIT_MS; waited_ms += 5)
		usleep(5000);
	sockets_shut_down();
	mg_stop(server);
}

static int serve(const struct options *options, const sigset_t *signals)
{
	char address[256];
	listen_address_read(options->listen, address, sizeof(address));
	route_close_doors();
	struct mg_context *server = server_start(options, address);
	if (!server)
		return EXIT_FAILURE;
	base_url_set(server, options, address);
	route_open_doors();
	bool told = !options->url_file || url_file_write(options->url_file);
	if (told) {
		int signal_number = 0;
		printf("gatehouse-demo-provider: listening on %s\n", exchange_base_url);
		fflush(stdout);
		sigwait(signals, &signal_number);
	}
	server_stop(server);
	return told ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
	struct options options = {.listen = "127.0.0.1:0", .threads = "64"};
	bool help = false;
	sigset_t signals;
	/* Blocked before the first thread begins, so that no thread but main ever gets them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	mg_init_library(0);
	if (!options_read(count, arguments, &options, &help))
		return EXIT_USAGE;
	if (help) {
		help_print();
		return EXIT_SUCCESS;
	}
	int status = serve(&options, &signals);
	mg_exit_library();
	return status;
}
