/* SPDX-License-Identifier: Apache-2.0 */
/* Signed JSON Web Tokens: see jwt.h. Beside secret.c the one file that knows libcrypto, for public keys alone. */
#include "jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

#define P256_BYTES 32
#define EXPONENT_BYTES_MAX 4 /* 65537 nearly everywhere; a larger one costs time only */

RELEASE_WITH(bn_release, BIGNUM, BN_free)
RELEASE_WITH(build_release, OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
RELEASE_WITH(params_release, OSSL_PARAM, OSSL_PARAM_free)
RELEASE_WITH(pkey_release, EVP_PKEY, EVP_PKEY_free)
RELEASE_WITH(pkey_context_release, EVP_PKEY_CTX, EVP_PKEY_CTX_free)
RELEASE_WITH(digest_release, EVP_MD_CTX, EVP_MD_CTX_free)
RELEASE_WITH(ecdsa_release, ECDSA_SIG, ECDSA_SIG_free)

/* RFC 7518 sections 3.1 and 6.1: what the token calls it, and what the key is made of. */
static const struct {
	const char *word;
	const char *kty;
	const char *first;
	const char *second;
} algorithms[JWT_ALGORITHM_COUNT] = {
	[JWT_RS256] = {"RS256", "RSA", "n", "e"},
	[JWT_ES256] = {"ES256", "EC", "x", "y"},
};

/* --- keys --------------------------------------------------------------------------------------------------------- */

static bool read_number(const struct json *jwk, const char *name, struct arena *arena, struct jwt_number *ret_number)
{
	const char *text = json_string(json_member(jwk, name));
	uint8_t *bytes = NULL;
	size_t size = 0;

	if (text == NULL || strlen(text) > RSA_BITS_MAX || !base64url_decode(arena, text, strlen(text), &bytes, &size))
		return false;
	*ret_number = (struct jwt_number){.bytes = bytes, .size = size};
	return true;
}

/* Absent, or as given. */
static bool says(const struct json *jwk, const char *name, const char *word)
{
	const struct json *member = json_member(jwk, name);
	const char *text = json_string(member);

	return member == NULL || (text != NULL && strcmp(text, word) == 0);
}

static bool is_of_lawful_size(const struct jwt_key *key)
{
	if (key->algorithm == JWT_ES256)
		return key->first.size == P256_BYTES && key->second.size == P256_BYTES;
	return key->first.size >= RSA_BITS_MIN / 8 && key->first.size <= RSA_BITS_MAX / 8 && key->first.bytes[0] != 0 &&
	       key->second.size >= 1 && key->second.size <= EXPONENT_BYTES_MAX;
}

static bool read_key(const struct json *jwk, enum jwt_algorithm algorithm, struct arena *arena, struct jwt_key *ret_key)
{
	const char *kty = json_string(json_member(jwk, "kty"));
	const char *crv = json_string(json_member(jwk, "crv"));
	const char *id = json_string(json_member(jwk, "kid"));

	if (kty == NULL || strcmp(kty, algorithms[algorithm].kty) != 0 || !says(jwk, "use", "sig") ||
		!says(jwk, "alg", algorithms[algorithm].word))
		return false;
	if (algorithm == JWT_ES256 && (crv == NULL || strcmp(crv, "P-256") != 0))
		return false;
	*ret_key = (struct jwt_key){.id = arena_copy(arena, id != NULL ? id : ""), .algorithm = algorithm};
	return read_number(jwk, algorithms[algorithm].first, arena, &ret_key->first) &&
	       read_number(jwk, algorithms[algorithm].second, arena, &ret_key->second) && is_of_lawful_size(ret_key);
}

bool jwt_read_keys(const struct json *document, struct arena *arena, struct jwt_keys *ret_keys)
{
	const struct json *list = json_member(document, "keys");

	*ret_keys = (struct jwt_keys){.count = 0};
	if (!json_is(list, JSON_ARRAY))
		return false;
	for (const struct json *jwk = json_first(list); jwk != NULL; jwk = json_next(jwk))
		for (int algorithm = 0; algorithm < JWT_ALGORITHM_COUNT && ret_keys->count < OIDC_KEYS_MAX; algorithm++)
			if (read_key(jwk, (enum jwt_algorithm)algorithm, arena, &ret_keys->list[ret_keys->count]))
				ret_keys->count++;
	return true;
}

/* --- signatures --------------------------------------------------------------------------------------------------- */

static bool push_rsa(OSSL_PARAM_BLD *build, const struct jwt_key *key, BIGNUM *modulus, BIGNUM *exponent)
{
	return BN_bin2bn(key->first.bytes, (int)key->first.size, modulus) != NULL &&
	       BN_bin2bn(key->second.bytes, (int)key->second.size, exponent) != NULL &&
	       OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
	       OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1;
}

/* point has room for an uncompressed point (SEC 1 section 2.3.3) and lives as long as build. */
static bool push_p256(OSSL_PARAM_BLD *build, const struct jwt_key *key, uint8_t point[1 + 2 * P256_BYTES])
{
	point[0] = 4;
	memcpy(point + 1, key->first.bytes, P256_BYTES);
	memcpy(point + 1 + P256_BYTES, key->second.bytes, P256_BYTES);
	return OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
	       OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * P256_BYTES) == 1;
}

/* NULL: it is no key, for instance a point beside the curve. The caller owns it. */
static EVP_PKEY *make_key(const struct jwt_key *key)
{
	SCOPED(build_release) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	SCOPED(bn_release) BIGNUM *modulus = BN_new();
	SCOPED(bn_release) BIGNUM *exponent = BN_new();
	uint8_t point[1 + 2 * P256_BYTES];
	EVP_PKEY *made = NULL;

	if (build == NULL || modulus == NULL || exponent == NULL ||
		!(key->algorithm == JWT_RS256 ? push_rsa(build, key, modulus, exponent) : push_p256(build, key, point)))
		return NULL;
	SCOPED(params_release) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	SCOPED(pkey_context_release)
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, algorithms[key->algorithm].kty, NULL);

	if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return NULL;
	return made;
}

/* RFC 7518 section 3.4 writes r and s side by side; libcrypto reads DER. 0: no signature. */
static size_t p256_signature_to_der(const struct jwt_number *signature, uint8_t ret_der[2 * P256_BYTES + 16])
{
	SCOPED(ecdsa_release) ECDSA_SIG *pair = ECDSA_SIG_new();
	unsigned char *at = ret_der;

	if (pair == NULL || signature->size != 2 * P256_BYTES)
		return 0;
	BIGNUM *r = BN_bin2bn(signature->bytes, P256_BYTES, NULL);
	BIGNUM *s = BN_bin2bn(signature->bytes + P256_BYTES, P256_BYTES, NULL);

	if (r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return 0;
	}
	int size = i2d_ECDSA_SIG(pair, &at);
	return size > 0 ? (size_t)size : 0;
}

static bool is_signed_by(const struct jwt_key *key, struct jwt_number message, struct jwt_number signature)
{
	uint8_t der[2 * P256_BYTES + 16];
	SCOPED(pkey_release) EVP_PKEY *made = make_key(key);
	SCOPED(digest_release) EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (key->algorithm == JWT_ES256) {
		signature.size = p256_signature_to_der(&signature, der);
		signature.bytes = der;
	}
	bool is_signed = made != NULL && context != NULL && signature.size > 0 &&
			 EVP_DigestVerifyInit_ex(context, NULL, "SHA256", NULL, NULL, made, NULL) == 1 &&
			 EVP_DigestVerify(context, signature.bytes, signature.size, message.bytes, message.size) == 1;

	/* What libcrypto thinks of a forged token must not be found by whoever looks into its queue next. */
	ERR_clear_error();
	return is_signed;
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

struct parts {
	struct jwt_number header;
	struct jwt_number claims;
	struct jwt_number signature;
	struct jwt_number message; /* what is signed: header and claims as sent */
};

static bool decode(const char *text, size_t size, struct arena *arena, struct jwt_number *ret_number)
{
	uint8_t *bytes = NULL;

	if (!base64url_decode(arena, text, size, &bytes, &ret_number->size))
		return false;
	ret_number->bytes = bytes;
	return true;
}

static bool split(struct secret token, struct arena *arena, struct parts *ret_parts)
{
	const char *first = token.text != NULL ? strchr(token.text, '.') : NULL;
	const char *second = first != NULL ? strchr(first + 1, '.') : NULL;

	if (second == NULL || token.size > ID_TOKEN_BYTES_MAX || strlen(token.text) != token.size)
		return false;
	ret_parts->message = (struct jwt_number){(const uint8_t *)token.text, (size_t)(second - token.text)};
	return decode(token.text, (size_t)(first - token.text), arena, &ret_parts->header) &&
	       decode(first + 1, (size_t)(second - first - 1), arena, &ret_parts->claims) &&
	       decode(second + 1, strlen(second + 1), arena, &ret_parts->signature);
}

static bool read_object(struct jwt_number bytes, struct json **ret_object)
{
	struct problem ignored;

	return json_parse((const char *)bytes.bytes, bytes.size, ret_object, &ignored) &&
	       json_is(*ret_object, JSON_OBJECT);
}

static bool find_algorithm(const struct json *header, enum jwt_algorithm *ret_algorithm)
{
	const char *word = json_string(json_member(header, "alg"));

	for (int i = 0; word != NULL && i < JWT_ALGORITHM_COUNT; i++)
		if (strcmp(word, algorithms[i].word) == 0) {
			*ret_algorithm = (enum jwt_algorithm)i;
			return true;
		}
	return false;
}

/* Every key that may have signed it: those of its key id, or all of its algorithm where it names none. */
static enum jwt_verdict check_signature(
	const struct jwt_keys *keys, const struct json *header, const struct parts *parts)
{
	const struct json *member = json_member(header, "kid");
	const char *id = json_string(member);
	enum jwt_algorithm algorithm = JWT_RS256;
	enum jwt_verdict verdict = JWT_NO_KEY;

	if (json_member(header, "crit") != NULL || (member != NULL && id == NULL))
		return JWT_MALFORMED;
	if (!find_algorithm(header, &algorithm))
		return JWT_ALGORITHM;
	for (size_t i = 0; i < keys->count; i++) {
		const struct jwt_key *key = &keys->list[i];

		if (key->algorithm != algorithm || (id != NULL && strcmp(key->id, id) != 0))
			continue;
		if (is_signed_by(key, parts->message, parts->signature))
			return JWT_GOOD;
		/* Without a key id any of the set's keys was meant, and a set that is old has not the one. */
		verdict = id != NULL ? JWT_SIGNATURE : JWT_NO_KEY;
	}
	return verdict;
}

enum jwt_verdict jwt_verify(
	const struct jwt_keys *keys, struct secret token, struct arena *arena, struct json **ret_claims)
{
	SCOPED(json_release) struct json *header = NULL;
	struct parts parts = {.header = {NULL, 0}};

	*ret_claims = NULL;
	if (!split(token, arena, &parts) || !read_object(parts.header, &header))
		return JWT_MALFORMED;
	enum jwt_verdict verdict = check_signature(keys, header, &parts);
	if (verdict != JWT_GOOD)
		return verdict;
	return read_object(parts.claims, ret_claims) ? JWT_GOOD : JWT_MALFORMED;
}
