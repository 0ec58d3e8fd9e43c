/* SPDX-License-Identifier: Apache-2.0 */
/* Exemptions: an owner who may pass for a while without one provider of one template. What is in force is judged on the
 * database's clock; one that is over counts as none and may be granted anew. */
#ifndef STORE_EXEMPTIONS_H
#define STORE_EXEMPTIONS_H

#include "../base/clock.h"
#include "store.h"

struct exemption {
	const char *id;
	const char *owner_id;
	const char *owner_name;
	const char *template_id;
	const char *template_name;
	const char *provider_id;
	const char *reason;
	const char *granted_by_id; /* NULL: the service itself */
	const char *granted_by_name;
	int64_t expires_at_ms;
	struct deadline over; /* the same moment, read with the facts of a create; set there alone */
	int64_t created_at_ms;
};

/* Grants what is given but for id, owner_name, template_name and created_at_ms, and hands out the whole. One that is
 * over is replaced under a new id. PROBLEM_CONFLICT where one is in force, PROBLEM_NOT_FOUND where the owner or the
 * template went away. */
MUST_CHECK bool exemption_insert(struct store *store, struct arena *arena, const struct exemption *exemption,
	struct exemption *ret_exemption, struct problem *problem);

MUST_CHECK bool exemption_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct exemption *ret_exemption, struct problem *problem);

/* What a list is narrowed to; NULL members narrow nothing, and one that names nobody finds nothing. */
struct exemption_filter {
	const char *owner;    /* id or user name */
	const char *template; /* id or name */
	const char *provider_id;
};
MUST_CHECK bool exemption_list(struct store *store, struct arena *arena, const struct exemption_filter *filter,
	struct page page, size_t *ret_count, struct exemption **ret_exemptions, struct problem *problem);

/* Hands out what it removed. */
MUST_CHECK bool exemption_delete(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct exemption *ret_exemption, struct problem *problem);

#endif
