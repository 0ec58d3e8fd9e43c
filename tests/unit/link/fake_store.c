/* SPDX-License-Identifier: Apache-2.0 */
/* The store functions that link/ calls, as a test wants them to answer: see fake_store.h. */
#include <stdio.h>

#include "fake_store.h"

struct fake_store fake_store;

bool link_find(struct store *store, struct arena *arena, const char *owner_id, const char *provider_id, bool *ret_found,
	struct link *ret_link, struct problem *problem)
{
	(void)store;
	(void)arena;
	(void)owner_id;
	(void)provider_id;
	fake_store.finds++;
	if (fake_store.away)
		return problem_set(problem, PROBLEM_DATABASE_UNAVAILABLE, "The database is away.");
	*ret_found = fake_store.found;
	*ret_link = fake_store.link;
	return true;
}

bool link_note_valid(struct store *store, const char *owner_id, const char *provider_id, int64_t generation,
	const char *account, struct problem *problem)
{
	(void)store;
	(void)owner_id;
	(void)provider_id;
	(void)problem;
	fake_store.notes++;
	fake_store.noted_generation = generation;
	(void)snprintf(
		fake_store.noted_account, sizeof(fake_store.noted_account), "%s", account != NULL ? account : "");
	return true;
}

bool link_note_rejected(
	struct store *store, const char *owner_id, const char *provider_id, int64_t generation, struct problem *problem)
{
	(void)store;
	(void)owner_id;
	(void)provider_id;
	(void)problem;
	fake_store.rejections++;
	fake_store.noted_generation = generation;
	return true;
}
