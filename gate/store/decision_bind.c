/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of statements behind the gate: see decision_bind.h. */
#include "decision_bind.h"

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
	json_text_string(&text, "surface", "api");
	json_text_string(&text, "moment", decision->moment);
	json_text_string(&text, "initiator_id", decision->initiator_id);
	json_text_string(&text, "owner_id", decision->owner_id);
	json_text_string(&text, "template_version_id", decision->template_version_id);
	json_text_string(&text, "outcome", decision->outcome);
	json_text_string(&text, "findings", decision->findings == NULL ? "[]" : decision->findings);
	json_text_integer(&text, "duration_ms", decision->duration_ms);
	json_text_close(&text, '}');
	bind_text(call, text.bytes);
}
