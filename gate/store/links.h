/* SPDX-License-Identifier: Apache-2.0 */
/* Links: one owner's tokens at one provider. Every write moves the generation on. Token columns are sealed and opened
 * by the vault on the way. */
#ifndef STORE_LINKS_H
#define STORE_LINKS_H

#include "policy.h"
#include "store.h"

struct link {
	const char *owner_id;
	const char *provider_id;
	int64_t generation;
	bool readable; /* false: no key opens it; the tokens are then empty */
	struct secret access_token;
	struct secret refresh_token;   /* empty: none */
	bool has_refresh_token;        /* one is stored, whether or not a key opens it */
	struct secret extras;          /* JSON object of EXTRA_TOKEN_KEYS and what presets keep; empty: none */
	const char *account;           /* login at the provider, NULL where it is not known */
	enum reason remembered;        /* REASON_COUNT: nothing */
	const char *remembered_detail; /* NULL: nothing */
	int64_t issued_at_ms;
	int64_t expires_at_ms;    /* 0: never */
	int64_t last_valid_at_ms; /* 0: not confirmed in this generation */
	int64_t created_at_ms;
	int64_t updated_at_ms;
};

MUST_CHECK bool link_list(struct store *store, struct arena *arena, const char *owner_id, size_t *ret_count,
	struct link **ret_links, struct problem *problem);
MUST_CHECK bool link_find(struct store *store, struct arena *arena, const char *owner_id, const char *provider_id,
	bool *ret_found, struct link *ret_link, struct problem *problem);

/* What linking, re-linking and importing write; replaces the tokens, forgets what was remembered, generation + 1 (1 at
 * first; a link that was removed and made again goes on from a higher number, never back). *ret_generation may be NULL.
 */
struct link_tokens {
	const char *owner_id;
	const char *provider_id;
	struct secret access_token;
	struct secret refresh_token;
	struct secret extras;
	const char *account;
	int64_t expires_at_ms;
};
MUST_CHECK bool link_save(
	struct store *store, const struct link_tokens *tokens, int64_t *ret_generation, struct problem *problem);

/* Notes the account and that the provider confirmed the token of exactly this generation, without moving it on. */
MUST_CHECK bool link_note_valid(struct store *store, const char *owner_id, const char *provider_id, int64_t generation,
	const char *account, struct problem *problem);

/* Forgets the confirmation of exactly this generation, because the provider has said no since. */
MUST_CHECK bool link_note_rejected(struct store *store, const char *owner_id, const char *provider_id,
	int64_t generation, struct problem *problem);

/* Removes the link and hands out what it held, so that it can be revoked. */
MUST_CHECK bool link_delete(struct store *store, struct arena *arena, const char *owner_id, const char *provider_id,
	bool *ret_found, struct link *ret_link, struct problem *problem);

#endif
