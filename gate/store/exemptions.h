/* SPDX-License-Identifier: Apache-2.0 */
/* Exemptions: an owner who may pass for a while without one provider of one template. */
#ifndef STORE_EXEMPTIONS_H
#define STORE_EXEMPTIONS_H

#include "store.h"

struct exemption {
	const char *id;
	const char *owner_id;
	const char *owner_name;
	const char *template_id;
	const char *template_name;
	const char *provider_id;
	const char *reason;
	const char *granted_by_id; /* NULL: that user is gone */
	const char *granted_by_name;
	int64_t expires_at_ms;
	int64_t created_at_ms;
};

#endif
