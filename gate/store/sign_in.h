/* SPDX-License-Identifier: Apache-2.0 */
/* What sign-in with OpenID Connect keeps: the one-time state of a sign-in under way, which user a subject is, and the
 * sessions of who signed in. Cookies and states are stored as SHA-256 hashes. */
#ifndef STORE_SIGN_IN_H
#define STORE_SIGN_IN_H

#include "store.h"
#include "users.h"

/* redirect is a local path or NULL. browser_hash is of the cookie that the browser has for its sign-ins. */
MUST_CHECK bool sign_in_state_insert(struct store *store, const uint8_t hash[SHA256_BYTES],
	const uint8_t browser_hash[SHA256_BYTES], const char *redirect, struct problem *problem);

/* Takes the state away: it is found once, only by its own browser and only before it expires. */
MUST_CHECK bool sign_in_state_take(struct store *store, struct arena *arena, const uint8_t hash[SHA256_BYTES],
	const uint8_t browser_hash[SHA256_BYTES], bool *ret_found, const char **ret_redirect, struct problem *problem);

/* Who signed in, as the sign-in service says. */
struct sign_in_identity {
	const char *issuer;
	const char *subject;
	const char *username; /* lawful */
	const char *email;    /* NULL: none that may be stored */
};

enum sign_in_match {
	SIGN_IN_NONE,  /* the name is another subject's, or there is no such user and none may be made */
	SIGN_IN_KNOWN, /* bound to this subject before */
	SIGN_IN_BOUND, /* a user of that name, bound now */
	SIGN_IN_MADE,
};

/* Finds the user of this subject in one statement, binds one or, where allow_new, makes one. A user who is bound may be
 * suspended; a suspended one is not bound anew. */
MUST_CHECK bool sign_in_match_user(struct store *store, struct arena *arena, const struct sign_in_identity *identity,
	bool allow_new, enum sign_in_match *ret_match, struct user *ret_user, struct problem *problem);

/* Starts a session for the user and ends the one that the browser had, whose hash is replaced (NULL: none). Not found:
 * the user is gone or suspended by now. */
MUST_CHECK bool login_session_insert(struct store *store, const uint8_t hash[SHA256_BYTES], const char *user_id,
	const uint8_t *replaced, bool *ret_found, struct problem *problem);

/* Ends a session, and with it what was begun in it. One that is over already is none the less fine. */
MUST_CHECK bool login_session_delete(struct store *store, const char *session_id, struct problem *problem);

#endif
