/* SPDX-License-Identifier: Apache-2.0 */
/* What every subcommand stands on: see foundation.h. */
#include "foundation.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "http/server.h"
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
	return EXIT_FAILED;
}

void foundation_protect_memory(void)
{
	const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

	(void)setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* HTTPS that the HTTP library cannot do is a wrong configuration, found here and not at the first connection. */
static void check_tls(const struct config *config, struct config_complaints *complaints)
{
	const char *key = config->tls_cert_file[0] != '\0' ? "tls_cert_file" : "hook_tls_cert_file";

	if ((config->tls_cert_file[0] == '\0' && config->hook_tls_cert_file[0] == '\0') || server_tls_is_available())
		return;
	config_complain(complaints, key, key,
		"this machine's CivetWeb cannot serve HTTPS (is libssl 3 installed?); put a proxy in front instead");
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
		check_tls(foundation->config, &complaints);
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
