/* SPDX-License-Identifier: Apache-2.0 */
/* Users: see user.h. A control plane may manage ordinary users only, so that its token, if it leaks, makes no
 * administrator. */
#include "user.h"

#include <string.h>

#include "../base/clock.h"
#include "../http/identify.h"
#include "../http/page.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../store/users.h"

#define ROLES_OF_MEMBER (1u << ROLE_MEMBER)

/* A list of roles longer than this only repeats itself. */
#define ROLES_LISTED_MAX 16

static struct json *show_user(const struct user *user, struct arena *arena)
{
	struct json *root = json_new_object();

	json_add_string(root, "id", user->id);
	json_add_string(root, "username", user->username);
	json_add_string(root, "email", user->email);
	json_add_string(root, "status", user->suspended ? "suspended" : "active");
	struct json *roles = json_add_array(root, "roles");

	for (enum role role = ROLE_MEMBER; role < ROLE_COUNT; role++) {
		if ((user->roles & (1u << role)) != 0)
			json_push_string(roles, role_word(role));
	}
	json_add_string(root, "created_at", clock_rfc3339(arena, user->created_at_ms));
	return root;
}

static bool read_roles(const struct json *list, role_set *ret_roles, struct problem *problem)
{
	*ret_roles = ROLES_OF_MEMBER;
	if (json_count(list) > ROLES_LISTED_MAX)
		return problem_add_violation(problem, "roles", "has more than %d entries", ROLES_LISTED_MAX);
	for (const struct json *entry = json_first(list); entry != NULL; entry = json_next(entry)) {
		const char *word = json_string(entry);
		enum role role = word == NULL ? ROLE_COUNT : role_from_word(word);

		if (role == ROLE_COUNT)
			return problem_add_violation(problem, "roles",
				"each must be one of member, template-author, control-plane, provisioner, auditor, "
				"admin");
		*ret_roles |= 1u << role;
	}
	return true;
}

static bool check_email(const char *email, struct problem *problem)
{
	if (email == NULL || name_is_email(email))
		return true;
	return problem_add_violation(
		problem, "email", "must be an address such as ada@example.org, at most %d characters", EMAIL_BYTES_MAX);
}

/* Granting more than `member`, and touching who has more, is for those who may grant roles. */
static bool may_grant(const struct request *request, role_set roles, struct problem *problem)
{
	if (roles == ROLES_OF_MEMBER)
		return true;
	return subject_allow(request, ACTION_ROLE_GRANT, problem);
}

bool api_user_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *username = NULL;
	const char *email = NULL;
	const struct json *role_list = NULL;
	const struct json_field fields[] = {
		{.name = "username",
			.type = JSON_STRING,
			.target = &username,
			.required = true,
			.bytes_max = NAME_BYTES_MAX},
		{.name = "email", .type = JSON_STRING, .target = &email, .bytes_max = EMAIL_BYTES_MAX},
		{.name = "roles", .type = JSON_ARRAY, .target = &role_list},
	};
	role_set roles = ROLES_OF_MEMBER;
	struct user user;
	bool good = json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);

	if (username != NULL && !name_is_user(username))
		good = problem_add_violation(problem, "username",
			"must be 1 to %d of a-z, 0-9 and -, and neither `me` nor `prebuilds`", NAME_BYTES_MAX);
	good = check_email(email, problem) && good;
	good = read_roles(role_list, &roles, problem) && good;
	if (!good || !subject_allow(request, ACTION_USER_CREATE, problem) || !may_grant(request, roles, problem))
		return false;

	const struct user new_user = {.username = username, .email = email, .roles = roles};

	if (!user_insert(request->service->store, request->arena, &new_user, &user, problem))
		return false;
	subject_audit(request, "user.create", user.id, NULL);
	reply_json(reply, 201, show_user(&user, request->arena));
	return true;
}

bool api_user_list(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct page page;
	size_t count = 0;
	struct user *users = NULL;

	if (!request_page(request, &page, problem) || !subject_allow(request, ACTION_USER_LIST, problem))
		return false;
	if (!user_list(request->service->store, request->arena, page_with_one_more(page), &count, &users, problem))
		return false;

	size_t shown = page_shown(page, count);
	struct json *root = json_new_object();
	struct json *list = json_add_array(root, "users");

	for (size_t i = 0; i < shown; i++)
		json_push(list, show_user(&users[i], request->arena));
	json_add_string(root, "next_after_id", count > shown ? users[shown - 1].id : NULL);
	reply_json(reply, 200, root);
	return true;
}

bool api_user_get(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct user user;

	if (!subject_find(request, ACTION_USER_READ, &user, problem))
		return false;
	reply_json(reply, 200, show_user(&user, request->arena));
	return true;
}

/* Removed, or given other roles, between the look and the change. */
static bool changed_meanwhile(const struct request *request, struct problem *problem)
{
	struct user user;

	if (!subject_find(request, ACTION_USER_READ, &user, problem))
		return false;
	(void)problem_set(problem, PROBLEM_CHANGED_MEANWHILE, "The user was changed or removed just now.");
	problem->retry_after_s = 1;
	return problem_detail(problem, "Nothing was done; look again and try again.");
}

struct user_patch {
	bool suspended;
	bool has_status;
	const char *email;
	bool has_email;
	role_set roles;
	bool has_roles;
	bool forget_sign_in;
};

static bool read_patch(const struct request *request, struct user_patch *ret_patch, struct problem *problem)
{
	const char *status = NULL;
	const char *subject = NULL;
	const struct json *role_list = NULL;
	struct user_patch patch = {.roles = ROLES_OF_MEMBER};
	const struct json_field fields[] = {
		{.name = "status", .type = JSON_STRING, .target = &status},
		{.name = "email",
			.type = JSON_STRING,
			.target = &patch.email,
			.bytes_max = EMAIL_BYTES_MAX,
			.present = &patch.has_email},
		{.name = "roles", .type = JSON_ARRAY, .target = &role_list},
		{.name = "oidc_subject",
			.type = JSON_STRING,
			.target = &subject,
			.bytes_max = OIDC_SUBJECT_BYTES_MAX,
			.present = &patch.forget_sign_in},
	};
	bool good = json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem);

	if (subject != NULL)
		good = problem_add_violation(
			problem, "oidc_subject", "must be null: who signs in next is taken for the user");
	patch.has_status = status != NULL;
	patch.suspended = patch.has_status && strcmp(status, "suspended") == 0;
	if (patch.has_status && !patch.suspended && strcmp(status, "active") != 0)
		good = problem_add_violation(problem, "status", "must be `active` or `suspended`");
	good = check_email(patch.email, problem) && good;
	patch.has_roles = role_list != NULL;
	good = read_roles(role_list, &patch.roles, problem) && good;
	*ret_patch = patch;
	return good;
}

bool api_user_update(const struct request *request, struct reply *reply, struct problem *problem)
{
	const struct service *service = request->service;
	struct user_patch patch;
	struct user user;
	bool found = false;

	if (!read_patch(request, &patch, problem) || !subject_find(request, ACTION_USER_CHANGE, &user, problem))
		return false;
	if (!may_grant(request, user.roles | patch.roles, problem))
		return false;

	const struct user_change change = {.suspended = patch.has_status ? &patch.suspended : NULL,
		.email = patch.email,
		.clear_email = patch.has_email && patch.email == NULL,
		.roles = patch.has_roles ? &patch.roles : NULL,
		.forget_sign_in = patch.forget_sign_in};

	if (!user_update(service->store, request->arena, &user, &change, &found, &user, problem))
		return false;
	if (!found)
		return changed_meanwhile(request, problem);
	identity_forget_user(service->identities, user.id);
	subject_audit(request, "user.update", user.id, NULL);
	reply_json(reply, 200, show_user(&user, request->arena));
	return true;
}

bool api_user_delete(const struct request *request, struct reply *reply, struct problem *problem)
{
	const struct service *service = request->service;
	struct user user;
	bool found = false;

	if (!subject_find(request, ACTION_USER_DELETE, &user, problem) || !may_grant(request, user.roles, problem))
		return false;
	if (!user_delete(service->store, &user, &found, problem))
		return false;
	if (!found)
		return changed_meanwhile(request, problem);
	identity_forget_user(service->identities, user.id);
	subject_audit(request, "user.delete", user.id, NULL);
	reply_empty(reply, 204);
	return true;
}
