/* SPDX-License-Identifier: Apache-2.0 */
/* The right to spend a link's refresh token (contract section 5, steps 2 to 6). It is held by one process at a time,
 * over all threads, processes and hosts of one database, for a bounded time on the database's clock. Taking it journals
 * that an exchange is about to happen, so a store that cannot be written is found out before the token is spent, and an
 * exchange whose process died is still known of. Every statement names the generation and the lease id: who links
 * again, unlinks or takes the lease later wins, and a late writer changes nothing. Each may be run twice. */
#ifndef STORE_LEASES_H
#define STORE_LEASES_H

#include "policy.h"
#include "store.h"

/* Which lease: of whose refresh token, and the id (a UUID as text) that its holder made. */
struct lease_name {
	const char *owner_id;
	const char *provider_id;
	int64_t generation;
	const char *lease_id;
};

#define LEASE_STATE_LIST(X)                                                                                            \
	X(LEASE_TAKEN, "taken")                                                                                        \
	X(LEASE_HELD, "held")             /* by somebody else */                                                       \
	X(LEASE_MOVED, "moved")           /* another generation, no refresh token, or no link at all */                \
	X(LEASE_REMEMBERED, "remembered") /* the provider has refused this refresh token */                            \
	X(LEASE_COOLING, "cooling")

#define ENUMERATE(name, word) name,
enum lease_state { LEASE_STATE_LIST(ENUMERATE) LEASE_STATE_COUNT };
#undef ENUMERATE

struct lease_request {
	struct lease_name name;
	int64_t lease_ms;
	int64_t cooldown_ms;        /* after the one more try ran out without an outcome, too */
	const uint8_t *client_hash; /* SHA256_BYTES over our client's id and secrets */
};

struct lease_answer {
	enum lease_state state;
	unsigned unresolved; /* LEASE_TAKEN: earlier exchanges of this refresh token without a known outcome */
	enum reason reason;  /* LEASE_REMEMBERED and LEASE_COOLING; else REASON_COUNT */
	int64_t left_ms;     /* LEASE_HELD and LEASE_COOLING: until it ends */
};

/* Takes the lease or says why not. */
MUST_CHECK bool lease_take(struct store *store, struct arena *arena, const struct lease_request *request,
	struct lease_answer *ret_answer, struct problem *problem);

/* What an exchange granted; an answer that names no new refresh token or extras keeps the old ones: the caller says
 * them again, because all of a row is sealed with one key. */
struct lease_grant {
	struct secret access_token;
	struct secret refresh_token; /* empty: none */
	struct secret extras;        /* empty: none */
	int64_t expires_at_ms;       /* 0: never */
};

/* Writes the tokens as the next generation and ends the lease. *ret_saved false: somebody else's state has won. */
MUST_CHECK bool lease_save(struct store *store, const struct lease_name *name, const struct lease_grant *grant,
	bool *ret_saved, struct problem *problem);

/* How a lease ends without tokens. */
struct lease_end {
	bool outcome_known;     /* no exchange of this lease may have been carried out unnoticed */
	enum reason remembered; /* never ask again until the owner links again; REASON_COUNT: ask again */
	enum reason cooldown;   /* why not to ask for cooldown_ms; REASON_COUNT: ask at once */
	int64_t cooldown_ms;
	const uint8_t *cooldown_client; /* another client hash need not wait; NULL: everybody waits */
	const char *failure;            /* in words, without secrets; cut at PROVIDER_ERROR_CHARS_MAX */
};

/* *ret_ended false: it was not ours any more, or had ended already. */
MUST_CHECK bool lease_finish(struct store *store, const struct lease_name *name, const struct lease_end *end,
	bool *ret_ended, struct problem *problem);

/* How a link's lease stands; *ret_linked false leaves *ret_view as it is. */
struct lease_view {
	int64_t generation;
	const char *lease_id; /* who holds it, let it run out, or wrote this generation; NULL: nobody */
	bool held;            /* somebody holds it right now */
	bool ran_out;         /* somebody held it and never said how it ended */
	int64_t held_left_ms;
	unsigned unresolved;
	enum reason remembered; /* REASON_COUNT: nothing */
	enum reason cooldown;   /* REASON_COUNT: none in force */
	int64_t cooldown_left_ms;
	const char *last_failure; /* NULL: none in this generation */
	int64_t last_failure_at_ms;
};
MUST_CHECK bool lease_look(struct store *store, struct arena *arena, const char *owner_id, const char *provider_id,
	bool *ret_linked, struct lease_view *ret_view, struct problem *problem);

#endif
