/* SPDX-License-Identifier: Apache-2.0 */
/* Templates and their versions. A version's requirements are stored as [{id, optional}]; a legacy list of bare ids, or
 * a mixed one, is read as well (bare: required). */
#ifndef STORE_TEMPLATES_H
#define STORE_TEMPLATES_H

#include "policy.h"
#include "store.h"

struct template_version {
	const char *id;
	const char *template_id;
	int64_t ordinal; /* 1 for the first */
	bool archived;
	int64_t created_at_ms;
	struct requirements requirements;
};

struct template
{
	const char *id;
	const char *name;
	const char *active_version_id;
	const char *enforcement; /* as enforcement_setting_read reads it; "": says nothing */
	bool deprecated;
	int64_t created_at_ms;
	int64_t updated_at_ms;
};

/* Inserts the template and its first, active version in one statement. PROBLEM_NAME_TAKEN (violation name). */
MUST_CHECK bool template_insert(struct store *store, struct arena *arena, const char *name,
	const struct requirements *requirements, struct template *ret_template, struct template_version *ret_version,
	struct problem *problem);

MUST_CHECK bool template_find(struct store *store, struct arena *arena, const char *id_or_name, bool *ret_found,
	struct template *ret_template, struct problem *problem);
MUST_CHECK bool template_list(struct store *store, struct arena *arena, struct page page, size_t *ret_count,
	struct template **ret_templates, struct problem *problem);

/* NULL members stay as they are. PROBLEM_VALIDATION_FAILED (active_version_id) where the version is not this
 * template's, PROBLEM_VERSION_ARCHIVED where it is archived. */
struct template_change {
	const char *active_version_id;
	const char *enforcement;
	const bool *deprecated;
};
MUST_CHECK bool template_update(struct store *store, struct arena *arena, const char *id,
	const struct template_change *change, bool *ret_found, struct template *ret_template, struct problem *problem);

MUST_CHECK bool version_insert(struct store *store, struct arena *arena, const char *template_id,
	const struct requirements *requirements, bool activate, bool *ret_found, struct template_version *ret_version,
	struct problem *problem);
MUST_CHECK bool version_find(struct store *store, struct arena *arena, const char *id, bool *ret_found,
	struct template_version *ret_version, struct problem *problem);
MUST_CHECK bool version_list(struct store *store, struct arena *arena, const char *template_id, struct page page,
	size_t *ret_count, struct template_version **ret_versions, struct problem *problem);

/* The active version may be archived too: nothing is created from the template then until another is made active. */
MUST_CHECK bool version_set_archived(struct store *store, struct arena *arena, const char *id, bool archived,
	bool *ret_found, struct template_version *ret_version, struct problem *problem);

#endif
