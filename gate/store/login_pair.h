/* SPDX-License-Identifier: Apache-2.0 */
/* The two tokens that a client gets for a secret it presents, a device code or a refresh token: drawn before the one
 * statement that spends the secret and makes them good, and kept sealed beside it for a client that lost the answer. */
#ifndef STORE_LOGIN_PAIR_H
#define STORE_LOGIN_PAIR_H

#include "bounds.h"
#include "call.h"
#include "store.h"

/* How long tokens live (settings login_access_lifetime, login_refresh_idle, login_family_cap). */
struct login_limits {
	int64_t access_ms;
	int64_t idle_ms; /* an unused refresh token */
	int64_t cap_ms;  /* the family, however often it is used */
};

/* What a client is given. */
struct login_pair {
	struct secret access_token;
	struct secret refresh_token;
	int64_t access_left_ms; /* at least 1000 */
};

/* A refresh token: "ghr_" and base64url of handle and secret. */
#define LOGIN_REFRESH_PREFIX "ghr_"
#define LOGIN_HANDLE_BYTES 16
#define LOGIN_REFRESH_BYTES (LOGIN_HANDLE_BYTES + SECRET_RANDOM_BYTES)
#define LOGIN_REFRESH_CHARS (LOGIN_REFRESH_BYTES / 3 * 4)

/* Of several that present one secret at once one spends it; the others look again, and see what the winner did. So
 * many looks are enough for everybody. */
#define LOGIN_ROUNDS_MAX 3

/* A pair that is drawn and good for nothing yet. */
struct login_mint {
	struct secret access_token;
	struct secret refresh_token;
	uint8_t handle_hash[SHA256_BYTES];
	uint8_t head_hash[SHA256_BYTES];
	uint8_t access_hash[SHA256_BYTES];
	char access_id[UUID_TEXT_SIZE];
};

/* handle NULL: of a new family. */
void login_mint(struct arena *arena, const uint8_t *handle, struct login_mint *ret_mint);

/* The pair under a key that only the presented secret gives: whoever has it, may have the pair. Nothing in the database
 * opens it, so no key of the vault seals it. */
struct sealed login_seal(struct arena *arena, struct secret presented, const struct login_mint *mint);

struct login_minted {
	bool done; /* false: the secret is spent, or its time is over; nothing was made */
	const char *user_id;
	struct login_pair pair;
};

/* Runs the statement that spends the secret and makes the pair good; its one row is user id, the access token's expiry
 * and the time. */
MUST_CHECK bool login_run(struct store *store, struct arena *arena, struct call *call, const struct login_mint *mint,
	struct login_minted *ret_minted, struct problem *problem);

/* What a secret was spent for. */
struct login_kept {
	struct sealed sealed; /* no bytes: it was not spent yet */
	int64_t access_expires_at_ms;
	int64_t now_ms;
};

/* The last three columns of a row that says how a secret stands. */
void login_read_kept(struct row *row, struct arena *arena, struct login_kept *ret_kept);

/* The same pair once more. */
MUST_CHECK bool login_replay(struct arena *arena, struct secret presented, const struct login_kept *kept,
	struct login_pair *ret_pair, struct problem *problem);

/* After LOGIN_ROUNDS_MAX looks that each were too late. Always false. */
bool login_keeps_changing(struct problem *problem);

#endif
