/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption of token columns at rest (contract section 5): AES-256-GCM, additional data "owner id, provider id,
 * column", key id beside the value. The first key encrypts, all decrypt. Without keys
 * (GATEHOUSE_ALLOW_CLEARTEXT_TOKENS) values are stored clear with key id NULL; clear rows stay readable when keys come
 * later. */
#ifndef STORE_VAULT_H
#define STORE_VAULT_H

#include "store.h"

#define VAULT_KEYS_MAX 16

/* keys: comma list of base64 32-byte keys, or empty for none. The caller owns *ret_vault. On failure the problem says
 * which key of the list is wrong and how to make one (`openssl rand -base64 32`). */
MUST_CHECK bool vault_open(struct secret keys, struct vault **ret_vault, struct problem *problem);
void vault_close(struct vault *vault);

/* Compares the check values kept in the database with the keys; stores the first key's where there is none yet. Fails
 * with a sentence that names the key and says what to do where a key that encrypted links, or may have, is missing. */
MUST_CHECK bool vault_check(const struct vault *vault, struct store *store, struct problem *problem);

/* The keys in their order, the first seals. An id is eight hexadecimal digits of the key's SHA-256. */
size_t vault_key_count(const struct vault *vault);
const char *vault_key_id_at(const struct vault *vault, size_t index);

/* Reads the key file in the state directory, or makes it (mode 0600) where create is set. */
MUST_CHECK bool vault_key_file(
	const char *state_dir, bool create, struct arena *arena, struct secret *ret_keys, struct problem *problem);

#endif
