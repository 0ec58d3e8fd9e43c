/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting an account in a browser: see connect.h. A ticket is good once; what follows is bound to the browser that
 * opened it by a session cookie and a one-time state. */
#include "connect.h"

#include <string.h>

#include "../base/text.h"
#include "../http/browser.h"
#include "../http/link_session.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/oauth.h"
#include "../store/links.h"
#include "../web/connect.h"

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

/* A ticket is one step: spent, and on to the provider at once. */
static bool start_with_ticket(
	const struct request *request, const char *ticket, struct reply *reply, struct problem *problem)
{
	const char *redirect = request_query(request, "redirect");
	struct secret cookie = {.text = NULL};
	struct browser_session session = {.id = NULL};
	struct provider *provider = NULL;

	if (!link_session_redeem(request, ticket, &cookie, &session, problem) ||
		!engine_find_provider(
			request->service->engine, request_parameter(request, "provider"), &provider, problem))
		return false;
	/* The ticket is spent: what goes wrong from here on is tried again with the session. */
	link_session_set_cookie(request, cookie, reply);
	return send_to_provider(
		request, &session, provider, session.redirect != NULL ? session.redirect : redirect, reply, problem);
}

/* The host of a URL, or NULL. */
static const char *host_of(struct arena *arena, const char *url)
{
	const char *host = strstr(url, "://");

	if (host == NULL)
		return NULL;
	host += strlen("://");
	return arena_copy_bytes(arena, host, strcspn(host, "/?#"));
}

static bool show_start(const struct request *request, const struct browser_session *session, bool signed_in,
	const struct provider *provider, struct reply *reply, struct problem *problem)
{
	struct arena *arena = request->arena;
	struct page_frame frame = browser_frame(request, signed_in ? session : NULL, PAGE_ELSEWHERE);
	struct link link = {.account = NULL};
	bool linked = false;

	if (!link_find(request->service->store, arena, session->user.id, provider->id, &linked, &link, problem))
		return false;

	const struct page_connect shown = {.id = provider->id,
		.name = provider->display_name,
		.host = host_of(arena, provider->auth_url[0] != '\0' ? provider->auth_url : provider->issuer),
		.username = session->user.username,
		.account = link.account,
		.scopes = provider->scopes,
		.redirect = session->redirect != NULL ? session->redirect : request_query(request, "redirect"),
		.linked = linked,
		.has_device_flow = signed_in && provider->device_flow,
		.has_browser_flow = true};

	browser_reply(reply, 200, page_connect(arena, &frame, &shown));
	return true;
}

static bool start(const struct request *request, struct reply *reply, struct problem *problem)
{
	const char *ticket = request_query(request, "ticket");
	const char *redirect = request_query(request, "redirect");
	struct browser_session session = {.id = NULL};
	struct provider *provider = NULL;
	bool signed_in = false;

	if (!subject_check_redirect(redirect, problem))
		return false;
	if (ticket != NULL)
		return start_with_ticket(request, ticket, reply, problem);
	if (!link_session_find(request, &session, &signed_in, problem))
		return session_send_to_login(request, reply, problem);
	if (!engine_find_provider(request->service->engine, request_parameter(request, "provider"), &provider, problem))
		return false;
	/* Programs have no page to say yes on, and go on as with a ticket. */
	if (request->wants_html && request_query(request, "go") == NULL)
		return show_start(request, &session, signed_in, provider, reply, problem);
	return send_to_provider(
		request, &session, provider, session.redirect != NULL ? session.redirect : redirect, reply, problem);
}

bool api_connect_start(const struct request *request, struct reply *reply, struct problem *problem)
{
	browser_add_headers(reply);
	return browser_only_looks(request, reply) || start(request, reply, problem);
}
