/* SPDX-License-Identifier: Apache-2.0 */
/* Users and their API tokens (stored as SHA-256 hashes). Everything handed out lives in the arena given. */
#ifndef STORE_USERS_H
#define STORE_USERS_H

#include "policy.h"
#include "store.h"

struct user {
	const char *id;
	const char *username;
	const char *email; /* NULL: none */
	bool suspended;
	role_set roles; /* always holds ROLE_MEMBER */
	int64_t created_at_ms;
};

/* PROBLEM_NAME_TAKEN (violation username) where the name is in use. */
MUST_CHECK bool user_insert(struct store *store, struct arena *arena, const struct user *user, struct user *ret_user,
	struct problem *problem);

/* reference is an id or a user name. *ret_found says whether there is one; the system user `prebuilds` is not found. */
MUST_CHECK bool user_find(struct store *store, struct arena *arena, const char *reference, bool *ret_found,
	struct user *ret_user, struct problem *problem);

MUST_CHECK bool user_list(struct store *store, struct arena *arena, struct page page, size_t *ret_count,
	struct user **ret_users, struct problem *problem);

/* What a PATCH may change; NULL or unset members stay. */
struct user_change {
	const bool *suspended;
	const char *email;
	bool clear_email;
	const role_set *roles;
	bool forget_sign_in; /* whose account at the sign-in service the user is; ends the user's sessions */
};

/* What the caller may do depends on the roles that the user had when that was judged. Not found: the user is gone or
 * has other roles by now. */
MUST_CHECK bool user_update(struct store *store, struct arena *arena, const struct user *judged,
	const struct user_change *change, bool *ret_found, struct user *ret_user, struct problem *problem);

/* The same. PROBLEM_CONFLICT where the user still has workspaces. Links, tokens and sessions go with the user. */
MUST_CHECK bool user_delete(struct store *store, const struct user *judged, bool *ret_found, struct problem *problem);

/* Makes sure user `admin` (role admin, active) exists and that the token is one of its tokens. Safe for many replicas.
 */
MUST_CHECK bool user_bootstrap_admin(struct store *store, struct secret token, struct problem *problem);

struct api_token {
	const char *id;
	const char *name; /* "" where none was given */
	int64_t created_at_ms;
	int64_t expires_at_ms;
	int64_t last_used_at_ms; /* 0: never; kept to the minute, not to the request */
};

MUST_CHECK bool token_insert(struct store *store, struct arena *arena, const char *user_id, const char *name,
	const uint8_t hash[SHA256_BYTES], int64_t lifetime_s, struct api_token *ret_token, struct problem *problem);

/* The user a live token belongs to, and how long it will live: one indexed read. Suspended users are found too. */
MUST_CHECK bool token_find_user(struct store *store, struct arena *arena, const uint8_t hash[SHA256_BYTES],
	bool *ret_found, struct user *ret_user, int64_t *ret_left_ms, struct problem *problem);

MUST_CHECK bool token_list(struct store *store, struct arena *arena, const char *user_id, struct page page,
	size_t *ret_count, struct api_token **ret_tokens, struct problem *problem);

/* Sets ret_hash to the hash of the deleted token, so that caches can drop it. */
MUST_CHECK bool token_delete(struct store *store, const char *user_id, const char *token_id, bool *ret_found,
	uint8_t ret_hash[SHA256_BYTES], struct problem *problem);

#endif
