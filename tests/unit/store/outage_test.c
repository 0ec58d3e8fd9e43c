/* SPDX-License-Identifier: Apache-2.0 */
/* The server goes and comes: callers hear PROBLEM_DATABASE_UNAVAILABLE soon and nothing else, and nobody restarts us.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../gate/base/clock.h"
#include "../../../gate/base/metrics.h"
#include "../../../gate/store/pool.h"
#include "fixture.h"

#define READERS 8

/* A call during an outage: one second of waiting for an answer, and room for a machine that is busy otherwise. */
#define AWAY_LIMIT_MS 3000

struct reader {
	struct store *store;
	atomic_bool *stop;
	int done;
	int away;
	int other;
	int64_t slowest_ms;
};

static void read_once(struct reader *reader, struct arena *arena)
{
	struct problem problem = {0};
	struct user user;
	bool found = false;
	int64_t started_us = clock_monotonic_us();
	bool done = user_find(reader->store, arena, "o-user", &found, &user, &problem);
	int64_t took_ms = (clock_monotonic_us() - started_us) / 1000;
	reader->done += done && found;
	reader->away += !done && problem.kind == PROBLEM_DATABASE_UNAVAILABLE && problem.retry_after_s > 0;
	reader->other += done ? !found : problem.kind != PROBLEM_DATABASE_UNAVAILABLE || problem.retry_after_s == 0;
	reader->slowest_ms = took_ms > reader->slowest_ms ? took_ms : reader->slowest_ms;
	arena_reset(arena);
	if (!done)
		fixture_pause_ms(5);
}

static void *read_on(void *argument)
{
	struct reader *reader = argument;
	struct arena *arena = arena_new(1024 * 1024);
	while (!atomic_load(reader->stop))
		read_once(reader, arena);
	arena_free(arena);
	return NULL;
}

/* How long the machine itself stood still: a loaded one may stall for seconds, and that is not the pool's doing. */
struct pulse {
	atomic_bool *stop;
	int64_t longest_gap_ms;
};

static void *beat(void *argument)
{
	struct pulse *pulse = argument;
	int64_t last_us = clock_monotonic_us();
	while (!atomic_load(pulse->stop)) {
		fixture_pause_ms(5);
		int64_t now_us = clock_monotonic_us();
		int64_t gap_ms = (now_us - last_us) / 1000;
		pulse->longest_gap_ms = gap_ms > pulse->longest_gap_ms ? gap_ms : pulse->longest_gap_ms;
		last_us = now_us;
	}
	return NULL;
}

struct crowd {
	atomic_bool stop;
	pthread_t pulse_thread;
	struct pulse pulse;
	pthread_t threads[READERS];
	struct reader readers[READERS];
};

static void crowd_start(struct crowd *crowd, struct store *store)
{
	atomic_init(&crowd->stop, false);
	crowd->pulse = (struct pulse){.stop = &crowd->stop};
	assert_int_equal(pthread_create(&crowd->pulse_thread, NULL, beat, &crowd->pulse), 0);
	for (size_t i = 0; i < READERS; i++) {
		crowd->readers[i] = (struct reader){.store = store, .stop = &crowd->stop};
		assert_int_equal(pthread_create(&crowd->threads[i], NULL, read_on, &crowd->readers[i]), 0);
	}
}

static struct reader crowd_stop(struct crowd *crowd)
{
	struct reader sum = {0};
	atomic_store(&crowd->stop, true);
	for (size_t i = 0; i < READERS; i++) {
		pthread_join(crowd->threads[i], NULL);
		sum.done += crowd->readers[i].done;
		sum.away += crowd->readers[i].away;
		sum.other += crowd->readers[i].other;
		if (crowd->readers[i].slowest_ms > sum.slowest_ms)
			sum.slowest_ms = crowd->readers[i].slowest_ms;
	}
	pthread_join(crowd->pulse_thread, NULL);
	print_message("%d done, %d away, slowest %d ms, the machine stood still for %d ms\n", sum.done, sum.away,
		(int)sum.slowest_ms, (int)crowd->pulse.longest_gap_ms);
	sum.slowest_ms -= crowd->pulse.longest_gap_ms;
	return sum;
}

static void await_database(const struct fixture *f)
{
	struct problem problem = {0};
	struct deadline deadline = deadline_in_ms(60000);
	while (!store_ping(f->store, &problem)) {
		assert_kind(problem, PROBLEM_DATABASE_UNAVAILABLE);
		assert_false(deadline_passed(deadline));
		fixture_pause_ms(20);
	}
}

/* Ends the server by a signal under load; the watcher starts it again. */
static void survive(struct fixture *f, int signal_number)
{
	struct crowd crowd;
	crowd_start(&crowd, f->store);
	fixture_pause_ms(200);
	pid_t before = fixture_server_pid(f);
	assert_true(before > 1);
	assert_int_equal(kill(before, signal_number), 0);
	struct deadline deadline = deadline_in_ms(60000);
	while (fixture_server_pid(f) == before || fixture_server_pid(f) == 0) {
		assert_false(deadline_passed(deadline));
		fixture_pause_ms(20);
	}
	await_database(f);
	fixture_pause_ms(200);
	struct reader sum = crowd_stop(&crowd);
	assert_int_equal(sum.other, 0);
	assert_true(sum.done > 0);
	assert_true(sum.slowest_ms < AWAY_LIMIT_MS);
}

static void server_killed_under_load_comes_back(void **state)
{
	survive(*state, SIGKILL);
}

static void server_shut_down_under_load_comes_back(void **state)
{
	survive(*state, SIGINT);
	survive(*state, SIGQUIT);
}

static void idle_connections_that_died_cost_nobody_an_error(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct crowd crowd;
	crowd_start(&crowd, f->store);
	fixture_pause_ms(100);
	crowd_stop(&crowd);
	for (int i = 0; i < 3; i++) {
		fixture_sql(f, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> "
			       "pg_backend_pid() "
			       "AND backend_type = 'client backend'");
		struct user given = {.username = arena_printf(f->arena, "o-idle-%d", i), .roles = 1};
		struct user user;
		fixture_pause_ms(50);
		assert_done(user_insert(f->store, f->arena, &given, &user, &problem), problem);
	}
}

static void away_server_is_told_soon_and_found_again(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct crowd crowd;
	embedded_stop(f->embedded);
	f->embedded = NULL;
	crowd_start(&crowd, f->store);
	fixture_pause_ms(1500);
	struct reader sum = crowd_stop(&crowd);
	assert_int_equal(sum.done + sum.other, 0);
	assert_true(sum.away > READERS);
	assert_true(sum.slowest_ms < AWAY_LIMIT_MS);
	assert_done(embedded_start(f->state_dir, f->arena, &f->embedded, &f->url, &problem), problem);
	assert_done(store_ping(f->store, &problem), problem);
}

/* A port that takes connections and never says a word. */
static void silent_server_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	struct crowd crowd;
	struct problem problem = {0};
	struct store *store = NULL;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 64), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	const char *url = arena_printf(f->arena, "host=127.0.0.1 port=%d user=x dbname=x", ntohs(address.sin_port));
	struct store_options options = {
		.connection_url = fixture_secret(url), .prepare = true, .connections = 4, .vault = f->vault};
	assert_done(store_open(&options, &store, &problem), problem);
	crowd_start(&crowd, store);
	fixture_pause_ms(1200);
	struct reader sum = crowd_stop(&crowd);
	assert_int_equal(sum.done + sum.other, 0);
	assert_true(sum.slowest_ms < AWAY_LIMIT_MS);
	store_close(store);
	close(listener);
}

static void server_that_takes_no_writes_is_away(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user given = {.username = "o-readonly", .roles = 1};
	struct user user;
	await_database(f);
	fixture_sql(f, "ALTER SYSTEM SET default_transaction_read_only = on");
	fixture_sql(f, "SELECT pg_reload_conf()");
	fixture_pause_ms(200);
	assert_false(user_insert(f->store, f->arena, &given, &user, &problem));
	assert_kind(problem, PROBLEM_DATABASE_UNAVAILABLE);
	fixture_sql(f, "ALTER SYSTEM RESET default_transaction_read_only");
	fixture_sql(f, "SELECT pg_reload_conf()");
	fixture_pause_ms(200);
	assert_done(user_insert(f->store, f->arena, &given, &user, &problem), problem);
}

/* --- writes ---------------------------------------------------------------------------------------------------------
 */

static PGconn *lock_link(const struct fixture *f, const char *owner_id, const char *seconds)
{
	const char *sql = arena_printf(f->arena,
		"BEGIN; SELECT 1 FROM links WHERE owner_id = '%s' FOR UPDATE; SELECT pg_sleep(%s); "
		"COMMIT",
		owner_id, seconds);
	PGconn *holder = fixture_send(f, sql);
	fixture_await(f, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1");
	return holder;
}

static void *terminate_waiting(void *argument)
{
	struct fixture own = *(const struct fixture *)argument;
	own.arena = arena_new(1024 * 1024);
	fixture_await(&own, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "t");
	fixture_sql(&own, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = "
			  "'Lock'");
	arena_free(own.arena);
	return NULL;
}

/* An administrator ends the backend while its statement waits: nothing was committed, so the write is run again. */
static void write_ended_before_it_began_is_repeated(void **state)
{
	struct fixture *f = *state;
	struct user user = fixture_user(f, "o-repeat");
	pthread_t terminator;
	assert_int_equal(fixture_link(f, user.id, "github", "t"), 1);
	PGconn *holder = lock_link(f, user.id, "1");
	assert_int_equal(pthread_create(&terminator, NULL, terminate_waiting, f), 0);
	assert_int_equal(fixture_link(f, user.id, "github", "t"), 2);
	pthread_join(terminator, NULL);
	fixture_receive(holder);
	assert_string_equal(
		fixture_sql(f, arena_printf(f->arena, "SELECT generation FROM links WHERE owner_id = '%s'", user.id)),
		"2");
}

static void statement_that_waits_too_long_is_given_up(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	struct user user = fixture_user(f, "o-slow");
	struct link_tokens tokens = {.owner_id = user.id, .provider_id = "github", .access_token = fixture_secret("t")};
	fixture_link(f, user.id, "github", "t");
	PGconn *holder = lock_link(f, user.id, "6");
	assert_false(link_save(f->store, &tokens, NULL, &problem));
	assert_kind(problem, PROBLEM_DATABASE_UNAVAILABLE);
	fixture_receive(holder);
	assert_done(link_save(f->store, &tokens, NULL, &problem), problem);
}

/* --- the pool -------------------------------------------------------------------------------------------------------
 */

struct turn {
	struct pool *pool;
	int number;
	atomic_int *next;
	bool in_order;
};

static void *take_turn(void *argument)
{
	struct turn *turn = argument;
	struct problem problem = {0};
	struct connection *connection = NULL;
	if (!pool_borrow(turn->pool, &connection, &problem))
		return NULL;
	turn->in_order = atomic_fetch_add(turn->next, 1) == turn->number;
	pool_return(turn->pool, connection);
	return NULL;
}

/* Whether six that came in order were served in order. */
static bool serve_in_order(struct pool *pool)
{
	struct problem problem = {0};
	struct connection *connection = NULL;
	struct turn turns[6];
	pthread_t threads[6];
	atomic_int next = 0;
	bool in_order = true;
	assert_true(pool_borrow(pool, &connection, &problem));
	for (int i = 0; i < 6; i++) {
		turns[i] = (struct turn){pool, i, &next, false};
		assert_int_equal(pthread_create(&threads[i], NULL, take_turn, &turns[i]), 0);
		fixture_pause_ms(30);
	}
	pool_return(pool, connection);
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		in_order = in_order && turns[i].in_order;
	}
	return in_order;
}

/* On a busy machine the threads may come in another order than they were made; a pool that serves in another order than
 * they came fails each time. */
static void who_waits_first_is_served_first(void **state)
{
	struct fixture *f = *state;
	struct pool *pool = pool_new(f->url, true, 1);
	bool in_order = false;
	for (int attempt = 0; attempt < 10 && !in_order; attempt++)
		in_order = serve_in_order(pool);
	pool_free(pool);
	assert_true(in_order);
}

/* --- the decision log -----------------------------------------------------------------------------------------------
 */

static long dropped_so_far(struct arena *arena)
{
	struct text text = text_in(arena);
	metrics_write(&text);
	const char *line = strstr(text.bytes, "\ngatehouse_decision_log_dropped_total ");
	return line == NULL
		       ? 0
		       : strtol(strrchr(arena_copy_bytes(arena, line, 1 + strcspn(line + 1, "\n")), ' '), NULL, 10);
}

static void full_queue_drops_and_counts(void **state)
{
	struct fixture *f = *state;
	struct problem problem = {0};
	char id[UUID_TEXT_SIZE];
	long before = dropped_so_far(f->arena);
	embedded_stop(f->embedded);
	for (int i = 0; i < DECISION_QUEUE_MAX + 100; i++) {
		uuid_new(id);
		struct decision_row row = {.id = id, .request_id = "full", .moment = "create", .outcome = "refused"};
		decision_enqueue(f->store, &row);
	}
	assert_int_equal(dropped_so_far(f->arena) - before, 100);
	assert_done(embedded_start(f->state_dir, f->arena, &f->embedded, &f->url, &problem), problem);
	store_close(f->store);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM decisions WHERE request_id = 'full'"), "8192");
	f->store = fixture_open(f, 4, true);
}

static int start_with_user(void **state)
{
	int failed = fixture_start(state);
	if (failed == 0)
		fixture_user(*state, "o-user");
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_first_is_served_first),
		cmocka_unit_test(idle_connections_that_died_cost_nobody_an_error),
		cmocka_unit_test(write_ended_before_it_began_is_repeated),
		cmocka_unit_test(statement_that_waits_too_long_is_given_up),
		cmocka_unit_test(server_that_takes_no_writes_is_away),
		cmocka_unit_test(silent_server_is_not_waited_for),
		cmocka_unit_test(server_killed_under_load_comes_back),
		cmocka_unit_test(server_shut_down_under_load_comes_back),
		cmocka_unit_test(away_server_is_told_soon_and_found_again),
		cmocka_unit_test(full_queue_drops_and_counts),
	};
	return cmocka_run_group_tests(tests, start_with_user, fixture_stop);
}
