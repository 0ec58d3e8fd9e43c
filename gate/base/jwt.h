/* SPDX-License-Identifier: Apache-2.0 */
/* Signed JSON Web Tokens as somebody else issues them (JWS compact serialization, RFC 7515) with the keys they publish
 * (JWK set, RFC 7517): RS256 and ES256 (RFC 7518), and nothing else. The algorithm is the key's, never the token's
 * choice (RFC 8725 section 3.1): `none` and every MAC are refused. */
#ifndef BASE_JWT_H
#define BASE_JWT_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "bounds.h"
#include "json.h"
#include "secret.h"

enum jwt_algorithm { JWT_RS256, JWT_ES256, JWT_ALGORITHM_COUNT };

struct jwt_number {
	const uint8_t *bytes; /* big-endian */
	size_t size;
};

struct jwt_key {
	const char *id; /* "" where it has none */
	enum jwt_algorithm algorithm;
	struct jwt_number first;  /* RSA: the modulus; P-256: x */
	struct jwt_number second; /* RSA: the exponent; P-256: y */
};

struct jwt_keys {
	size_t count;
	struct jwt_key list[OIDC_KEYS_MAX];
};

/* Reads a JWK set into the arena. Keys of other kinds, for other purposes, or too small or large are left out, and what
 * is beyond OIDC_KEYS_MAX. False where it is no JWK set. */
MUST_CHECK bool jwt_read_keys(const struct json *document, struct arena *arena, struct jwt_keys *ret_keys);

enum jwt_verdict {
	JWT_GOOD,
	JWT_MALFORMED, /* three parts of base64url, a header without `crit`, at most ID_TOKEN_BYTES_MAX: not so */
	JWT_ALGORITHM, /* signed in a way that is not accepted, or not at all */
	JWT_NO_KEY,    /* no key of that id and algorithm: the set may be old */
	JWT_SIGNATURE, /* not by the key it names */
};

/* Checks the signature and gives the claims, which the caller owns (json_release) and checks next: that they are from
 * whom, for whom and of when they should be. */
MUST_CHECK enum jwt_verdict jwt_verify(
	const struct jwt_keys *keys, struct secret token, struct arena *arena, struct json **ret_claims);

#endif
