/* SPDX-License-Identifier: Apache-2.0 */
/* Configured providers: presets by type (contract section 2) with the given fields over them, checked. Constant after
 * start, but for what is learnt of a provider while it is asked (atomic members at the end). */
#ifndef LINK_PROVIDER_H
#define LINK_PROVIDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/config.h"
#include "decision.h"
#include "policy.h"

#define PROVIDER_TYPE_LIST(X)                                                                                          \
	X(PROVIDER_OTHER, "")                                                                                          \
	X(PROVIDER_GITHUB, "github")                                                                                   \
	X(PROVIDER_GITLAB, "gitlab")                                                                                   \
	X(PROVIDER_GITEA, "gitea")                                                                                     \
	X(PROVIDER_BITBUCKET_CLOUD, "bitbucket-cloud")                                                                 \
	X(PROVIDER_BITBUCKET_SERVER, "bitbucket-server")                                                               \
	X(PROVIDER_AZURE_DEVOPS, "azure-devops")                                                                       \
	X(PROVIDER_AZURE_DEVOPS_ENTRA, "azure-devops-entra")                                                           \
	X(PROVIDER_SLACK, "slack")                                                                                     \
	X(PROVIDER_JFROG, "jfrog")

#define ENUMERATE(name, word) name,
enum provider_type { PROVIDER_TYPE_LIST(ENUMERATE) PROVIDER_TYPE_COUNT };
#undef ENUMERATE

/* How the token endpoint wants our client credentials. Basic comes first (RFC 6749 section 2.3.1); a provider that
 * refuses it is asked with form parameters, and that is remembered. */
enum client_auth { CLIENT_AUTH_UNKNOWN, CLIENT_AUTH_BASIC, CLIENT_AUTH_FORM };

struct provider {
	const char *id;
	enum provider_type type;
	const char *type_word; /* as configured, lower case; what answers show */
	const char *display_name;
	const char *display_icon;
	const char *issuer; /* "" where none is given; likewise every URL below */
	bool says_issuer;   /* discovered: its answers to a browser name it (RFC 9207) */
	const char *client_id;
	struct secret client_secret;
	struct secret client_secret_2;
	const char *auth_url;
	const char *token_url;
	const char *validate_url;
	const char *revoke_url;
	const char *redirect_url; /* "": <access url>/external-auth/{id}/callback */
	const char *device_code_url;
	const char *app_install_url;
	const char *app_installations_url;
	const char *api_base_url;
	const char *regex;            /* POSIX extended, over URLs of git: whose they are; "": none */
	const char *preset_regex;     /* the same of a preset's own hosts, where neither REGEX nor AUTH_URL is given */
	const char *scopes;           /* blank-separated */
	const char *extra_token_keys; /* blank-separated */
	bool device_flow;
	bool no_refresh;
	bool pkce; /* S256 */
	enum fail_mode fail_mode;
	struct enforcement_setting enforcement;
	int64_t last_known_good_max_age_ms;
	int64_t min_valid_ms;
	int64_t gate_max_age_ms;
	int64_t preflight_max_age_ms;
	int64_t refresh_retry_timeout_ms;
	_Atomic int client_auth; /* enum client_auth, learnt */
};

struct providers {
	size_t count;
	struct provider *list[PROVIDERS_MAX];
};

/* Applies presets and checks: everything that contract section 2 refuses at start is complained about with its place.
 * A provider with ISSUER whose endpoints are not all given is completed later by provider_discover. Lives in the
 * configuration's arena. */
MUST_CHECK bool providers_build(
	const struct config *config, struct providers *ret_providers, struct config_complaints *complaints);

/* The first provider whose REGEX matches a URL, such as git's of a repository, else the first whose preset is of its
 * host; NULL: there is none. */
struct provider *providers_find_for_url(const struct providers *providers, const char *url);

/* NULL: not configured. */
struct provider *providers_find(const struct providers *providers, const char *id);

#endif
