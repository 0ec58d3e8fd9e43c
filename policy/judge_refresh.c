/* SPDX-License-Identifier: Apache-2.0 */
/* What a token endpoint's answer means: the refresh table of contract section 5. Where the table is silent, nobody is
 * blamed without evidence and nothing is written: a class that makes the user link again or that counts a refresh token
 * as perhaps spent needs an answer that says so. */
#include <string.h>

#include "must_check.h"
#include "policy.h"

/* Words that decide at any status: GitHub and Slack say their errors with 200. RFC 6749 section 5.2, GitHub's
 * "Troubleshooting OAuth app access token request errors" and Slack's "oauth.v2.access". The last two are RFC 6749
 * section 4.1.2.1's words for 500 and 503. */
static const struct {
	const char *error;
	enum grant_class class;
} named_errors[] = {
	{"bad_refresh_token", GRANT_USER},
	{"invalid_grant", GRANT_USER},
	{"invalid_refresh_token", GRANT_USER},
	{"unauthorized_client", GRANT_USER},
	{"unsupported_grant_type", GRANT_USER},
	{"invalid_client", GRANT_OPERATOR},
	{"incorrect_client_credentials", GRANT_OPERATOR},
	{"bad_client_secret", GRANT_OPERATOR},
	{"invalid_client_id", GRANT_OPERATOR},
	{"server_error", GRANT_TRANSIENT},
	{"temporarily_unavailable", GRANT_TRANSIENT},
};

/* GRANT_CLASS_COUNT where the word alone decides nothing. */
static enum grant_class judge_error(const char *error)
{
	for (size_t i = 0; i < COUNT_OF(named_errors); i++)
		if (strcmp(named_errors[i].error, error) == 0)
			return named_errors[i].class;
	return GRANT_CLASS_COUNT;
}

/* Success without a token. With an error word of the provider's own (Slack says internal_error and ratelimited so,
 * GitHub application_suspended) the exchange was refused for certain, but by whose fault is not said: transient.
 * Without one nobody knows whether the refresh token is spent. */
static enum grant_class judge_empty_success(bool has_error)
{
	return has_error ? GRANT_TRANSIENT : GRANT_AMBIGUOUS;
}

/* 400 or 401. RFC 6749 section 5.2 obliges the endpoint to name the error; a refusal without one comes from something
 * in front of it (a proxy, a firewall, a maintenance page), so it says nothing about the user or the client. */
static enum grant_class judge_refusal(bool has_error)
{
	return has_error ? GRANT_USER : GRANT_TRANSIENT;
}

static enum grant_class judge_status(int status, bool has_error)
{
	if (status >= 200 && status <= 299)
		return judge_empty_success(has_error);
	if (status == 400 || status == 401)
		return judge_refusal(has_error);
	/* Beside 403, 408, 425, 429 and 5xx also a redirect, which a POST with a secret does not follow, and 404 and
	 * its like, which an endpoint gives while it is being deployed: nothing was exchanged. */
	if (status >= 300 && status <= 599)
		return GRANT_TRANSIENT;
	return GRANT_AMBIGUOUS;
}

enum grant_class judge_refresh(const struct token_answer *answer)
{
	if (answer->transport == TRANSPORT_NOT_SENT)
		return GRANT_NOT_SENT;
	if (answer->transport != TRANSPORT_ANSWERED)
		return GRANT_AMBIGUOUS;
	/* Any 2xx: a token that was issued is never lost, also where the endpoint says 201. */
	if (answer->status >= 200 && answer->status <= 299 && answer->has_access_token)
		return GRANT_GRANTED;

	const char *error = answer->error != NULL ? answer->error : "";
	enum grant_class named = judge_error(error);
	if (named != GRANT_CLASS_COUNT)
		return named;
	return judge_status(answer->status, *error != '\0');
}
