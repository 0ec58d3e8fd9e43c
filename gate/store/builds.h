/* SPDX-License-Identifier: Apache-2.0 */
/* Builds: starts behind the gate, stops and deletions that nothing blocks, and how one stands. Whoever adds a build
 * changes its workspace's row, so that of two at once each gets a number of its own and the second sees a deletion of
 * the first. Every statement may be run again where its answer was lost: the ids are made before. */
#ifndef STORE_BUILDS_H
#define STORE_BUILDS_H

#include "gated_bind.h"

/* A build with all that is told of it. `build` is what a workspace shows of its latest one. */
struct build_record {
	struct build build;
	const char *workspace_id;
	const char *owner_id; /* of the workspace, now */
	const char *owner_name;
	const char *moment;       /* "": never gated */
	const char *initiator_id; /* NULL: unknown */
	const char *decision_id;  /* NULL: never gated */
	const char *warnings;     /* JSON array text */
	const char *error;        /* JSON object text, or NULL */
	int64_t attempt;          /* how often it was handed out */
	const char *provisioner_id;
	int64_t started_at_ms; /* 0: not handed out yet */
	int64_t completed_at_ms;
	int64_t lease_until_ms; /* known where it was just handed out */
};

MUST_CHECK bool build_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct build_record *ret_record, struct problem *problem);

/* What is made before a build is inserted. An answer that is written with it for an Idempotency-Key is made of
 * build_of_start or build_of_free, whose number is a mark that the statement replaces by the real one. */
struct build_new {
	const char *id;
	int64_t created_at_ms; /* 0: now, by the database's clock */
	int64_t number_mark;
	const struct idempotency_answer *answer; /* NULL: no key was sent */
};

struct build_new build_new_in(struct arena *arena, int64_t created_at_ms);

/* A start that the gate let pass. */
struct build_start {
	struct build_new new;
	const struct workspace *workspace; /* as it was judged: owner and version */
	const char *reason;
	const char *moment;
	const char *initiator_id;
	const char *warnings; /* JSON array text */
	struct relied relied;
	const struct decision_row *decision;
};

enum build_end {
	BUILD_DONE,
	BUILD_MOVED, /* links, owner or workspace are not what was judged: judge again */
	BUILD_DELETING,
	BUILD_WORKSPACE_GONE,
	BUILD_QUEUE_FULL, /* the workspace has BUILDS_OPEN_MAX */
	BUILD_KEY_LOST,   /* another run holds the Idempotency-Key */
};

struct build_record build_of_start(const struct build_start *start);

/* One statement: build and decision, only if every link relied on still has its generation, the owner is active, the
 * workspace is theirs, not deleted and not about to be and has no more builds open than it may, and the key is still
 * the run's. Whatever the end, when it is
 * not BUILD_DONE no row was written. */
MUST_CHECK bool build_insert_start(struct store *store, struct arena *arena, const struct build_start *start,
	enum build_end *ret_end, struct build_record *ret_record, struct problem *problem);

/* A stop, a deletion, or the start of a workspace built ahead: never gated. */
struct build_free {
	struct build_new new;
	const struct workspace *workspace;
	const char *transition;
	const char *reason;
	const char *initiator_id;
};

struct build_record build_of_free(const struct build_free *free);

/* BUILD_DONE, BUILD_KEY_LOST, BUILD_QUEUE_FULL (never for the first deletion), or BUILD_MOVED where the workspace is
 * deleted, another's, or to be started while it is being deleted. */
MUST_CHECK bool build_insert_free(struct store *store, const struct build_free *free, enum build_end *ret_end,
	struct build_record *ret_record, struct problem *problem);

/* A number of this width that nothing a caller sent can look like. */
int64_t build_mark(int64_t least);

#endif
