/* SPDX-License-Identifier: Apache-2.0 */
/* An AdmissionReview as Kubernetes sends it, and its answer
 * (https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers). Knows no gate. */
#ifndef HOOK_ADMISSION_REVIEW_FORM_H
#define HOOK_ADMISSION_REVIEW_FORM_H

#include "../base/json.h"
#include "../base/text.h"
#include "bounds.h"

struct review {
	const char *uid;
	const char *operation;      /* CREATE, UPDATE, DELETE, CONNECT */
	const char *sub_resource;   /* "" where the object itself is meant */
	const char *username;       /* who asked the cluster, cut; NULL: not said */
	const struct json *request; /* the whole request */
	const struct json *object;  /* NULL: none (DELETE) */
	const struct json *old_object;
	bool dry_run;
};

/* Reads a body. Wrong fields, and another apiVersion or kind, are violations. */
MUST_CHECK bool review_read(
	const struct json *body, struct arena *arena, struct review *ret_review, struct problem *problem);

/* Whether it starts something: a CREATE or an UPDATE, but for an update of the status, and for those of an object that
 * is being deleted, which take its finalizers away. */
bool review_is_start(const struct review *review);

/* The string at a SETTING_REVIEW_POINTER; NULL where there is none, or an empty one. */
const char *review_find(const struct review *review, const char *pointer);

/* How long a gate may take that is asked with this timeout: what is left when the answer has to be on its way, and
 * never more than budget_max_ms. */
int64_t review_budget_ms(int64_t timeout_ms, int64_t budget_max_ms);

/* One reason of a refusal (metav1.StatusCause). */
struct review_cause {
	const char *reason;
	const char *message;
	const char *field;
};

struct review_answer {
	bool allowed;
	int code; /* and all below: of a refusal */
	const char *message;
	unsigned retry_after_s; /* 0: none */
	size_t cause_count;
	struct review_cause causes[REQUIREMENTS_MAX];
	size_t warning_count;
	const char *warnings[REQUIREMENTS_MAX + 1]; /* of any length; cut to REVIEW_WARNING_BYTES_MAX */
	const char *decision_id;                    /* NULL: none */
};

/* The whole AdmissionReview that answers, as JSON text. */
char *review_print(const struct review *review, const struct review_answer *answer, struct arena *arena);

#endif
