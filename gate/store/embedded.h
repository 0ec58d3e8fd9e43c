/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded default: a private PostgreSQL cluster in <state dir>/postgres, on a Unix socket only, as user `postgres`
 * where we are root. Made on the first start, found again at the next, also after kill -9 of us or of it. A lock file in
 * the state directory keeps a second service from starting it twice. */
#ifndef STORE_EMBEDDED_H
#define STORE_EMBEDDED_H

#include "store.h"

struct embedded;

/* Starts the cluster (initdb first where there is none) and waits until it answers. When the process ends for whatever
 * reason the cluster is told to stop. Sets *ret_connection_url, which lives in arena. The caller owns *ret_embedded. */
MUST_CHECK bool embedded_start(const char *state_dir, struct arena *arena, struct embedded **ret_embedded,
	struct secret *ret_connection_url, struct problem *problem);

/* For `migrate` and `token create`: uses the cluster that a running service has started (*ret_embedded is then NULL), or
 * starts it for the time being. */
MUST_CHECK bool embedded_join(const char *state_dir, struct arena *arena, struct embedded **ret_embedded,
	struct secret *ret_connection_url, struct problem *problem);

/* Stops the cluster (fast shutdown) and waits for it. NULL is nothing to do. */
void embedded_stop(struct embedded *embedded);

#endif
