/* SPDX-License-Identifier: Apache-2.0 */
/* The URL for the owner's browser, with its one-time ticket: see link_url.h. Who opens it lends their own account at
 * the provider, so it is for the owner alone: good once, for one provider and one user. */
#include "link_url.h"

#include "../base/clock.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../store/browser.h"

static bool link_url_not_allowed(struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_LINK_URL_NOT_ALLOWED,
		"Only the owner, or the control plane for them, may ask for this URL.");
	return problem_detail(problem, "Who opens it connects their own account: let the owner ask for it themselves.");
}

/* Authorises before anything is looked up: an administrator sees users but may not link for them. */
static bool find_owner_reference(const struct request *request, const char **ret_reference, struct problem *problem)
{
	if (subject_reference(request, request_parameter(request, "user"), ACTION_LINK_URL, ret_reference, problem))
		return true;
	if (problem->kind == PROBLEM_FORBIDDEN)
		return link_url_not_allowed(problem);
	return false;
}

/* Of several that ask for one new name at once, one makes the user and the others find them. */
static bool make_owner(
	const struct request *request, const char *username, struct user *ret_user, struct problem *problem)
{
	struct store *store = request->service->store;
	const struct user newcomer = {.username = username, .roles = 1u << ROLE_MEMBER};
	bool found = false;

	if (user_insert(store, request->arena, &newcomer, ret_user, problem)) {
		subject_audit(request, "user.create", ret_user->id, NULL);
		return true;
	}
	if (problem->kind != PROBLEM_NAME_TAKEN)
		return false;
	if (!user_find(store, request->arena, username, &found, ret_user, problem))
		return false;
	return found || subject_not_found(problem);
}

/* A control plane need not copy its users here first: a lawful name nobody has is made a user (contract section 7). */
static bool find_or_make_owner(
	const struct request *request, const char *reference, struct user *ret_user, struct problem *problem)
{
	struct store *store = request->service->store;
	bool found = false;

	if (!user_find(store, request->arena, reference, &found, ret_user, problem))
		return false;
	if (!found && !name_is_user(reference))
		return subject_not_found(problem);
	if (!found && !make_owner(request, reference, ret_user, problem))
		return false;
	if (!ret_user->suspended)
		return true;
	(void)problem_set(problem, PROBLEM_OWNER_SUSPENDED, "%s is suspended.", ret_user->username);
	return problem_detail(problem, "An administrator can make the account active again.");
}

bool api_link_url_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct arena *arena = request->arena;
	const char *redirect = NULL;
	const struct json_field fields[] = {
		{.name = "redirect", .type = JSON_STRING, .target = &redirect, .bytes_max = REDIRECT_BYTES_MAX},
	};
	const char *reference = NULL;
	struct provider *provider = NULL;
	struct user owner;
	uint8_t hash[SHA256_BYTES];
	int64_t expires_at_ms = 0;

	if (!json_read_fields(request->json, fields, COUNT_OF(fields), arena, problem) ||
		!subject_check_redirect(redirect, problem) || !find_owner_reference(request, &reference, problem) ||
		!engine_find_provider(
			request->service->engine, request_parameter(request, "provider"), &provider, problem) ||
		!find_or_make_owner(request, reference, &owner, problem))
		return false;

	struct secret ticket = secret_random(arena, "");

	sha256(ticket.text, ticket.size, hash);
	if (!ticket_insert(request->service->store, hash, owner.id, provider->id, redirect, &expires_at_ms, problem))
		return false;

	struct json *root = json_new_object();

	json_add_string(root, "url",
		arena_printf(arena, "%s/external-auth/%s?ticket=%s", request->service->access_url, provider->id,
			ticket.text));
	json_add_string(root, "expires_at", clock_rfc3339(arena, expires_at_ms));
	reply_json(reply, 201, root);
	return true;
}
