/* SPDX-License-Identifier: Apache-2.0 */
/* What stored facts alone support, with nobody asked: for what only explains or counts and must not touch a provider.
 * It asks next_step what a real evaluation would begin with, so the two never disagree, and presumes that this goes
 * well. */
#include "policy.h"

/* What the provider has confirmed of this generation it is presumed to confirm again. */
static enum reason presume_confirmed(const struct link_facts *facts)
{
	return facts->last_valid_at_ms > 0 ? REASON_VALID : REASON_NOT_VALIDATED;
}

struct step presume(const struct link_facts *facts, const struct provider_rules *rules, int64_t now_ms)
{
	static const struct progress nothing_done;
	struct step step = next_step(facts, rules, &nothing_done, now_ms);

	switch (step.kind) {
	case STEP_SETTLED:
		return step;
	case STEP_VALIDATE:
		return (struct step){.kind = STEP_VALIDATE, .reason = presume_confirmed(facts)};
	case STEP_REFRESH:
		/* Whatever was confirmed was said of the token that is about to be replaced. */
		return (struct step){.kind = STEP_REFRESH, .reason = REASON_NOT_VALIDATED};
	case STEP_REREAD:
	case STEP_COUNT:
		break;
	}
	/* No evaluation begins so; what cannot be presumed is never a yes. */
	return (struct step){.kind = STEP_SETTLED, .reason = REASON_PROVIDER_UNAVAILABLE};
}
