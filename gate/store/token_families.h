/* SPDX-License-Identifier: Apache-2.0 */
/* What a login gave: a family of rotating refresh tokens, and its access tokens, which are API tokens that live for
 * minutes. A refresh token is "ghr_" and base64url of a handle of 128 bits, the same through all of the family, and a
 * secret of 256 bits. Both are stored as hashes; a family is one row, and its newest secret is changed for the next one
 * by one conditional statement. */
#ifndef STORE_TOKEN_FAMILIES_H
#define STORE_TOKEN_FAMILIES_H

#include "call.h"
#include "grant.h"
#include "login_pair.h"
#include "store.h"

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

#endif
