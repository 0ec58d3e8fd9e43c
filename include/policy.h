/* SPDX-License-Identifier: Apache-2.0 */
/* Every question the policy answers: facts in, a step, a verdict or a decision out. The functions are pure: no clock,
 * no file, no memory of their own; the same facts give the same answer, and missing facts never mean yes. Each row of
 * the contract's tables is a line of tests/policy/ as one case. Times are milliseconds since 1970 UTC; 0 is "none". */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decision.h"

/* --- words.c ---------------------------------------------------------------------------------------------------- */

const char *verdict_word(enum verdict verdict);
const char *reason_word(enum reason reason);
const char *fixable_by_word(enum fixable_by fixable_by);
const char *outcome_word(enum outcome outcome);
const char *enforcement_word(enum enforcement enforcement);
const char *moment_word(enum moment moment);
const char *surface_word(enum surface surface);
const char *scope_word(enum scope scope);
const char *fail_mode_word(enum fail_mode mode);

/* The verdict a reason stands for and who can mend it: contract section 5. */
enum verdict reason_verdict(enum reason reason);
enum fixable_by reason_fixable_by(enum reason reason);

/* One sentence in plain words that tells the owner what the reason means and what to do next. */
const char *reason_sentence(enum reason reason);

/* The value of a word, or *_COUNT where no value has it. Exact match; "" never matches. */
enum enforcement enforcement_from_word(const char *word);
enum fail_mode fail_mode_from_word(const char *word);
enum outcome outcome_from_word(const char *word);
enum moment moment_from_word(const char *word);
enum reason reason_from_word(const char *word);

/* --- next_step.c ------------------------------------------------------------------------------------------------ */

/* What is known of one owner's link at one provider. */
struct link_facts {
	bool linked;
	bool readable; /* a key opened the stored tokens */
	bool has_refresh_token;
	enum reason remembered; /* REASON_REFRESH_REJECTED or REASON_ROTATION_LOST, or REASON_COUNT for none */
	int64_t issued_at_ms;
	int64_t expires_at_ms;    /* 0: never expires */
	int64_t last_valid_at_ms; /* when the provider last confirmed this generation's token, as far as a verdict may
				   * be used again; 0: never */
};

struct provider_rules {
	bool validates;       /* has a validate URL */
	bool refreshes;       /* refresh is possible at all: not NO_REFRESH, and not an evaluation without effects */
	int64_t min_valid_ms; /* MIN_VALID */
	int64_t verdict_age_max_ms; /* GATE_MAX_AGE or PREFLIGHT_MAX_AGE: how old a confirmation is reused */
};

/* What a provider's answer to a validation means: judge_validation.c. */
#define VALIDATION_LIST(X)                                                                                             \
	X(VALIDATION_NONE, "none")                                                                                     \
	X(VALIDATION_CONFIRMED, "confirmed")                                                                           \
	X(VALIDATION_REJECTED, "rejected")                                                                             \
	X(VALIDATION_RATE_LIMITED, "rate_limited")                                                                     \
	X(VALIDATION_UNAVAILABLE, "unavailable")

#define ENUMERATE(name, word) name,
enum validation { VALIDATION_LIST(ENUMERATE) VALIDATION_COUNT };

/* How one attempt to refresh within this evaluation ended, as far as the next step depends on it. */
#define REFRESH_END_LIST(X)                                                                                            \
	X(REFRESH_NOT_TRIED, "not_tried")                                                                              \
	X(REFRESH_GRANTED, "granted")                                                                                  \
	X(REFRESH_FAILED_TRANSIENTLY, "failed_transiently")                                                            \
	X(REFRESH_FAILED_MISCONFIGURED, "failed_misconfigured")                                                        \
	X(REFRESH_FAILED_IN_PROGRESS, "failed_in_progress")                                                            \
	X(REFRESH_FAILED_REJECTED, "failed_rejected")                                                                  \
	X(REFRESH_FAILED_ROTATION_LOST, "failed_rotation_lost")

enum refresh_end { REFRESH_END_LIST(ENUMERATE) REFRESH_END_COUNT };

/* What this evaluation has done for the link so far. */
struct progress {
	enum refresh_end refresh;
	enum validation validation; /* of the token as it stands now; back to NONE when the token changes */
	bool reread;                /* after a rejection: the link was read again and its generation stands; back
				     * to false when the token changes */
};

#define STEP_LIST(X)                                                                                                   \
	X(STEP_SETTLED, "settled")                                                                                     \
	X(STEP_VALIDATE, "validate")                                                                                   \
	X(STEP_REREAD, "reread")                                                                                       \
	X(STEP_REFRESH, "refresh")

enum step_kind { STEP_LIST(ENUMERATE) STEP_COUNT };

/* reason is meaningful for STEP_SETTLED only, and in what presume says. */
struct step {
	enum step_kind kind;
	enum reason reason;
};

/* Whether a confirmation is younger than age_max_ms. One never given (0), one from the future and an age_max_ms of 0
 * are never fresh. */
bool confirmation_is_fresh(int64_t confirmed_at_ms, int64_t age_max_ms, int64_t now_ms);

/* What to do next for one link: the validation and refresh tables of contract section 5. A token is expired from
 * expires_at_ms on. Every step but STEP_SETTLED changes the progress or the facts, so asking until settled ends. */
struct step next_step(const struct link_facts *facts, const struct provider_rules *rules,
	const struct progress *progress, int64_t now_ms);

/* --- presume.c -------------------------------------------------------------------------------------------------- */

/* What stored facts alone support, for whoever may ask no provider: kind is what a real evaluation would do next (never
 * STEP_REREAD), reason the verdict that is presumed meanwhile. STEP_SETTLED: its reason, nobody needs to be asked.
 * STEP_VALIDATE: presumed good, `valid` where the provider ever confirmed this generation, however long ago, else
 * `not_validated`. STEP_REFRESH: presumed good, `not_validated`, because the token that will be judged is not there
 * yet. So the presumption is missing or unverifiable only where asking could not change that: no link, a token that no
 * key opens, one that has expired and cannot be renewed. What stands beside a link and passes by itself (a lease
 * somebody holds, a cool-down, a breaker) is not looked at. rules->refreshes says whether a real evaluation could
 * refresh, not whether the caller may. */
struct step presume(const struct link_facts *facts, const struct provider_rules *rules, int64_t now_ms);

/* --- judge_validation.c, judge_refresh.c ------------------------------------------------------------------------ */

#define TRANSPORT_LIST(X)                                                                                              \
	X(TRANSPORT_ANSWERED, "answered")                                                                              \
	X(TRANSPORT_NOT_SENT, "not_sent")   /* connect, DNS or TLS failure: the provider saw nothing */                \
	X(TRANSPORT_AMBIGUOUS, "ambiguous") /* sent, but no complete answer came back */

enum transport { TRANSPORT_LIST(ENUMERATE) TRANSPORT_COUNT };

/* The facts of an HTTP answer that validation looks at. */
struct validation_answer {
	enum transport transport;
	int status;
	bool has_retry_after;
	bool rate_limit_exhausted; /* X-RateLimit-Remaining or RateLimit-Remaining equals 0 */
};

enum validation judge_validation(const struct validation_answer *answer);

#define GRANT_CLASS_LIST(X)                                                                                            \
	X(GRANT_GRANTED, "granted")                                                                                    \
	X(GRANT_USER, "user")         /* the user must link again */                                                   \
	X(GRANT_OPERATOR, "operator") /* the provider refuses our client */                                            \
	X(GRANT_TRANSIENT, "transient")                                                                                \
	X(GRANT_NOT_SENT, "not_sent")                                                                                  \
	X(GRANT_AMBIGUOUS, "ambiguous")

enum grant_class { GRANT_CLASS_LIST(ENUMERATE) GRANT_CLASS_COUNT };

/* The facts of a token endpoint's answer. error is the OAuth error word, "" where the answer has none. */
struct token_answer {
	enum transport transport;
	int status;
	bool has_access_token;
	const char *error;
};

/* The token endpoint's table of contract section 5; also what an authorization-code exchange is judged by. An error
 * word that the table does not name blames the user only with 400 or 401; error may be NULL. */
enum grant_class judge_refresh(const struct token_answer *answer);

/* --- judge_device.c --------------------------------------------------------------------------------------------- */

#define DEVICE_ANSWER_LIST(X)                                                                                          \
	X(DEVICE_GRANTED, "granted")                                                                                   \
	X(DEVICE_PENDING, "pending")                                                                                   \
	X(DEVICE_SLOW_DOWN, "slow_down")                                                                               \
	X(DEVICE_DENIED, "denied")                                                                                     \
	X(DEVICE_EXPIRED, "expired")                                                                                   \
	X(DEVICE_REFUSED, "refused")   /* the code is no longer good for anything */                                   \
	X(DEVICE_OPERATOR, "operator") /* the provider refuses our client; the code may live on */                     \
	X(DEVICE_RATE_LIMITED, "rate_limited")                                                                         \
	X(DEVICE_TRANSIENT, "transient") /* not asked, or no word about the code */                                    \
	X(DEVICE_LOST, "lost")           /* asked, and no answer came that can be read */

enum device_answer { DEVICE_ANSWER_LIST(ENUMERATE) DEVICE_ANSWER_COUNT };

/* The facts of a token endpoint's answer to a poll. error as in struct token_answer. */
struct device_reply {
	enum transport transport;
	int status;
	bool has_access_token;
	const char *error;
	bool has_retry_after;
	bool rate_limit_exhausted;
};

/* What a poll for a device code means: RFC 8628 section 3.5, with the words of providers that have their own. */
enum device_answer judge_device(const struct device_reply *reply);

/* --- next_try.c ------------------------------------------------------------------------------------------------- */

/* What follows from a try to refresh. TRY_REPEAT keeps the lease; all others end it. */
#define TRY_STEP_LIST(X)                                                                                               \
	X(TRY_SAVE, "save")                                                                                            \
	X(TRY_REPEAT, "again")                                                                                         \
	X(TRY_REMEMBER, "remember")                 /* the owner must link again: never ask before */                  \
	X(TRY_RELEASE, "release")                   /* nothing happened: the next evaluation may try */                \
	X(TRY_COOL_DOWN, "cool_down")               /* ask again after a cool-down only */                             \
	X(TRY_COOL_DOWN_CLIENT, "cool_down_client") /* or as another client: a secret that was mended */

enum try_step { TRY_STEP_LIST(ENUMERATE) TRY_STEP_COUNT };

/* How the last try of a lease ended, and what is known of those before. */
struct try_facts {
	enum grant_class class;
	unsigned unresolved;    /* earlier leases of this refresh token whose outcome nobody learnt */
	unsigned ambiguous;     /* tries of this lease whose outcome nobody learnt, the last one included */
	unsigned again;         /* how often a try of this lease was repeated */
	int64_t retry_after_ms; /* what the provider asks for; 0: nothing */
	int64_t retry_left_ms;  /* REFRESH_RETRY_TIMEOUT, what is left of it */
	int64_t lease_left_ms;  /* while a try may still begin */
};

struct next_try {
	enum try_step step;
	enum reason reason; /* TRY_REMEMBER: what is remembered; a cool-down: why; else REASON_COUNT */
	bool outcome_known; /* false: the journal keeps this lease as an exchange that may have happened */
	int64_t wait_ms;    /* TRY_REPEAT */
};

/* What to do after a try: the right-hand column of the token endpoint's table in contract section 5. */
struct next_try next_try(const struct try_facts *facts);

/* GitHub's replicas lag: a token that was issued just now may be refused for up to a second. How long to wait before
 * asking once more about a token of this age that was refused this often; -1: the refusal stands. */
int64_t lag_wait_ms(int64_t token_age_ms, unsigned refusals);

#undef ENUMERATE

const char *try_step_word(enum try_step step);

const char *validation_word(enum validation validation);
const char *step_word(enum step_kind kind);
const char *grant_class_word(enum grant_class class);
const char *device_answer_word(enum device_answer answer);

/* --- breaker.c -------------------------------------------------------------------------------------------------- */

/* How one endpoint of a provider was reached lately. Times are milliseconds on any clock that only goes forward; all 0:
 * nothing is known yet. */
struct breaker_state {
	unsigned failures;     /* evaluations in a row that could not reach it */
	int64_t reached_at_ms; /* when it was reached last; 0: never */
	int64_t probe_at_ms;   /* open: from when on one evaluation may probe it; 0: closed */
};

#define BREAKER_STEP_LIST(X)                                                                                           \
	X(BREAKER_ASK, "ask")                                                                                          \
	X(BREAKER_PROBE, "probe") /* ask, and say so by breaker_after_probe */                                         \
	X(BREAKER_SKIP, "skip")

#define ENUMERATE(name, word) name,
enum breaker_step_kind { BREAKER_STEP_LIST(ENUMERATE) BREAKER_STEP_COUNT };
#undef ENUMERATE

/* retry_after_s is for BREAKER_SKIP: until the next probe, rounded up, at least 1. */
struct breaker_step {
	enum breaker_step_kind kind;
	unsigned retry_after_s;
};

/* Whether an evaluation asks the endpoint now. */
struct breaker_step breaker_next_step(const struct breaker_state *state, int64_t now_ms);

/* What is known after a probe has begun, after the endpoint was reached, and after an evaluation that asked at
 * asked_at_ms could not reach it. */
struct breaker_state breaker_after_probe(const struct breaker_state *state, int64_t now_ms);
struct breaker_state breaker_after_reached(int64_t now_ms);
struct breaker_state breaker_after_failure(const struct breaker_state *state, int64_t asked_at_ms, int64_t now_ms);

/* Whether an answer says that the endpoint was reached: any but a server's failure. */
bool breaker_is_reached(enum transport transport, int status);

const char *breaker_step_word(enum breaker_step_kind kind);

/* --- enforcement.c ---------------------------------------------------------------------------------------------- */

/* Reads "deny", "warn,autostart=dryrun" or "acquire=warn": at most one word for all moments and one for each single
 * one, in any order, without blanks. "" says nothing. false, and *ret_setting says nothing, where the text is none of
 * these.
 */
bool enforcement_setting_read(const char *text, struct enforcement_setting *ret_setting);

/* The narrowest scope that says something of this moment wins: provider, then template, then deployment; within a scope
 * the moment's own word before the general one. All silent: deny. */
enum enforcement enforcement_effective(const struct enforcement_setting *provider,
	const struct enforcement_setting *template, const struct enforcement_setting *deployment, enum moment moment);

/* Whose word that is. */
enum scope enforcement_scope(const struct enforcement_setting *provider, const struct enforcement_setting *template,
	const struct enforcement_setting *deployment, enum moment moment);

/* --- decide.c --------------------------------------------------------------------------------------------------- */

/* One requirement as it was judged. enforcement is the effective one (enforcement_effective). last_valid_at_ms feeds
 * FAIL_MODE last_known_good. */
struct judged {
	const struct requirement *requirement;
	enum reason reason;
	enum enforcement enforcement;
	enum fail_mode fail_mode;
	bool exempt; /* an exemption is in force for this owner, template and provider */
	int64_t last_valid_at_ms;
	int64_t last_known_good_max_age_ms;
	unsigned retry_after_s;
};

/* Verdicts, requirements and enforcement → decision. Optional ones neither block nor warn. An exempt one that would
 * block warns instead. A missing required one refuses; only when none is missing does an unverifiable one make the
 * whole unverifiable. FAIL_MODE turns an unverifiable reason into fail_open or last_known_good, which warn. Enforcement
 * warn turns blocking into warning; dryrun does neither. Fills *ret_decision, whose findings point to the same
 * requirements. More judged than REQUIREMENTS_MAX is unverifiable without findings. */
void decide(const struct judged *judged, size_t judged_count, int64_t now_ms, struct decision *ret_decision);

/* --- judge_receipt.c -------------------------------------------------------------------------------------------- */

/* Why a receipt is not good any more; the empty word: it is. The first three are what reading it says, before anything
 * else is known of it. */
#define RECEIPT_REASON_LIST(X)                                                                                         \
	X(RECEIPT_GOOD, "")                                                                                            \
	X(RECEIPT_MALFORMED, "malformed")                                                                              \
	X(RECEIPT_UNKNOWN_KEY, "unknown_key")                                                                          \
	X(RECEIPT_BAD_SIGNATURE, "bad_signature")                                                                      \
	X(RECEIPT_EXPIRED, "expired")                                                                                  \
	X(RECEIPT_OWNER_GONE, "owner_gone")                                                                            \
	X(RECEIPT_OWNER_SUSPENDED, "owner_suspended")                                                                  \
	X(RECEIPT_VERSION_GONE, "version_gone")                                                                        \
	X(RECEIPT_VERSION_ARCHIVED, "version_archived")                                                                \
	X(RECEIPT_LINKS_CHANGED, "links_changed")

#define ENUMERATE(name, word) name,
enum receipt_reason { RECEIPT_REASON_LIST(ENUMERATE) RECEIPT_REASON_COUNT };
#undef ENUMERATE

const char *receipt_reason_word(enum receipt_reason reason);

/* One link that the receipt relies on: its generation then, and as it stands; 0: not linked. */
struct receipt_link {
	int64_t relied_on;
	int64_t stands;
};

struct receipt_facts {
	enum receipt_reason read; /* what reading it said: good, or one of the first three; then nothing else counts */
	int64_t expires_at_ms;
	bool owner_named; /* by id; else nobody knew the owner, who needs not exist */
	bool owner_found;
	bool owner_suspended;
	bool version_named; /* false: the check listed its providers itself */
	bool version_found;
	bool version_archived;
	size_t link_count;
	const struct receipt_link *links;
};

/* Whether what a receipt says is still true. It is over from expires_at_ms on. */
enum receipt_reason judge_receipt(const struct receipt_facts *facts, int64_t now_ms);

/* --- access.c --------------------------------------------------------------------------------------------------- */

#define ROLE_LIST(X)                                                                                                   \
	X(ROLE_MEMBER, "member")                                                                                       \
	X(ROLE_TEMPLATE_AUTHOR, "template-author")                                                                     \
	X(ROLE_CONTROL_PLANE, "control-plane")                                                                         \
	X(ROLE_PROVISIONER, "provisioner")                                                                             \
	X(ROLE_AUDITOR, "auditor")                                                                                     \
	X(ROLE_ADMIN, "admin")

#define ENUMERATE(name, word) name,
enum role { ROLE_LIST(ENUMERATE) ROLE_COUNT };
#undef ENUMERATE

/* A set of roles: bit 1u << role. Every user is a member; the empty set may do nothing. */
typedef unsigned role_set;

const char *role_word(enum role role);
enum role role_from_word(const char *word); /* ROLE_COUNT where no role has the word */

/* What a caller may be allowed to do. "own" in access_allows says whether the subject is the caller's own user. */
#define ACTION_LIST(X)                                                                                                 \
	X(ACTION_USER_CREATE, "user_create")                                                                           \
	X(ACTION_USER_READ, "user_read")                                                                               \
	X(ACTION_USER_LIST, "user_list")                                                                               \
	X(ACTION_USER_CHANGE, "user_change")                                                                           \
	X(ACTION_USER_DELETE, "user_delete")                                                                           \
	X(ACTION_ROLE_GRANT, "role_grant")     /* any role but member */                                               \
	X(ACTION_TOKEN_MANAGE, "token_manage") /* mint, list and delete a user's API tokens */                         \
	X(ACTION_TEMPLATE_WRITE, "template_write")                                                                     \
	X(ACTION_TEMPLATE_READ, "template_read")                                                                       \
	X(ACTION_WORKSPACE_CREATE, "workspace_create")                                                                 \
	X(ACTION_WORKSPACE_READ, "workspace_read")                                                                     \
	X(ACTION_PREFLIGHT, "preflight")                                                                               \
	X(ACTION_LINK_READ, "link_read") /* list a user's links, never a token */                                      \
	X(ACTION_LINK_IMPORT, "link_import")                                                                           \
	X(ACTION_LINK_TOKEN, "link_token") /* the access token itself */                                               \
	X(ACTION_LINK_REMOVE, "link_remove")                                                                           \
	X(ACTION_LINK_URL, "link_url")         /* contract section 6: self and control-plane, never admin */           \
	X(ACTION_CHECK, "check")               /* ask the gate, explain */                                             \
	X(ACTION_OWNER_UNSEEN, "owner_unseen") /* ask for an owner whom the service has not seen yet */                \
	X(ACTION_BUILD_READ, "build_read")                                                                             \
	X(ACTION_BUILD_AUTOSTART, "build_autostart") /* start by schedule, under its own enforcement */                \
	X(ACTION_PREBUILD_CREATE, "prebuild_create")                                                                   \
	X(ACTION_PROVISION, "provision") /* take builds, with their owners' tokens */                                  \
	X(ACTION_DECISION_READ, "decision_read")                                                                       \
	X(ACTION_RECEIPT_VERIFY, "receipt_verify")                                                                     \
	X(ACTION_IMPACT_READ, "impact_read") /* what a version would do to the owners of its template's workspaces */  \
	X(ACTION_EXEMPTION_WRITE, "exemption_write")                                                                   \
	X(ACTION_EXEMPTION_READ, "exemption_read")

#define ENUMERATE(name, word) name,
enum action { ACTION_LIST(ENUMERATE) ACTION_COUNT };
#undef ENUMERATE

const char *action_word(enum action action);
enum action action_from_word(const char *word);

/* Whether a caller with these roles may do it; an unknown action is never allowed. */
bool access_allows(role_set roles, enum action action, bool own);

/* --- requirements.c --------------------------------------------------------------------------------------------- */

/* Adds one to the list in the version's order: the same id again merges, and required wins. false when the id is not
 * lawful (name_is_provider_id) or the list is full. */
bool requirements_add(struct requirements *requirements, const char *provider_id, bool optional);

/* --- names.c ---------------------------------------------------------------------------------------------------- */

bool name_is_provider_id(const char *text); /* [a-z0-9-]{1,64}: contract section 2 */
bool name_is_workspace(const char *text);   /* [a-z0-9-]{1,32}: contract section 4 */
bool name_is_user(const char *text);        /* [a-z0-9-]{1,32}, not `me`, not `prebuilds`, not shaped like a UUID */
bool name_is_template(const char *text);    /* [a-z0-9-]{1,64}, not shaped like a UUID: a path takes either */
bool name_is_uuid(const char *text);        /* RFC 9562 text form, either case */
bool name_is_email(const char *text);       /* something@something, no blanks or controls, up to 254 bytes */
bool name_is_request_id(const char *text);  /* a caller's X-Request-Id that may be echoed: [A-Za-z0-9._:+/=-]{1,128} */

/* A path on this host that a browser may be sent to after linking: printable ASCII, starts with a slash, no backslash,
 * no blank, no two slashes in a row before the query; at most REDIRECT_BYTES_MAX. RFC 9700 section 4.11. */
bool name_is_local_path(const char *text);

/* https anywhere, or http on a loopback host (127.0.0.0/8, [::1], localhost): contract section 2. Printable ASCII, no
 * backslash, no user info, no fragment, a port from 1 to 65535 if any; at most URL_BYTES_MAX. */
bool name_is_provider_url(const char *text);

#endif
