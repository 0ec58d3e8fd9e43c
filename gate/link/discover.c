/* SPDX-License-Identifier: Apache-2.0 */
/* OIDC discovery: the endpoints of a provider of which only ISSUER is given. One fetch at a time for a provider, kept
 * for the process; a failure is kept for a few seconds, so that a storm of sign-ins does not become a storm of fetches.
 */
#include <pthread.h>
#include <string.h>

#include "../base/json.h"
#include "../base/log.h"
#include "engine.h"

/* A failure is told again for so long without asking. */
#define FAILURE_KEPT_MS 5000

/* An issuer and four endpoints, as long as a URL may be each. */
#define DISCOVERED_BYTES_MAX 16384

/* What is known of one issuer. lock is held through a fetch: who comes meanwhile waits for it. */
struct discovery {
	pthread_mutex_t lock;
	struct arena *arena; /* of the texts below, for the process */
	const char *issuer;
	bool found;
	const char *auth_url; /* found: "" where the document names no lawful one */
	const char *token_url;
	const char *keys_url;
	const char *userinfo_url;
	bool says_issuer; /* RFC 9207: its answers to a browser name it */
	struct deadline failure_until;
	struct problem failure;
};

static struct {
	pthread_mutex_t lock;
	size_t count;
	struct discovery list[PROVIDERS_MAX + 1]; /* sign-in has one of its own */
} discoveries = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct discovery *discovery_add(const char *issuer)
{
	struct discovery *added = &discoveries.list[discoveries.count++];

	pthread_mutex_init(&added->lock, NULL);
	added->arena = arena_new(DISCOVERED_BYTES_MAX);
	added->issuer = arena_copy(added->arena, issuer);
	return added;
}

/* NULL: more issuers than there may be providers. */
static struct discovery *discovery_of(const char *issuer)
{
	struct discovery *found = NULL;

	pthread_mutex_lock(&discoveries.lock);
	for (size_t i = 0; i < discoveries.count && found == NULL; i++)
		if (strcmp(discoveries.list[i].issuer, issuer) == 0)
			found = &discoveries.list[i];
	if (found == NULL && discoveries.count < COUNT_OF(discoveries.list))
		found = discovery_add(issuer);
	pthread_mutex_unlock(&discoveries.lock);
	return found;
}

/* --- where the document is --------------------------------------------------------------------------------------- */

/* OpenID Connect Discovery 1.0 section 4: behind the issuer, whose last slash is left out. */
static const char *openid_url(const char *issuer, struct arena *arena)
{
	size_t size = strlen(issuer);

	if (size > 0 && issuer[size - 1] == '/')
		size--;
	return arena_printf(arena, "%.*s/.well-known/openid-configuration", (int)size, issuer);
}

/* RFC 8414 section 3.1: between the issuer's host and its path. */
static const char *oauth_url(const char *issuer, struct arena *arena)
{
	const char *host = strstr(issuer, "://");
	const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
	size_t host_size = path != NULL ? (size_t)(path - issuer) : strlen(issuer);

	if (path == NULL || path[1] == '\0')
		path = "";
	return arena_printf(arena, "%.*s/.well-known/oauth-authorization-server%s", (int)host_size, issuer, path);
}

static struct http_answer fetch(
	struct engine *engine, const struct provider *provider, const char *url, struct arena *arena)
{
	static const char accept[] = "application/json";
	struct http_request request = {
		.provider_id = provider->id,
		.purpose = "discover",
		.method = "GET",
		.url = url,
		.header_count = 1,
		.headers = {{"Accept", {accept, sizeof(accept) - 1}}},
		.body_bytes_max = (size_t)PROVIDER_BODY_BYTES_MAX,
		.follow_same_host = true,
		.deadline = deadline_in_ms(PROVIDER_REQUEST_MS),
	};

	return http_client_ask_provider(engine->http, &request, arena);
}

/* --- what it says ------------------------------------------------------------------------------------------------ */

static bool fail(const struct provider *provider, const char *why, struct problem *problem)
{
	log_event(LOG_WARN, "discovery failed", log_string("provider", provider->id), log_string("why", why));
	problem_set(problem, PROBLEM_PROVIDER_FAILED, "%s cannot be asked how to sign in: %s.", provider->display_name,
		why);
	return problem_detail(problem,
		"Try again in a moment. If it stays so, the operator needs to check ISSUER of provider \"%s\".",
		provider->id);
}

/* "": no lawful one there. */
static const char *read_endpoint(const struct json *document, const char *name, struct arena *arena)
{
	const char *url = json_string(json_member(document, name));

	if (url == NULL || strlen(url) > URL_BYTES_MAX || !name_is_provider_url(url))
		return "";
	return arena_copy(arena, url);
}

static bool read_document(struct discovery *discovery, const struct provider *provider, const struct json *document,
	struct problem *problem)
{
	const char *issuer = json_string(json_member(document, "issuer"));

	/* Section 4.3: exactly the configured one, else another's document could take the code. */
	if (issuer == NULL || strcmp(issuer, discovery->issuer) != 0)
		return fail(provider, "its discovery document is for another issuer", problem);
	discovery->auth_url = read_endpoint(document, "authorization_endpoint", discovery->arena);
	discovery->token_url = read_endpoint(document, "token_endpoint", discovery->arena);
	discovery->keys_url = read_endpoint(document, "jwks_uri", discovery->arena);
	discovery->userinfo_url = read_endpoint(document, "userinfo_endpoint", discovery->arena);
	discovery->says_issuer =
		json_bool(json_member(document, "authorization_response_iss_parameter_supported"), false);
	discovery->found = true;
	return true;
}

static bool fetch_document(
	struct engine *engine, struct discovery *discovery, const struct provider *provider, struct problem *problem)
{
	SCOPED(arena_release) struct arena *arena = arena_new(4 * (size_t)PROVIDER_BODY_BYTES_MAX);
	SCOPED(json_release) struct json *document = NULL;
	struct problem ignored;
	struct http_answer answer = fetch(engine, provider, openid_url(provider->issuer, arena), arena);

	if (answer.transport == TRANSPORT_ANSWERED && answer.status == 404)
		answer = fetch(engine, provider, oauth_url(provider->issuer, arena), arena);
	if (answer.transport != TRANSPORT_ANSWERED)
		return fail(provider, "it gives no answer", problem);
	if (answer.status != 200)
		return fail(provider, arena_printf(arena, "it answers with HTTP status %d", answer.status), problem);
	if (!json_parse(answer.body.text, answer.body.size, &document, &ignored))
		return fail(provider, "its discovery document is no lawful JSON", problem);
	return read_document(discovery, provider, document, problem);
}

/* Once, and again only some time after a failure. */
static bool find_document(
	struct engine *engine, struct discovery *discovery, const struct provider *provider, struct problem *problem)
{
	if (discovery->found)
		return true;
	if (discovery->failure.kind != PROBLEM_NONE && !deadline_passed(discovery->failure_until)) {
		*problem = discovery->failure;
		return false;
	}
	if (fetch_document(engine, discovery, provider, problem))
		return true;
	discovery->failure = *problem;
	discovery->failure_until = deadline_in_ms(FAILURE_KEPT_MS);
	return false;
}

/* What is configured stays. Written once, under the lock; whoever reads the endpoints has called provider_discover
 * before and so sees them. */
static bool complete_provider(const struct discovery *discovery, struct provider *provider, struct problem *problem)
{
	if ((*provider->auth_url == '\0' && *discovery->auth_url == '\0') ||
		(*provider->token_url == '\0' && *discovery->token_url == '\0'))
		return fail(provider, "its discovery document names no lawful endpoints", problem);
	provider->says_issuer = discovery->says_issuer;
	if (*provider->auth_url == '\0')
		provider->auth_url = discovery->auth_url;
	if (*provider->token_url == '\0')
		provider->token_url = discovery->token_url;
	return true;
}

static bool discover_locked(
	struct engine *engine, struct discovery *discovery, struct provider *provider, struct problem *problem)
{
	if (*provider->auth_url != '\0' && *provider->token_url != '\0')
		return true;
	if (!find_document(engine, discovery, provider, problem))
		return false;
	return complete_provider(discovery, provider, problem);
}

bool provider_discover(struct engine *engine, struct provider *provider, struct problem *problem)
{
	if (*provider->issuer == '\0')
		return true;
	struct discovery *discovery = strlen(provider->issuer) <= URL_BYTES_MAX ? discovery_of(provider->issuer) : NULL;
	if (discovery == NULL)
		return fail(provider, "its issuer is too long, or there are too many", problem);
	pthread_mutex_lock(&discovery->lock);
	bool ready = discover_locked(engine, discovery, provider, problem);
	pthread_mutex_unlock(&discovery->lock);
	return ready;
}

bool provider_discover_sign_in(struct engine *engine, struct provider *provider,
	struct sign_in_endpoints *ret_endpoints, struct problem *problem)
{
	if (!provider_discover(engine, provider, problem))
		return false;
	struct discovery *discovery = discovery_of(provider->issuer);
	if (discovery == NULL)
		return fail(provider, "there are too many issuers", problem);
	pthread_mutex_lock(&discovery->lock);
	bool found = find_document(engine, discovery, provider, problem);
	if (found)
		*ret_endpoints = (struct sign_in_endpoints){.keys_url = discovery->keys_url,
			.userinfo_url = discovery->userinfo_url,
			.says_issuer = discovery->says_issuer};
	pthread_mutex_unlock(&discovery->lock);
	if (found && *ret_endpoints->keys_url == '\0')
		return fail(provider, "its discovery document names no keys", problem);
	return found;
}
