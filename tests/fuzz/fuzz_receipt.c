/* SPDX-License-Identifier: Apache-2.0 */
/* What reads as a receipt is signed again and says the same. A first byte `s` signs the rest, header and claims with a
 * line's end between them, so that the fuzzer gets past the signature; otherwise the input is the receipt. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "link/receipt.h"

#define KEY_TEXT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

RELEASE_WITH(keys_release, struct receipt_keys, receipt_keys_free)

static const char *sign(struct arena *arena, const char *input, size_t size)
{
	const char *line_end = memchr(input, '\n', size);
	size_t header_size = line_end != NULL ? (size_t)(line_end - input) : size;
	const char *claims = line_end != NULL ? line_end + 1 : input + size;
	const char *signing = arena_printf(arena, "%s.%s", base64url_encode(arena, input, header_size),
		base64url_encode(arena, claims, (size_t)(input + size - claims)));
	uint8_t key[32];
	uint8_t mac[HMAC_BYTES];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	hmac_sha256(key, sizeof(key), signing, strlen(signing), mac);
	return arena_printf(arena, "%s.%s", signing, base64url_encode(arena, mac, sizeof(mac)));
}

static void expect_same(const struct receipt *left, const struct receipt *right)
{
	if (strcmp(left->decision_id, right->decision_id) != 0 || strcmp(left->owner_name, right->owner_name) != 0 ||
		(left->owner_id == NULL) != (right->owner_id == NULL) ||
		(left->version_id == NULL) != (right->version_id == NULL) ||
		left->issued_at_ms != right->issued_at_ms || left->expires_at_ms != right->expires_at_ms ||
		left->generation_count != right->generation_count)
		abort();
	for (size_t i = 0; i < left->generation_count; i++)
		if (strcmp(left->generations[i].provider_id, right->generations[i].provider_id) != 0 ||
			left->generations[i].generation != right->generations[i].generation)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	SCOPED(arena_release) struct arena *arena = arena_new(((size_t)4 << 20) + 64 * size);
	const struct receipt_key_lists lists = {.given = {.text = KEY_TEXT, .size = strlen(KEY_TEXT)}};
	SCOPED(keys_release) struct receipt_keys *keys = NULL;
	const char *text = arena_copy_bytes(arena, bytes, size);
	struct receipt receipt;
	struct receipt again;
	struct problem problem;

	if (!receipt_keys_new(&lists, &keys, &problem))
		abort();
	if (size > 0 && *text == 's')
		text = sign(arena, text + 1, size - 1);
	if (receipt_read(keys, text, arena, &receipt) != RECEIPT_GOOD)
		return 0;
	text = receipt_sign(keys, &receipt, arena);
	/* A name that needs escaping may grow beyond what is read. */
	if (strlen(text) > RECEIPT_BYTES_MAX)
		return 0;
	if (receipt_read(keys, text, arena, &again) != RECEIPT_GOOD)
		abort();
	expect_same(&receipt, &again);
	return 0;
}
