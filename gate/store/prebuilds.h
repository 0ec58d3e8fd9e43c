/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces that are built ahead for the user `prebuilds`, and how one of them becomes somebody's. */
#ifndef STORE_PREBUILDS_H
#define STORE_PREBUILDS_H

#include "builds.h"

/* The user who owns them: schema/migrations/0001_start.sql. */
#define PREBUILDS_USER_ID "00000000-0000-7000-8000-000000000001"
#define PREBUILDS_USER_NAME "prebuilds"

struct prebuilds_insert {
	const struct template_version *version;
	const char *initiator_id;
	size_t count; /* at most PREBUILDS_MAX */
};

/* One statement: so many workspaces `prebuild-…` with their first builds. *ret_inserted false: the version is archived.
 */
MUST_CHECK bool prebuilds_insert(struct store *store, struct arena *arena, const struct prebuilds_insert *insert,
	bool *ret_inserted, struct workspace **ret_workspaces, struct problem *problem);

enum claim_end {
	CLAIM_DONE,
	CLAIM_NONE_LEFT,
	CLAIM_NAME_TAKEN,
	CLAIM_MOVED,
	CLAIM_KEY_LOST, /* another run holds the Idempotency-Key */
};

/* A create that takes what is there. Which one it is, is known to the statement alone: an answer that is written with
 * it (insert->answer) is made of `ahead`, whose id, number and time are marks that stand nowhere else, and that the
 * statement replaces by the real ones. */
struct workspace_claim {
	const struct workspace_insert *insert;
	struct workspace ahead;
};

struct workspace_claim workspace_claim_of(const struct workspace_insert *insert, struct arena *arena);

/* One statement: takes one workspace of exactly the judged version that was built ahead, gives it owner, name,
 * parameters and warnings, and adds a build and the decision; only if all that workspace_insert asks for holds. Each is
 * taken by one claim only. When the end is not CLAIM_DONE nothing was taken. */
MUST_CHECK bool workspace_claim(struct store *store, struct arena *arena, const struct workspace_claim *claim,
	enum claim_end *ret_end, struct workspace *ret_workspace, struct problem *problem);

#endif
