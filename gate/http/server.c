/* SPDX-License-Identifier: Apache-2.0 */
/* Between CivetWeb and the rest: its options, its callbacks, its workers. Every request is answered in begin_request,
 * so none of CivetWeb's own handlers (files, CGI, WebSocket, forms) ever sees one. */
#include "server.h"

#include <civetweb.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/metrics.h"
#include "server_address.h"
#include "server_exchange.h"
#include "server_slow.h"
#include "server_tls.h"

/* Connections that wait for a worker (in CivetWeb's queue) and for CivetWeb (in the kernel's): bursts of a deploy, when
 * every client comes back at once, wait here instead of being refused. */
#define CONNECTION_QUEUE "4096"
#define LISTEN_BACKLOG "1024"

/* glibc makes up to eight heaps a core, each of which keeps what its busiest moment needed: on a large machine few
 * heaps keep the process small. Fewer than this and the workers wait for one another's heap (with 4, answers cost a
 * fifth more CPU at 16 connections). */
#define HEAPS_MAX 16

struct server {
	struct server_options options;
	struct mg_context *context;
	void *tls;
	int port;
	struct slow_guard guard;
	_Atomic(const struct service *) service;
	atomic_int in_flight;
	atomic_bool has_started;
	char complaint[256]; /* CivetWeb's own words about a start that failed */
};

/* What a worker thread owns. The arena is made for the first request, so that workers which never ran cost nothing. */
struct worker {
	struct slow_worker slow;
	struct arena *arena;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static bool library_has_tls;

static void library_start(void)
{
	/* Once, before any worker. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	(void)mallopt(M_ARENA_MAX, HEAPS_MAX);
	library_has_tls = (mg_init_library(MG_FEATURES_TLS) & MG_FEATURES_TLS) != 0;
}

bool server_tls_is_available(void)
{
	pthread_once(&library_once, library_start);
	return library_has_tls;
}

/* --- one request ------------------------------------------------------------------------------------------------ */

static struct server *server_of(const struct mg_connection *connection)
{
	return mg_get_user_data(mg_get_context(connection));
}

static bool is_tls(const struct mg_connection *connection)
{
	return server_of(connection)->tls != NULL;
}

static struct worker *worker_of(const struct mg_connection *connection)
{
	return mg_get_thread_pointer(connection);
}

static struct arena *worker_arena(struct worker *worker)
{
	if (worker->arena == NULL)
		worker->arena = arena_new(REQUEST_ARENA_BYTES_MAX);
	return worker->arena;
}

/* CivetWeb ends every name and value it finds with NULs in place, and stops without a word at a folded line. Where its
 * strings lie in the buffer therefore tells how the lines ended: a value, CR LF as two NULs, the next name. */
static const char *line_end(const char *value)
{
	return value + strlen(value);
}

/* After the last line come CR LF of the line and of the head; its last byte was overwritten, too. A head that fills the
 * whole buffer is not looked at behind its end. */
static bool head_ends_here(const char *start, const char *end)
{
	if (end + 3 - start >= HEAD_BYTES_MAX)
		return false;
	return end[1] == '\0' && end[2] == '\r';
}

static bool lines_are_clean(const struct mg_request_info *info)
{
	const char *end = line_end(info->http_version);

	for (int i = 0; i < info->num_headers; i++) {
		if (info->http_headers[i].name != end + 2)
			return false;
		end = line_end(info->http_headers[i].value);
	}
	return info->num_headers == 0 || head_ends_here(info->request_method, end);
}

/* Blanks behind a value are none of it (RFC 9110 section 5.5); CivetWeb leaves them there. Connection keeps them:
 * CivetWeb decides by it, too. */
static const char *value_of(const struct mg_header *line, struct arena *arena)
{
	size_t size = strlen(line->value);
	size_t kept = size;

	while (kept > 0 && (line->value[kept - 1] == ' ' || line->value[kept - 1] == '\t'))
		kept--;
	if (kept == size || strcasecmp(line->name, "Connection") == 0)
		return line->value;
	return arena_copy_bytes(arena, line->value, kept);
}

static void head_fill(struct request_head *head, const struct mg_request_info *info, struct arena *arena)
{
	head->method = info->request_method;
	head->target = info->request_uri;
	head->query = info->query_string != NULL ? info->query_string : "";
	head->version = info->http_version;
	head->address = info->remote_addr;
	head->is_https = info->is_ssl != 0;
	head->line_count = (size_t)info->num_headers;
	for (size_t i = 0; i < head->line_count && i < COUNT_OF(head->lines); i++) {
		const char *after = line_end(info->http_headers[i].name) + 1;

		head->lines[i].name = info->http_headers[i].name;
		head->lines[i].value = value_of(&info->http_headers[i], arena);
		/* The colon became a NUL; blanks before it did, too. */
		head->lines[i].blank_before_colon = *after == '\0' && after != info->http_headers[i].value;
	}
	head->lines_are_clean = lines_are_clean(info);
}

/* Only while the body is read does the worker wait for its client; the time counts from the first read. */
static int read_body(void *connection, void *bytes, size_t size)
{
	struct worker *worker = worker_of(connection);

	if (worker->slow.phase != SLOW_BODY)
		slow_enter(&worker->slow, SLOW_BODY);
	return mg_read(connection, bytes, size);
}

static void finish_body(void *connection)
{
	slow_enter(&worker_of(connection)->slow, SLOW_BUSY);
}

static bool send_continue(void *connection)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	return mg_write(connection, line, sizeof(line) - 1) == (int)sizeof(line) - 1;
}

/* The route's pattern stands for the path, which may hold names, and the query is left out, which may hold secrets. */
static void report(const struct server *server, const struct exchange *exchange, int64_t duration_us, size_t bytes)
{
	const char *pattern = exchange->route != NULL ? exchange->route->pattern : "none";
	const struct reply *reply = &exchange->reply;
	struct metric_labels labels = {.value = {pattern, exchange_status_word(reply->status)}};

	metrics_add(METRIC_HTTP_REQUESTS, labels, 1);
	metrics_observe_us(METRIC_HTTP_DURATION, (struct metric_labels){.value = {pattern}}, duration_us);
	if (server->options.quiet || !log_enabled(LOG_INFO))
		return;
	log_event(LOG_INFO, "request", log_string("request_id", exchange->request.id),
		log_string("method", exchange->request.method), log_string("route", pattern),
		log_number("status", reply->status), log_duration("duration_ms", duration_us),
		log_string("caller", exchange->request.caller.username), log_string("decision_id", reply->decision_id),
		log_string("outcome", reply->outcome), log_number("bytes", (int64_t)bytes));
}

static int answer(struct server *server, struct worker *worker, struct mg_connection *connection)
{
	int64_t start_us = clock_monotonic_us();
	struct arena *arena = worker_arena(worker);
	struct request_head *head = arena_alloc(arena, sizeof(*head));
	struct exchange *exchange = arena_alloc(arena, sizeof(*exchange));
	struct text text;

	head_fill(head, mg_get_request_info(connection), arena);
	*exchange = (struct exchange){.routes = server->options.routes,
		.route_count = server->options.route_count,
		.service = atomic_load(&server->guard.draining) ? NULL : atomic_load(&server->service),
		.arena = arena,
		.head = head,
		.source = {connection, read_body, send_continue, finish_body},
		.close = slow_should_yield(&worker->slow)};
	exchange_run(exchange);
	/* The process may have begun to end meanwhile: a client told to keep the connection would send into nothing. */
	if (atomic_load(&server->guard.draining))
		exchange->close = true;
	text = exchange_print(exchange);
	/* Before the write: it tells CivetWeb not to wait for a body that was not read. */
	if (exchange->close)
		mg_disable_keep_alive(connection);
	slow_enter(&worker->slow, SLOW_WRITE);
	if (mg_write(connection, text.bytes, text.size) != (int)text.size)
		mg_disable_keep_alive(connection);
	if (exchange->has_unread_body && !is_tls(connection))
		slow_linger(&worker->slow);
	report(server, exchange, clock_monotonic_us() - start_us, exchange->reply.body_size);
	return exchange->reply.status;
}

/* --- CivetWeb's callbacks --------------------------------------------------------------------------------------- */

static int begin_request(struct mg_connection *connection)
{
	struct server *server = server_of(connection);
	struct worker *worker = worker_of(connection);
	bool refused;
	int status;

	/* Counted before the flag is read, so that a drain that saw no one in flight has seen this one refused. Who is
	 * refused is not waited for: clients that come back at once would keep the drain from ending. */
	atomic_fetch_add(&server->in_flight, 1);
	refused = atomic_load(&server->guard.draining);
	if (refused)
		atomic_fetch_sub(&server->in_flight, 1);
	metrics_add(METRIC_HTTP_IN_FLIGHT, (struct metric_labels){0}, 1);
	slow_enter(&worker->slow, SLOW_BUSY);
	worker->slow.request_count++;
	status = answer(server, worker, connection);
	arena_reset(worker->arena);
	slow_enter(&worker->slow, SLOW_IDLE);
	metrics_add(METRIC_HTTP_IN_FLIGHT, (struct metric_labels){0}, -1);
	if (!refused)
		atomic_fetch_sub(&server->in_flight, 1);
	return status;
}

static void answer_unreadable(struct mg_connection *connection, struct worker *worker, const struct problem *problem)
{
	struct text text = exchange_print_problem(worker_arena(worker), problem);

	worker->slow.request_count++;
	slow_enter(&worker->slow, SLOW_WRITE);
	mg_write(connection, text.bytes, text.size);
	metrics_add(METRIC_HTTP_REQUESTS,
		(struct metric_labels){.value = {"none", exchange_status_word(problem_status(problem->kind))}}, 1);
	arena_reset(worker->arena);
}

/* What CivetWeb could not read as a request. It closes the connection after this. */
static int http_error(struct mg_connection *connection, int status, const char *message)
{
	struct worker *worker = worker_of(connection);
	struct problem problem = {0};

	(void)status;
	(void)message;
	if (worker->slow.timed_out)
		problem_set(&problem, PROBLEM_BAD_REQUEST, "The request took too long to arrive.");
	else if (slow_head_is_full(&worker->slow))
		problem_set(&problem, PROBLEM_HEADER_TOO_LARGE, "The request's head is larger than %d bytes.",
			HEAD_BYTES_MAX);
	else
		problem_set(&problem, PROBLEM_BAD_REQUEST, "The request is malformed (RFC 9112).");
	answer_unreadable(connection, worker, &problem);
	if (!is_tls(connection))
		slow_linger(&worker->slow);
	return 0;
}

static int init_connection(const struct mg_connection *connection, void **ret_data)
{
	*ret_data = NULL;
	slow_enter(&worker_of(connection)->slow, SLOW_HEAD);
	return 0;
}

/* CivetWeb closes without a word where a target is no path of its own (absolute-form, `*`); its request was parsed, but
 * neither begin_request nor http_error was called. The cast gives back what the callback's type took away. */
static void connection_close(const struct mg_connection *connection)
{
	const struct mg_request_info *info = mg_get_request_info(connection);
	struct worker *worker = worker_of(connection);
	bool is_unanswered = worker->slow.phase == SLOW_HEAD || worker->slow.phase == SLOW_IDLE;
	struct problem problem = {0};

	if (is_unanswered && info != NULL && info->request_method != NULL && info->local_uri == NULL) {
		problem_set(&problem, PROBLEM_BAD_REQUEST,
			"The request target must be a path that starts with / (RFC 9112 section 3.2.1).");
		answer_unreadable((struct mg_connection *)(uintptr_t)connection, worker, &problem);
	}
	slow_enter(&worker->slow, SLOW_FREE);
}

static int log_message(const struct mg_connection *connection, const char *message)
{
	struct server *server = connection == NULL ? NULL : server_of(connection);

	if (server != NULL && !atomic_load(&server->has_started))
		(void)snprintf(server->complaint, sizeof(server->complaint), "%s", message);
	log_event(LOG_DEBUG, "civetweb", log_string("text", message));
	return 1;
}

static void *init_thread(const struct mg_context *context, int thread_type)
{
	struct server *server = mg_get_user_data(context);
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL)
		abort();
	worker->slow = (struct slow_worker){.guard = &server->guard, .fd = -1, .is_listener = thread_type == 0};
	slow_thread_set(&worker->slow);
	return worker;
}

static void exit_thread(const struct mg_context *context, int thread_type, void *pointer)
{
	struct worker *worker = pointer;

	(void)context;
	(void)thread_type;
	slow_thread_set(NULL);
	arena_free(worker->arena);
	free(worker);
}

static int external_ssl_ctx(void **context, void *user_data)
{
	struct server *server = user_data;

	*context = server->tls;
	return 1;
}

/* --- start and stop --------------------------------------------------------------------------------------------- */

static bool context_start(struct server *server, const char *listen_at)
{
	char threads[16], head_bytes[16], read_ms[16], idle_ms[16];
	const char *options[] = {"listening_ports", listen_at, "num_threads", threads, "connection_queue",
		CONNECTION_QUEUE, "listen_backlog", LISTEN_BACKLOG, "max_request_size", head_bytes, "tcp_nodelay", "1",
		"enable_keep_alive", "yes", "request_timeout_ms", read_ms, "keep_alive_timeout_ms", idle_ms,
		"decode_url", "no", "decode_query_string", "no", NULL};
	struct mg_callbacks callbacks = {.begin_request = begin_request,
		.http_error = http_error,
		.init_connection = init_connection,
		.connection_close = connection_close,
		.log_message = log_message,
		.init_thread = init_thread,
		.exit_thread = exit_thread,
		.external_ssl_ctx = server->tls != NULL ? external_ssl_ctx : NULL};
	struct mg_init_data init = {.callbacks = &callbacks, .user_data = server, .configuration_options = options};

	(void)snprintf(threads, sizeof(threads), "%d", server->guard.threads);
	(void)snprintf(head_bytes, sizeof(head_bytes), "%d", HEAD_BYTES_MAX);
	/* server_slow.c applies the real deadlines; these are only the outer bounds of CivetWeb's own waits. */
	(void)snprintf(read_ms, sizeof(read_ms), "%d", REQUEST_READ_MS * 2);
	(void)snprintf(idle_ms, sizeof(idle_ms), "%d", KEEP_ALIVE_IDLE_MS + REQUEST_READ_MS * 2);
	server->context = mg_start2(&init, NULL);
	atomic_store(&server->has_started, server->context != NULL);
	return server->context != NULL;
}

static bool tls_start(struct server *server, struct problem *problem)
{
	const struct server_options *options = &server->options;
	const char *key = options->tls_key_file;

	if (options->tls_cert_file == NULL || *options->tls_cert_file == '\0')
		return true;
	if (!library_has_tls)
		return problem_set(problem, PROBLEM_VALIDATION_FAILED,
			"HTTPS is not possible with this system's CivetWeb; leave out the certificate and put a proxy "
			"in front.");
	if (key == NULL || *key == '\0')
		return problem_set(
			problem, PROBLEM_VALIDATION_FAILED, "A TLS certificate is given without its private key.");
	return tls_context_new(options->tls_cert_file, key, &server->tls, problem);
}

static bool listen_start(struct server *server, struct problem *problem)
{
	char listen_at[ADDRESS_BYTES_MAX];
	struct mg_server_port port = {0};

	if (!tls_start(server, problem) ||
		!address_resolve(server->options.address, server->tls != NULL, listen_at, problem))
		return false;
	if (!context_start(server, listen_at))
		return address_explain(server->options.address, listen_at, server->complaint, problem);
	if (mg_get_server_ports(server->context, 1, &port) != 1)
		return problem_set(problem, PROBLEM_INTERNAL, "CivetWeb does not say which port it listens on.");
	server->port = port.port;
	return true;
}

bool server_start(const struct server_options *options, struct server **ret_server, struct problem *problem)
{
	struct server *server;

	pthread_once(&library_once, library_start);
	server = calloc(1, sizeof(*server));
	if (server == NULL)
		abort();
	server->options = *options;
	server->guard.threads = (int)options->threads;
	server->guard.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!listen_start(server, problem)) {
		server_stop(server);
		return false;
	}
	*ret_server = server;
	return true;
}

int server_port(const struct server *server)
{
	return server->port;
}

void server_serve(struct server *server, const struct service *service)
{
	atomic_store(&server->service, service);
}

static void wake_waiters(struct server *server)
{
	uint64_t one = 1;

	if (server->guard.wake_fd >= 0 && write(server->guard.wake_fd, &one, sizeof(one)) != sizeof(one))
		log_line(LOG_WARN, "waiting connections could not be woken");
}

void server_drain(struct server *server, struct deadline deadline)
{
	struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};

	atomic_store(&server->guard.draining, true);
	wake_waiters(server);
	while (atomic_load(&server->in_flight) > 0 && !deadline_passed(deadline))
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

void server_stop(struct server *server)
{
	if (server == NULL)
		return;
	atomic_store(&server->guard.draining, true);
	atomic_store(&server->guard.stopping, true);
	wake_waiters(server);
	mg_stop(server->context);
	tls_context_free(server->tls);
	if (server->guard.wake_fd >= 0)
		close(server->guard.wake_fd);
	free(server);
}
