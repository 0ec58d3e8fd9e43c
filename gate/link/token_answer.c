/* SPDX-License-Identifier: Apache-2.0 */
/* What a token endpoint's answer says (RFC 6749 sections 5.1 and 5.2), as providers really write it: JSON or a form,
 * errors with status 200, lifetimes as numbers or texts, Slack's token of the user inside `authed_user`. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/json.h"
#include "../base/text.h"
#include "token_endpoint.h"

/* A lifetime beyond a century is a provider's way to say "never". */
#define LIFETIME_S_MAX 3155760000

/* Names of one token answer that may be kept. */
#define EXTRA_KEYS_MAX 32

/* RFC 6749 section 7.1: a client must not use a token of a type it does not know. Bearer is every provider's; the
 * others are what the preset's provider calls its bearer tokens. */
static const struct {
	enum provider_type provider;
	const char *word;
} token_types[] = {
	{PROVIDER_AZURE_DEVOPS, "jwt-bearer"},
	{PROVIDER_SLACK, "bot"},
	{PROVIDER_SLACK, "user"},
};

/* An answer's fields as text; NULL where absent. They live in the arena. */
struct token_fields {
	const char *access_token;
	const char *refresh_token;
	const char *token_type;
	const char *expires_in;
	const char *interval;
	const char *error;
	const char *extras;
};

/* --- reading the two forms --------------------------------------------------------------------------------------- */

static const char *member_text(const struct json *object, const char *name, struct arena *arena)
{
	return arena_copy(arena, json_string(json_member(object, name)));
}

/* expires_in is a number (RFC 6749 section 5.1) that some providers send as text. */
static const char *member_number(const struct json *object, const char *name, struct arena *arena)
{
	const struct json *member = json_member(object, name);

	return member == NULL || json_is(member, JSON_STRING) ? member_text(object, name, arena)
							      : json_print(member, arena);
}

static bool has_text(const char *text)
{
	return text != NULL && *text != '\0';
}

/* Adds a copy of the member; a name that is there already is not added again. */
static void keep_extra(struct json *kept, const struct json *answer, const char *name, struct arena *arena)
{
	const struct json *member = json_member(answer, name);

	if (member != NULL && json_member(kept, name) == NULL)
		json_add_raw(kept, name, json_print(member, arena));
}

/* EXTRA_TOKEN_KEYS, and what the preset keeps. */
static const char *read_extras(const struct provider *provider, const struct json *answer, struct arena *arena)
{
	SCOPED(json_release) struct json *kept = json_new_object();
	char *names = arena_copy(arena, provider->extra_token_keys);
	char *rest = names;

	for (char *name; (name = strsep(&rest, " \t")) != NULL;)
		if (*name != '\0')
			keep_extra(kept, answer, name, arena);
	if (provider->type == PROVIDER_SLACK)
		keep_extra(kept, answer, "authed_user", arena);
	return json_first(kept) != NULL ? json_print(kept, arena) : NULL;
}

static void read_token_members(const struct json *object, struct token_fields *fields, struct arena *arena)
{
	fields->access_token = member_text(object, "access_token", arena);
	fields->refresh_token = member_text(object, "refresh_token", arena);
	fields->token_type = member_text(object, "token_type", arena);
	fields->expires_in = member_number(object, "expires_in", arena);
}

/* An app that asks for the user's scopes only gets no token of its own: the user's is the one. */
static void read_slack_user(const struct json *root, struct token_fields *fields, struct arena *arena)
{
	const struct json *user = json_member(root, "authed_user");

	if (!has_text(fields->access_token) && user != NULL)
		read_token_members(user, fields, arena);
}

static struct token_fields read_json(
	const struct provider *provider, const struct http_answer *answer, struct arena *arena)
{
	SCOPED(json_release) struct json *root = NULL;
	struct token_fields fields = {0};
	struct problem ignored;

	/* A token that was issued is not lost over a number or a name beside it. */
	if (!json_parse_foreign(answer->body.text, answer->body.size, &root, &ignored) || !json_is(root, JSON_OBJECT))
		return fields;
	read_token_members(root, &fields, arena);
	if (provider->type == PROVIDER_SLACK)
		read_slack_user(root, &fields, arena);
	fields.error = member_text(root, "error", arena);
	fields.interval = member_number(root, "interval", arena);
	if (has_text(fields.access_token))
		fields.extras = read_extras(provider, root, arena);
	return fields;
}

static const char *read_form_extras(const struct provider *provider, const char *form, struct arena *arena)
{
	SCOPED(json_release) struct json *kept = json_new_object();
	char *rest = arena_copy(arena, provider->extra_token_keys);

	for (char *name; (name = strsep(&rest, " \t")) != NULL;) {
		const char *value = *name != '\0' ? form_value(arena, form, name) : NULL;

		if (value != NULL && json_member(kept, name) == NULL)
			json_add_string(kept, name, value);
	}
	return json_first(kept) != NULL ? json_print(kept, arena) : NULL;
}

static struct token_fields read_form(
	const struct provider *provider, const struct http_answer *answer, struct arena *arena)
{
	const char *form = answer->body.text;
	struct token_fields fields = {
		.access_token = form_value(arena, form, "access_token"),
		.refresh_token = form_value(arena, form, "refresh_token"),
		.token_type = form_value(arena, form, "token_type"),
		.expires_in = form_value(arena, form, "expires_in"),
		.interval = form_value(arena, form, "interval"),
		.error = form_value(arena, form, "error"),
	};

	if (has_text(fields.access_token))
		fields.extras = read_form_extras(provider, form, arena);
	return fields;
}

/* The body says what it is more reliably than its label: some send JSON as text/html. */
static struct token_fields read_fields(
	const struct provider *provider, const struct http_answer *answer, struct arena *arena)
{
	const char *body = answer->body.text != NULL ? answer->body.text : "";
	size_t mark = strncmp(body, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	size_t blanks = mark + strspn(body + mark, " \t\r\n");

	if (strlen(body) != answer->body.size || body[blanks] == '\0')
		return (struct token_fields){0};
	return body[blanks] == '{' ? read_json(provider, answer, arena) : read_form(provider, answer, arena);
}

/* --- judging what was granted ------------------------------------------------------------------------------------ */

/* RFC 6749 appendix A.12: visible ASCII. A token goes into a header, where anything else is not safe. */
static bool is_token_text(const char *text)
{
	for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++)
		if (*byte < 0x20 || *byte > 0x7e)
			return false;
	return strlen(text) <= PROVIDER_TOKEN_BYTES_MAX;
}

static bool is_known_type(const struct provider *provider, const char *word)
{
	if (!has_text(word) || strcasecmp(word, "bearer") == 0)
		return true;
	for (size_t i = 0; i < COUNT_OF(token_types); i++)
		if (token_types[i].provider == provider->type && strcasecmp(token_types[i].word, word) == 0)
			return true;
	return false;
}

static const char *why_unusable(const struct provider *provider, const struct token_fields *fields)
{
	if (!is_known_type(provider, fields->token_type))
		return "it is no bearer token (RFC 6749 section 7.1)";
	if (fields->access_token == NULL || !is_token_text(fields->access_token))
		return "it is too long or not made of visible ASCII";
	if (fields->refresh_token != NULL && !is_token_text(fields->refresh_token))
		return "its refresh token is too long or not made of visible ASCII";
	if (fields->extras != NULL && strlen(fields->extras) > PROVIDER_TOKEN_BYTES_MAX)
		return "what EXTRA_TOKEN_KEYS asks to keep beside it is too long";
	return NULL;
}

/* No lifetime, 0, or what is no number: the token never expires (contract section 5). */
static int64_t read_expires_at_ms(const char *expires_in)
{
	char *end = NULL;

	if (!has_text(expires_in))
		return 0;
	double seconds = strtod(expires_in, &end);
	if (end == expires_in || *end != '\0' || !(seconds < (double)LIFETIME_S_MAX) || seconds == 0)
		return 0;
	/* A time that has passed is a token that has expired, not one that never does. */
	return clock_now_ms() + (seconds > 0 ? (int64_t)seconds * 1000 : 0);
}

/* 0 for what is no interval. */
static unsigned read_interval_s(const char *interval)
{
	char *end = NULL;
	double seconds = has_text(interval) ? strtod(interval, &end) : 0;

	if (!has_text(interval) || end == interval || *end != '\0' || !(seconds >= 1))
		return 0;
	return seconds < PROVIDER_INTERVAL_MAX_S ? (unsigned)seconds : PROVIDER_INTERVAL_MAX_S;
}

static struct secret as_secret(const char *text)
{
	return has_text(text) ? (struct secret){.text = text, .size = strlen(text)} : (struct secret){.text = NULL};
}

/* A provider's error word is shown only where it looks like one: RFC 6749 section 5.2 allows more, nobody uses it, and
 * what a token is made of must not pass for a word. */
static void show_error(const char *error, char ret_shown[OAUTH_ERROR_BYTES_MAX + 1])
{
	static const char lawful[] = "abcdefghijklmnopqrstuvwxyz_";
	size_t size = strlen(error);

	if (size > OAUTH_ERROR_BYTES_MAX || strspn(error, lawful) != size)
		return;
	memcpy(ret_shown, error, size + 1);
}

struct token_reply token_answer_read(
	const struct provider *provider, const struct http_answer *answer, struct arena *arena)
{
	struct token_reply reply = {.transport = answer->transport,
		.status = answer->status,
		.has_retry_after = answer->retry_after != NULL,
		.rate_limit_exhausted = answer->rate_limit_exhausted,
		.retry_after_s = http_answer_retry_after_s(answer),
		.reset_s = http_answer_reset_s(answer)};
	struct token_fields fields = {0};

	if (answer->transport == TRANSPORT_ANSWERED)
		fields = read_fields(provider, answer, arena);
	struct token_answer facts = {
		.transport = answer->transport,
		.status = answer->status,
		.has_access_token = has_text(fields.access_token),
		.error = fields.error != NULL ? fields.error : "",
	};
	reply.class = judge_refresh(&facts);
	show_error(facts.error, reply.error);
	reply.has_error = *facts.error != '\0';
	reply.interval_s = read_interval_s(fields.interval);
	if (reply.class != GRANT_GRANTED)
		return reply;
	reply.unusable = why_unusable(provider, &fields);
	reply.grant = (struct oauth_grant){
		.access_token = as_secret(fields.access_token),
		.refresh_token = as_secret(fields.refresh_token),
		.extras = as_secret(fields.extras),
		.expires_at_ms = read_expires_at_ms(fields.expires_in),
	};
	return reply;
}
