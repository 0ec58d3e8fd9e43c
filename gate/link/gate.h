/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: settles every requirement of one version against the owner's links, all providers in parallel under one
 * budget, and decides. No database connection or transaction is held while a provider is asked; one provider that is
 * slow or broken costs only its own verdict. */
#ifndef LINK_GATE_H
#define LINK_GATE_H

#include "../store/exemptions.h"
#include "../store/links.h"
#include "engine.h"

struct gate_question {
	const char *owner_id;
	const struct requirements *requirements;
	size_t link_count;
	const struct link *links; /* the owner's, as read; others are ignored */
	size_t exemption_count;
	const struct exemption *exemptions;                     /* in force, of this owner and template */
	const struct enforcement_setting *template_enforcement; /* NULL: says nothing */
	enum moment moment;   /* MOMENT_PREFLIGHT: PREFLIGHT_MAX_AGE instead of GATE_MAX_AGE */
	bool ask_optional;    /* preflight shows optional ones too; create does not ask for them */
	bool without_effects; /* a dry run: spends no refresh token and writes nothing */
	bool without_asking;  /* no provider either: verdicts are presumed from what is stored (policy/presume.c) */
	int64_t timeout_ms;   /* the budget of the whole evaluation */
};

/* One requirement's end, in the version's order, optional ones included. */
struct gate_finding {
	struct finding finding;
	struct provider *provider; /* NULL: named by the version as optional, not configured */
	bool asked_for;            /* false for an optional one at create: its state was not looked at */
	bool linked;
	const struct exemption *exemption; /* in force for this provider; NULL: none */
	struct secret access_token;        /* of the link as it was judged; empty where no key opens it */
	int64_t token_expires_at_ms;       /* 0: never */
	int64_t generation;                /* of the link it was judged by; 0 where there is none */
	enum scope enforcement_scope;      /* whose word the enforcement is */
	enum step_kind next_step;          /* without_asking: what a real evaluation would do next */
	int64_t known_good_at_ms; /* when the provider confirmed this generation last, as far as is known; 0: never */
	int provider_status;      /* last HTTP status seen, 0: not asked or no answer */
	int64_t duration_us;
};

struct gate_answer {
	struct decision decision;
	size_t finding_count;
	struct gate_finding findings[REQUIREMENTS_MAX];
	int64_t duration_us;
};

/* Evaluates. A required provider that is not configured is PROBLEM_PROVIDER_NOT_CONFIGURED (its id in detail); a
 * database that is away while a link is read again makes that finding provider_unavailable. */
MUST_CHECK bool gate_evaluate(struct engine *engine, const struct gate_question *question, struct arena *arena,
	struct gate_answer *ret_answer, struct problem *problem);

#endif
