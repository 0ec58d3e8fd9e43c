/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the gate share: see gate_case.h. */
#include "gate_case.h"

#include <stdio.h>
#include <stdlib.h>

int gate_case_set_up(void **data)
{
	struct gate_case *state = calloc(1, sizeof(*state));

	if (state == NULL)
		return -1;
	fake_store = (struct fake_store){.found = false};
	state->arena = arena_new(64 << 20);
	state->engine.http = http_client_new();
	state->engine.inquiries = inquiries_new(state->engine.http);
	state->engine.verdicts = verdict_cache_new();
	state->engine.breakers = breakers_new(&state->engine.providers);
	state->engine.access_url = "http://gate.test";
	state->engine.enforcement.general = ENFORCEMENT_DENY;
	state->question = (struct gate_question){.owner_id = OWNER, .moment = MOMENT_CREATE, .timeout_ms = 5000};
	*data = state;
	return 0;
}

int gate_case_tear_down(void **data)
{
	struct gate_case *state = *data;

	inquiries_free(state->engine.inquiries);
	http_client_free(state->engine.http);
	verdict_cache_free(state->engine.verdicts);
	breakers_free(state->engine.breakers);
	arena_free(state->arena);
	free(state);
	return 0;
}

struct provider *gate_case_provider(struct gate_case *state, const char *name, bool optional)
{
	struct provider *provider = demo_provider(state->arena, name, PROVIDER_GITHUB);

	state->engine.providers.list[state->engine.providers.count++] = provider;
	if (!requirements_add(&state->requirements, name, optional))
		abort();
	return provider;
}

struct link *gate_case_link(struct gate_case *state, const char *name)
{
	struct link *link = &state->links[state->link_count++];

	*link = (struct link){
		.owner_id = OWNER,
		.provider_id = name,
		.generation = 7,
		.readable = true,
		.access_token = demo_token(state->arena, name),
		.remembered = REASON_COUNT,
	};
	return link;
}

bool gate_case_evaluate(struct gate_case *state)
{
	state->question.requirements = &state->requirements;
	state->question.links = state->links;
	state->question.link_count = state->link_count;
	return gate_evaluate(&state->engine, &state->question, state->arena, &state->answer, &state->problem);
}

enum reason gate_case_reason(struct gate_case *state)
{
	if (!gate_case_evaluate(state)) {
		(void)fprintf(stderr, "no evaluation: %s\n", state->problem.message);
		return REASON_COUNT;
	}
	return state->answer.findings[0].finding.reason;
}
