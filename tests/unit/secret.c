/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers for hashes, PKCE and AES-256-GCM, and the promises of sealing, base64 and identifiers. */
#include "unit.h"

#include "base/secret.h"

#define ARENA_BYTES ((size_t)1 << 20)

static struct secret secret_of(const char *text)
{
	return (struct secret){.text = text, .size = strlen(text)};
}

static void from_hex(const char *hex, uint8_t *ret_bytes)
{
	for (size_t i = 0; hex[2 * i] != '\0'; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1]};

		ret_bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

static void pkce_is_rfc_7636_appendix_b(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	assert_string_equal(pkce_challenge(arena, secret_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")),
		"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

static void sha256_is_fips_180(void **state)
{
	char hex[SHA256_HEX_SIZE];

	(void)state;
	sha256_hex("abc", 3, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_hex("", 0, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16: nonce, ciphertext and tag in our order. */
static const char gcm_key[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
static const char gcm_place[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
static const char gcm_plain[] = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e"
				"2449a6b525"
				"b16aedf5aa0de657ba637b39";
static const char gcm_sealed[] = "cafebabefacedbaddecaf888"
				 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08"
				 "b1056828838"
				 "c5f61e6393ba7a0abcc9f662"
				 "76fc6ece0f4e1768cddf8853bb2d551b";

static void a_sealed_value_of_the_specification_opens(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	uint8_t key[AES_KEY_BYTES];
	uint8_t plain[60];
	uint8_t bytes[88];
	char place[21] = "";
	struct secret opened;

	(void)state;
	from_hex(gcm_key, key);
	from_hex(gcm_plain, plain);
	from_hex(gcm_sealed, bytes);
	from_hex(gcm_place, (uint8_t *)place);
	assert_true(aes_open(arena, key, (struct sealed){bytes, sizeof(bytes)}, place, &opened));
	assert_int_equal(opened.size, sizeof(plain));
	assert_memory_equal(opened.text, plain, sizeof(plain));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 1;
		assert_false(aes_open(arena, key, (struct sealed){bytes, sizeof(bytes)}, place, &opened));
		bytes[i] ^= 1;
	}
	for (size_t size = 0; size < sizeof(bytes); size++)
		assert_false(aes_open(arena, key, (struct sealed){bytes, size}, place, &opened));
}

static void what_is_sealed_opens_only_in_its_place(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	uint8_t key[AES_KEY_BYTES];
	uint8_t other_key[AES_KEY_BYTES];
	struct secret opened;
	struct sealed sealed;
	struct sealed again;

	(void)state;
	random_bytes(key, sizeof(key));
	random_bytes(other_key, sizeof(other_key));
	sealed = aes_seal(arena, key, secret_of("a token"), "owner github access_token");
	again = aes_seal(arena, key, secret_of("a token"), "owner github access_token");
	assert_int_equal(sealed.size, 7 + SEAL_OVERHEAD_BYTES);
	assert_memory_not_equal(sealed.bytes, again.bytes, sealed.size);
	assert_true(aes_open(arena, key, sealed, "owner github access_token", &opened));
	assert_string_equal(opened.text, "a token");
	assert_false(aes_open(arena, key, sealed, "other github access_token", &opened));
	assert_false(aes_open(arena, key, sealed, "owner github refresh_token", &opened));
	assert_false(aes_open(arena, other_key, sealed, "owner github access_token", &opened));
	sealed = aes_seal(arena, key, secret_of(""), "");
	assert_true(aes_open(arena, key, sealed, "", &opened));
	assert_int_equal(opened.size, 0);
	assert_string_equal(opened.text, "");
}

static void base64_is_strict(void **state)
{
	static const struct {
		const char *text;
		const char *plain; /* NULL: refused */
	} cases[] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zg", "f"},
		{"Zm8=", "fo"},
		{"Zm8", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg==", "foob"},
		{"Zm9vYmFy", "foobar"},
		{"Z", NULL},
		{"Zg=", NULL},
		{"Zg===", NULL},
		{"Zm8==", NULL},
		{"Zm9v=", NULL},
		{"=", NULL},
		{"==", NULL},
		{"Zh==", NULL},
		{"Zm9", NULL},
		{"Zm 9v", NULL},
		{"Zm9v\n", NULL},
		{"Z-9v", NULL},
		{"Zg==Zg==", NULL},
		{"\xff\xff\xff\xff", NULL},
	};
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t *bytes;
		size_t size;
		bool good = base64_decode(arena, cases[i].text, &bytes, &size);

		if (good != (cases[i].plain != NULL))
			fail_msg("%s", cases[i].text);
		if (good)
			assert_memory_equal(bytes, cases[i].plain, size);
	}
	assert_string_equal(base64_encode(arena, "foob", 4), "Zm9vYg==");
	assert_string_equal(base64_encode(arena, "\xfb\xff", 2), "+/8=");
	assert_string_equal(base64_encode(arena, "", 0), "");
}

static void base64_round_trips(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	uint8_t bytes[100];

	(void)state;
	random_bytes(bytes, sizeof(bytes));
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		uint8_t *decoded;
		size_t decoded_size;

		assert_true(base64_decode(arena, base64_encode(arena, bytes, size), &decoded, &decoded_size));
		assert_int_equal(decoded_size, size);
		assert_memory_equal(decoded, bytes, size);
	}
}

static void secrets_compare_and_differ(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	struct secret one = secret_random(arena, "gth_");
	struct secret two = secret_random(arena, "gth_");

	(void)state;
	assert_int_equal(one.size, 4 + 43);
	assert_int_equal(strspn(one.text + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
	assert_memory_equal(one.text, "gth_", 4);
	assert_false(secret_equals(one, two));
	assert_true(secret_equals(one, secret_copy(arena, one.text, one.size)));
	assert_false(secret_equals(one, secret_copy(arena, one.text, one.size - 1)));
	assert_false(secret_equals((struct secret){0}, (struct secret){0}));
	assert_true(secret_is_empty((struct secret){0}));
	assert_true(secret_is_empty(secret_copy(arena, "", 0)));
	assert_null(secret_copy(arena, NULL, 0).text);
}

static void uuids_are_ordered_and_of_version_7(void **state)
{
	char before[UUID_TEXT_SIZE] = "";
	char uuid[UUID_TEXT_SIZE];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uuid_new(uuid);
		assert_int_equal(strlen(uuid), 36);
		assert_int_equal(uuid[14], '7');
		assert_non_null(strchr("89ab", uuid[19]));
		assert_true(strcmp(before, uuid) < 0);
		memcpy(before, uuid, sizeof(uuid));
	}
	assert_int_equal(strspn(uuid, "0123456789abcdef-"), 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pkce_is_rfc_7636_appendix_b),
		cmocka_unit_test(sha256_is_fips_180),
		cmocka_unit_test(a_sealed_value_of_the_specification_opens),
		cmocka_unit_test(what_is_sealed_opens_only_in_its_place),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(base64_round_trips),
		cmocka_unit_test(secrets_compare_and_differ),
		cmocka_unit_test(uuids_are_ordered_and_of_version_7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
