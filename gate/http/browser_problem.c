/* SPDX-License-Identifier: Apache-2.0 */
/* Problems as pages: see browser.h. The server itself tells them so, and needs no session for it. */
#include <string.h>

#include "../web/error.h"
#include "browser.h"
#include "service.h"

/* Below these paths are programs, whatever they accept. */
static const char *const FOR_PROGRAMS[] = {"/api/", "/gate/", "/oauth2/", "/.well-known/"};

void browser_add_headers(struct reply *reply)
{
	reply_add_header(reply, "Referrer-Policy", "no-referrer");
	reply_add_header(reply, "Content-Security-Policy", page_security_policy());
}

const char *browser_base(const struct request *request)
{
	/* Before the service has started there is nothing to go to. */
	const char *url = request->service != NULL ? request->service->access_url : NULL;
	const char *host = url != NULL ? strstr(url, "://") : NULL;
	const char *path = host != NULL ? strchr(host + strlen("://"), '/') : NULL;

	return path != NULL ? path : "";
}

void browser_reply(struct reply *reply, int status, char *page)
{
	browser_add_headers(reply);
	reply_html(reply, status, page);
}

static bool is_for_programs(const char *path)
{
	for (size_t i = 0; i < COUNT_OF(FOR_PROGRAMS); i++)
		if (strncmp(path, FOR_PROGRAMS[i], strlen(FOR_PROGRAMS[i])) == 0)
			return true;
	return false;
}

bool browser_tell_problem(const struct request *request, struct reply *reply, const struct problem *problem)
{
	if (!request->wants_html || is_for_programs(request->path))
		return false;

	const struct page_frame frame = {.base = browser_base(request)};

	if (problem->retry_after_s > 0)
		reply_add_header(reply, "Retry-After", arena_printf(request->arena, "%u", problem->retry_after_s));
	browser_reply(reply, problem_status(problem->kind), page_error(request->arena, &frame, problem, request->id));
	return true;
}
