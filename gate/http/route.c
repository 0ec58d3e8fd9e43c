/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes: see route.h. The first fitting row answers; rows stand in the order of schema/openapi.yaml. */
#include "route.h"

#include "../api/acquire.h"
#include "../api/build.h"
#include "../api/connect.h"
#include "../api/connect_callback.h"
#include "../api/decision.h"
#include "../api/device_link.h"
#include "../api/exemption.h"
#include "../api/external_auth.h"
#include "../api/external_token.h"
#include "../api/health.h"
#include "../api/impact.h"
#include "../api/link_url.h"
#include "../api/oauth2.h"
#include "../api/oauth2_metadata.h"
#include "../api/page_device.h"
#include "../api/page_providers.h"
#include "../api/prebuild.h"
#include "../api/preflight.h"
#include "../api/provisioner.h"
#include "../api/sign_in.h"
#include "../api/template.h"
#include "../api/token.h"
#include "../api/user.h"
#include "../api/workspace.h"
#include "../hook/admission_review.h"
#include "../hook/check.h"
#include "../hook/explain.h"
#include "../hook/ext_authz.h"
#include "../hook/opa.h"
#include "../hook/receipts.h"
#include "must_check.h"

#define USERS "/api/v2/users"
#define TEMPLATES "/api/v2/templates"
#define VERSIONS "/api/v2/templateversions"
#define BUILDS "/api/v2/builds"
#define LINKS "/api/v2/external-auth"
#define GATE "/gate/v1"
#define EXEMPTIONS "/gate/v1/exemptions"
#define MEMBERS "/api/v2/organizations/{org}/members"

/* What stands in two tables: the hooks, and what a balancer in front asks. */
#define ROW_CHECK "POST", GATE "/check", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, hook_check
#define ROW_REVIEW "POST", GATE "/admission-review", ROUTE_NEEDS_TOKEN, ROUTE_FOREIGN_JSON_BODY, hook_admission_review
#define ROW_EXT_AUTHZ "ANY", GATE "/ext-authz/...", ROUTE_NEEDS_TOKEN, ROUTE_ANY_BODY, hook_ext_authz
#define ROW_OPA "POST", GATE "/data", ROUTE_NEEDS_TOKEN, ROUTE_FOREIGN_JSON_BODY, hook_opa
#define ROW_LIVE "GET", "/healthz", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_health_live

const struct route ROUTES_API[] = {
	{"POST", USERS, ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_user_create},
	{"GET", USERS, ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_user_list},
	{"GET", USERS "/{user}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_user_get},
	{"PATCH", USERS "/{user}", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_user_update},
	{"DELETE", USERS "/{user}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_user_delete},
	{"POST", USERS "/{user}/keys/tokens", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_token_create},
	{"GET", USERS "/{user}/keys/tokens", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_token_list},
	{"DELETE", USERS "/{user}/keys/tokens/{id}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_token_delete},

	{"POST", TEMPLATES, ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_template_create},
	{"GET", TEMPLATES, ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_template_list},
	{"GET", TEMPLATES "/{template}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_template_get},
	{"PATCH", TEMPLATES "/{template}", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_template_update},
	{"POST", TEMPLATES "/{template}/versions", ROUTE_NEEDS_TOKEN, ROUTE_FOREIGN_JSON_BODY, api_version_create},
	{"GET", TEMPLATES "/{template}/versions", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_version_list},
	{"GET", VERSIONS "/{id}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_version_get},
	{"POST", VERSIONS "/{id}/archive", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_version_archive},
	{"POST", VERSIONS "/{id}/unarchive", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_version_unarchive},
	{"GET", VERSIONS "/{id}/external-auth", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_preflight},
	{"GET", "/gate/v1/templateversions/{id}/impact", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_version_impact},

	{"POST", USERS "/{user}/workspaces", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_workspace_create},
	{"GET", USERS "/{user}/workspaces", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_workspace_list},
	{"POST", MEMBERS "/{user}/workspaces", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_workspace_create},
	{"GET", "/api/v2/workspaces/{id}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_workspace_get},

	{"POST", "/api/v2/workspaces/{id}/builds", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_build_create},
	{"GET", BUILDS "/{id}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_build_get},
	{"POST", TEMPLATES "/{template}/prebuilds", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_prebuild_create},
	{"POST", "/api/v2/provisioner/acquire", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_provisioner_acquire},
	{"POST", BUILDS "/{id}/renew", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_build_renew},
	{"POST", BUILDS "/{id}/release", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_build_release},
	{"POST", BUILDS "/{id}/complete", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_build_complete},

	{"GET", LINKS, ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_external_auth_list},
	{"GET", USERS "/{user}/external-auth", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_external_auth_list_of_user},
	{"GET", LINKS "/{provider}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_external_auth_get},
	{"DELETE", LINKS "/{provider}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_external_auth_unlink},
	{"GET", LINKS "/{provider}/device", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_device_link_start},
	{"POST", LINKS "/{provider}/device", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_device_link_poll},
	{"PUT", USERS "/{user}/external-auth/{provider}", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_external_auth_import},
	{"GET", USERS "/{user}/external-auth/{provider}/token", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY,
		api_external_token_get},
	{"POST", USERS "/{user}/external-auth/{provider}/link-url", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY,
		api_link_url_create},

	{ROW_CHECK},
	{"POST", GATE "/explain", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, hook_explain},
	{ROW_REVIEW},
	{ROW_EXT_AUTHZ},
	{ROW_OPA},
	{"POST", GATE "/receipts/verify", ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, hook_receipt_verify},
	{"POST", EXEMPTIONS, ROUTE_NEEDS_TOKEN, ROUTE_JSON_BODY, api_exemption_create},
	{"GET", EXEMPTIONS, ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_exemption_list},
	{"GET", EXEMPTIONS "/{id}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_exemption_get},
	{"DELETE", EXEMPTIONS "/{id}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_exemption_delete},
	{"GET", GATE "/decisions", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_decision_list},
	{"GET", GATE "/decisions/{id}", ROUTE_NEEDS_TOKEN, ROUTE_NO_BODY, api_decision_get},

	{"GET", "/external-auth/{provider}", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_connect_start},
	{"GET", "/external-auth/{provider}/callback", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_connect_callback},
	{"POST", "/external-auth/{provider}/disconnect", ROUTE_NEEDS_NOTHING, ROUTE_FORM_BODY, api_page_disconnect},
	{"POST", "/external-auth/{provider}/device", ROUTE_NEEDS_NOTHING, ROUTE_FORM_BODY, api_device_link_page},
	{"GET", "/login", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_sign_in_page},
	{"GET", "/login/start", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_sign_in_start},
	{"GET", "/login/callback", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_sign_in_callback},
	{"POST", "/logout", ROUTE_NEEDS_NOTHING, ROUTE_FORM_BODY, api_sign_out},
	{"GET", "/", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_page_providers},
	{"GET", "/device", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_page_device},
	{"POST", "/device", ROUTE_NEEDS_NOTHING, ROUTE_FORM_BODY, api_page_device_answer},

	{"POST", "/oauth2/device_authorization", ROUTE_NEEDS_NOTHING, ROUTE_FORM_BODY, api_oauth2_device_authorization},
	{"POST", "/oauth2/token", ROUTE_NEEDS_NOTHING, ROUTE_FORM_BODY, api_oauth2_token},
	{"POST", "/oauth2/revoke", ROUTE_NEEDS_NOTHING, ROUTE_FORM_BODY, api_oauth2_revoke},
	{"GET", "/.well-known/oauth-authorization-server/...", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_oauth2_metadata},
};
const size_t ROUTES_API_COUNT = COUNT_OF(ROUTES_API);

const struct route ROUTES_HOOK[] = {{ROW_LIVE}, {ROW_CHECK}, {ROW_REVIEW}, {ROW_EXT_AUTHZ}, {ROW_OPA}};
const size_t ROUTES_HOOK_COUNT = COUNT_OF(ROUTES_HOOK);

const struct route ROUTES_ADMIN[] = {
	{ROW_LIVE},
	{"GET", "/readyz", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_health_ready},
	{"GET", "/metrics", ROUTE_NEEDS_NOTHING, ROUTE_NO_BODY, api_health_metrics},
};
const size_t ROUTES_ADMIN_COUNT = COUNT_OF(ROUTES_ADMIN);
