/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded cluster's life and the schema's: made once, found again after any death, migrated by one of many.
 * Processes are forked only while this one has no thread. */
#include <dirent.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../gate/base/log.h"
#include "../../../gate/store/migrate.h"
#include "fixture.h"

#define ARENA_BYTES_MAX (16 * 1024 * 1024)

static int make_dir(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	log_setup(LOG_ERROR, LOG_TEXT);
	f->arena = arena_new(ARENA_BYTES_MAX);
	fixture_make_dir(f->state_dir, sizeof(f->state_dir));
	*state = f;
	return 0;
}

static int drop_dir(void **state)
{
	struct fixture *f = *state;
	embedded_stop(f->embedded);
	fixture_remove(f->state_dir);
	arena_free(f->arena);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	struct problem problem = {0};
	assert_done(embedded_start(f->state_dir, f->arena, &f->embedded, &f->url, &problem), problem);
}

static void stop(struct fixture *f)
{
	embedded_stop(f->embedded);
	f->embedded = NULL;
}

/* A service in a process of its own; it writes one byte when its cluster answers and lives until it is killed. */
static pid_t serve_elsewhere(const struct fixture *f, int ready[2])
{
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(ready[1]);
		return pid;
	}
	struct problem problem = {0};
	struct embedded *embedded = NULL;
	struct secret url;
	bool started = embedded_start(f->state_dir, f->arena, &embedded, &url, &problem);
	if (!started)
		fprintf(stderr, "%s %s\n", problem.message, problem.detail);
	if (write(ready[1], started ? "y" : "n", 1) == 1)
		pause();
	_exit(1);
}

static void kill_and_reap(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int count_servers(const struct fixture *f)
{
	int count = 0;
	char own[128];
	DIR *processes = opendir("/proc");
	snprintf(own, sizeof(own), "%s/postgres", f->state_dir);
	for (const struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
		char link[300];
		char folder[512] = "";
		snprintf(link, sizeof(link), "/proc/%s/cwd", entry->d_name);
		ssize_t size = readlink(link, folder, sizeof(folder) - 1);
		count += size > 0 && strcmp(folder, own) == 0;
	}
	closedir(processes);
	return count;
}

static void cluster_is_found_again(void **state)
{
	struct fixture *f = *state;
	start(f);
	fixture_sql(f, "CREATE TABLE kept AS SELECT 7 AS n");
	assert_string_equal(fixture_sql(f, "SHOW listen_addresses"), "");
	stop(f);
	assert_int_equal(count_servers(f), 0);
	start(f);
	assert_string_equal(fixture_sql(f, "SELECT n FROM kept"), "7");
}

static void files_are_for_their_owner_alone(void **state)
{
	struct fixture *f = *state;
	struct stat status;
	char path[128];
	start(f);
	const char *const folders[] = {"postgres", "run"};
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->state_dir, folders[i]);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 0777, 0700);
	}
	snprintf(path, sizeof(path), "%s/run/.s.PGSQL.5432", f->state_dir);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	assert_int_equal(chmod(f->state_dir, 0777), 0);
	struct problem problem = {0};
	struct embedded *embedded = NULL;
	struct secret url;
	assert_false(embedded_start(f->state_dir, f->arena, &embedded, &url, &problem));
	assert_non_null(strstr(problem.detail, "chmod go-w"));
	assert_int_equal(chmod(f->state_dir, 0711), 0);
}

static void second_service_is_refused_and_may_join(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct embedded *second = NULL;
	struct secret url = {0};
	start(f);
	assert_false(embedded_start(f->state_dir, f->arena, &second, &url, &problem));
	assert_kind(problem, PROBLEM_CONFLICT);
	assert_done(embedded_join(f->state_dir, f->arena, &second, &url, &problem), problem);
	assert_string_equal(url.text, f->url.text);
	embedded_stop(second);
	assert_int_not_equal(count_servers(f), 0);
	stop(f);
	assert_done(embedded_join(f->state_dir, f->arena, &second, &url, &problem), problem);
	assert_non_null(second);
	embedded_stop(second);
	assert_int_equal(count_servers(f), 0);
}

static void killed_service_leaves_no_second_server(void **state)
{
	struct fixture *f = *state;
	int ready[2];
	char byte = 'n';
	for (int i = 0; i < 3; i++) {
		pid_t pid = serve_elsewhere(f, ready);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		assert_int_equal(byte, 'y');
		close(ready[0]);
		kill_and_reap(pid);
	}
	start(f);
	assert_string_equal(fixture_sql(f, "SELECT 1"), "1");
	stop(f);
	assert_int_equal(count_servers(f), 0);
}

/* The service is killed while its server cannot follow: the next one ends it, and never runs a second beside it. */
static void server_that_was_left_behind_is_ended(void **state)
{
	struct fixture *f = *state;
	int ready[2];
	char byte = 'n';
	pid_t pid = serve_elsewhere(f, ready);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	pid_t server = fixture_server_pid(f);
	assert_int_equal(kill(server, SIGSTOP), 0);
	kill_and_reap(pid);
	pid_t waker = fork();
	assert_true(waker >= 0);
	if (waker == 0) {
		fixture_pause_ms(500);
		kill(server, SIGCONT);
		_exit(0);
	}
	start(f);
	assert_int_not_equal(fixture_server_pid(f), server);
	assert_int_equal(waitpid(waker, NULL, 0), waker);
}

static void interrupted_initdb_is_begun_anew(void **state)
{
	struct fixture *f = *state;
	const int64_t delays_ms[] = {20, 120, 300};
	for (size_t i = 0; i < COUNT_OF(delays_ms); i++) {
		int ready[2];
		pid_t pid = serve_elsewhere(f, ready);
		fixture_pause_ms(delays_ms[i]);
		kill_and_reap(pid);
		close(ready[0]);
	}
	start(f);
	assert_string_equal(fixture_sql(f, "SHOW server_encoding"), "UTF8");
	DIR *folder = opendir(f->state_dir);
	for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
		assert_null(strstr(entry->d_name, "postgres.new"));
	closedir(folder);
}

static void long_path_puts_the_socket_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct embedded *second = NULL;
	struct secret url = {0};
	char *deep = arena_printf(f->arena, "%s/%0100d/it's, here", f->state_dir, 0);
	assert_done(embedded_start(deep, f->arena, &f->embedded, &f->url, &problem), problem);
	assert_null(strstr(f->url.text, f->state_dir));
	assert_string_equal(fixture_sql(f, "SELECT 1"), "1");
	assert_done(embedded_join(deep, f->arena, &second, &url, &problem), problem);
	assert_string_equal(url.text, f->url.text);
	embedded_stop(second);
	char *path = arena_copy(f->arena, strchr(f->url.text, '/'));
	*strchr(path, '\'') = '\0';
	stop(f);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* As an ordinary user everything runs as that user. */
static void ordinary_user_needs_no_root(void **state)
{
	struct fixture *f = *state;
	const struct passwd *nobody = getpwnam("nobody");
	if (geteuid() != 0 || nobody == NULL)
		return;
	assert_int_equal(chown(f->state_dir, nobody->pw_uid, nobody->pw_gid), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct problem problem = {0};
		struct embedded *embedded = NULL;
		struct secret url;
		if (setgid(nobody->pw_gid) != 0 || setuid(nobody->pw_uid) != 0)
			_exit(2);
		bool started = embedded_start(f->state_dir, f->arena, &embedded, &url, &problem);
		if (!started)
			fprintf(stderr, "%s %s\n", problem.message, problem.detail);
		embedded_stop(started ? embedded : NULL);
		_exit(started ? 0 : 1);
	}
	int status = 1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- migrations -----------------------------------------------------------------------------------------------------
 */

static void one_of_four_migrates(void **state)
{
	struct fixture *f = *state;
	pid_t pids[4];
	int applied_sum = 0;
	start(f);
	for (size_t i = 0; i < COUNT_OF(pids); i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			struct problem problem = {0};
			int applied = 0;
			bool done = migrate_database(f->url, &applied, &problem);
			if (!done)
				fprintf(stderr, "%s %s\n", problem.message, problem.detail);
			_exit(done ? applied : 100);
		}
	}
	for (size_t i = 0; i < COUNT_OF(pids); i++) {
		int status = 0;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 100);
		applied_sum += WEXITSTATUS(status);
	}
	assert_int_equal(applied_sum, migrate_newest_version());
}

static void assert_migration_refused(const char *url, const char *message_word, const char *detail_word)
{
	struct problem problem = {0};
	int applied = 0;
	assert_false(migrate_database(fixture_secret(url), &applied, &problem));
	print_message("%s %s\n", problem.message, problem.detail);
	assert_non_null(strstr(problem.message, message_word));
	assert_non_null(strstr(problem.detail, detail_word));
	assert_null(strstr(problem.message, "hunter2"));
	assert_null(strstr(problem.detail, "hunter2"));
}

static void refusals_say_what_to_do(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	int applied = 0;
	start(f);
	assert_migration_refused("postgresql://u:hunter2@[::1", "connection string", "GATEHOUSE_PG_CONNECTION_URL");
	assert_migration_refused(
		"postgresql://u:hunter2@127.0.0.1:1/x", "127.0.0.1", "Check that PostgreSQL runs there");
	assert_migration_refused("host=/nowhere password=hunter2", "/nowhere", "Check that PostgreSQL runs there");
	assert_done(migrate_database(f->url, &applied, &problem), problem);
	assert_int_equal(applied, migrate_newest_version());
	assert_done(migrate_database(f->url, &applied, &problem), problem);
	assert_int_equal(applied, 0);
	fixture_sql(f, "INSERT INTO schema_migrations (version, name) VALUES (7777, 'future')");
	assert_migration_refused(f->url.text, "at version 7777, this gatehouse knows", "Upgrade gatehouse");
}

static void missing_rights_are_named(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	int applied = 0;
	start(f);
	fixture_sql(f, "CREATE ROLE weak LOGIN");
	fixture_sql(f, "CREATE DATABASE other");
	const char *url = arena_printf(f->arena, "%s user=weak dbname=other", f->url.text);
	assert_migration_refused(url, "weak", "GRANT USAGE, CREATE ON SCHEMA public TO weak");
	const char *owner = arena_printf(f->arena, "%s dbname=other", f->url.text);
	assert_done(migrate_database(fixture_secret(owner), &applied, &problem), problem);
	assert_migration_refused(url, "schema_migrations", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES");
	struct fixture there = *f;
	there.url = fixture_secret(owner);
	fixture_sql(&there, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO weak");
	assert_migration_refused(url, "no SELECT, INSERT, UPDATE, DELETE on api_tokens", "GRANT");
	fixture_sql(&there, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO weak");
	assert_done(migrate_database(fixture_secret(url), &applied, &problem), problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cluster_is_found_again, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(files_are_for_their_owner_alone, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(second_service_is_refused_and_may_join, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(killed_service_leaves_no_second_server, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(server_that_was_left_behind_is_ended, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(interrupted_initdb_is_begun_anew, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(long_path_puts_the_socket_elsewhere, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(ordinary_user_needs_no_root, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(one_of_four_migrates, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(refusals_say_what_to_do, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(missing_rights_are_named, make_dir, drop_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
