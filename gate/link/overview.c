/* SPDX-License-Identifier: Apache-2.0 */
/* All links of one owner: see overview.h. */
#include "overview.h"

#include <string.h>

static const struct gate_finding *find_finding(const struct gate_answer *answer, const char *provider_id)
{
	for (size_t i = 0; i < answer->finding_count; i++) {
		if (strcmp(answer->findings[i].finding.requirement->provider_id, provider_id) == 0)
			return &answer->findings[i];
	}
	return NULL;
}

bool overview_judge(struct engine *engine, const struct link *links, size_t count, struct arena *arena,
	struct gate_answer *ret_answer, struct problem *problem)
{
	struct requirements *wanted = arena_alloc(arena, sizeof(*wanted));

	for (size_t i = 0; i < count; i++) {
		if (providers_find(&engine->providers, links[i].provider_id) != NULL)
			(void)requirements_add(wanted, links[i].provider_id, true);
	}

	const struct gate_question question = {.owner_id = links[0].owner_id,
		.requirements = wanted,
		.link_count = count,
		.links = links,
		.moment = MOMENT_PREFLIGHT,
		.ask_optional = true,
		.timeout_ms = engine->gate_timeout_ms};

	return gate_evaluate(engine, &question, arena, ret_answer, problem);
}

static bool read_moved(struct engine *engine, struct link *link, const struct gate_finding *finding,
	struct arena *arena, struct problem *problem)
{
	bool found = false;
	struct link now;

	if (finding == NULL || finding->generation == link->generation)
		return true;
	if (!link_find(engine->store, arena, link->owner_id, link->provider_id, &found, &now, problem))
		return false;
	if (found)
		*link = now;
	return true;
}

bool overview_read(struct engine *engine, const char *owner_id, struct arena *arena, size_t *ret_count,
	struct overview_link **ret_links, struct problem *problem)
{
	struct gate_answer *answer = arena_alloc(arena, sizeof(*answer));
	struct link *links = NULL;
	size_t count = 0;

	if (!link_list(engine->store, arena, owner_id, &count, &links, problem))
		return false;

	struct overview_link *shown = arena_alloc(arena, (count + 1) * sizeof(*shown));

	for (size_t i = 0; i < count; i++) {
		size_t left = count - i;

		if (i % REQUIREMENTS_MAX == 0 &&
			!overview_judge(engine, links + i, left > REQUIREMENTS_MAX ? REQUIREMENTS_MAX : left, arena,
				answer, problem))
			return false;
		const struct gate_finding *finding = find_finding(answer, links[i].provider_id);

		if (!read_moved(engine, &links[i], finding, arena, problem))
			return false;
		shown[i] = (struct overview_link){.link = links[i],
			.configured = finding != NULL,
			.reason = finding != NULL ? finding->finding.reason : REASON_COUNT};
	}
	*ret_count = count;
	*ret_links = shown;
	return true;
}
