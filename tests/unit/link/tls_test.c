/* SPDX-License-Identifier: Apache-2.0 */
/* TLS is verified: a certificate counts only when a known authority signed it and it is for this host. The server is
 * openssl's own. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../gate/link/http_client.h"
#include "must_check.h"

static struct {
	char folder[64];
	char certificate[96];
	char key[96];
	pid_t server;
	FILE *output;
	long port;
} tls;

static pid_t spawn_openssl(char *const arguments[], int output)
{
	posix_spawn_file_actions_t actions;
	pid_t process = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawnp(&process, arguments[0], &actions, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return process;
}

/* A certificate for "localhost" that signed itself. */
static void make_certificate(void)
{
	char command[] = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
			 "subjectAltName=DNS:localhost -out";
	char *arguments[32] = {NULL};
	size_t count = 0;
	int status = 0;

	for (char *rest = command, *word; (word = strsep(&rest, " ")) != NULL;)
		arguments[count++] = word;
	arguments[count++] = tls.certificate;
	arguments[count++] = (char[]){"-keyout"};
	arguments[count++] = tls.key;
	waitpid(spawn_openssl(arguments, STDERR_FILENO), &status, 0);
	assert_int_equal(status, 0);
}

static void start_server(void)
{
	char *arguments[] = {(char[]){"openssl"}, (char[]){"s_server"}, (char[]){"-accept"}, (char[]){"127.0.0.1:0"},
		(char[]){"-www"}, (char[]){"-cert"}, tls.certificate, (char[]){"-key"}, tls.key, NULL};
	char line[256];
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	tls.server = spawn_openssl(arguments, ends[1]);
	close(ends[1]);
	tls.output = fdopen(ends[0], "r");
	while (tls.port == 0 && fgets(line, sizeof(line), tls.output) != NULL)
		if (strncmp(line, "ACCEPT", 6) == 0)
			tls.port = strtol(strrchr(line, ':') + 1, NULL, 10);
	assert_int_not_equal(tls.port, 0);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(tls.folder, sizeof(tls.folder), "/tmp/link-tls-XXXXXX");
	assert_non_null(mkdtemp(tls.folder));
	(void)snprintf(tls.certificate, sizeof(tls.certificate), "%s/cert.pem", tls.folder);
	(void)snprintf(tls.key, sizeof(tls.key), "%s/key.pem", tls.folder);
	make_certificate();
	start_server();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kill(tls.server, SIGTERM);
	waitpid(tls.server, NULL, 0);
	fclose(tls.output);
	unlink(tls.certificate);
	unlink(tls.key);
	rmdir(tls.folder);
	return 0;
}

static struct http_answer ask(const char *host, struct arena *arena)
{
	struct http_client *client = http_client_new();
	struct http_request request = {
		.provider_id = "tls",
		.purpose = "validate",
		.method = "GET",
		.url = arena_printf(arena, "https://%s:%ld/", host, tls.port),
		.body_bytes_max = 65536,
		.deadline = deadline_in_ms(10000),
	};
	struct http_answer answer = http_client_ask(client, &request, arena);

	http_client_free(client);
	return answer;
}

static void an_unknown_authority_is_refused(void **state)
{
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	unsetenv("CURL_CA_BUNDLE");
	unsetenv("SSL_CERT_FILE");
	assert_int_equal(ask("localhost", arena).transport, TRANSPORT_NOT_SENT);
	arena_free(arena);
}

static void an_own_authority_is_taken_from_the_environment(void **state)
{
	static const char *const names[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		unsetenv("CURL_CA_BUNDLE");
		unsetenv("SSL_CERT_FILE");
		setenv(names[i], tls.certificate, 1);
		assert_int_equal(ask("localhost", arena).status, 200);
	}
	arena_free(arena);
}

static void a_certificate_for_another_host_is_refused(void **state)
{
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	setenv("CURL_CA_BUNDLE", tls.certificate, 1);
	assert_int_equal(ask("127.0.0.1", arena).transport, TRANSPORT_NOT_SENT);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_authority_is_refused),
		cmocka_unit_test(an_own_authority_is_taken_from_the_environment),
		cmocka_unit_test(a_certificate_for_another_host_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
