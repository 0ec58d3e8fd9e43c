/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of builds as provisioners see it. A build is claimed for as long as it takes to judge it, then handed out
 * under a lease, renewed, given back or completed. All leases are judged on the database's clock; one that ran out
 * gives the build back to the next who asks. Every statement may be run again where its answer was lost. */
#ifndef STORE_PROVISIONER_H
#define STORE_PROVISIONER_H

#include "builds.h"

struct build_claim {
	struct build_record record;
	struct workspace workspace; /* without latest_build, decision and warnings */
	bool lapsed;                /* it was handed out before, and that lease ran out */
	const char *had;            /* the provisioner who had it then, or NULL */
};

/* Claims the oldest build that nobody works on and that is the lowest open number of its workspace; lease_id is new.
 * *ret_found false: there is none. */
MUST_CHECK bool build_claim(struct store *store, struct arena *arena, const char *lease_id, int64_t lease_ms,
	bool *ret_found, struct build_claim *ret_claim, struct problem *problem);

struct build_hand_out {
	const struct build_claim *claim;
	const char *lease_id;
	const char *provisioner_id;
	int64_t lease_ms;
	bool owner_must_be_active; /* where the owner was judged, or their tokens are handed out */
	struct relied relied;
	const struct decision_row *decision; /* NULL: not gated */
};

enum hand_out_end {
	HAND_OUT_DONE,
	HAND_OUT_MOVED, /* links or owner are not what was judged: judge again */
	HAND_OUT_LOST   /* the claim ran out and somebody else has the build, or it was canceled */
};

/* One statement: makes the claimed build a running one and writes the decision. HAND_OUT_DONE fills in *ret_record what
 * has changed: status, attempt, provisioner and times. */
MUST_CHECK bool build_hand_out(struct store *store, struct arena *arena, const struct build_hand_out *hand_out,
	enum hand_out_end *ret_end, struct build_record *ret_record, struct problem *problem);

/* The gate stops a claimed build; error is a JSON object. *ret_failed false: the claim was lost. */
MUST_CHECK bool build_fail(struct store *store, const char *id, const char *lease_id, const char *error,
	bool *ret_failed, struct problem *problem);

/* Ends a claim that came to nothing. */
MUST_CHECK bool build_put_back(struct store *store, const char *id, const char *lease_id, struct problem *problem);

/* Which build, by whom. */
struct build_hold {
	const char *id;
	const char *provisioner_id;
	int64_t attempt; /* 0: whichever */
};

/* *ret_held false: this provisioner does not hold the build. */
MUST_CHECK bool build_renew(struct store *store, const struct build_hold *hold, int64_t lease_ms, bool *ret_held,
	int64_t *ret_lease_until_ms, struct problem *problem);
MUST_CHECK bool build_release(
	struct store *store, const struct build_hold *hold, bool *ret_held, struct problem *problem);

enum complete_end { COMPLETE_DONE, COMPLETE_SAME, COMPLETE_NOT_HELD, COMPLETE_NOT_FOUND };

/* Ends a build: status succeeded, failed or canceled; error is a JSON object or NULL. A deletion that succeeded ends
 * its workspace, frees its name and cancels what is queued behind it. COMPLETE_SAME: it was said before, just so. */
MUST_CHECK bool build_complete(struct store *store, const struct build_hold *hold, const char *status,
	const char *error, enum complete_end *ret_end, struct problem *problem);

#endif
