/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing what is stored with the first key, while services run (contract section 5, "At rest"). A rotation walks all
 * links and authorization states that are not under the first key, in batches. Each row is written only where it still
 * is what was read, so whoever links, refreshes or unlinks meanwhile wins; generations stay as they are, because the
 * tokens are the same. Everything that is left to do stands in the rows themselves: a rotation that was killed is taken
 * up by the next one, and several at once do each row once. */
#ifndef STORE_ROTATION_H
#define STORE_ROTATION_H

#include "store.h"

/* A batch's rows are locked until its statement ends, which a create of the same owner waits for; and all of them are
 * in memory at once. */
#define ROTATION_BATCH_DEFAULT 100
#define ROTATION_BATCH_MAX 500

struct rotation_plan {
	size_t batch;    /* rows, from 1 to ROTATION_BATCH_MAX */
	bool from_clear; /* also rows that are stored clear */
};

struct rotation_tally {
	int64_t links;      /* sealed anew, in all passes */
	int64_t states;     /* the same, and codes of providers' device flow */
	int64_t found;      /* of this pass: rows that can be sealed anew */
	int64_t unreadable; /* of this pass: no given key opens them, or they were moved or altered */
};

struct rotation;

/* The store's vault must have a key. The caller owns *ret_rotation. */
MUST_CHECK bool rotation_new(
	struct store *store, struct rotation_plan plan, struct rotation **ret_rotation, struct problem *problem);
void rotation_free(struct rotation *rotation);

/* Reads the next batch of this pass and seals it anew in memory. *ret_more is false at the pass's end; the next call
 * begins another pass. A failure moves nothing: the same call may be tried again. */
MUST_CHECK bool rotation_read(struct rotation *rotation, bool *ret_more, struct problem *problem);

/* Writes the rows of the batch that still are what was read. After a failure it is not known whether they are written;
 * the next pass finds out. */
MUST_CHECK bool rotation_write(struct rotation *rotation, struct problem *problem);

struct rotation_tally rotation_tally(const struct rotation *rotation);

/* Forgets the check values of keys that no row is sealed with; *ret_count of their ids, in arena. */
MUST_CHECK bool rotation_retire(struct store *store, struct arena *arena, size_t *ret_count, const char ***ret_key_ids,
	struct problem *problem);

#endif
