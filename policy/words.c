/* SPDX-License-Identifier: Apache-2.0 */
/* The stable word of every enumeration, and back. The words are expanded from the lists in decision.h and policy.h, so
 * a value without a word cannot be written. A value that is none has the empty word, and stands for nothing good. */
#include <string.h>

#include "grant.h"
#include "must_check.h"
#include "policy.h"

#define WORD(name, word) [name] = word,
#define REASON_WORD(name, word, verdict, fixable_by) [name] = word,

static const char *const verdict_words[] = {VERDICT_LIST(WORD)};
static const char *const reason_words[] = {REASON_LIST(REASON_WORD)};
static const char *const fixable_by_words[] = {FIXABLE_BY_LIST(WORD)};
static const char *const outcome_words[] = {OUTCOME_LIST(WORD)};
static const char *const enforcement_words[] = {ENFORCEMENT_LIST(WORD)};
static const char *const moment_words[] = {MOMENT_LIST(WORD)};
static const char *const surface_words[] = {SURFACE_LIST(WORD)};
static const char *const scope_words[] = {SCOPE_LIST(WORD)};
static const char *const fail_mode_words[] = {FAIL_MODE_LIST(WORD)};
static const char *const validation_words[] = {VALIDATION_LIST(WORD)};
static const char *const step_words[] = {STEP_LIST(WORD)};
static const char *const breaker_step_words[] = {BREAKER_STEP_LIST(WORD)};
static const char *const try_step_words[] = {TRY_STEP_LIST(WORD)};
static const char *const grant_class_words[] = {GRANT_CLASS_LIST(WORD)};
static const char *const device_answer_words[] = {DEVICE_ANSWER_LIST(WORD)};
static const char *const role_words[] = {ROLE_LIST(WORD)};
static const char *const action_words[] = {ACTION_LIST(WORD)};
static const char *const receipt_reason_words[] = {RECEIPT_REASON_LIST(WORD)};
static const char *const grant_state_words[] = {GRANT_STATE_LIST(WORD)};
static const char *const grant_answer_words[] = {GRANT_ANSWER_LIST(WORD)};
static const char *const family_answer_words[] = {FAMILY_ANSWER_LIST(WORD)};

#undef WORD
#undef REASON_WORD

/* The word of a value that came as unsigned, so that a negative one is out of range as well. */
static const char *word_at(const char *const *words, size_t count, unsigned value)
{
	return value < count ? words[value] : "";
}

/* The place of a word, or count. */
static unsigned word_find(const char *const *words, unsigned count, const char *word)
{
	unsigned i = 0;

	if (*word == '\0')
		return count;
	while (i < count && strcmp(words[i], word) != 0)
		i++;
	return i;
}

const char *verdict_word(enum verdict verdict)
{
	return word_at(verdict_words, COUNT_OF(verdict_words), verdict);
}

const char *reason_word(enum reason reason)
{
	return word_at(reason_words, COUNT_OF(reason_words), reason);
}

const char *fixable_by_word(enum fixable_by fixable_by)
{
	return word_at(fixable_by_words, COUNT_OF(fixable_by_words), fixable_by);
}

const char *outcome_word(enum outcome outcome)
{
	return word_at(outcome_words, COUNT_OF(outcome_words), outcome);
}

const char *enforcement_word(enum enforcement enforcement)
{
	return word_at(enforcement_words, COUNT_OF(enforcement_words), enforcement);
}

const char *moment_word(enum moment moment)
{
	return word_at(moment_words, COUNT_OF(moment_words), moment);
}

const char *surface_word(enum surface surface)
{
	return word_at(surface_words, COUNT_OF(surface_words), surface);
}

const char *scope_word(enum scope scope)
{
	return word_at(scope_words, COUNT_OF(scope_words), scope);
}

const char *fail_mode_word(enum fail_mode mode)
{
	return word_at(fail_mode_words, COUNT_OF(fail_mode_words), mode);
}

const char *validation_word(enum validation validation)
{
	return word_at(validation_words, COUNT_OF(validation_words), validation);
}

const char *step_word(enum step_kind kind)
{
	return word_at(step_words, COUNT_OF(step_words), kind);
}

const char *breaker_step_word(enum breaker_step_kind kind)
{
	return word_at(breaker_step_words, COUNT_OF(breaker_step_words), kind);
}

const char *try_step_word(enum try_step step)
{
	return word_at(try_step_words, COUNT_OF(try_step_words), step);
}

const char *grant_class_word(enum grant_class class)
{
	return word_at(grant_class_words, COUNT_OF(grant_class_words), class);
}

const char *device_answer_word(enum device_answer answer)
{
	return word_at(device_answer_words, COUNT_OF(device_answer_words), answer);
}

const char *role_word(enum role role)
{
	return word_at(role_words, COUNT_OF(role_words), role);
}

const char *action_word(enum action action)
{
	return word_at(action_words, COUNT_OF(action_words), action);
}

const char *grant_state_word(enum grant_state state)
{
	return word_at(grant_state_words, COUNT_OF(grant_state_words), state);
}

const char *grant_answer_word(enum grant_answer answer)
{
	return word_at(grant_answer_words, COUNT_OF(grant_answer_words), answer);
}

const char *family_answer_word(enum family_answer answer)
{
	return word_at(family_answer_words, COUNT_OF(family_answer_words), answer);
}

const char *receipt_reason_word(enum receipt_reason reason)
{
	return word_at(receipt_reason_words, COUNT_OF(receipt_reason_words), reason);
}

enum reason reason_from_word(const char *word)
{
	return (enum reason)word_find(reason_words, REASON_COUNT, word);
}

enum enforcement enforcement_from_word(const char *word)
{
	return (enum enforcement)word_find(enforcement_words, ENFORCEMENT_COUNT, word);
}

enum fail_mode fail_mode_from_word(const char *word)
{
	return (enum fail_mode)word_find(fail_mode_words, FAIL_MODE_COUNT, word);
}

enum outcome outcome_from_word(const char *word)
{
	return (enum outcome)word_find(outcome_words, OUTCOME_COUNT, word);
}

enum moment moment_from_word(const char *word)
{
	return (enum moment)word_find(moment_words, MOMENT_COUNT, word);
}

enum grant_state grant_state_from_word(const char *word)
{
	return (enum grant_state)word_find(grant_state_words, GRANT_STATE_COUNT, word);
}

enum role role_from_word(const char *word)
{
	return (enum role)word_find(role_words, ROLE_COUNT, word);
}

enum action action_from_word(const char *word)
{
	return (enum action)word_find(action_words, ACTION_COUNT, word);
}

/* --- reasons: the table of contract section 5 --------------------------------------------------------------------- */

#define VERDICT_OF(name, word, verdict, fixable_by) [name] = verdict,
#define FIXABLE_BY_OF(name, word, verdict, fixable_by) [name] = fixable_by,

static const enum verdict reason_verdicts[] = {REASON_LIST(VERDICT_OF)};
static const enum fixable_by reason_fixable_bys[] = {REASON_LIST(FIXABLE_BY_OF)};

#undef VERDICT_OF
#undef FIXABLE_BY_OF

/* For the owner of the link, who may never have heard of a token. */
static const char *const reason_sentences[] = {
	[REASON_VALID] = "The account is connected and the provider confirms it.",
	[REASON_NOT_VALIDATED] = "The account is connected; this provider offers no way to confirm it.",
	[REASON_RATE_LIMITED] = "The account is connected; the provider is too busy to confirm it.",
	[REASON_LAST_KNOWN_GOOD] = "The provider cannot confirm the account now, but did so a short while ago.",
	[REASON_FAIL_OPEN] = "The account could not be verified; the operator lets it pass.",
	[REASON_NOT_LINKED] = "No account is connected; connect one and try again.",
	[REASON_EXPIRED] = "The connection has expired and cannot renew itself; connect the account again.",
	[REASON_REFRESH_REJECTED] = "The provider refused to renew the connection; connect the account again.",
	[REASON_ROTATION_LOST] = "A renewal was lost and the provider refuses another; connect the account again.",
	[REASON_TOKEN_REVOKED] = "The provider says the connection is no longer valid; connect the account again.",
	[REASON_REFRESH_IN_PROGRESS] = "The connection is being renewed just now; try again in a moment.",
	[REASON_PROVIDER_UNAVAILABLE] = "The provider does not answer; the connection is kept, try again later.",
	[REASON_PROVIDER_MISCONFIGURED] = "The provider refuses this service itself; an operator must correct that.",
	[REASON_DECRYPTION_FAILED] = "The stored connection cannot be opened; an operator must restore its key.",
};

_Static_assert(COUNT_OF(reason_sentences) == REASON_COUNT, "every reason needs its sentence");

enum verdict reason_verdict(enum reason reason)
{
	return (unsigned)reason < REASON_COUNT ? reason_verdicts[reason] : VERDICT_UNVERIFIABLE;
}

enum fixable_by reason_fixable_by(enum reason reason)
{
	return (unsigned)reason < REASON_COUNT ? reason_fixable_bys[reason] : FIXABLE_BY_OPERATOR;
}

const char *reason_sentence(enum reason reason)
{
	return word_at(reason_sentences, COUNT_OF(reason_sentences), reason);
}
