/* SPDX-License-Identifier: Apache-2.0 */
/* HTTPS: versions, concurrent connections, clients that stall in the handshake, and files that do not load. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "client.h"
#include "fake_service.h"

static char directory[] = "/tmp/http_tls_XXXXXX";
static char cert_file[64], key_file[64], other_key_file[64], text_file[64], missing_file[64];
static struct server *server;
static int port;

static EVP_PKEY *write_key(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *file = fopen(path, "w");

	assert_non_null(key);
	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	return key;
}

static void write_cert(const char *path, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	FILE *file = fopen(path, "w");

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
	X509_free(cert);
}

/* The status of GET /me over TLS from version min to max; 0 where no handshake came about. */
static int ask(int min, int max, char *ret_version, size_t version_size)
{
	static const char request[] = "GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN_ALICE "\r\n\r\n";
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	int fd = client_connect(port), status = 0;
	char bytes[4096] = "";

	SSL_CTX_set_min_proto_version(context, min);
	SSL_CTX_set_max_proto_version(context, max);
	SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
	ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) == 1) {
		snprintf(ret_version, version_size, "%s", SSL_get_version(ssl));
		SSL_write(ssl, request, sizeof(request) - 1);
		if (SSL_read(ssl, bytes, sizeof(bytes) - 1) > 0)
			sscanf(bytes, "HTTP/1.1 %d", &status);
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	SSL_CTX_free(context);
	ERR_clear_error();
	close(fd);
	return status;
}

static void speaks_1_2_and_1_3(void **state)
{
	char version[16] = "";

	(void)state;
	assert_int_equal(ask(TLS1_2_VERSION, TLS1_2_VERSION, version, sizeof(version)), 200);
	assert_string_equal(version, "TLSv1.2");
	assert_int_equal(ask(TLS1_2_VERSION, TLS1_3_VERSION, version, sizeof(version)), 200);
	assert_string_equal(version, "TLSv1.3");
}

static void refuses_1_1_and_older(void **state)
{
	char version[16] = "";

	(void)state;
	assert_int_equal(ask(TLS1_VERSION, TLS1_1_VERSION, version, sizeof(version)), 0);
	assert_string_equal(version, "");
}

static void closes_on_plain_http(void **state)
{
	(void)state;
	assert_int_equal(client_ask(port, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status, 0);
}

static void *ask_often(void *failures)
{
	int *count = failures;
	char version[16];

	for (int i = 0; i < 10; i++)
		if (ask(TLS1_2_VERSION, TLS1_3_VERSION, version, sizeof(version)) != 200)
			(*count)++;
	return NULL;
}

static void serves_many_at_once(void **state)
{
	pthread_t threads[12];
	int failures[12] = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_create(&threads[i], NULL, ask_often, &failures[i]);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(failures[i], 0);
	}
}

/* Twice as many stalled handshakes as workers. */
static void survives_stalled_handshakes(void **state)
{
	static const char beginning[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01};
	int fds[16];
	char version[16];
	int64_t start_us;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = client_connect(port);
		client_send(fds[i], beginning, sizeof(beginning));
	}
	usleep(100 * 1000);
	start_us = client_now_us();
	assert_int_equal(ask(TLS1_2_VERSION, TLS1_3_VERSION, version, sizeof(version)), 200);
	assert_true(client_now_us() - start_us < 1500000);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

static void names_the_file_that_does_not_load(void **state)
{
	const struct {
		const char *cert, *key, *named, *says;
	} rows[] = {
		{missing_file, key_file, missing_file, "cannot be read"},
		{text_file, key_file, text_file, "certificate"},
		{cert_file, missing_file, missing_file, "cannot be read"},
		{cert_file, text_file, text_file, "private key"},
		{cert_file, other_key_file, other_key_file, "not the certificate's"},
		{cert_file, "", "", "without its private key"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct server_options options = {.address = "127.0.0.1:0",
			.threads = 2,
			.tls_cert_file = rows[i].cert,
			.tls_key_file = rows[i].key};
		struct problem problem = {0};
		struct server *none = NULL;

		assert_false(server_start(&options, &none, &problem));
		print_message("%s\n", problem.message);
		assert_non_null(strstr(problem.message, rows[i].named));
		assert_non_null(strstr(problem.message, rows[i].says));
	}
}

static int start(void **state)
{
	struct server_options options = {.address = "127.0.0.1:0",
		.threads = 8,
		.routes = FAKE_ROUTES,
		.route_count = FAKE_ROUTES_COUNT,
		.tls_cert_file = cert_file,
		.tls_key_file = key_file};
	EVP_PKEY *key;
	FILE *text;

	(void)state;
	if (!server_tls_is_available() || mkdtemp(directory) == NULL)
		return -1;
	snprintf(cert_file, sizeof(cert_file), "%s/cert.pem", directory);
	snprintf(key_file, sizeof(key_file), "%s/key.pem", directory);
	snprintf(other_key_file, sizeof(other_key_file), "%s/other.pem", directory);
	snprintf(text_file, sizeof(text_file), "%s/text.pem", directory);
	snprintf(missing_file, sizeof(missing_file), "%s/missing.pem", directory);
	EVP_PKEY_free(write_key(other_key_file));
	key = write_key(key_file);
	write_cert(cert_file, key);
	EVP_PKEY_free(key);
	text = fopen(text_file, "w");
	fputs("not a certificate\n", text);
	fclose(text);
	server = fake_server_start_with(&options);
	port = server_port(server);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_stop(server);
	fake_service_stop();
	unlink(cert_file);
	unlink(key_file);
	unlink(other_key_file);
	unlink(text_file);
	rmdir(directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(speaks_1_2_and_1_3),
		cmocka_unit_test(refuses_1_1_and_older),
		cmocka_unit_test(closes_on_plain_http),
		cmocka_unit_test(serves_many_at_once),
		cmocka_unit_test(survives_stalled_handshakes),
		cmocka_unit_test(names_the_file_that_does_not_load),
	};

	return cmocka_run_group_tests_name("http tls", tests, start, stop);
}
