/* SPDX-License-Identifier: Apache-2.0 */
/* Saving what a provider granted: see save_grant.h. */
#include "save_grant.h"

#include <unistd.h>

#include "../base/log.h"
#include "../base/metrics.h"
#include "../store/links.h"
#include "validate.h"
#include "verdict_cache.h"

/* How often a database that is away is tried. */
#define SAVE_PAUSE_US 250000

bool save_grant(struct engine *engine, const struct provider *provider, const char *owner_id,
	const struct oauth_grant *grant, const char *how, int64_t *ret_generation, struct problem *problem)
{
	const struct link_tokens tokens = {.owner_id = owner_id,
		.provider_id = provider->id,
		.access_token = grant->access_token,
		.refresh_token = grant->refresh_token,
		.extras = grant->extras,
		.expires_at_ms = grant->expires_at_ms};
	struct deadline deadline = deadline_in_ms(GRANT_SAVE_MS);

	while (!link_save(engine->store, &tokens, ret_generation, problem)) {
		if (problem->kind != PROBLEM_DATABASE_UNAVAILABLE || deadline_passed(deadline))
			return false;
		(void)usleep(SAVE_PAUSE_US);
	}
	verdict_cache_drop(engine->verdicts, owner_id, provider);
	metrics_add(METRIC_LINKS_WRITTEN, (struct metric_labels){.value = {provider->id, how}}, 1);
	return true;
}

struct saved_account save_grant_account(struct engine *engine, const struct provider *provider,
	const struct saved_grant *saved, const char *request_id, struct arena *arena)
{
	struct provider_user user = {.login = ""};
	struct app_installation *installations = NULL;
	size_t installation_count = 0;
	struct problem problem;
	int64_t asked_us = clock_monotonic_us();
	enum validation validation = validate_token(
		engine, provider, saved->access_token, arena, &user, &installation_count, &installations);
	const char *account = user.login[0] != '\0' ? user.login : NULL;
	const struct verdict_key key = {saved->owner_id, provider, saved->generation};

	verdict_cache_put(engine->verdicts, &key, validation, asked_us);
	if (validation == VALIDATION_CONFIRMED &&
		!link_note_valid(engine->store, saved->owner_id, provider->id, saved->generation, account, &problem))
		log_event(LOG_WARN, "the account's name was not noted", log_string("request_id", request_id),
			log_string("provider", provider->id));
	return (struct saved_account){account, installations != NULL ? installation_count : 0, installations};
}
