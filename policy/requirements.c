/* SPDX-License-Identifier: Apache-2.0 */
/* The list of providers that a template version names: in its order, each id once, required where any mention of it is
 * (contract section 6). */
#include <string.h>

#include "policy.h"

static struct requirement *requirements_find(struct requirements *requirements, const char *provider_id)
{
	for (size_t i = 0; i < requirements->count; i++)
		if (strcmp(requirements->list[i].provider_id, provider_id) == 0)
			return &requirements->list[i];
	return NULL;
}

bool requirements_add(struct requirements *requirements, const char *provider_id, bool optional)
{
	if (!name_is_provider_id(provider_id))
		return false;

	struct requirement *known = requirements_find(requirements, provider_id);
	if (known != NULL) {
		known->optional = known->optional && optional;
		return true;
	}
	if (requirements->count >= REQUIREMENTS_MAX)
		return false;

	struct requirement *added = &requirements->list[requirements->count++];
	*added = (struct requirement){.optional = optional};
	memcpy(added->provider_id, provider_id, strlen(provider_id));
	return true;
}
