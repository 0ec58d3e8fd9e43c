/* SPDX-License-Identifier: Apache-2.0 */
/* See engine_case.h. */
#include "engine_case.h"

#include <stdlib.h>

#define CASE_ARENA_BYTES_MAX (64 * 1024 * 1024)

int engine_case_set_up(void **data)
{
	struct engine_case *state = calloc(1, sizeof(*state));

	state->arena = arena_new(CASE_ARENA_BYTES_MAX);
	state->engine.http = http_client_new();
	state->engine.access_url = "http://gate.test";
	*data = state;
	return 0;
}

int engine_case_tear_down(void **data)
{
	struct engine_case *state = *data;

	http_client_free(state->engine.http);
	arena_free(state->arena);
	free(state);
	return 0;
}
