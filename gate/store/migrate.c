/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing the schema up to date: see migrate.h. One connection, one transaction for each migration. */
#include "migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/log.h"
#include "connection.h"

/* Names of a role, a database and a schema. */
#define MIGRATE_ARENA_BYTES_MAX 65536

RELEASE_WITH(close_connection, struct connection, connection_close)

int migrate_newest_version(void)
{
	size_t count = 0;
	const struct migration *migrations = migration_list(&count);
	return migrations[count - 1].version;
}

/* --- sentences ---------------------------------------------------------------------------------------------------- */

static bool refuse_url(struct problem *problem)
{
	/* libpq's own words would quote the string, and it may hold a password. */
	problem_set(problem, PROBLEM_VALIDATION_FAILED, "The database's connection string cannot be read.");
	return problem_detail(problem, "Give GATEHOUSE_PG_CONNECTION_URL as "
				       "postgresql://user:password@host:port/database or "
				       "as host=... user=... dbname=...; percent-encode special characters in the URL "
				       "form.");
}

static bool refuse_connection(const char *why, struct problem *problem)
{
	problem_set(problem, PROBLEM_DATABASE_UNAVAILABLE, "The database cannot be reached: %.180s", why);
	return problem_detail(problem, "Check that PostgreSQL runs there and that GATEHOUSE_PG_CONNECTION_URL names "
				       "the right "
				       "host, port, database, user and password.");
}

static bool refuse_newer(int version, struct problem *problem)
{
	problem_set(problem, PROBLEM_CONFLICT, "The database is at version %d, this gatehouse knows %d.", version,
		migrate_newest_version());
	return problem_detail(problem, "Upgrade gatehouse, or use another database.");
}

/* Reads who we are and where, for the sentence about rights. Best effort: the sentence does without. */
static bool read_names(struct connection *connection, struct arena *arena, const char *ret_names[3])
{
	struct call call;
	call_read(&call, QUERY_MIGRATE_RIGHTS);
	struct answer answer;
	connection_run(connection, &call, &answer);
	bool done = answer_is_done(&answer);
	SCOPED(rows_release) struct rows rows = {.result = answer.result};
	if (!done)
		return false;
	struct row row = row_at(&rows, 0);
	for (int i = 0; i < 3; i++)
		ret_names[i] = row_text(&row, arena);
	return true;
}

static bool refuse_rights(struct connection *connection, const char *what, struct problem *problem)
{
	SCOPED(arena_release) struct arena *arena = arena_new(MIGRATE_ARENA_BYTES_MAX);
	const char *names[3] = {"the role", "the database", "public"};
	(void)!read_names(connection, arena, names);
	const char *schema = *names[2] == '\0' ? "public" : names[2];
	problem_set(problem, PROBLEM_FORBIDDEN,
		"Database role %.40s lacks rights in schema %.40s of database %.40s: %.90s.", names[0], schema,
		names[1], what);
	return problem_detail(problem,
		"As the owner of the database: GRANT USAGE, CREATE ON SCHEMA %s TO %s; and, where another role made "
		"the "
		"tables, GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s;",
		schema, names[0], schema, names[0]);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static bool fail_step(
	struct connection *connection, const struct answer *answer, const char *what, struct problem *problem)
{
	char sqlstate[8] = "";
	char why[180] = "";
	const char *state = answer_sqlstate(answer);
	const char *primary =
		answer->result == NULL ? NULL : PQresultErrorField(answer->result, PG_DIAG_MESSAGE_PRIMARY);
	(void)snprintf(sqlstate, sizeof(sqlstate), "%s", state == NULL ? "" : state);
	(void)snprintf(why, sizeof(why), "%s", primary == NULL ? "the connection broke" : primary);
	PQclear(answer->result);
	struct answer undone;
	connection_run_script(connection, statement_of(QUERY_ROLLBACK)->text, &undone);
	PQclear(undone.result);
	if (answer->lost)
		return refuse_connection(why, problem);
	if (strcmp(sqlstate, "42501") == 0)
		return refuse_rights(connection, why, problem);
	problem_set(problem, PROBLEM_INTERNAL, "The database could not be migrated (%s): %.120s.", what, why);
	return problem_detail(problem, "SQLSTATE %s. Nothing of this step was kept.", sqlstate);
}

/* Runs one embedded statement without parameters and reads its first column as a number (a boolean reads as 0 or 1). */
static bool ask(struct connection *connection, enum query query, int64_t *ret_answer, struct problem *problem)
{
	struct call call;
	call_read(&call, query);
	struct answer answer;
	connection_run(connection, &call, &answer);
	if (!answer_is_done(&answer))
		return fail_step(connection, &answer, statement_of(query)->name, problem);
	SCOPED(rows_release) struct rows rows = {.result = answer.result};
	*ret_answer = 0;
	if (rows_count(&rows) > 0) {
		struct row row = row_at(&rows, 0);
		*ret_answer = row_integer(&row);
	}
	return true;
}

static bool run_script(struct connection *connection, const char *name, const char *script, struct problem *problem)
{
	struct answer answer;
	connection_run_script(connection, script, &answer);
	if (!answer_is_done(&answer))
		return fail_step(connection, &answer, name, problem);
	PQclear(answer.result);
	return true;
}

static bool run_statement(struct connection *connection, enum query query, struct problem *problem)
{
	return run_script(connection, statement_of(query)->name, statement_of(query)->text, problem);
}

static bool read_version(struct connection *connection, int *ret_version, struct problem *problem)
{
	int64_t exists = 0;
	int64_t version = 0;
	if (!ask(connection, QUERY_MIGRATE_EXISTS, &exists, problem))
		return false;
	if (exists && !ask(connection, QUERY_MIGRATE_VERSION, &version, problem))
		return false;
	*ret_version = (int)version;
	return true;
}

static bool record(struct connection *connection, const struct migration *migration, struct problem *problem)
{
	struct call call;
	call_write(&call, QUERY_MIGRATE_RECORD);
	bind_integer(&call, migration->version);
	bind_text(&call, migration->name);
	struct answer answer;
	connection_run(connection, &call, &answer);
	if (!answer_is_done(&answer))
		return fail_step(connection, &answer, migration->name, problem);
	PQclear(answer.result);
	return true;
}

/* The first migration that the database does not have yet, or NULL. */
static const struct migration *next_after(int version)
{
	size_t count = 0;
	const struct migration *migrations = migration_list(&count);
	for (size_t i = 0; i < count; i++)
		if (migrations[i].version > version)
			return &migrations[i];
	return NULL;
}

/* Applies one migration under the lock, unless another replica was faster. */
static bool apply_next(struct connection *connection, int *ret_version, int *ret_applied, struct problem *problem)
{
	if (!run_statement(connection, QUERY_BEGIN, problem) ||
		!run_statement(connection, QUERY_MIGRATE_LOCK, problem) ||
		!read_version(connection, ret_version, problem))
		return false;
	const struct migration *migration = next_after(*ret_version);
	if (migration != NULL) {
		if (!run_script(connection, migration->name, migration->text, problem) ||
			!record(connection, migration, problem))
			return false;
		*ret_version = migration->version;
	}
	if (!run_statement(connection, QUERY_COMMIT, problem))
		return false;
	if (migration != NULL) {
		*ret_applied += 1;
		log_event(LOG_INFO, "migration applied", log_string("name", migration->name));
	}
	return true;
}

/* Another role may have made the tables: better said at start than by each request. */
static bool check_table_rights(struct connection *connection, struct problem *problem)
{
	SCOPED(arena_release) struct arena *arena = arena_new(MIGRATE_ARENA_BYTES_MAX);
	struct call call;
	call_read(&call, QUERY_MIGRATE_TABLE_RIGHTS);
	struct answer answer;
	connection_run(connection, &call, &answer);
	if (!answer_is_done(&answer))
		return fail_step(connection, &answer, "rights", problem);
	SCOPED(rows_release) struct rows rows = {.result = answer.result};
	struct row row = row_at(&rows, 0);
	const char *tables = row_text(&row, arena);
	if (tables == NULL)
		return true;
	return refuse_rights(
		connection, arena_printf(arena, "no SELECT, INSERT, UPDATE, DELETE on %s", tables), problem);
}

bool migrate_url_is_lawful(struct secret connection_url)
{
	PQconninfoOption *options = PQconninfoParse(connection_url.text == NULL ? "" : connection_url.text, NULL);

	PQconninfoFree(options);
	return options != NULL;
}

bool migrate_database(struct secret connection_url, int *ret_applied, struct problem *problem)
{
	*ret_applied = 0;
	if (!migrate_url_is_lawful(connection_url))
		return refuse_url(problem);
	char why[256] = "";
	/* Unnamed statements only: behind pgbouncer the connection may be another's before and after. */
	struct connection_plan plan = {.url = connection_url.text, .prepare = false};
	SCOPED(close_connection) struct connection *connection = connection_open(&plan, why, sizeof(why));
	if (connection == NULL)
		return refuse_connection(why, problem);
	int version = 0;
	if (!read_version(connection, &version, problem))
		return false;
	while (version < migrate_newest_version())
		if (!apply_next(connection, &version, ret_applied, problem))
			return false;
	if (version > migrate_newest_version())
		return refuse_newer(version, problem);
	return check_table_rights(connection, problem);
}
