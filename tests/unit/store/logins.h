/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of device codes and logins share: each step of a login as one call that fails the test where the store
 * does. */
#ifndef STORE_LOGINS_H
#define STORE_LOGINS_H

#include "../../../gate/store/device_grants.h"
#include "../../../gate/store/users.h"
#include "fixture.h"

#define CLIENT "gatehouse-cli"

extern const struct login_limits login_limits;

/* Before each test: no code, no login, no counter. */
int login_empty(void **state);

struct device_codes login_codes(const struct fixture *f, const char *address);
struct device_entry_answer login_look(const struct fixture *f, const char *user_code, const struct user *user);
enum device_entry_end login_decide(
	const struct fixture *f, const struct device_codes *codes, const struct user *user, bool approve);
struct device_outcome login_poll(const struct fixture *f, const struct device_codes *codes);
struct family_outcome login_refresh(const struct fixture *f, const char *refresh_token);

/* The id of a new session of the user's. */
const char *login_session(const struct fixture *f, const struct user *user);

/* A whole login. */
struct login_pair login_begin(const struct fixture *f, const struct user *user);

/* Whether the API would take this access token. */
bool login_works(const struct fixture *f, struct secret access_token);

/* The code's row: its status; a column moved by an SQL expression; put into a state, expired so many ms ago. */
const char *login_status(const struct fixture *f, const struct device_codes *codes);
void login_shift(const struct fixture *f, const struct device_codes *codes, const char *column, const char *by);
void login_put(const struct fixture *f, const struct device_codes *codes, const struct user *user, const char *status,
	int64_t late_ms);

#endif
