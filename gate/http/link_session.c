/* SPDX-License-Identifier: Apache-2.0 */
/* Whose browser it is: see link_session.h. */
#include "link_session.h"

#include <string.h>

#include "../base/text.h"
#include "service.h"
#include "session.h"

#define SESSION_COOKIE "gatehouse_session"

/* One user connects so many accounts at once, each in a tab that came with a ticket of its own. */
#define SESSIONS_MAX 4

/* The sessions whose tokens stand in the cookie, with dots between them, the newest first. */
struct ticketed {
	size_t count;
	struct browser_session sessions[SESSIONS_MAX];
	const char *tokens[SESSIONS_MAX];
};

static bool session_required(struct problem *problem, const char *why)
{
	(void)problem_set(problem, PROBLEM_SESSION_REQUIRED, "%s", why);
	return problem_detail(problem, "Ask for a new link where this one came from, and open it once, in this "
				       "browser.");
}

static bool check_active(const struct browser_session *session, struct problem *problem)
{
	if (!session->user.suspended)
		return true;
	(void)problem_set(problem, PROBLEM_OWNER_SUSPENDED, "%s is suspended.", session->user.username);
	return problem_detail(problem, "An administrator can make the account active again.");
}

static bool is_for_provider(const struct request *request, const struct browser_session *session)
{
	return session->provider_id == NULL ||
	       strcmp(session->provider_id, request_parameter(request, "provider")) == 0;
}

/* --- the cookie -------------------------------------------------------------------------------------------------- */

static bool add_session(
	const struct request *request, const char *token, struct ticketed *ticketed, struct problem *problem)
{
	uint8_t hash[SHA256_BYTES];
	bool found = false;

	sha256(token, strlen(token), hash);
	if (!session_find(request->service->store, request->arena, hash, &found, &ticketed->sessions[ticketed->count],
		    problem))
		return false;
	if (found)
		ticketed->tokens[ticketed->count++] = token;
	return true;
}

static bool read_sessions(const struct request *request, struct ticketed *ret_ticketed, struct problem *problem)
{
	const char *rest = request_cookie(request, SESSION_COOKIE);

	*ret_ticketed = (struct ticketed){.count = 0};
	for (size_t i = 0; i < SESSIONS_MAX && rest != NULL && *rest != '\0'; i++) {
		size_t size = strcspn(rest, ".");

		if (!add_session(request, arena_copy_bytes(request->arena, rest, size), ret_ticketed, problem))
			return false;
		rest += size + (rest[size] == '.');
	}
	return true;
}

/* Tabs that this user has open go on; what was planted in this browser by somebody else ends here. */
static struct secret join_tokens(
	const char *token, const struct browser_session *session, const struct ticketed *before, struct arena *arena)
{
	struct text cookie = text_in(arena);

	text_add(&cookie, token);
	for (size_t i = 0; i < before->count && i < SESSIONS_MAX - 1; i++)
		if (strcmp(before->sessions[i].user.id, session->user.id) == 0)
			text_addf(&cookie, ".%s", before->tokens[i]);
	return (struct secret){.text = cookie.bytes, .size = cookie.size};
}

/* --- what others call -------------------------------------------------------------------------------------------- */

/* Spends the ticket; a new session each time, so that nobody can plant one in another's browser and wait. */
bool link_session_redeem(const struct request *request, const char *ticket, struct secret *ret_cookie,
	struct browser_session *ret_session, struct problem *problem)
{
	struct secret token = secret_random(request->arena, "");
	uint8_t ticket_hash[SHA256_BYTES];
	uint8_t session_hash[SHA256_BYTES];
	struct ticketed before;
	struct ticketed now = {.count = 0};
	bool found = false;

	if (!read_sessions(request, &before, problem))
		return false;
	sha256(ticket, strlen(ticket), ticket_hash);
	sha256(token.text, token.size, session_hash);
	if (!ticket_redeem(request->service->store, request->arena, ticket_hash, request_parameter(request, "provider"),
		    session_hash, &found, problem))
		return false;
	if (!found)
		return session_required(problem, "This link has been used, or is too old.");
	if (!add_session(request, token.text, &now, problem))
		return false;
	if (now.count == 0)
		return session_required(problem, "This browser has no session, or it is too old.");
	*ret_session = now.sessions[0];
	*ret_cookie = join_tokens(token.text, ret_session, &before, request->arena);
	return check_active(ret_session, problem);
}

void link_session_set_cookie(const struct request *request, struct secret cookie, struct reply *reply)
{
	session_set_cookie(request, reply, SESSION_COOKIE, cookie, "/external-auth", BROWSER_SESSION_LIFETIME_S);
}

/* Who has signed in, else who came with a ticket a while ago. Somebody who has signed in connects for themselves, also
 * where another's ticket was opened in this browser. */
bool link_session_find(const struct request *request, struct browser_session *ret_session, bool *ret_signed_in,
	struct problem *problem)
{
	struct ticketed ticketed;

	*ret_signed_in = session_find_login(request, ret_session, problem);
	if (*ret_signed_in)
		return true;
	if (problem->kind != PROBLEM_SESSION_REQUIRED || request_cookie(request, SESSION_COOKIE) == NULL)
		return false;
	if (!read_sessions(request, &ticketed, problem))
		return false;
	for (size_t i = 0; i < ticketed.count; i++) {
		if (!is_for_provider(request, &ticketed.sessions[i]))
			continue;
		*ret_session = ticketed.sessions[i];
		return check_active(ret_session, problem);
	}
	return session_required(problem, ticketed.count > 0 ? "This browser's session is for another provider."
							    : "This browser has no session, or it is too old.");
}

/* A state is taken by its own session alone, so trying one after the other gives nothing away. A session of another
 * provider is one, too; the state is none of its own. */
bool link_session_take_state(const struct request *request, const uint8_t hash[SHA256_BYTES],
	struct browser_session *ret_session, bool *ret_found, struct oauth_state *ret_state, struct problem *problem)
{
	struct store *store = request->service->store;
	struct browser_session login = {.id = NULL};
	struct ticketed ticketed;

	if (!read_sessions(request, &ticketed, problem))
		return false;
	for (size_t i = 0; i < ticketed.count; i++) {
		*ret_session = ticketed.sessions[i];
		if (!is_for_provider(request, ret_session))
			continue;
		if (!state_take(store, request->arena, hash, ret_session->id, ret_found, ret_state, problem))
			return false;
		if (*ret_found)
			return check_active(ret_session, problem);
	}
	if (session_find_login(request, &login, problem)) {
		*ret_session = login;
		return state_take(store, request->arena, hash, login.id, ret_found, ret_state, problem);
	}
	if (problem->kind != PROBLEM_SESSION_REQUIRED || ticketed.count > 0)
		return problem->kind == PROBLEM_SESSION_REQUIRED;
	return session_required(problem, "This browser has no session, or it is too old.");
}
