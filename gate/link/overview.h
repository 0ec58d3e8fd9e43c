/* SPDX-License-Identifier: Apache-2.0 */
/* All links of one owner with what the gate makes of each now, for whoever lists them: the API and the page. */
#ifndef LINK_OVERVIEW_H
#define LINK_OVERVIEW_H

#include "gate.h"

struct overview_link {
	struct link link;
	bool configured;    /* false: its provider is not set up any more, so nobody can be asked */
	enum reason reason; /* of a configured one */
};

/* Reads and judges; what judging has refreshed is shown as it is now. Providers are asked in parallel, as by the gate.
 */
MUST_CHECK bool overview_read(struct engine *engine, const char *owner_id, struct arena *arena, size_t *ret_count,
	struct overview_link **ret_links, struct problem *problem);

/* Judges up to REQUIREMENTS_MAX links at once, as optional requirements: none of them blocks anything. */
MUST_CHECK bool overview_judge(struct engine *engine, const struct link *links, size_t count, struct arena *arena,
	struct gate_answer *ret_answer, struct problem *problem);

#endif
