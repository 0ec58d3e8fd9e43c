/* SPDX-License-Identifier: Apache-2.0 */
/* What a version would do to the owners of its template's workspaces, were each to create one now: from stored facts
 * alone, no provider is asked. Owners of whom the same is stored are judged once, by the policy that judges a create.
 */
#ifndef LINK_IMPACT_H
#define LINK_IMPACT_H

#include "../store/templates.h"
#include "engine.h"

/* One requirement of the version, over all owners who were judged; what enforcement and exemptions make of it does not
 * count here. */
struct impact_provider {
	const struct requirement *requirement;
	const struct provider
		*provider; /* NULL: not configured, so that no create of this version passes if required */
	int64_t missing;   /* owners whose verdict is missing */
	int64_t by_reason[REASON_COUNT]; /* owners by reason, good ones included */
};

/* allowed, refused, unverifiable and suspended add up to owners. */
struct impact {
	int64_t owners;
	int64_t allowed;
	int64_t refused;
	int64_t unverifiable;
	int64_t suspended;               /* not judged: nothing is created for them, whatever they have connected */
	int64_t exempt;                  /* of those allowed: only by an exemption */
	int64_t by_reason[REASON_COUNT]; /* owners refused or unverifiable, once for each reason that keeps them out */
	size_t provider_count;
	struct impact_provider providers[REQUIREMENTS_MAX]; /* in the version's order */
};

struct impact_subject {
	const struct template *template;
	const struct template_version *version; /* outlives the answer */
};
MUST_CHECK bool impact_judge(const struct engine *engine, const struct impact_subject *subject, struct arena *arena,
	struct impact *ret_impact, struct problem *problem);

#endif
