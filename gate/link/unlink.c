/* SPDX-License-Identifier: Apache-2.0 */
/* Ending a link: see unlink.h. */
#include "unlink.h"

#include "../base/metrics.h"
#include "revoke.h"
#include "verdict_cache.h"

bool unlink_remove(struct engine *engine, const char *owner_id, const char *provider_id, struct arena *arena,
	struct link *ret_link, struct problem *problem)
{
	struct provider *provider = providers_find(&engine->providers, provider_id);
	bool found = false;

	if (name_is_provider_id(provider_id) &&
		!link_delete(engine->store, arena, owner_id, provider_id, &found, ret_link, problem))
		return false;
	if (!found)
		return problem_set(problem, PROBLEM_NOT_FOUND, "You have not connected this provider.");
	if (provider != NULL) {
		verdict_cache_drop(engine->verdicts, owner_id, provider);
		metrics_add(METRIC_LINKS_WRITTEN, (struct metric_labels){.value = {provider->id, "unlink"}}, 1);
	}
	return true;
}

bool unlink_revoke(struct engine *engine, const struct link *link, struct arena *arena, const char **ret_error)
{
	struct provider *provider = providers_find(&engine->providers, link->provider_id);

	*ret_error = NULL;
	if (provider == NULL || !link->readable || !revoke_is_supported(provider))
		return false;
	return revoke_tokens(engine, provider, link->access_token, link->refresh_token, arena, ret_error);
}
