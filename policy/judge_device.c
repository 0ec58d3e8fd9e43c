/* SPDX-License-Identifier: Apache-2.0 */
/* What a token endpoint's answer to a poll for a device code means (RFC 8628 section 3.5). A code that a person may
 * just be approving is given up only at a clear word: everything else is asked again. */
#include <string.h>

#include "must_check.h"
#include "policy.h"

/* Words that decide at any status: GitHub says its errors with 200. RFC 8628 section 3.5 and RFC 6749 section 5.2;
 * device_flow_disabled, incorrect_client_credentials and incorrect_device_code are GitHub's ("Authorizing OAuth apps",
 * error codes for the device flow), authorization_declined, code_expired and bad_verification_code Microsoft's. */
static const struct {
	const char *error;
	enum device_answer answer;
} named_errors[] = {
	{"authorization_pending", DEVICE_PENDING},
	{"slow_down", DEVICE_SLOW_DOWN},
	{"access_denied", DEVICE_DENIED},
	{"authorization_declined", DEVICE_DENIED},
	{"expired_token", DEVICE_EXPIRED},
	{"code_expired", DEVICE_EXPIRED},
	{"invalid_grant", DEVICE_REFUSED},
	{"incorrect_device_code", DEVICE_REFUSED},
	{"bad_verification_code", DEVICE_REFUSED},
	{"invalid_client", DEVICE_OPERATOR},
	{"incorrect_client_credentials", DEVICE_OPERATOR},
	{"unauthorized_client", DEVICE_OPERATOR},
	{"unsupported_grant_type", DEVICE_OPERATOR},
	{"device_flow_disabled", DEVICE_OPERATOR},
	{"invalid_request", DEVICE_OPERATOR},
	{"invalid_scope", DEVICE_OPERATOR},
	{"server_error", DEVICE_TRANSIENT},
	{"temporarily_unavailable", DEVICE_TRANSIENT},
};

/* DEVICE_ANSWER_COUNT where the word alone decides nothing. */
static enum device_answer judge_error(const char *error)
{
	for (size_t i = 0; i < COUNT_OF(named_errors); i++)
		if (strcmp(named_errors[i].error, error) == 0)
			return named_errors[i].answer;
	return DEVICE_ANSWER_COUNT;
}

/* RFC 6585 section 4, and GitHub's way to say the same with 403. */
static bool is_rate_limited(const struct device_reply *reply)
{
	return reply->status == 429 ||
	       (reply->status == 403 && (reply->has_retry_after || reply->rate_limit_exhausted));
}

static enum device_answer judge_status(int status, bool has_error)
{
	bool is_success = status >= 200 && status <= 299;

	/* Section 3.5: any other error ends the polling. */
	if (has_error && (is_success || status == 400 || status == 401))
		return DEVICE_REFUSED;
	/* A token may have been in it. */
	if (is_success)
		return DEVICE_LOST;
	/* A refusal without a word comes from something in front of the endpoint: judge_refresh.c. */
	return status >= 300 && status <= 599 ? DEVICE_TRANSIENT : DEVICE_LOST;
}

enum device_answer judge_device(const struct device_reply *reply)
{
	if (reply->transport == TRANSPORT_NOT_SENT)
		return DEVICE_TRANSIENT;
	if (reply->transport != TRANSPORT_ANSWERED)
		return DEVICE_LOST;
	if (reply->status >= 200 && reply->status <= 299 && reply->has_access_token)
		return DEVICE_GRANTED;

	const char *error = reply->error != NULL ? reply->error : "";
	enum device_answer named = judge_error(error);
	if (named != DEVICE_ANSWER_COUNT)
		return named;
	if (is_rate_limited(reply))
		return DEVICE_RATE_LIMITED;
	return judge_status(reply->status, *error != '\0');
}
