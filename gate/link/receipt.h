/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts: what the gate found good, signed and short-lived, so that a job that starts later can ask whether it is
 * still true without asking a provider. A receipt is a compact JWS (RFC 7515) with HS256 and the claims of a JWT
 * (RFC 7519). It is no credential: it opens nothing, and holds ids, an owner's name and generations, no token. */
#ifndef LINK_RECEIPT_H
#define LINK_RECEIPT_H

#include "../base/secret.h"
#include "bounds.h"
#include "policy.h"
#include "problem.h"

struct receipt_keys;

/* From a comma list of base64 32-byte keys: the first signs, all verify. `given` are keys made for receipts. Without
 * them keys are derived from the encryption keys (HKDF-SHA256), in their order, so that receipts turn over with those
 * and every replica makes the same. Neither: *ret_keys is NULL, and there are no receipts. The caller owns *ret_keys.
 * The problem names a key that is not lawful by its place in the list. */
struct receipt_key_lists {
	struct secret given;
	struct secret encryption;
};
MUST_CHECK bool receipt_keys_new(
	const struct receipt_key_lists *lists, struct receipt_keys **ret_keys, struct problem *problem);
void receipt_keys_free(struct receipt_keys *keys); /* wipes them; NULL is nothing to do */

struct receipt_generation {
	const char *provider_id;
	int64_t generation;
};

struct receipt {
	const char *decision_id;
	const char *owner_id; /* NULL: an owner whom nobody has seen yet */
	const char *owner_name;
	const char *version_id; /* NULL: the check listed its providers itself */
	int64_t issued_at_ms;
	int64_t expires_at_ms;
	size_t generation_count;
	struct receipt_generation generations[REQUIREMENTS_MAX]; /* of the links that the decision relied on */
};

/* When a receipt made now ends: after lifetime_ms, and not behind ends_at_ms (of an exemption; 0: none). In whole
 * seconds, cut off, as receipt_sign writes it. */
int64_t receipt_expiry_ms(int64_t now_ms, int64_t lifetime_ms, int64_t ends_at_ms);

/* The signed receipt, in arena; NULL where there are no keys. Times are written in whole seconds (RFC 7519 section 2,
 * NumericDate), cut off. */
const char *receipt_sign(const struct receipt_keys *keys, const struct receipt *receipt, struct arena *arena);

/* Reads a receipt that receipt_sign made with one of the keys, and nothing else: one header, one spelling, one
 * algorithm. RECEIPT_GOOD: *ret_receipt is what was signed, in arena; whether it is over or still true is not looked at
 * (judge_receipt). RECEIPT_MALFORMED: not such a receipt at all. RECEIPT_UNKNOWN_KEY: with a key that is not given.
 * RECEIPT_BAD_SIGNATURE: it was altered. keys may be NULL; then every key is unknown. */
enum receipt_reason receipt_read(
	const struct receipt_keys *keys, const char *text, struct arena *arena, struct receipt *ret_receipt);

#endif
