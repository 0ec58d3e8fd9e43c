/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts, reasons and decisions (contract sections 1, 4 and 5), each enumeration written once as a list that the
 * enumeration and its words (policy/words.c) expand. */
#ifndef DECISION_H
#define DECISION_H

#include <stdbool.h>
#include <stddef.h>

#include "bounds.h"

#define VERDICT_LIST(X)                                                                                                \
	X(VERDICT_OK, "ok")                                                                                            \
	X(VERDICT_MISSING, "missing")                                                                                  \
	X(VERDICT_UNVERIFIABLE, "unverifiable")

#define FIXABLE_BY_LIST(X)                                                                                             \
	X(FIXABLE_BY_NOBODY, "")                                                                                       \
	X(FIXABLE_BY_OWNER, "owner")                                                                                   \
	X(FIXABLE_BY_WAIT, "wait")                                                                                     \
	X(FIXABLE_BY_OPERATOR, "operator")

/* reason, word, verdict, who can mend it: the table of contract section 5. */
#define REASON_LIST(X)                                                                                                 \
	X(REASON_VALID, "valid", VERDICT_OK, FIXABLE_BY_NOBODY)                                                        \
	X(REASON_NOT_VALIDATED, "not_validated", VERDICT_OK, FIXABLE_BY_NOBODY)                                        \
	X(REASON_RATE_LIMITED, "rate_limited", VERDICT_OK, FIXABLE_BY_NOBODY)                                          \
	X(REASON_LAST_KNOWN_GOOD, "last_known_good", VERDICT_OK, FIXABLE_BY_NOBODY)                                    \
	X(REASON_FAIL_OPEN, "fail_open", VERDICT_OK, FIXABLE_BY_NOBODY)                                                \
	X(REASON_NOT_LINKED, "not_linked", VERDICT_MISSING, FIXABLE_BY_OWNER)                                          \
	X(REASON_EXPIRED, "expired", VERDICT_MISSING, FIXABLE_BY_OWNER)                                                \
	X(REASON_REFRESH_REJECTED, "refresh_rejected", VERDICT_MISSING, FIXABLE_BY_OWNER)                              \
	X(REASON_ROTATION_LOST, "rotation_lost", VERDICT_MISSING, FIXABLE_BY_OWNER)                                    \
	X(REASON_TOKEN_REVOKED, "token_revoked", VERDICT_MISSING, FIXABLE_BY_OWNER)                                    \
	X(REASON_REFRESH_IN_PROGRESS, "refresh_in_progress", VERDICT_UNVERIFIABLE, FIXABLE_BY_WAIT)                    \
	X(REASON_PROVIDER_UNAVAILABLE, "provider_unavailable", VERDICT_UNVERIFIABLE, FIXABLE_BY_WAIT)                  \
	X(REASON_PROVIDER_MISCONFIGURED, "provider_misconfigured", VERDICT_UNVERIFIABLE, FIXABLE_BY_OPERATOR)          \
	X(REASON_DECRYPTION_FAILED, "decryption_failed", VERDICT_UNVERIFIABLE, FIXABLE_BY_OPERATOR)

#define OUTCOME_LIST(X)                                                                                                \
	X(OUTCOME_ALLOWED, "allowed")                                                                                  \
	X(OUTCOME_REFUSED, "refused")                                                                                  \
	X(OUTCOME_UNVERIFIABLE, "unverifiable")

/* What a refusal does. ENFORCEMENT_INHERIT is "not said here": the next wider setting decides. */
#define ENFORCEMENT_LIST(X)                                                                                            \
	X(ENFORCEMENT_INHERIT, "")                                                                                     \
	X(ENFORCEMENT_DENY, "deny")                                                                                    \
	X(ENFORCEMENT_WARN, "warn")                                                                                    \
	X(ENFORCEMENT_DRYRUN, "dryrun")

/* The moments at which the gate stands. A preflight only shows states. */
#define MOMENT_LIST(X)                                                                                                 \
	X(MOMENT_CREATE, "create")                                                                                     \
	X(MOMENT_START, "start")                                                                                       \
	X(MOMENT_AUTOSTART, "autostart")                                                                               \
	X(MOMENT_CLAIM, "claim")     /* a create that takes over a workspace built ahead */                            \
	X(MOMENT_ACQUIRE, "acquire") /* a provisioner asks for work */                                                 \
	X(MOMENT_PREFLIGHT, "preflight")

/* Who asks the gate. */
#define SURFACE_LIST(X)                                                                                                \
	X(SURFACE_API, "api")                                                                                          \
	X(SURFACE_CHECK, "check")                                                                                      \
	X(SURFACE_ADMISSION_REVIEW, "admission_review")                                                                \
	X(SURFACE_EXT_AUTHZ, "ext_authz")                                                                              \
	X(SURFACE_OPA, "opa")                                                                                          \
	X(SURFACE_PROVISIONER, "provisioner")                                                                          \
	X(SURFACE_EXPLAIN, "explain")

/* Who may say something of enforcement, the narrowest first. */
#define SCOPE_LIST(X)                                                                                                  \
	X(SCOPE_PROVIDER, "provider")                                                                                  \
	X(SCOPE_TEMPLATE, "template")                                                                                  \
	X(SCOPE_DEPLOYMENT, "deployment")                                                                              \
	X(SCOPE_DEFAULT, "default")

#define FAIL_MODE_LIST(X)                                                                                              \
	X(FAIL_MODE_CLOSED, "closed")                                                                                  \
	X(FAIL_MODE_OPEN, "open")                                                                                      \
	X(FAIL_MODE_LAST_KNOWN_GOOD, "last_known_good")

#define ENUMERATE(name, word) name,
#define ENUMERATE_REASON(name, word, verdict, fixable_by) name,

enum verdict { VERDICT_LIST(ENUMERATE) VERDICT_COUNT };
enum fixable_by { FIXABLE_BY_LIST(ENUMERATE) FIXABLE_BY_COUNT };
enum reason { REASON_LIST(ENUMERATE_REASON) REASON_COUNT };
enum outcome { OUTCOME_LIST(ENUMERATE) OUTCOME_COUNT };
enum enforcement { ENFORCEMENT_LIST(ENUMERATE) ENFORCEMENT_COUNT };
enum moment { MOMENT_LIST(ENUMERATE) MOMENT_COUNT };
enum surface { SURFACE_LIST(ENUMERATE) SURFACE_COUNT };
enum scope { SCOPE_LIST(ENUMERATE) SCOPE_COUNT };
enum fail_mode { FAIL_MODE_LIST(ENUMERATE) FAIL_MODE_COUNT };

#undef ENUMERATE
#undef ENUMERATE_REASON

/* What one scope (a provider, a template, the deployment) says of enforcement: at single moments, and in general. */
struct enforcement_setting {
	enum enforcement general;
	enum enforcement at[MOMENT_COUNT];
};

/* One requirement of a template version: the provider's id and whether the create may go on without it. */
struct requirement {
	char provider_id[PROVIDER_ID_BYTES_MAX + 1];
	bool optional;
};

struct requirements {
	size_t count;
	struct requirement list[REQUIREMENTS_MAX];
};

/* One provider's part in an evaluation. `blocks` and `warns` say what policy/decide.c made of it under the enforcement,
 * exemption and fail mode that apply; would_block, what it were if all were enforced and nobody exempt; exempt, that
 * only an exemption keeps it from blocking. retry_after_s is 0 where nothing says how long to wait. */
struct finding {
	const struct requirement *requirement;
	enum reason reason;
	enum enforcement enforcement;
	unsigned retry_after_s;
	bool blocks;
	bool warns;
	bool exempt;
	bool would_block;
};

struct decision {
	enum outcome outcome;
	enum outcome strict_outcome; /* had every provider been enforced and nobody been exempt */
	unsigned retry_after_s;      /* the longest wait a blocking finding asks for, else a few seconds; 0 unless
					unverifiable */
	size_t finding_count;
	struct finding findings[REQUIREMENTS_MAX];
};

#endif
