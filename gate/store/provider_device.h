/* SPDX-License-Identifier: Apache-2.0 */
/* Codes of providers' device flow (RFC 8628 as its client). The user holds a handle, stored as SHA-256 hash; the
 * provider's code is sealed by the vault. Interval, expiry and the right to ask the provider stand in the row and are
 * judged on the database's clock, so they hold over all replicas and restarts. */
#ifndef STORE_PROVIDER_DEVICE_H
#define STORE_PROVIDER_DEVICE_H

#include "store.h"

/* Which code is meant: it is found by its own user and for its own provider alone. */
struct device_key {
	const uint8_t *hash; /* SHA256_BYTES of the handle */
	const char *user_id;
	const char *provider_id;
};

/* What a user has waiting. */
struct device_waiting {
	bool suspended;
	int64_t count;
	int64_t first_ends_in_s; /* 0: none waits */
};

/* PROBLEM_NOT_FOUND where the user is gone. */
MUST_CHECK bool provider_device_count(struct store *store, const char *user_id, const char *provider_id,
	struct device_waiting *ret_waiting, struct problem *problem);

struct device_times {
	int64_t interval_s;
	int64_t lifetime_s;
};

MUST_CHECK bool provider_device_insert(struct store *store, const struct device_key *key, struct secret device_code,
	struct device_times times, struct problem *problem);

enum device_claim_state {
	DEVICE_CLAIM_TAKEN,
	DEVICE_CLAIM_EARLY, /* sooner than the interval */
	DEVICE_CLAIM_HELD,  /* somebody else is asking the provider */
	DEVICE_CLAIM_EXPIRED,
	DEVICE_CLAIM_OVER,   /* ended before, without a link that still stands */
	DEVICE_CLAIM_LINKED, /* ended before with a link, which still stands */
	DEVICE_CLAIM_SUSPENDED,
	DEVICE_CLAIM_UNKNOWN,
};

struct device_claim {
	enum device_claim_state state;
	const char *outcome; /* DEVICE_CLAIM_OVER: 'granted' or the OAuth error word */
	int64_t interval_s;
	int64_t wait_ms;           /* until the next poll may be made; for a taken one, until the one after it */
	bool readable;             /* DEVICE_CLAIM_TAKEN: false: no key opens the code */
	struct secret device_code; /* DEVICE_CLAIM_TAKEN */
};

/* Takes the right to ask the provider once, for DEVICE_HOLD_MS at most. poll_id is a new UUID. */
MUST_CHECK bool provider_device_claim(struct store *store, struct arena *arena, const struct device_key *key,
	const char *poll_id, struct device_claim *ret_claim, struct problem *problem);

struct device_release {
	const char *outcome; /* NULL: not ended */
	int64_t interval_s;  /* from now on */
	int64_t wait_s;      /* nobody asks sooner than this from now; 0: nothing beyond what the claim noted */
};

/* Gives the right back. Nothing happens where it ran out and another has it; a grant is noted even so. */
MUST_CHECK bool provider_device_release(struct store *store, const struct device_key *key, const char *poll_id,
	const struct device_release *release, struct problem *problem);

#endif
