/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of link/ share: see engine.h. */
#include "engine.h"

bool engine_find_provider(
	const struct engine *engine, const char *id, struct provider **ret_provider, struct problem *problem)
{
	*ret_provider = providers_find(&engine->providers, id);
	if (*ret_provider != NULL)
		return true;
	(void)problem_set(problem, PROBLEM_PROVIDER_NOT_CONFIGURED, "This provider is not configured.");
	return problem_detail(problem, "%s", name_is_provider_id(id) ? id : "The id is not a provider id.");
}
