/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded cluster's places, user and programs, shared by the files that make, run and watch it. */
#ifndef STORE_CLUSTER_H
#define STORE_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "../base/arena.h"
#include "../base/secret.h"
#include "must_check.h"
#include "problem.h"

struct cluster {
	struct arena *arena;   /* of everything below */
	const char *state_dir; /* absolute */
	const char *data_dir;
	const char *log_path;
	const char *socket_dir;
	const char *programs; /* the folder of initdb and postgres */
	bool switches_user;   /* we are root: the cluster runs as user postgres */
	uid_t uid;
	gid_t gid;
};

/* --- cluster_files.c ---------------------------------------------------------------------------------------------- */

/* Makes the state directory, 0700, or as root 0711 so that user postgres reaches its own folder in it. Sets state_dir
 * and what hangs on it. */
MUST_CHECK bool cluster_prepare_state(struct cluster *cluster, const char *state_dir, struct problem *problem);

/* The folder of the socket: in the state directory where the path is short enough, else a private one elsewhere, whose
 * name is kept in the state directory. */
MUST_CHECK bool cluster_prepare_socket(struct cluster *cluster, struct problem *problem);

/* For somebody who joins: where the running service has its socket. false where it has not said so yet. */
bool cluster_find_socket(struct cluster *cluster);

/* Takes away a socket folder outside the state directory. */
void cluster_drop_socket(const struct cluster *cluster);

/* Opens the cluster's log for appending, cut to its bound. */
int cluster_open_log(const struct cluster *cluster);

/* What the log's last complaint says. */
const char *cluster_last_complaint(const struct cluster *cluster, struct arena *arena);

/* Makes a folder for the cluster's user alone. */
bool cluster_make_folder(const struct cluster *cluster, const char *path);
bool cluster_remove_tree(const char *path);

/* --- cluster.c ---------------------------------------------------------------------------------------------------- */

MUST_CHECK bool cluster_find_user(struct cluster *cluster, struct problem *problem);
MUST_CHECK bool cluster_find_programs(struct cluster *cluster, struct problem *problem);

/* Runs initdb where there is no cluster yet. An attempt that was interrupted leaves nothing that a later one would use.
 */
MUST_CHECK bool cluster_init(struct cluster *cluster, struct problem *problem);

/* Starts a program of the cluster as its user, in a session of its own, with none of our files, its output in the log,
 * and death_signal sent to it when the calling thread ends. -1 where it cannot be started. */
pid_t cluster_spawn(const struct cluster *cluster, const char *const *arguments, int death_signal);

/* The connection string of the cluster's socket. */
struct secret cluster_url(const struct cluster *cluster, struct arena *arena);

/* --- postmaster.c ------------------------------------------------------------------------------------------------- */

struct postmaster;

/* Starts the server and a thread that starts it again whenever it ends. NULL where no thread can be made. */
struct postmaster *postmaster_new(const struct cluster *cluster);

/* How often the server has ended so far. */
int postmaster_exits(struct postmaster *self);

/* Fast shutdown, and an immediate one where that takes too long. NULL is nothing to do. */
void postmaster_free(struct postmaster *self);

#endif
