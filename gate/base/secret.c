/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows libcrypto: randomness, hashes, MACs, base64, identifiers and AES-256-GCM. Where libcrypto or
 * the kernel fail there is no safe way on, so the process ends. */
#include "secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "bounds.h"

#define NONCE_BYTES 12
#define TAG_BYTES 16
_Static_assert(NONCE_BYTES + TAG_BYTES == SEAL_OVERHEAD_BYTES, "nonce in front, tag behind");

RELEASE_WITH(mac_release, EVP_MAC_CTX, EVP_MAC_CTX_free)
RELEASE_WITH(kdf_release, EVP_KDF_CTX, EVP_KDF_CTX_free)

/* Fetched once: an implicit fetch in every call costs more than hashing a token. */
static pthread_once_t aes_contexts_once = PTHREAD_ONCE_INIT;
static pthread_key_t aes_contexts;
static pthread_once_t algorithms_once = PTHREAD_ONCE_INIT;
static EVP_MD *algorithm_sha256;
static EVP_CIPHER *algorithm_aes;
static EVP_MAC *algorithm_hmac;
static EVP_KDF *algorithm_hkdf;

static _Noreturn void secret_die(const char *what)
{
	(void)fprintf(stderr, "gatehouse: %s\n", what);
	abort();
}

static void algorithms_fetch(void)
{
	algorithm_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	algorithm_aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	algorithm_hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	algorithm_hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	if (algorithm_sha256 == NULL || algorithm_aes == NULL || algorithm_hmac == NULL || algorithm_hkdf == NULL)
		secret_die("libcrypto lacks one of SHA-256, AES-256-GCM, HMAC and HKDF");
}

/* --- the type --------------------------------------------------------------------------------------------------- */

struct secret secret_copy(struct arena *arena, const char *text, size_t size)
{
	if (text == NULL)
		return (struct secret){0};
	return (struct secret){.text = arena_copy_bytes(arena, text, size), .size = size};
}

bool secret_is_empty(struct secret secret)
{
	return secret.text == NULL || secret.size == 0;
}

bool secret_equals(struct secret left, struct secret right)
{
	if (left.text == NULL || right.text == NULL || left.size != right.size)
		return false;
	return CRYPTO_memcmp(left.text, right.text, left.size) == 0;
}

/* --- randomness ------------------------------------------------------------------------------------------------- */

void random_bytes(void *ret_bytes, size_t count)
{
	uint8_t *bytes = ret_bytes;

	while (count > 0) {
		size_t piece = count < 256 ? count : 256; /* getentropy(3): at most 256 */

		if (getentropy(bytes, piece) != 0)
			secret_die("the kernel gives no random bytes");
		bytes += piece;
		count -= piece;
	}
}

struct secret secret_random(struct arena *arena, const char *prefix)
{
	uint8_t bytes[SECRET_RANDOM_BYTES];
	char *encoded;
	char *text;

	random_bytes(bytes, sizeof(bytes));
	encoded = base64url_encode(arena, bytes, sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
	text = arena_printf(arena, "%s%s", prefix, encoded);
	return (struct secret){.text = text, .size = strlen(text)};
}

/* The random half of a UUID, drawn from the kernel for many at a time: a request needs several, and each draw is a
 * system call. For names only; secrets are drawn one by one and not kept. */
#define UUIDS_DRAWN 32

static uint64_t uuid_random(void)
{
	static _Thread_local uint64_t drawn[UUIDS_DRAWN];
	static _Thread_local size_t left;

	if (left == 0) {
		random_bytes(drawn, sizeof(drawn));
		left = UUIDS_DRAWN;
	}
	return drawn[--left];
}

/* Milliseconds since 1970 and, as 12 bits below them, their fraction (RFC 9562 section 6.2, method 3), never the same
 * twice in this process and never less than before. */
static uint64_t uuid_next_moment(void)
{
	static _Atomic uint64_t last;
	uint64_t before = atomic_load_explicit(&last, memory_order_relaxed);
	struct timespec now;
	uint64_t moment;
	uint64_t chosen;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	moment = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	moment = moment << 12 | ((uint64_t)now.tv_nsec % 1000000) * 4096 / 1000000;
	do
		chosen = moment > before ? moment : before + 1;
	while (!atomic_compare_exchange_weak_explicit(
		&last, &before, chosen, memory_order_relaxed, memory_order_relaxed));
	return chosen;
}

/* By hand, because every create prints five, and printf would be a fifth of their cost. */
static void uuid_print(uint64_t high, uint64_t low, char ret_text[UUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char *at = ret_text;

	for (int i = 0; i < 32; i++) {
		uint64_t half = i < 16 ? high : low;

		if (i == 8 || i == 12 || i == 16 || i == 20)
			*at++ = '-';
		*at++ = digits[half >> (60 - 4 * (i % 16)) & 15];
	}
	*at = '\0';
}

void uuid_new(char ret_text[UUID_TEXT_SIZE])
{
	uint64_t moment = uuid_next_moment();
	uint64_t milliseconds = moment >> 12;
	uint64_t low;

	low = uuid_random();
	low = (low & UINT64_C(0x3fffffffffffffff)) | UINT64_C(0x8000000000000000); /* variant 10 */
	uuid_print(milliseconds << 16 | 0x7000 | (moment & 0xfff), low, ret_text);
}

const char *uuid_in(struct arena *arena)
{
	char *text = arena_alloc(arena, UUID_TEXT_SIZE);

	uuid_new(text);
	return text;
}

/* --- hashes ----------------------------------------------------------------------------------------------------- */

void sha256(const void *bytes, size_t size, uint8_t ret_hash[SHA256_BYTES])
{
	(void)pthread_once(&algorithms_once, algorithms_fetch);
	if (EVP_Digest(bytes, size, ret_hash, NULL, algorithm_sha256, NULL) != 1)
		secret_die("libcrypto does not hash");
}

void sha256_hex(const void *bytes, size_t size, char ret_hex[SHA256_HEX_SIZE])
{
	uint8_t hash[SHA256_BYTES];

	sha256(bytes, size, hash);
	for (size_t i = 0; i < sizeof(hash); i++)
		(void)snprintf(ret_hex + 2 * i, 3, "%02x", hash[i]);
}

char *pkce_challenge(struct arena *arena, struct secret verifier)
{
	uint8_t hash[SHA256_BYTES];

	sha256(verifier.text, verifier.size, hash);
	return base64url_encode(arena, hash, sizeof(hash));
}

/* --- MACs and keys made from keys ------------------------------------------------------------------------------- */

/* libcrypto takes parameters through pointers that are not const, and does not write through them. */
static OSSL_PARAM param_bytes(const char *name, const void *bytes, size_t size)
{
	union {
		const void *given;
		void *taken;
	} place = {.given = bytes};

	return OSSL_PARAM_construct_octet_string(name, place.taken, size);
}

static OSSL_PARAM param_sha256(const char *name)
{
	static char digest[] = "SHA256";

	return OSSL_PARAM_construct_utf8_string(name, digest, 0);
}

/* The library's type under a name of ours, so that nobody else has to know it. */
static struct hmac_key *key_of_context(EVP_MAC_CTX *context)
{
	return (struct hmac_key *)context;
}

static const EVP_MAC_CTX *context_of_key(const struct hmac_key *key)
{
	return (const EVP_MAC_CTX *)key;
}

struct hmac_key *hmac_key_new(const void *key, size_t key_size)
{
	const OSSL_PARAM params[] = {param_sha256(OSSL_MAC_PARAM_DIGEST), OSSL_PARAM_construct_end()};

	(void)pthread_once(&algorithms_once, algorithms_fetch);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(algorithm_hmac);

	if (context == NULL || EVP_MAC_init(context, key, key_size, params) != 1)
		secret_die("libcrypto does not take an HMAC key");
	return key_of_context(context);
}

void hmac_key_free(struct hmac_key *key)
{
	EVP_MAC_CTX_free((EVP_MAC_CTX *)key);
}

void hmac_key_sign(const struct hmac_key *key, const void *bytes, size_t size, uint8_t ret_mac[HMAC_BYTES])
{
	SCOPED(mac_release) EVP_MAC_CTX *context = EVP_MAC_CTX_dup(context_of_key(key));
	size_t written = 0;

	if (context == NULL || EVP_MAC_update(context, bytes, size) != 1 ||
		EVP_MAC_final(context, ret_mac, &written, HMAC_BYTES) != 1 || written != HMAC_BYTES)
		secret_die("libcrypto does not make an HMAC");
}

void hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size, uint8_t ret_mac[HMAC_BYTES])
{
	struct hmac_key *once = hmac_key_new(key, key_size);

	hmac_key_sign(once, bytes, size, ret_mac);
	hmac_key_free(once);
}

bool hmac_equals(const uint8_t left[HMAC_BYTES], const uint8_t right[HMAC_BYTES])
{
	return CRYPTO_memcmp(left, right, HMAC_BYTES) == 0;
}

void hkdf_sha256(const struct hkdf_input *input, uint8_t *ret_bytes, size_t ret_size)
{
	const OSSL_PARAM params[] = {
		param_sha256(OSSL_KDF_PARAM_DIGEST),
		param_bytes(OSSL_KDF_PARAM_KEY, input->key.text, input->key.size),
		param_bytes(OSSL_KDF_PARAM_SALT, input->salt.text != NULL ? input->salt.text : "", input->salt.size),
		param_bytes(OSSL_KDF_PARAM_INFO, input->info.text, input->info.size),
		OSSL_PARAM_construct_end(),
	};

	(void)pthread_once(&algorithms_once, algorithms_fetch);
	SCOPED(kdf_release) EVP_KDF_CTX *context = EVP_KDF_CTX_new(algorithm_hkdf);

	if (context == NULL || EVP_KDF_derive(context, ret_bytes, ret_size, params) != 1)
		secret_die("libcrypto does not derive a key");
}

/* --- base64 ----------------------------------------------------------------------------------------------------- */

char *base64_encode(struct arena *arena, const void *bytes, size_t size)
{
	char *text = arena_alloc(arena, (size + 2) / 3 * 4 + 1);

	(void)EVP_EncodeBlock((unsigned char *)text, bytes, (int)size);
	return text;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Digits in front of the padding, or SIZE_MAX where the padding is wrong. */
static size_t base64_digit_count(const char *text)
{
	size_t length = strlen(text);
	size_t digits = length;

	while (digits > 0 && text[digits - 1] == '=' && length - digits < 2)
		digits--;
	if (digits % 4 == 1 || (digits < length && length % 4 != 0))
		return SIZE_MAX;
	return digits;
}

/* EVP_DecodeBlock demands padding, skips blanks and counts padding as data, so the decoder is here: strict (RFC 4648
 * section 3.5: no bits left over), padding optional. */
bool base64_decode(struct arena *arena, const char *text, uint8_t **ret_bytes, size_t *ret_size)
{
	size_t digits = base64_digit_count(text);
	uint32_t bits = 0;
	unsigned bit_count = 0;
	uint8_t *bytes;
	size_t size = 0;

	if (digits == SIZE_MAX)
		return false;
	bytes = arena_alloc(arena, digits / 4 * 3 + 3);
	for (size_t i = 0; i < digits; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return false;
		bits = (bits << 6 | (uint32_t)digit) & 0xffff;
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			bytes[size++] = (uint8_t)(bits >> bit_count);
		}
	}
	if ((bits & ((1u << bit_count) - 1)) != 0)
		return false;
	*ret_bytes = bytes;
	*ret_size = size;
	return true;
}

char *base64url_encode(struct arena *arena, const void *bytes, size_t size)
{
	char *text = base64_encode(arena, bytes, size);

	for (char *at = text; *at != '\0'; at++) {
		if (*at == '+')
			*at = '-';
		else if (*at == '/')
			*at = '_';
	}
	text[strcspn(text, "=")] = '\0';
	return text;
}

bool base64url_decode(struct arena *arena, const char *text, size_t text_size, uint8_t **ret_bytes, size_t *ret_size)
{
	char *standard = arena_copy_bytes(arena, text, text_size);

	if (strlen(standard) != text_size || strpbrk(standard, "+/=") != NULL)
		return false;
	for (char *at = standard; *at != '\0'; at++) {
		if (*at == '-')
			*at = '+';
		else if (*at == '_')
			*at = '/';
	}
	return base64_decode(arena, standard, ret_bytes, ret_size);
}

/* --- AES-256-GCM ------------------------------------------------------------------------------------------------ */

static void aes_context_free(void *context)
{
	EVP_CIPHER_CTX_free(context);
}

static void aes_contexts_begin(void)
{
	if (pthread_key_create(&aes_contexts, aes_context_free) != 0)
		secret_die("there is no place for a thread's AES-256-GCM");
}

/* Each thread keeps one: making one costs more than what most tokens need. It is freed, and wiped, with its thread. */
static EVP_CIPHER_CTX *aes_context_of_thread(void)
{
	(void)pthread_once(&algorithms_once, algorithms_fetch);
	(void)pthread_once(&aes_contexts_once, aes_contexts_begin);
	EVP_CIPHER_CTX *context = pthread_getspecific(aes_contexts);
	if (context != NULL)
		return context;
	context = EVP_CIPHER_CTX_new();
	if (context == NULL || EVP_CipherInit_ex2(context, algorithm_aes, NULL, NULL, 0, NULL) != 1 ||
		pthread_setspecific(aes_contexts, context) != 0)
		secret_die("libcrypto does not start AES-256-GCM");
	return context;
}

static EVP_CIPHER_CTX *aes_context(const uint8_t *key, const uint8_t *nonce, const char *place, bool sealing)
{
	EVP_CIPHER_CTX *context = aes_context_of_thread();
	int added;

	if (EVP_CipherInit_ex2(context, NULL, key, nonce, sealing, NULL) != 1 ||
		EVP_CipherUpdate(context, NULL, &added, (const unsigned char *)place, (int)strlen(place)) != 1)
		secret_die("libcrypto does not start AES-256-GCM");
	return context;
}

struct sealed aes_seal(struct arena *arena, const uint8_t key[AES_KEY_BYTES], struct secret plain, const char *place)
{
	struct sealed sealed = {.bytes = arena_alloc(arena, plain.size + SEAL_OVERHEAD_BYTES),
		.size = plain.size + SEAL_OVERHEAD_BYTES};
	uint8_t *body = sealed.bytes + NONCE_BYTES;
	int written = 0;
	int last = 0;

	random_bytes(sealed.bytes, NONCE_BYTES);
	EVP_CIPHER_CTX *context = aes_context(key, sealed.bytes, place, true);

	if ((plain.size > 0 && EVP_CipherUpdate(context, body, &written, (const unsigned char *)plain.text,
				       (int)plain.size) != 1) ||
		EVP_CipherFinal_ex(context, body + written, &last) != 1 ||
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, body + plain.size) != 1)
		secret_die("libcrypto does not seal");
	return sealed;
}

bool aes_open(struct arena *arena, const uint8_t key[AES_KEY_BYTES], struct sealed sealed, const char *place,
	struct secret *ret_plain)
{
	size_t size;
	uint8_t tag[TAG_BYTES];
	uint8_t *plain;
	int written = 0;
	int last = 0;

	if (sealed.size < SEAL_OVERHEAD_BYTES || sealed.size - SEAL_OVERHEAD_BYTES > INT32_MAX)
		return false;
	size = sealed.size - SEAL_OVERHEAD_BYTES;
	plain = arena_alloc(arena, size + 1);
	memcpy(tag, sealed.bytes + NONCE_BYTES + size, sizeof(tag));
	EVP_CIPHER_CTX *context = aes_context(key, sealed.bytes, place, false);

	if ((size > 0 && EVP_CipherUpdate(context, plain, &written, sealed.bytes + NONCE_BYTES, (int)size) != 1) ||
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) != 1 ||
		EVP_CipherFinal_ex(context, plain + written, &last) != 1) {
		explicit_bzero(plain, size);
		return false;
	}
	*ret_plain = (struct secret){.text = (const char *)plain, .size = size};
	return true;
}
