/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of switches and fault fields, and the code that walks them; see provider_switches.h. A row knows where
 * its value lives in the struct, so parsing, showing and explaining need no second list. */
#include "provider_switches.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum setting_type { SETTING_FLAG, SETTING_NUMBER, SETTING_TEXT, SETTING_WORD, SETTING_OBJECT };

struct setting {
	const char *name;
	enum setting_type type;
	size_t offset;
	const char *const *words; /* of SETTING_WORD, ended by NULL; the index is the enum's value */
	long max;                 /* of SETTING_NUMBER; the least is 0 */
	const char *help;
};

/* Words are stored through an unsigned, whatever enum stands there. */
_Static_assert(sizeof(enum client_auth) == sizeof(unsigned), "enums have the size of unsigned here");

const char *const endpoint_words[ENDPOINT_COUNT] = {
	[ENDPOINT_AUTHORIZE] = "authorize",
	[ENDPOINT_TOKEN] = "token",
	[ENDPOINT_VALIDATE] = "validate",
	[ENDPOINT_REVOKE] = "revoke",
	[ENDPOINT_DEVICE] = "device",
	[ENDPOINT_INSTALLATIONS] = "installations",
	[ENDPOINT_DISCOVERY] = "discovery",
	[ENDPOINT_VERIFY] = "verify",
};

const char *const client_auth_words[] = {"any", "basic", "post", "bearer", "assertion", "none", NULL};
static const char *const pkce_words[] = {"optional", "required", "ignored", NULL};
static const char *const authorize_fault_words[] = {
	"none", "access_denied", "wrong_state", "no_state", "wrong_iss", "no_code", NULL};
static const char *const token_answer_words[] = {
	"json", "form", "negotiate", "slack", "no_token", "html", "empty", NULL};
static const char *const device_answer_words[] = {"json", "form", "negotiate", NULL};
static const char *const error_style_words[] = {"oauth", "github", NULL};
static const char *const expires_form_words[] = {"number", "string", "absent", NULL};
static const char *const cut_words[] = {"none", "before_headers", "mid_body", NULL};
static const char *const commit_words[] = {"auto", "yes", "no", NULL};

/* A day in milliseconds and ten years in seconds: nobody tests with more, and sums stay far from overflow. */
enum { DELAY_MAX_MS = 86400000, LIFE_MAX_S = 315360000, COUNT_MAX = 1000000, BODY_MAX_BYTES = 1 << 30 };

#define FLAG(field, help)                                                                                              \
	{                                                                                                              \
#field, SETTING_FLAG, offsetof(struct OF, field), NULL, 0, help                                        \
	}
#define NUMBER(field, max, help)                                                                                       \
	{                                                                                                              \
#field, SETTING_NUMBER, offsetof(struct OF, field), NULL, max, help                                    \
	}
#define TEXT(field, help)                                                                                              \
	{                                                                                                              \
#field, SETTING_TEXT, offsetof(struct OF, field), NULL, 0, help                                        \
	}
#define WORD(field, words, help)                                                                                       \
	{                                                                                                              \
#field, SETTING_WORD, offsetof(struct OF, field), words, 0, help                                       \
	}
#define OBJECT(field, help)                                                                                            \
	{                                                                                                              \
#field, SETTING_OBJECT, offsetof(struct OF, field), NULL, 0, help                                      \
	}

#define OF switches
static const struct setting switch_table[] = {
	TEXT(client_id, "the one client this provider knows"),
	TEXT(client_secret, "its secret"),
	TEXT(client_secret_2, "a second secret that is accepted too (rotation of secrets)"),
	WORD(client_auth, client_auth_words, "the only way a client may authenticate at the token endpoint"),
	TEXT(redirect_uri, "the one registered redirect URI; unset: every http or https URL will do"),
	TEXT(login, "the account that approves when the request has no ?login="),
	TEXT(scope, "the scope granted, whatever was asked; unset: what was asked"),
	FLAG(consent, "authorize shows a page with approve and deny instead of approving"),
	WORD(pkce, pkce_words, "whether a code_challenge (S256) must be there, may be, or is not looked at"),
	WORD(authorize_fault, authorize_fault_words, "what goes wrong on the way back to the redirect URI"),
	FLAG(authorize_iss, "the way back carries iss (RFC 9207)"),
	NUMBER(code_expires_in, LIFE_MAX_S, "seconds an authorization code lives"),
	WORD(token_answer, token_answer_words, "shape of a granted token; negotiate: form unless JSON is asked for"),
	WORD(error_style, error_style_words, "github: errors with status 200 and GitHub's own codes"),
	OBJECT(token_extra, "members added to each token answer"),
	NUMBER(expires_in, LIFE_MAX_S, "seconds an access token lives; 0: for ever"),
	WORD(expires_in_form, expires_form_words, "how expires_in is told"),
	FLAG(refresh_token, "a refresh token comes with each access token"),
	FLAG(rotate, "a refresh uses up its refresh token and answers another"),
	FLAG(reuse_revokes, "a used-up refresh token that comes again kills all tokens of that authorization"),
	NUMBER(installations, COUNT_MAX / 1000, "how many app installations are listed"),
	FLAG(wrong_issuer, "discovery names an issuer that is not this provider"),
	NUMBER(device_expires_in, LIFE_MAX_S, "seconds a device code lives"),
	NUMBER(device_interval, LIFE_MAX_S, "seconds between two polls"),
	FLAG(device_interval_sent, "the device answer tells the interval"),
	FLAG(device_enforce_interval, "polling faster gets slow_down and 5 seconds more"),
	FLAG(device_secret, "the client must authenticate to get a device code and to poll"),
	WORD(device_answer, device_answer_words, "shape of a device code; negotiate: form unless JSON is asked for"),
};
#undef OF

#define OF fault
static const struct setting fault_table[] = {
	NUMBER(status, 599, "answer with this status instead"),
	TEXT(body, "answer with this body instead"),
	OBJECT(headers, "header fields added to the answer, such as Retry-After"),
	TEXT(error, "answer with this OAuth error code instead"),
	NUMBER(delay_ms, DELAY_MAX_MS, "wait before doing anything"),
	NUMBER(times, COUNT_MAX, "befalls so many requests, then behaves; unset: always"),
	NUMBER(skip, COUNT_MAX, "spares so many requests first"),
	WORD(cut, cut_words, "close the connection where it hurts"),
	FLAG(black_hole, "never answer, until the endpoint's gate is opened or 120 s are over"),
	TEXT(redirect, "answer with this Location (status 302, or the one given)"),
	NUMBER(body_bytes, BODY_MAX_BYTES, "answer with a JSON body of so many bytes instead"),
	TEXT(content_type, "label the answer with this type"),
	NUMBER(trickle_ms, DELAY_MAX_MS, "send the body byte by byte, this far apart"),
	NUMBER(lag_ms, DELAY_MAX_MS, "validate: a token issued less than this ago gets 401 (lagging replicas)"),
	WORD(commit, commit_words, "carry the request out; auto: unless the fault makes up the answer"),
};
#undef OF

static const struct switches defaults = {
	.client_id = "gatehouse-demo",
	.client_secret = "gatehouse-demo-secret",
	.login = "alice",
	.code_expires_in = 600,
	.expires_in = 3600,
	.refresh_token = true,
	.rotate = true,
	.reuse_revokes = true,
	.installations = 1,
	.device_expires_in = 900,
	.device_interval = 5,
	.device_interval_sent = true,
	.device_enforce_interval = true,
};
static const struct fault fault_defaults = {.present = true};

__attribute__((format(printf, 2, 3))) static bool refuse(struct refusal *refusal, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(refusal->why, sizeof(refusal->why), format, arguments);
	va_end(arguments);
	return false;
}

static bool word_find(const char *const *words, const char *word, unsigned *ret_index)
{
	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(words[i], word) == 0) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

bool endpoint_from_word(const char *word, enum endpoint *ret_endpoint)
{
	for (enum endpoint i = 0; i < ENDPOINT_COUNT; i++) {
		if (strcmp(endpoint_words[i], word) == 0) {
			*ret_endpoint = i;
			return true;
		}
	}
	return false;
}

static const struct setting *setting_find(const struct setting *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	}
	return NULL;
}

/* Says what a setting takes, for refusals and for --help. */
static void setting_describe(const struct setting *setting, struct text *text)
{
	switch (setting->type) {
	case SETTING_FLAG:
		text_add(text, "true|false");
		break;
	case SETTING_NUMBER:
		text_add_format(text, "0..%ld", setting->max);
		break;
	case SETTING_TEXT:
		text_add(text, "text");
		break;
	case SETTING_OBJECT:
		text_add(text, "object");
		break;
	case SETTING_WORD:
		for (const char *const *word = setting->words; *word; word++)
			text_add_format(text, "%s%s", word == setting->words ? "" : "|", *word);
		break;
	}
}

static bool number_read(const cJSON *value, long max, long *ret_number)
{
	if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0) || value->valuedouble > (double)max)
		return false;
	*ret_number = (long)value->valuedouble;
	return (double)*ret_number >= value->valuedouble;
}

/* Stores a lawful value at its place in `target`; copying by bytes keeps the table free of pointer casts. */
static bool setting_store(const struct setting *setting, const cJSON *value, void *target)
{
	char *place = (char *)target + setting->offset;
	switch (setting->type) {
	case SETTING_FLAG: {
		bool flag = cJSON_IsTrue(value);
		memcpy(place, &flag, sizeof(flag));
		return cJSON_IsBool(value);
	}
	case SETTING_NUMBER: {
		long number = 0;
		bool lawful = number_read(value, setting->max, &number);
		memcpy(place, &number, sizeof(number));
		return lawful;
	}
	case SETTING_TEXT:
		memcpy(place, &value->valuestring, sizeof(value->valuestring));
		return cJSON_IsString(value);
	case SETTING_OBJECT:
		memcpy(place, &value, sizeof(value));
		return cJSON_IsObject(value);
	case SETTING_WORD: {
		unsigned index = 0;
		bool lawful = cJSON_IsString(value) && word_find(setting->words, value->valuestring, &index);
		memcpy(place, &index, sizeof(index));
		return lawful;
	}
	}
	return false;
}

static bool setting_read(const struct setting *setting, const cJSON *value, void *target, struct refusal *refusal)
{
	if (setting_store(setting, value, target))
		return true;
	SCOPED(text_release) struct text allowed = {0};
	setting_describe(setting, &allowed);
	return refuse(refusal, "%s takes %s", setting->name, allowed.bytes);
}

static void setting_show(const struct setting *setting, const void *source, cJSON *object)
{
	const char *place = (const char *)source + setting->offset;
	bool flag;
	long number;
	unsigned index;
	const char *text;
	const cJSON *json;
	switch (setting->type) {
	case SETTING_FLAG:
		memcpy(&flag, place, sizeof(flag));
		cJSON_AddBoolToObject(object, setting->name, flag);
		break;
	case SETTING_NUMBER:
		memcpy(&number, place, sizeof(number));
		cJSON_AddNumberToObject(object, setting->name, (double)number);
		break;
	case SETTING_TEXT:
		memcpy(&text, place, sizeof(text));
		cJSON_AddItemToObject(object, setting->name, text ? cJSON_CreateString(text) : cJSON_CreateNull());
		break;
	case SETTING_WORD:
		memcpy(&index, place, sizeof(index));
		cJSON_AddStringToObject(object, setting->name, setting->words[index]);
		break;
	case SETTING_OBJECT:
		memcpy(&json, place, sizeof(json));
		cJSON_AddItemToObject(object, setting->name, json ? cJSON_Duplicate(json, 1) : cJSON_CreateNull());
		break;
	}
}

static bool headers_are_texts(const cJSON *headers, struct refusal *refusal)
{
	const cJSON *header;
	cJSON_ArrayForEach(header, headers)
	{
		if (!cJSON_IsString(header) || strpbrk(header->valuestring, "\r\n") ||
			strpbrk(header->string, "\r\n: "))
			return refuse(refusal, "headers takes names with texts of one line");
	}
	return true;
}

static bool fault_read(const cJSON *document, struct fault *fault, struct refusal *refusal)
{
	*fault = fault_defaults;
	if (!cJSON_IsObject(document))
		return refuse(refusal, "a fault is an object, or null for none");
	const cJSON *value;
	cJSON_ArrayForEach(value, document)
	{
		const struct setting *setting = setting_find(fault_table, COUNT_OF(fault_table), value->string);
		if (!setting)
			return refuse(refusal, "unknown fault field: %.100s", value->string);
		if (!setting_read(setting, value, fault, refusal))
			return false;
	}
	if (fault->status != 0 && fault->status < 200)
		return refuse(refusal, "status takes 200..599");
	return headers_are_texts(fault->headers, refusal);
}

static bool faults_read(const cJSON *document, struct switches *switches, struct refusal *refusal)
{
	const cJSON *value;
	cJSON_ArrayForEach(value, document)
	{
		enum endpoint endpoint;
		if (!endpoint_from_word(value->string, &endpoint))
			return refuse(refusal, "faults: unknown endpoint: %.100s", value->string);
		if (!fault_read(value, &switches->faults[endpoint], refusal))
			return false;
	}
	return true;
}

static bool switches_read(struct switches *switches, struct refusal *refusal)
{
	const cJSON *value;
	cJSON_ArrayForEach(value, switches->document)
	{
		if (strcmp(value->string, "faults") == 0) {
			if (!faults_read(value, switches, refusal))
				return false;
			continue;
		}
		const struct setting *setting = setting_find(switch_table, COUNT_OF(switch_table), value->string);
		if (!setting)
			return refuse(refusal, "unknown switch: %.100s", value->string);
		if (!setting_read(setting, value, switches, refusal))
			return false;
	}
	return true;
}

/* Puts each member of `change` over its namesake in `document`; null takes the namesake away. */
static void members_merge(cJSON *document, const cJSON *change)
{
	const cJSON *value;
	cJSON_ArrayForEach(value, change)
	{
		cJSON_DeleteItemFromObjectCaseSensitive(document, value->string);
		if (!cJSON_IsNull(value))
			cJSON_AddItemToObject(document, value->string, cJSON_Duplicate(value, 1));
	}
}

/* As members_merge, but the faults of endpoints that `change` does not name stay. */
static void document_merge(cJSON *document, const cJSON *change)
{
	cJSON *kept = cJSON_DetachItemFromObjectCaseSensitive(document, "faults");
	const cJSON *faults = cJSON_GetObjectItemCaseSensitive(change, "faults");
	members_merge(document, change);
	if (kept && faults && !cJSON_IsObject(faults)) {
		cJSON_Delete(kept);
		return;
	}
	if (!kept)
		kept = cJSON_CreateObject();
	members_merge(kept, faults);
	cJSON_DeleteItemFromObjectCaseSensitive(document, "faults");
	cJSON_AddItemToObject(document, "faults", kept);
}

static bool change_is_known(const cJSON *change, struct refusal *refusal)
{
	const cJSON *value;
	if (!cJSON_IsObject(change))
		return refuse(refusal, "switches are a JSON object");
	cJSON_ArrayForEach(value, change)
	{
		bool is_faults = strcmp(value->string, "faults") == 0;
		if (is_faults && !cJSON_IsObject(value) && !cJSON_IsNull(value))
			return refuse(refusal, "faults is an object of endpoints");
		if (!is_faults && !setting_find(switch_table, COUNT_OF(switch_table), value->string))
			return refuse(refusal, "unknown switch: %.100s", value->string);
	}
	return true;
}

static struct switches *switches_allocate(cJSON *document)
{
	struct switches *switches = memory_take(sizeof(*switches));
	memcpy(switches, &defaults, sizeof(*switches));
	atomic_init(&switches->holders, 1);
	switches->document = document;
	return switches;
}

struct switches *switches_make_default(void)
{
	return switches_allocate(cJSON_CreateObject());
}

struct switches *switches_merge(const struct switches *now, const cJSON *change, struct refusal *refusal)
{
	if (!change_is_known(change, refusal))
		return NULL;
	struct switches *merged = switches_allocate(cJSON_Duplicate(now->document, 1));
	document_merge(merged->document, change);
	if (switches_read(merged, refusal))
		return merged;
	switches_drop(merged);
	return NULL;
}

void switches_hold(struct switches *switches)
{
	atomic_fetch_add(&switches->holders, 1);
}

void switches_drop(struct switches *switches)
{
	if (!switches || atomic_fetch_sub(&switches->holders, 1) > 1)
		return;
	cJSON_Delete(switches->document);
	free(switches);
}

cJSON *switches_to_json(const struct switches *switches)
{
	cJSON *object = cJSON_CreateObject();
	for (size_t i = 0; i < COUNT_OF(switch_table); i++)
		setting_show(&switch_table[i], switches, object);
	const cJSON *faults = cJSON_GetObjectItemCaseSensitive(switches->document, "faults");
	cJSON_AddItemToObject(object, "faults", faults ? cJSON_Duplicate(faults, 1) : cJSON_CreateObject());
	return object;
}

bool fault_replaces_answer(const struct fault *fault)
{
	return fault->status || fault->body || fault->error || fault->redirect || fault->body_bytes;
}

bool fault_commits(const struct fault *fault)
{
	switch (fault->commit) {
	case COMMIT_YES:
		return true;
	case COMMIT_NO:
		return false;
	case COMMIT_AUTO:
		return !fault_replaces_answer(fault) && !fault->black_hole;
	}
	return true;
}

static void setting_print_help(FILE *file, const struct setting *setting, const void *default_values)
{
	SCOPED(text_release) struct text allowed = {0};
	SCOPED(text_release) struct text shown = {0};
	SCOPED(json_release) cJSON *values = cJSON_CreateObject();
	setting_describe(setting, &allowed);
	setting_show(setting, default_values, values);
	text_add_json(&shown, values->child);
	fprintf(file, "  %-24s %s\n  %-24s takes %s", setting->name, setting->help, "", allowed.bytes);
	if (strcmp(shown.bytes, "null") != 0)
		fprintf(file, "; default %s", shown.bytes);
	fputc('\n', file);
}

void switches_print_help(FILE *file)
{
	fputs("\nSwitches of a provider (PUT /_control/NAME, or --config):\n", file);
	for (size_t i = 0; i < COUNT_OF(switch_table); i++)
		setting_print_help(file, &switch_table[i], &defaults);
	fputs("  faults                   what befalls the requests of an endpoint: {ENDPOINT: {FIELD: VALUE}}\n",
		file);
	fputs("\nEndpoints (for faults and gates):\n ", file);
	for (enum endpoint i = 0; i < ENDPOINT_COUNT; i++)
		fprintf(file, " %s", endpoint_words[i]);
	fputs("\n\nFields of a fault:\n", file);
	for (size_t i = 0; i < COUNT_OF(fault_table); i++)
		setting_print_help(file, &fault_table[i], &fault_defaults);
}
