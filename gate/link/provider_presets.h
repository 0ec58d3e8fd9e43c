/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of each provider type: contract section 2's table. */
#ifndef LINK_PROVIDER_PRESETS_H
#define LINK_PROVIDER_PRESETS_H

#include <stdbool.h>

#include "provider.h"

/* A URL that starts with `/` is on the provider's own host: that of AUTH_URL when one is given, else origin.
 * `{client_id}` stands for the client's id. NULL: the type has none. */
struct preset {
	const char *origin; /* NULL: AUTH_URL is required */
	const char *auth_url;
	const char *token_url;
	const char *validate_url;
	const char *revoke_url;
	const char *device_code_url;
	const char *app_installations_url;
	const char *regex; /* over URLs of git on origin's hosts; NULL: the type has none */
	const char *scopes;
	bool pkce;
};

const struct preset *provider_preset(enum provider_type type);

/* The type a configured word means, in any case; PROVIDER_OTHER for every word that is no preset's. */
enum provider_type provider_type_from_word(const char *word);
const char *provider_type_word(enum provider_type type);

#endif
