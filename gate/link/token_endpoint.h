/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a provider's token endpoint, whatever the grant: our client's credentials in the form the provider takes them,
 * and the answer in the words of policy/judge_refresh.c. Private to link/. */
#ifndef LINK_TOKEN_ENDPOINT_H
#define LINK_TOKEN_ENDPOINT_H

#include "engine.h"
#include "oauth.h"

/* An OAuth error word that may be shown; longer or stranger ones are left out. */
#define OAUTH_ERROR_BYTES_MAX 64

struct token_question {
	const char *purpose;      /* "exchange", "refresh" or "device_poll": a literal */
	const char *form;         /* grant_type and its parameters, without the client's credentials */
	struct deadline deadline; /* of all tries together */
	bool is_device;           /* a poll for a device code: credentials_list_device */
};

struct token_reply {
	enum grant_class class;
	enum transport transport;
	int status;
	char error[OAUTH_ERROR_BYTES_MAX + 1]; /* "" where the answer has none that may be shown */
	bool has_error;                        /* also where it is not shown */
	bool has_retry_after;                  /* also where it is a date */
	bool rate_limit_exhausted;
	unsigned retry_after_s;   /* 0: the provider does not ask for patience */
	unsigned reset_s;         /* until an exhausted rate limit is reset; 0: the provider does not say */
	unsigned interval_s;      /* between polls from now on, as GitHub says it with slow_down; 0: it does not say */
	const char *unusable;     /* GRANT_GRANTED, and why the token cannot be used; NULL: it can */
	struct oauth_grant grant; /* GRANT_GRANTED */
};

/* Asks, with other credentials where the provider refuses the client (an authorization code is not spent by that). */
struct token_reply token_endpoint_ask(
	struct engine *engine, struct provider *provider, const struct token_question *question, struct arena *arena);

/* What an answer says: token_answer.c. */
struct token_reply token_answer_read(
	const struct provider *provider, const struct http_answer *answer, struct arena *arena);

/* --- how our client says who it is, also at the revocation endpoint ---------------------------------------------- */

enum credential_style {
	CREDENTIALS_BASIC,     /* RFC 6749 section 2.3.1 */
	CREDENTIALS_FORM,      /* client_id and client_secret as parameters */
	CREDENTIALS_PUBLIC,    /* client_id alone: there is no secret */
	CREDENTIALS_ASSERTION, /* azure-devops: client_assertion is the secret */
	CREDENTIALS_BEARER,    /* jfrog: the secret as bearer token */
};

struct credentials {
	enum credential_style style;
	struct secret secret;
	bool names_client; /* client_id stands in the form, also where a header says who we are */
};

/* Two styles with two secrets each. */
#define CREDENTIALS_MAX 4

/* The tries in their order: what is remembered, else Basic, before the other, CLIENT_SECRET before CLIENT_SECRET_2. */
size_t credentials_list(const struct provider *provider, struct credentials ret_list[CREDENTIALS_MAX]);

/* The same for the device flow. Its requests have client_id in the form (RFC 8628 sections 3.1 and 3.4), and GitHub,
 * which looks for nothing else there, is not sent the secret. */
size_t credentials_list_device(const struct provider *provider, struct credentials ret_list[CREDENTIALS_MAX]);

/* A POST of the form with these credentials. */
struct http_request credentials_request(const struct provider *provider, const struct credentials *credentials,
	const char *url, const char *form, struct arena *arena);

/* Which style a provider took or refused is remembered for the next time. */
void credentials_remember(struct provider *provider, enum credential_style style);
void credentials_forget(struct provider *provider);

/* `Basic …` of client id and secret. */
struct secret credentials_basic(const struct provider *provider, struct secret secret, struct arena *arena);

#endif
