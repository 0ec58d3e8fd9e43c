/* SPDX-License-Identifier: Apache-2.0 */
/* Device codes and the families they begin: each state and move, whatever comes too early, too late or twice, and what
 * is never stored as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logins.h"

static void codes_are_drawn_as_they_are_read(void **state)
{
	const struct fixture *f = *state;
	struct device_codes codes = login_codes(f, "10.0.0.1");
	assert_int_equal(strlen(codes.user_code), 9);
	assert_int_equal(codes.user_code[4], '-');
	assert_int_equal(strspn(codes.user_code, "23456789ABCDEFGHJKMNPQRSTUVWXYZ-"), 9);
	assert_true(codes.device_code.size >= 43);
	const char *dump = fixture_sql(f, "SELECT string_agg(g::text, ' ') FROM device_grants g");
	assert_null(strstr(dump, codes.user_code));
	assert_null(strstr(dump, codes.device_code.text));
}

static void code_is_entered_in_any_form(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "g-entry");
	struct device_codes codes = login_codes(f, "10.0.0.2");
	const char *c = codes.user_code;
	char *lower = arena_copy(f->arena, c);
	for (char *at = lower; *at != '\0'; at++)
		*at = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
	const char *const forms[] = {c, lower, arena_printf(f->arena, " %.4s %.4s.", c, c + 5),
		arena_printf(f->arena, "%.4s%.4s", lower, lower + 5),
		arena_printf(f->arena, "%.1s-%.3s_%s", c, c + 1, c + 5)};
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct device_entry_answer answer = login_look(f, forms[i], &user);
		assert_int_equal(answer.end, DEVICE_ENTRY_FOUND);
		assert_string_equal(answer.view.user_code, c);
		assert_string_equal(answer.view.client_id, CLIENT);
		assert_string_equal(answer.view.address, "10.0.0.2");
		assert_string_equal(answer.view.agent, "test/1?");
		assert_true(answer.view.expires_at_ms - answer.view.created_at_ms == 900000);
	}
	assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_PENDING);
}

static void answers_are_taken_once(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "g-once");
	struct device_codes denied = login_codes(f, "");
	struct device_codes approved = login_codes(f, "");
	struct device_codes expired = login_codes(f, "");
	assert_int_equal(login_decide(f, &denied, &user, false), DEVICE_ENTRY_FOUND);
	assert_int_equal(login_decide(f, &denied, &user, true), DEVICE_ENTRY_NOT_FOUND);
	assert_int_equal(login_look(f, denied.user_code, &user).end, DEVICE_ENTRY_NOT_FOUND);
	assert_int_equal(login_poll(f, &denied).answer, GRANT_ANSWER_DENIED);
	login_shift(f, &expired, "expires_at", "- interval '16 minutes'");
	assert_int_equal(login_decide(f, &expired, &user, true), DEVICE_ENTRY_NOT_FOUND);
	assert_int_equal(login_poll(f, &expired).answer, GRANT_ANSWER_EXPIRED);
	assert_int_equal(login_decide(f, &approved, &user, true), DEVICE_ENTRY_FOUND);
	assert_int_equal(login_decide(f, &approved, &user, false), DEVICE_ENTRY_NOT_FOUND);
	assert_int_equal(login_poll(f, &approved).answer, GRANT_ANSWER_REDEEM);
	assert_int_equal(login_decide(f, &approved, &user, true), DEVICE_ENTRY_NOT_FOUND);
	assert_string_equal(fixture_sql(f, "SELECT count(*) FROM token_families"), "1");
}

static void redeemed_code_gives_the_same_pair_for_a_minute(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "g-same");
	struct device_codes codes = login_codes(f, "");
	login_decide(f, &codes, &user, true);
	struct device_outcome first = login_poll(f, &codes);
	assert_int_equal(first.answer, GRANT_ANSWER_REDEEM);
	assert_string_equal(first.user_id, user.id);
	assert_int_equal(first.pair.access_left_ms, 900000);
	struct device_outcome second = login_poll(f, &codes);
	assert_int_equal(second.answer, GRANT_ANSWER_REPLAY);
	assert_string_equal(second.pair.access_token.text, first.pair.access_token.text);
	assert_string_equal(second.pair.refresh_token.text, first.pair.refresh_token.text);
	login_shift(f, &codes, "redeemed_at", "- interval '61 seconds'");
	assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_SPENT);
	login_shift(f, &codes, "redeemed_at", "+ interval '61 seconds'");
	assert_int_equal(login_refresh(f, first.pair.refresh_token.text).answer, FAMILY_ROTATE);
	assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_SPENT);
	assert_string_equal(
		fixture_sql(
			f, arena_printf(f->arena, "SELECT count(*) FROM token_families WHERE user_id = '%s'", user.id)),
		"1");
}

static void approval_in_time_outlives_the_expiry_a_little(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "g-late");
	struct device_codes late = login_codes(f, "");
	struct device_codes too_late = login_codes(f, "");
	login_decide(f, &late, &user, true);
	login_decide(f, &too_late, &user, true);
	login_shift(f, &late, "expires_at", "- interval '15 minutes 30 seconds'");
	login_shift(f, &too_late, "expires_at", "- interval '16 minutes 1 second'");
	assert_int_equal(login_poll(f, &late).answer, GRANT_ANSWER_REDEEM);
	assert_int_equal(login_poll(f, &too_late).answer, GRANT_ANSWER_EXPIRED);
}

static void code_of_another_client_is_nobodys(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "g-client");
	struct device_codes codes = login_codes(f, "");
	login_decide(f, &codes, &user, true);
	struct device_outcome outcome;
	struct problem problem = {0};
	struct device_poll poll = {codes.device_code.text, "another", login_limits};
	assert_done(device_grant_poll(f->store, f->arena, &poll, &outcome, &problem), problem);
	assert_int_equal(outcome.answer, GRANT_ANSWER_SPENT);
	assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_REDEEM);
}

/* 45 polls at the interval with a jitter of a second, then too fast, then at the longer interval, then approved. */
static void honest_clients_are_never_slowed_down(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "g-pace");
	struct device_codes codes = login_codes(f, "");
	assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_PENDING);
	for (int i = 0; i < 45; i++) {
		login_shift(f, &codes, "polled_at",
			arena_printf(f->arena, "- interval '%d milliseconds'", 4000 + i * 2000 / 45));
		assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_PENDING);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_SLOW_DOWN);
	assert_string_equal(fixture_sql(f, "SELECT max(interval_s) FROM device_grants"), "20");
	login_shift(f, &codes, "polled_at", "- interval '20 seconds'");
	assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_PENDING);
	for (int i = 0; i < 20; i++)
		assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_SLOW_DOWN);
	assert_string_equal(fixture_sql(f, "SELECT max(interval_s) FROM device_grants"), "60");
	login_decide(f, &codes, &user, true);
	assert_int_equal(login_poll(f, &codes).answer, GRANT_ANSWER_REDEEM);
}

static const struct {
	const char *status;
	enum grant_state state;
} states[] = {
	{"pending", GRANT_PENDING},
	{"approved", GRANT_APPROVED},
	{"denied", GRANT_DENIED},
	{"consumed", GRANT_CONSUMED},
};

/* What the statements do to each state is what the policy says, before the expiry and behind it. */
static void statements_move_as_the_policy_says(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "g-moves");
	for (size_t i = 0; i < COUNT_OF(states) * GRANT_MOVE_COUNT * 3; i++) {
		size_t from = i % COUNT_OF(states);
		enum grant_move move = (enum grant_move)(i / COUNT_OF(states) % GRANT_MOVE_COUNT);
		int64_t late_ms = (int64_t)(i / COUNT_OF(states) / GRANT_MOVE_COUNT) * 40000 - 20000;
		struct device_codes codes = login_codes(f, "");
		struct grant_facts facts = {.state = states[from].state, .expires_at_ms = 1000000};
		enum grant_state to = facts.state;
		(void)grant_may_move(&facts, move, 1000000 + late_ms, &to);
		login_put(f, &codes, &user, states[from].status, late_ms);
		if (move == GRANT_CONSUME)
			login_poll(f, &codes);
		else
			login_decide(f, &codes, &user, move == GRANT_APPROVE);
		assert_string_equal(login_status(f, &codes), grant_state_word(to));
		fixture_sql(f, "DELETE FROM login_attempts");
	}
}

static void wrong_codes_are_counted_for_the_account(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "g-guess");
	struct user other = fixture_user(f, "g-other");
	struct device_codes codes = login_codes(f, "");
	fixture_sql(f, "DELETE FROM login_attempts");
	for (int i = 0; i < 10; i++)
		assert_int_equal(login_look(f, i % 2 ? "2222-2222" : "no code", &user).end, DEVICE_ENTRY_NOT_FOUND);
	struct device_entry_answer blocked = login_look(f, codes.user_code, &user);
	assert_int_equal(blocked.end, DEVICE_ENTRY_BLOCKED);
	assert_in_range(blocked.retry_after_s, 890, 900);
	assert_null(blocked.view.client_id);
	assert_int_equal(login_decide(f, &codes, &user, true), DEVICE_ENTRY_BLOCKED);
	assert_string_equal(login_status(f, &codes), "pending");
	assert_int_equal(login_look(f, codes.user_code, &other).end, DEVICE_ENTRY_FOUND);
	fixture_sql(f, "UPDATE login_attempts SET until = now()");
	assert_int_equal(login_decide(f, &codes, &user, true), DEVICE_ENTRY_FOUND);
	assert_string_equal(fixture_sql(f, "SELECT string_agg(DISTINCT wrong::text, ' ') FROM login_attempts WHERE "
					   "until > now()"),
		"0");
}

static void wrong_codes_are_counted_for_address_and_everybody(void **state)
{
	const struct fixture *f = *state;
	struct user last = fixture_user(f, "g-last");
	struct device_codes codes = login_codes(f, "");
	struct problem problem = {0};
	struct device_entry_answer answer = {0};
	int heard = 0;
	fixture_sql(f, "DELETE FROM login_attempts");
	for (int i = 0; i < 30; i++) {
		const struct device_entry entry = {"XXXX-XXXX", arena_printf(f->arena, "u%d", i), NULL, "10.1.1.1"};
		assert_done(device_grant_look(f->store, f->arena, &entry, &answer, &problem), problem);
		heard += answer.end == DEVICE_ENTRY_NOT_FOUND;
	}
	assert_int_equal(heard, 20);
	for (int i = 0; i < 100; i++) {
		const struct device_entry entry = {
			"XXXX-XXXX", arena_printf(f->arena, "v%d", i), NULL, arena_printf(f->arena, "10.2.0.%d", i)};
		assert_done(device_grant_look(f->store, f->arena, &entry, &answer, &problem), problem);
		heard += answer.end == DEVICE_ENTRY_NOT_FOUND;
	}
	/* Those that were not heard from the first address count for nobody else. */
	assert_int_equal(heard, 90);
	assert_int_equal(login_look(f, codes.user_code, &last).end, DEVICE_ENTRY_BLOCKED);
	fixture_sql(f, "DELETE FROM login_attempts");
}

static void only_so_many_codes_wait(void **state)
{
	const struct fixture *f = *state;
	struct device_request request = {CLIENT, "10.9.9.9", NULL};
	struct device_codes codes;
	struct problem problem = {0};
	bool given = false;
	for (int i = 0; i < 101; i++) {
		assert_done(device_grant_insert(f->store, f->arena, &request, &given, &codes, &problem), problem);
		assert_int_equal(given, i < 100);
	}
	fixture_sql(f, "UPDATE device_grants SET expires_at = now() WHERE address = '10.9.9.9'");
	assert_done(device_grant_insert(f->store, f->arena, &request, &given, &codes, &problem), problem);
	assert_true(given);
}

static void refresh_rotates_replays_and_finds_reuse(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "f-rotate");
	struct login_pair first = login_begin(f, &user);
	struct family_outcome second = login_refresh(f, first.refresh_token.text);
	assert_int_equal(second.answer, FAMILY_ROTATE);
	assert_string_not_equal(second.pair.refresh_token.text, first.refresh_token.text);
	struct family_outcome again = login_refresh(f, first.refresh_token.text);
	assert_int_equal(again.answer, FAMILY_REPLAY);
	assert_string_equal(again.pair.refresh_token.text, second.pair.refresh_token.text);
	assert_string_equal(again.pair.access_token.text, second.pair.access_token.text);
	assert_true(login_works(f, first.access_token) && login_works(f, second.pair.access_token));
	struct family_outcome third = login_refresh(f, second.pair.refresh_token.text);
	assert_int_equal(third.answer, FAMILY_ROTATE);
	struct family_outcome reuse = login_refresh(f, first.refresh_token.text);
	assert_int_equal(reuse.answer, FAMILY_REUSE);
	assert_string_equal(reuse.user_id, user.id);
	assert_int_equal(login_refresh(f, third.pair.refresh_token.text).answer, FAMILY_ENDED);
	assert_false(login_works(f, first.access_token) || login_works(f, third.pair.access_token));
}

static void predecessor_behind_its_grace_is_reuse(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "f-grace");
	struct login_pair first = login_begin(f, &user);
	struct family_outcome second = login_refresh(f, first.refresh_token.text);
	fixture_sql(f, "UPDATE token_families SET rotated_at = rotated_at - interval '61 seconds'");
	assert_int_equal(login_refresh(f, first.refresh_token.text).answer, FAMILY_REUSE);
	assert_int_equal(login_refresh(f, second.pair.refresh_token.text).answer, FAMILY_ENDED);
}

static void logins_end_by_time(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "f-time");
	struct login_pair idle = login_begin(f, &user);
	fixture_sql(f, "UPDATE token_families SET idle_until = now()");
	assert_int_equal(login_refresh(f, idle.refresh_token.text).answer, FAMILY_ENDED);
	struct login_pair old = login_begin(f, &user);
	fixture_sql(f, "UPDATE token_families SET expires_at = now() + interval '20 seconds'");
	struct family_outcome last = login_refresh(f, old.refresh_token.text);
	assert_int_equal(last.answer, FAMILY_ROTATE);
	assert_true(last.pair.access_left_ms <= 20000);
	fixture_sql(f, "UPDATE token_families SET expires_at = now()");
	assert_int_equal(login_refresh(f, last.pair.refresh_token.text).answer, FAMILY_ENDED);
}

static void suspending_or_deleting_ends_logins(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "f-suspend");
	struct user gone = fixture_user(f, "f-gone");
	struct problem problem = {0};
	bool found = false;
	struct login_pair pair = login_begin(f, &user);
	struct login_pair pair_of_gone = login_begin(f, &gone);
	struct device_codes approved = login_codes(f, "");
	login_decide(f, &approved, &user, true);
	for (int i = 0; i < 2; i++) {
		const struct user_change change = {.suspended = &(bool){i == 0}};
		assert_done(user_update(f->store, f->arena, &user, &change, &found, &user, &problem), problem);
		assert_int_equal(login_refresh(f, pair.refresh_token.text).answer, FAMILY_ENDED);
		assert_false(login_works(f, pair.access_token));
		assert_int_equal(login_poll(f, &approved).answer, GRANT_ANSWER_DENIED);
	}
	assert_done(user_delete(f->store, &gone, &found, &problem), problem);
	assert_int_equal(login_refresh(f, pair_of_gone.refresh_token.text).answer, FAMILY_ENDED);
	assert_false(login_works(f, pair_of_gone.access_token));
}

/* An answer that is under way when the user's sessions end is none; one that came before them is taken back. */
static void session_that_is_over_answers_nothing(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "f-over");
	struct user other = fixture_user(f, "f-others");
	struct device_codes codes = login_codes(f, "");
	struct device_codes approved = login_codes(f, "");
	const char *sessions[] = {login_session(f, &user), NULL, login_session(f, &other), user.id};
	const struct user_change change = {.forget_sign_in = true};
	struct device_entry_answer answer;
	struct problem problem = {0};
	bool found = false;
	struct login_pair pair = login_begin(f, &user);
	login_decide(f, &approved, &user, true);
	assert_done(user_update(f->store, f->arena, &user, &change, &found, &user, &problem), problem);
	/* The two users' sessions are counted alike, so that only whose it is tells them apart. */
	fixture_sql(f, "UPDATE browser_sessions SET user_generation = 2 WHERE user_id <> (SELECT user_id FROM "
		       "device_grants "
		       "WHERE user_id IS NOT NULL LIMIT 1)");
	sessions[1] = login_session(f, &user);
	fixture_sql(f,
		arena_printf(f->arena, "UPDATE browser_sessions SET expires_at = now() WHERE id = '%s'", sessions[1]));
	for (size_t i = 0; i < COUNT_OF(sessions); i++) {
		const struct device_entry entry = {codes.user_code, user.id, sessions[i], ""};
		assert_done(device_grant_decide(f->store, f->arena, &entry, true, &answer, &problem), problem);
		assert_int_equal(answer.end, DEVICE_ENTRY_NOT_FOUND);
	}
	assert_string_equal(login_status(f, &codes), "pending");
	assert_int_equal(login_poll(f, &approved).answer, GRANT_ANSWER_DENIED);
	assert_int_equal(login_refresh(f, pair.refresh_token.text).answer, FAMILY_ENDED);
	assert_false(login_works(f, pair.access_token));
	assert_int_equal(login_decide(f, &codes, &user, true), DEVICE_ENTRY_FOUND);
}

static void suspended_user_cannot_approve(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "f-asleep");
	struct device_codes codes = login_codes(f, "");
	fixture_sql(f, "UPDATE users SET status = 'suspended' WHERE username = 'f-asleep'");
	assert_int_equal(login_decide(f, &codes, &user, true), DEVICE_ENTRY_NOT_FOUND);
	assert_string_equal(login_status(f, &codes), "pending");
}

static void revocation_ends_what_is_the_clients(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "f-revoke");
	struct login_pair pair = login_begin(f, &user);
	struct login_pair other = login_begin(f, &user);
	enum revocation revocation;
	const char *user_id = NULL;
	struct problem problem = {0};
	uint8_t hash[SHA256_BYTES];
	const char *token = pair.refresh_token.text;
	assert_done(family_revoke(f->store, f->arena, token, "another", &revocation, &user_id, &problem), problem);
	assert_int_equal(revocation, REVOCATION_FOREIGN);
	fixture_hash(pair.access_token.text, hash);
	assert_done(access_token_revoke(f->store, hash, "another", &revocation, &problem), problem);
	assert_int_equal(revocation, REVOCATION_FOREIGN);
	assert_true(login_works(f, pair.access_token));
	assert_done(access_token_revoke(f->store, hash, CLIENT, &revocation, &problem), problem);
	assert_int_equal(revocation, REVOCATION_DONE);
	assert_false(login_works(f, pair.access_token));
	struct family_outcome next = login_refresh(f, token);
	assert_int_equal(next.answer, FAMILY_ROTATE);
	assert_done(family_revoke(f->store, f->arena, token, CLIENT, &revocation, &user_id, &problem), problem);
	assert_int_equal(revocation, REVOCATION_DONE);
	assert_string_equal(user_id, user.id);
	assert_false(login_works(f, next.pair.access_token));
	assert_done(family_revoke(f->store, f->arena, token, CLIENT, &revocation, &user_id, &problem), problem);
	assert_int_equal(revocation, REVOCATION_UNKNOWN);
	assert_true(login_works(f, other.access_token));
}

static void oldest_login_goes(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "f-many");
	struct problem problem = {0};
	struct login_pair first = login_begin(f, &user);
	struct login_pair second = login_begin(f, &user);
	size_t ended = 0;
	for (int i = 0; i < 49; i++)
		login_begin(f, &user);
	assert_done(family_trim(f->store, user.id, &ended, &problem), problem);
	assert_int_equal(ended, 1);
	assert_int_equal(login_refresh(f, first.refresh_token.text).answer, FAMILY_ENDED);
	assert_int_equal(login_refresh(f, second.refresh_token.text).answer, FAMILY_ROTATE);
}

static void tokens_are_in_no_row(void **state)
{
	const struct fixture *f = *state;
	struct user user = fixture_user(f, "f-rows");
	struct login_pair first = login_begin(f, &user);
	struct family_outcome second = login_refresh(f, first.refresh_token.text);
	const struct secret tokens[] = {
		first.access_token, first.refresh_token, second.pair.access_token, second.pair.refresh_token};
	const char *const tables[] = {"device_grants", "token_families", "api_tokens"};
	for (size_t i = 0; i < COUNT_OF(tokens) * COUNT_OF(tables); i++) {
		const char *text = tokens[i % COUNT_OF(tokens)].text + 4;
		const char *sql = arena_printf(f->arena,
			"SELECT count(*) FROM %s t WHERE strpos(t::text, '%s') > 0 OR strpos(t::text, encode('%s', "
			"'hex')) > 0",
			tables[i / COUNT_OF(tokens)], text, text);
		assert_string_equal(fixture_sql(f, sql), "0");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(codes_are_drawn_as_they_are_read, login_empty),
		cmocka_unit_test_setup(code_is_entered_in_any_form, login_empty),
		cmocka_unit_test_setup(answers_are_taken_once, login_empty),
		cmocka_unit_test_setup(redeemed_code_gives_the_same_pair_for_a_minute, login_empty),
		cmocka_unit_test_setup(approval_in_time_outlives_the_expiry_a_little, login_empty),
		cmocka_unit_test_setup(code_of_another_client_is_nobodys, login_empty),
		cmocka_unit_test_setup(honest_clients_are_never_slowed_down, login_empty),
		cmocka_unit_test_setup(statements_move_as_the_policy_says, login_empty),
		cmocka_unit_test_setup(wrong_codes_are_counted_for_the_account, login_empty),
		cmocka_unit_test_setup(wrong_codes_are_counted_for_address_and_everybody, login_empty),
		cmocka_unit_test_setup(only_so_many_codes_wait, login_empty),
		cmocka_unit_test_setup(refresh_rotates_replays_and_finds_reuse, login_empty),
		cmocka_unit_test_setup(predecessor_behind_its_grace_is_reuse, login_empty),
		cmocka_unit_test_setup(logins_end_by_time, login_empty),
		cmocka_unit_test_setup(suspending_or_deleting_ends_logins, login_empty),
		cmocka_unit_test_setup(session_that_is_over_answers_nothing, login_empty),
		cmocka_unit_test_setup(suspended_user_cannot_approve, login_empty),
		cmocka_unit_test_setup(revocation_ends_what_is_the_clients, login_empty),
		cmocka_unit_test_setup(oldest_login_goes, login_empty),
		cmocka_unit_test_setup(tokens_are_in_no_row, login_empty),
	};
	return cmocka_run_group_tests(tests, fixture_start, fixture_stop);
}
