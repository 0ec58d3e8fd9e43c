/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded default: a private PostgreSQL cluster in <state dir>/postgres, on a Unix socket only, as user `postgres`
 * where we are root. Made on the first start, found again at the next, also after kill -9 of us or of it. A lock file
 * in the state directory keeps a second service from starting it twice. */
#ifndef STORE_EMBEDDED_H
#define STORE_EMBEDDED_H

#include "store.h"

struct embedded;

/* Starts the cluster (initdb first where there is none) and waits until it answers. When the process ends for whatever
 * reason the cluster is told to stop. Sets *ret_connection_url, which lives in arena. The caller owns *ret_embedded. */
MUST_CHECK bool embedded_start(const char *state_dir, struct arena *arena, struct embedded **ret_embedded,
	struct secret *ret_connection_url, struct problem *problem);

/* For the other subcommands: uses the cluster that a running service, or another command, has started and keeps it from
 * being stopped meanwhile; where none runs, starts it for the time being. */
MUST_CHECK bool embedded_join(const char *state_dir, struct arena *arena, struct embedded **ret_embedded,
	struct secret *ret_connection_url, struct problem *problem);

/* Lets go of a cluster that was joined; stops one of our own (fast shutdown), waiting for those who joined it and for
 * its end. NULL is nothing to do. */
void embedded_stop(struct embedded *embedded);

#endif
