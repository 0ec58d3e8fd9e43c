/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for Debian's CivetWeb. That build looks for OpenSSL at run time under names only development packages have
 * ("libssl.so") and wants a function OpenSSL 3 renamed, so alone it cannot serve HTTPS, and asked to, it crashes at the
 * first connection. The program is linked to libssl anyway; server_tls.c lets CivetWeb find that. */
#ifndef HTTP_SERVER_TLS_H
#define HTTP_SERVER_TLS_H

#include "must_check.h"
#include "problem.h"

/* An `SSL_CTX *` with the certificate chain and key of two PEM files, for TLS 1.2 and later. On failure the message
 * names the file and what is wrong with it; where a file is to blame, a violation says which, `cert_file` or
 * `key_file`, and what is allowed. */
MUST_CHECK bool tls_context_new(
	const char *cert_file, const char *key_file, void **ret_context, struct problem *problem);

/* NULL is nothing to do. */
void tls_context_free(void *context);

#endif
