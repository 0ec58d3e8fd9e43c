/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers: the only file that knows curl. One multi handle with shared connections, HTTP/2 and DNS, and pooled easy
 * handles. The answers are collected by http_call.c; which call may begin when is http_loop.c's.
 *
 * Proxies: http_proxy, https_proxy, all_proxy and no_proxy are honoured as curl reads them, because many companies let
 * nothing out otherwise; loopback is never sent through a proxy. CURL_CA_BUNDLE or SSL_CERT_FILE replaces the system's
 * certificate authorities. */
#include <curl/curl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "bounds.h"
#include "http_wire.h"
#include "must_check.h"

/* Handles kept for the next transfer, and connections kept open: the peak of parallel transfers of a busy service. */
#define IDLE_HANDLES_MAX 256
#define CONNECTIONS_KEPT 256L

/* Connections to one host: several providers may live on one, each bounded by PROVIDER_IN_FLIGHT_MAX. */
#define HOST_CONNECTIONS_MAX (4L * PROVIDER_IN_FLIGHT_MAX)

/* Answers are small; curl's own sizes (16 and 64 KiB for each transfer) are meant for downloads and uploads. */
#define RECEIVE_BUFFER_BYTES 8192L
#define SEND_BUFFER_BYTES 16384L

#define REDIRECTS_MAX 3

struct http_wire {
	CURLM *multi;
	char *ca_file; /* NULL: what curl was built with */
	char *no_proxy;
	size_t idle_count;
	CURL *idle[IDLE_HANDLES_MAX];
};

static void end_process(const char *what)
{
	(void)fprintf(stderr, "gatehouse: cannot make the way out to providers: %s\n", what);
	abort();
}

/* --- curl's memory is wiped: its buffers hold tokens ------------------------------------------------------------- */

static void wiping_free(void *memory)
{
	if (memory == NULL)
		return;
	explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

static void *wiping_realloc(void *memory, size_t size)
{
	void *moved = malloc(size);

	if (moved == NULL || memory == NULL)
		return moved;
	size_t old_size = malloc_usable_size(memory);
	memcpy(moved, memory, old_size < size ? old_size : size);
	wiping_free(memory);
	return moved;
}

static char *plain_strdup(const char *text)
{
	return strdup(text);
}

static void *plain_calloc(size_t count, size_t size)
{
	return calloc(count, size);
}

/* --- curl's callbacks -------------------------------------------------------------------------------------------- */

static size_t on_header(char *line, size_t unit, size_t count, void *argument)
{
	struct http_call *call = argument;
	size_t size = unit * count;

	return http_call_add_header(call, line, size) ? size : 0;
}

static size_t on_body(char *piece, size_t unit, size_t count, void *argument)
{
	struct http_call *call = argument;
	size_t size = unit * count;

	return http_call_add_body(call, piece, size) ? size : 0;
}

/* A connection whose other end has silently gone (a firewall forgot it) would take every HTTP/2 request to that
 * provider with it until the kernel gives up, a quarter of an hour later. */
static int on_socket(void *argument, curl_socket_t descriptor, curlsocktype purpose)
{
	unsigned unanswered_ms = PROVIDER_EXCHANGE_MS;

	(void)argument;
	(void)purpose;
	(void)setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof(unanswered_ms));
	return CURL_SOCKOPT_OK;
}

/* --- transfers --------------------------------------------------------------------------------------------------- */

/* What all transfers have in common is set once for a handle. */
static CURL *handle_new(const struct http_wire *wire)
{
	CURL *handle = curl_easy_init();

	if (handle == NULL)
		return NULL;
	curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
	curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER_BYTES);
	curl_easy_setopt(handle, CURLOPT_USERAGENT, "gatehouse");
	curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, on_socket);
	curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(handle, CURLOPT_NOPROXY, wire->no_proxy);
	/* Without it, giving up a transfer waits for its name to be resolved, and everybody with it; the resolver's
	 * thread then ends by itself. */
	curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
	/* curl keeps the authorities it has read only where they come from one file alone (7.88); else it reads them
	 * again for every connection, which takes 30 ms of everybody's time. */
	curl_easy_setopt(handle, CURLOPT_CAPATH, NULL);
	if (wire->ca_file != NULL)
		curl_easy_setopt(handle, CURLOPT_CAINFO, wire->ca_file);
	return handle;
}

static CURL *handle_take(struct http_wire *wire)
{
	return wire->idle_count > 0 ? wire->idle[--wire->idle_count] : handle_new(wire);
}

static void handle_give_back(struct http_wire *wire, CURL *handle)
{
	if (wire->idle_count == IDLE_HANDLES_MAX) {
		curl_easy_cleanup(handle);
		return;
	}
	curl_easy_setopt(handle, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, NULL);
	wire->idle[wire->idle_count++] = handle;
}

/* On a kept connection curl sends a request again by itself when the connection ends before the first byte of an
 * answer. That is right for GET (RFC 9110 section 9.2.2) and would spend a code or a refresh token twice otherwise:
 * whatever is no GET gets a connection of its own. */
static void set_method(CURL *handle, const struct http_call *call)
{
	bool is_get = strcmp(call->method, "GET") == 0;
	bool is_plain = is_get || strcmp(call->method, "POST") == 0;

	if (call->body.size > 0 || !is_plain || !is_get) {
		curl_easy_setopt(handle, CURLOPT_POST, 1L);
		curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size);
		curl_easy_setopt(handle, CURLOPT_POSTFIELDS, call->body.text);
	} else {
		curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, is_plain ? NULL : call->method);
	curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, is_get ? 0L : 1L);
}

static struct curl_slist *make_headers(const struct http_call *call)
{
	struct curl_slist *headers = NULL;

	for (size_t i = 0; i < call->header_count; i++) {
		struct curl_slist *longer = curl_slist_append(headers, call->headers[i]);

		if (longer == NULL)
			end_process("out of memory");
		headers = longer;
	}
	return headers;
}

/* At least 1: curl takes 0 for "as long as it likes". */
static long transfer_left_ms(const struct http_call *call)
{
	int64_t left_ms = deadline_left_ms(call->deadline);

	if (call->transfer_ms > 0 && call->transfer_ms < left_ms)
		left_ms = call->transfer_ms;
	return left_ms < 1 ? 1 : (long)left_ms;
}

/* false: curl does not take it. */
static bool transfer_begin(struct http_wire *wire, struct http_call *call, const char *url)
{
	CURL *handle = call->handle;
	long left_ms = transfer_left_ms(call);

	curl_easy_setopt(handle, CURLOPT_URL, url);
	set_method(handle, call);
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, call->handle_headers);
	curl_easy_setopt(handle, CURLOPT_PRIVATE, call);
	curl_easy_setopt(handle, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, left_ms);
	curl_easy_setopt(
		handle, CURLOPT_CONNECTTIMEOUT_MS, left_ms < PROVIDER_CONNECT_MS ? left_ms : (long)PROVIDER_CONNECT_MS);
	return curl_multi_add_handle(wire->multi, handle) == CURLM_OK;
}

bool wire_begin(struct http_wire *wire, struct http_call *call)
{
	call->handle = handle_take(wire);
	call->handle_headers = make_headers(call);
	if (call->handle == NULL)
		end_process("out of memory");
	return transfer_begin(wire, call, call->url);
}

void wire_end(struct http_wire *wire, struct http_call *call)
{
	if (call->handle == NULL)
		return;
	curl_multi_remove_handle(wire->multi, call->handle);
	handle_give_back(wire, call->handle);
	curl_slist_free_all(call->handle_headers);
	call->handle = NULL;
	call->handle_headers = NULL;
}

static const char *failure_words(const struct http_call *call, CURLcode code)
{
	if (call->body_too_large)
		return "the answer is too large";
	if (call->headers_too_large)
		return "the answer's header is too large";
	return curl_easy_strerror(code);
}

/* Before curl begins the transfer itself (after name, connection and TLS) nothing of the request has left. */
static enum transport failure_transport(CURL *handle)
{
	curl_off_t begun_us = 0;

	curl_easy_getinfo(handle, CURLINFO_PRETRANSFER_TIME_T, &begun_us);
	return begun_us == 0 ? TRANSPORT_NOT_SENT : TRANSPORT_AMBIGUOUS;
}

/* --- redirects --------------------------------------------------------------------------------------------------- */

static bool part_is_same(CURLU *left, CURLU *right, CURLUPart part)
{
	char *left_text = NULL;
	char *right_text = NULL;
	bool same = curl_url_get(left, part, &left_text, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    curl_url_get(right, part, &right_text, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    strcasecmp(left_text, right_text) == 0;

	curl_free(left_text);
	curl_free(right_text);
	return same;
}

static bool url_is_same_host(const char *left_url, const char *right_url)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU *left = curl_url();
	CURLU *right = curl_url();
	bool same = left != NULL && right != NULL && curl_url_set(left, CURLUPART_URL, left_url, 0) == CURLUE_OK &&
		    curl_url_set(right, CURLUPART_URL, right_url, 0) == CURLUE_OK;

	for (size_t i = 0; same && i < COUNT_OF(parts); i++)
		same = part_is_same(left, right, parts[i]);
	curl_url_cleanup(left);
	curl_url_cleanup(right);
	return same;
}

/* The token goes along, so a redirect is followed only where it stays with who would have got the token anyway. NULL:
 * the redirect itself is the answer. The text belongs to the handle. */
static const char *redirect_target(struct http_call *call)
{
	char *target = NULL;

	if (!call->follow_same_host || call->redirects == REDIRECTS_MAX || strcmp(call->method, "GET") != 0)
		return NULL;
	if (curl_easy_getinfo(call->handle, CURLINFO_REDIRECT_URL, &target) != CURLE_OK || target == NULL)
		return NULL;
	if (strlen(target) > URL_BYTES_MAX || !url_is_same_host(call->url, target))
		return NULL;
	return target;
}

/* true: the call goes on at the place the redirect names. */
static bool call_redirect(struct http_wire *wire, struct http_call *call)
{
	char url[URL_BYTES_MAX + 1];
	const char *target = redirect_target(call);

	if (target == NULL || deadline_passed(call->deadline))
		return false;
	(void)snprintf(url, sizeof(url), "%s", target);
	curl_multi_remove_handle(wire->multi, call->handle);
	http_call_restart(call);
	call->redirects++;
	return transfer_begin(wire, call, url);
}

/* --- going on ---------------------------------------------------------------------------------------------------- */

void wire_perform(struct http_wire *wire)
{
	int running = 0;

	curl_multi_perform(wire->multi, &running);
}

/* NULL: the transfer goes on somewhere else. */
static struct http_call *transfer_result(struct http_wire *wire, CURL *handle, CURLcode code)
{
	struct http_call *call = NULL;
	long status = 0;

	curl_easy_getinfo(handle, CURLINFO_PRIVATE, &call);
	if (code != CURLE_OK) {
		call->transport = failure_transport(handle);
		call->failure = failure_words(call, code);
		return call;
	}
	curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 300 && status <= 399 && call_redirect(wire, call))
		return NULL;
	call->status = (int)status;
	call->transport = TRANSPORT_ANSWERED;
	return call;
}

struct http_call *wire_next_ended(struct http_wire *wire)
{
	int left = 0;

	for (CURLMsg *message; (message = curl_multi_info_read(wire->multi, &left)) != NULL;) {
		struct http_call *call = NULL;

		if (message->msg == CURLMSG_DONE)
			call = transfer_result(wire, message->easy_handle, message->data.result);
		if (call != NULL)
			return call;
	}
	return NULL;
}

void wire_sleep(struct http_wire *wire, int duration_ms)
{
	curl_multi_poll(wire->multi, NULL, 0, duration_ms, NULL);
}

void wire_wake(struct http_wire *wire)
{
	curl_multi_wakeup(wire->multi);
}

/* --- start and end ----------------------------------------------------------------------------------------------- */

/* Read once, before threads start. */
static const char *environment_value(const char *name)
{
	const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): the start has one thread */

	return value != NULL && *value != '\0' ? value : NULL;
}

static char *text_copy(const char *text)
{
	char *copy = text != NULL ? strdup(text) : NULL;

	if (text != NULL && copy == NULL)
		end_process("out of memory");
	return copy;
}

static char *find_ca_file(void)
{
	const char *file = environment_value("CURL_CA_BUNDLE");

	return text_copy(file != NULL ? file : environment_value("SSL_CERT_FILE"));
}

/* Setting the option keeps curl from reading the variable, so what it says is added. "*" means no proxy at all and is
 * understood only alone. */
static char *find_no_proxy(void)
{
	char *list = NULL;
	const char *given = environment_value("no_proxy");

	if (given == NULL)
		given = environment_value("NO_PROXY");
	if (given != NULL && strcmp(given, "*") == 0)
		return text_copy(given);
	if (asprintf(&list, "localhost,127.0.0.0/8,::1%s%s", given != NULL ? "," : "", given != NULL ? given : "") < 0)
		end_process("out of memory");
	return list;
}

struct http_wire *wire_new(void)
{
	CURLcode ready = curl_global_init_mem(
		CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, plain_strdup, plain_calloc);
	struct http_wire *wire = calloc(1, sizeof(*wire));

	if (ready != CURLE_OK || wire == NULL)
		end_process("libcurl does not start");
	wire->multi = curl_multi_init();
	if (wire->multi == NULL)
		end_process("out of memory");
	curl_multi_setopt(wire->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	curl_multi_setopt(wire->multi, CURLMOPT_MAX_HOST_CONNECTIONS, HOST_CONNECTIONS_MAX);
	wire->ca_file = find_ca_file();
	wire->no_proxy = find_no_proxy();
	return wire;
}

void wire_free(struct http_wire *wire)
{
	for (size_t i = 0; i < wire->idle_count; i++)
		curl_easy_cleanup(wire->idle[i]);
	curl_multi_cleanup(wire->multi);
	curl_global_cleanup();
	free(wire->ca_file);
	free(wire->no_proxy);
	free(wire);
}
