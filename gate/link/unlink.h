/* SPDX-License-Identifier: Apache-2.0 */
/* Ending a link: removed here first, then, best effort, at the provider. In two steps, so that whoever asks can write
 * down what is done before a slow provider is told. */
#ifndef LINK_UNLINK_H
#define LINK_UNLINK_H

#include "../store/links.h"
#include "engine.h"

/* PROBLEM_NOT_FOUND where the owner has no such link; works for providers no longer configured. *ret_link holds what
 * is to be revoked. */
MUST_CHECK bool unlink_remove(struct engine *engine, const char *owner_id, const char *provider_id, struct arena *arena,
	struct link *ret_link, struct problem *problem);

/* Whether the provider confirmed the end of a removed link's tokens; *ret_error says why it did not, NULL where it was
 * not asked. */
bool unlink_revoke(struct engine *engine, const struct link *link, struct arena *arena, const char **ret_error);

#endif
