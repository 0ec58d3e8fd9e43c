/* SPDX-License-Identifier: Apache-2.0 */
/* The fixture of the store's tests. */
#include "fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../../gate/base/clock.h"
#include "../../../gate/base/log.h"
#include "../../../gate/store/migrate.h"

#define FIXTURE_ARENA_BYTES_MAX (256 * 1024 * 1024)

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

void fixture_make_dir(char *ret_path, size_t size)
{
	snprintf(ret_path, size, "/tmp/gatehouse-test-XXXXXX");
	assert_non_null(mkdtemp(ret_path));
	assert_int_equal(chmod(ret_path, 0711), 0);
}

void fixture_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct store *fixture_open(const struct fixture *fixture, size_t connections, bool prepare)
{
	struct problem problem = {0};
	struct store *store = NULL;
	struct store_options options = {.connection_url = fixture->url,
		.prepare = prepare,
		.connections = connections,
		.vault = fixture->vault};
	assert_done(store_open(&options, &store, &problem), problem);
	return store;
}

int fixture_start(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct problem problem = {0};
	struct secret keys = {0};
	int applied = 0;
	log_setup(LOG_ERROR, LOG_TEXT);
	assert_non_null(fixture);
	fixture->arena = arena_new(FIXTURE_ARENA_BYTES_MAX);
	fixture_make_dir(fixture->state_dir, sizeof(fixture->state_dir));
	assert_done(embedded_start(fixture->state_dir, fixture->arena, &fixture->embedded, &fixture->url, &problem),
		problem);
	assert_done(migrate_database(fixture->url, &applied, &problem), problem);
	assert_done(vault_key_file(fixture->state_dir, true, fixture->arena, &keys, &problem), problem);
	assert_done(vault_open(keys, &fixture->vault, &problem), problem);
	fixture->store = fixture_open(fixture, 4, true);
	*state = fixture;
	return 0;
}

int fixture_stop(void **state)
{
	struct fixture *fixture = *state;
	store_close(fixture->store);
	vault_close(fixture->vault);
	embedded_stop(fixture->embedded);
	fixture_remove(fixture->state_dir);
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static PGconn *connect_to(const struct fixture *fixture)
{
	PGconn *connection = PQconnectdb(fixture->url.text);
	if (PQstatus(connection) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(connection));
	return connection;
}

static void assert_result(PGconn *connection, const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s", PQerrorMessage(connection));
}

PGconn *fixture_send(const struct fixture *fixture, const char *sql)
{
	PGconn *connection = connect_to(fixture);
	assert_int_equal(PQsendQuery(connection, sql), 1);
	return connection;
}

void fixture_receive(PGconn *connection)
{
	for (PGresult *result = PQgetResult(connection); result != NULL; result = PQgetResult(connection)) {
		assert_result(connection, result);
		PQclear(result);
	}
	PQfinish(connection);
}

static void run(PGconn *connection, const char *sql)
{
	PGresult *result = PQexec(connection, sql);
	assert_result(connection, result);
	PQclear(result);
}

PGconn *fixture_hold(const struct fixture *fixture, const char *sql)
{
	PGconn *connection = connect_to(fixture);
	run(connection, "BEGIN");
	run(connection, sql);
	return connection;
}

void fixture_release(PGconn *connection)
{
	run(connection, "ROLLBACK");
	PQfinish(connection);
}

const char *fixture_sql(const struct fixture *fixture, const char *sql)
{
	PGconn *connection = connect_to(fixture);
	PGresult *result = PQexec(connection, sql);
	assert_result(connection, result);
	const char *text = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
	const char *copy = arena_copy(fixture->arena, text);
	PQclear(result);
	PQfinish(connection);
	return copy;
}

void fixture_pause_ms(int64_t duration_ms)
{
	const struct timespec pause = {duration_ms / 1000, duration_ms % 1000 * 1000000L};
	(void)nanosleep(&pause, NULL);
}

void fixture_await(const struct fixture *fixture, const char *sql, const char *expected)
{
	struct deadline patience = deadline_in_ms(30000);
	while (strcmp(fixture_sql(fixture, sql), expected) != 0) {
		if (deadline_passed(patience))
			fail_msg("%s: %s, not %s", sql, fixture_sql(fixture, sql), expected);
		fixture_pause_ms(10);
	}
}

struct secret fixture_secret(const char *text)
{
	return (struct secret){text, strlen(text)};
}

void fixture_hash(const char *text, uint8_t ret_hash[SHA256_BYTES])
{
	sha256(text, strlen(text), ret_hash);
}

struct user fixture_user(const struct fixture *fixture, const char *username)
{
	struct problem problem = {0};
	struct user given = {.username = username, .roles = 1u << ROLE_MEMBER};
	struct user user = {0};
	assert_done(user_insert(fixture->store, fixture->arena, &given, &user, &problem), problem);
	return user;
}

struct template_version fixture_version(
	const struct fixture *fixture, const char *name, const char *required, const char *optional)
{
	struct problem problem = {0};
	struct requirements requirements = {0};
	struct template template = {0};
	struct template_version version = {0};
	if (required != NULL)
		assert_true(requirements_add(&requirements, required, false));
	if (optional != NULL)
		assert_true(requirements_add(&requirements, optional, true));
	assert_done(template_insert(fixture->store, fixture->arena, name, &requirements, &template, &version, &problem),
		problem);
	return version;
}

int64_t fixture_link(const struct fixture *fixture, const char *owner_id, const char *provider_id, const char *token)
{
	struct problem problem = {0};
	int64_t generation = 0;
	struct link_tokens tokens = {
		.owner_id = owner_id, .provider_id = provider_id, .access_token = fixture_secret(token)};
	assert_done(link_save(fixture->store, &tokens, &generation, &problem), problem);
	return generation;
}

bool fixture_create(
	struct store *store, const struct create_try *try, enum insert_end *ret_end, struct problem *problem)
{
	return fixture_create_once(store, try, NULL, ret_end, problem);
}

bool fixture_create_once(struct store *store, const struct create_try *try, const struct idempotency_answer *answer,
	enum insert_end *ret_end, struct problem *problem)
{
	char decision_id[UUID_TEXT_SIZE];
	uuid_new(decision_id);
	struct arena *arena = arena_new(1024 * 1024);
	struct create_facts facts = {.owner = {.id = try->owner_id}, .version = {.id = try->version_id}};
	struct decision_row decision = {.id = decision_id,
		.request_id = "r",
		.moment = "create",
		.initiator_id = try->owner_id,
		.owner_id = try->owner_id,
		.template_version_id = try->version_id,
		.outcome = "allowed",
		.findings = "[]"};
	struct relied_link relied = {try->provider_id, try->generation};
	char id[UUID_TEXT_SIZE];
	char build_id[UUID_TEXT_SIZE];
	uuid_new(id);
	uuid_new(build_id);
	struct workspace_insert insert = {.id = id,
		.build_id = build_id,
		.facts = &facts,
		.initiator_id = try->owner_id,
		.name = try->name,
		.parameters = "{\"cpu\": 2}",
		.warnings = "[]",
		.relied_count = try->provider_id != NULL,
		.relied = &relied,
		.decision = &decision,
		.answer = answer};
	struct workspace workspace = {0};
	bool done = workspace_insert(store, arena, &insert, ret_end, &workspace, problem);
	arena_free(arena);
	return done;
}

pid_t fixture_server_pid(const struct fixture *fixture)
{
	char path[128];
	char line[32] = "";
	snprintf(path, sizeof(path), "%s/postgres/postmaster.pid", fixture->state_dir);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	bool got = fgets(line, sizeof(line), file) != NULL;
	(void)fclose(file);
	return got ? (pid_t)strtol(line, NULL, 10) : 0;
}
