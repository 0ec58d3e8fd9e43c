/* SPDX-License-Identifier: Apache-2.0 */
/* Browser sessions, the one-time tickets that start them, and the one-time state of an authorization request. Secrets
 * are stored as SHA-256 hashes; PKCE verifiers are sealed by the vault. Expired rows are removed as new ones are made.
 */
#ifndef STORE_BROWSER_H
#define STORE_BROWSER_H

#include "store.h"
#include "users.h"

/* A ticket is good once, for linking provider_id for user_id. redirect is a local path or NULL. */
MUST_CHECK bool ticket_insert(struct store *store, const uint8_t hash[SHA256_BYTES], const char *user_id,
	const char *provider_id, const char *redirect, int64_t *ret_expires_at_ms, struct problem *problem);

struct browser_session {
	const char *id;
	struct user user;
	const char *provider_id; /* the only provider it may link; NULL: any (signed in) */
	const char *redirect;    /* from the ticket; NULL: none */
};

/* Spends the ticket for the provider and starts a session stored under session_hash, in one statement. *ret_found is
 * false where the ticket is unknown, spent, expired or another provider's. */
MUST_CHECK bool ticket_redeem(struct store *store, struct arena *arena, const uint8_t ticket_hash[SHA256_BYTES],
	const char *provider_id, const uint8_t session_hash[SHA256_BYTES], bool *ret_found, struct problem *problem);

/* A live session; its user may be suspended. */
MUST_CHECK bool session_find(struct store *store, struct arena *arena, const uint8_t hash[SHA256_BYTES],
	bool *ret_found, struct browser_session *ret_session, struct problem *problem);

struct oauth_state {
	const char *provider_id;
	struct secret verifier; /* empty: no PKCE */
	const char *redirect;   /* local path or NULL */
};

MUST_CHECK bool state_insert(struct store *store, const uint8_t hash[SHA256_BYTES], const char *session_id,
	const struct oauth_state *state, struct problem *problem);

/* Takes the state away: it is found once, only by its own session and only before it expires. */
MUST_CHECK bool state_take(struct store *store, struct arena *arena, const uint8_t hash[SHA256_BYTES],
	const char *session_id, bool *ret_found, struct oauth_state *ret_state, struct problem *problem);

#endif
