/* SPDX-License-Identifier: Apache-2.0 */
/* The table behind fault.h. */
#include "fault.h"

#include <stddef.h>
#include <string.h>

#include "must_check.h"

/* A failed server is asked again this soon: PostgreSQL restarts in well under a second, a failover takes some. */
#define UNAVAILABLE_RETRY_AFTER_S 2

/* First match wins, so single states stand before their class. */
static const struct {
	const char *prefix;
	enum fault fault;
} faults[] = {
	{"08", FAULT_AWAY},         /* connection exception */
	{"57P01", FAULT_AWAY},      /* admin_shutdown */
	{"57P02", FAULT_AWAY},      /* crash_shutdown */
	{"57P03", FAULT_AWAY},      /* cannot_connect_now: starting up or shutting down */
	{"57P05", FAULT_AWAY},      /* idle_session_timeout */
	{"25006", FAULT_READ_ONLY}, /* read_only_sql_transaction */
	{"57014", FAULT_BUSY},      /* query_canceled: statement_timeout */
	{"55P03", FAULT_BUSY},      /* lock_not_available */
	{"53", FAULT_BUSY},         /* insufficient resources, too_many_connections among them */
	{"58", FAULT_BUSY},         /* system error: the server's disk failed */
	{"40", FAULT_AGAIN},        /* serialization failure, deadlock */
	{"26000", FAULT_STALE},     /* invalid_sql_statement_name: behind a proxy that switched servers */
	{"0A000", FAULT_STALE},     /* cached plan must not change result type: a newer replica has migrated */
	{"23", FAULT_VIOLATION},
};

enum fault fault_of(const char *sqlstate)
{
	if (sqlstate == NULL)
		return FAULT_AWAY;
	for (size_t i = 0; i < COUNT_OF(faults); i++)
		if (strncmp(sqlstate, faults[i].prefix, strlen(faults[i].prefix)) == 0)
			return faults[i].fault;
	return FAULT_OTHER;
}

bool fault_unavailable(struct problem *problem)
{
	problem_set(problem, PROBLEM_DATABASE_UNAVAILABLE, "The database cannot be reached right now.");
	problem_detail(problem, "Nothing is lost; try again in a moment.");
	problem->retry_after_s = UNAVAILABLE_RETRY_AFTER_S;
	return false;
}
