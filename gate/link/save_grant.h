/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with a token that a provider has just granted to an owner, in a browser or by the device flow: it is
 * saved before anything else, and only then is the provider asked whose account it is. */
#ifndef LINK_SAVE_GRANT_H
#define LINK_SAVE_GRANT_H

#include "oauth.h"
#include "validate.h"

/* Saves the link and drops what was known of the one before. Waits up to GRANT_SAVE_MS for a database that is away: the
 * code that the grant was given for is spent. how is a literal, the label of gatehouse_links_written_total. */
MUST_CHECK bool save_grant(struct engine *engine, const struct provider *provider, const char *owner_id,
	const struct oauth_grant *grant, const char *how, int64_t *ret_generation, struct problem *problem);

/* Whose token it is. */
struct saved_grant {
	const char *owner_id;
	struct secret access_token;
	int64_t generation;
};

/* What the provider says of it. */
struct saved_account {
	const char *login; /* NULL: not known */
	size_t installation_count;
	const struct app_installation *installations; /* of the provider's app; NULL: not known */
};

/* Validates the saved token, notes what came of it and the account's name, and returns that. That this fails takes
 * nothing back: the link is saved. request_id is for the log. */
struct saved_account save_grant_account(struct engine *engine, const struct provider *provider,
	const struct saved_grant *saved, const char *request_id, struct arena *arena);

#endif
