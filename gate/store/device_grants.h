/* SPDX-License-Identifier: Apache-2.0 */
/* Device codes of the login server (RFC 8628): asked for by a command line, approved or denied by a signed-in user,
 * redeemed once. Codes are stored as SHA-256 hashes. Every change is one conditional statement, and redeeming is one
 * statement together with what it mints, so that a code is consumed exactly when its tokens exist. */
#ifndef STORE_DEVICE_GRANTS_H
#define STORE_DEVICE_GRANTS_H

#include "grant.h"
#include "store.h"
#include "token_families.h"

/* --- for the command line ----------------------------------------------------------------------------------------- */

/* A request for a code, and where it came from. */
struct device_request {
	const char *client_id;
	const char *address;
	const char *agent; /* a User-Agent, or NULL */
};

struct device_codes {
	struct secret device_code; /* 256 bits */
	const char *user_code;     /* XXXX-XXXX, of 31 symbols that are not taken for one another */
	int64_t lifetime_s;
	int64_t interval_s;
};

/* *ret_given false: too many codes wait for an answer already, from this address or altogether. */
MUST_CHECK bool device_grant_insert(struct store *store, struct arena *arena, const struct device_request *request,
	bool *ret_given, struct device_codes *ret_codes, struct problem *problem);

/* A device code as a client sent it. */
struct device_poll {
	const char *device_code;
	const char *client_id;
	struct login_limits limits;
};

struct device_outcome {
	enum grant_answer answer; /* GRANT_ANSWER_SPENT also for a code nobody knows and for another client's */
	struct login_pair pair;   /* GRANT_ANSWER_REDEEM and GRANT_ANSWER_REPLAY */
	const char *user_id;      /* GRANT_ANSWER_REDEEM: whose login has begun */
};

/* One poll (RFC 8628 section 3.4). Tokens are drawn before the one statement that consumes the code and mints them;
 * where the database fails in it, the code stays redeemable. Of many at once one redeems, and the others get the same.
 */
MUST_CHECK bool device_grant_poll(struct store *store, struct arena *arena, const struct device_poll *poll,
	struct device_outcome *ret_outcome, struct problem *problem);

/* --- for the page where a user answers ---------------------------------------------------------------------------- */

/* Who enters a code. Wrong codes are counted for this user, this address, and everybody together. */
struct device_entry {
	const char *user_code; /* as entered: case, blanks and punctuation do not matter */
	const char *user_id;   /* whose session it is */
	const char *session_id;
	const char *address; /* of the browser */
};

/* A code that is wrong, expired or answered already is NOT_FOUND alike: nobody learns which codes exist. BLOCKED: too
 * many wrong ones were entered; a right one is not looked at either, until retry_after_s have passed. */
#define DEVICE_ENTRY_END_LIST(X)                                                                                       \
	X(DEVICE_ENTRY_FOUND, "found") /* device_grant_decide: and the answer is taken */                              \
	X(DEVICE_ENTRY_NOT_FOUND, "not_found")                                                                         \
	X(DEVICE_ENTRY_BLOCKED, "blocked")

#define ENUMERATE(name, word) name,
enum device_entry_end { DEVICE_ENTRY_END_LIST(ENUMERATE) DEVICE_ENTRY_END_COUNT };
#undef ENUMERATE

/* What waits for an answer: to be shown, so that its owner knows it again. All of it but client_id and times was said
 * by whoever asked, who may lie: escape it, and ask to compare the code. */
struct device_view {
	const char *user_code; /* XXXX-XXXX */
	const char *client_id;
	const char *address; /* where the request for the code came from */
	const char *agent;   /* User-Agent of that request, printable ASCII, cut; "" where there was none */
	int64_t created_at_ms;
	int64_t expires_at_ms;
};

struct device_entry_answer {
	enum device_entry_end end;
	unsigned retry_after_s;  /* DEVICE_ENTRY_BLOCKED */
	struct device_view view; /* DEVICE_ENTRY_FOUND */
};

/* Looks the code up for showing what it is about; changes nothing but the counters of wrong codes. */
MUST_CHECK bool device_grant_look(struct store *store, struct arena *arena, const struct device_entry *entry,
	struct device_entry_answer *ret_answer, struct problem *problem);

/* Approves or denies in the user's name. Of several that answer one code the first one's answer stands, and the others
 * are told NOT_FOUND. A user who is suspended meanwhile is NOT_FOUND, too, and so is a session that is over. Whoever
 * asks checks the session and the form's CSRF token first, and writes the audit row (`login.approve`, `login.deny`)
 * after. */
MUST_CHECK bool device_grant_decide(struct store *store, struct arena *arena, const struct device_entry *entry,
	bool approve, struct device_entry_answer *ret_answer, struct problem *problem);

#endif
