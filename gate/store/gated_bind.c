/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of statements behind the gate: see gated_bind.h. */
#include "gated_bind.h"

#include "../base/json_text.h"

void bind_relied_links(struct call *call, struct arena *arena, const struct relied *relied)
{
	const char *provider_ids[REQUIREMENTS_MAX];
	int64_t generations[REQUIREMENTS_MAX];
	for (size_t i = 0; i < relied->count; i++) {
		provider_ids[i] = relied->links[i].provider_id;
		generations[i] = relied->links[i].generation;
	}
	bind_texts(call, arena, relied->count, provider_ids);
	bind_integers(call, arena, relied->count, generations);
}

static void add_reasons(struct text *text, const struct decision_row *decision)
{
	if (decision->reason_count == 0) {
		json_text_null(text, "reasons");
		return;
	}
	json_text_open(text, "reasons", '[');
	for (size_t i = 0; i < decision->reason_count; i++)
		json_text_string(text, NULL, decision->reasons[i]);
	json_text_close(text, ']');
}

void bind_decision_json(struct call *call, struct arena *arena, const struct decision_row *decision)
{
	if (decision == NULL) {
		bind_null(call);
		return;
	}
	struct text text = text_in(arena);
	json_text_open(&text, NULL, '{');
	json_text_string(&text, "id", decision->id);
	json_text_string(&text, "request_id", decision->request_id);
	json_text_string(&text, "surface", decision->surface == NULL ? "api" : decision->surface);
	json_text_string(&text, "moment", decision->moment);
	json_text_string(&text, "initiator_id", decision->initiator_id);
	json_text_string(&text, "on_behalf_of", decision->on_behalf_of);
	json_text_string(&text, "owner_id", decision->owner_id);
	json_text_string(&text, "owner_name", decision->owner_name);
	json_text_string(&text, "template_version_id", decision->template_version_id);
	json_text_string(&text, "outcome", decision->outcome);
	json_text_string(&text, "strict_outcome", decision->strict_outcome);
	add_reasons(&text, decision);
	json_text_raw(&text, "findings", decision->findings == NULL ? "[]" : decision->findings);
	json_text_integer(&text, "duration_ms", decision->duration_ms);
	json_text_close(&text, '}');
	bind_text(call, text.bytes);
}
