/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a provider that could not be reached lately is asked: contract section 5, "Breaker". It is skipped after some
 * evaluations in a row that could not reach it; then one evaluation at a time probes it, until it is reached again. */
#include "policy.h"

#define FAILURES_TO_OPEN 5
#define PROBE_EVERY_MS 5000

static bool is_open(const struct breaker_state *state)
{
	return state->probe_at_ms != 0;
}

/* Rounded up, and never "at once": who comes back in time finds the probe due. */
static unsigned wait_s(int64_t wait_ms)
{
	return wait_ms <= 1000 ? 1 : (unsigned)((wait_ms + 999) / 1000);
}

struct breaker_step breaker_next_step(const struct breaker_state *state, int64_t now_ms)
{
	if (!is_open(state))
		return (struct breaker_step){.kind = BREAKER_ASK};
	if (now_ms >= state->probe_at_ms)
		return (struct breaker_step){.kind = BREAKER_PROBE};
	return (struct breaker_step){.kind = BREAKER_SKIP, .retry_after_s = wait_s(state->probe_at_ms - now_ms)};
}

struct breaker_state breaker_after_probe(const struct breaker_state *state, int64_t now_ms)
{
	struct breaker_state after = *state;

	after.probe_at_ms = now_ms + PROBE_EVERY_MS;
	return after;
}

struct breaker_state breaker_after_reached(int64_t now_ms)
{
	return (struct breaker_state){.reached_at_ms = now_ms};
}

struct breaker_state breaker_after_failure(const struct breaker_state *state, int64_t asked_at_ms, int64_t now_ms)
{
	struct breaker_state after = *state;

	/* Whoever asked before somebody else got through was overtaken by better news. */
	if (asked_at_ms < state->reached_at_ms || is_open(state))
		return after;
	after.failures++;
	if (after.failures >= FAILURES_TO_OPEN)
		after.probe_at_ms = now_ms + PROBE_EVERY_MS;
	return after;
}

/* A refusal, a limit and even a page that is not there come from a provider that is up. */
bool breaker_is_reached(enum transport transport, int status)
{
	return transport == TRANSPORT_ANSWERED && status >= 100 && status < 500;
}
