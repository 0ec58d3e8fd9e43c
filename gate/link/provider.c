/* SPDX-License-Identifier: Apache-2.0 */
/* From the given fields and the preset of their type to a checked provider (contract section 2). Everything wrong is
 * complained about with its place; secrets are never shown. */
#include "provider.h"

#include <regex.h>
#include <string.h>
#include <strings.h>

#include "../base/text.h"
#include "must_check.h"
#include "provider_presets.h"

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

#define SIBLING "{sibling}"
#define CLIENT_ID "{client_id}"

struct builder {
	struct arena *arena;
	const struct provider_settings *given;
	const struct preset *preset;
	struct provider *provider;
	struct config_complaints *complaints;
};

#define ENUMERATE(field, word) word,
static const char *const field_words[] = {PROVIDER_FIELD_LIST(ENUMERATE)};
#undef ENUMERATE

static const char *builder_text(const struct builder *builder, enum provider_field field)
{
	return builder->given->fields[field].text;
}

/* The field's place, or the provider's where the field is not given. */
static const char *builder_place(const struct builder *builder, enum provider_field field)
{
	return builder_text(builder, field) == NULL ? builder->given->place : builder->given->fields[field].place;
}

static void builder_complain(struct builder *builder, enum provider_field field, const char *what)
{
	config_complain(builder->complaints, builder_place(builder, field), field_words[field], "%s", what);
}

static void builder_refuse(struct builder *builder, enum provider_field field, const char *allowed)
{
	config_complain(builder->complaints, builder_place(builder, field), field_words[field],
		"%s is not lawful; allowed: %s", config_show(builder->arena, builder_text(builder, field)), allowed);
}

/* --- names ------------------------------------------------------------------------------------------------------- */

static void builder_set_type(struct builder *builder)
{
	const char *given = builder_text(builder, PROVIDER_FIELD_TYPE);
	char *word = arena_copy(builder->arena, given == NULL ? "" : given);
	struct provider *provider = builder->provider;

	text_to_lower(word);
	provider->type = provider_type_from_word(word);
	provider->type_word = provider->type == PROVIDER_OTHER ? word : provider_type_word(provider->type);
	builder->preset = provider_preset(provider->type);
	/* An id that nobody gave is the type as it was written, so that `bitbucket` names the link it always named. */
	provider->id =
		builder_text(builder, PROVIDER_FIELD_ID) == NULL ? word : builder_text(builder, PROVIDER_FIELD_ID);
}

static void builder_set_names(struct builder *builder)
{
	struct provider *provider = builder->provider;
	const char *display_name = builder_text(builder, PROVIDER_FIELD_DISPLAY_NAME);
	const char *client_id = builder_text(builder, PROVIDER_FIELD_CLIENT_ID);
	enum provider_field named_by = PROVIDER_FIELD_ID;

	builder_set_type(builder);
	if (builder_text(builder, PROVIDER_FIELD_ID) == NULL && builder_text(builder, PROVIDER_FIELD_TYPE) != NULL)
		named_by = PROVIDER_FIELD_TYPE;
	if (*provider->id == '\0')
		builder_complain(builder, PROVIDER_FIELD_ID, "is missing; give an id, or a type that serves as one");
	else if (!name_is_provider_id(provider->id))
		builder_refuse(builder, named_by, "an id of 1 to 64 lower-case letters, digits and hyphens");
	provider->display_name = display_name != NULL ? display_name : provider->type_word;
	if (*provider->display_name == '\0')
		provider->display_name = provider->id;
	provider->client_id = client_id != NULL ? client_id : "";
	if (client_id == NULL)
		builder_complain(builder, PROVIDER_FIELD_CLIENT_ID,
			"is missing; the provider gives it to a registered application");
}

static struct secret builder_secret(const struct builder *builder, enum provider_field field)
{
	const char *text = builder_text(builder, field);

	return text == NULL ? (struct secret){0} : (struct secret){.text = text, .size = strlen(text)};
}

/* --- URLs -------------------------------------------------------------------------------------------------------- */

/* scheme://host[:port] of a URL, by its length; 0 where it has none. */
static size_t url_origin_size(const char *url)
{
	const char *authority = strstr(url, "://");

	return authority == NULL ? 0 : (size_t)(authority + 3 - url) + strcspn(authority + 3, "/?#");
}

/* Up to and with the last slash of the path: what a sibling stands below. */
static size_t url_folder_size(const char *url)
{
	size_t origin = url_origin_size(url);
	/* What has an origin is a text. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
	size_t size = origin + strcspn(url + origin, "?#");

	while (size > origin && url[size - 1] != '/')
		size--;
	return size;
}

/* Replaces {client_id}, also in what was given. */
static char *url_expand(const struct builder *builder, const char *template)
{
	struct text url = text_in(builder->arena);
	const char *mark;

	while ((mark = strstr(template, CLIENT_ID)) != NULL) {
		text_add_bytes(&url, template, (size_t)(mark - template));
		text_add_url(&url, builder->provider->client_id);
		template = mark + strlen(CLIENT_ID);
	}
	text_add(&url, template);
	return url.bytes;
}

/* The preset's URL with the host it belongs to; "" where the type has none or its host is not known. */
static const char *builder_preset_url(const struct builder *builder, const char *preset)
{
	const char *auth_url = builder_text(builder, PROVIDER_FIELD_AUTH_URL);
	const char *home = auth_url != NULL ? auth_url : builder->preset->origin;

	if (preset == NULL || (home == NULL && (*preset == '/' || *preset == '{')))
		return "";
	if (strncmp(preset, SIBLING, strlen(SIBLING)) == 0)
		return arena_printf(
			builder->arena, "%.*s%s", (int)url_folder_size(home), home, preset + strlen(SIBLING));
	if (*preset != '/')
		return url_expand(builder, preset);
	return url_expand(builder, arena_printf(builder->arena, "%.*s%s", (int)url_origin_size(home), home, preset));
}

/* A given URL beats the preset's. What was given is checked; presets are lawful as their AUTH_URL is. */
static const char *builder_url(struct builder *builder, enum provider_field field, const char *preset)
{
	const char *given = builder_text(builder, field);
	const char *url;

	if (given == NULL)
		return builder_preset_url(builder, preset);
	url = url_expand(builder, given);
	if (!name_is_provider_url(url) || strlen(url) > URL_BYTES_MAX)
		builder_refuse(builder, field, "https://, or http:// on a loopback host, without user and fragment");
	return url;
}

static void builder_set_urls(struct builder *builder)
{
	const struct preset *preset = builder->preset;
	struct provider *provider = builder->provider;

	provider->issuer = builder_url(builder, PROVIDER_FIELD_ISSUER, NULL);
	provider->auth_url = builder_url(builder, PROVIDER_FIELD_AUTH_URL, preset->auth_url);
	provider->token_url = builder_url(builder, PROVIDER_FIELD_TOKEN_URL, preset->token_url);
	provider->validate_url = builder_url(builder, PROVIDER_FIELD_VALIDATE_URL, preset->validate_url);
	provider->revoke_url = builder_url(builder, PROVIDER_FIELD_REVOKE_URL, preset->revoke_url);
	provider->redirect_url = builder_url(builder, PROVIDER_FIELD_REDIRECT_URL, NULL);
	provider->device_code_url = builder_url(builder, PROVIDER_FIELD_DEVICE_CODE_URL, preset->device_code_url);
	provider->app_install_url = builder_url(builder, PROVIDER_FIELD_APP_INSTALL_URL, NULL);
	provider->app_installations_url =
		builder_url(builder, PROVIDER_FIELD_APP_INSTALLATIONS_URL, preset->app_installations_url);
	provider->api_base_url = builder_url(builder, PROVIDER_FIELD_API_BASE_URL, NULL);
}

/* Only a type of no preset may leave its endpoints to discovery; a preset's host cannot be guessed. */
static void builder_check_urls(struct builder *builder)
{
	struct provider *provider = builder->provider;
	bool discovered = provider->type == PROVIDER_OTHER && *provider->issuer != '\0';

	if (*provider->auth_url == '\0' && !discovered)
		builder_complain(builder, PROVIDER_FIELD_AUTH_URL,
			provider->type == PROVIDER_OTHER ? "is missing; give auth_url and token_url, or an issuer to "
							   "discover them from"
							 : "is missing; this type is self-hosted, so give the "
							   "authorization URL of your installation");
	if (provider->type == PROVIDER_OTHER && *provider->token_url == '\0' && !discovered)
		builder_complain(builder, PROVIDER_FIELD_TOKEN_URL,
			"is missing; give auth_url and token_url, or an issuer to discover them from");
	if (provider->device_flow && *provider->device_code_url == '\0')
		builder_complain(builder, PROVIDER_FIELD_DEVICE_CODE_URL, "is missing; device_flow needs it");
}

/* --- the rest ---------------------------------------------------------------------------------------------------- */

static void builder_set_bool(struct builder *builder, enum provider_field field, bool *target)
{
	const char *text = builder_text(builder, field);

	if (text != NULL && !config_parse_bool(text, target))
		builder_refuse(builder, field, "true or false (on, off, yes, no, 1, 0)");
}

static void builder_set_pkce(struct builder *builder)
{
	const char *text = builder_text(builder, PROVIDER_FIELD_PKCE_METHODS);

	builder->provider->pkce = text == NULL ? builder->preset->pkce : strcasecmp(text, "S256") == 0;
	if (text != NULL && strcasecmp(text, "S256") != 0 && strcasecmp(text, "none") != 0)
		builder_refuse(builder, PROVIDER_FIELD_PKCE_METHODS, "S256 or none");
}

static void builder_set_words(struct builder *builder)
{
	const char *fail_mode = builder_text(builder, PROVIDER_FIELD_FAIL_MODE);
	const char *enforcement = builder_text(builder, PROVIDER_FIELD_ENFORCEMENT);
	struct provider *provider = builder->provider;

	provider->fail_mode = fail_mode == NULL ? FAIL_MODE_CLOSED : fail_mode_from_word(fail_mode);
	if (provider->fail_mode == FAIL_MODE_COUNT)
		builder_refuse(builder, PROVIDER_FIELD_FAIL_MODE, "closed, open or last_known_good");
	if (!enforcement_setting_read(enforcement == NULL ? "" : enforcement, &provider->enforcement))
		builder_refuse(builder, PROVIDER_FIELD_ENFORCEMENT,
			"deny, warn or dryrun, or such a word for one moment, like deny,autostart=warn");
}

static void builder_set_durations(struct builder *builder)
{
	struct provider *provider = builder->provider;
	const struct {
		enum provider_field field;
		int64_t *target_ms;
		int64_t fallback_ms;
		int64_t max_ms;
	} durations[] = {
		{PROVIDER_FIELD_LAST_KNOWN_GOOD_MAX_AGE, &provider->last_known_good_max_age_ms, HOUR, 30 * DAY},
		{PROVIDER_FIELD_MIN_VALID, &provider->min_valid_ms, 60 * SECOND, DAY},
		{PROVIDER_FIELD_GATE_MAX_AGE, &provider->gate_max_age_ms, 0, DAY},
		{PROVIDER_FIELD_PREFLIGHT_MAX_AGE, &provider->preflight_max_age_ms, 5 * SECOND, DAY},
		{PROVIDER_FIELD_REFRESH_RETRY_TIMEOUT, &provider->refresh_retry_timeout_ms, 10 * SECOND, 60 * SECOND},
	};

	for (size_t i = 0; i < COUNT_OF(durations); i++) {
		const char *text = builder_text(builder, durations[i].field);

		*durations[i].target_ms = durations[i].fallback_ms;
		if (text == NULL)
			continue;
		if (!config_parse_duration(text, durations[i].target_ms) ||
			*durations[i].target_ms > durations[i].max_ms)
			builder_refuse(builder, durations[i].field,
				arena_printf(builder->arena, "a duration like 10s or 1m30s, from 0s to %s",
					config_print_duration(builder->arena, durations[i].max_ms)));
	}
}

static void builder_set_regex(struct builder *builder)
{
	const char *text = builder_text(builder, PROVIDER_FIELD_REGEX);
	char reason[128];
	regex_t compiled;
	int failure;

	builder->provider->regex = text == NULL ? "" : text;
	builder->provider->preset_regex = "";
	/* With an AUTH_URL the provider is somebody's own, and its tokens are none for the vendor's host. */
	if (text == NULL && builder_text(builder, PROVIDER_FIELD_AUTH_URL) == NULL && builder->preset->regex != NULL)
		builder->provider->preset_regex = builder->preset->regex;
	if (text == NULL)
		return;
	failure = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB);
	if (failure == 0) {
		regfree(&compiled);
		return;
	}
	(void)regerror(failure, &compiled, reason, sizeof(reason));
	builder_refuse(builder, PROVIDER_FIELD_REGEX,
		arena_printf(builder->arena, "a POSIX extended regular expression (regcomp says: %s)", reason));
}

/* Blank-separated words, with one blank between them. */
static const char *builder_words(const struct builder *builder, enum provider_field field, const char *preset)
{
	const char *rest = builder_text(builder, field);
	struct text words = text_in(builder->arena);

	if (rest == NULL)
		return preset == NULL ? "" : preset;
	while (*(rest += strspn(rest, " \t\r\n")) != '\0') {
		size_t size = strcspn(rest, " \t\r\n");

		if (words.size > 0)
			text_add(&words, " ");
		text_add_bytes(&words, rest, size);
		rest += size;
	}
	return words.bytes;
}

static struct provider *provider_build(struct builder *builder)
{
	struct provider *provider = arena_alloc(builder->arena, sizeof(*provider));
	const char *icon = builder_text(builder, PROVIDER_FIELD_DISPLAY_ICON);

	builder->provider = provider;
	builder_set_names(builder);
	provider->display_icon = icon == NULL ? "" : icon;
	provider->client_secret = builder_secret(builder, PROVIDER_FIELD_CLIENT_SECRET);
	provider->client_secret_2 = builder_secret(builder, PROVIDER_FIELD_CLIENT_SECRET_2);
	builder_set_bool(builder, PROVIDER_FIELD_DEVICE_FLOW, &provider->device_flow);
	builder_set_bool(builder, PROVIDER_FIELD_NO_REFRESH, &provider->no_refresh);
	builder_set_urls(builder);
	builder_check_urls(builder);
	provider->scopes = builder_words(builder, PROVIDER_FIELD_SCOPES, builder->preset->scopes);
	provider->extra_token_keys = builder_words(builder, PROVIDER_FIELD_EXTRA_TOKEN_KEYS, NULL);
	builder_set_pkce(builder);
	builder_set_words(builder);
	builder_set_durations(builder);
	builder_set_regex(builder);
	return provider;
}

/* It is asked for once a while, so nothing compiled is kept. */
static bool matches_url(const char *regex, const char *url)
{
	regex_t compiled;
	bool matches;

	if (*regex == '\0' || regcomp(&compiled, regex, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	matches = regexec(&compiled, url, 0, NULL, 0) == 0;
	regfree(&compiled);
	return matches;
}

struct provider *providers_find_for_url(const struct providers *providers, const char *url)
{
	for (size_t i = 0; i < providers->count; i++)
		if (matches_url(providers->list[i]->regex, url))
			return providers->list[i];
	for (size_t i = 0; i < providers->count; i++)
		if (matches_url(providers->list[i]->preset_regex, url))
			return providers->list[i];
	return NULL;
}

struct provider *providers_find(const struct providers *providers, const char *id)
{
	for (size_t i = 0; i < providers->count; i++)
		if (strcmp(providers->list[i]->id, id) == 0)
			return providers->list[i];
	return NULL;
}

bool providers_build(const struct config *config, struct providers *ret_providers, struct config_complaints *complaints)
{
	size_t complaints_before = complaints->count;

	ret_providers->count = 0;
	for (size_t i = 0; i < config->provider_count; i++) {
		struct builder builder = {
			.arena = config->arena, .given = &config->providers[i], .complaints = complaints};
		struct provider *provider = provider_build(&builder);

		if (*provider->id != '\0' && providers_find(ret_providers, provider->id) != NULL)
			config_complain(complaints, builder_place(&builder, PROVIDER_FIELD_ID), "id",
				"%s is already another provider's; give each its own",
				config_show(config->arena, provider->id));
		ret_providers->list[ret_providers->count++] = provider;
	}
	return complaints->count == complaints_before;
}
