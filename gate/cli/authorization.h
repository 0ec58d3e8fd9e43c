/* SPDX-License-Identifier: Apache-2.0 */
/* The service as an authorization server, as its own command line sees it: the device grant (RFC 8628), refresh (RFC
 * 6749 section 6) and revocation (RFC 7009), as a public client. */
#ifndef CLI_AUTHORIZATION_H
#define CLI_AUTHORIZATION_H

#include "cli.h"

#define AUTHORIZATION_CLIENT_ID "gatehouse-cli"

/* Connect and answer together: twice this and a little fits the default wait for a login's lock. */
#define AUTHORIZATION_MS 10000

struct device_start {
	struct secret device_code;
	const char *user_code;
	const char *verification_uri;
	const char *verification_uri_complete; /* NULL: none */
	int64_t expires_in_s;
	int64_t interval_s; /* 5 where the service does not say: RFC 8628 section 3.2 */
};
MUST_CHECK bool authorization_start_device(struct cli *cli, struct device_start *ret_start, struct problem *problem);

/* The same answer from the API about a provider's device flow. false: it is not lawful. */
struct json;
MUST_CHECK bool device_start_read(
	const struct json *root, struct arena *arena, struct device_start *ret_start, struct problem *problem);

enum cli_grant_end {
	CLI_GRANT_GRANTED,
	CLI_GRANT_PENDING,
	CLI_GRANT_SLOW_DOWN,
	CLI_GRANT_REFUSED,       /* invalid_grant, access_denied, expired_token */
	CLI_GRANT_MISCONFIGURED, /* any other error: asking again does not help */
	CLI_GRANT_TRANSIENT,     /* not sent, or answered that it cannot now: nothing was spent */
	CLI_GRANT_AMBIGUOUS,     /* sent, and no answer that can be read: it may have been spent */
};

struct cli_grant {
	enum cli_grant_end end;
	const char *error;           /* the word of RFC 6749 section 5.2, or what happened; never NULL */
	const char *description;     /* "" where there is none */
	struct secret access_token;  /* empty: granted with a token_type that is not understood */
	struct secret refresh_token; /* empty: none came, the old one stays good */
	int64_t expires_in_s;        /* 0: not said */
};

struct cli_grant authorization_poll_device(struct cli *cli, struct secret device_code);
struct cli_grant authorization_refresh(struct cli *cli, struct secret refresh_token);

/* false: the service did not say that it is revoked. */
MUST_CHECK bool authorization_revoke(struct cli *cli, struct secret refresh_token, struct problem *problem);

#endif
