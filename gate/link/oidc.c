/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in with OpenID Connect: see oidc.h. The sign-in service is one more provider to the rest of link/: same
 * discovery, same exchange, same bounds. */
#include "oidc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/jwt.h"
#include "../base/log.h"
#include "../base/text.h"
#include "oauth.h"
#include "oidc_claims.h"

/* No configured provider can have this id, so bound and metrics are the sign-in's own. */
#define SIGN_IN_ID "sign_in"

/* Configuration and redirect URL, each of a bounded length. */
#define SIGN_IN_ARENA_BYTES_MAX 65536

/* A key set of PROVIDER_BODY_BYTES_MAX with its parsed strings. */
#define KEYS_ARENA_BYTES_MAX (4 * (size_t)PROVIDER_BODY_BYTES_MAX)

struct sign_in {
	struct arena *arena;
	struct provider provider;
	const char *username_claim;
	const char *host;

	pthread_mutex_t lock; /* of the keys; held through a fetch: who comes meanwhile waits for it */
	struct arena *keys_arena;
	struct jwt_keys keys;
	struct deadline keys_until;
};

/* "https://login.example.com/realms/x" → "login.example.com". */
static const char *host_of(const char *url, struct arena *arena)
{
	const char *host = strstr(url, "://");

	host = host != NULL ? host + strlen("://") : url;
	return arena_copy_bytes(arena, host, strcspn(host, "/?#"));
}

struct sign_in *sign_in_new(const struct config *config, const char *access_url)
{
	struct sign_in *sign_in;

	if (*config->oidc_issuer == '\0')
		return NULL;
	sign_in = calloc(1, sizeof(*sign_in));
	if (sign_in == NULL)
		abort();
	sign_in->arena = arena_new(SIGN_IN_ARENA_BYTES_MAX);
	pthread_mutex_init(&sign_in->lock, NULL);
	sign_in->username_claim = config->oidc_username_claim;
	sign_in->host = host_of(config->oidc_issuer, sign_in->arena);
	sign_in->provider = (struct provider){.id = SIGN_IN_ID,
		.type = PROVIDER_OTHER,
		.type_word = "oidc",
		.display_name = "The sign-in service",
		.display_icon = "",
		.issuer = config->oidc_issuer,
		.client_id = config->oidc_client_id,
		.client_secret = config->oidc_client_secret,
		.auth_url = "",
		.token_url = "",
		.validate_url = "",
		.revoke_url = "",
		.redirect_url = arena_printf(sign_in->arena, "%s/login/callback", access_url),
		.device_code_url = "",
		.app_install_url = "",
		.app_installations_url = "",
		.api_base_url = "",
		.regex = "",
		.scopes = config->oidc_scopes,
		.extra_token_keys = "id_token",
		.pkce = true};
	return sign_in;
}

void sign_in_free(struct sign_in *sign_in)
{
	if (sign_in == NULL)
		return;
	pthread_mutex_destroy(&sign_in->lock);
	if (sign_in->keys_arena != NULL)
		arena_free(sign_in->keys_arena);
	arena_free(sign_in->arena);
	free(sign_in);
}

const char *sign_in_host(const struct sign_in *sign_in)
{
	return sign_in->host;
}

/* --- what goes wrong ---------------------------------------------------------------------------------------------- */

/* What to do is the same whatever went wrong between the two services; the message says what it was. */
static bool say_what_to_do(const struct sign_in *sign_in, struct problem *problem)
{
	if (problem->kind != PROBLEM_PROVIDER_FAILED)
		return false;
	return problem_detail(problem,
		"Sign in once more in a moment. If it stays so, the operator needs to check GATEHOUSE_OIDC_ISSUER, "
		"client id and secret, and that %.200s is among the client's redirect URLs.",
		sign_in->provider.redirect_url);
}

/* why is a literal: nothing of a token is told or logged. */
static bool refuse_token(const char *why, struct problem *problem)
{
	log_event(LOG_WARN, "ID token refused", log_string("why", why));
	return problem_set(problem, PROBLEM_PROVIDER_FAILED,
		"The sign-in service sent an ID token that cannot be accepted: %s.", why);
}

/* --- to the sign-in service --------------------------------------------------------------------------------------- */

bool oidc_authorize_url(struct engine *engine, const struct sign_in_visit *visit, struct arena *arena,
	const char **ret_url, struct problem *problem)
{
	struct sign_in *sign_in = engine->sign_in;
	struct sign_in_endpoints endpoints;
	struct text url = text_in(arena);

	if (!provider_discover_sign_in(engine, &sign_in->provider, &endpoints, problem))
		return say_what_to_do(sign_in, problem);
	text_add(&url, oauth_authorize_url(engine, &sign_in->provider, visit->state, visit->verifier, arena));
	text_add_form(&url, "nonce", visit->nonce.text);
	*ret_url = url.bytes;
	return true;
}

bool oidc_answer_is_ours(struct engine *engine, const char *issuer, bool *ret_ours, struct problem *problem)
{
	struct sign_in *sign_in = engine->sign_in;
	struct sign_in_endpoints endpoints;

	if (!provider_discover_sign_in(engine, &sign_in->provider, &endpoints, problem))
		return say_what_to_do(sign_in, problem);
	*ret_ours = issuer != NULL ? strcmp(issuer, sign_in->provider.issuer) == 0 : !endpoints.says_issuer;
	return true;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static struct http_answer fetch(struct engine *engine, const char *url, struct secret token, struct arena *arena)
{
	static const char accept[] = "application/json";
	struct http_request request = {
		.provider_id = SIGN_IN_ID,
		.purpose = secret_is_empty(token) ? "keys" : "userinfo",
		.method = "GET",
		.url = url,
		.header_count = secret_is_empty(token) ? 1 : 2,
		.headers = {{"Accept", {accept, sizeof(accept) - 1}}},
		.body_bytes_max = (size_t)PROVIDER_BODY_BYTES_MAX,
		.deadline = deadline_in_ms(PROVIDER_REQUEST_MS),
	};

	if (!secret_is_empty(token)) {
		const char *bearer = arena_printf(arena, "Bearer %s", token.text);

		request.headers[1] = (struct http_header){"Authorization", {bearer, strlen(bearer)}};
	}
	return http_client_ask_provider(engine->http, &request, arena);
}

/* The document as the endpoint gave it, which the caller owns. */
static bool fetch_object(
	struct engine *engine, const char *url, struct secret token, struct arena *arena, struct json **ret_object)
{
	struct http_answer answer = fetch(engine, url, token, arena);
	struct problem ignored;

	return answer.transport == TRANSPORT_ANSWERED && answer.status == 200 &&
	       json_parse(answer.body.text, answer.body.size, ret_object, &ignored) &&
	       json_is(*ret_object, JSON_OBJECT);
}

static bool fetch_keys(struct engine *engine, const char *url, struct problem *problem)
{
	struct sign_in *sign_in = engine->sign_in;
	SCOPED(json_release) struct json *document = NULL;
	struct arena *arena = arena_new(KEYS_ARENA_BYTES_MAX);
	struct jwt_keys keys;

	if (!fetch_object(engine, url, (struct secret){.text = NULL}, arena, &document) ||
		!jwt_read_keys(document, arena, &keys)) {
		arena_free(arena);
		log_event(LOG_WARN, "keys of the sign-in service not read", log_string("url", url));
		return problem_set(problem, PROBLEM_PROVIDER_FAILED, "The keys of the sign-in service cannot be read.");
	}
	if (sign_in->keys_arena != NULL)
		arena_free(sign_in->keys_arena);
	sign_in->keys_arena = arena;
	sign_in->keys = keys;
	sign_in->keys_until = deadline_in_ms(OIDC_KEYS_MAX_AGE_MS);
	return true;
}

static bool verify_locked(struct engine *engine, const char *keys_url, struct secret token, struct arena *arena,
	struct json **ret_claims, struct problem *problem)
{
	static const char *const why[] = {
		[JWT_MALFORMED] = "it is malformed or too large",
		[JWT_ALGORITHM] = "it is signed neither with RS256 nor with ES256",
		[JWT_NO_KEY] = "it is signed with a key that the service does not publish",
		[JWT_SIGNATURE] = "its signature is wrong",
	};
	struct sign_in *sign_in = engine->sign_in;
	bool is_fresh = sign_in->keys_arena == NULL || deadline_passed(sign_in->keys_until);

	if (is_fresh && !fetch_keys(engine, keys_url, problem))
		return false;
	enum jwt_verdict verdict = jwt_verify(&sign_in->keys, token, arena, ret_claims);

	/* A key that is not known here is a new one: looked for once. */
	if (verdict == JWT_NO_KEY && !is_fresh) {
		if (!fetch_keys(engine, keys_url, problem))
			return false;
		verdict = jwt_verify(&sign_in->keys, token, arena, ret_claims);
	}
	return verdict == JWT_GOOD || refuse_token(why[verdict], problem);
}

static bool verify(struct engine *engine, const char *keys_url, struct secret token, struct arena *arena,
	struct json **ret_claims, struct problem *problem)
{
	struct sign_in *sign_in = engine->sign_in;

	pthread_mutex_lock(&sign_in->lock);
	bool good = verify_locked(engine, keys_url, token, arena, ret_claims, problem);
	pthread_mutex_unlock(&sign_in->lock);
	return good;
}

/* --- who it is ---------------------------------------------------------------------------------------------------- */

/* The ID token among what was granted. */
static bool find_token(
	const struct oauth_grant *grant, struct arena *arena, struct secret *ret_token, struct problem *problem)
{
	SCOPED(json_release) struct json *extras = NULL;
	struct problem ignored;
	const char *text;

	if (secret_is_empty(grant->extras) || !json_parse(grant->extras.text, grant->extras.size, &extras, &ignored) ||
		(text = json_string(json_member(extras, "id_token"))) == NULL)
		return refuse_token("there is none; is the scope openid asked for", problem);
	*ret_token = secret_copy(arena, text, strlen(text));
	return true;
}

static bool take_claims(struct engine *engine, const struct oauth_grant *grant, const struct sign_in_visit *visit,
	const char *keys_url, struct arena *arena, struct json **ret_claims, struct problem *problem)
{
	const struct sign_in *sign_in = engine->sign_in;
	const struct oidc_expected expected = {.issuer = sign_in->provider.issuer,
		.client_id = sign_in->provider.client_id,
		.nonce = visit->nonce,
		.now_s = clock_now_ms() / 1000};
	struct secret token = {.text = NULL};

	if (!find_token(grant, arena, &token, problem) || !verify(engine, keys_url, token, arena, ret_claims, problem))
		return false;
	const char *why = oidc_why_refused(*ret_claims, &expected);
	return why == NULL || refuse_token(why, problem);
}

/* OpenID Connect Core section 5.3.2: the answer is about this person only if it says so. */
static bool ask_userinfo(struct engine *engine, const char *url, const struct oauth_grant *grant, const char *subject,
	struct arena *arena, struct json **ret_claims, struct problem *problem)
{
	const char *said;

	if (*url == '\0' || !fetch_object(engine, url, grant->access_token, arena, ret_claims))
		return problem_set(problem, PROBLEM_PROVIDER_FAILED, "The sign-in service does not say who you are.");
	said = json_string(json_member(*ret_claims, "sub"));
	if (said != NULL && strcmp(said, subject) == 0)
		return true;
	return problem_set(problem, PROBLEM_PROVIDER_FAILED, "The sign-in service speaks of somebody else.");
}

static bool find_person(struct engine *engine, struct secret code, const struct sign_in_visit *visit,
	struct arena *arena, struct oidc_person *ret_person, struct problem *problem)
{
	struct sign_in *sign_in = engine->sign_in;
	struct sign_in_endpoints endpoints;
	struct oauth_grant grant = {.expires_at_ms = 0};
	SCOPED(json_release) struct json *claims = NULL;
	SCOPED(json_release) struct json *more = NULL;

	if (!provider_discover_sign_in(engine, &sign_in->provider, &endpoints, problem) ||
		!oauth_exchange_code(engine, &sign_in->provider, code, visit->verifier, arena, &grant, problem) ||
		!take_claims(engine, &grant, visit, endpoints.keys_url, arena, &claims, problem))
		return false;
	ret_person->issuer = sign_in->provider.issuer;
	ret_person->subject = arena_copy(arena, json_string(json_member(claims, "sub")));
	if (json_member(claims, sign_in->username_claim) != NULL)
		return oidc_read_person(claims, sign_in->username_claim, arena, ret_person, problem);
	return ask_userinfo(engine, endpoints.userinfo_url, &grant, ret_person->subject, arena, &more, problem) &&
	       oidc_read_person(more, sign_in->username_claim, arena, ret_person, problem);
}

bool oidc_find_person(struct engine *engine, struct secret code, const struct sign_in_visit *visit, struct arena *arena,
	struct oidc_person *ret_person, struct problem *problem)
{
	return find_person(engine, code, visit, arena, ret_person, problem) || say_what_to_do(engine->sign_in, problem);
}
