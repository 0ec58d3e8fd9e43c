/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log's reading side. */
#ifndef STORE_DECISION_LOG_H
#define STORE_DECISION_LOG_H

#include "store.h"

struct logged_decision {
	const char *id;
	const char *request_id;
	const char *surface;
	const char *moment;
	const char *initiator_id;
	const char *initiator_name; /* NULL: nobody, or somebody who is gone */
	const char *on_behalf_of;
	const char *owner_id;
	const char *owner_name;
	const char *template_version_id;
	const char *outcome;
	const char *strict_outcome;
	const char *reasons;  /* JSON array of words */
	const char *findings; /* JSON array */
	int64_t duration_ms;
	int64_t created_at_ms;
};

/* NULL and 0 filter nothing; not more than one of owner_id and owner_name. A name finds what was decided for the user
 * of that name, and for somebody of that name before there was such a user. */
struct decision_filter {
	const char *owner_id;
	const char *owner_name;
	const char *outcome;
	const char *reason;
	int64_t since_ms;
};

MUST_CHECK bool decision_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct logged_decision *ret_decision, struct problem *problem);

/* Newest first; the page's after_id is the last one of the page before, and older ones follow. */
MUST_CHECK bool decision_list(struct store *store, struct arena *arena, const struct decision_filter *filter,
	struct page page, size_t *ret_count, struct logged_decision **ret_decisions, struct problem *problem);

#endif
