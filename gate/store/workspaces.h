/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces: the one read before the gate and the one write behind it (contract section 4). */
#ifndef STORE_WORKSPACES_H
#define STORE_WORKSPACES_H

#include "decisions.h"
#include "exemptions.h"
#include "idempotency.h"
#include "links.h"
#include "templates.h"
#include "users.h"

/* Everything a create or a preflight needs, in one round trip. */
struct create_question {
	const char *owner;       /* id or user name */
	const char *template_id; /* NULL when version_id is given, and the other way round */
	const char *version_id;
	const char *workspace_name;       /* NULL at preflight */
	const struct requirements *named; /* instead of a version's, where both ids are NULL; else NULL */
};

struct create_facts {
	bool owner_found;
	struct user owner;
	bool version_found; /* false also where the template exists but not the version */
	struct template_version version;
	struct enforcement_setting template_enforcement;
	bool template_deprecated;
	const char *template_name;
	bool name_taken;
	size_t link_count;
	struct link *links; /* the owner's links at providers the version names */
	size_t exemption_count;
	struct exemption *exemptions; /* in force now, of the owner and the template; who granted it by name only */
};
MUST_CHECK bool create_facts_read(struct store *store, struct arena *arena, const struct create_question *question,
	struct create_facts *ret_facts, struct problem *problem);

struct build {
	const char *id;
	int64_t number;
	const char *transition;
	const char *reason;
	const char *status;
	int64_t created_at_ms;
};

struct workspace {
	const char *id;
	const char *name;
	const char *owner_id;
	const char *owner_name;
	const char *template_id;
	const char *template_version_id;
	const char *decision_id; /* NULL: created without one */
	const char *parameters;  /* JSON object text as given */
	const char *warnings;    /* JSON array text as answered at create */
	int64_t created_at_ms;
	struct build latest_build;
	bool deleting; /* a deletion is queued or under way */
	bool claimed;  /* built ahead, and taken over */
};

/* A link the gate relied on. */
struct relied_link {
	const char *provider_id;
	int64_t generation;
};

struct workspace_insert {
	const char *id;        /* a new UUID */
	const char *build_id;  /* another */
	int64_t created_at_ms; /* 0: now, by the database's clock */
	const struct create_facts *facts;
	const char *initiator_id;
	const char *name;
	const char *parameters; /* JSON object text */
	const char *warnings;   /* JSON array text */
	size_t relied_count;
	const struct relied_link *relied;
	const struct decision_row *decision;
	const struct idempotency_answer *answer; /* what the initiator's key is to stand for; NULL: no key was sent */
};

enum insert_end {
	INSERT_DONE,
	INSERT_NAME_TAKEN,
	INSERT_LINKS_MOVED,
	INSERT_VERSION_GONE,
	INSERT_OWNER_GONE,
	INSERT_KEY_LOST, /* another run holds the Idempotency-Key */
};

/* The workspace as it comes back when the insert is done, which an answer that is written with it must know before. */
struct workspace workspace_of_insert(const struct workspace_insert *insert);

/* One statement: workspace, first build and decision, only if every link relied on still has its generation (the rows
 * are locked FOR SHARE, so an unlink is before or behind, never in between), the owner is still active, the version is
 * not archived, the key is still the run's. Whatever the end, when it is not INSERT_DONE no row was written. */
MUST_CHECK bool workspace_insert(struct store *store, struct arena *arena, const struct workspace_insert *insert,
	enum insert_end *ret_end, struct workspace *ret_workspace, struct problem *problem);

MUST_CHECK bool workspace_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct workspace *ret_workspace, struct problem *problem);

struct workspace_page {
	size_t count;
	struct workspace *list;
	bool has_more; /* behind the last of them; a page of large parameters ends before its limit (PAGE_BYTES_MAX) */
};

MUST_CHECK bool workspace_list(struct store *store, struct arena *arena, const char *owner_id, struct page page,
	struct workspace_page *ret_page, struct problem *problem);

#endif
