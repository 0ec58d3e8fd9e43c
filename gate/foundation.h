/* SPDX-License-Identifier: Apache-2.0 */
/* What every subcommand that touches the database stands on: configuration, providers, cluster, keys, store. Opened in
 * this order, closed in reverse. */
#ifndef FOUNDATION_H
#define FOUNDATION_H

#include "base/config.h"
#include "exit_code.h"
#include "link/provider.h"
#include "store/embedded.h"
#include "store/store.h"
#include "store/vault.h"

struct foundation {
	struct config *config;
	struct providers providers;
	struct arena *arena; /* what lives as long as the process */
	struct embedded *embedded;
	struct secret connection_url;
	struct secret encryption_keys; /* empty: none */
	struct vault *vault;
	struct store *store;
};

/* Who starts the embedded cluster: `serve` owns it, the other subcommands join one that runs. */
enum cluster_use { CLUSTER_OWN, CLUSTER_JOIN };

/* Tokens are in memory: no core file, and nobody of the same user attaches. A sanitizer's leak check must attach. */
void foundation_protect_memory(void);

/* Reads and checks the whole configuration, providers and TLS included. Prints complaints to stderr. *ret_help: --help
 * was among the flags, nothing was read. */
MUST_CHECK bool foundation_load(struct foundation *foundation, int argc, char **argv, bool *ret_help);

/* Embedded cluster or server, migrations, keys, store and bootstrap administrator. *ret_applied: migrations that ran.
 */
MUST_CHECK bool foundation_open(
	struct foundation *foundation, enum cluster_use use, int *ret_applied, struct problem *problem);

/* The same on a cluster that may run, without making or checking keys and without the administrator: for a look at a
 * database that `serve` would refuse. */
MUST_CHECK bool foundation_inspect(struct foundation *foundation, struct problem *problem);

/* Closes what was opened; writes what is queued; stops a cluster of ours. */
void foundation_close(struct foundation *foundation);

/* One sentence on stderr that says what went wrong and what to do. Returns EXIT_WRONG_USAGE where a violation names a
 * setting, else EXIT_FAILED. */
int foundation_complain(const struct problem *problem);

#endif
