/* SPDX-License-Identifier: Apache-2.0 */
/* `gatehouse serve`: starts everything in order, waits for a signal, stops in reverse order. What is in flight when the
 * signal comes is answered first. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "command.h"
#include "foundation.h"
#include "http/identify.h"
#include "http/server.h"
#include "link/breaker.h"
#include "link/flight.h"
#include "link/inquiry.h"
#include "link/oidc.h"
#include "link/receipt.h"
#include "link/verdict_cache.h"

/* After the budget of an evaluation a request still writes its row and its answer. */
#define DRAIN_MARGIN_MS 5000

/* Two probes and a scrape at once. */
#define ADMIN_THREADS 8

struct serving {
	struct foundation foundation;
	struct engine engine;
	struct service service;
	struct server *api;
	struct server *hook;
	struct server *admin;
	sigset_t signals;
};

static bool is_ignored(int signal_number)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/*
 * Before any thread starts, so that every thread inherits the mask and only sigwait sees the signals. A terminal that
 * closes is an end like any other, or a token that a provider is about to issue would be lost; nohup(1) ignores it.
 */
static void block_signals(sigset_t *ret_signals)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(ret_signals);
	(void)sigaddset(ret_signals, SIGTERM);
	(void)sigaddset(ret_signals, SIGINT);
	if (!is_ignored(SIGHUP))
		(void)sigaddset(ret_signals, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

static bool start_listeners(struct serving *serving, struct problem *problem)
{
	const struct config *config = serving->foundation.config;
	const struct server_options api = {.address = config->http_address,
		.threads = config->http_threads,
		.tls_cert_file = config->tls_cert_file,
		.tls_key_file = config->tls_key_file,
		.routes = ROUTES_API,
		.route_count = ROUTES_API_COUNT};
	const struct server_options hook = {.address = config->hook_address,
		.threads = config->http_threads,
		.tls_cert_file = config->hook_tls_cert_file,
		.tls_key_file = config->hook_tls_key_file,
		.routes = ROUTES_HOOK,
		.route_count = ROUTES_HOOK_COUNT};
	const struct server_options admin = {.address = config->admin_address,
		.threads = ADMIN_THREADS,
		.routes = ROUTES_ADMIN,
		.route_count = ROUTES_ADMIN_COUNT,
		.quiet = true};

	if (!server_start(&api, &serving->api, problem))
		return false;
	if (config->hook_address[0] != '\0' && !server_start(&hook, &serving->hook, problem))
		return false;
	return config->admin_address[0] == '\0' || server_start(&admin, &serving->admin, problem);
}

/* Without GATEHOUSE_ACCESS_URL: what the listener is reached by, with the port it really has. */
static const char *find_access_url(struct serving *serving)
{
	const struct config *config = serving->foundation.config;
	const char *colon = strrchr(config->http_address, ':');
	int host_size = colon != NULL ? (int)(colon - config->http_address) : 0;
	bool any = host_size == 0 || strncmp(config->http_address, "0.0.0.0:", strlen("0.0.0.0:")) == 0;

	if (config->access_url[0] != '\0')
		return config->access_url;
	return arena_printf(serving->foundation.arena, "%s://%.*s:%d",
		config->tls_cert_file[0] != '\0' ? "https" : "http", any ? (int)strlen("127.0.0.1") : host_size,
		any ? "127.0.0.1" : config->http_address, server_port(serving->api));
}

static bool make_receipt_keys(struct serving *serving, struct problem *problem)
{
	const struct receipt_key_lists lists = {
		.given = serving->foundation.config->receipt_keys, .encryption = serving->foundation.encryption_keys};

	if (!receipt_keys_new(&lists, &serving->engine.receipts, problem))
		return false;
	if (serving->engine.receipts == NULL)
		log_event(LOG_WARN, "no receipts: there are neither receipt keys nor encryption keys",
			log_string("setting", "GATEHOUSE_RECEIPT_KEYS"));
	return true;
}

static void connect_parts(struct serving *serving)
{
	struct foundation *foundation = &serving->foundation;

	serving->engine.providers = foundation->providers;
	serving->engine.store = foundation->store;
	serving->engine.http = http_client_new();
	serving->engine.inquiries = inquiries_new(serving->engine.http);
	serving->engine.verdicts = verdict_cache_new();
	serving->engine.breakers = breakers_new(&serving->engine.providers);
	serving->engine.access_url = find_access_url(serving);
	serving->engine.sign_in = sign_in_new(foundation->config, serving->engine.access_url);
	serving->engine.gate_timeout_ms = foundation->config->gate_timeout_ms;
	serving->engine.enforcement = foundation->config->enforcement;
	serving->engine.refresh_lease_ms = foundation->config->refresh_lease_ms;
	serving->engine.refresh_cooldown_ms = foundation->config->refresh_cooldown_ms;
	serving->engine.receipt_lifetime_ms = foundation->config->receipt_lifetime_ms;
	serving->engine.flights = flights_new(&serving->engine, (size_t)foundation->config->refresh_flights);
	serving->service.config = foundation->config;
	serving->service.store = foundation->store;
	serving->service.engine = &serving->engine;
	serving->service.identities = identity_cache_new();
	serving->service.access_url = serving->engine.access_url;
}

/* RFC 8414 section 2 wants https of an issuer; plain http between other machines still serves who tries it out. */
static void warn_of_clear_text(const char *access_url)
{
	if (!name_is_provider_url(access_url))
		log_event(LOG_WARN,
			"sessions, codes and tokens travel in clear text, and the command line refuses to log in",
			log_string("access_url", access_url), log_string("setting", "GATEHOUSE_ACCESS_URL"));
}

/* What is to be known before the first request stands before the line that says ready. */
static void announce(const struct serving *serving)
{
	warn_of_clear_text(serving->service.access_url);
	(void)printf("gatehouse: listening on %s\n", serving->service.access_url);
	(void)fflush(stdout);
	log_event(LOG_INFO, "listening", log_string("access_url", serving->service.access_url),
		log_string("http_address", serving->foundation.config->http_address),
		log_number("http_port", server_port(serving->api)),
		log_number("hook_port", serving->hook != NULL ? server_port(serving->hook) : 0),
		log_number("admin_port", serving->admin != NULL ? server_port(serving->admin) : 0),
		log_number("providers", (int64_t)serving->engine.providers.count));
}

static const char *signal_word(int signal_number)
{
	if (signal_number == SIGHUP)
		return "SIGHUP";
	return signal_number == SIGTERM ? "SIGTERM" : "SIGINT";
}

static void wait_for_signal(const struct serving *serving)
{
	int signal_number = 0;

	while (sigwait(&serving->signals, &signal_number) != 0)
		continue;
	log_event(LOG_INFO, "stopping", log_string("signal", signal_word(signal_number)));
}

/* Both listeners stop taking requests before either is waited for; what is in flight shares one deadline. */
static void drain(const struct serving *serving)
{
	const struct config *config = serving->foundation.config;
	struct server *const servers[] = {serving->api, serving->hook};
	struct deadline ends[] = {deadline_in_ms(0), {0}};

	if (config == NULL)
		return;
	ends[1] = deadline_in_ms(config->gate_timeout_ms + DRAIN_MARGIN_MS);
	for (size_t i = 0; i < COUNT_OF(ends); i++)
		for (size_t j = 0; j < COUNT_OF(servers); j++)
			if (servers[j] != NULL)
				server_drain(servers[j], ends[i]);
}

static void stop(struct serving *serving)
{
	atomic_store(&serving->service.draining, true);
	drain(serving);
	server_stop(serving->api);
	server_stop(serving->hook);
	server_stop(serving->admin);
	/* A token that a provider is about to issue is waited for and saved; then nothing needs the way out any more.
	 */
	flights_drain(serving->engine.flights, deadline_in_ms(REFRESH_DRAIN_MS));
	flights_free(serving->engine.flights);
	inquiries_free(serving->engine.inquiries);
	http_client_free(serving->engine.http);
	verdict_cache_free(serving->engine.verdicts);
	breakers_free(serving->engine.breakers);
	sign_in_free(serving->engine.sign_in);
	receipt_keys_free(serving->engine.receipts);
	identity_cache_free(serving->service.identities);
	foundation_close(&serving->foundation);
}

static bool start(struct serving *serving, struct problem *problem)
{
	int applied = 0;

	if (!foundation_open(&serving->foundation, CLUSTER_OWN, &applied, problem))
		return false;
	if (applied > 0)
		log_event(LOG_INFO, "database migrated", log_number("migrations", applied));
	if (!make_receipt_keys(serving, problem) || !start_listeners(serving, problem))
		return false;
	connect_parts(serving);
	server_serve(serving->api, &serving->service);
	if (serving->hook != NULL)
		server_serve(serving->hook, &serving->service);
	if (serving->admin != NULL)
		server_serve(serving->admin, &serving->service);
	return true;
}

static int run(struct serving *serving)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	int code = EXIT_DONE;

	if (start(serving, &problem)) {
		announce(serving);
		wait_for_signal(serving);
	} else {
		code = foundation_complain(&problem);
	}
	stop(serving);
	return code;
}

static void print_help(void)
{
	(void)printf("Usage: gatehouse serve [OPTION]...\n"
		     "\n"
		     "Runs the service until SIGTERM, SIGINT or SIGHUP. Prints one line when it is ready:\n"
		     "  gatehouse: listening on <access url>\n"
		     "Without a database it runs a PostgreSQL of its own in the state directory.\n"
		     "\n"
		     "Options, each also a variable and a key of the YAML file (flag over variable over file):\n");
	config_print_options();
}

int command_serve(int argc, char **argv)
{
	static struct serving serving;
	bool help = false;

	foundation_protect_memory();
	if (!foundation_load(&serving.foundation, argc, argv, &help)) {
		config_free(serving.foundation.config);
		return EXIT_WRONG_USAGE;
	}
	if (help) {
		print_help();
		return EXIT_DONE;
	}
	log_setup(serving.foundation.config->log_level, serving.foundation.config->log_format);
	block_signals(&serving.signals);
	return run(&serving);
}
