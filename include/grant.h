/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's questions about the login server (policy/grant.c): a device code from its request to its redemption, and
 * a family of refresh tokens. Pure, as all of policy.h. */
#ifndef GRANT_H
#define GRANT_H

#include <stdbool.h>
#include <stdint.h>

/* An approved code may be redeemed so long after its expiry. */
#define GRANT_LATE_MS 60000
/* A poll may come so much sooner than its interval says. */
#define GRANT_JITTER_MS 1000
/* A client that lost the answer to its redemption, or to its refresh, gets the same tokens again for so long. */
#define GRANT_REPLAY_MS 60000
#define FAMILY_GRACE_MS 60000

#define GRANT_STATE_LIST(X)                                                                                            \
	X(GRANT_PENDING, "pending")                                                                                    \
	X(GRANT_APPROVED, "approved")                                                                                  \
	X(GRANT_DENIED, "denied")                                                                                      \
	X(GRANT_CONSUMED, "consumed")

#define GRANT_MOVE_LIST(X)                                                                                             \
	X(GRANT_APPROVE, "approve")                                                                                    \
	X(GRANT_DENY, "deny")                                                                                          \
	X(GRANT_CONSUME, "consume")

/* What a poll is told; the words are the errors of RFC 8628 section 3.5 and RFC 6749 section 5.2 where there is one. */
#define GRANT_ANSWER_LIST(X)                                                                                           \
	X(GRANT_ANSWER_PENDING, "authorization_pending")                                                               \
	X(GRANT_ANSWER_SLOW_DOWN, "slow_down")                                                                         \
	X(GRANT_ANSWER_DENIED, "access_denied")                                                                        \
	X(GRANT_ANSWER_EXPIRED, "expired_token")                                                                       \
	X(GRANT_ANSWER_SPENT, "invalid_grant")                                                                         \
	X(GRANT_ANSWER_REDEEM, "redeem") /* consume the code and mint its tokens, in one step */                       \
	X(GRANT_ANSWER_REPLAY, "replay") /* the same tokens once more */

#define ENUMERATE(name, word) name,
enum grant_state { GRANT_STATE_LIST(ENUMERATE) GRANT_STATE_COUNT };
enum grant_move { GRANT_MOVE_LIST(ENUMERATE) GRANT_MOVE_COUNT };
enum grant_answer { GRANT_ANSWER_LIST(ENUMERATE) GRANT_ANSWER_COUNT };
#undef ENUMERATE

const char *grant_state_word(enum grant_state state);
enum grant_state grant_state_from_word(const char *word); /* GRANT_STATE_COUNT where no state has the word */
const char *grant_answer_word(enum grant_answer answer);

/* A device code as it stands. */
struct grant_facts {
	enum grant_state state;
	int64_t expires_at_ms;
	int64_t polled_at_ms; /* the last poll that came in time; 0: none */
	int64_t interval_ms;
	int64_t redeemed_at_ms;
	bool pair_unused; /* what it was redeemed for is in force, and its refresh token was not used */
};

/* Whether a device code may be moved so, and to which state. Everything else stays as it is: what was answered is not
 * answered again, what was consumed is not revived. */
bool grant_may_move(const struct grant_facts *facts, enum grant_move move, int64_t now_ms, enum grant_state *ret_state);

/* What a poll with this code is told, or is to do. An approval is looked at before the expiry. */
enum grant_answer grant_judge_poll(const struct grant_facts *facts, int64_t now_ms);

#define FAMILY_ANSWER_LIST(X)                                                                                          \
	X(FAMILY_ROTATE, "rotate") /* change the refresh token for the next one, in one step */                        \
	X(FAMILY_REPLAY, "replay") /* give the same successor once more */                                             \
	X(FAMILY_REUSE, "reuse")   /* used twice: somebody else has it, so nobody's token is good any more */          \
	X(FAMILY_ENDED, "ended")

#define ENUMERATE(name, word) name,
enum family_answer { FAMILY_ANSWER_LIST(ENUMERATE) FAMILY_ANSWER_COUNT };
#undef ENUMERATE

const char *family_answer_word(enum family_answer answer);

/* A refresh token that was presented, and its family. */
struct family_facts {
	bool is_head;     /* the newest */
	bool is_previous; /* the one that the newest was given for: the newest is unused then */
	int64_t rotated_at_ms;
	int64_t idle_until_ms;
	int64_t expires_at_ms;
	bool user_active;
};

enum family_answer family_judge_refresh(const struct family_facts *facts, int64_t now_ms);

#endif
