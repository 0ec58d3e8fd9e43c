/* SPDX-License-Identifier: Apache-2.0 */
/* What an ID token must say before it is believed, and what is read from it. Private to link/, without any input or
 * output. */
#ifndef LINK_OIDC_CLAIMS_H
#define LINK_OIDC_CLAIMS_H

#include "../base/json.h"
#include "../base/secret.h"
#include "oidc.h"

struct oidc_expected {
	const char *issuer;
	const char *client_id;
	struct secret nonce;
	int64_t now_s;
};

/* OpenID Connect Core sections 2 and 3.1.3.7. NULL: believed; else why not, a literal that repeats nothing of it. */
const char *oidc_why_refused(const struct json *claims, const struct oidc_expected *expected);

/* Name and email from the claims that have the name; issuer and subject stay. The name is mapped to a user's: lower
 * case, of an email what stands before the @ (only of one that the service has checked), dots and underscores as
 * hyphens. PROBLEM_FORBIDDEN where that gives no lawful name. */
MUST_CHECK bool oidc_read_person(const struct json *claims, const char *username_claim, struct arena *arena,
	struct oidc_person *ret_person, struct problem *problem);

#endif
