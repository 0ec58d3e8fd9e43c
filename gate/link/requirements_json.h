/* SPDX-License-Identifier: Apache-2.0 */
/* Requirement lists as JSON: [{id, optional}], bare ids, both mixed, and the coder_external_auth data sources of a
 * `terraform show -json` document (JSON output format of Terraform: values and prior_state, root and child modules). */
#ifndef LINK_REQUIREMENTS_JSON_H
#define LINK_REQUIREMENTS_JSON_H

#include "../base/json.h"
#include "policy.h"

/* Reads `external_auth` of a request. Each entry that is wrong adds a violation named external_auth[i]. */
MUST_CHECK bool requirements_read_list(
	const struct json *list, struct requirements *ret_requirements, struct problem *problem);

/* Reads `terraform` of a request. */
MUST_CHECK bool requirements_read_terraform(
	const struct json *document, struct requirements *ret_requirements, struct problem *problem);

/* [{id, optional}] under the name. */
void requirements_add_json(struct json *object, const char *name, const struct requirements *requirements);

#endif
