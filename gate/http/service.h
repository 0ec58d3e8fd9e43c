/* SPDX-License-Identifier: Apache-2.0 */
/* What every handler may use; made at start, constant while requests run. */
#ifndef HTTP_SERVICE_H
#define HTTP_SERVICE_H

#include "../base/config.h"
#include "../link/engine.h"
#include "../store/store.h"

struct identity_cache;

struct service {
	const struct config *config;
	struct store *store;
	struct engine *engine;
	struct identity_cache *identities;
	const char *access_url;
};

#endif
