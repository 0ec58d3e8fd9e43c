/* SPDX-License-Identifier: Apache-2.0 */
/* Links through the API: see external_auth.h. */
#include "external_auth.h"

#include <string.h>

#include "../base/clock.h"
#include "../base/metrics.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/gate_json.h"
#include "../link/overview.h"
#include "../link/revoke.h"
#include "../link/unlink.h"
#include "../link/validate.h"
#include "../link/verdict_cache.h"
#include "../store/links.h"

/* --- list ------------------------------------------------------------------------------------------------------- */

static void push_provider(
	struct json *list, const struct engine *engine, const struct provider *provider, struct arena *arena)
{
	struct json *entry = json_push_object(list);

	json_add_string(entry, "id", provider->id);
	json_add_string(entry, "type", provider->type_word);
	json_add_string(entry, "display_name", provider->display_name);
	json_add_string(entry, "display_icon", provider->display_icon);
	json_add_string(entry, "authenticate_url", gate_authenticate_url(engine, provider->id, arena));
	json_add_bool(entry, "device", provider->device_flow);
	json_add_bool(entry, "supports_revocation", revoke_is_supported(provider));
	json_add_bool(entry, "allow_refresh", !provider->no_refresh);
	json_add_bool(entry, "allow_validate", provider->validate_url[0] != '\0');
}

static void add_providers(struct json *root, const struct engine *engine, struct arena *arena)
{
	struct json *list = json_add_array(root, "providers");

	for (size_t i = 0; i < engine->providers.count; i++)
		push_provider(list, engine, engine->providers.list[i], arena);
}

static void push_link(struct json *list, const struct overview_link *shown, struct arena *arena)
{
	const struct link *link = &shown->link;
	struct json *entry = json_push_object(list);
	bool good = shown->configured && reason_verdict(shown->reason) == VERDICT_OK;
	const char *wrong = shown->configured ? reason_sentence(shown->reason)
					      : "This provider is no longer configured; disconnect it, or ask the "
						"operator.";

	json_add_string(entry, "provider_id", link->provider_id);
	json_add_string(entry, "created_at", clock_rfc3339(arena, link->created_at_ms));
	json_add_string(entry, "updated_at", clock_rfc3339(arena, link->updated_at_ms));
	json_add_bool(entry, "has_refresh_token", link->has_refresh_token);
	json_add_string(entry, "expires", clock_rfc3339(arena, link->expires_at_ms));
	json_add_bool(entry, "authenticated", good);
	json_add_string(entry, "validate_error", good ? NULL : wrong);
	json_add_string(entry, "reason", shown->configured ? reason_word(shown->reason) : NULL);
}

/* For whoever has a URL and not yet a provider: nobody's link is read, and no provider is asked. */
static bool list_for_url(const struct request *request, const char *url, struct reply *reply, struct problem *problem)
{
	struct engine *engine = request->service->engine;

	if (strncmp(url, "https://", 8) != 0 || strlen(url) > GIT_URL_BYTES_MAX)
		return problem_add_violation(
			problem, "url", "must begin with https:// and have at most %d bytes", GIT_URL_BYTES_MAX);

	const struct provider *provider = providers_find_for_url(&engine->providers, url);
	struct json *root = json_new_object();

	/* It goes back, so that nobody takes a list of all providers for the answer to their URL. */
	json_add_string(root, "url", url);

	struct json *list = json_add_array(root, "providers");

	if (provider != NULL)
		push_provider(list, engine, provider, request->arena);
	(void)json_add_array(root, "links");
	reply_json(reply, 200, root);
	return true;
}

static bool list_of(const struct request *request, const char *owner_id, struct reply *reply, struct problem *problem)
{
	struct engine *engine = request->service->engine;
	const char *url = request_query(request, "url");
	struct overview_link *links = NULL;
	size_t count = 0;

	if (url != NULL)
		return list_for_url(request, url, reply, problem);
	if (!overview_read(engine, owner_id, request->arena, &count, &links, problem))
		return false;

	struct json *root = json_new_object();

	add_providers(root, engine, request->arena);
	struct json *list = json_add_array(root, "links");

	for (size_t i = 0; i < count; i++)
		push_link(list, &links[i], request->arena);
	reply_json(reply, 200, root);
	return true;
}

bool api_external_auth_list(const struct request *request, struct reply *reply, struct problem *problem)
{
	return list_of(request, request->caller.user_id, reply, problem);
}

bool api_external_auth_list_of_user(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct user user;

	if (!subject_find(request, ACTION_LINK_READ, &user, problem))
		return false;
	return list_of(request, user.id, reply, problem);
}

/* --- one -------------------------------------------------------------------------------------------------------- */

/* The four members of an account, in the two places that show one. */
static void add_account(struct json *object, const struct provider_user *user)
{
	json_add_string(object, "login", user->login);
	json_add_integer(object, "id", user->id);
	json_add_string(object, "avatar_url", user->avatar_url);
	json_add_string(object, "profile_url", user->profile_url);
}

static void add_installations(struct json *root, const struct app_installation *installations, size_t count)
{
	struct json *list = json_add_array(root, "installations");

	for (size_t i = 0; installations != NULL && i < count; i++) {
		struct json *entry = json_push_object(list);

		json_add_integer(entry, "id", installations[i].id);
		add_account(json_add_object(entry, "account"), &installations[i].account);
		json_add_string(entry, "configure_url", installations[i].configure_url);
	}
}

/* Refreshes what has expired and can be refreshed, by judging the link as the gate does, and reads it again. Whatever
 * the verdict, the page goes on with the link there is. */
static bool renew_link(const struct request *request, bool *ret_linked, struct link *ret_link, struct problem *problem)
{
	struct gate_answer *answer = arena_alloc(request->arena, sizeof(*answer));
	const char *provider_id = ret_link->provider_id;

	return overview_judge(request->service->engine, ret_link, 1, request->arena, answer, problem) &&
	       link_find(request->service->store, request->arena, request->caller.user_id, provider_id, ret_linked,
		       ret_link, problem);
}

/* Whether the stored token may be shown to the provider at all. */
static bool is_askable(const struct link *link)
{
	return link->readable && (link->expires_at_ms == 0 || link->expires_at_ms > clock_now_ms());
}

bool api_external_auth_get(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct engine *engine = request->service->engine;
	struct provider *provider = NULL;
	struct provider_user user = {.login = ""};
	struct app_installation *installations = NULL;
	size_t installation_count = 0;
	struct link link;
	bool linked = false;
	enum validation validation = VALIDATION_NONE;

	if (!engine_find_provider(request->service->engine, request_parameter(request, "provider"), &provider, problem))
		return false;
	if (!link_find(request->service->store, request->arena, request->caller.user_id, provider->id, &linked, &link,
		    problem))
		return false;

	if (linked && link.readable && !is_askable(&link) && !renew_link(request, &linked, &link, problem))
		return false;
	bool asks = linked && is_askable(&link);

	if (asks)
		validation = validate_token(engine, provider, link.access_token, request->arena, &user,
			&installation_count, &installations);

	struct json *root = json_new_object();

	json_add_bool(root, "authenticated",
		asks && validation != VALIDATION_REJECTED && validation != VALIDATION_UNAVAILABLE);
	json_add_bool(root, "device", provider->device_flow);
	json_add_string(root, "display_name", provider->display_name);
	json_add_bool(root, "supports_revocation", revoke_is_supported(provider));
	if (user.login[0] != '\0') {
		struct json *account = json_add_object(root, "user");

		add_account(account, &user);
		json_add_string(account, "name", user.name);
	} else {
		json_add_null(root, "user");
	}
	json_add_bool(root, "app_installable", installations != NULL);
	add_installations(root, installations, installation_count);
	json_add_string(
		root, "app_install_url", provider->app_install_url[0] != '\0' ? provider->app_install_url : NULL);
	reply_json(reply, 200, root);
	return true;
}

/* 0001-01-01T00:00:00Z */
#define YEAR_1_MS INT64_C(-62135596800000)

/* --- import and unlink ------------------------------------------------------------------------------------------ */

/* RFC 6750 section 2.1: b64token, which is printable ASCII without blanks; what is none would break the header it is
 * sent in. */
static bool is_token(const char *text)
{
	for (const char *at = text; *at != '\0'; at++) {
		if (*at <= ' ' || *at > '~')
			return false;
	}
	return text[0] != '\0';
}

static bool read_token(const char *field, const char *text, struct secret *ret_token, struct problem *problem)
{
	if (text == NULL)
		return true;
	if (!is_token(text))
		return problem_add_violation(problem, field, "must be printable ASCII without blanks, and not empty");
	*ret_token = (struct secret){.text = text, .size = strlen(text)};
	return true;
}

/* Links come from systems that write "never" as the first moment of the year 1, as Go's zero time has it, too. */
static bool read_expiry(const char *expires_at, int64_t *ret_at_ms, struct problem *problem)
{
	if (expires_at == NULL)
		return true;
	if (!clock_parse_rfc3339(expires_at, ret_at_ms))
		return problem_add_violation(
			problem, "expires_at", "must be a time such as 2030-01-31T12:00:00Z, or null");
	if (*ret_at_ms == YEAR_1_MS)
		*ret_at_ms = 0;
	/* The first moment of 1970 has the number that stands for "never", and is long past. */
	else if (*ret_at_ms == 0)
		*ret_at_ms = 1;
	return true;
}

static bool read_import(const struct request *request, struct link_tokens *ret_tokens, struct problem *problem)
{
	const char *access_token = NULL;
	const char *refresh_token = NULL;
	const char *expires_at = NULL;
	const struct json_field fields[] = {
		{.name = "access_token",
			.type = JSON_STRING,
			.target = &access_token,
			.required = true,
			.bytes_max = PROVIDER_TOKEN_BYTES_MAX},
		{.name = "refresh_token",
			.type = JSON_STRING,
			.target = &refresh_token,
			.bytes_max = PROVIDER_TOKEN_BYTES_MAX},
		{.name = "expires_at", .type = JSON_STRING, .target = &expires_at},
	};
	bool good = json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);

	good = read_token("access_token", access_token, &ret_tokens->access_token, problem) && good;
	/* Providers and other systems write "" for none. */
	if (refresh_token != NULL && *refresh_token != '\0')
		good = read_token("refresh_token", refresh_token, &ret_tokens->refresh_token, problem) && good;
	return read_expiry(expires_at, &ret_tokens->expires_at_ms, problem) && good;
}

bool api_external_auth_import(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct link_tokens tokens = {.account = NULL};
	struct provider *provider = NULL;
	struct user user;

	if (!read_import(request, &tokens, problem) || !subject_find(request, ACTION_LINK_IMPORT, &user, problem) ||
		!engine_find_provider(
			request->service->engine, request_parameter(request, "provider"), &provider, problem))
		return false;
	tokens.owner_id = user.id;
	tokens.provider_id = provider->id;
	if (!link_save(request->service->store, &tokens, NULL, problem))
		return false;
	verdict_cache_drop(request->service->engine->verdicts, user.id, provider);
	metrics_add(METRIC_LINKS_WRITTEN, (struct metric_labels){.value = {provider->id, "import"}}, 1);
	subject_audit(request, "link.import", user.id, provider->id);
	reply_empty(reply, 204);
	return true;
}

bool api_external_auth_unlink(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct engine *engine = request->service->engine;
	const char *id = request_parameter(request, "provider");
	const char *wrong = NULL;
	struct link link;

	if (!unlink_remove(engine, request->caller.user_id, id, request->arena, &link, problem))
		return false;
	subject_audit(request, "link.remove", request->caller.user_id, id);

	bool revoked = unlink_revoke(engine, &link, request->arena, &wrong);
	struct json *root = json_new_object();

	json_add_bool(root, "token_revoked", revoked);
	json_add_string(root, "token_revocation_error", wrong);
	reply_json(reply, 200, root);
	return true;
}
