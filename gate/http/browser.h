/* SPDX-License-Identifier: Apache-2.0 */
/* What every answer to a browser has in common: its headers, what stands around a page, and the page for what did not
 * work. */
#ifndef HTTP_BROWSER_H
#define HTTP_BROWSER_H

#include "../web/page.h"
#include "reply.h"
#include "request.h"
#include "session.h"

/* The Content-Security-Policy of the pages, and no referrer: addresses here hold tickets and codes. */
void browser_add_headers(struct reply *reply);

/* The frame of a page for who signed in; session NULL: for anybody. */
struct page_frame browser_frame(
	const struct request *request, const struct browser_session *session, enum page_place place);

/* What stands in front of every path of this service in a browser: the access URL's own path, mostly "". */
const char *browser_base(const struct request *request);

/* A page as the answer. page lives in the request's arena. */
void browser_reply(struct reply *reply, int status, char *page);

/* Whether the caller only looks: who shows a preview of a link or scans it for harm asks with HEAD, which must not
 * spend what a link holds (RFC 9110 section 9.2.1: HEAD is safe). The answer is then there. */
bool browser_only_looks(const struct request *request, struct reply *reply);

/* A problem as a page, for who reads pages and asked for one of ours; false: the API's JSON is the answer. */
bool browser_tell_problem(const struct request *request, struct reply *reply, const struct problem *problem);

#endif
