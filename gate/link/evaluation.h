/* SPDX-License-Identifier: Apache-2.0 */
/* The one way to ask the gate, whoever asks: a create, a build, a claim, a provisioner, a hook. Reads the facts in one
 * round trip, refuses what contract section 4 refuses before the gate (steps 3 to 5), asks the gate, and words the
 * decision for the log. Authorisation comes before, with whoever asks. Same input, same verdicts on every surface. */
#ifndef LINK_EVALUATION_H
#define LINK_EVALUATION_H

#include "../store/workspaces.h"
#include "gate.h"

struct evaluation_question {
	const char *request_id;
	const char *initiator_id; /* who calls; NULL: nobody */
	const char *on_behalf_of; /* whom the caller names as initiator; NULL: nobody */
	enum surface surface;
	enum moment moment;
	bool admits_unseen_owner; /* an owner nobody has seen is one without links */
	bool admits_archived;     /* a build of a workspace that is there already goes on with its version */
	bool without_effects;     /* a dry run */
	bool without_asking;      /* explain: no provider is asked, either */
	bool ask_optional;
	bool is_queued; /* the decision goes to the log's queue or nowhere: it is worded only where it would be taken */
	int64_t timeout_ms;
};

struct evaluation {
	struct create_facts facts;
	struct gate_answer answer;
	const char *decision_id;
	struct decision_row decision; /* for the log; id NULL: the log does not take it */
};

/* The facts, checked: PROBLEM_NOT_FOUND (owner, version), PROBLEM_OWNER_SUSPENDED, PROBLEM_VERSION_ARCHIVED,
 * PROBLEM_NAME_TAKEN. An unseen owner that is admitted has no id and the name that was given. */
MUST_CHECK bool evaluation_read(struct engine *engine, const struct evaluation_question *question,
	const struct create_question *about, struct arena *arena, struct evaluation *ret_evaluation,
	struct problem *problem);

/* The gate over facts that were read. PROBLEM_PROVIDER_NOT_CONFIGURED as gate_evaluate. */
MUST_CHECK bool evaluation_judge(struct engine *engine, const struct evaluation_question *question, struct arena *arena,
	struct evaluation *evaluation, struct problem *problem);

/* The links whose verdict let it pass: what is written behind the gate demands that they are still the same. */
size_t evaluation_relied(const struct evaluation *evaluation, struct relied_link ret_relied[REQUIREMENTS_MAX]);

/* The warnings of an answer that passed, as JSON array text: the gate's, and a deprecated template's. */
const char *evaluation_warnings(const struct evaluation *evaluation, struct arena *arena);

#endif
