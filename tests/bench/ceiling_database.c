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

static bool prepare(PGconn *connection, const char *queries, const char *name)
{
	char path[4096];
	char text[STATEMENT_BYTES_MAX] = "";

	(void)snprintf(path, sizeof(path), "%s/%s.sql", queries, name);
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		perror(path);
		return false;
	}
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[size] = '\0';

	SCOPED(result_release) PGresult *result = PQprepare(connection, name, text, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		(void)fprintf(stderr, "%s: %s", path, PQerrorMessage(connection));
	return PQresultStatus(result) == PGRES_COMMAND_OK;
}

static PGconn *connect_one(const struct database_options *options)
{
	const char *keywords[] = {"options", "dbname", NULL};
	const char *values[] = {SESSION_OPTIONS, options->url, NULL};
	PGconn *connection = PQconnectdbParams(keywords, values, /* expand_dbname= */ 1);

	if (PQstatus(connection) == CONNECTION_OK && prepare(connection, options->queries, READ) &&
		prepare(connection, options->queries, INSERT))
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
	const char *const values[] = {NULL, owner, name != NULL ? options->template_id : NULL,
		name != NULL ? NULL : options->version_id, name, NULL};
	SCOPED(result_release) PGresult *result = run(database, READ, COUNT_OF(values), values);
	bool found =
		PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && PQgetlength(result, 0, 0) == 16;

	if (found)
		uuid_print((const unsigned char *)PQgetvalue(result, 0, 0), ret_owner_id);
	return found;
}

bool database_insert(struct database *database, const char *owner_id, const char *name)
{
	const struct database_options *options = &database->options;
	char workspace_id[UUID_TEXT_BYTES], build_id[UUID_TEXT_BYTES], decision_id[UUID_TEXT_BYTES];
	char providers[128], findings[256];

	uuid_make(workspace_id);
	uuid_make(build_id);
	uuid_make(decision_id);
	(void)snprintf(providers, sizeof(providers), "{%s}", options->provider_id);
	(void)snprintf(findings, sizeof(findings),
		"[{\"id\":\"%s\",\"optional\":false,\"verdict\":\"ok\",\"reason\":\"not_validated\",\"generation\":1}]",
		options->provider_id);
	const char *const values[] = {workspace_id, owner_id, name, options->version_id, "{}", "[]", build_id,
		providers, "{1}", decision_id, workspace_id, "api", "create", owner_id, NULL, "owner", "allowed",
		"allowed", NULL, findings, "0"};
	SCOPED(result_release) PGresult *result = run(database, INSERT, COUNT_OF(values), values);

	/* The first column is the time of the new row, NULL where the guard let nothing in. */
	return PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && !PQgetisnull(result, 0, 0);
}
