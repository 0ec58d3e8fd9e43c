/* SPDX-License-Identifier: Apache-2.0 */
/* What the store's tests share: a throw-away cluster with the schema in it, a store on it, and direct SQL for what no
 * function of the store does. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "../../../gate/base/arena.h"
#include "../../../gate/store/embedded.h"
#include "../../../gate/store/store.h"
#include "../../../gate/store/vault.h"
#include "../../../gate/store/workspaces.h"

struct fixture {
	char state_dir[64];
	struct arena *arena; /* of the whole program */
	struct embedded *embedded;
	struct secret url;
	struct vault *vault;
	struct store *store;
};

/* For cmocka's group setup and teardown: *state is a struct fixture. */
int fixture_start(void **state);
int fixture_stop(void **state);

/* A store of its own on the fixture's database. */
struct store *fixture_open(const struct fixture *fixture, size_t connections, bool prepare);

/* Runs SQL and gives the first column of the first row, or "" where there is none; fails the test on an error. Lives in
 * the fixture's arena: not for several threads at once. */
const char *fixture_sql(const struct fixture *fixture, const char *sql);

void fixture_pause_ms(int64_t duration_ms);

/* Waits until such SQL says what is expected, and fails the test after half a minute. */
void fixture_await(const struct fixture *fixture, const char *sql, const char *expected);

/* SQL on a connection of its own that goes on while the test does something else. fixture_receive waits for its end,
 * fails the test where the server refused any of it, and closes the connection. */
PGconn *fixture_send(const struct fixture *fixture, const char *sql);
void fixture_receive(PGconn *connection);

/* A transaction that has run this SQL and keeps its locks. fixture_release rolls it back and closes the connection. */
PGconn *fixture_hold(const struct fixture *fixture, const char *sql);
void fixture_release(PGconn *connection);

/* A folder that is thrown away by fixture_remove; as root user postgres may pass through it. */
void fixture_make_dir(char *ret_path, size_t size);
void fixture_remove(const char *path);

/* Rows that tests need: each fails the test where the store does. */
struct user fixture_user(const struct fixture *fixture, const char *username);
struct template_version fixture_version(
	const struct fixture *fixture, const char *name, const char *required, const char *optional);
int64_t fixture_link(const struct fixture *fixture, const char *owner_id, const char *provider_id, const char *token);

struct secret fixture_secret(const char *text);
void fixture_hash(const char *text, uint8_t ret_hash[SHA256_BYTES]);

/* A create of one workspace that relies on one link; NULL provider_id: on none. */
struct create_try {
	const char *owner_id;
	const char *version_id;
	const char *name;
	const char *provider_id;
	int64_t generation;
};
bool fixture_create(
	struct store *store, const struct create_try *try, enum insert_end *ret_end, struct problem *problem);
/* The same, answering a key of the owner's. */
bool fixture_create_once(struct store *store, const struct create_try *try, const struct idempotency_answer *answer,
	enum insert_end *ret_end, struct problem *problem);

/* Reads the process id of the fixture's server. */
pid_t fixture_server_pid(const struct fixture *fixture);

#define assert_kind(problem, expected) assert_string_equal(problem_word((problem).kind), problem_word(expected))

/* Fails with the problem's words. */
#define assert_done(call, problem)                                                                                     \
	do {                                                                                                           \
		if (!(call))                                                                                           \
			fail_msg("%s: %s %s", #call, (problem).message, (problem).detail);                             \
	} while (0)

#endif
