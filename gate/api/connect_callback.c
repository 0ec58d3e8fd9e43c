/* SPDX-License-Identifier: Apache-2.0 */
/* The provider sends the browser back: see connect_callback.h. */
#include "connect_callback.h"

#include <string.h>

#include "../http/connected_page.h"
#include "../http/link_session.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/oauth.h"
#include "../link/save_grant.h"

/* An OAuth error word longer than this is not one: RFC 6749 section 4.1.2.1 has at most 25 characters. */
#define ERROR_WORD_BYTES_MAX 64

static bool state_invalid(struct problem *problem)
{
	(void)problem_set(
		problem, PROBLEM_STATE_INVALID, "This answer of the provider does not belong to this browser.");
	return problem_detail(problem, "It was used already, is too old, or was started elsewhere. Start again.");
}

/* RFC 9207 section 2.4: an issuer that is not the expected one, or none from a provider that always says it, means that
 * another server answered. The provider has been discovered. */
static bool check_issuer(const struct request *request, const struct provider *provider, struct problem *problem)
{
	const char *issuer = request_query(request, "iss");

	if (issuer == NULL && !provider->says_issuer)
		return true;
	if (issuer != NULL && (provider->issuer[0] == '\0' || strcmp(issuer, provider->issuer) == 0))
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

static bool take_state(const struct request *request, struct browser_session *ret_session,
	struct oauth_state *ret_state, struct problem *problem)
{
	const char *state = request_query(request, "state");
	uint8_t hash[SHA256_BYTES];
	bool found = false;

	/* A browser without a session is told that first, whatever it brings. */
	sha256(state != NULL ? state : "", state != NULL ? strlen(state) : 0, hash);
	if (!link_session_take_state(request, hash, ret_session, &found, ret_state, problem))
		return false;
	return (state != NULL && found) || state_invalid(problem);
}

static bool check_state(const struct provider *provider, const struct oauth_state *state, struct problem *problem)
{
	return strcmp(state->provider_id, provider->id) == 0 || state_invalid(problem);
}

static void tell_in_json(const struct provider *provider, struct reply *reply)
{
	struct json *root = json_new_object();

	json_add_string(root, "provider_id", provider->id);
	json_add_string(root, "display_name", provider->display_name);
	json_add_bool(root, "linked", true);
	reply_json(reply, 200, root);
}

static void tell_success(const struct request *request, const struct browser_session *session,
	const struct provider *provider, const struct saved_account *account, struct reply *reply)
{
	/* A ticket's session is for one provider; the one of who signed in has pages to go to. */
	const bool signed_in = session->provider_id == NULL;
	struct page_frame frame = browser_frame(request, signed_in ? session : NULL, PAGE_ELSEWHERE);

	connected_page_reply(reply, &frame, provider, session->user.username, account);
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

	if (!take_state(request, &session, &state, problem) ||
		!engine_find_provider(engine, request_parameter(request, "provider"), &provider, problem) ||
		!check_state(provider, &state, problem) || !provider_discover(engine, provider, problem) ||
		!check_issuer(request, provider, problem) || !check_provider_answer(request, &code, problem) ||
		!oauth_exchange_code(engine, provider, code, state.verifier, request->arena, &grant, problem))
		return false;

	if (!save_grant(engine, provider, session.user.id, &grant, "link", &generation, problem))
		return false;
	subject_audit(request, "link.create", session.user.id, provider->id);

	const struct saved_grant saved = {session.user.id, grant.access_token, generation};
	const struct saved_account account = save_grant_account(engine, provider, &saved, request->id, request->arena);

	if (state.redirect != NULL)
		reply_redirect(reply, state.redirect);
	else if (request->wants_html)
		tell_success(request, &session, provider, &account, reply);
	else
		tell_in_json(provider, reply);
	return true;
}

bool api_connect_callback(const struct request *request, struct reply *reply, struct problem *problem)
{
	browser_add_headers(reply);
	return browser_only_looks(request, reply) || finish(request, reply, problem);
}
