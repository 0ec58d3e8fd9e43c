/* SPDX-License-Identifier: Apache-2.0 */
/* The session of somebody who signed in: see session.h. */
#include "session.h"

#include <string.h>

#include "../base/text.h"
#include "service.h"

/* What our tokens look like: 32 octets in base64url. */
#define TOKEN_CHARS 43

static bool session_required(struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_SESSION_REQUIRED, "You are not signed in.");
	return problem_detail(problem, "Sign in, and try again.");
}

static bool check_user(const struct browser_session *session, struct problem *problem)
{
	if (!session->user.suspended)
		return true;
	(void)problem_set(problem, PROBLEM_OWNER_SUSPENDED, "%s is suspended.", session->user.username);
	return problem_detail(problem, "An administrator can make the account active again.");
}

bool session_find_login(const struct request *request, struct browser_session *ret_session, struct problem *problem)
{
	const char *token = request_cookie(request, SESSION_LOGIN_COOKIE);
	uint8_t hash[SHA256_BYTES];
	bool found = false;

	if (token == NULL || strlen(token) != TOKEN_CHARS)
		return session_required(problem);
	sha256(token, strlen(token), hash);
	if (!session_find(request->service->store, request->arena, hash, &found, ret_session, problem))
		return false;
	/* The session of a ticket is good for one provider alone, whatever cookie it is sent in. */
	if (!found || ret_session->provider_id != NULL)
		return session_required(problem);
	return check_user(ret_session, problem);
}

/* What stands behind the host: a proxy in front may serve others on the same name. */
static const char *path_prefix(const char *access_url)
{
	const char *host = strstr(access_url, "://");
	const char *path = host != NULL ? strchr(host + strlen("://"), '/') : NULL;

	return path != NULL ? path : "";
}

const char *session_url(const struct request *request, const char *path)
{
	return arena_printf(request->arena, "%s%s", path_prefix(request->service->access_url), path);
}

bool session_send_to_login(const struct request *request, struct reply *reply, const struct problem *problem)
{
	struct text url = text_in(request->arena);
	const char *here = session_url(request, arena_printf(request->arena, "%s%s%s", request->path,
							request->query[0] != '\0' ? "?" : "", request->query));

	if (problem->kind != PROBLEM_SESSION_REQUIRED || request->service->engine->sign_in == NULL)
		return false;
	text_add(&url, session_url(request, "/login?redirect="));
	text_add_url(&url, name_is_local_path(here) ? here : session_url(request, "/"));
	reply_redirect(reply, url.bytes);
	return true;
}

const char *session_csrf(const struct request *request)
{
	static const char label[] = "csrf";
	const char *token = request_cookie(request, SESSION_LOGIN_COOKIE);
	uint8_t hash[SHA256_BYTES];

	if (token == NULL)
		return "";

	/* Between the two stands the label's NUL, so that no other derivation can give the same bytes. */
	struct text bytes = text_in(request->arena);

	text_add_bytes(&bytes, label, sizeof(label));
	text_add(&bytes, token);
	sha256(bytes.bytes, bytes.size, hash);
	return base64url_encode(request->arena, hash, sizeof(hash));
}

bool session_check_csrf(const struct request *request, struct problem *problem)
{
	const char *given = form_value(request->arena, request->form, SESSION_CSRF_FIELD);
	const char *right = session_csrf(request);

	if (given != NULL && *right != '\0' &&
		secret_equals((struct secret){given, strlen(given)}, (struct secret){right, strlen(right)}))
		return true;
	(void)problem_set(problem, PROBLEM_FORBIDDEN, "This form was not sent by a page of this session.");
	return problem_detail(problem, "Load the page anew, and send its form once more. Nothing was changed.");
}

void session_set_cookie(const struct request *request, struct reply *reply, const char *name, struct secret value,
	const char *path, int lifetime_s)
{
	reply_add_header(reply, "Set-Cookie",
		arena_printf(request->arena, "%s=%s; Path=%s; Max-Age=%d; HttpOnly; SameSite=Lax%s", name,
			value.text != NULL ? value.text : "", session_url(request, path), lifetime_s,
			request->is_https ? "; Secure" : ""));
}
