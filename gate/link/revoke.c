/* SPDX-License-Identifier: Apache-2.0 */
/* Telling a provider that a token is no longer wanted. It is asked once and not again: the link is gone from our side,
 * and what the provider says is passed on in a few words. */
#include <string.h>

#include "../base/json.h"
#include "../base/text.h"
#include "revoke.h"
#include "token_endpoint.h"

bool revoke_is_supported(const struct provider *provider)
{
	return *provider->revoke_url != '\0';
}

static struct secret secret_of(const char *text)
{
	return (struct secret){.text = text, .size = strlen(text)};
}

/* RFC 7009 section 2.2: 200. GitHub's REST API: 204 when the grant is deleted. */
static bool is_success(const struct provider *provider, const struct http_answer *answer)
{
	return answer->transport == TRANSPORT_ANSWERED &&
	       answer->status == (provider->type == PROVIDER_GITHUB ? 204 : 200);
}

static const char *failure_words(const struct http_answer *answer, struct arena *arena)
{
	switch (answer->transport) {
	case TRANSPORT_NOT_SENT:
		return "the provider cannot be reached";
	case TRANSPORT_ANSWERED:
		return arena_printf(arena, "the provider answered with HTTP status %d", answer->status);
	case TRANSPORT_AMBIGUOUS:
	case TRANSPORT_COUNT:
		break;
	}
	return "the provider gave no answer";
}

/* GitHub's REST API, "Delete an app authorization": the whole grant, named by one of its access tokens. */
static struct http_request github_request(
	const struct provider *provider, struct secret secret, struct secret access_token, struct arena *arena)
{
	SCOPED(json_release) struct json *body = json_new_object();

	json_add_string(body, "access_token", access_token.text);
	return (struct http_request){
		.provider_id = provider->id,
		.purpose = "revoke",
		.method = "DELETE",
		.url = provider->revoke_url,
		.header_count = 3,
		.headers = {{"Accept", secret_of("application/vnd.github+json")},
			{"Content-Type", secret_of("application/json")},
			{"Authorization", credentials_basic(provider, secret, arena)}},
		.body = secret_of(json_print(body, arena)),
		.body_bytes_max = (size_t)PROVIDER_BODY_BYTES_MAX,
	};
}

/* RFC 7009 section 2.1. Revoking the refresh token ends the access tokens issued with it (section 2.1 too). */
static const char *revocation_form(struct secret access_token, struct secret refresh_token, struct arena *arena)
{
	struct text form = text_in(arena);
	bool has_refresh = !secret_is_empty(refresh_token);

	text_add_form(&form, "token", has_refresh ? refresh_token.text : access_token.text);
	text_add_form(&form, "token_type_hint", has_refresh ? "refresh_token" : "access_token");
	return form.bytes;
}

static struct http_request build_request(const struct provider *provider, const struct credentials *credentials,
	struct secret access_token, const char *form, struct arena *arena)
{
	if (provider->type == PROVIDER_GITHUB)
		return github_request(provider, credentials->secret, access_token, arena);
	return credentials_request(provider, credentials, provider->revoke_url, form, arena);
}

/* RFC 7009 section 2.2.1: a refused client is 401, or 400 with invalid_client. */
static bool is_client_refused(const struct http_answer *answer)
{
	return answer->transport == TRANSPORT_ANSWERED && (answer->status == 401 || answer->status == 400);
}

/* GitHub takes Basic alone: the same secret in another style would be the same request. */
static bool is_same_again(const struct provider *provider, const struct credentials *tries, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (provider->type == PROVIDER_GITHUB && tries[i].secret.text == tries[index].secret.text)
			return true;
	return false;
}

/* Slack says no with 200 and "ok": false. */
static bool is_confirmed(const struct provider *provider, const struct http_answer *answer)
{
	SCOPED(json_release) struct json *root = NULL;
	struct problem ignored;

	if (!is_success(provider, answer))
		return false;
	if (provider->type != PROVIDER_SLACK)
		return true;
	return json_parse(answer->body.text, answer->body.size, &root, &ignored) &&
	       json_bool(json_member(root, "ok"), false);
}

bool revoke_tokens(struct engine *engine, struct provider *provider, struct secret access_token,
	struct secret refresh_token, struct arena *arena, const char **ret_error)
{
	struct credentials tries[CREDENTIALS_MAX];
	size_t count = credentials_list(provider, tries);
	const char *form = revocation_form(access_token, refresh_token, arena);
	struct deadline deadline = deadline_in_ms(PROVIDER_REVOKE_MS);

	*ret_error = NULL;
	if (!revoke_is_supported(provider) || secret_is_empty(access_token)) {
		*ret_error = "there is nothing that could be revoked";
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (is_same_again(provider, tries, i))
			continue;
		struct http_request request = build_request(provider, &tries[i], access_token, form, arena);

		request.purpose = "revoke";
		request.deadline = deadline;
		struct http_answer answer = http_client_ask_provider(engine->http, &request, arena);
		if (is_confirmed(provider, &answer))
			return true;
		*ret_error = is_success(provider, &answer) ? "the provider refused" : failure_words(&answer, arena);
		if (!is_client_refused(&answer))
			break;
	}
	return false;
}
