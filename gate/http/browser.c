/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to browsers: see browser.h. */
#include "browser.h"

#include <string.h>

struct page_frame browser_frame(
	const struct request *request, const struct browser_session *session, enum page_place place)
{
	struct page_frame frame = {.base = browser_base(request), .place = place};

	if (session != NULL) {
		frame.username = session->user.username;
		frame.csrf = session_csrf(request);
	}
	return frame;
}

bool browser_only_looks(const struct request *request, struct reply *reply)
{
	if (strcmp(request->method, "HEAD") != 0)
		return false;
	browser_add_headers(reply);
	reply_empty(reply, 204);
	return true;
}
