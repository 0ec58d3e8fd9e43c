/* SPDX-License-Identifier: Apache-2.0 */
/* The table of provider types. URLs are as the providers document them; the ones that stay on a vendor's own host are
 * written in full, so that a self-hosted AUTH_URL does not move them. */
#include "provider_presets.h"

#include <strings.h>

#include "must_check.h"

static const struct preset presets[] = {
	[PROVIDER_OTHER] = {.pkce = true},
	[PROVIDER_GITHUB] = {.origin = "https://github.com",
		.auth_url = "https://github.com/login/oauth/authorize",
		.token_url = "https://github.com/login/oauth/access_token",
		.validate_url = "https://api.github.com/user",
		.revoke_url = "https://api.github.com/applications/{client_id}/grant",
		.device_code_url = "https://github.com/login/device/code",
		.app_installations_url = "https://api.github.com/user/installations",
		.regex = "^https://(gist\\.)?github\\.com(/|$)",
		.scopes = "repo workflow",
		.pkce = true},
	[PROVIDER_GITLAB] = {.origin = "https://gitlab.com",
		.auth_url = "/oauth/authorize",
		.token_url = "/oauth/token",
		.validate_url = "/oauth/token/info",
		.revoke_url = "/oauth/revoke",
		.regex = "^https://gitlab\\.com(/|$)",
		.scopes = "write_repository read_api",
		.pkce = true},
	[PROVIDER_GITEA] = {.origin = "https://gitea.com",
		.auth_url = "/login/oauth/authorize",
		.token_url = "/login/oauth/access_token",
		.validate_url = "/login/oauth/userinfo",
		.regex = "^https://gitea\\.com(/|$)",
		.scopes = "read:repository write:repository read:user",
		.pkce = true},
	[PROVIDER_BITBUCKET_CLOUD] = {.origin = "https://bitbucket.org",
		.auth_url = "https://bitbucket.org/site/oauth2/authorize",
		.token_url = "https://bitbucket.org/site/oauth2/access_token",
		.validate_url = "https://api.bitbucket.org/2.0/user",
		.regex = "^https://bitbucket\\.org(/|$)",
		.scopes = "account repository:write"},
	[PROVIDER_BITBUCKET_SERVER] = {.token_url = "/rest/oauth2/latest/token",
		.validate_url = "/rest/api/latest/inbox/pull-requests/count",
		.scopes = "PUBLIC_REPOS REPO_READ REPO_WRITE"},
	[PROVIDER_AZURE_DEVOPS] = {.origin = "https://app.vssps.visualstudio.com",
		.auth_url = "https://app.vssps.visualstudio.com/oauth2/authorize",
		.token_url = "https://app.vssps.visualstudio.com/oauth2/token",
		.regex = "^https://dev\\.azure\\.com(/|$)",
		.scopes = "vso.code_write"},
	/* The token URL is AUTH_URL's sibling, below the same tenant: provider.c. */
	[PROVIDER_AZURE_DEVOPS_ENTRA] = {.token_url = "{sibling}token"},
	[PROVIDER_SLACK] = {.origin = "https://slack.com",
		.auth_url = "https://slack.com/oauth/v2/authorize",
		.token_url = "https://slack.com/api/oauth.v2.access",
		.revoke_url = "https://slack.com/api/auth.revoke"},
	[PROVIDER_JFROG] = {.token_url = "/access/api/v1/integrations/{client_id}/token",
		.validate_url = "/access/api/v1/system/ping",
		.scopes = "applied-permissions/user"},
};
_Static_assert(COUNT_OF(presets) == PROVIDER_TYPE_COUNT, "every type has its preset");

#define ENUMERATE(name, word) word,
static const char *const type_words[] = {PROVIDER_TYPE_LIST(ENUMERATE)};
#undef ENUMERATE

const struct preset *provider_preset(enum provider_type type)
{
	return &presets[(unsigned)type < PROVIDER_TYPE_COUNT ? type : PROVIDER_OTHER];
}

enum provider_type provider_type_from_word(const char *word)
{
	if (strcasecmp(word, "bitbucket") == 0)
		return PROVIDER_BITBUCKET_CLOUD;
	for (size_t type = PROVIDER_OTHER + 1; type < PROVIDER_TYPE_COUNT; type++)
		if (strcasecmp(word, type_words[type]) == 0)
			return (enum provider_type)type;
	return PROVIDER_OTHER;
}

const char *provider_type_word(enum provider_type type)
{
	return (unsigned)type < PROVIDER_TYPE_COUNT ? type_words[type] : "";
}
