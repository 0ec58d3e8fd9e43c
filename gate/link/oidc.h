/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in with OpenID Connect: authorization code with PKCE, state and nonce (OpenID Connect Core 1.0 section 3.1,
 * RFC 9700). What is asked of the sign-in service, and what of its answer is believed. */
#ifndef LINK_OIDC_H
#define LINK_OIDC_H

#include "engine.h"

/* Made at start where GATEHOUSE_OIDC_ISSUER is given; NULL otherwise. access_url must outlive it. */
struct sign_in *sign_in_new(const struct config *config, const char *access_url);
void sign_in_free(struct sign_in *sign_in); /* NULL is nothing to do */

/* The issuer's host, for the page that says where the browser goes. Lives as long as sign_in. */
const char *sign_in_host(const struct sign_in *sign_in);

/* The secrets of one visit to the sign-in service. */
struct sign_in_visit {
	struct secret state;
	struct secret verifier; /* PKCE */
	struct secret nonce;
};

/* Where the browser goes. PROBLEM_PROVIDER_FAILED where discovery fails, with what to do. */
MUST_CHECK bool oidc_authorize_url(struct engine *engine, const struct sign_in_visit *visit, struct arena *arena,
	const char **ret_url, struct problem *problem);

/* RFC 9207 section 2.4: the answer that the browser brings is from our issuer. issuer is its `iss`, NULL where it has
 * none. */
MUST_CHECK bool oidc_answer_is_ours(struct engine *engine, const char *issuer, bool *ret_ours, struct problem *problem);

/* Who signed in. The strings live in the arena. */
struct oidc_person {
	const char *issuer;
	const char *subject;
	const char *username; /* lawful */
	const char *email;    /* NULL: none, or nobody has checked it */
};

/* Spends the code and checks the ID token it brings: signature, iss, aud, azp, exp, iat, nbf, nonce; the name that is
 * not in it is asked for at the UserInfo endpoint. PROBLEM_PROVIDER_FAILED where the service or its token is no good,
 * PROBLEM_FORBIDDEN where the person has no name that can be a user's. */
MUST_CHECK bool oidc_find_person(struct engine *engine, struct secret code, const struct sign_in_visit *visit,
	struct arena *arena, struct oidc_person *ret_person, struct problem *problem);

#endif
