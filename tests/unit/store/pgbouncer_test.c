/* SPDX-License-Identifier: Apache-2.0 */
/* Through a real pgbouncer in transaction mode, with prepare=off: everything works and nothing stays in a server
 * connection. Skipped (77) where pgbouncer is not installed. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../gate/store/migrate.h"
#include "fixture.h"
#include "jobs.h"

#define PROGRAM "/usr/sbin/pgbouncer"
#define THREADS 8

static pid_t bouncer;
static char bouncer_dir[64];

static void write_settings(const struct fixture *f, const char *path)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file,
		"[databases]\nother = host=%s/run port=5432 user=gatehouse dbname=other\n[pgbouncer]\nlisten_addr =\n"
		"listen_port = 6432\nunix_socket_dir = %s\nauth_type = any\npool_mode = transaction\ndefault_pool_size "
		"= 2\n"
		"max_client_conn = 50\n",
		f->state_dir, bouncer_dir);
	assert_int_equal(fclose(file), 0);
}

static void run_bouncer(const char *settings)
{
	bouncer = fork();
	assert_true(bouncer >= 0);
	if (bouncer > 0)
		return;
	int nothing = open("/dev/null", O_WRONLY);
	dup2(nothing, 1);
	dup2(nothing, 2);
	if (geteuid() == 0)
		execl(PROGRAM, "pgbouncer", "-u", "postgres", settings, (char *)NULL);
	else
		execl(PROGRAM, "pgbouncer", settings, (char *)NULL);
	_exit(127);
}

static int start(void **state)
{
	char settings[128];
	char socket_path[128];
	int failed = fixture_start(state);
	if (failed != 0)
		return failed;
	struct fixture *f = *state;
	fixture_sql(f, "CREATE DATABASE other");
	fixture_make_dir(bouncer_dir, sizeof(bouncer_dir));
	/* Its user makes the socket there. */
	assert_int_equal(chmod(bouncer_dir, 0777), 0);
	snprintf(settings, sizeof(settings), "%s/pgbouncer.ini", bouncer_dir);
	snprintf(socket_path, sizeof(socket_path), "%s/.s.PGSQL.6432", bouncer_dir);
	write_settings(f, settings);
	run_bouncer(settings);
	for (int i = 0; i < 500 && access(socket_path, F_OK) != 0; i++)
		fixture_pause_ms(20);
	store_close(f->store);
	const char *url = arena_printf(f->arena, "host=%s port=6432 user=gatehouse dbname=other", bouncer_dir);
	f->url = fixture_secret(url);
	f->store = fixture_open(f, 6, /* prepare= */ false);
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;
	store_close(f->store);
	f->store = NULL;
	kill(bouncer, SIGTERM);
	waitpid(bouncer, NULL, 0);
	fixture_remove(bouncer_dir);
	return fixture_stop(state);
}

static void schema_is_made_through_it(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	int applied = 0;
	assert_done(migrate_database(f->url, &applied, &problem), problem);
	assert_int_equal(applied, migrate_newest_version());
	assert_done(migrate_database(f->url, &applied, &problem), problem);
	assert_int_equal(applied, 0);
	assert_done(store_ping(f->store, &problem), problem);
	assert_done(vault_check(f->vault, f->store, &problem), problem);
}

struct client {
	struct store *store;
	struct create_try try;
	int number;
	int failures;
};

static void *work(void *argument)
{
	struct client *client = argument;
	struct arena *arena = arena_new(1024 * 1024);
	for (int i = 0; i < 40; i++) {
		char name[32];
		struct problem problem = {0};
		enum insert_end end = INSERT_OWNER_GONE;
		struct create_try try = client->try;
		struct user user;
		bool found = false;
		snprintf(name, sizeof(name), "w-%d-%d", client->number, i);
		try.name = name;
		client->failures += !fixture_create(client->store, &try, &end, &problem) || end != INSERT_DONE;
		client->failures += !user_find(client->store, arena, "b-user", &found, &user, &problem) || !found;
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

static void many_threads_read_and_write(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "b-user");
	struct template_version version = fixture_version(f, "tb", "github", NULL);
	struct create_try try = {user.id, version.id, NULL, "github", fixture_link(f, user.id, "github", "t")};
	struct client clients[THREADS];
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++) {
		clients[i] = (struct client){f->store, try, i, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &clients[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(clients[i].failures, 0);
	}
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM workspaces"), "320");
}

/* Everything a build goes through, on whichever server connection is free. */
static void builds_are_queued_and_carried_out(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "b-builds");
	struct template_version version = fixture_version(f, "tb-builds", "github", NULL);
	struct relied_link relied = {"github", fixture_link(f, user.id, "github", "t")};
	struct build_record record;
	enum complete_end end = COMPLETE_NOT_FOUND;
	int carried_out = 0;
	fixture_sql(f, "DELETE FROM workspaces");
	struct workspace workspace = job_workspace(f, &user, version.id, "dev");
	assert_int_equal(job_start(f->store, f->arena, &workspace, &relied, &record), BUILD_DONE);
	assert_int_equal(job_stop(f, &workspace, "delete"), BUILD_DONE);
	while (job_take(f->store, f->arena, NOBODY, JOB_LEASE_MS, &record)) {
		struct build_hold hold = {record.build.id, NOBODY, record.attempt};
		assert_done(build_complete(f->store, &hold, "succeeded", NULL, &end, &problem), problem);
		assert_int_equal(end, COMPLETE_DONE);
		carried_out++;
	}
	assert_int_equal(carried_out, 3);
	assert_int_equal(job_stop(f, &workspace, "stop"), BUILD_MOVED);
}

static void nothing_stays_in_a_server_connection(void **state)
{
	struct fixture *f = *state;
	char id[UUID_TEXT_SIZE];
	struct store *store = fixture_open(f, 2, false);
	uuid_new(id);
	struct decision_row row = {.id = id, .request_id = "b", .moment = "create", .outcome = "refused"};
	decision_enqueue(store, &row);
	store_close(store);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM decisions WHERE request_id = 'b'"), "1");
	for (int i = 0; i < 6; i++) {
		assert_string_equal(fixture_sql(f, "SHOW synchronous_commit"), "on");
		assert_string_equal(fixture_sql(f, "SELECT count(*) FROM pg_prepared_statements"), "0");
		assert_string_equal(fixture_sql(f, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
	}
}

/* pgbouncer refuses our statement_timeout, so we time the statement and cancel it ourselves. */
static void slow_statement_is_cancelled(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user;
	struct link link;
	bool found = false;
	assert_done(user_find(f->store, f->arena, "b-user", &found, &user, &problem), problem);
	PGconn *holder = fixture_send(f, "BEGIN; SELECT 1 FROM links FOR UPDATE; SELECT pg_sleep(6); COMMIT");
	fixture_await(f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1");
	assert_false(link_delete(f->store, f->arena, user.id, "github", &found, &link, &problem));
	assert_kind(problem, PROBLEM_DATABASE_UNAVAILABLE);
	fixture_receive(holder);
	assert_done(link_find(f->store, f->arena, user.id, "github", &found, &link, &problem), problem);
	assert_true(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_is_made_through_it),
		cmocka_unit_test(many_threads_read_and_write),
		cmocka_unit_test(builds_are_queued_and_carried_out),
		cmocka_unit_test(nothing_stays_in_a_server_connection),
		cmocka_unit_test(slow_statement_is_cancelled),
	};
	if (access(PROGRAM, X_OK) != 0)
		return 77;
	return cmocka_run_group_tests(tests, start, stop);
}
