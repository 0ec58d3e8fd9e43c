/* SPDX-License-Identifier: Apache-2.0 */
/* The table of contract section 2, type by type, and everything that is refused at start. */
#include "unit.h"

#include "link/provider.h"

#define FIELDS_MAX 12

/* A provider as somebody gives it: pairs of field and text, ended by a NULL text. */
struct given_field {
	enum provider_field field;
	const char *text;
};

struct given_provider {
	struct given_field fields[FIELDS_MAX];
};

static struct config_complaints complaints;

static struct config *config_of(const struct given_provider *given, size_t count)
{
	struct arena *arena = arena_new((size_t)1 << 20);
	struct config *config = arena_alloc(arena, sizeof(*config));

	config->arena = arena;
	config->provider_count = count;
	for (size_t i = 0; i < count; i++) {
		config->providers[i].place = arena_printf(arena, "file:%zu", i + 1);
		for (const struct given_field *field = given[i].fields; field->text != NULL; field++)
			config->providers[i].fields[field->field] = (struct setting_value){field->text, "there"};
	}
	memset(&complaints, 0, sizeof(complaints));
	return config;
}

#define ID(text)                                                                                                       \
	{                                                                                                              \
		PROVIDER_FIELD_ID, text                                                                                \
	}
#define TYPE(text)                                                                                                     \
	{                                                                                                              \
		PROVIDER_FIELD_TYPE, text                                                                              \
	}
#define CLIENT                                                                                                         \
	{                                                                                                              \
		PROVIDER_FIELD_CLIENT_ID, "id/1"                                                                       \
	}
#define AUTH(text)                                                                                                     \
	{                                                                                                              \
		PROVIDER_FIELD_AUTH_URL, text                                                                          \
	}
#define TOKEN(text)                                                                                                    \
	{                                                                                                              \
		PROVIDER_FIELD_TOKEN_URL, text                                                                         \
	}

static const struct {
	struct given_provider given;
	enum provider_type type;
	const char *id, *type_word, *display_name;
	const char *auth_url, *token_url, *validate_url, *revoke_url, *device_code_url, *app_installations_url;
	const char *scopes;
	bool pkce;
} presets[] = {
	{{{TYPE("GitHub"), CLIENT}}, PROVIDER_GITHUB, "github", "github", "github",
		"https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token",
		"https://api.github.com/user", "https://api.github.com/applications/id%2F1/grant",
		"https://github.com/login/device/code", "https://api.github.com/user/installations", "repo workflow",
		true},
	{{{TYPE("gitlab"), CLIENT}}, PROVIDER_GITLAB, "gitlab", "gitlab", "gitlab",
		"https://gitlab.com/oauth/authorize", "https://gitlab.com/oauth/token",
		"https://gitlab.com/oauth/token/info", "https://gitlab.com/oauth/revoke", "", "",
		"write_repository read_api", true},
	{{{ID("corp"), TYPE("gitlab"), CLIENT, AUTH("https://git.corp:8443/oauth/authorize?x=1")}}, PROVIDER_GITLAB,
		"corp", "gitlab", "gitlab", "https://git.corp:8443/oauth/authorize?x=1",
		"https://git.corp:8443/oauth/token", "https://git.corp:8443/oauth/token/info",
		"https://git.corp:8443/oauth/revoke", "", "", "write_repository read_api", true},
	{{{TYPE("gitea"), CLIENT}}, PROVIDER_GITEA, "gitea", "gitea", "gitea",
		"https://gitea.com/login/oauth/authorize", "https://gitea.com/login/oauth/access_token",
		"https://gitea.com/login/oauth/userinfo", "", "", "", "read:repository write:repository read:user",
		true},
	{{{TYPE("gitea"), CLIENT, AUTH("http://127.0.0.1:3000/login/oauth/authorize")}}, PROVIDER_GITEA, "gitea",
		"gitea", "gitea", "http://127.0.0.1:3000/login/oauth/authorize",
		"http://127.0.0.1:3000/login/oauth/access_token", "http://127.0.0.1:3000/login/oauth/userinfo", "", "",
		"", "read:repository write:repository read:user", true},
	{{{TYPE("bitbucket-cloud"), CLIENT}}, PROVIDER_BITBUCKET_CLOUD, "bitbucket-cloud", "bitbucket-cloud",
		"bitbucket-cloud", "https://bitbucket.org/site/oauth2/authorize",
		"https://bitbucket.org/site/oauth2/access_token", "https://api.bitbucket.org/2.0/user", "", "", "",
		"account repository:write", false},
	{{{TYPE("Bitbucket"), CLIENT}}, PROVIDER_BITBUCKET_CLOUD, "bitbucket", "bitbucket-cloud", "bitbucket-cloud",
		"https://bitbucket.org/site/oauth2/authorize", "https://bitbucket.org/site/oauth2/access_token",
		"https://api.bitbucket.org/2.0/user", "", "", "", "account repository:write", false},
	{{{TYPE("bitbucket-server"), CLIENT, AUTH("https://bb.corp/rest/oauth2/latest/authorize")}},
		PROVIDER_BITBUCKET_SERVER, "bitbucket-server", "bitbucket-server", "bitbucket-server",
		"https://bb.corp/rest/oauth2/latest/authorize", "https://bb.corp/rest/oauth2/latest/token",
		"https://bb.corp/rest/api/latest/inbox/pull-requests/count", "", "", "",
		"PUBLIC_REPOS REPO_READ REPO_WRITE", false},
	{{{TYPE("azure-devops"), CLIENT}}, PROVIDER_AZURE_DEVOPS, "azure-devops", "azure-devops", "azure-devops",
		"https://app.vssps.visualstudio.com/oauth2/authorize",
		"https://app.vssps.visualstudio.com/oauth2/token", "", "", "", "", "vso.code_write", false},
	{{{TYPE("azure-devops-entra"), CLIENT, AUTH("https://login.microsoftonline.com/tenant-1/oauth2/authorize")}},
		PROVIDER_AZURE_DEVOPS_ENTRA, "azure-devops-entra", "azure-devops-entra", "azure-devops-entra",
		"https://login.microsoftonline.com/tenant-1/oauth2/authorize",
		"https://login.microsoftonline.com/tenant-1/oauth2/token", "", "", "", "", "", false},
	{{{TYPE("slack"), CLIENT}}, PROVIDER_SLACK, "slack", "slack", "slack", "https://slack.com/oauth/v2/authorize",
		"https://slack.com/api/oauth.v2.access", "", "https://slack.com/api/auth.revoke", "", "", "", false},
	{{{TYPE("jfrog"), CLIENT, AUTH("https://jf.corp/ui/authorization")}}, PROVIDER_JFROG, "jfrog", "jfrog", "jfrog",
		"https://jf.corp/ui/authorization", "https://jf.corp/access/api/v1/integrations/id%2F1/token",
		"https://jf.corp/access/api/v1/system/ping", "", "", "", "applied-permissions/user", false},
	{{{ID("own"), TYPE("Keycloak"), CLIENT, AUTH("https://k.corp/a"), TOKEN("https://k.corp/t")}}, PROVIDER_OTHER,
		"own", "keycloak", "keycloak", "https://k.corp/a", "https://k.corp/t", "", "", "", "", "", true},
	{{{ID("oidc"), CLIENT, {PROVIDER_FIELD_ISSUER, "https://k.corp"}}}, PROVIDER_OTHER, "oidc", "", "oidc", "", "",
		"", "", "", "", "", true},
};

static void every_type_has_its_preset(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(presets); i++) {
		struct config *config = config_of(&presets[i].given, 1);
		struct providers providers;
		const struct provider *provider;

		if (!providers_build(config, &providers, &complaints))
			fail_msg("%s: %s", presets[i].type_word, complaints.lines[0]);
		provider = providers_find(&providers, presets[i].id);
		assert_non_null(provider);
		assert_int_equal(provider->type, presets[i].type);
		assert_string_equal(provider->type_word, presets[i].type_word);
		assert_string_equal(provider->display_name, presets[i].display_name);
		assert_string_equal(provider->auth_url, presets[i].auth_url);
		assert_string_equal(provider->token_url, presets[i].token_url);
		assert_string_equal(provider->validate_url, presets[i].validate_url);
		assert_string_equal(provider->revoke_url, presets[i].revoke_url);
		assert_string_equal(provider->device_code_url, presets[i].device_code_url);
		assert_string_equal(provider->app_installations_url, presets[i].app_installations_url);
		assert_string_equal(provider->scopes, presets[i].scopes);
		assert_int_equal(provider->pkce, presets[i].pkce);
		config_free(config);
	}
}

static void a_given_field_beats_the_preset(void **state)
{
	const struct given_provider given = {{TYPE("github"), CLIENT, AUTH("https://ghe.corp/a"),
		TOKEN("https://ghe.corp/t"), {PROVIDER_FIELD_VALIDATE_URL, "https://ghe.corp/v"},
		{PROVIDER_FIELD_REVOKE_URL, "https://ghe.corp/{client_id}/revoke"},
		{PROVIDER_FIELD_SCOPES, "  a   b\tc "}, {PROVIDER_FIELD_PKCE_METHODS, "none"},
		{PROVIDER_FIELD_DISPLAY_NAME, "GitHub"}, {PROVIDER_FIELD_FAIL_MODE, "last_known_good"},
		{PROVIDER_FIELD_CLIENT_SECRET, "hush"}}};
	struct config *config = config_of(&given, 1);
	struct providers providers;
	const struct provider *provider;

	(void)state;
	assert_true(providers_build(config, &providers, &complaints));
	provider = providers_find(&providers, "github");
	assert_string_equal(provider->auth_url, "https://ghe.corp/a");
	assert_string_equal(provider->token_url, "https://ghe.corp/t");
	assert_string_equal(provider->validate_url, "https://ghe.corp/v");
	assert_string_equal(provider->revoke_url, "https://ghe.corp/id%2F1/revoke");
	assert_string_equal(provider->scopes, "a b c");
	assert_string_equal(provider->display_name, "GitHub");
	assert_string_equal(provider->client_secret.text, "hush");
	assert_true(secret_is_empty(provider->client_secret_2));
	assert_false(provider->pkce);
	assert_int_equal(provider->fail_mode, FAIL_MODE_LAST_KNOWN_GOOD);
	assert_null(providers_find(&providers, "gitlab"));
	config_free(config);
}

static void defaults_are_the_contracts(void **state)
{
	const struct given_provider given = {{TYPE("github"), CLIENT, {PROVIDER_FIELD_SCOPES, ""}}};
	struct config *config = config_of(&given, 1);
	struct providers providers;
	const struct provider *provider;

	(void)state;
	assert_true(providers_build(config, &providers, &complaints));
	provider = providers.list[0];
	assert_int_equal(provider->fail_mode, FAIL_MODE_CLOSED);
	assert_int_equal(provider->enforcement.general, ENFORCEMENT_INHERIT);
	assert_int_equal(provider->last_known_good_max_age_ms, 3600000);
	assert_int_equal(provider->min_valid_ms, 60000);
	assert_int_equal(provider->gate_max_age_ms, 0);
	assert_int_equal(provider->preflight_max_age_ms, 5000);
	assert_int_equal(provider->refresh_retry_timeout_ms, 10000);
	assert_false(provider->device_flow);
	assert_false(provider->no_refresh);
	assert_string_equal(provider->scopes, "");
	assert_string_equal(provider->redirect_url, "");
	assert_string_equal(provider->regex, "");
	config_free(config);
}

/* A preset's hosts are those of the provider that is there, and a REGEX comes before them. */
static void a_url_is_of_the_provider_whose_host_it_names(void **state)
{
	const struct given_provider given[] = {
		{{TYPE("github"), CLIENT}},
		{{TYPE("gitlab"), CLIENT, AUTH("https://gitlab.corp/oauth/authorize")}},
		{{TYPE("gitea"), CLIENT, {PROVIDER_FIELD_REGEX, ""}}},
		{{TYPE("bitbucket"), CLIENT}},
		{{TYPE("azure-devops"), CLIENT}},
		{{ID("corp"), TYPE("github"), CLIENT,
			{PROVIDER_FIELD_REGEX, "^https://(github\\.com/corp/|corp\\.example(/|$))"}}},
	};
	static const struct {
		const char *url, *id;
	} rows[] = {
		{"https://github.com", "github"},
		{"https://gist.github.com/x", "github"},
		{"https://github.com/corp/x", "corp"},
		{"https://corp.example", "corp"},
		{"https://bitbucket.org/x", "bitbucket"},
		{"https://dev.azure.com/x", "azure-devops"},
		{"https://gitlab.com", NULL},
		{"https://gitea.com", NULL},
		{"https://github.com.example", NULL},
		{"https://githubxcom", NULL},
	};
	struct config *config = config_of(given, COUNT_OF(given));
	struct providers providers;

	(void)state;
	assert_true(providers_build(config, &providers, &complaints));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct provider *found = providers_find_for_url(&providers, rows[i].url);

		if ((found == NULL) != (rows[i].id == NULL) || (found != NULL && strcmp(found->id, rows[i].id) != 0))
			fail_msg("%s is of %s", rows[i].url, found != NULL ? found->id : "nobody");
	}
	config_free(config);
}

static const struct {
	struct given_provider given;
	const char *complaint;
} refusals[] = {
	{{{ID("Git Hub"), TYPE("github"), CLIENT}}, "there: id: \"Git Hub\" is not lawful; allowed: an id of 1 to 64 "
						    "lower-case letters, digits and hyphens"},
	{{{TYPE("my_type"), CLIENT, AUTH("https://h/a"), TOKEN("https://h/t")}}, "there: type: \"my_type\" is not "
										 "lawful; allowed: an id of 1 to 64 "
										 "lower-case letters, digits and "
										 "hyphens"},
	{{{CLIENT, AUTH("https://h/a"), TOKEN("https://h/t")}}, "file:1: id: is missing; give an id, or a type that "
								"serves as one"},
	{{{TYPE("github")}}, "file:1: client_id: is missing; the provider gives it to a registered application"},
	{{{TYPE("github"), CLIENT, {PROVIDER_FIELD_REGEX, "("}}}, "there: regex: \"(\" is not lawful; allowed: a POSIX "
								  "extended regular expression (regcomp says: "
								  "Unmatched ( or "
								  "\\()"},
	{{{TYPE("gitlab"), CLIENT, {PROVIDER_FIELD_DEVICE_FLOW, "true"}}}, "file:1: device_code_url: is missing; "
									   "device_flow needs it"},
	{{{TYPE("gitlab"), CLIENT, AUTH("http://git.corp/oauth/authorize")}}, "there: auth_url: "
									      "\"http://git.corp/oauth/authorize\" is "
									      "not lawful; allowed: https://, or "
									      "http:// on a loopback "
									      "host, without user and fragment"},
	{{{TYPE("github"), CLIENT, {PROVIDER_FIELD_VALIDATE_URL, "https://u:hush@h/"}}}, "there: validate_url: "
											 "[secret] is not lawful; "
											 "allowed: https://, or "
											 "http:// on a loopback host, "
											 "without user and "
											 "fragment"},
	{{{TYPE("jfrog"), CLIENT}}, "file:1: auth_url: is missing; this type is self-hosted, so give the authorization "
				    "URL of your installation"},
	{{{TYPE("other"), CLIENT, AUTH("https://h/a")}}, "file:1: token_url: is missing; give auth_url and token_url, "
							 "or an issuer to discover them from"},
	{{{TYPE("github"), CLIENT, {PROVIDER_FIELD_NO_REFRESH, "perhaps"}}}, "there: no_refresh: \"perhaps\" is not "
									     "lawful; allowed: true or false (on, off, "
									     "yes, no, 1, 0)"},
	{{{TYPE("github"), CLIENT, {PROVIDER_FIELD_PKCE_METHODS, "plain"}}}, "there: pkce_methods: \"plain\" is not "
									     "lawful; allowed: S256 or none"},
	{{{TYPE("github"), CLIENT, {PROVIDER_FIELD_FAIL_MODE, "ajar"}}}, "there: fail_mode: \"ajar\" is not lawful; "
									 "allowed: closed, open or last_known_good"},
	{{{TYPE("github"), CLIENT, {PROVIDER_FIELD_ENFORCEMENT, "allow"}}}, "there: enforcement: \"allow\" is not "
									    "lawful; allowed: deny, warn or dryrun, "
									    "or such a word for one moment, like "
									    "deny,autostart=warn"},
	{{{TYPE("github"), CLIENT, {PROVIDER_FIELD_MIN_VALID, "60"}}}, "there: min_valid: \"60\" is not lawful; "
								       "allowed: a duration like 10s or 1m30s, from 0s "
								       "to 24h"},
	{{{TYPE("github"), CLIENT, {PROVIDER_FIELD_REFRESH_RETRY_TIMEOUT, "61s"}}}, "there: refresh_retry_timeout: "
										    "\"61s\" is not lawful; allowed: a "
										    "duration like 10s or 1m30s, from "
										    "0s to 1m"},
};

static void what_the_contract_refuses_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		struct config *config = config_of(&refusals[i].given, 1);
		struct providers providers;

		assert_false(providers_build(config, &providers, &complaints));
		if (complaints.count != 1)
			fail_msg("%zu: %s | %s", i, complaints.lines[0], complaints.lines[1]);
		assert_string_equal(complaints.lines[0], refusals[i].complaint);
		config_free(config);
	}
}

static void two_providers_with_one_id_are_refused(void **state)
{
	const struct given_provider given[] = {{{TYPE("github"), CLIENT}}, {{ID("github"), TYPE("gitlab"), CLIENT}}};
	struct config *config = config_of(given, 2);
	struct providers providers;

	(void)state;
	assert_false(providers_build(config, &providers, &complaints));
	assert_int_equal(complaints.count, 1);
	assert_string_equal(complaints.lines[0], "there: id: \"github\" is already another provider's; give each its "
						 "own");
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_its_preset),
		cmocka_unit_test(a_given_field_beats_the_preset),
		cmocka_unit_test(defaults_are_the_contracts),
		cmocka_unit_test(a_url_is_of_the_provider_whose_host_it_names),
		cmocka_unit_test(what_the_contract_refuses_is_refused),
		cmocka_unit_test(two_providers_with_one_id_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
