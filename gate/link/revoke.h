/* SPDX-License-Identifier: Apache-2.0 */
/* Telling a provider that a token is no longer wanted: github's DELETE with JSON and Basic (204), everybody else RFC
 * 7009 (form, refresh token preferred, 200). Best effort: the link is gone from our side already. */
#ifndef LINK_REVOKE_H
#define LINK_REVOKE_H

#include "engine.h"

bool revoke_is_supported(const struct provider *provider);

/* true when the provider confirmed. Otherwise *ret_error says why in a few words (no body, no secret). */
bool revoke_tokens(struct engine *engine, struct provider *provider, struct secret access_token,
	struct secret refresh_token, struct arena *arena, const char **ret_error);

#endif
