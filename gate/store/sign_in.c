/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in with OpenID Connect: see sign_in.h. */
#include "sign_in.h"

#include <string.h>

#include "bounds.h"
#include "user_row.h"

bool sign_in_state_insert(struct store *store, const uint8_t hash[SHA256_BYTES],
	const uint8_t browser_hash[SHA256_BYTES], const char *redirect, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_SIGN_IN_STATE_INSERT);
	bind_bytes(&call, hash, SHA256_BYTES);
	bind_bytes(&call, browser_hash, SHA256_BYTES);
	bind_text(&call, redirect);
	bind_integer(&call, OAUTH_STATE_LIFETIME_S);
	return store_do(store, &call, problem);
}

bool sign_in_state_take(struct store *store, struct arena *arena, const uint8_t hash[SHA256_BYTES],
	const uint8_t browser_hash[SHA256_BYTES], bool *ret_found, const char **ret_redirect, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_SIGN_IN_STATE_TAKE);
	bind_bytes(&call, hash, SHA256_BYTES);
	bind_bytes(&call, browser_hash, SHA256_BYTES);
	SCOPED(rows_release) struct rows rows = {0};
	if (!store_find(store, &call, &rows, ret_found, problem))
		return false;
	struct row row = row_at(&rows, 0);
	if (*ret_found)
		*ret_redirect = row_text(&row, arena);
	return true;
}

static enum sign_in_match match_of(const char *how)
{
	if (strcmp(how, "known") == 0)
		return SIGN_IN_KNOWN;
	return strcmp(how, "bound") == 0 ? SIGN_IN_BOUND : SIGN_IN_MADE;
}

/* *ret_again: somebody made the same user, or bound the same subject, at this very moment. */
static bool match_once(struct store *store, struct arena *arena, const struct call *call, enum sign_in_match *ret_match,
	struct user *ret_user, bool *ret_again, struct problem *problem)
{
	SCOPED(rows_release) struct rows rows = {0};
	*ret_match = SIGN_IN_NONE;
	if (!store_run(store, call, &rows, problem))
		return false;
	*ret_again = *rows.violated != '\0';
	if (*ret_again || rows_count(&rows) == 0)
		return true;
	struct row row = row_at(&rows, 0);
	*ret_match = match_of(row_text(&row, arena));
	user_read_row(&row, arena, ret_user);
	return true;
}

bool sign_in_match_user(struct store *store, struct arena *arena, const struct sign_in_identity *identity,
	bool allow_new, enum sign_in_match *ret_match, struct user *ret_user, struct problem *problem)
{
	char id[UUID_TEXT_SIZE];
	bool again = false;
	uuid_new(id);
	struct call call;
	call_write(&call, QUERY_SIGN_IN_USER);
	call.expects_violation = true;
	bind_text(&call, identity->issuer);
	bind_text(&call, identity->subject);
	bind_text(&call, identity->username);
	bind_text(&call, id);
	bind_bool(&call, allow_new);
	bind_text(&call, identity->email);
	if (!match_once(store, arena, &call, ret_match, ret_user, &again, problem))
		return false;
	/* What the other one wrote is there now, and is found. */
	if (again && !match_once(store, arena, &call, ret_match, ret_user, &again, problem))
		return false;
	return true;
}

bool login_session_insert(struct store *store, const uint8_t hash[SHA256_BYTES], const char *user_id,
	const uint8_t *replaced, bool *ret_found, struct problem *problem)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	struct call call;
	call_write(&call, QUERY_LOGIN_SESSION_INSERT);
	bind_bytes(&call, hash, SHA256_BYTES);
	bind_text(&call, id);
	bind_text(&call, user_id);
	bind_integer(&call, LOGIN_SESSION_LIFETIME_S);
	if (replaced != NULL)
		bind_bytes(&call, replaced, SHA256_BYTES);
	else
		bind_null(&call);
	return store_ask(store, &call, ret_found, problem);
}

bool login_session_delete(struct store *store, const char *session_id, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_LOGIN_SESSION_DELETE);
	bind_text(&call, session_id);
	return store_do(store, &call, problem);
}
