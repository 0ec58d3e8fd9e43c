/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting an account in a browser: see connect.h. A ticket is good once; what follows is bound to the browser that
 * opened it by a session cookie and a one-time state. */
#include "connect.h"

#include <string.h>

#include "../base/text.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/oauth.h"
#include "../link/save_grant.h"
#include "../store/browser.h"
#include "../web/page.h"

#define SESSION_COOKIE "gatehouse_session"

/* An OAuth error word longer than this is not one: RFC 6749 section 4.1.2.1 has at most 25 characters. */
#define ERROR_WORD_BYTES_MAX 64

/* --- session ---------------------------------------------------------------------------------------------------- */

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
static bool redeem_ticket(const struct request *request, const char *ticket, struct secret *ret_token,
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

/* What the access URL has behind its host: a proxy in front may serve others on the same name. */
static const char *path_prefix(const char *access_url)
{
	const char *host = strstr(access_url, "://");
	const char *path = host != NULL ? strchr(host + strlen("://"), '/') : NULL;

	return path != NULL ? path : "";
}

static void set_session_cookie(const struct request *request, struct secret token, struct reply *reply)
{
	reply_add_header(reply, "Set-Cookie",
		arena_printf(request->arena, "%s=%s; Path=%s/external-auth; Max-Age=%d; HttpOnly; SameSite=Lax%s",
			SESSION_COOKIE, token.text, path_prefix(request->service->access_url),
			BROWSER_SESSION_LIFETIME_S, request->is_https ? "; Secure" : ""));
}

/* --- to the provider and back ------------------------------------------------------------------------------------ */

/* A fresh state and verifier for one visit to the provider. */
static bool send_to_provider(const struct request *request, const struct browser_session *session,
	struct provider *provider, const char *redirect, struct reply *reply, struct problem *problem)
{
	struct engine *engine = request->service->engine;
	struct secret state = secret_random(request->arena, "");
	struct secret verifier = {.text = NULL};
	uint8_t hash[SHA256_BYTES];

	if (!provider_discover(engine, provider, problem))
		return false;
	if (provider->pkce)
		verifier = secret_random(request->arena, "");

	const struct oauth_state stored = {.provider_id = provider->id, .verifier = verifier, .redirect = redirect};

	sha256(state.text, state.size, hash);
	if (!state_insert(request->service->store, hash, session->id, &stored, problem))
		return false;
	reply_redirect(reply, oauth_authorize_url(engine, provider, state, verifier, request->arena));
	return true;
}

static bool start(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *ticket = request_query(request, "ticket");
	const char *redirect = request_query(request, "redirect");
	struct secret token = {.text = NULL};
	struct browser_session session = {.id = NULL};
	struct provider *provider = NULL;

	if (!subject_check_redirect(redirect, problem))
		return false;
	if (ticket != NULL ? !redeem_ticket(request, ticket, &token, &session, problem)
			   : !find_cookie_session(request, &session, problem))
		return false;
	if (!engine_find_provider(request->service->engine, request_parameter(request, "provider"), &provider, problem))
		return false;
	/* The ticket is spent: what goes wrong from here on is tried again with the session. */
	if (ticket != NULL)
		set_session_cookie(request, token, reply);
	return send_to_provider(
		request, &session, provider, session.redirect != NULL ? session.redirect : redirect, reply, problem);
}

static bool state_invalid(struct problem *problem)
{
	(void)problem_set(
		problem, PROBLEM_STATE_INVALID, "This answer of the provider does not belong to this browser.");
	return problem_detail(problem, "It was used already, is too old, or was started elsewhere. Start again.");
}

/* RFC 9207 section 2.4: an issuer that is not the expected one means that another server answered. */
static bool check_issuer(const struct request *request, const struct provider *provider, struct problem *problem)
{
	const char *issuer = request_query(request, "iss");

	if (issuer == NULL || provider->issuer[0] == '\0' || strcmp(issuer, provider->issuer) == 0)
		return true;
	return state_invalid(problem);
}

/* The OAuth error word if it looks like one; what a provider or a forged link says else is not repeated. */
static const char *error_word(const char *error)
{
	size_t size = strspn(error, "abcdefghijklmnopqrstuvwxyz_");

	return size > 0 && size <= ERROR_WORD_BYTES_MAX && error[size] == '\0' ? error : "an unknown error";
}

static bool check_provider_answer(const struct request *request, struct secret *ret_code, struct problem *problem)
{
	const char *error = request_query(request, "error");
	const char *code = request_query(request, "code");

	if (error == NULL && code != NULL && code[0] != '\0') {
		*ret_code = (struct secret){.text = code, .size = strlen(code)};
		return true;
	}
	(void)problem_set(problem, PROBLEM_PROVIDER_REFUSED, "The provider did not connect the account.");
	return problem_detail(problem, "It said: %s. Nothing was stored; start again when you want to.",
		error != NULL ? error_word(error) : "nothing at all");
}

static bool take_state(const struct request *request, const struct browser_session *session,
	const struct provider *provider, struct oauth_state *ret_state, struct problem *problem)
{
	const char *state = request_query(request, "state");
	uint8_t hash[SHA256_BYTES];
	bool found = false;

	if (state == NULL)
		return state_invalid(problem);
	sha256(state, strlen(state), hash);
	if (!state_take(request->service->store, request->arena, hash, session->id, &found, ret_state, problem))
		return false;
	if (!found || strcmp(ret_state->provider_id, provider->id) != 0)
		return state_invalid(problem);
	return check_issuer(request, provider, problem);
}

static void tell_success(
	const struct request *request, const struct provider *provider, const char *account, struct reply *reply)
{
	struct arena *arena = request->arena;

	if (!request->wants_html) {
		struct json *root = json_new_object();

		json_add_string(root, "provider_id", provider->id);
		json_add_string(root, "display_name", provider->display_name);
		json_add_bool(root, "linked", true);
		reply_json(reply, 200, root);
		return;
	}
	reply_html(reply, 200,
		page_message(arena, arena_printf(arena, "%s is connected", provider->display_name),
			account != NULL ? arena_printf(arena, "Your account %s is connected now.", account)
					: "Your account is connected now.",
			"You can close this window and go on where you were."));
}

static bool finish(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct engine *engine = request->service->engine;
	struct browser_session session = {.id = NULL};
	struct provider *provider = NULL;
	struct oauth_state state = {.provider_id = NULL};
	struct secret code = {.text = NULL};
	struct oauth_grant grant = {.expires_at_ms = 0};
	int64_t generation = 0;

	if (!find_cookie_session(request, &session, problem) ||
		!engine_find_provider(
			request->service->engine, request_parameter(request, "provider"), &provider, problem) ||
		!take_state(request, &session, provider, &state, problem) ||
		!check_provider_answer(request, &code, problem) || !provider_discover(engine, provider, problem) ||
		!oauth_exchange_code(engine, provider, code, state.verifier, request->arena, &grant, problem))
		return false;

	if (!save_grant(engine, provider, session.user.id, &grant, "link", &generation, problem))
		return false;
	subject_audit(request, "link.create", session.user.id, provider->id);

	const struct saved_grant saved = {session.user.id, grant.access_token, generation};
	const char *account = save_grant_account(engine, provider, &saved, request->id, request->arena);

	if (state.redirect != NULL)
		reply_redirect(reply, state.redirect);
	else
		tell_success(request, provider, account, reply);
	return true;
}

/* --- what a browser sees ---------------------------------------------------------------------------------------- */

/* The query of these pages holds a ticket or a code: no other site may see it as a referrer, nor frame the page. */
static void add_browser_headers(const struct request *request, struct reply *reply)
{
	reply_add_header(reply, "Referrer-Policy", "no-referrer");
	reply_add_header(reply, "Content-Security-Policy", page_security_policy(request->arena));
}

/* A problem as a page for who reads pages; everybody else gets the API's JSON. */
static bool tell_problem(const struct request *request, struct reply *reply, const struct problem *problem)
{
	if (!request->wants_html)
		return false;

	const char *note = arena_printf(request->arena, "%s (request %s)", problem->detail, request->id);

	if (problem->retry_after_s > 0)
		reply_add_header(reply, "Retry-After", arena_printf(request->arena, "%u", problem->retry_after_s));
	reply_html(reply, problem_status(problem->kind),
		page_message(request->arena, "This did not work", problem->message, note));
	return true;
}

/* Who shows a preview of a link or scans it for harm asks with HEAD, which must not spend what the link holds (RFC 9110
 * section 9.2.1: HEAD is safe). */
static bool is_only_looking(const struct request *request, struct reply *reply)
{
	if (strcmp(request->method, "HEAD") != 0)
		return false;
	reply_empty(reply, 204);
	return true;
}

bool api_connect_start(const struct request *request, struct reply *reply, struct problem *problem)
{
	add_browser_headers(request, reply);
	if (is_only_looking(request, reply))
		return true;
	return start(request, reply, problem) || tell_problem(request, reply, problem);
}

bool api_connect_callback(const struct request *request, struct reply *reply, struct problem *problem)
{
	add_browser_headers(request, reply);
	if (is_only_looking(request, reply))
		return true;
	return finish(request, reply, problem) || tell_problem(request, reply, problem);
}
