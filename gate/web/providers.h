/* SPDX-License-Identifier: Apache-2.0 */
/* My providers: for each its state, why, and what to do. */
#ifndef WEB_PROVIDERS_H
#define WEB_PROVIDERS_H

#include "decision.h"
#include <stdint.h>

#include "page.h"

struct page_provider {
	const char *id;
	const char *name;    /* as people know it */
	const char *account; /* at the provider; NULL: not known */
	enum reason reason;
	bool linked;
	bool configured;  /* false: linked once, not offered any more; its reason is not looked at */
	bool is_revoked;  /* disconnecting tells the provider, too */
	int64_t since_ms; /* 0: not linked */
};

struct page_providers {
	size_t count;
	const struct page_provider *list;
	const char *notice; /* what has just been done, as text; NULL: nothing */
};

char *page_providers(struct arena *arena, const struct page_frame *frame, const struct page_providers *providers);

#endif
