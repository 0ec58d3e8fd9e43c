/* SPDX-License-Identifier: Apache-2.0 */
/* How the deadlines of clients shrink as workers get scarce, and that poll is only changed for waiting workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../gate/base/clock.h"
#include "../../../gate/http/server_slow.h"
#include "bounds.h"

static void shrinks_with_free_workers(void **state)
{
	int64_t before = 0;

	(void)state;
	assert_int_equal(slow_limit_us(SLOW_HEAD, 100, 100), REQUEST_READ_MS * 1000);
	assert_int_equal(slow_limit_us(SLOW_HEAD, 50, 100), REQUEST_READ_MS * 1000);
	assert_int_equal(slow_limit_us(SLOW_IDLE, 50, 100), KEEP_ALIVE_IDLE_MS * 1000);
	for (int free_workers = 0; free_workers <= 50; free_workers++) {
		int64_t limit_us = slow_limit_us(SLOW_BODY, free_workers, 100);

		assert_true(limit_us > before);
		before = limit_us;
	}
	assert_int_equal(slow_limit_us(SLOW_HEAD, 0, 100), 250 * 1000);
	assert_int_equal(slow_limit_us(SLOW_HEAD, -1, 100), 250 * 1000);
	assert_int_equal(slow_limit_us(SLOW_HEAD, 1, 1), REQUEST_READ_MS * 1000);
	assert_int_equal(slow_limit_us(SLOW_HEAD, 0, 1), 250 * 1000);
}

static void waits_as_ever_elsewhere(void **state)
{
	int pair[2];
	struct pollfd fd;
	int64_t start_us = clock_monotonic_us();

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fd = (struct pollfd){.fd = pair[0], .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 50), 0);
	assert_true(clock_monotonic_us() - start_us >= 50000);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(poll(&fd, 1, -1), 1);
	assert_int_equal(fd.revents, POLLIN);
	assert_int_equal(poll(NULL, 0, 1), 0);
	close(pair[0]);
	close(pair[1]);
}

static void gives_up_when_workers_are_scarce(void **state)
{
	struct slow_guard guard = {.threads = 1, .wake_fd = -1};
	struct slow_worker worker = {.guard = &guard, .fd = -1};
	int64_t start_us = clock_monotonic_us();
	struct pollfd fd;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fd = (struct pollfd){.fd = pair[0], .events = POLLIN};
	slow_thread_set(&worker);
	slow_enter(&worker, SLOW_HEAD);
	assert_int_equal(atomic_load(&guard.occupied), 1);
	assert_int_equal(poll(&fd, 1, 5000), 1);
	assert_int_equal(fd.revents, POLLERR);
	assert_true(worker.timed_out);
	assert_in_range(clock_monotonic_us() - start_us, 250000, 1000000);
	slow_enter(&worker, SLOW_FREE);
	assert_int_equal(atomic_load(&guard.occupied), 0);
	slow_thread_set(NULL);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shrinks_with_free_workers),
		cmocka_unit_test(waits_as_ever_elsewhere),
		cmocka_unit_test(gives_up_when_workers_are_scarce),
	};

	return cmocka_run_group_tests_name("http slow", tests, NULL, NULL);
}
