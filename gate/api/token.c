/* SPDX-License-Identifier: Apache-2.0 */
/* API tokens: see token.h. */
#include "token.h"

#include "../base/clock.h"
#include "../http/identify.h"
#include "../http/page.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../store/users.h"

/* Lets secret scanners find a leaked key. */
#define KEY_PREFIX "gh_"

static void add_token(struct json *object, const struct api_token *token, struct arena *arena)
{
	json_add_string(object, "id", token->id);
	json_add_string(object, "name", token->name);
	json_add_string(object, "created_at", clock_rfc3339(arena, token->created_at_ms));
	json_add_string(object, "expires_at", clock_rfc3339(arena, token->expires_at_ms));
}

bool api_token_create(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct store *store = request->service->store;
	const char *name = "";
	int64_t lifetime_s = TOKEN_LIFETIME_DEFAULT_S;
	const struct json_field fields[] = {
		{.name = "name", .type = JSON_STRING, .target = &name, .bytes_max = TOKEN_NAME_BYTES_MAX},
		{.name = "lifetime",
			.type = JSON_INTEGER,
			.target = &lifetime_s,
			.min = TOKEN_LIFETIME_MIN_S,
			.max = TOKEN_LIFETIME_MAX_S},
	};
	struct user user;
	struct api_token token;
	uint8_t hash[SHA256_BYTES];

	if (!json_read_fields(request->json, fields, COUNT_OF(fields), request->arena, problem))
		return false;
	if (!subject_find(request, ACTION_TOKEN_MANAGE, &user, problem))
		return false;

	struct secret key = secret_random(request->arena, KEY_PREFIX);

	sha256(key.text, key.size, hash);
	if (!token_insert(store, request->arena, user.id, name, hash, lifetime_s, &token, problem))
		return false;
	subject_audit(request, "token.create", user.id, NULL);

	struct json *root = json_new_object();

	json_add_string(root, "key", key.text);
	add_token(root, &token, request->arena);
	reply_json(reply, 201, root);
	return true;
}

bool api_token_list(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct user user;
	struct page page;
	size_t count = 0;
	struct api_token *tokens = NULL;

	if (!request_page(request, &page, problem) || !subject_find(request, ACTION_TOKEN_MANAGE, &user, problem))
		return false;
	if (!token_list(request->service->store, request->arena, user.id, page_with_one_more(page), &count, &tokens,
		    problem))
		return false;

	size_t shown = page_shown(page, count);
	struct json *root = json_new_object();
	struct json *list = json_add_array(root, "tokens");

	for (size_t i = 0; i < shown; i++) {
		struct json *entry = json_push_object(list);

		add_token(entry, &tokens[i], request->arena);
		json_add_string(entry, "last_used_at", clock_rfc3339(request->arena, tokens[i].last_used_at_ms));
	}
	json_add_string(root, "next_after_id", count > shown ? tokens[shown - 1].id : NULL);
	reply_json(reply, 200, root);
	return true;
}

bool api_token_delete(const struct request *request, struct reply *reply, struct problem *problem)
{
	const struct service *service = request->service;
	const char *id = request_parameter(request, "id");
	struct user user;
	uint8_t hash[SHA256_BYTES];
	bool found = false;

	if (!subject_find(request, ACTION_TOKEN_MANAGE, &user, problem))
		return false;
	if (name_is_uuid(id) && !token_delete(service->store, user.id, id, &found, hash, problem))
		return false;
	if (!found)
		return problem_set(problem, PROBLEM_NOT_FOUND, "This user has no such token.");
	identity_forget_token(service->identities, hash);
	subject_audit(request, "token.delete", user.id, NULL);
	reply_empty(reply, 204);
	return true;
}
