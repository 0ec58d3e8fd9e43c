/* SPDX-License-Identifier: Apache-2.0 */
/* From a bearer token to its caller: cached by the token's hash for IDENTITY_CACHE_MS, so that a busy control plane
 * costs no extra round trip; deleting a token or changing a user drops it here at once and on other replicas when it is
 * old. */
#ifndef HTTP_IDENTIFY_H
#define HTTP_IDENTIFY_H

#include "../base/secret.h"
#include "request.h"
#include "service.h"

struct identity_cache *identity_cache_new(void);
void identity_cache_free(struct identity_cache *cache);

/* Drops a token, or all tokens of a user. */
void identity_forget_token(struct identity_cache *cache, const uint8_t hash[SHA256_BYTES]);
void identity_forget_user(struct identity_cache *cache, const char *user_id);

/* Whether either header has a token in it, good or not; credentials of another scheme are none. */
bool identify_is_token_sent(const char *authorization, const char *session_token);

/* authorization and session_token are the headers' values or NULL. PROBLEM_UNAUTHENTICATED where there is no token or
 * it is unknown or expired; PROBLEM_BAD_REQUEST where both headers name different tokens (RFC 6750 section 2: one
 * method); PROBLEM_OWNER_SUSPENDED for a suspended user. Fills request->caller. */
MUST_CHECK bool identify_caller(
	struct request *request, const char *authorization, const char *session_token, struct problem *problem);

#endif
