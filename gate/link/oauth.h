/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization-code grant as client of a provider (RFC 6749 section 4.1, PKCE RFC 7636, issuer RFC 9207), with the
 * presets' quirks: azure-devops assertion, entra resource, jfrog bearer, slack authed_user, form-encoded answers. */
#ifndef LINK_OAUTH_H
#define LINK_OAUTH_H

#include "engine.h"

/* REDIRECT_URL or <access url>/external-auth/{id}/callback. */
const char *oauth_redirect_uri(const struct engine *engine, const struct provider *provider, struct arena *arena);

/* The provider's authorization page for this state; verifier empty: no PKCE. */
char *oauth_authorize_url(const struct engine *engine, const struct provider *provider, struct secret state,
	struct secret verifier, struct arena *arena);

/* What a token endpoint granted. */
struct oauth_grant {
	struct secret access_token;
	struct secret refresh_token; /* empty: none */
	struct secret extras;        /* JSON object text; empty: none */
	int64_t expires_at_ms;       /* 0: never */
};

/* One exchange of an authorization code; spends it. Tries Basic, then form credentials where the provider refuses the
 * client (and remembers), and CLIENT_SECRET_2 where it refuses the secret. On failure PROBLEM_PROVIDER_FAILED says in
 * plain words whose turn it is (owner: try again; operator: check the client secret), with the provider's OAuth error
 * word but never its body. */
MUST_CHECK bool oauth_exchange_code(struct engine *engine, struct provider *provider, struct secret code,
	struct secret verifier, struct arena *arena, struct oauth_grant *ret_grant, struct problem *problem);

/* The forms of the device flow (RFC 8628 sections 3.1 and 3.4), without our client's credentials. */
const char *oauth_device_form(const struct provider *provider, struct arena *arena);
const char *oauth_device_poll_form(const struct provider *provider, struct secret device_code, struct arena *arena);

/* The form that asks for a new token (RFC 6749 section 6), without our client's credentials, as the provider's preset
 * wants it: azure-devops takes the refresh token as an assertion beside the redirect URI, azure-devops-entra needs the
 * resource and the scopes once more. */
const char *oauth_refresh_form(
	const struct engine *engine, const struct provider *provider, struct secret refresh_token, struct arena *arena);

#endif
