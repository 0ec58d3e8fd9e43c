/* SPDX-License-Identifier: Apache-2.0 */
/* How workspaces and builds are told in JSON: the same on every call that shows one. Written straight into a text,
 * because a provisioner's answer holds tokens, which must not be left behind outside the request's arena. */
#ifndef LINK_WORKSPACE_JSON_H
#define LINK_WORKSPACE_JSON_H

#include "../base/text.h"
#include "../store/builds.h"

/* As a member of the open object, or with a NULL name as an element of the open array or the root. */
void workspace_json_add(struct text *text, const char *name, const struct workspace *workspace, struct arena *arena);
void build_json_add(struct text *text, const char *name, const struct build_record *record, struct arena *arena);

/* What a provisioner is told of the workspace it works on: no latest build, because it holds one. */
void workspace_json_add_job(
	struct text *text, const char *name, const struct workspace *workspace, struct arena *arena);

/* A time as a member; 0 is null. */
void json_add_time(struct text *text, const char *name, int64_t at_ms, struct arena *arena);

#endif
