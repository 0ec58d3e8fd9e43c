/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider's answer to GET VALIDATE_URL says about the token: the validation table of contract section 5. Only
 * a clear word of the provider condemns a token; whatever is not in the table is the provider's trouble. */
#include "policy.h"

/* GitHub says "slow down" with 403, and tells it from "not yours" by these headers alone. */
static enum validation judge_forbidden(const struct validation_answer *answer)
{
	if (answer->has_retry_after || answer->rate_limit_exhausted)
		return VALIDATION_RATE_LIMITED;
	return VALIDATION_REJECTED;
}

enum validation judge_validation(const struct validation_answer *answer)
{
	if (answer->transport != TRANSPORT_ANSWERED)
		return VALIDATION_UNAVAILABLE;

	switch (answer->status) {
	case 200:
		return VALIDATION_CONFIRMED;
	case 401:
		return VALIDATION_REJECTED;
	case 403:
		return judge_forbidden(answer);
	case 429:
		return VALIDATION_RATE_LIMITED;
	}
	return VALIDATION_UNAVAILABLE;
}
