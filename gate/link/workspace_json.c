/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces and builds in JSON: see workspace_json.h. */
#include "workspace_json.h"

#include "../base/clock.h"
#include "../base/json_text.h"

void json_add_time(struct text *text, const char *name, int64_t at_ms, struct arena *arena)
{
	json_text_string(text, name, at_ms == 0 ? NULL : clock_rfc3339(arena, at_ms));
}

static void add_identity(struct text *text, const struct workspace *workspace, struct arena *arena)
{
	json_text_string(text, "id", workspace->id);
	json_text_string(text, "name", workspace->name);
	json_text_string(text, "owner_id", workspace->owner_id);
	json_text_string(text, "owner_name", workspace->owner_name);
	json_text_string(text, "template_id", workspace->template_id);
	json_text_string(text, "template_version_id", workspace->template_version_id);
	json_add_time(text, "created_at", workspace->created_at_ms, arena);
	json_text_raw(text, "parameters", workspace->parameters);
}

static void add_build(struct text *text, const struct build *build, struct arena *arena)
{
	json_text_string(text, "id", build->id);
	json_text_integer(text, "number", build->number);
	json_text_string(text, "transition", build->transition);
	json_text_string(text, "reason", build->reason);
	json_text_string(text, "status", build->status);
	json_add_time(text, "created_at", build->created_at_ms, arena);
}

void workspace_json_add(struct text *text, const char *name, const struct workspace *workspace, struct arena *arena)
{
	json_text_open(text, name, '{');
	add_identity(text, workspace, arena);
	json_text_open(text, "latest_build", '{');
	add_build(text, &workspace->latest_build, arena);
	json_text_close(text, '}');
	json_text_string(text, "decision_id", workspace->decision_id);
	json_text_raw(text, "warnings", workspace->warnings);
	json_text_bool(text, "claimed_prebuild", workspace->claimed);
	json_text_close(text, '}');
}

void workspace_json_add_job(struct text *text, const char *name, const struct workspace *workspace, struct arena *arena)
{
	json_text_open(text, name, '{');
	add_identity(text, workspace, arena);
	json_text_close(text, '}');
}

void build_json_add(struct text *text, const char *name, const struct build_record *record, struct arena *arena)
{
	json_text_open(text, name, '{');
	add_build(text, &record->build, arena);
	json_text_string(text, "workspace_id", record->workspace_id);
	json_add_time(text, "started_at", record->started_at_ms, arena);
	json_add_time(text, "completed_at", record->completed_at_ms, arena);
	json_text_string(text, "initiator_id", record->initiator_id);
	json_text_string(text, "decision_id", record->decision_id);
	json_text_raw(text, "warnings", record->warnings);
	if (record->error == NULL)
		json_text_null(text, "error");
	else
		json_text_raw(text, "error", record->error);
	json_text_integer(text, "attempt", record->attempt);
	json_text_close(text, '}');
}
