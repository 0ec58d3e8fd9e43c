/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate and the rules of TLS, and the two symbols that let Debian's CivetWeb find OpenSSL 3 (server_tls.h).
 */
#include "server_tls.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

/* Mozilla's "intermediate" list, RFC 9325 section 4.2: forward secrecy and authenticated encryption. TLS 1.3 has its
 * own, which needs no choosing. */
static const char CIPHERS[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
			      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
			      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* OpenSSL 3 made the old name a macro; CivetWeb asks for it as a symbol. */
#undef SSL_get_peer_certificate
X509 *SSL_get_peer_certificate(const SSL *ssl);

X509 *SSL_get_peer_certificate(const SSL *ssl)
{
	return SSL_get1_peer_certificate(ssl);
}

typedef void *dlopen_function(const char *file, int mode);

/* POSIX promises that a pointer from dlsym may be a function's, ISO C knows no such cast. */
static dlopen_function *dlopen_of_libc(void)
{
	union {
		void *object;
		dlopen_function *function;
	} next = {.object = dlsym(RTLD_NEXT, "dlopen")};

	return next.function;
}

/* Takes the place of the C library's for the whole process. The two names mean the OpenSSL this program is linked to;
 * everything else goes on unchanged. */
void *dlopen(const char *file, int mode)
{
	bool is_openssl = file != NULL && (strcmp(file, "libssl.so") == 0 || strcmp(file, "libcrypto.so") == 0);

	return dlopen_of_libc()(is_openssl ? NULL : file, mode);
}

static bool refuse(struct problem *problem, const char *which, const char *what, const char *file)
{
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_SYSTEM_ERROR(error) ? "it cannot be read" : ERR_reason_error_string(error);

	problem_set(
		problem, PROBLEM_VALIDATION_FAILED, "%s %s: %s", what, file, reason != NULL ? reason : "not usable");
	ERR_clear_error();
	return problem_add_violation(problem, which, "allowed: %s",
		strcmp(which, "cert_file") == 0 ? "a certificate chain (PEM)"
						: "the certificate's private key (PEM), without a passphrase");
}

static bool load(SSL_CTX *context, const char *cert_file, const char *key_file, struct problem *problem)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
		return refuse(problem, "cert_file", "The certificate does not load from", cert_file);
	if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
		return refuse(
			problem, "key_file", "The private key does not load, or is not the certificate's:", key_file);
	if (SSL_CTX_check_private_key(context) != 1)
		return refuse(problem, "key_file", "The private key is not the certificate's:", key_file);
	return true;
}

/* A key with a passphrase is refused instead of asking for it on a terminal that is not there. The signature is
 * OpenSSL's. NOLINTNEXTLINE(readability-non-const-parameter) */
static int no_passphrase(char *buffer, int size, int for_writing, void *data)
{
	(void)buffer;
	(void)size;
	(void)for_writing;
	(void)data;
	return -1;
}

bool tls_context_new(const char *cert_file, const char *key_file, void **ret_context, struct problem *problem)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (context == NULL)
		return problem_set(problem, PROBLEM_INTERNAL, "OpenSSL could not be started.");
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* CivetWeb writes with what remains of a buffer after a partial write, not with the same pointer. */
	SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	if (SSL_CTX_set_cipher_list(context, CIPHERS) != 1 || !load(context, cert_file, key_file, problem)) {
		if (problem->kind == PROBLEM_NONE)
			problem_set(problem, PROBLEM_INTERNAL, "OpenSSL knows none of the cipher suites asked for.");
		SSL_CTX_free(context);
		return false;
	}
	*ret_context = context;
	return true;
}

void tls_context_free(void *context)
{
	SSL_CTX_free(context);
}
