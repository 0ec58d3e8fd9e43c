/* SPDX-License-Identifier: Apache-2.0 */
/* What statements that hand out template versions share. */
#ifndef STORE_VERSION_ROW_H
#define STORE_VERSION_ROW_H

#include "call.h"
#include "templates.h"

/* The six columns id, template_id, ordinal, archived, created_at, external_auth. PROBLEM_INTERNAL where the stored list
 * cannot be understood: a requirement that is not read must never be one that is not asked for. */
MUST_CHECK bool version_read_row(
	struct row *row, struct arena *arena, struct template_version *ret_version, struct problem *problem);

/* The list as JSON text for the column external_auth. */
const char *version_requirements_text(struct arena *arena, const struct requirements *requirements);

#endif
