/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the gate without creating anything: what every hook shares, whatever its form. A hook reads a question out of
 * its own contract, this file authorises, asks the one evaluator, logs and signs, and the hook words the answer. Same
 * question, same verdicts on every surface. */
#ifndef HOOK_CHECK_H
#define HOOK_CHECK_H

#include "../base/text.h"
#include "../http/reply.h"
#include "../http/request.h"
#include "../link/evaluation.h"
#include "../link/gate_json.h"

/* What somebody wants to do, in the words of the API. Two of them the gate never holds up. */
#define CHECK_TRANSITION_LIST(X)                                                                                       \
	X(CHECK_CREATE, "create", MOMENT_CREATE, true)                                                                 \
	X(CHECK_START, "start", MOMENT_START, true)                                                                    \
	X(CHECK_AUTOSTART, "autostart", MOMENT_AUTOSTART, true)                                                        \
	X(CHECK_CLAIM, "claim", MOMENT_CLAIM, true)                                                                    \
	X(CHECK_STOP, "stop", MOMENT_COUNT, false)                                                                     \
	X(CHECK_DELETE, "delete", MOMENT_COUNT, false)

#define ENUMERATE(name, word, moment, is_gated) name,
enum check_transition { CHECK_TRANSITION_LIST(ENUMERATE) CHECK_TRANSITION_COUNT };
#undef ENUMERATE

/* CHECK_TRANSITION_COUNT where the word is none of them. */
enum check_transition check_transition_from_word(const char *word);

struct check_question {
	enum surface surface;
	const char *owner;                /* `me`, a user name or a UUID */
	const char *on_behalf_of;         /* whom the caller names as initiator, or NULL */
	const char *version_id;           /* a UUID, or NULL where providers are named */
	const struct requirements *named; /* NULL where a version is named */
	enum check_transition transition;
	bool dry_run;
	bool without_asking; /* explain: nobody is asked, nothing is logged, and there is no decision */
	int64_t timeout_ms;  /* 0: the configured budget */
};

/* Reads the fields of a check: owner, initiator, template_version_id | external_auth, transition, dry_run. Each wrong
 * one is a violation that names it. */
MUST_CHECK bool check_read(const struct request *request, const struct json *object,
	struct check_question *ret_question, struct problem *problem);

struct check_answer {
	bool allowed;
	enum outcome outcome;
	unsigned retry_after_s;
	const char *decision_id;
	struct evaluation *evaluation; /* empty findings where the gate does not stand */
	struct gate_telling telling;
};

/* Authorises, evaluates, logs (a dry run is not), signs a receipt for a yes. A no is an answer. What the caller may not
 * ask, and what a create refuses before the gate, is a problem: contract section 4, steps 2 to 5. */
MUST_CHECK bool check_ask(const struct request *request, const struct check_question *question,
	struct check_answer *ret_answer, struct problem *problem);

/* Notes the decision for the request's log line. */
void check_note(struct reply *reply, const struct check_answer *answer);

/* The members of the decision, into the open object; and the refusal of a create, as a whole. */
void check_add_decision(const struct request *request, const struct check_answer *answer, struct text *object);
char *check_refusal(const struct request *request, const struct check_answer *answer);

/* POST /gate/v1/check */
bool hook_check(const struct request *request, struct reply *reply, struct problem *problem);

#endif
