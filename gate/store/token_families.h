/* SPDX-License-Identifier: Apache-2.0 */
/* What a login gave: a family of rotating refresh tokens, and its access tokens, which are API tokens that live for
 * minutes. A refresh token is "ghr_" and base64url of a handle of 128 bits, the same through all of the family, and a
 * secret of 256 bits. Both are stored as hashes; a family is one row, and its newest secret is changed for the next one
 * by one conditional statement. */
#ifndef STORE_TOKEN_FAMILIES_H
#define STORE_TOKEN_FAMILIES_H

#include "call.h"
#include "grant.h"
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

/* A refresh token as a client sent it. */
struct family_use {
	const char *token;
	const char *client_id;
	struct login_limits limits;
};

struct family_outcome {
	enum family_answer answer; /* FAMILY_ENDED also for a token nobody knows and for another client's */
	struct login_pair pair;    /* FAMILY_ROTATE and FAMILY_REPLAY */
	const char *user_id;       /* NULL where the token is not known */
};

/* Uses a refresh token: changes it for the next one, or gives the same successor again to who lost the answer, or ends
 * the family of one that was used twice: with FAMILY_REUSE the user's cached identities are to be forgotten. Of many at
 * once with one token one changes it and the others are given the same. */
MUST_CHECK bool family_refresh(struct store *store, struct arena *arena, const struct family_use *use,
	struct family_outcome *ret_outcome, struct problem *problem);

enum revocation {
	REVOCATION_DONE,
	REVOCATION_UNKNOWN, /* no token of ours, or none any more */
	REVOCATION_FOREIGN, /* another client's; it stays */
};

/* Ends the family of this refresh token, its access tokens included. An old token of the family ends it, too. */
MUST_CHECK bool family_revoke(struct store *store, struct arena *arena, const char *token, const char *client_id,
	enum revocation *ret_revocation, const char **ret_user_id, struct problem *problem);

/* Ends one access token of a login. */
MUST_CHECK bool access_token_revoke(struct store *store, const uint8_t hash[SHA256_BYTES], const char *client_id,
	enum revocation *ret_revocation, struct problem *problem);

/* Ends the oldest logins of a user beyond LOGIN_FAMILIES_MAX. */
MUST_CHECK bool family_trim(struct store *store, const char *user_id, size_t *ret_ended, struct problem *problem);

/* Whether a text has the form of a refresh token; else it is looked for nowhere. */
bool family_is_token(const char *text);

/* --- for the redemption of device codes, which begins a family ------------------------------------------------------
 */

/* Tokens that are drawn before the statement that makes them good. */
struct login_mint {
	struct secret access_token;
	struct secret refresh_token;
	uint8_t handle_hash[SHA256_BYTES];
	uint8_t head_hash[SHA256_BYTES];
	uint8_t access_hash[SHA256_BYTES];
	char access_id[UUID_TEXT_SIZE];
};

/* handle NULL: of a new family. */
#define FAMILY_HANDLE_BYTES 16
void login_mint(struct arena *arena, const uint8_t *handle, struct login_mint *ret_mint);

/* The pair under a key that only the token gives which it was given for: whoever has it, may have the pair. Nothing in
 * the database opens it, so no key of the vault seals it. */
struct sealed login_seal(struct arena *arena, struct secret presented, const struct login_mint *mint);
MUST_CHECK bool login_open(
	struct arena *arena, struct secret presented, struct sealed sealed, struct login_pair *ret_pair);

/* What is left of a token's life on the database's clock, never less than a second. */
int64_t login_left_ms(int64_t expires_at_ms, int64_t now_ms);

#endif
