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

/* The value sealed with the first key, in arena; an empty secret gives no bytes. There must be a key. */
struct sealed vault_seal(const struct vault *vault, struct arena *arena, struct cell cell, struct secret plain);

/* Whether these bytes are the check value that key key_id seals; false also where that key is not given. */
MUST_CHECK bool vault_opens_check(
	const struct vault *vault, struct arena *arena, const char *key_id, struct sealed value);

/* Whether this key is among the given. */
bool vault_has_key(const struct vault *vault, const char *key_id);

/* Binds the sealed value, or NULL for an empty secret. What is bound lives in arena. */
void bind_cell(
	struct call *call, struct arena *arena, const struct vault *vault, struct cell cell, struct secret plain);

/* Reads the next column. A NULL reads as an empty secret. false where no key opens the value. */
MUST_CHECK bool row_cell(struct row *row, struct arena *arena, const struct vault *vault, const char *key_id,
	struct cell cell, struct secret *ret_plain);

#endif
