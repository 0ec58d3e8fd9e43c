/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider has issued: codes, tokens and device codes, each belonging to the family of one authorization.
 * Nothing is ever thrown away before the process ends, because the search for leaked secrets wants every one of them;
 * a reset moves the ledger to a new era, in which all that was issued before is dead. All functions may be called
 * from any thread; a value goes into and comes out of the ledger as a copy. */
#ifndef PROVIDER_LEDGER_H
#define PROVIDER_LEDGER_H

#include "provider_text.h"

#include <pthread.h>

enum credential_kind { CREDENTIAL_ACCESS, CREDENTIAL_REFRESH, CREDENTIAL_CODE, CREDENTIAL_DEVICE };
enum { LOGIN_SIZE = 64, SCOPE_SIZE = 512 };

struct family;
struct credential;

struct ledger {
	pthread_mutex_t lock;
	struct credential **buckets;
	size_t bucket_count;
	size_t credential_count;
	struct family *families;
	unsigned era;
};

/* An authorization that was given: for whom and what. NULL members are left open. */
struct grant {
	const char *login;
	const char *scope;
	const char *redirect_uri;
	const char *challenge;
	long life_s;
};

/* What a client brings to redeem a code; NULL for what it left out. With `check_pkce` the verifier must fit the
 * challenge, and be absent where there was none. */
struct code_claim {
	const char *code;
	const char *redirect_uri;
	const char *verifier;
	bool check_pkce;
};

struct token_rules {
	long expires_in_s; /* 0: never; below 0: expired at once */
	bool with_refresh;
};

struct token_pair {
	char access[SECRET_SIZE];
	char refresh[SECRET_SIZE]; /* empty: none */
	char scope[SCOPE_SIZE];
	char login[LOGIN_SIZE];
};

/* How the redemption of a code, refresh token or device code went. */
enum redemption {
	REDEEMED,
	REFUSED_UNKNOWN,
	REFUSED_EXPIRED,
	REFUSED_REVOKED,
	REFUSED_REUSED, /* was used up before */
	REFUSED_REDIRECT_URI,
	REFUSED_VERIFIER,
	REFUSED_PENDING,
	REFUSED_TOO_FAST,
	REFUSED_DENIED,
};

struct access_facts {
	bool live;
	long age_ms;
	long expires_in_s; /* 0: never expires */
	char login[LOGIN_SIZE];
	char scope[SCOPE_SIZE];
};

void ledger_make(struct ledger *ledger);
/* Nothing issued before is good any more. */
void ledger_begin_era(struct ledger *ledger);

void ledger_issue_code(struct ledger *ledger, const struct grant *grant, char ret_code[SECRET_SIZE]);
/* Redeems a code once and gives its family; a second time revokes the family (RFC 6749 section 4.1.2). */
enum redemption ledger_redeem_code(struct ledger *ledger, const struct code_claim *claim, struct family **ret_family);

/* Issues tokens for a family that a redemption gave. */
void ledger_issue_tokens(
	struct ledger *ledger, struct family *family, const struct token_rules *rules, struct token_pair *ret_pair);
/* A new family and its tokens at once. */
void ledger_mint_tokens(
	struct ledger *ledger, const struct grant *grant, const struct token_rules *rules, struct token_pair *ret_pair);
/* With `rotate` the refresh token is used up, and coming again it is REFUSED_REUSED, which with `reuse_revokes`
 * revokes its family. */
enum redemption ledger_redeem_refresh(
	struct ledger *ledger, const char *refresh, bool rotate, bool reuse_revokes, struct family **ret_family);
/* Counts requests that carry one refresh token at the same time; answers how many there are now. */
int ledger_count_refresh(struct ledger *ledger, const char *refresh, int step);

void ledger_examine_access(struct ledger *ledger, const char *access, struct access_facts *ret_facts);
/* Makes one token dead, with `whole_family` all of its authorization; false when nobody knows it. */
bool ledger_revoke(struct ledger *ledger, const char *token, bool whole_family);
/* Revokes every family of a login, or all with NULL; answers how many. */
unsigned ledger_revoke_login(struct ledger *ledger, const char *login);

void ledger_issue_device(struct ledger *ledger, const struct grant *grant, long interval_s,
	char ret_device_code[SECRET_SIZE], char ret_user_code[SECRET_SIZE]);
/* Approves (for `login`) or denies; false when no undecided device code has this user code. */
bool ledger_decide_device(struct ledger *ledger, const char *user_code, bool approve, const char *login);
/* RFC 8628 section 3.5; with `enforce_interval` too fast a poll makes the interval 5 s longer. */
enum redemption ledger_redeem_device(
	struct ledger *ledger, const char *device_code, bool enforce_interval, struct family **ret_family);

/* Appends every secret ever issued to an array: kind, value, fingerprint, login, and whether it is still good. */
void ledger_list(struct ledger *ledger, const char *provider, cJSON *array);

#endif
