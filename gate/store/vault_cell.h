/* SPDX-License-Identifier: Apache-2.0 */
/* How the store's statements use the vault: one column's value in, one sealed value out, and back. */
#ifndef STORE_VAULT_CELL_H
#define STORE_VAULT_CELL_H

#include "call.h"
#include "vault.h"

/* Where a value belongs; it opens nowhere else. row_id is the owner's id, or the row's key where there is no owner. */
struct cell {
	const char *row_id;
	const char *provider_id;
	const char *column;
};

/* The id that goes beside what is sealed now; NULL: stored clear. */
const char *vault_key_id(const struct vault *vault);

/* Binds the sealed value, or NULL for an empty secret. What is bound lives in arena. */
void bind_cell(struct call *call, struct arena *arena, const struct vault *vault, struct cell cell, struct secret plain);

/* Reads the next column. A NULL reads as an empty secret. false where no key opens the value. */
MUST_CHECK bool row_cell(struct row *row, struct arena *arena, const struct vault *vault, const char *key_id,
	struct cell cell, struct secret *ret_plain);

#endif
