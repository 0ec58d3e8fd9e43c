/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in and out: see sign_in.h. A visit to the sign-in service is bound to the browser by a cookie of its own,
 * from which PKCE verifier and nonce are derived, so that they stand nowhere; its state is taken once. The session that
 * comes of it is always a new one. */
#include "sign_in.h"

#include <string.h>

#include "../base/log.h"
#include "../base/text.h"
#include "../http/browser.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/oidc.h"
#include "../store/sign_in.h"
#include "../web/login.h"

/* What a browser has while it is away to sign in. Tabs share it, so that two of them can be away at once. */
#define VISIT_COOKIE "gatehouse_signing_in"

/* What our tokens look like: 32 octets in base64url. */
#define TOKEN_CHARS 43

/* An OAuth error word longer than this is not one: RFC 6749 section 4.1.2.1 has at most 25 characters. */
#define ERROR_WORD_BYTES_MAX 64

static const char *const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool find_sign_in(const struct request *request, struct problem *problem)
{
	if (request->service->engine->sign_in != NULL)
		return true;
	(void)problem_set(problem, PROBLEM_NOT_FOUND, "Signing in is not set up.");
	return problem_detail(problem, "To connect an account, ask for a link where you were refused: it works without "
				       "signing in. For these "
				       "pages, the operator sets GATEHOUSE_OIDC_ISSUER.");
}

static struct secret as_secret(const char *text)
{
	return text != NULL ? (struct secret){.text = text, .size = strlen(text)} : (struct secret){.text = NULL};
}

static void hash_secret(struct secret secret, uint8_t ret_hash[SHA256_BYTES])
{
	sha256(secret.text, secret.size, ret_hash);
}

/* The cookie's value if it is one of ours by its looks; an empty secret otherwise. */
static struct secret find_token(const struct request *request, const char *name)
{
	const char *token = request_cookie(request, name);

	if (token == NULL || strlen(token) != TOKEN_CHARS || strspn(token, alphabet) != TOKEN_CHARS)
		return (struct secret){.text = NULL};
	return as_secret(token);
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

/* /login/start, with where to go afterwards. */
static const char *start_url(const struct request *request, const char *redirect)
{
	struct text url = text_in(request->arena);

	text_add(&url, session_url(request, "/login/start"));
	if (redirect != NULL) {
		text_add(&url, "?redirect=");
		text_add_url(&url, redirect);
	}
	return url.bytes;
}

static const char *after_sign_in(const struct request *request, const char *redirect)
{
	return redirect != NULL ? redirect : session_url(request, "/");
}

/* Why somebody is sent here who wanted something else. */
static const char *purpose_of(const struct request *request, const char *redirect)
{
	static const struct {
		const char *path;
		const char *purpose;
	} purposes[] = {
		{"/external-auth/", "Sign in first; then you connect your account."},
		{"/device", "Sign in first; then you let your command line in."},
	};

	for (size_t i = 0; redirect != NULL && i < COUNT_OF(purposes); i++) {
		const char *path = session_url(request, purposes[i].path);

		if (strncmp(redirect, path, strlen(path)) == 0)
			return purposes[i].purpose;
	}
	return NULL;
}

static void show_page(const struct request *request, const char *redirect, struct reply *reply)
{
	const struct page_frame frame = browser_frame(request, NULL, PAGE_ELSEWHERE);
	const struct sign_in *sign_in = request->service->engine->sign_in;
	const struct page_login shown = {
		.start = sign_in != NULL ? start_url(request, redirect) : NULL,
		.issuer = sign_in != NULL ? sign_in_host(sign_in) : NULL,
		.purpose = purpose_of(request, redirect),
		.signed_out = request_query(request, "signed_out") != NULL,
	};

	browser_reply(reply, sign_in != NULL ? 200 : 404, page_login(request->arena, &frame, &shown));
}

bool api_sign_in_page(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *redirect = request_query(request, "redirect");
	struct browser_session session = {.id = NULL};

	browser_add_headers(reply);
	if (!request->wants_html && !find_sign_in(request, problem))
		return false;
	if (!subject_check_redirect(redirect, problem))
		return false;
	if (session_find_login(request, &session, problem))
		reply_redirect(reply, after_sign_in(request, redirect));
	else if (request_query(request, "go") != NULL && request->service->engine->sign_in != NULL)
		reply_redirect(reply, start_url(request, redirect));
	else
		show_page(request, redirect, reply);
	return true;
}

/* --- to the sign-in service --------------------------------------------------------------------------------------- */

/* One secret of a visit: another for each purpose and each state, and none without the cookie. */
static struct secret derive(const struct request *request, struct secret cookie, const char *purpose, const char *state)
{
	const char *input = arena_printf(request->arena, "%s:%s", purpose, state);
	uint8_t mac[HMAC_BYTES];

	hmac_sha256(cookie.text, cookie.size, input, strlen(input), mac);
	return as_secret(base64url_encode(request->arena, mac, sizeof(mac)));
}

static struct sign_in_visit visit_of(const struct request *request, struct secret cookie, struct secret state)
{
	return (struct sign_in_visit){.state = state,
		.verifier = derive(request, cookie, "verifier", state.text),
		.nonce = derive(request, cookie, "nonce", state.text)};
}

bool api_sign_in_start(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *redirect = request_query(request, "redirect");
	struct secret cookie = find_token(request, VISIT_COOKIE);
	uint8_t cookie_hash[SHA256_BYTES];
	uint8_t state_hash[SHA256_BYTES];
	const char *url = NULL;

	browser_add_headers(reply);
	if (browser_only_looks(request, reply))
		return true;
	if (!find_sign_in(request, problem) || !subject_check_redirect(redirect, problem))
		return false;
	if (secret_is_empty(cookie))
		cookie = secret_random(request->arena, "");

	const struct sign_in_visit visit = visit_of(request, cookie, secret_random(request->arena, ""));

	hash_secret(cookie, cookie_hash);
	hash_secret(visit.state, state_hash);
	if (!oidc_authorize_url(request->service->engine, &visit, request->arena, &url, problem) ||
		!sign_in_state_insert(request->service->store, state_hash, cookie_hash, redirect, problem))
		return false;
	session_set_cookie(request, reply, VISIT_COOKIE, cookie, "/login", OAUTH_STATE_LIFETIME_S);
	reply_redirect(reply, url);
	return true;
}

/* --- and back ----------------------------------------------------------------------------------------------------- */

static bool state_invalid(struct problem *problem)
{
	(void)problem_set(
		problem, PROBLEM_STATE_INVALID, "This answer of the sign-in service does not belong to this browser.");
	return problem_detail(problem, "It was used already, is too old, or was begun elsewhere. Sign in once more.");
}

static bool take_state(const struct request *request, struct sign_in_visit *ret_visit, const char **ret_redirect,
	struct problem *problem)
{
	const char *state = request_query(request, "state");
	struct secret cookie = find_token(request, VISIT_COOKIE);
	uint8_t cookie_hash[SHA256_BYTES];
	uint8_t state_hash[SHA256_BYTES];
	bool found = false;

	if (state == NULL || secret_is_empty(cookie))
		return state_invalid(problem);
	hash_secret(cookie, cookie_hash);
	hash_secret(as_secret(state), state_hash);
	if (!sign_in_state_take(
		    request->service->store, request->arena, state_hash, cookie_hash, &found, ret_redirect, problem))
		return false;
	*ret_visit = visit_of(request, cookie, as_secret(state));
	return found || state_invalid(problem);
}

/* The OAuth error word if it looks like one; what the service or a forged link says else is not repeated. */
static const char *error_word(const char *error)
{
	size_t size = strspn(error, "abcdefghijklmnopqrstuvwxyz_");

	return size > 0 && size <= ERROR_WORD_BYTES_MAX && error[size] == '\0' ? error : "an unknown error";
}

/* Whose answer it is comes first: an error of somebody else is none of ours (RFC 9207 section 2.4). */
static bool check_answer(const struct request *request, struct secret *ret_code, struct problem *problem)
{
	const char *error = request_query(request, "error");
	const char *code = request_query(request, "code");
	bool is_ours = false;

	if (!oidc_answer_is_ours(request->service->engine, request_query(request, "iss"), &is_ours, problem))
		return false;
	if (!is_ours)
		return state_invalid(problem);
	*ret_code = as_secret(code);
	if (error == NULL && !secret_is_empty(*ret_code))
		return true;
	(void)problem_set(problem, PROBLEM_PROVIDER_REFUSED, "The sign-in service did not sign you in.");
	return problem_detail(problem, "It said: %s. Sign in again when you want to.",
		error != NULL ? error_word(error) : "nothing at all");
}

/* Why there is no user for this person: the name is somebody else's, or nobody of that name is known. */
static bool tell_no_user(const struct request *request, const struct oidc_person *person, struct problem *problem)
{
	struct user user = {.id = NULL};
	bool found = false;

	if (!user_find(request->service->store, request->arena, person->username, &found, &user, problem))
		return false;
	if (found && user.suspended) {
		(void)problem_set(problem, PROBLEM_OWNER_SUSPENDED, "%s is suspended.", user.username);
		return problem_detail(problem, "An administrator can make the account active again.");
	}
	if (found) {
		log_event(LOG_WARN, "sign-in refused: the name is another subject's",
			log_string("request_id", request->id), log_string("username", user.username));
		(void)problem_set(
			problem, PROBLEM_FORBIDDEN, "The name %s belongs to another account here.", user.username);
		return problem_detail(problem, "Somebody else of the sign-in service has signed in under this name "
					       "before. If it is you, with "
					       "a new "
					       "account there, ask an administrator.");
	}
	(void)problem_set(problem, PROBLEM_FORBIDDEN, "There is no user %s here.", person->username);
	return problem_detail(problem, "Ask an administrator to make one: new users are not made by signing in.");
}

static bool find_user(
	const struct request *request, const struct oidc_person *person, struct user *ret_user, struct problem *problem)
{
	const struct sign_in_identity identity = {.issuer = person->issuer,
		.subject = person->subject,
		.username = person->username,
		.email = person->email};
	enum sign_in_match match = SIGN_IN_NONE;

	if (!sign_in_match_user(request->service->store, request->arena, &identity,
		    request->service->config->oidc_allow_signups, &match, ret_user, problem))
		return false;
	if (match == SIGN_IN_NONE)
		return tell_no_user(request, person, problem);
	if (match == SIGN_IN_MADE)
		subject_audit(request, "user.create", ret_user->id, NULL);
	if (match == SIGN_IN_BOUND)
		subject_audit(request, "user.bind", ret_user->id, NULL);
	return true;
}

/* A new session, whatever the browser brought: nobody can plant one and wait for it to be signed in. */
static bool begin_session(
	const struct request *request, const struct user *user, struct reply *reply, struct problem *problem)
{
	struct secret before = find_token(request, SESSION_LOGIN_COOKIE);
	struct secret token = secret_random(request->arena, "");
	uint8_t before_hash[SHA256_BYTES];
	uint8_t hash[SHA256_BYTES];
	bool found = false;

	if (!secret_is_empty(before))
		hash_secret(before, before_hash);
	hash_secret(token, hash);
	if (!login_session_insert(request->service->store, hash, user->id, secret_is_empty(before) ? NULL : before_hash,
		    &found, problem))
		return false;
	if (!found) {
		(void)problem_set(problem, PROBLEM_OWNER_SUSPENDED, "%s is suspended.", user->username);
		return problem_detail(problem, "An administrator can make the account active again.");
	}
	session_set_cookie(request, reply, SESSION_LOGIN_COOKIE, token, "/", LOGIN_SESSION_LIFETIME_S);
	subject_audit(request, "session.begin", user->id, NULL);
	return true;
}

bool api_sign_in_callback(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct sign_in_visit visit = {.state = {.text = NULL}};
	struct secret code = {.text = NULL};
	struct oidc_person person = {.subject = NULL};
	struct user user = {.id = NULL};
	const char *redirect = NULL;

	browser_add_headers(reply);
	if (browser_only_looks(request, reply))
		return true;
	if (!find_sign_in(request, problem) || !take_state(request, &visit, &redirect, problem) ||
		!check_answer(request, &code, problem) ||
		!oidc_find_person(request->service->engine, code, &visit, request->arena, &person, problem) ||
		!find_user(request, &person, &user, problem) || !begin_session(request, &user, reply, problem))
		return false;
	reply_redirect(reply, after_sign_in(request, redirect));
	return true;
}

/* --- out again ---------------------------------------------------------------------------------------------------- */

bool api_sign_out(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct browser_session session = {.id = NULL};

	browser_add_headers(reply);
	if (session_find_login(request, &session, problem)) {
		if (!session_check_csrf(request, problem) ||
			!login_session_delete(request->service->store, session.id, problem))
			return false;
		subject_audit(request, "session.end", session.user.id, NULL);
	} else if (problem->kind != PROBLEM_SESSION_REQUIRED) {
		return false;
	}
	/* A form of another site comes without the cookie: it must not take the cookie away either. */
	if (request_cookie(request, SESSION_LOGIN_COOKIE) != NULL)
		session_set_cookie(request, reply, SESSION_LOGIN_COOKIE, (struct secret){.text = NULL}, "/", 0);
	reply_redirect(reply, session_url(request, "/login?signed_out=1"));
	return true;
}
