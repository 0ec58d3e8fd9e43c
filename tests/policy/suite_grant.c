/* SPDX-License-Identifier: Apache-2.0 */
/* The suites about the login server: what a poll with a device code is told, who may move a code, and what becomes of a
 * refresh token that is used. */
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "eval.h"
#include "grant.h"

#define WORD(name, word) word,

static const char *const answers[] = {GRANT_ANSWER_LIST(WORD)};
static const char *const states[] = {GRANT_STATE_LIST(WORD)};
static const char *const moves[] = {GRANT_MOVE_LIST(WORD)};
static const char *const family_answers[] = {FAMILY_ANSWER_LIST(WORD)};

#undef WORD

static const struct column grant_poll_columns[] = {
	WORDS("answer", answers),
	WORDS("state", states),
	COLUMN("expires", parse_time),
	COLUMN("polled", parse_time),
	COLUMN("interval", parse_duration),
	COLUMN("redeemed", parse_time),
	ONE_OF("pair", "used", "unused"),
};

static void run_grant_poll(const struct value *values, size_t count)
{
	const struct grant_facts facts = {.state = (enum grant_state)values[1].number,
		.expires_at_ms = values[2].number,
		.polled_at_ms = values[3].number,
		.interval_ms = values[4].number,
		.redeemed_at_ms = values[5].number,
		.pair_unused = values[6].number == 1};

	(void)count;
	assert_string_equal(grant_answer_word(grant_judge_poll(&facts, EVAL_NOW_MS)), values[0].text);
}

const struct suite grant_poll_suite = SUITE(grant_poll, false);

static const struct column grant_move_columns[] = {
	ONE_OF("to", "approved", "denied", "consumed", "unlawful"),
	WORDS("from", states),
	WORDS("move", moves),
	COLUMN("expires", parse_time),
};

static void run_grant_move(const struct value *values, size_t count)
{
	const struct grant_facts facts = {
		.state = (enum grant_state)values[1].number, .expires_at_ms = values[3].number};
	enum grant_state to = GRANT_STATE_COUNT;
	bool lawful = grant_may_move(&facts, (enum grant_move)values[2].number, EVAL_NOW_MS, &to);

	(void)count;
	assert_string_equal(lawful ? grant_state_word(to) : "unlawful", values[0].text);
}

const struct suite grant_move_suite = SUITE(grant_move, false);

static const struct column family_refresh_columns[] = {
	WORDS("answer", family_answers),
	ONE_OF("token", "newest", "previous", "older"),
	COLUMN("rotated", parse_time),
	COLUMN("idle", parse_time),
	COLUMN("expires", parse_time),
	ONE_OF("user", "active", "suspended"),
};

static void run_family_refresh(const struct value *values, size_t count)
{
	const struct family_facts facts = {.is_head = values[1].number == 0,
		.is_previous = values[1].number == 1,
		.rotated_at_ms = values[2].number,
		.idle_until_ms = values[3].number,
		.expires_at_ms = values[4].number,
		.user_active = values[5].number == 0};

	(void)count;
	assert_string_equal(family_answer_word(family_judge_refresh(&facts, EVAL_NOW_MS)), values[0].text);
}

const struct suite family_refresh_suite = SUITE(family_refresh, false);
