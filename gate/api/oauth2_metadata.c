/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata document: see oauth2_metadata.h. The issuer is the access URL. RFC 8414 section 3.1 puts the issuer's
 * path behind the well-known one, so with an access URL that has a path a proxy hands both paths on. */
#include "oauth2_metadata.h"

#include <string.h>

#include "../http/service.h"

#define WELL_KNOWN "/.well-known/oauth-authorization-server"

static const char *issuer_path(const char *issuer)
{
	const char *host = strstr(issuer, "://");
	const char *path = host != NULL ? strchr(host + strlen("://"), '/') : NULL;

	return path != NULL ? path : "";
}

static void add_texts(struct json *root, const char *name, size_t count, const char *const *texts)
{
	struct json *list = json_add_array(root, name);

	for (size_t i = 0; i < count; i++)
		json_push_string(list, texts[i]);
}

bool api_oauth2_metadata(const struct request *request, struct reply *reply, struct problem *problem)
{
	static const char *const grants[] = {"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"};
	static const char *const public_only[] = {"none"};
	const char *issuer = request->service->access_url;
	struct arena *arena = request->arena;

	if (strcmp(request->path + strlen(WELL_KNOWN), issuer_path(issuer)) != 0)
		return problem_set(problem, PROBLEM_NOT_FOUND, "There is no login server of this name here.");

	struct json *root = json_new_object();

	json_add_string(root, "issuer", issuer);
	json_add_string(
		root, "device_authorization_endpoint", arena_printf(arena, "%s/oauth2/device_authorization", issuer));
	json_add_string(root, "token_endpoint", arena_printf(arena, "%s/oauth2/token", issuer));
	json_add_string(root, "revocation_endpoint", arena_printf(arena, "%s/oauth2/revoke", issuer));
	add_texts(root, "grant_types_supported", COUNT_OF(grants), grants);
	add_texts(root, "token_endpoint_auth_methods_supported", COUNT_OF(public_only), public_only);
	add_texts(root, "revocation_endpoint_auth_methods_supported", COUNT_OF(public_only), public_only);
	/* Required, and there is no authorization endpoint: section 3.2 leaves empty lists out, section 2 does not. */
	add_texts(root, "response_types_supported", 0, NULL);
	reply_json(reply, 200, root);
	return true;
}
