/* SPDX-License-Identifier: Apache-2.0 */
/* What every subcommand stands on: see foundation.h. */
#include "foundation.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "http/server.h"
#include "http/server_tls.h"
#include "store/migrate.h"
#include "store/users.h"

/* The configuration's derived values, a connection string and the keys; far below this. */
#define FOUNDATION_ARENA_BYTES_MAX (1024 * 1024)

/* A message may end in the words of a library, which have no full stop. */
static bool is_sentence(const char *text)
{
	size_t size = strlen(text);

	return size > 0 && strchr(".!?:", text[size - 1]) != NULL;
}

int foundation_complain(const struct problem *problem)
{
	const char *stop = is_sentence(problem->message) ? "" : ".";
	const char *blank = problem->detail[0] != '\0' ? " " : "";

	(void)fprintf(stderr, "gatehouse: %s%s%s%s\n", problem->message, stop, blank, problem->detail);
	/* What only the database can tell of a setting is no less a wrong one. */
	return problem->violation_count > 0 ? EXIT_WRONG_USAGE : EXIT_FAILED;
}

void foundation_protect_memory(void)
{
	const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

	(void)setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* HTTPS that the HTTP library cannot do, and files that are no certificate with its key, are a wrong configuration,
 * found here: neither at the first connection nor behind a database that was made for nothing. */
static bool can_serve_tls(const char *cert_file, const char *key_file, struct problem *problem)
{
	void *context = NULL;
	bool loads;

	if (!server_tls_is_available()) {
		problem_set(problem, PROBLEM_VALIDATION_FAILED,
			"this machine's CivetWeb cannot serve HTTPS (is libssl 3 installed?)");
		return problem_add_violation(problem, "cert_file", "put a proxy in front instead");
	}
	loads = tls_context_new(cert_file, key_file, &context, problem);
	tls_context_free(context);
	return loads;
}

/* The two settings of one listener start with this prefix. */
static void check_tls(const struct config *config, const char *prefix, const char *cert_file, const char *key_file,
	struct config_complaints *complaints)
{
	struct problem problem = {.kind = PROBLEM_NONE};
	const char *key;
	bool is_named;

	if (cert_file[0] == '\0' || can_serve_tls(cert_file, key_file, &problem))
		return;
	is_named = problem.violation_count > 0;
	key = arena_printf(config->arena, "%stls_%s", prefix, is_named ? problem.violations[0].field : "cert_file");
	config_complain(complaints, config_place(config, key), key, "%s%s%s", problem.message, is_named ? "; " : "",
		problem.violations[0].detail);
}

/* The string may hold a password, so it is not shown. */
static void check_database(const struct config *config, struct config_complaints *complaints)
{
	if (secret_is_empty(config->pg_connection_url) || migrate_url_is_lawful(config->pg_connection_url))
		return;
	config_complain(complaints, config_place(config, "pg_connection_url"), "pg_connection_url",
		"the value is not lawful; allowed: postgresql://user:password@host:port/database, with special "
		"characters percent-encoded, or host=... user=... dbname=...");
}

/* What only a library can tell of a value, and base/ sees none of these. */
static void check_with_libraries(const struct config *config, struct config_complaints *complaints)
{
	check_tls(config, "", config->tls_cert_file, config->tls_key_file, complaints);
	check_tls(config, "hook_", config->hook_tls_cert_file, config->hook_tls_key_file, complaints);
	check_database(config, complaints);
}

static void print_complaints(const struct config_complaints *complaints)
{
	for (size_t i = 0; i < complaints->count; i++)
		(void)fprintf(stderr, "gatehouse: %s\n", complaints->lines[i]);
}

bool foundation_load(struct foundation *foundation, int argc, char **argv, bool *ret_help)
{
	static struct config_complaints complaints;
	bool good = config_load(argc, argv, environ, &foundation->config, ret_help, &complaints);

	if (*ret_help)
		return true;
	if (good)
		check_with_libraries(foundation->config, &complaints);
	good = providers_build(foundation->config, &foundation->providers, &complaints) && good;
	print_complaints(&complaints);
	return good && complaints.count == 0;
}

static bool open_cluster(struct foundation *foundation, enum cluster_use use, struct problem *problem)
{
	const struct config *config = foundation->config;

	if (!secret_is_empty(config->pg_connection_url)) {
		foundation->connection_url = config->pg_connection_url;
		return true;
	}
	if (use == CLUSTER_OWN)
		return embedded_start(config->state_dir, foundation->arena, &foundation->embedded,
			&foundation->connection_url, problem);
	return embedded_join(
		config->state_dir, foundation->arena, &foundation->embedded, &foundation->connection_url, problem);
}

static bool open_vault(struct foundation *foundation, bool create, struct problem *problem)
{
	const struct config *config = foundation->config;
	struct secret keys = config->encryption_keys;
	bool embedded = secret_is_empty(config->pg_connection_url);

	if (secret_is_empty(keys) && embedded && !config->allow_cleartext_tokens &&
		!vault_key_file(config->state_dir, create, foundation->arena, &keys, problem))
		return false;
	foundation->encryption_keys = keys;
	return vault_open(keys, &foundation->vault, problem);
}

static bool open_store(struct foundation *foundation, enum cluster_use use, struct problem *problem)
{
	const struct config *config = foundation->config;
	const struct store_options options = {.connection_url = foundation->connection_url,
		.prepare = config->pg_prepare,
		.connections = (size_t)config->pg_connections,
		.vault = foundation->vault,
		.retention = {.sweeps = use == CLUSTER_OWN,
			.decisions_ms = config->decision_retention_ms,
			.excess_above = config->decision_log_max},
		.decision_rate_max = config->decision_rate_max};

	return store_open(&options, &foundation->store, problem);
}

static bool open_parts(
	struct foundation *foundation, enum cluster_use use, bool create, int *ret_applied, struct problem *problem)
{
	foundation->arena = arena_new(FOUNDATION_ARENA_BYTES_MAX);
	return open_cluster(foundation, use, problem) &&
	       migrate_database(foundation->connection_url, ret_applied, problem) &&
	       open_vault(foundation, create, problem) && open_store(foundation, use, problem);
}

bool foundation_open(struct foundation *foundation, enum cluster_use use, int *ret_applied, struct problem *problem)
{
	if (!open_parts(foundation, use, true, ret_applied, problem) ||
		!vault_check(foundation->vault, foundation->store, problem))
		return false;
	if (secret_is_empty(foundation->config->bootstrap_admin_token))
		return true;
	return user_bootstrap_admin(foundation->store, foundation->config->bootstrap_admin_token, problem);
}

bool foundation_inspect(struct foundation *foundation, struct problem *problem)
{
	int applied = 0;

	return open_parts(foundation, CLUSTER_JOIN, false, &applied, problem);
}

void foundation_close(struct foundation *foundation)
{
	store_close(foundation->store);
	vault_close(foundation->vault);
	embedded_stop(foundation->embedded);
	arena_free(foundation->arena);
	config_free(foundation->config);
}
