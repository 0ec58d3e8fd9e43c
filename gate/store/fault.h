/* SPDX-License-Identifier: Apache-2.0 */
/* What a server's SQLSTATE means for the service: PostgreSQL's appendix A, as far as it matters here. */
#ifndef STORE_FAULT_H
#define STORE_FAULT_H

#include <stdbool.h>

#include "problem.h"

enum fault {
	FAULT_OTHER,     /* a bug of ours, or a schema that is not ours: PROBLEM_INTERNAL */
	FAULT_VIOLATION, /* a constraint said no */
	FAULT_AWAY,      /* the server is going, coming or gone: its other connections are no better */
	FAULT_READ_ONLY, /* this server is no longer the primary; nothing was done, and another may be it by now */
	FAULT_BUSY,      /* the server lives but has no room or time for this statement */
	FAULT_AGAIN,     /* nothing was done; the same statement may succeed now */
	FAULT_STALE,     /* this connection does not know its prepared statement any more; nothing was done */
	FAULT_COUNT
};

/* sqlstate may be NULL (the connection broke without a word): FAULT_AWAY. */
enum fault fault_of(const char *sqlstate);

/* What a caller is told while there is no database to ask. Always returns false. */
bool fault_unavailable(struct problem *problem);

#endif
