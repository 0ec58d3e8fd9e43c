/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts: see receipt.h. The reader follows RFC 8725: the algorithm and the type are fixed, not taken from the header
 * (sections 3.1 and 3.11), and nothing that is not authentic is parsed further than the name of its key. */
#include "receipt.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json.h"
#include "../base/json_text.h"

#define RECEIPT_KEY_BYTES 32

/* As everywhere: eight hexadecimal digits of the key's SHA-256. */
#define KEY_ID_CHARS 8

#define HEADER_TYPE "gatehouse-receipt+jwt"

/* The header is 66 bytes of JSON: 88 characters of base64url, a dot and the end. */
#define HEADER_CHARS_MAX 96
#define HEADER_MEMBERS 3
#define ISSUER "gatehouse"

/* What sets the derived keys apart from everything else that may ever be derived from the same ones. */
#define DERIVATION "gatehouse receipts 1"

/* A key list of CONFIG_VALUE_BYTES_MAX, its keys, and some room. */
#define KEYS_ARENA_BYTES_MAX 65536

/* The last moment whose milliseconds are a number of JSON, in seconds. */
#define SECONDS_MAX (INT64_C(9007199254740991) / 1000)

struct key {
	struct hmac_key *hmac;
	char id[KEY_ID_CHARS + 1];
	char header[HEADER_CHARS_MAX]; /* of what it signs, encoded, with the dot behind */
};

struct receipt_keys {
	size_t count;
	struct key keys[RECEIPT_KEYS_MAX];
};

/* --- keys -------------------------------------------------------------------------------------------------------- */

static bool refuse_key(size_t ordinal, struct problem *problem)
{
	(void)problem_set(problem, PROBLEM_VALIDATION_FAILED, "Receipt key %zu of the list is not lawful.", ordinal);
	return problem_detail(problem,
		"Up to %d keys of 32 random bytes in base64; `openssl rand -base64 32` makes one.", RECEIPT_KEYS_MAX);
}

static void derive(const uint8_t *bytes, uint8_t ret_key[RECEIPT_KEY_BYTES])
{
	const struct hkdf_input input = {.key = {.text = (const char *)bytes, .size = RECEIPT_KEY_BYTES},
		.info = {.text = DERIVATION, .size = strlen(DERIVATION)}};

	hkdf_sha256(&input, ret_key, RECEIPT_KEY_BYTES);
}

static void print_header(struct key *key)
{
	SCOPED(arena_release) struct arena *arena = arena_new(KEYS_ARENA_BYTES_MAX);
	const char *header =
		arena_printf(arena, "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"" HEADER_TYPE "\"}", key->id);

	(void)snprintf(key->header, sizeof(key->header), "%s.", base64url_encode(arena, header, strlen(header)));
}

static void add_key(struct receipt_keys *keys, const uint8_t *bytes, bool derived)
{
	struct key *key = &keys->keys[keys->count++];
	uint8_t own[RECEIPT_KEY_BYTES];
	char hex[SHA256_HEX_SIZE];

	if (derived)
		derive(bytes, own);
	else
		memcpy(own, bytes, RECEIPT_KEY_BYTES);
	sha256_hex(own, RECEIPT_KEY_BYTES, hex);
	memcpy(key->id, hex, KEY_ID_CHARS);
	print_header(key);
	key->hmac = hmac_key_new(own, RECEIPT_KEY_BYTES);
	explicit_bzero(own, sizeof(own));
}

/* Blanks around a key do not count, since key files end in a newline. */
static bool add_keys(struct receipt_keys *keys, struct secret list, bool derived, struct problem *problem)
{
	static const char blanks[] = " \t\r\n";
	SCOPED(arena_release) struct arena *arena = arena_new(KEYS_ARENA_BYTES_MAX);
	const char *at = list.text;

	for (bool more = true; more;) {
		const char *from = at + strspn(at, blanks);
		size_t size = strcspn(from, ", \t\r\n");
		const char *end = from + size + strspn(from + size, blanks);
		uint8_t *bytes = NULL;
		size_t byte_count = 0;

		if (keys->count == RECEIPT_KEYS_MAX || (*end != ',' && *end != '\0') || size > CONFIG_VALUE_BYTES_MAX ||
			!base64_decode(arena, arena_copy_bytes(arena, from, size), &bytes, &byte_count) ||
			byte_count != RECEIPT_KEY_BYTES)
			return refuse_key(keys->count + 1, problem);
		add_key(keys, bytes, derived);
		more = *end == ',';
		at = end + 1;
	}
	return true;
}

bool receipt_keys_new(const struct receipt_key_lists *lists, struct receipt_keys **ret_keys, struct problem *problem)
{
	bool derived = secret_is_empty(lists->given);
	struct secret list = derived ? lists->encryption : lists->given;
	struct receipt_keys *keys;

	*ret_keys = NULL;
	if (secret_is_empty(list))
		return true;
	keys = calloc(1, sizeof(*keys));
	if (keys == NULL)
		return problem_set(problem, PROBLEM_INTERNAL, "There is no memory for the receipt keys.");
	if (!add_keys(keys, list, derived, problem)) {
		receipt_keys_free(keys);
		return false;
	}
	*ret_keys = keys;
	return true;
}

void receipt_keys_free(struct receipt_keys *keys)
{
	if (keys == NULL)
		return;
	for (size_t i = 0; i < keys->count; i++)
		hmac_key_free(keys->keys[i].hmac);
	free(keys);
}

static const struct key *find_key(const struct receipt_keys *keys, const char *id)
{
	for (size_t i = 0; keys != NULL && i < keys->count; i++)
		if (strcmp(keys->keys[i].id, id) == 0)
			return &keys->keys[i];
	return NULL;
}

/* --- signing ----------------------------------------------------------------------------------------------------- */

int64_t receipt_expiry_ms(int64_t now_ms, int64_t lifetime_ms, int64_t ends_at_ms)
{
	int64_t expires_at_ms = now_ms + lifetime_ms;

	if (ends_at_ms > 0 && ends_at_ms < expires_at_ms)
		expires_at_ms = ends_at_ms;
	return expires_at_ms - expires_at_ms % 1000;
}

static const char *print_claims(const struct receipt *receipt, struct arena *arena)
{
	struct text claims = text_in(arena);

	json_text_open(&claims, NULL, '{');
	json_text_string(&claims, "iss", ISSUER);
	json_text_string(&claims, "jti", receipt->decision_id);
	json_text_string(&claims, "sub", receipt->owner_id);
	json_text_string(&claims, "owner", receipt->owner_name);
	json_text_string(&claims, "version", receipt->version_id);
	json_text_open(&claims, "gens", '{');
	for (size_t i = 0; i < receipt->generation_count; i++)
		json_text_integer(&claims, receipt->generations[i].provider_id, receipt->generations[i].generation);
	json_text_close(&claims, '}');
	json_text_integer(&claims, "iat", receipt->issued_at_ms / 1000);
	json_text_integer(&claims, "exp", receipt->expires_at_ms / 1000);
	json_text_close(&claims, '}');
	return claims.bytes;
}

const char *receipt_sign(const struct receipt_keys *keys, const struct receipt *receipt, struct arena *arena)
{
	const struct key *key = keys != NULL ? &keys->keys[0] : NULL;
	uint8_t mac[HMAC_BYTES];

	if (key == NULL)
		return NULL;

	const char *claims = print_claims(receipt, arena);
	struct text whole = text_in(arena);

	text_add(&whole, key->header);
	text_add(&whole, base64url_encode(arena, claims, strlen(claims)));
	hmac_key_sign(key->hmac, whole.bytes, whole.size, mac);
	text_add(&whole, ".");
	text_add(&whole, base64url_encode(arena, mac, sizeof(mac)));
	return whole.bytes;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

RELEASE_WITH(root_release, struct json, json_free)

/* A part of the receipt as a tree; NULL where it is no base64url, or no lawful JSON object. The caller owns it. */
static struct json *parse_part(const char *text, size_t size, struct arena *arena)
{
	uint8_t *bytes = NULL;
	size_t byte_count = 0;
	struct json *root = NULL;
	struct problem ignored;

	if (!base64url_decode(arena, text, size, &bytes, &byte_count) ||
		!json_parse((const char *)bytes, byte_count, &root, &ignored))
		return NULL;
	if (json_is(root, JSON_OBJECT))
		return root;
	json_free(root);
	return NULL;
}

static size_t count_members(const struct json *object)
{
	size_t count = 0;

	for (const struct json *member = json_first(object); member != NULL; member = json_next(member))
		count++;
	return count;
}

static bool member_is(const struct json *object, const char *name, const char *wanted)
{
	const char *text = json_string(json_member(object, name));

	return text != NULL && strcmp(text, wanted) == 0;
}

/* The key's id, or NULL where the header is any but ours: no other algorithm, no `crit`, no key that it brings along.
 */
static const char *read_header(const char *text, size_t size, struct arena *arena)
{
	SCOPED(root_release) struct json *header = parse_part(text, size, arena);

	if (header == NULL || count_members(header) != HEADER_MEMBERS || !member_is(header, "alg", "HS256") ||
		!member_is(header, "typ", HEADER_TYPE))
		return NULL;
	return arena_copy(arena, json_string(json_member(header, "kid")));
}

/* A UUID in the arena, or NULL for null; false for anything else, and for a member that is missing. */
static bool read_id(const struct json *claims, const char *name, struct arena *arena, const char **ret_id)
{
	const struct json *value = json_member(claims, name);
	const char *text = json_string(value);

	*ret_id = arena_copy(arena, text);
	return text != NULL ? name_is_uuid(text) : value != NULL && json_is_null(value);
}

static bool read_seconds(const struct json *claims, const char *name, int64_t *ret_ms)
{
	int64_t seconds = 0;

	if (!json_integer(json_member(claims, name), &seconds) || seconds <= 0 || seconds > SECONDS_MAX)
		return false;
	*ret_ms = seconds * 1000;
	return true;
}

static bool read_generations(const struct json *gens, struct arena *arena, struct receipt *ret_receipt)
{
	if (gens == NULL || !json_is(gens, JSON_OBJECT) || count_members(gens) > REQUIREMENTS_MAX)
		return false;
	for (const struct json *member = json_first(gens); member != NULL; member = json_next(member)) {
		struct receipt_generation *generation = &ret_receipt->generations[ret_receipt->generation_count++];

		generation->provider_id = arena_copy(arena, json_key(member));
		if (!name_is_provider_id(generation->provider_id) || !json_integer(member, &generation->generation) ||
			generation->generation <= 0)
			return false;
	}
	return true;
}

static bool read_claims(const struct json *claims, struct arena *arena, struct receipt *ret_receipt)
{
	*ret_receipt = (struct receipt){.owner_name = arena_copy(arena, json_string(json_member(claims, "owner")))};
	return member_is(claims, "iss", ISSUER) && read_id(claims, "jti", arena, &ret_receipt->decision_id) &&
	       ret_receipt->decision_id != NULL && read_id(claims, "sub", arena, &ret_receipt->owner_id) &&
	       ret_receipt->owner_name != NULL && read_id(claims, "version", arena, &ret_receipt->version_id) &&
	       read_generations(json_member(claims, "gens"), arena, ret_receipt) &&
	       read_seconds(claims, "iat", &ret_receipt->issued_at_ms) &&
	       read_seconds(claims, "exp", &ret_receipt->expires_at_ms) &&
	       ret_receipt->issued_at_ms <= ret_receipt->expires_at_ms;
}

/* Where the three parts of the compact form lie. */
struct parts {
	const char *header, *claims, *mac;
	size_t header_size, claims_size, mac_size;
};

static bool split(const char *text, struct parts *ret_parts)
{
	size_t size = strnlen(text, RECEIPT_BYTES_MAX + 1);
	const char *first = strchr(text, '.');
	const char *second = first != NULL ? strchr(first + 1, '.') : NULL;

	if (size > RECEIPT_BYTES_MAX || second == NULL || strchr(second + 1, '.') != NULL)
		return false;
	*ret_parts = (struct parts){.header = text,
		.claims = first + 1,
		.mac = second + 1,
		.header_size = (size_t)(first - text),
		.claims_size = (size_t)(second - first - 1),
		.mac_size = strlen(second + 1)};
	return true;
}

enum receipt_reason receipt_read(
	const struct receipt_keys *keys, const char *text, struct arena *arena, struct receipt *ret_receipt)
{
	struct parts parts;
	uint8_t *mac = NULL;
	size_t mac_size = 0;
	uint8_t wanted[HMAC_BYTES];

	if (!split(text, &parts))
		return RECEIPT_MALFORMED;

	const char *key_id = read_header(parts.header, parts.header_size, arena);
	const struct key *key = key_id != NULL ? find_key(keys, key_id) : NULL;

	if (key_id == NULL || !base64url_decode(arena, parts.mac, parts.mac_size, &mac, &mac_size) ||
		mac_size != HMAC_BYTES)
		return RECEIPT_MALFORMED;
	if (key == NULL)
		return RECEIPT_UNKNOWN_KEY;
	hmac_key_sign(key->hmac, text, (size_t)(parts.mac - 1 - text), wanted);
	if (!hmac_equals(mac, wanted))
		return RECEIPT_BAD_SIGNATURE;

	SCOPED(root_release) struct json *claims = parse_part(parts.claims, parts.claims_size, arena);

	return claims != NULL && read_claims(claims, arena, ret_receipt) ? RECEIPT_GOOD : RECEIPT_MALFORMED;
}
