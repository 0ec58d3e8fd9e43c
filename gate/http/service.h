/* SPDX-License-Identifier: Apache-2.0 */
/* What every handler may use; made at start, constant while requests run but for `draining`. */
#ifndef HTTP_SERVICE_H
#define HTTP_SERVICE_H

#include <stdatomic.h>

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
	atomic_bool draining; /* SIGTERM came: /readyz says so, while what is in flight is answered */
};

#endif
