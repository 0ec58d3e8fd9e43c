/* SPDX-License-Identifier: Apache-2.0 */
/* What one provider is told to do: its switches and, per endpoint, its fault. Both are tables of settings that
 * drive parsing, the control API's answers and --help. A set of switches never changes once it is published:
 * requests keep the one they began with, and a change publishes another. */
#ifndef PROVIDER_SWITCHES_H
#define PROVIDER_SWITCHES_H

#include "provider_text.h"

#include <stdatomic.h>
#include <stdio.h>

/* What faults and gates can be put on; the words are in endpoint_words. */
enum endpoint {
	ENDPOINT_AUTHORIZE,
	ENDPOINT_TOKEN,
	ENDPOINT_VALIDATE,
	ENDPOINT_REVOKE,
	ENDPOINT_DEVICE,
	ENDPOINT_INSTALLATIONS,
	ENDPOINT_DISCOVERY,
	ENDPOINT_VERIFY,
	ENDPOINT_COUNT,
};

enum client_auth {
	CLIENT_AUTH_ANY,
	CLIENT_AUTH_BASIC,
	CLIENT_AUTH_POST,
	CLIENT_AUTH_BEARER,
	CLIENT_AUTH_ASSERTION,
	CLIENT_AUTH_NONE,
};
enum pkce_rule { PKCE_OPTIONAL, PKCE_REQUIRED, PKCE_IGNORED };
enum authorize_fault {
	AUTHORIZE_FAULT_NONE,
	AUTHORIZE_ACCESS_DENIED,
	AUTHORIZE_WRONG_STATE,
	AUTHORIZE_NO_STATE,
	AUTHORIZE_WRONG_ISS,
	AUTHORIZE_NO_CODE,
};
enum token_answer {
	TOKEN_ANSWER_JSON,
	TOKEN_ANSWER_FORM,
	TOKEN_ANSWER_NEGOTIATE,
	TOKEN_ANSWER_SLACK,
	TOKEN_ANSWER_NO_TOKEN,
	TOKEN_ANSWER_HTML,
	TOKEN_ANSWER_EMPTY,
};
enum device_answer { DEVICE_ANSWER_JSON, DEVICE_ANSWER_FORM, DEVICE_ANSWER_NEGOTIATE };
enum error_style { ERROR_STYLE_OAUTH, ERROR_STYLE_GITHUB };
enum expires_form { EXPIRES_NUMBER, EXPIRES_STRING, EXPIRES_ABSENT };
enum cut { CUT_NONE, CUT_BEFORE_HEADERS, CUT_MID_BODY };
enum commit { COMMIT_AUTO, COMMIT_YES, COMMIT_NO };

/* A fault of one endpoint; texts and objects belong to the switches around it. */
struct fault {
	bool present;
	long status;
	const char *body;
	const cJSON *headers;
	const char *error;
	long delay_ms;
	long times;
	long skip;
	enum cut cut;
	bool black_hole;
	const char *redirect;
	long body_bytes;
	const char *content_type;
	long trickle_ms;
	long lag_ms;
	enum commit commit;
};

struct switches {
	atomic_int holders;
	cJSON *document; /* what was set, as it was set; owns every text and object below */
	const char *client_id;
	const char *client_secret;
	const char *client_secret_2;
	enum client_auth client_auth;
	const char *redirect_uri;
	const char *login;
	const char *scope;
	bool consent;
	enum pkce_rule pkce;
	enum authorize_fault authorize_fault;
	bool authorize_iss;
	long code_expires_in;
	enum token_answer token_answer;
	enum error_style error_style;
	const cJSON *token_extra;
	long expires_in;
	enum expires_form expires_in_form;
	bool refresh_token;
	bool rotate;
	bool reuse_revokes;
	long installations;
	bool wrong_issuer;
	long device_expires_in;
	long device_interval;
	bool device_interval_sent;
	bool device_enforce_interval;
	bool device_secret;
	enum device_answer device_answer;
	struct fault faults[ENDPOINT_COUNT];
};

/* Why a change of switches was refused, in a sentence that names the switch. */
struct refusal {
	char why[256];
};

extern const char *const endpoint_words[ENDPOINT_COUNT];
extern const char *const client_auth_words[];

/* False when the word names no endpoint. */
bool endpoint_from_word(const char *word, enum endpoint *ret_endpoint);

/* The switches of a provider that behaves. The caller holds them. */
struct switches *switches_make_default(void);
/* The switches that `now` becomes with `change` (a JSON object) merged in; null puts a switch back to its default,
 * and a fault replaces the whole fault of its endpoint. NULL and a refusal for what is not a switch or not a value of
 * it. */
struct switches *switches_merge(const struct switches *now, const cJSON *change, struct refusal *refusal);
void switches_hold(struct switches *switches);
/* Lets go; the last holder's letting go frees. */
void switches_drop(struct switches *switches);
/* Every switch with its value, the faults that are set included. The caller frees it. */
cJSON *switches_to_json(const struct switches *switches);
/* Whether the fault makes up an answer of its own instead of changing the manners of the true one. */
bool fault_replaces_answer(const struct fault *fault);
/* Whether the provider carries out a request that this fault befalls. */
bool fault_commits(const struct fault *fault);
/* Two lists for --help: name, default, what is allowed and what it does, one line each. */
void switches_print_help(FILE *file);

#endif
