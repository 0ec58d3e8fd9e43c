/* SPDX-License-Identifier: Apache-2.0 */
/* See ceiling_database.h. The pool is as the service's: whoever waits is served in order of arrival, and of the idle
 * connections the one used last goes first. */
#include "ceiling_database.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "must_check.h"

#define STATEMENT_BYTES_MAX 16384
#define READ "create_facts_read"
#define INSERT "workspace_insert"
#define BARE "workspace_insert without decision"
#define TEXT_OID 25
#define PARAMETERS_MAX 32
#define INSERT_PARAMETERS 27

/* As the service sets its sessions (gate/store/connection.c). */
#define SESSION_OPTIONS                                                                                                \
	"-c statement_timeout=5000 -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"

struct idle {
	PGconn *connection;
	struct idle *next;
};

struct waiter {
	pthread_cond_t served;
	struct idle *idle;
	struct waiter *next;
};

struct database {
	struct database_options options;
	pthread_mutex_t lock;
	struct idle *idle;
	struct waiter *first;
	struct waiter **last;
	struct idle *slots;
};

static void result_release(PGresult **result)
{
	PQclear(*result);
}

/* --- the pool ----------------------------------------------------------------------------------------------------- */

static struct idle *borrow(struct database *database)
{
	struct waiter self = {.served = PTHREAD_COND_INITIALIZER};

	pthread_mutex_lock(&database->lock);
	struct idle *idle = database->idle;
	if (idle != NULL && database->first == NULL) {
		database->idle = idle->next;
	} else {
		*database->last = &self;
		database->last = &self.next;
		while (self.idle == NULL)
			pthread_cond_wait(&self.served, &database->lock);
		idle = self.idle;
	}
	pthread_mutex_unlock(&database->lock);
	return idle;
}

static void give_back(struct database *database, struct idle *idle)
{
	pthread_mutex_lock(&database->lock);
	struct waiter *waiter = database->first;
	if (waiter == NULL) {
		idle->next = database->idle;
		database->idle = idle;
	} else {
		database->first = waiter->next;
		if (database->first == NULL)
			database->last = &database->first;
		waiter->idle = idle;
		pthread_cond_signal(&waiter->served);
	}
	pthread_mutex_unlock(&database->lock);
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static bool read_statement(const char *queries, const char *name, char ret_text[STATEMENT_BYTES_MAX])
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s.sql", queries, name);
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		perror(path);
		return false;
	}
	size_t size = fread(ret_text, 1, STATEMENT_BYTES_MAX - 1, file);
	(void)fclose(file);
	ret_text[size] = '\0';
	return true;
}

/* A parameter that nothing uses any more has no type that PostgreSQL could find out. */
static bool prepare_text(PGconn *connection, const char *name, const char *text, int parameter_count)
{
	Oid types[PARAMETERS_MAX] = {0};
	char word[16];

	for (int i = 0; i < parameter_count; i++) {
		(void)snprintf(word, sizeof(word), "$%d", i + 1);
		const char *used = strstr(text, word);
		while (used != NULL && strspn(used + 1, "0123456789") != strlen(word) - 1)
			used = strstr(used + 1, word);
		types[i] = used == NULL ? TEXT_OID : 0;
	}
	SCOPED(result_release) PGresult *result = PQprepare(connection, name, text, parameter_count, types);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		(void)fprintf(stderr, "%s: %s", name, PQerrorMessage(connection));
	return PQresultStatus(result) == PGRES_COMMAND_OK;
}

static bool prepare(PGconn *connection, const char *queries, const char *name)
{
	char text[STATEMENT_BYTES_MAX];

	return read_statement(queries, name, text) && prepare_text(connection, name, text, 0);
}

/* The insert without its part `decision`: what the decision log costs is the distance. */
static bool prepare_bare(PGconn *connection, const char *queries)
{
	char text[STATEMENT_BYTES_MAX];

	if (!read_statement(queries, INSERT, text))
		return false;
	char *sql = strstr(text, "WITH ");
	char *from = sql == NULL ? NULL : strstr(sql, ", decision AS (");
	char *to = from == NULL ? NULL : strstr(from, "\n)");
	if (to == NULL) {
		(void)fprintf(stderr, "%s has no part `decision`\n", INSERT);
		return false;
	}
	memmove(from, to + 2, strlen(to + 2) + 1);
	return prepare_text(connection, BARE, sql, INSERT_PARAMETERS);
}

static PGconn *connect_one(const struct database_options *options)
{
	const char *keywords[] = {"options", "dbname", NULL};
	const char *values[] = {SESSION_OPTIONS, options->url, NULL};
	PGconn *connection = PQconnectdbParams(keywords, values, /* expand_dbname= */ 1);

	if (PQstatus(connection) == CONNECTION_OK && prepare(connection, options->queries, READ) &&
		prepare(connection, options->queries, INSERT) && prepare_bare(connection, options->queries))
		return connection;
	(void)fprintf(stderr, "%s", PQerrorMessage(connection));
	PQfinish(connection);
	return NULL;
}

bool database_open(const struct database_options *options, struct database **ret_database)
{
	struct database *database = calloc(1, sizeof(*database));
	struct idle *slots = calloc(options->connections, sizeof(*slots));

	if (database == NULL || slots == NULL)
		abort();
	database->options = *options;
	database->slots = slots;
	database->last = &database->first;
	pthread_mutex_init(&database->lock, NULL);
	*ret_database = database;
	for (size_t i = 0; i < options->connections; i++) {
		slots[i].connection = connect_one(options);
		if (slots[i].connection == NULL)
			return false;
		give_back(database, &slots[i]);
	}
	return true;
}

void database_close(struct database *database)
{
	for (struct idle *idle = database->idle; idle != NULL; idle = idle->next)
		PQfinish(idle->connection);
	pthread_mutex_destroy(&database->lock);
	free(database->slots);
	free(database);
}

/* --- the statements ----------------------------------------------------------------------------------------------- */

static PGresult *run(struct database *database, const char *name, int count, const char *const *values)
{
	struct idle *idle = borrow(database);
	PGresult *result = PQexecPrepared(idle->connection, name, count, values, NULL, NULL, /* resultFormat= */ 1);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		(void)fprintf(stderr, "%s: %s", name, PQerrorMessage(idle->connection));
	give_back(database, idle);
	return result;
}

static void uuid_print(const unsigned char bytes[16], char ret_text[UUID_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*ret_text++ = '-';
		*ret_text++ = digits[bytes[i] >> 4];
		*ret_text++ = digits[bytes[i] & 15];
	}
	*ret_text = '\0';
}

/* Time-ordered as the service's (RFC 9562 section 5.7), because where new keys land in an index costs or saves a page.
 */
static void uuid_make(char ret_text[UUID_TEXT_BYTES])
{
	static atomic_uint_fast64_t count;
	unsigned char bytes[16];
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	unsigned long long ms = (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
	unsigned long long tail = (unsigned long long)getpid() << 40 | atomic_fetch_add(&count, 1);
	for (size_t i = 0; i < 6; i++)
		bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
	for (size_t i = 0; i < 8; i++)
		bytes[8 + i] = (unsigned char)(tail >> (56 - 8 * i));
	bytes[6] = 0x70;
	bytes[7] = 0;
	bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));
	uuid_print(bytes, ret_text);
}

bool database_read(struct database *database, const char *owner, const char *name, char ret_owner_id[UUID_TEXT_BYTES])
{
	const struct database_options *options = &database->options;
	char owners[128], names[128];
	char templates[64], versions[64];
	static const char none[] = "{NULL}";
	(void)snprintf(owners, sizeof(owners), "{%s}", owner);
	(void)snprintf(names, sizeof(names), "{%s}", name == NULL ? "NULL" : name);
	(void)snprintf(templates, sizeof(templates), "{%s}", options->template_id);
	(void)snprintf(versions, sizeof(versions), "{%s}", options->version_id);
	/* One question by statement: how many the service asks at once is its own merit. */
	const char *const values[] = {
		none, owners, name != NULL ? templates : none, name != NULL ? none : versions, names, none};
	SCOPED(result_release) PGresult *result = run(database, READ, COUNT_OF(values), values);
	bool found =
		PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && PQgetlength(result, 0, 1) == 16;

	if (found)
		uuid_print((const unsigned char *)PQgetvalue(result, 0, 1), ret_owner_id);
	return found;
}

bool database_insert(struct database *database, const char *owner_id, const char *name, bool logged)
{
	const struct database_options *options = &database->options;
	char workspace_id[UUID_TEXT_BYTES], build_id[UUID_TEXT_BYTES], decision_id[UUID_TEXT_BYTES];
	char providers[128], findings[512];

	uuid_make(workspace_id);
	uuid_make(build_id);
	uuid_make(decision_id);
	(void)snprintf(providers, sizeof(providers), "{%s}", options->provider_id);
	(void)snprintf(findings, sizeof(findings),
		"[{\"provider\":\"%s\",\"optional\":false,\"verdict\":\"ok\",\"reason\":\"not_validated\","
		"\"enforcement\":"
		"\"deny\",\"would_block\":false,\"exemption_id\":null,\"generation\":1,\"status\":0,\"duration_ms\":0}"
		"]",
		options->provider_id);
	const char *const values[INSERT_PARAMETERS] = {workspace_id, owner_id, name, options->version_id, "{}", "[]",
		build_id, providers, "{1}", decision_id, workspace_id, "api", "create", owner_id, NULL, "owner-0001",
		"allowed", "allowed", NULL, findings, "0", NULL, NULL, NULL, NULL, NULL, NULL};
	SCOPED(result_release) PGresult *result = run(database, logged ? INSERT : BARE, COUNT_OF(values), values);

	/* The first column is the time of the new row, NULL where the guard let nothing in. */
	return PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && !PQgetisnull(result, 0, 0);
}
