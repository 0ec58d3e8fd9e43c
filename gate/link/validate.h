/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a provider whether a token is good: GET VALIDATE_URL with the token as bearer (contract section 5). For github
 * the answer also names the user. */
#ifndef LINK_VALIDATE_H
#define LINK_VALIDATE_H

#include "engine.h"

struct provider_user {
	int64_t id;
	const char *login; /* "" where the answer does not say; likewise the others */
	const char *name;
	const char *avatar_url;
	const char *profile_url;
};

/* The request that validates a token, for whoever starts it. deadline bounds the transfer. */
struct http_request validate_request(
	const struct provider *provider, struct secret access_token, struct arena *arena, struct deadline deadline);

/* The facts of the answer that policy/judge_validation.c looks at. */
struct validation_answer validate_answer_facts(const struct http_answer *answer);

/* The user a github validation names; false for other types and for what does not parse (which is ignored). */
bool validate_read_user(const struct provider *provider, const struct http_answer *answer, struct arena *arena,
	struct provider_user *ret_user);

struct app_installation {
	int64_t id;
	const char *configure_url;
	struct provider_user account;
};

/* Validates one token and, where the provider has APP_INSTALLATIONS_URL, lists the app's installations at the same
 * time. installations are at most ret_count (100); a failure to list them is an empty list. */
enum validation validate_token(struct engine *engine, const struct provider *provider, struct secret access_token,
	struct arena *arena, struct provider_user *ret_user, size_t *ret_count,
	struct app_installation **ret_installations);

#endif
