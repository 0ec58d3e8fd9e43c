/* SPDX-License-Identifier: Apache-2.0 */
/* The book of everything a provider has issued: a hash table of credentials, grouped in families; see
 * provider_ledger.h. One lock, held for the few steps of one operation. */
#include "provider_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKET_COUNT = 256 };

/* RFC 8628 section 3.5: slow_down adds five seconds for this and all later polls. */
enum { SLOW_DOWN_MS = 5000 };

enum device_state { DEVICE_PENDING, DEVICE_APPROVED, DEVICE_DENIED };

/* What one authorization led to. */
struct family {
	struct family *next;
	unsigned era;
	bool revoked;
	char login[LOGIN_SIZE];
	char scope[SCOPE_SIZE];
};

struct device {
	char user_code[SECRET_SIZE];
	enum device_state state;
	long interval_ms;
	long polled_ms;
};

struct credential {
	struct credential *next;
	struct family *family;
	enum credential_kind kind;
	char value[SECRET_SIZE];
	long issued_ms;
	long expires_ms; /* 0: never */
	bool spent;      /* used up, or revoked by itself */
	bool used;       /* used up: coming again is a re-use */
	int in_flight;
	char *redirect_uri; /* of a code; NULL: none was named */
	char *challenge;
	struct device *device;
};

static const struct {
	const char *word;
	const char *prefix;
} kinds[] = {
	[CREDENTIAL_ACCESS] = {"access_token", "demo_at_"},
	[CREDENTIAL_REFRESH] = {"refresh_token", "demo_rt_"},
	[CREDENTIAL_CODE] = {"code", "demo_code_"},
	[CREDENTIAL_DEVICE] = {"device_code", "demo_dc_"},
};

/* FNV-1a; the keys are random, and an attacker who chooses them only slows a test down. */
static size_t value_hash(const char *value)
{
	unsigned long hash = 14695981039346656037UL;
	for (; *value; value++)
		hash = (hash ^ (unsigned char)*value) * 1099511628211UL;
	return hash;
}

static void bucket_put(struct ledger *ledger, struct credential *credential)
{
	struct credential **bucket = &ledger->buckets[value_hash(credential->value) % ledger->bucket_count];
	credential->next = *bucket;
	*bucket = credential;
}

static void ledger_grow(struct ledger *ledger)
{
	struct credential **old = ledger->buckets;
	size_t old_count = ledger->bucket_count;
	ledger->bucket_count = old_count ? old_count * 2 : FIRST_BUCKET_COUNT;
	ledger->buckets = memory_take(ledger->bucket_count * sizeof(struct credential *));
	for (size_t i = 0; i < old_count; i++) {
		for (struct credential *each = old[i], *next; each; each = next) {
			next = each->next;
			bucket_put(ledger, each);
		}
	}
	free(old);
}

static struct credential *ledger_find(const struct ledger *ledger, const char *value)
{
	struct credential *each = ledger->buckets[value_hash(value) % ledger->bucket_count];
	while (each && strcmp(each->value, value) != 0)
		each = each->next;
	return each && each->family->era == ledger->era ? each : NULL;
}

static struct credential *ledger_find_kind(const struct ledger *ledger, const char *value, enum credential_kind kind)
{
	struct credential *found = ledger_find(ledger, value);
	return found && found->kind == kind ? found : NULL;
}

static struct family *family_make(struct ledger *ledger, const struct grant *grant)
{
	struct family *family = memory_take(sizeof(*family));
	family->next = ledger->families;
	family->era = ledger->era;
	snprintf(family->login, sizeof(family->login), "%s", grant->login ? grant->login : "");
	snprintf(family->scope, sizeof(family->scope), "%s", grant->scope ? grant->scope : "");
	ledger->families = family;
	return family;
}

/* Lives `life_s` seconds; 0 for ever, below 0 not at all. */
static struct credential *credential_make(
	struct ledger *ledger, struct family *family, enum credential_kind kind, long life_s)
{
	if (ledger->credential_count >= ledger->bucket_count)
		ledger_grow(ledger);
	struct credential *credential = memory_take(sizeof(*credential));
	secret_make(kinds[kind].prefix, credential->value);
	credential->family = family;
	credential->kind = kind;
	credential->issued_ms = clock_steady_ms();
	credential->expires_ms = life_s ? credential->issued_ms + life_s * 1000 : 0;
	bucket_put(ledger, credential);
	ledger->credential_count++;
	return credential;
}

static bool credential_expired(const struct credential *credential)
{
	return credential->expires_ms != 0 && clock_steady_ms() >= credential->expires_ms;
}

static bool credential_is_live(const struct ledger *ledger, const struct credential *credential)
{
	return credential->family->era == ledger->era && !credential->spent && !credential->family->revoked &&
	       !credential_expired(credential);
}

static void credential_use_up(struct credential *credential)
{
	credential->spent = true;
	credential->used = true;
}

void ledger_make(struct ledger *ledger)
{
	pthread_mutex_init(&ledger->lock, NULL);
	ledger_grow(ledger);
}

void ledger_begin_era(struct ledger *ledger)
{
	pthread_mutex_lock(&ledger->lock);
	ledger->era++;
	pthread_mutex_unlock(&ledger->lock);
}

void ledger_issue_code(struct ledger *ledger, const struct grant *grant, char ret_code[SECRET_SIZE])
{
	pthread_mutex_lock(&ledger->lock);
	struct credential *code = credential_make(
		ledger, family_make(ledger, grant), CREDENTIAL_CODE, grant->life_s ? grant->life_s : -1);
	code->redirect_uri = grant->redirect_uri ? memory_copy(grant->redirect_uri) : NULL;
	code->challenge = grant->challenge ? memory_copy(grant->challenge) : NULL;
	memcpy(ret_code, code->value, SECRET_SIZE);
	pthread_mutex_unlock(&ledger->lock);
}

/* A verifier without a challenge is refused too: it tells that somebody took the challenge away (RFC 9700 2.1.1). */
static bool verifier_fits(const struct credential *code, const char *verifier)
{
	if (!code->challenge || !verifier)
		return !code->challenge && !verifier;
	return pkce_verify(verifier, code->challenge);
}

static enum redemption credential_judge(const struct credential *credential)
{
	if (!credential)
		return REFUSED_UNKNOWN;
	if (credential->used)
		return REFUSED_REUSED;
	if (credential->spent || credential->family->revoked)
		return REFUSED_REVOKED;
	return credential_expired(credential) ? REFUSED_EXPIRED : REDEEMED;
}

static enum redemption code_judge(const struct credential *code, const struct code_claim *claim)
{
	enum redemption outcome = credential_judge(code);
	if (outcome != REDEEMED)
		return outcome;
	if (code->redirect_uri && (!claim->redirect_uri || strcmp(claim->redirect_uri, code->redirect_uri) != 0))
		return REFUSED_REDIRECT_URI;
	return claim->check_pkce && !verifier_fits(code, claim->verifier) ? REFUSED_VERIFIER : REDEEMED;
}

enum redemption ledger_redeem_code(struct ledger *ledger, const struct code_claim *claim, struct family **ret_family)
{
	pthread_mutex_lock(&ledger->lock);
	struct credential *found = ledger_find_kind(ledger, claim->code, CREDENTIAL_CODE);
	enum redemption outcome = code_judge(found, claim);
	if (outcome == REFUSED_REUSED)
		found->family->revoked = true;
	if (outcome == REDEEMED) {
		credential_use_up(found);
		*ret_family = found->family;
	}
	pthread_mutex_unlock(&ledger->lock);
	return outcome;
}

static void tokens_make(
	struct ledger *ledger, struct family *family, const struct token_rules *rules, struct token_pair *ret_pair)
{
	*ret_pair = (struct token_pair){0};
	const struct credential *access = credential_make(ledger, family, CREDENTIAL_ACCESS, rules->expires_in_s);
	memcpy(ret_pair->access, access->value, SECRET_SIZE);
	if (rules->with_refresh) {
		const struct credential *refresh = credential_make(ledger, family, CREDENTIAL_REFRESH, 0);
		memcpy(ret_pair->refresh, refresh->value, SECRET_SIZE);
	}
	memcpy(ret_pair->scope, family->scope, SCOPE_SIZE);
	memcpy(ret_pair->login, family->login, LOGIN_SIZE);
}

void ledger_issue_tokens(
	struct ledger *ledger, struct family *family, const struct token_rules *rules, struct token_pair *ret_pair)
{
	pthread_mutex_lock(&ledger->lock);
	tokens_make(ledger, family, rules, ret_pair);
	pthread_mutex_unlock(&ledger->lock);
}

void ledger_mint_tokens(
	struct ledger *ledger, const struct grant *grant, const struct token_rules *rules, struct token_pair *ret_pair)
{
	pthread_mutex_lock(&ledger->lock);
	tokens_make(ledger, family_make(ledger, grant), rules, ret_pair);
	pthread_mutex_unlock(&ledger->lock);
}

enum redemption ledger_redeem_refresh(
	struct ledger *ledger, const char *refresh, bool rotate, bool reuse_revokes, struct family **ret_family)
{
	pthread_mutex_lock(&ledger->lock);
	struct credential *found = ledger_find_kind(ledger, refresh, CREDENTIAL_REFRESH);
	enum redemption outcome = credential_judge(found);
	if (outcome == REFUSED_REUSED && reuse_revokes)
		found->family->revoked = true;
	if (outcome == REDEEMED) {
		if (rotate)
			credential_use_up(found);
		*ret_family = found->family;
	}
	pthread_mutex_unlock(&ledger->lock);
	return outcome;
}

int ledger_count_refresh(struct ledger *ledger, const char *refresh, int step)
{
	int in_flight = 0;
	pthread_mutex_lock(&ledger->lock);
	struct credential *found = ledger_find_kind(ledger, refresh, CREDENTIAL_REFRESH);
	if (found) {
		found->in_flight += step;
		in_flight = found->in_flight;
	}
	pthread_mutex_unlock(&ledger->lock);
	return in_flight;
}

void ledger_examine_access(struct ledger *ledger, const char *access, struct access_facts *ret_facts)
{
	*ret_facts = (struct access_facts){0};
	long now_ms = clock_steady_ms();
	pthread_mutex_lock(&ledger->lock);
	const struct credential *found = ledger_find_kind(ledger, access, CREDENTIAL_ACCESS);
	if (found) {
		ret_facts->live = credential_is_live(ledger, found);
		ret_facts->age_ms = now_ms - found->issued_ms;
		ret_facts->expires_in_s = found->expires_ms ? (found->expires_ms - now_ms) / 1000 : 0;
		memcpy(ret_facts->login, found->family->login, LOGIN_SIZE);
		memcpy(ret_facts->scope, found->family->scope, SCOPE_SIZE);
	}
	pthread_mutex_unlock(&ledger->lock);
}

bool ledger_revoke(struct ledger *ledger, const char *token, bool whole_family)
{
	pthread_mutex_lock(&ledger->lock);
	struct credential *found = ledger_find(ledger, token);
	if (found) {
		found->spent = true;
		found->family->revoked |= whole_family;
	}
	pthread_mutex_unlock(&ledger->lock);
	return found != NULL;
}

unsigned ledger_revoke_login(struct ledger *ledger, const char *login)
{
	unsigned revoked = 0;
	pthread_mutex_lock(&ledger->lock);
	for (struct family *family = ledger->families; family; family = family->next) {
		if (family->era != ledger->era || family->revoked || (login && strcmp(family->login, login) != 0))
			continue;
		family->revoked = true;
		revoked++;
	}
	pthread_mutex_unlock(&ledger->lock);
	return revoked;
}

void ledger_issue_device(struct ledger *ledger, const struct grant *grant, long interval_s,
	char ret_device_code[SECRET_SIZE], char ret_user_code[SECRET_SIZE])
{
	struct device *device = memory_take(sizeof(*device));
	user_code_make(device->user_code);
	device->interval_ms = interval_s * 1000;
	memcpy(ret_user_code, device->user_code, SECRET_SIZE);
	pthread_mutex_lock(&ledger->lock);
	struct credential *code = credential_make(
		ledger, family_make(ledger, grant), CREDENTIAL_DEVICE, grant->life_s ? grant->life_s : -1);
	code->device = device;
	memcpy(ret_device_code, code->value, SECRET_SIZE);
	pthread_mutex_unlock(&ledger->lock);
}

static struct credential *device_find(const struct ledger *ledger, const char *user_code)
{
	for (size_t i = 0; i < ledger->bucket_count; i++) {
		for (struct credential *each = ledger->buckets[i]; each; each = each->next) {
			if (each->device && each->family->era == ledger->era &&
				strcmp(each->device->user_code, user_code) == 0)
				return each;
		}
	}
	return NULL;
}

bool ledger_decide_device(struct ledger *ledger, const char *user_code, bool approve, const char *login)
{
	pthread_mutex_lock(&ledger->lock);
	struct credential *found = device_find(ledger, user_code);
	bool decided = found && found->device->state == DEVICE_PENDING && !credential_expired(found);
	if (decided) {
		found->device->state = approve ? DEVICE_APPROVED : DEVICE_DENIED;
		snprintf(found->family->login, LOGIN_SIZE, "%s", login);
	}
	pthread_mutex_unlock(&ledger->lock);
	return decided;
}

static enum redemption device_poll(struct credential *code, bool enforce_interval)
{
	enum redemption outcome = credential_judge(code);
	if (outcome != REDEEMED)
		return outcome;
	struct device *device = code->device;
	long now_ms = clock_steady_ms();
	bool too_fast = enforce_interval && device->polled_ms && now_ms - device->polled_ms < device->interval_ms;
	device->polled_ms = now_ms;
	if (too_fast) {
		device->interval_ms += SLOW_DOWN_MS;
		return REFUSED_TOO_FAST;
	}
	switch (device->state) {
	case DEVICE_PENDING:
		return REFUSED_PENDING;
	case DEVICE_DENIED:
		return REFUSED_DENIED;
	case DEVICE_APPROVED:
		return REDEEMED;
	}
	return REFUSED_PENDING;
}

enum redemption ledger_redeem_device(
	struct ledger *ledger, const char *device_code, bool enforce_interval, struct family **ret_family)
{
	pthread_mutex_lock(&ledger->lock);
	struct credential *found = ledger_find_kind(ledger, device_code, CREDENTIAL_DEVICE);
	enum redemption outcome = device_poll(found, enforce_interval);
	if (outcome == REDEEMED) {
		credential_use_up(found);
		*ret_family = found->family;
	}
	pthread_mutex_unlock(&ledger->lock);
	return outcome;
}

void ledger_list(struct ledger *ledger, const char *provider, cJSON *array)
{
	char fingerprint[FINGERPRINT_SIZE];
	pthread_mutex_lock(&ledger->lock);
	for (size_t i = 0; i < ledger->bucket_count; i++) {
		for (const struct credential *each = ledger->buckets[i]; each; each = each->next) {
			cJSON *object = cJSON_CreateObject();
			secret_fingerprint(each->value, fingerprint);
			cJSON_AddStringToObject(object, "provider", provider);
			cJSON_AddStringToObject(object, "kind", kinds[each->kind].word);
			cJSON_AddStringToObject(object, "value", each->value);
			cJSON_AddStringToObject(object, "fingerprint", fingerprint);
			cJSON_AddStringToObject(object, "login", each->family->login);
			cJSON_AddBoolToObject(object, "live", credential_is_live(ledger, each));
			cJSON_AddItemToArray(array, object);
		}
	}
	pthread_mutex_unlock(&ledger->lock);
}
