/* SPDX-License-Identifier: Apache-2.0 */
/* What a receipt speaks of, as it stands now: read at once, without a token and without a key. */
#ifndef STORE_RECEIPTS_H
#define STORE_RECEIPTS_H

#include "policy.h"
#include "store.h"

struct receipt_question {
	const char *owner_id; /* NULL: by name */
	const char *owner_name;
	const char *version_id; /* NULL: none was named */
	size_t link_count;
	const char *const *provider_ids; /* link_count of them, each once */
};

/* Fills what the database knows: owner_found, owner_suspended, version_found, version_archived and `stands` of each
 * link, of which links has link_count in the question's order. One round trip. */
MUST_CHECK bool receipt_facts_read(struct store *store, struct arena *arena, const struct receipt_question *question,
	struct receipt_facts *facts, struct receipt_link *links, struct problem *problem);

#endif
