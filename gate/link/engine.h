/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of link/ share: the providers, the store and the way out. Made once at start. */
#ifndef LINK_ENGINE_H
#define LINK_ENGINE_H

#include "../store/store.h"
#include "http_client.h"
#include "provider.h"

struct breakers;
struct flights;
struct inquiries;
struct receipt_keys;
struct sign_in;
struct verdict_cache;

struct engine {
	struct providers providers;
	struct store *store;
	struct http_client *http;
	const char *access_url; /* every URL handed out starts with it; no trailing slash */
	int64_t gate_timeout_ms;
	struct enforcement_setting enforcement; /* of the deployment */
	struct flights *flights;                /* refreshes under way; NULL: this engine refreshes nothing */
	struct inquiries *inquiries;            /* questions to providers under way */
	struct verdict_cache *verdicts;         /* NULL: none is used again */
	struct breakers *breakers;              /* NULL: every provider is asked always */
	int64_t refresh_lease_ms;
	int64_t refresh_cooldown_ms;
	struct receipt_keys *receipts; /* NULL: there are none */
	int64_t receipt_lifetime_ms;
	struct sign_in *sign_in; /* OpenID Connect (oidc.h); NULL: not configured */
};

/* OIDC discovery (OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3) for providers with ISSUER whose authorize
 * or token URL is not given: fetched when first needed, kept for the process, refused where the document's issuer is
 * not exactly the configured one or an endpoint is no lawful URL. Providers that need none are ready at once. False
 * with PROBLEM_PROVIDER_FAILED where the document could not be had. */
MUST_CHECK bool provider_discover(struct engine *engine, struct provider *provider, struct problem *problem);

/* The same, and what sign-in needs beside it (oidc.h). */
struct sign_in_endpoints {
	const char *keys_url;
	const char *userinfo_url; /* "": none */
	bool says_issuer;         /* its answers to a browser name it (RFC 9207 section 3) */
};
MUST_CHECK bool provider_discover_sign_in(struct engine *engine, struct provider *provider,
	struct sign_in_endpoints *ret_endpoints, struct problem *problem);

/* The provider of this id; PROBLEM_PROVIDER_NOT_CONFIGURED with the id in detail where there is none. */
MUST_CHECK bool engine_find_provider(
	const struct engine *engine, const char *id, struct provider **ret_provider, struct problem *problem);

#endif
