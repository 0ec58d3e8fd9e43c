/* SPDX-License-Identifier: Apache-2.0 */
/* How a function reports a failure. A *no* of the gate is an answer, not a problem; a problem is what kept the service
 * from answering: the database is away, a body is malformed, a name is taken. */
#ifndef PROBLEM_H
#define PROBLEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* code, word, HTTP status. The closed list of `code` in schema/openapi.yaml (`ErrorCode`); a guard compares the two. */
#define PROBLEM_LIST(X)                                                                                                \
	X(PROBLEM_NONE, "", 200)                                                                                       \
	X(PROBLEM_BAD_REQUEST, "bad_request", 400)                                                                     \
	X(PROBLEM_VALIDATION_FAILED, "validation_failed", 400)                                                         \
	X(PROBLEM_MALFORMED_JSON, "malformed_json", 400)                                                               \
	X(PROBLEM_VERSION_ARCHIVED, "version_archived", 400)                                                           \
	X(PROBLEM_STATE_INVALID, "state_invalid", 400)                                                                 \
	X(PROBLEM_PROVIDER_REFUSED, "provider_refused", 400)                                                           \
	X(PROBLEM_DEVICE_PENDING, "device_pending", 400)                                                               \
	X(PROBLEM_UNAUTHENTICATED, "unauthenticated", 401)                                                             \
	X(PROBLEM_SESSION_REQUIRED, "session_required", 401)                                                           \
	X(PROBLEM_FORBIDDEN, "forbidden", 403)                                                                         \
	X(PROBLEM_OWNER_SUSPENDED, "owner_suspended", 403)                                                             \
	X(PROBLEM_LINK_URL_NOT_ALLOWED, "link_url_not_allowed", 403)                                                   \
	X(PROBLEM_EXTERNAL_AUTH_REQUIRED, "external_auth_required", 403)                                               \
	X(PROBLEM_NOT_FOUND, "not_found", 404)                                                                         \
	X(PROBLEM_PROVIDER_NOT_CONFIGURED, "provider_not_configured", 404)                                             \
	X(PROBLEM_METHOD_NOT_ALLOWED, "method_not_allowed", 405)                                                       \
	X(PROBLEM_CONFLICT, "conflict", 409)                                                                           \
	X(PROBLEM_NAME_TAKEN, "name_taken", 409)                                                                       \
	X(PROBLEM_NO_PREBUILD, "no_prebuild", 409)                                                                     \
	X(PROBLEM_IDEMPOTENCY_KEY_IN_USE, "idempotency_key_in_use", 409)                                               \
	X(PROBLEM_BODY_TOO_LARGE, "body_too_large", 413)                                                               \
	X(PROBLEM_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415)                                               \
	X(PROBLEM_IDEMPOTENCY_KEY_REUSED, "idempotency_key_reused", 422)                                               \
	X(PROBLEM_HEADER_TOO_LARGE, "header_too_large", 431)                                                           \
	X(PROBLEM_INTERNAL, "internal", 500)                                                                           \
	X(PROBLEM_PROVIDER_FAILED, "provider_failed", 502)                                                             \
	X(PROBLEM_EXTERNAL_AUTH_UNVERIFIABLE, "external_auth_unverifiable", 503)                                       \
	X(PROBLEM_PROVIDER_RATE_LIMITED, "provider_rate_limited", 503)                                                 \
	X(PROBLEM_DATABASE_UNAVAILABLE, "database_unavailable", 503)                                                   \
	X(PROBLEM_OVERLOADED, "overloaded", 503)                                                                       \
	X(PROBLEM_DRAINING, "draining", 503)                                                                           \
	X(PROBLEM_CHANGED_MEANWHILE, "changed_meanwhile", 503)

#define ENUMERATE(name, word, status) name,
enum problem_kind { PROBLEM_LIST(ENUMERATE) PROBLEM_KIND_COUNT };
#undef ENUMERATE

/* More wrong fields than this are not told at once: nobody mends more in one go. */
#define VIOLATIONS_MAX 16

struct violation {
	char field[64];
	char detail[192];
};

/* message says what happened, detail what to do; both are for the caller and never hold SQL, a provider's body or a
 * secret. The struct is plain memory: copy it, drop it. */
struct problem {
	enum problem_kind kind;
	unsigned retry_after_s; /* 0: say nothing about when to try again */
	size_t violation_count;
	char message[256];
	char detail[512];
	struct violation violations[VIOLATIONS_MAX];
};

/* Sets kind and message, keeps nothing of what was there before. Always returns false, so that a failing function can
 * end with `return problem_set(…)`. */
bool problem_set(struct problem *problem, enum problem_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets detail of a problem that is already set. Always returns false. */
bool problem_detail(struct problem *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a wrong field; the first one makes the problem PROBLEM_VALIDATION_FAILED unless it has a kind already. Beyond
 * VIOLATIONS_MAX further ones are dropped. Always returns false. */
bool problem_add_violation(struct problem *problem, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The stable word and the HTTP status of a kind. */
const char *problem_word(enum problem_kind kind);
int problem_status(enum problem_kind kind);

#endif
