/* SPDX-License-Identifier: Apache-2.0 */
/* Everything from libcrypto, and the type for what must not be seen: a secret prints nowhere, is compared in constant
 * time and is wiped with its arena. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "must_check.h"
#include "problem.h"

/* Bytes that must not be logged. They live in an arena (or the configuration) and are NUL-terminated for the libraries
 * that want text. text NULL means "there is none". */
struct secret {
	const char *text;
	size_t size;
};

/* What a log or a message shows instead of a secret. */
#define SECRET_SHOWN "[secret]"

struct secret secret_copy(struct arena *arena, const char *text, size_t size);
bool secret_is_empty(struct secret secret);
bool secret_equals(struct secret left, struct secret right); /* constant time for equal sizes */

/* SECRET_RANDOM_BYTES from the kernel, base64url without padding (43 characters), after prefix. */
struct secret secret_random(struct arena *arena, const char *prefix);

/* count random bytes; ends the process where the kernel has none. */
void random_bytes(void *ret_bytes, size_t count);

/* A version 7 UUID (RFC 9562: time-ordered, so that index pages stay warm) as text. */
#define UUID_TEXT_SIZE 37
void uuid_new(char ret_text[UUID_TEXT_SIZE]);
const char *uuid_in(struct arena *arena); /* the same, in the arena */

#define SHA256_BYTES 32
#define SHA256_HEX_SIZE 65
void sha256(const void *bytes, size_t size, uint8_t ret_hash[SHA256_BYTES]);
void sha256_hex(const void *bytes, size_t size, char ret_hex[SHA256_HEX_SIZE]);

/* HMAC-SHA256 (RFC 2104). Compare a MAC with hmac_equals alone: it takes the same time wherever the bytes differ. */
#define HMAC_BYTES SHA256_BYTES
void hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size, uint8_t ret_mac[HMAC_BYTES]);

/* The same for a key that signs often, made ready once; any number of threads may sign with it at once. The caller owns
 * it; freeing wipes it. */
struct hmac_key;
struct hmac_key *hmac_key_new(const void *key, size_t key_size);
void hmac_key_free(struct hmac_key *key); /* NULL is nothing to do */
void hmac_key_sign(const struct hmac_key *key, const void *bytes, size_t size, uint8_t ret_mac[HMAC_BYTES]);
bool hmac_equals(const uint8_t left[HMAC_BYTES], const uint8_t right[HMAC_BYTES]);

/* HKDF-SHA256 (RFC 5869): ret_size bytes, at most 255 * SHA256_BYTES, of a key for one purpose, which info names, from
 * one that serves another. salt may be empty. */
struct hkdf_input {
	struct secret key;
	struct secret salt;
	struct secret info;
};
void hkdf_sha256(const struct hkdf_input *input, uint8_t *ret_bytes, size_t ret_size);

/* base64url(SHA-256(verifier)), the S256 challenge of RFC 7636 section 4.2. */
char *pkce_challenge(struct arena *arena, struct secret verifier);

char *base64_encode(struct arena *arena, const void *bytes, size_t size);
/* Standard alphabet, padding optional. false where it is not base64. */
MUST_CHECK bool base64_decode(struct arena *arena, const char *text, uint8_t **ret_bytes, size_t *ret_size);

/* RFC 4648 section 5 as RFC 7515 uses it: without padding. Decoding is strict: every value has exactly one text. */
char *base64url_encode(struct arena *arena, const void *bytes, size_t size);
MUST_CHECK bool base64url_decode(
	struct arena *arena, const char *text, size_t text_size, uint8_t **ret_bytes, size_t *ret_size);

/* AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce in front and the 128-bit tag behind. The additional data
 * binds the value to its place. Sealing ends the process where libcrypto fails; opening returns false for a wrong key,
 * place or altered bytes. */
#define AES_KEY_BYTES 32
#define SEAL_OVERHEAD_BYTES 28
struct sealed {
	uint8_t *bytes;
	size_t size;
};
struct sealed aes_seal(struct arena *arena, const uint8_t key[AES_KEY_BYTES], struct secret plain, const char *place);
MUST_CHECK bool aes_open(struct arena *arena, const uint8_t key[AES_KEY_BYTES], struct sealed sealed, const char *place,
	struct secret *ret_plain);

#endif
