/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts: a known one byte for byte, and everything that is not exactly one. The texts that pass for receipts are
 * signed here by hand, so that the reader is not tried on the writer's word alone. */
#include "../unit.h"

#include "../../../gate/base/json.h"
#include "../../../gate/link/receipt.h"

#define ARENA_BYTES ((size_t)64 << 20)

/* The bytes 0 to 31, and the same counted down. */
#define KEY_UP "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_DOWN "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="

#define DECISION "01890000-0000-7000-8000-00000000000d"
#define OWNER "01890000-0000-7000-8000-00000000000a"
#define VERSION "01890000-0000-7000-8000-00000000000b"

/* Made with Python's hmac and base64 modules. */
#define KNOWN_HEADER "{\"alg\":\"HS256\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}"
#define KNOWN                                                                                                          \
	"eyJhbGciOiJIUzI1NiIsImtpZCI6IjYzMGRjZDI5IiwidHlwIjoiZ2F0ZWhvdXNlLXJlY2VpcHQrand0In0."                         \
	"eyJpc3MiOiJnYXRlaG91c2UiLCJqdGkiOiIwMTg5MDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMGQiLCJzdWIiOiIwMTg5MDAwMC0w" \
	"MDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMGEiLCJvd25lciI6ImFsaWNlIiwidmVyc2lvbiI6IjAxODkwMDAwLTAwMDAtNzAwMC04MDAwLTAw" \
	"MDAwMDAwMDAwYiIsImdlbnMiOnsiZ2l0aHViIjozLCJnaXRsYWIiOjQxfSwiaWF0IjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDA2MDB9."    \
	"D-QHWlIOTcdrpVU7l6Ndh_7Vl1u8ruFk6DeoPvn-Sbg"

static const struct receipt alices = {.decision_id = DECISION,
	.owner_id = OWNER,
	.owner_name = "alice",
	.version_id = VERSION,
	.issued_at_ms = INT64_C(1800000000123),
	.expires_at_ms = INT64_C(1800000600999),
	.generation_count = 2,
	.generations = {{"github", 3}, {"gitlab", 41}}};

static struct secret secret_of(const char *text)
{
	return (struct secret){.text = text, .size = text != NULL ? strlen(text) : 0};
}

static struct receipt_keys *keys_of(const char *given, const char *encryption)
{
	const struct receipt_key_lists lists = {.given = secret_of(given), .encryption = secret_of(encryption)};
	struct receipt_keys *keys = NULL;
	struct problem problem;

	if (!receipt_keys_new(&lists, &keys, &problem))
		fail_msg("%s", problem.message);
	return keys;
}

RELEASE_WITH(keys_release, struct receipt_keys, receipt_keys_free)

/* A receipt of any header and claims, rightly signed with KEY_UP. */
static char *forge(struct arena *arena, const char *header, const char *claims)
{
	uint8_t key[32];
	uint8_t mac[HMAC_BYTES];
	char *signing = arena_printf(arena, "%s.%s", base64url_encode(arena, header, strlen(header)),
		base64url_encode(arena, claims, strlen(claims)));

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	hmac_sha256(key, sizeof(key), signing, strlen(signing), mac);
	return arena_printf(arena, "%s.%s", signing, base64url_encode(arena, mac, sizeof(mac)));
}

static void expect(const struct receipt_keys *keys, struct arena *arena, const char *text, enum receipt_reason wanted)
{
	struct receipt receipt;
	enum receipt_reason got = receipt_read(keys, text, arena, &receipt);

	if (got != wanted)
		fail_msg("\"%s\" instead of \"%s\": %s", receipt_reason_word(got), receipt_reason_word(wanted), text);
}

static void a_receipt_is_byte_for_byte_the_known_one(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);

	(void)state;
	assert_string_equal(receipt_sign(keys, &alices, arena), KNOWN);
}

static void the_known_receipt_is_read(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);
	struct receipt receipt;

	(void)state;
	assert_int_equal(receipt_read(keys, KNOWN, arena, &receipt), RECEIPT_GOOD);
	assert_string_equal(receipt.decision_id, DECISION);
	assert_string_equal(receipt.owner_id, OWNER);
	assert_string_equal(receipt.owner_name, "alice");
	assert_string_equal(receipt.version_id, VERSION);
	assert_int_equal(receipt.issued_at_ms, INT64_C(1800000000000));
	assert_int_equal(receipt.expires_at_ms, INT64_C(1800000600000));
	assert_int_equal(receipt.generation_count, 2);
	assert_string_equal(receipt.generations[0].provider_id, "github");
	assert_int_equal(receipt.generations[0].generation, 3);
	assert_string_equal(receipt.generations[1].provider_id, "gitlab");
	assert_int_equal(receipt.generations[1].generation, 41);
}

static void the_least_and_the_most_a_receipt_says_come_back(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);
	struct receipt least = {
		.decision_id = DECISION, .owner_name = "never \"seen\" é", .issued_at_ms = 1000, .expires_at_ms = 1999};
	struct receipt most = alices;
	struct receipt read;

	(void)state;
	assert_int_equal(receipt_read(keys, receipt_sign(keys, &least, arena), arena, &read), RECEIPT_GOOD);
	assert_null(read.owner_id);
	assert_null(read.version_id);
	assert_string_equal(read.owner_name, least.owner_name);
	assert_int_equal(read.generation_count, 0);

	most.generation_count = REQUIREMENTS_MAX;
	for (size_t i = 0; i < REQUIREMENTS_MAX; i++)
		most.generations[i] = (struct receipt_generation){
			.provider_id = arena_printf(arena, "%064zu", i), .generation = INT64_C(9007199254740991)};
	const char *text = receipt_sign(keys, &most, arena);

	assert_in_range(strlen(text), 4000, RECEIPT_BYTES_MAX);
	assert_int_equal(receipt_read(keys, text, arena, &read), RECEIPT_GOOD);
	assert_int_equal(read.generation_count, REQUIREMENTS_MAX);
	for (size_t i = 0; i < REQUIREMENTS_MAX; i++) {
		assert_string_equal(read.generations[i].provider_id, most.generations[i].provider_id);
		assert_int_equal(read.generations[i].generation, most.generations[i].generation);
	}
}

/* One byte exchanged for every other one that base64url has, and for some that it has not. */
static void expect_byte_counts(const struct receipt_keys *keys, size_t at)
{
	static const char others[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+/= \n\x80";
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	char *text = arena_copy(arena, KNOWN);
	char right = text[at];

	for (const char *other = others; *other != '\0'; other++) {
		struct receipt receipt;

		text[at] = *other;
		if (*other != right && receipt_read(keys, text, arena, &receipt) == RECEIPT_GOOD)
			fail_msg("byte %zu may be %c", at, *other);
	}
}

static void no_byte_can_be_altered(void **state)
{
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);

	(void)state;
	for (size_t i = 0; i < strlen(KNOWN); i++)
		expect_byte_counts(keys, i);
}

static void no_byte_can_be_missing_or_added(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);
	const char *known = KNOWN;
	struct receipt receipt;

	(void)state;
	for (size_t size = 0; size < strlen(known); size++) {
		assert_int_not_equal(
			receipt_read(keys, arena_copy_bytes(arena, known, size), arena, &receipt), RECEIPT_GOOD);
		assert_int_not_equal(receipt_read(keys, known + size + 1, arena, &receipt), RECEIPT_GOOD);
	}
	expect(keys, arena, KNOWN ".", RECEIPT_MALFORMED);
	expect(keys, arena, KNOWN "=", RECEIPT_MALFORMED);
	expect(keys, arena, KNOWN "\n", RECEIPT_MALFORMED);
	expect(keys, arena, " " KNOWN, RECEIPT_MALFORMED);
	expect(keys, arena, KNOWN "A", RECEIPT_MALFORMED);
	expect(keys, arena, KNOWN "AAAA", RECEIPT_MALFORMED);
}

static void what_was_altered_is_told_from_what_is_none(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);
	char *text = arena_copy(arena, KNOWN);

	(void)state;
	text[strlen(text) - 5] ^= 1;
	expect(keys, arena, text, RECEIPT_BAD_SIGNATURE);
	text = arena_copy(arena, KNOWN);
	strchr(text, '.')[5] ^= 1;
	expect(keys, arena, text, RECEIPT_BAD_SIGNATURE);
	for (size_t i = 0; i < 4; i++)
		expect(keys, arena, (const char *[]){"", ".", "..", "..."}[i], RECEIPT_MALFORMED);
}

static void an_oversized_text_is_no_receipt(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);
	char *text = arena_alloc(arena, RECEIPT_BYTES_MAX + 2);

	(void)state;
	memset(text, 'A', RECEIPT_BYTES_MAX + 1);
	memcpy(text, KNOWN, strlen(KNOWN));
	expect(keys, arena, text, RECEIPT_MALFORMED);
	text[RECEIPT_BYTES_MAX] = '\0';
	expect(keys, arena, text, RECEIPT_MALFORMED);

	/* Rightly signed, and longer than any that we sign. */
	char *padding = arena_alloc(arena, RECEIPT_BYTES_MAX + 1);

	memset(padding, 'x', RECEIPT_BYTES_MAX);
	expect(keys, arena, forge(arena, KNOWN_HEADER, arena_printf(arena, "{\"x\":\"%s\"}", padding)),
		RECEIPT_MALFORMED);
}

/* Rightly signed, and yet no header of ours. */
static void only_one_header_is_taken(void **state)
{
	static const struct {
		const char *header;
		enum receipt_reason reason;
	} cases[] = {
		{KNOWN_HEADER, RECEIPT_GOOD},
		{"{\"alg\":\"none\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"alg\":\"None\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"alg\":\"hs256\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"alg\":\"HS512\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"alg\":\"RS256\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"alg\":[\"HS256\"],\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"alg\":null,\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"Alg\":\"HS256\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"alg\":\"HS256\",\"kid\":\"630dcd29\",\"typ\":\"JWT\"}", RECEIPT_MALFORMED},
		{"{\"alg\":\"HS256\",\"kid\":\"630dcd29\"}", RECEIPT_MALFORMED},
		{"{\"alg\":\"HS256\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"alg\":\"HS256\",\"kid\":630,\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_MALFORMED},
		{"{\"alg\":\"HS256\",\"kid\":\"00000000\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_UNKNOWN_KEY},
		{"{\"alg\":\"HS256\",\"kid\":\"\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_UNKNOWN_KEY},
		{"{\"alg\":\"HS256\",\"kid\":\"630dcd2\",\"typ\":\"gatehouse-receipt+jwt\"}", RECEIPT_UNKNOWN_KEY},
		{"{\"alg\":\"HS256\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\",\"crit\":[\"exp\"]}",
			RECEIPT_MALFORMED},
		{"{\"alg\":\"HS256\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\",\"b64\":false}",
			RECEIPT_MALFORMED},
		{"{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}",
			RECEIPT_MALFORMED},
		{"{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"630dcd29\"}", RECEIPT_MALFORMED},
		{"[\"HS256\",\"630dcd29\",\"gatehouse-receipt+jwt\"]", RECEIPT_MALFORMED},
		{"\"HS256\"", RECEIPT_MALFORMED},
		{"", RECEIPT_MALFORMED},
		{"{", RECEIPT_MALFORMED},
	};
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);
	char *claims = strchr(arena_copy(arena, KNOWN), '.') + 1;
	uint8_t *bytes = NULL;
	size_t size = 0;

	(void)state;
	assert_true(base64url_decode(arena, claims, strcspn(claims, "."), &bytes, &size));
	claims = arena_copy_bytes(arena, bytes, size);
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		expect(keys, arena, forge(arena, cases[i].header, claims), cases[i].reason);

	/* As it is often tried: algorithm none, and no signature at all. */
	char *unsigned_one =
		forge(arena, "{\"alg\":\"none\",\"kid\":\"630dcd29\",\"typ\":\"gatehouse-receipt+jwt\"}", claims);

	*(strrchr(unsigned_one, '.') + 1) = '\0';
	expect(keys, arena, unsigned_one, RECEIPT_MALFORMED);
}

#define START "{\"iss\":\"gatehouse\",\"jti\":\"" DECISION "\",\"sub\":\"" OWNER "\",\"owner\":\"alice\","
#define END "\"iat\":1800000000,\"exp\":1800000600}"

/* Rightly signed, and yet no claims of ours. */
static void only_our_claims_are_taken(void **state)
{
	static const struct {
		const char *claims;
		enum receipt_reason reason;
	} cases[] = {
		{START "\"version\":null,\"gens\":{}," END, RECEIPT_GOOD},
		{START "\"version\":null,\"gens\":{},\"later\":1," END, RECEIPT_GOOD}, /* a newer service says more */
		{START "\"version\":null,\"gens\":{\"a\":1}," END, RECEIPT_GOOD},
		{START "\"gens\":{}," END, RECEIPT_MALFORMED},
		{START "\"version\":\"\",\"gens\":{}," END, RECEIPT_MALFORMED},
		{START "\"version\":\"1\",\"gens\":{}," END, RECEIPT_MALFORMED},
		{START "\"version\":1,\"gens\":{}," END, RECEIPT_MALFORMED},
		{START "\"version\":null," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":null," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":[]," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{\"a\":0}," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{\"a\":-1}," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{\"a\":1.5}," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{\"a\":\"1\"}," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{\"A\":1}," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{\"\":1}," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{\"a\":1,\"a\":2}," END, RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{},\"iat\":1800000000}", RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{},\"exp\":1800000600}", RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{},\"iat\":1800000601,\"exp\":1800000600}", RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{},\"iat\":1800000000,\"exp\":\"1800000600\"}", RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{},\"iat\":1800000000,\"exp\":1800000600.5}", RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{},\"iat\":0,\"exp\":1800000600}", RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{},\"iat\":1,\"exp\":9007199254740991}", RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{},\"iat\":1,\"exp\":1e400}", RECEIPT_MALFORMED},
		{START "\"version\":null,\"gens\":{},\"exp\":1800000600," END, RECEIPT_MALFORMED},
		{"{\"iss\":\"other\",\"jti\":\"" DECISION "\",\"sub\":null,\"owner\":\"a\",\"version\":null,\"gens\":{}"
		 "," END,
			RECEIPT_MALFORMED},
		{"{\"iss\":\"gatehouse\",\"jti\":null,\"sub\":null,\"owner\":\"a\",\"version\":null,\"gens\":{}," END,
			RECEIPT_MALFORMED},
		{"{\"iss\":\"gatehouse\",\"jti\":\"" DECISION "\",\"sub\":null,\"owner\":null,\"version\":null,"
		 "\"gens\":{}," END,
			RECEIPT_MALFORMED},
		{"{\"iss\":\"gatehouse\",\"jti\":\"" DECISION "\",\"sub\":\"alice\",\"owner\":\"a\",\"version\":null,"
		 "\"gens\":{}," END,
			RECEIPT_MALFORMED},
		{"{}", RECEIPT_MALFORMED},
		{"[]", RECEIPT_MALFORMED},
		{"null", RECEIPT_MALFORMED},
		{"", RECEIPT_MALFORMED},
	};
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		expect(keys, arena, forge(arena, KNOWN_HEADER, cases[i].claims), cases[i].reason);
}

static void too_many_generations_are_refused(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *keys = keys_of(KEY_UP, NULL);
	char *list = arena_copy(arena, "\"p0\":1");

	(void)state;
	for (int i = 1; i < REQUIREMENTS_MAX; i++)
		list = arena_printf(arena, "%s,\"p%d\":1", list, i);
	expect(keys, arena,
		forge(arena, KNOWN_HEADER, arena_printf(arena, START "\"version\":null,\"gens\":{%s}," END, list)),
		RECEIPT_GOOD);
	expect(keys, arena,
		forge(arena, KNOWN_HEADER,
			arena_printf(arena, START "\"version\":null,\"gens\":{%s,\"more\":1}," END, list)),
		RECEIPT_MALFORMED);
}

static void keys_turn_over(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *old = keys_of(KEY_UP, NULL);
	SCOPED(keys_release) struct receipt_keys *both = keys_of(KEY_DOWN "," KEY_UP, NULL);
	SCOPED(keys_release) struct receipt_keys *next = keys_of(" " KEY_DOWN "\n", NULL);
	const char *with_next = receipt_sign(both, &alices, arena);

	(void)state;
	expect(both, arena, KNOWN, RECEIPT_GOOD);
	expect(both, arena, with_next, RECEIPT_GOOD);
	expect(next, arena, with_next, RECEIPT_GOOD);
	expect(next, arena, KNOWN, RECEIPT_UNKNOWN_KEY);
	expect(old, arena, with_next, RECEIPT_UNKNOWN_KEY);
	assert_string_equal(with_next, receipt_sign(next, &alices, arena));
}

static void encryption_keys_give_receipt_keys_of_their_own(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(keys_release) struct receipt_keys *derived = keys_of(NULL, KEY_UP);
	SCOPED(keys_release) struct receipt_keys *turned = keys_of("", KEY_DOWN "," KEY_UP);
	SCOPED(keys_release) struct receipt_keys *given = keys_of(KEY_UP, KEY_DOWN);
	/* HKDF-SHA256 of KEY_UP without salt, info "gatehouse receipts 1", made with Python's hmac module. */
	SCOPED(keys_release)
	struct receipt_keys *by_hand = keys_of("OyjTOb1ks5wWIdDJRcfM0okF9+MRI/ZShqBtFSV7NFk=", NULL);
	const char *text = receipt_sign(derived, &alices, arena);

	(void)state;
	assert_string_equal(text, receipt_sign(by_hand, &alices, arena));
	expect(turned, arena, text, RECEIPT_GOOD);
	expect(given, arena, text, RECEIPT_UNKNOWN_KEY);
	expect(given, arena, KNOWN, RECEIPT_GOOD);
	expect(derived, arena, KNOWN, RECEIPT_UNKNOWN_KEY);
}

static void without_keys_there_are_no_receipts(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	struct receipt_keys *none = keys_of(NULL, NULL);

	(void)state;
	assert_null(none);
	assert_null(receipt_sign(none, &alices, arena));
	expect(none, arena, KNOWN, RECEIPT_UNKNOWN_KEY);
	expect(none, arena, "x", RECEIPT_MALFORMED);
	receipt_keys_free(none);
}

static void expect_refused(const char *list)
{
	const struct receipt_key_lists given = {.given = secret_of(list)};
	struct receipt_keys *keys = NULL;
	struct problem problem;

	if (receipt_keys_new(&given, &keys, &problem))
		fail_msg("%s", list);
	assert_null(keys);
	assert_int_equal(problem.kind, PROBLEM_VALIDATION_FAILED);
	assert_text_has(problem.message, "Receipt key ");
}

static void unlawful_key_lists_are_refused(void **state)
{
	(void)state;
	expect_refused("c2hvcnQ=");
	expect_refused(KEY_UP ",");
	expect_refused("," KEY_UP);
	expect_refused(KEY_UP ",,");
	expect_refused("no key");
	expect_refused(KEY_UP " " KEY_DOWN);
	expect_refused(KEY_UP ";" KEY_DOWN);
	expect_refused(KEY_UP KEY_DOWN);
	expect_refused(" ");
}

static void seventeen_keys_are_one_too_many(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	char *list = arena_copy(arena, KEY_UP);
	struct receipt_keys *keys = NULL;
	struct problem problem;

	(void)state;
	for (int i = 1; i < RECEIPT_KEYS_MAX; i++)
		list = arena_printf(arena, "%s," KEY_DOWN, list);
	receipt_keys_free(keys_of(list, NULL));
	const struct receipt_key_lists one_more = {.given = secret_of(arena_printf(arena, "%s," KEY_DOWN, list))};

	assert_false(receipt_keys_new(&one_more, &keys, &problem));
	assert_text_has(problem.message, "Receipt key 17 ");
}

static void a_receipt_ends_with_its_exemption(void **state)
{
	(void)state;
	assert_int_equal(receipt_expiry_ms(1000999, 600000, 0), 1600000);
	assert_int_equal(receipt_expiry_ms(1000000, 600000, 0), 1600000);
	assert_int_equal(receipt_expiry_ms(1000000, 600000, 1599999), 1599000);
	assert_int_equal(receipt_expiry_ms(1000000, 600000, 1700000), 1600000);
	assert_int_equal(receipt_expiry_ms(1000000, 600000, 500000), 500000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receipt_is_byte_for_byte_the_known_one),
		cmocka_unit_test(the_known_receipt_is_read),
		cmocka_unit_test(the_least_and_the_most_a_receipt_says_come_back),
		cmocka_unit_test(no_byte_can_be_altered),
		cmocka_unit_test(no_byte_can_be_missing_or_added),
		cmocka_unit_test(what_was_altered_is_told_from_what_is_none),
		cmocka_unit_test(an_oversized_text_is_no_receipt),
		cmocka_unit_test(only_one_header_is_taken),
		cmocka_unit_test(only_our_claims_are_taken),
		cmocka_unit_test(too_many_generations_are_refused),
		cmocka_unit_test(keys_turn_over),
		cmocka_unit_test(encryption_keys_give_receipt_keys_of_their_own),
		cmocka_unit_test(without_keys_there_are_no_receipts),
		cmocka_unit_test(unlawful_key_lists_are_refused),
		cmocka_unit_test(seventeen_keys_are_one_too_many),
		cmocka_unit_test(a_receipt_ends_with_its_exemption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
