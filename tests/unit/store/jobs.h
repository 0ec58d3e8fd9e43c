/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of builds, prebuilds and provisioners share: workspaces, and threads that begin at the same moment. */
#ifndef STORE_JOBS_H
#define STORE_JOBS_H

#include <pthread.h>

#include "../../../gate/store/prebuilds.h"
#include "../../../gate/store/provisioner.h"
#include "fixture.h"

#define NOBODY "01900000-0000-7000-8000-00000000dead"
#define JOB_LEASE_MS 60000

/* A workspace of the owner, created without a link, as it is read back. */
struct workspace job_workspace(
	const struct fixture *f, const struct user *owner, const char *version_id, const char *name);

/* Empties what builds are about: workspaces and decisions. */
int job_empty(void **state);

/* An allowed decision of this moment, with an id of its own. */
struct decision_row job_decision(struct arena *arena, const struct workspace *workspace, const char *moment);

enum build_end job_start(struct store *store, struct arena *arena, const struct workspace *workspace,
	const struct relied_link *relied, struct build_record *ret_record);
enum build_end job_stop(const struct fixture *f, const struct workspace *workspace, const char *transition);

/* Claims the next build under a new lease and hands it out. false: there is none. */
bool job_take(struct store *store, struct arena *arena, const char *provisioner_id, int64_t lease_ms,
	struct build_record *ret_record);

/* Runs count threads over an array of elements of this size, all at once. */
void job_race(size_t count, void *elements, size_t size, void *(*run)(void *));

#endif
