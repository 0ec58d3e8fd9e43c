/* SPDX-License-Identifier: Apache-2.0 */
/* Signed tokens: the examples of RFC 7515, appendices A.2 and A.3, each as it is and altered in every way that must be
 * noticed. */
#include "base/jwt.h"

#include <string.h>

#include "base/text.h"
#include "unit.h"

#define CLAIMS "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

#define RSA_HEAD "eyJhbGciOiJSUzI1NiJ9"
#define RSA_SIGNATURE                                                                                                  \
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"                        \
	"O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7"   \
	"K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98"  \
	"rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define RSA_KEY                                                                                                        \
	"\"kty\":\"RSA\",\"n\":"                                                                                       \
	"\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2" \
	"lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEM" \
	"a2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2"   \
	"PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\""

#define EC_HEAD "eyJhbGciOiJFUzI1NiJ9"
#define EC_SIGNATURE "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define EC_KEY                                                                                                         \
	"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                      \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""

#define SET(keys) "{\"keys\":[" keys "]}"

static bool read_keys(struct arena *arena, const char *text, struct jwt_keys *ret_keys)
{
	SCOPED(json_release) struct json *document = NULL;
	struct problem problem;

	assert_true(json_parse(text, strlen(text), &document, &problem));
	return jwt_read_keys(document, arena, ret_keys);
}

static enum jwt_verdict verdict_of(const char *keys_text, const char *token)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	SCOPED(json_release) struct json *claims = NULL;
	struct jwt_keys keys;

	assert_true(read_keys(arena, keys_text, &keys));
	enum jwt_verdict verdict =
		jwt_verify(&keys, (struct secret){.text = token, .size = strlen(token)}, arena, &claims);

	assert_true((verdict == JWT_GOOD) == (claims != NULL));
	if (claims != NULL)
		assert_string_equal(json_string(json_member(claims, "iss")), "joe");
	return verdict;
}

static void test_examples(void **state)
{
	(void)state;
	assert_int_equal(verdict_of(SET("{" RSA_KEY "}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE), JWT_GOOD);
	assert_int_equal(verdict_of(SET("{" EC_KEY "}"), EC_HEAD "." CLAIMS "." EC_SIGNATURE), JWT_GOOD);
	assert_int_equal(
		verdict_of(SET("{" EC_KEY "},{" RSA_KEY "}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE), JWT_GOOD);
}

/* Every character of either token, changed to another of the alphabet, makes it no good. */
static void check_altered(const char *keys, const char *token)
{
	char copy[2048];
	size_t size = strlen(token);

	for (size_t i = 0; i < size; i++) {
		memcpy(copy, token, size + 1);
		copy[i] = copy[i] == 'A' ? 'Q' : 'A';
		if (verdict_of(keys, copy) == JWT_GOOD)
			fail_msg("character %zu may be changed", i);
	}
}

static void test_altered(void **state)
{
	(void)state;
	check_altered(SET("{" RSA_KEY "}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE);
	check_altered(SET("{" EC_KEY "}"), EC_HEAD "." CLAIMS "." EC_SIGNATURE);
}

static void test_refused(void **state)
{
	static const struct {
		const char *keys;
		const char *token;
		enum jwt_verdict verdict;
	} cases[] = {
		{SET("{" RSA_KEY "}"), "", JWT_MALFORMED},
		{SET("{" RSA_KEY "}"), ".", JWT_MALFORMED},
		{SET("{" RSA_KEY "}"), "..", JWT_MALFORMED},
		{SET("{" RSA_KEY "}"), RSA_HEAD "." CLAIMS, JWT_MALFORMED},
		{SET("{" RSA_KEY "}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE ".", JWT_MALFORMED},
		{SET("{" RSA_KEY "}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE "==", JWT_MALFORMED},
		{SET("{" RSA_KEY "}"), RSA_HEAD "." CLAIMS ".", JWT_NO_KEY},
		/* {"alg":"none"}, {"alg":"HS256"}, {} and {"alg":"rs256"} */
		{SET("{" RSA_KEY "}"), "eyJhbGciOiJub25lIn0." CLAIMS ".", JWT_ALGORITHM},
		{SET("{" RSA_KEY "}"), "eyJhbGciOiJIUzI1NiJ9." CLAIMS "." RSA_SIGNATURE, JWT_ALGORITHM},
		{SET("{" RSA_KEY "}"), "e30." CLAIMS "." RSA_SIGNATURE, JWT_ALGORITHM},
		{SET("{" RSA_KEY "}"), "eyJhbGciOiJyczI1NiJ9." CLAIMS "." RSA_SIGNATURE, JWT_ALGORITHM},
		/* [1] */
		{SET("{" RSA_KEY "}"), "WzFd." CLAIMS "." RSA_SIGNATURE, JWT_MALFORMED},
		/* The key says for what it is. */
		{SET("{" EC_KEY "}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE, JWT_NO_KEY},
		{SET("{" RSA_KEY "}"), EC_HEAD "." CLAIMS "." EC_SIGNATURE, JWT_NO_KEY},
		{SET("{" RSA_KEY ",\"alg\":\"RS512\"}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE, JWT_NO_KEY},
		{SET("{" RSA_KEY ",\"use\":\"enc\"}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE, JWT_NO_KEY},
		{SET("{" RSA_KEY ",\"alg\":7}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE, JWT_NO_KEY},
		{SET(""), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE, JWT_NO_KEY},
		{SET("7,null,\"x\",{}"), RSA_HEAD "." CLAIMS "." RSA_SIGNATURE, JWT_NO_KEY},
		/* A point beside the curve, an exponent of 1 and a small modulus. */
		{SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		     "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}"),
			EC_HEAD "." CLAIMS "." EC_SIGNATURE, JWT_NO_KEY},
		{SET("{\"kty\":\"RSA\",\"n\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"e\":\"AQAB\"}"),
			RSA_HEAD "." CLAIMS "." RSA_SIGNATURE, JWT_NO_KEY},
		/* {"alg":"RS256","kid":"b"}, and a key of another name, of none, and of this one that did not sign it.
		 */
		{SET("{" RSA_KEY ",\"kid\":\"a\"}"), "eyJhbGciOiJSUzI1NiIsImtpZCI6ImIifQ." CLAIMS "." RSA_SIGNATURE,
			JWT_NO_KEY},
		{SET("{" RSA_KEY "}"), "eyJhbGciOiJSUzI1NiIsImtpZCI6ImIifQ." CLAIMS "." RSA_SIGNATURE, JWT_NO_KEY},
		{SET("{" RSA_KEY ",\"kid\":\"b\"}"), "eyJhbGciOiJSUzI1NiIsImtpZCI6ImIifQ." CLAIMS "." RSA_SIGNATURE,
			JWT_SIGNATURE},
		/* {"alg":"RS256","crit":["exp"]} */
		{SET("{" RSA_KEY "}"), "eyJhbGciOiJSUzI1NiIsImNyaXQiOlsiZXhwIl19." CLAIMS "." RSA_SIGNATURE,
			JWT_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (verdict_of(cases[i].keys, cases[i].token) != cases[i].verdict)
			fail_msg("case %zu", i);
}

static void test_large(void **state)
{
	static char token[ID_TOKEN_BYTES_MAX + 2048];

	(void)state;
	memset(token, 'A', sizeof(token) - 1);
	memcpy(token, RSA_HEAD ".", strlen(RSA_HEAD "."));
	memcpy(token + ID_TOKEN_BYTES_MAX, "." RSA_SIGNATURE, sizeof("." RSA_SIGNATURE));
	assert_int_equal(verdict_of(SET("{" RSA_KEY "}"), token), JWT_MALFORMED);
}

static void test_sets(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	struct jwt_keys keys;
	static const char *const none[] = {"{}", "{\"keys\":{}}", "{\"keys\":null}", "[]", "7"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(none); i++)
		assert_false(read_keys(arena, none[i], &keys));
	struct text many = text_in(arena);

	text_add(&many, "{\"keys\":[");
	for (int i = 0; i < 2 * OIDC_KEYS_MAX; i++)
		text_addf(&many, "%s{" EC_KEY ",\"kid\":\"%d\"}", i == 0 ? "" : ",", i);
	text_add(&many, "]}");
	assert_true(read_keys(arena, many.bytes, &keys));
	assert_int_equal(keys.count, OIDC_KEYS_MAX);
	assert_string_equal(keys.list[1].id, "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_altered),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
