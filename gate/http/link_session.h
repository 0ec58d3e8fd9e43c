/* SPDX-License-Identifier: Apache-2.0 */
/* Whose browser it is that connects an account: one that opened a ticket, or one that somebody has signed in with. Both
 * are told apart by their cookies and may be there at once. */
#ifndef HTTP_LINK_SESSION_H
#define HTTP_LINK_SESSION_H

#include "../store/browser.h"
#include "reply.h"
#include "request.h"

/* Spends the ticket; a new session each time, so that nobody can plant one in another's browser and wait. The cookie
 * keeps the sessions of the user's other tabs beside it. PROBLEM_SESSION_REQUIRED where the ticket is good for nothing
 * (any more). */
MUST_CHECK bool link_session_redeem(const struct request *request, const char *ticket, struct secret *ret_cookie,
	struct browser_session *ret_session, struct problem *problem);

/* The cookie of tickets' sessions. */
void link_session_set_cookie(const struct request *request, struct secret cookie, struct reply *reply);

/* Who has signed in, else who came with a ticket a while ago. Somebody who has signed in connects for themselves, also
 * where another's ticket was opened in this browser. PROBLEM_SESSION_REQUIRED where there is neither. */
MUST_CHECK bool link_session_find(const struct request *request, struct browser_session *ret_session,
	bool *ret_signed_in, struct problem *problem);

/* The session that has asked with this state, and what it asked. *ret_found is false where none of this browser's has:
 * a state is taken by its own session alone, so trying one after the other gives nothing away. */
MUST_CHECK bool link_session_take_state(const struct request *request, const uint8_t hash[SHA256_BYTES],
	struct browser_session *ret_session, bool *ret_found, struct oauth_state *ret_state, struct problem *problem);

#endif
