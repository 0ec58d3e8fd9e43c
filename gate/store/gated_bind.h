/* SPDX-License-Identifier: Apache-2.0 */
/* What statements that write something behind the gate share: which links the gate relied on, and its decision. */
#ifndef STORE_GATED_BIND_H
#define STORE_GATED_BIND_H

#include "call.h"
#include "decisions.h"
#include "workspaces.h"

/* What the gate judged by. */
struct relied {
	size_t count; /* at most REQUIREMENTS_MAX */
	const struct relied_link *links;
};

/* Two parameters: provider ids (text[]) and generations (bigint[]). */
void bind_relied_links(struct call *call, struct arena *arena, const struct relied *relied);

/* One parameter, a JSON object of the columns; NULL: SQL NULL. */
void bind_decision_json(struct call *call, struct arena *arena, const struct decision_row *decision);

#endif
