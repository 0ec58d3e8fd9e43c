/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a decision that is written by the statement which it lets pass, in one order for all of them. */
#ifndef STORE_DECISION_BIND_H
#define STORE_DECISION_BIND_H

#include "call.h"
#include "decisions.h"

/* Twelve parameters: id, request id, surface, moment, initiator id, on behalf of, owner name, outcome, strict outcome,
 * reasons (text[], NULL for none), findings, duration in ms. The statement knows the owner and the version itself. */
static inline void bind_decision(struct call *call, struct arena *arena, const struct decision_row *decision)
{
	bind_text(call, decision->id);
	bind_text(call, decision->request_id);
	bind_text(call, decision->surface == NULL ? "api" : decision->surface);
	bind_text(call, decision->moment);
	bind_text(call, decision->initiator_id);
	bind_text(call, decision->on_behalf_of);
	bind_text(call, decision->owner_name);
	bind_text(call, decision->outcome);
	bind_text(call, decision->strict_outcome);
	if (decision->reason_count == 0)
		bind_null(call);
	else
		bind_texts(call, arena, decision->reason_count, decision->reasons);
	bind_text(call, decision->findings);
	bind_integer(call, decision->duration_ms);
}

#endif
