/* SPDX-License-Identifier: Apache-2.0 */
/* Whose browser it is: see link_session.h. */
#include "link_session.h"

#include <string.h>

#include "service.h"
#include "session.h"

#define SESSION_COOKIE "gatehouse_session"

static bool session_required(struct problem *problem, const char *why)
{
	(void)problem_set(problem, PROBLEM_SESSION_REQUIRED, "%s", why);
	return problem_detail(problem, "Ask for a new link where this one came from, and open it once, in this "
				       "browser.");
}

static bool check_session(const struct browser_session *session, const char *provider_id, struct problem *problem)
{
	if (session->user.suspended) {
		(void)problem_set(problem, PROBLEM_OWNER_SUSPENDED, "%s is suspended.", session->user.username);
		return problem_detail(problem, "An administrator can make the account active again.");
	}
	if (session->provider_id != NULL && strcmp(session->provider_id, provider_id) != 0)
		return session_required(problem, "This browser's session is for another provider.");
	return true;
}

static bool find_session(const struct request *request, struct secret token, struct browser_session *ret_session,
	struct problem *problem)
{
	uint8_t hash[SHA256_BYTES];
	bool found = false;

	sha256(token.text, token.size, hash);
	if (!session_find(request->service->store, request->arena, hash, &found, ret_session, problem))
		return false;
	if (!found)
		return session_required(problem, "This browser has no session, or it is too old.");
	return check_session(ret_session, request_parameter(request, "provider"), problem);
}

static bool find_cookie_session(
	const struct request *request, struct browser_session *ret_session, struct problem *problem)
{
	const char *cookie = request_cookie(request, SESSION_COOKIE);

	if (cookie == NULL)
		return session_required(problem, "This browser has no session.");
	return find_session(request, (struct secret){.text = cookie, .size = strlen(cookie)}, ret_session, problem);
}

/* Spends the ticket; a new session each time, so that nobody can plant one in another's browser and wait. */
bool link_session_redeem(const struct request *request, const char *ticket, struct secret *ret_token,
	struct browser_session *ret_session, struct problem *problem)
{
	uint8_t ticket_hash[SHA256_BYTES];
	uint8_t session_hash[SHA256_BYTES];
	bool found = false;

	*ret_token = secret_random(request->arena, "");
	sha256(ticket, strlen(ticket), ticket_hash);
	sha256(ret_token->text, ret_token->size, session_hash);
	if (!ticket_redeem(request->service->store, request->arena, ticket_hash, request_parameter(request, "provider"),
		    session_hash, &found, problem))
		return false;
	if (!found)
		return session_required(problem, "This link has been used, or is too old.");
	return find_session(request, *ret_token, ret_session, problem);
}

void link_session_set_cookie(const struct request *request, struct secret token, struct reply *reply)
{
	session_set_cookie(request, reply, SESSION_COOKIE, token, "/external-auth", BROWSER_SESSION_LIFETIME_S);
}

/* Who has signed in, else who came with a ticket a while ago. Somebody who has signed in connects for themselves, also
 * where another's ticket was opened in this browser. */
bool link_session_find(const struct request *request, struct browser_session *ret_session, bool *ret_signed_in,
	struct problem *problem)
{
	*ret_signed_in = session_find_login(request, ret_session, problem);
	if (*ret_signed_in)
		return true;
	if (problem->kind != PROBLEM_SESSION_REQUIRED || request_cookie(request, SESSION_COOKIE) == NULL)
		return false;
	return find_cookie_session(request, ret_session, problem);
}

/* The session that has asked: a ticket's, or the one of who signed in. A state is taken by its own session alone, so
 * trying one after the other gives nothing away. */
bool link_session_take_state(const struct request *request, const uint8_t hash[SHA256_BYTES],
	struct browser_session *ret_session, bool *ret_found, struct oauth_state *ret_state, struct problem *problem)
{
	struct store *store = request->service->store;
	struct browser_session ticketed = {.id = NULL};
	struct problem *other = arena_alloc(request->arena, sizeof(*other));
	bool is_ticketed = find_cookie_session(request, &ticketed, problem);
	bool signed_in = session_find_login(request, ret_session, other);

	/* A session of another provider is one, too; the state is none of its own. */
	if (!is_ticketed && !signed_in && ticketed.id != NULL && problem->kind == PROBLEM_SESSION_REQUIRED)
		return true;
	if (!is_ticketed && !signed_in) {
		if (other->kind != PROBLEM_SESSION_REQUIRED)
			*problem = *other;
		return false;
	}
	if (is_ticketed && !state_take(store, request->arena, hash, ticketed.id, ret_found, ret_state, problem))
		return false;
	if (*ret_found || !signed_in) {
		*ret_session = ticketed;
		return true;
	}
	return state_take(store, request->arena, hash, ret_session->id, ret_found, ret_state, problem);
}
