/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers for hashes, MACs, derived keys, PKCE and AES-256-GCM, and the promises of sealing, base64 and
 * identifiers. */
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

static void hmac_is_rfc_4231(void **state)
{
	static const struct {
		uint8_t key_byte; /* repeated; 0: the text */
		size_t key_size;
		const char *key_text;
		const char *text;
		const char *mac;
	} cases[] = {
		{0x0b, 20, NULL, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{0, 4, "Jefe", "what do ya want for nothing?",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{0xaa, 131, NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t key[131];
		uint8_t wanted[HMAC_BYTES];
		uint8_t mac[HMAC_BYTES];

		if (cases[i].key_text != NULL)
			memcpy(key, cases[i].key_text, cases[i].key_size);
		else
			memset(key, cases[i].key_byte, cases[i].key_size);
		from_hex(cases[i].mac, wanted);
		hmac_sha256(key, cases[i].key_size, cases[i].text, strlen(cases[i].text), mac);
		assert_memory_equal(mac, wanted, sizeof(mac));
		assert_true(hmac_equals(mac, wanted));
		for (size_t byte = 0; byte < sizeof(mac); byte++) {
			mac[byte] ^= 0x80;
			assert_false(hmac_equals(mac, wanted));
			mac[byte] ^= 0x80;
		}
	}
}

/* count bytes that count up from the first one. */
static struct secret counting(uint8_t first, size_t count, uint8_t *bytes)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(first + i);
	return (struct secret){.text = (const char *)bytes, .size = count};
}

#define HKDF_LONG                                                                                                      \
	"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f" \
	"09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"

static void hkdf_is_rfc_5869_appendix_a(void **state)
{
	static const char *const wanted[] = {
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
		HKDF_LONG,
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
	};
	uint8_t same[22];
	uint8_t key[80];
	uint8_t salt[80];
	uint8_t info[80];
	uint8_t bytes[COUNT_OF(wanted)][82];

	(void)state;
	memset(same, 0x0b, sizeof(same));
	const struct secret repeated = {.text = (const char *)same, .size = sizeof(same)};
	const struct hkdf_input first = {
		.key = repeated, .salt = counting(0, 13, salt), .info = counting(0xf0, 10, info)};
	hkdf_sha256(&first, bytes[0], 42);
	const struct hkdf_input second = {
		.key = counting(0, 80, key), .salt = counting(0x60, 80, salt), .info = counting(0xb0, 80, info)};
	hkdf_sha256(&second, bytes[1], 82);
	const struct hkdf_input third = {.key = repeated};
	hkdf_sha256(&third, bytes[2], 42);
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		uint8_t expected[82];

		from_hex(wanted[i], expected);
		assert_memory_equal(bytes[i], expected, strlen(wanted[i]) / 2);
	}
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

static void base64url_has_one_text_for_each_value(void **state)
{
	static const char *const refused[] = {
		"Zg==", "Zg=", "Zh", "Z", "+_8", "-/8", "Zm 9v", "Zm9v\n", "Zm9v.", "\xc3\xa9"};
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	uint8_t *bytes;
	size_t size;

	(void)state;
	assert_string_equal(base64url_encode(arena, "\xfb\xff", 2), "-_8");
	assert_string_equal(base64url_encode(arena, "f", 1), "Zg");
	assert_string_equal(base64url_encode(arena, "", 0), "");
	assert_true(base64url_decode(arena, "-_8.and more", 3, &bytes, &size));
	assert_int_equal(size, 2);
	assert_memory_equal(bytes, "\xfb\xff", 2);
	assert_false(base64url_decode(arena, "Zg\0v", 4, &bytes, &size));
	for (size_t i = 0; i < COUNT_OF(refused); i++)
		if (base64url_decode(arena, refused[i], strlen(refused[i]), &bytes, &size))
			fail_msg("%s", refused[i]);
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

		const char *url = base64url_encode(arena, bytes, size);

		assert_true(base64url_decode(arena, url, strlen(url), &decoded, &decoded_size));
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
		cmocka_unit_test(hmac_is_rfc_4231),
		cmocka_unit_test(hkdf_is_rfc_5869_appendix_a),
		cmocka_unit_test(a_sealed_value_of_the_specification_opens),
		cmocka_unit_test(what_is_sealed_opens_only_in_its_place),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(base64url_has_one_text_for_each_value),
		cmocka_unit_test(base64_round_trips),
		cmocka_unit_test(secrets_compare_and_differ),
		cmocka_unit_test(uuids_are_ordered_and_of_version_7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
