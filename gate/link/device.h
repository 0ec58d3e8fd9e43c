/* SPDX-License-Identifier: Apache-2.0 */
/* The device flow as client of a provider (RFC 8628): asking for a code, and asking once what has become of it. Who may
 * ask, how often and how long is kept by the store (store/provider_device.h). */
#ifndef LINK_DEVICE_H
#define LINK_DEVICE_H

#include "oauth.h"
#include "token_endpoint.h"

/* What a device authorization endpoint gave out, checked and within the bounds of DEVICE_…; lives in the arena. */
struct device_code {
	struct secret device_code;
	const char *user_code;
	const char *verification_uri;
	const char *verification_uri_complete; /* NULL: there is none */
	int64_t lifetime_s;
	int64_t interval_s;
};

/* Asks DEVICE_CODE_URL once, with other credentials where the provider refuses the client. JSON and form-encoded
 * answers are read (GitHub's is a form where something strips our Accept). On failure the problem says whose turn it
 * is: PROBLEM_PROVIDER_RATE_LIMITED with the provider's time, or PROBLEM_PROVIDER_FAILED; never with its body. */
MUST_CHECK bool device_start(struct engine *engine, const struct provider *provider, struct arena *arena,
	struct device_code *ret_code, struct problem *problem);

struct device_poll {
	enum device_answer answer;
	const char *error;      /* the provider's OAuth error word, "" where it has none that may be shown */
	unsigned retry_after_s; /* 0: the provider does not say */
	unsigned interval_s;    /* the new one, of GitHub's slow_down; 0: the provider does not say */
	const char *unusable;   /* DEVICE_GRANTED, and why the token cannot be used; NULL: it can */
	struct oauth_grant grant;
};

/* Asks the token endpoint once about the code. The provider must have been discovered. */
struct device_poll device_poll(
	struct engine *engine, struct provider *provider, struct secret device_code, struct arena *arena);

#endif
