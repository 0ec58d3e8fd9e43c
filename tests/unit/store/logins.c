/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a login: see logins.h. */
#include "logins.h"

#include <string.h>

const struct login_limits login_limits = {900000, 30 * INT64_C(86400000), 90 * INT64_C(86400000)};

int login_empty(void **state)
{
	fixture_sql(*state, "DELETE FROM device_grants");
	fixture_sql(*state, "DELETE FROM token_families");
	fixture_sql(*state, "DELETE FROM login_attempts");
	return 0;
}

struct device_codes login_codes(const struct fixture *f, const char *address)
{
	const struct device_request request = {CLIENT, address, "test/1\n"};
	struct device_codes codes;
	struct problem problem = {0};
	bool given = false;
	assert_done(device_grant_insert(f->store, f->arena, &request, &given, &codes, &problem), problem);
	assert_true(given);
	return codes;
}

struct device_entry_answer login_look(const struct fixture *f, const char *user_code, const struct user *user)
{
	const struct device_entry entry = {.user_code = user_code,
		.user_id = user->id,
		.address = arena_printf(f->arena, "of %s", user->username)};
	struct device_entry_answer answer;
	struct problem problem = {0};
	assert_done(device_grant_look(f->store, f->arena, &entry, &answer, &problem), problem);
	return answer;
}

const char *login_session(const struct fixture *f, const struct user *user)
{
	return fixture_sql(f, arena_printf(f->arena,
				      "INSERT INTO browser_sessions (hash, id, user_id, user_generation, expires_at) "
				      "SELECT sha256(gen_random_uuid()::text::bytea), gen_random_uuid(), id, "
				      "sessions_generation, now() + interval '1 hour' FROM users WHERE id = '%s' "
				      "RETURNING id",
				      user->id));
}

enum device_entry_end login_decide(
	const struct fixture *f, const struct device_codes *codes, const struct user *user, bool approve)
{
	const struct device_entry entry = {codes->user_code, user->id, login_session(f, user), "127.0.0.1"};
	struct device_entry_answer answer;
	struct problem problem = {0};
	assert_done(device_grant_decide(f->store, f->arena, &entry, approve, &answer, &problem), problem);
	return answer.end;
}

struct device_outcome login_poll(const struct fixture *f, const struct device_codes *codes)
{
	const struct device_poll poll = {codes->device_code.text, CLIENT, login_limits};
	struct device_outcome outcome;
	struct problem problem = {0};
	assert_done(device_grant_poll(f->store, f->arena, &poll, &outcome, &problem), problem);
	return outcome;
}

struct family_outcome login_refresh(const struct fixture *f, const char *refresh_token)
{
	const struct family_use use = {refresh_token, CLIENT, login_limits};
	struct family_outcome outcome;
	struct problem problem = {0};
	assert_done(family_refresh(f->store, f->arena, &use, &outcome, &problem), problem);
	return outcome;
}

struct login_pair login_begin(const struct fixture *f, const struct user *user)
{
	struct device_codes codes = login_codes(f, "");
	assert_int_equal(login_decide(f, &codes, user, true), DEVICE_ENTRY_FOUND);
	struct device_outcome outcome = login_poll(f, &codes);
	assert_int_equal(outcome.answer, GRANT_ANSWER_REDEEM);
	return outcome.pair;
}

bool login_works(const struct fixture *f, struct secret access_token)
{
	uint8_t hash[SHA256_BYTES];
	struct user user;
	struct problem problem = {0};
	bool found = false;
	int64_t left_ms;
	sha256(access_token.text, access_token.size, hash);
	assert_done(token_find_user(f->store, f->arena, hash, &found, &user, &left_ms, &problem), problem);
	return found;
}

static const char *where_of(const struct fixture *f, const struct device_codes *codes)
{
	return arena_printf(f->arena, "WHERE code_hash = sha256('%s')", codes->device_code.text);
}

const char *login_status(const struct fixture *f, const struct device_codes *codes)
{
	return fixture_sql(f, arena_printf(f->arena, "SELECT status FROM device_grants %s", where_of(f, codes)));
}

void login_shift(const struct fixture *f, const struct device_codes *codes, const char *column, const char *by)
{
	fixture_sql(f, arena_printf(f->arena, "UPDATE device_grants SET %s = %s %s %s", column, column, by,
			       where_of(f, codes)));
}

void login_put(const struct fixture *f, const struct device_codes *codes, const struct user *user, const char *status,
	int64_t late_ms)
{
	bool pending = strcmp(status, "pending") == 0;
	bool consumed = strcmp(status, "consumed") == 0;
	fixture_sql(f, arena_printf(f->arena,
			       "UPDATE device_grants SET status = '%s', user_id = %s, redeemed_at = %s, "
			       "expires_at = now() - interval '%d milliseconds' %s",
			       status, pending ? "NULL" : arena_printf(f->arena, "'%s'", user->id),
			       consumed ? "now()" : "NULL", (int)late_ms, where_of(f, codes)));
}
