/* SPDX-License-Identifier: Apache-2.0 */
/* Where a setting's value comes from, and what is said about a wrong one: its place, its key, what is allowed, and
 * never a secret. */
#include "config.h"

static void defaults_are_the_contracts(void **state)
{
	struct config *config = good(NONE, LIST("XDG_STATE_HOME=/state"));

	(void)state;
	assert_string_equal(config->http_address, "127.0.0.1:8484");
	assert_string_equal(config->admin_address, "127.0.0.1:8485");
	assert_string_equal(config->access_url, "");
	assert_string_equal(config->tls_cert_file, "");
	assert_true(secret_is_empty(config->pg_connection_url));
	assert_true(secret_is_empty(config->encryption_keys));
	assert_true(config->pg_prepare);
	assert_true(config->pg_connections >= 4);
	assert_string_equal(config->state_dir, geteuid() == 0 ? "/var/lib/gatehouse" : "/state/gatehouse");
	assert_false(config->allow_cleartext_tokens);
	assert_int_equal(config->log_level, LOG_INFO);
	assert_int_equal(config->log_format, isatty(STDERR_FILENO) ? LOG_TEXT : LOG_JSON);
	assert_int_equal(config->http_threads, 640);
	assert_int_equal(config->gate_timeout_ms, 10000);
	assert_int_equal(config->enforcement.general, ENFORCEMENT_DENY);
	assert_int_equal(config->provider_count, 0);
	config_free(config);
}

static void a_flag_beats_a_variable_beats_the_file(void **state)
{
	char *path = written("gatehouse.yaml", "gate_timeout: 1s\nhttp_threads: 10\nlog_level: error\npg_prepare: "
					       "off\n");
	struct config *config = good(LIST("--gate-timeout=3s", "--allow-cleartext-tokens", "--log-format", "text"),
		LIST(joined("GATEHOUSE_CONFIG=", path), "GATEHOUSE_GATE_TIMEOUT=2s", "GATEHOUSE_HTTP_THREADS=20",
			"GATEHOUSE_LOG_LEVEL=", "HOME=/h"));

	(void)state;
	assert_int_equal(config->gate_timeout_ms, 3000);
	assert_int_equal(config->http_threads, 20);
	assert_int_equal(config->log_level, LOG_ERROR);
	assert_false(config->pg_prepare);
	assert_true(config->allow_cleartext_tokens);
	assert_int_equal(config->log_format, LOG_TEXT);
	assert_string_equal(config->config_file, path);
	config_free(config);
}

static void every_setting_is_read(void **state)
{
	struct config *config = good(NONE,
		LIST("GATEHOUSE_HTTP_ADDRESS=0.0.0.0:0", "GATEHOUSE_ADMIN_ADDRESS=",
			"GATEHOUSE_ACCESS_URL=https://g.example:8/p/", "GATEHOUSE_PG_CONNECTION_URL=postgres://u:p@h/d",
			"GATEHOUSE_PG_PREPARE=Off", "GATEHOUSE_PG_CONNECTIONS=9", "GATEHOUSE_STATE_DIR=/s",
			"GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS=" KEY_A "," KEY_B,
			"GATEHOUSE_RECEIPT_KEYS=" KEY_B "," KEY_A, "GATEHOUSE_RECEIPT_LIFETIME=1h",
			"GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN=tok", "GATEHOUSE_ENFORCEMENT=dryrun",
			"GATEHOUSE_OIDC_ISSUER=https://login.example/x", "GATEHOUSE_OIDC_CLIENT_ID=gate house",
			"GATEHOUSE_OIDC_CLIENT_SECRET=s", "GATEHOUSE_OIDC_USERNAME_CLAIM=email",
			"GATEHOUSE_OIDC_ALLOW_SIGNUPS=true", "GATEHOUSE_OIDC_SCOPES=openid email",
			"GATEHOUSE_TRUSTED_PROXIES=10.0.0.0/8", "GATEHOUSE_LOGIN_ACCESS_LIFETIME=5m",
			"GATEHOUSE_URL=client's", "GATEHOUSE_LOG_LEVEL=error"));

	(void)state;
	assert_string_equal(config->http_address, "0.0.0.0:0");
	assert_string_equal(config->admin_address, "");
	assert_string_equal(config->trusted_proxies, "10.0.0.0/8");
	assert_int_equal(config->login_access_lifetime_ms, 300000);
	assert_string_equal(config->access_url, "https://g.example:8/p");
	assert_string_equal(config->pg_connection_url.text, "postgres://u:p@h/d");
	assert_false(config->pg_prepare);
	assert_int_equal(config->pg_connections, 9);
	assert_string_equal(config->state_dir, "/s");
	assert_string_equal(config->encryption_keys.text, KEY_A "," KEY_B);
	assert_string_equal(config->bootstrap_admin_token.text, "tok");
	assert_string_equal(config->receipt_keys.text, KEY_B "," KEY_A);
	assert_int_equal(config->receipt_lifetime_ms, 3600000);
	assert_string_equal(config->oidc_issuer, "https://login.example/x");
	assert_string_equal(config->oidc_client_id, "gate house");
	assert_string_equal(config->oidc_client_secret.text, "s");
	assert_string_equal(config->oidc_username_claim, "email");
	assert_true(config->oidc_allow_signups);
	assert_string_equal(config->oidc_scopes, "openid email");
	assert_int_equal(config->enforcement.general, ENFORCEMENT_DRYRUN);
	config_free(config);
}

static void wrong_values_are_refused(void **state)
{
	static const struct {
		const char *variable;
		const char *complaint;
	} cases[] = {
		{"GATEHOUSE_HTTP_ADDRESS=8484", "GATEHOUSE_HTTP_ADDRESS: http_address: \"8484\" is not lawful; "
						"allowed: host:port, an IPv4 address or a "
						"name and a port from 0 to 65535, like 0.0.0.0:8484"},
		{"GATEHOUSE_ADMIN_ADDRESS=localhost:65536", "GATEHOUSE_ADMIN_ADDRESS: admin_address: "
							    "\"localhost:65536\" is not lawful; allowed: host:port, an "
							    "IPv4 "
							    "address or a name and a port from 0 to 65535, or empty"},
		{"GATEHOUSE_ACCESS_URL=https://gate.example//", "GATEHOUSE_ACCESS_URL: access_url: "
								"\"https://gate.example//\" is not lawful; allowed: "
								"http:// or https:// with a host, without user, query "
								"or fragment"},
		{"GATEHOUSE_ACCESS_URL=/", "GATEHOUSE_ACCESS_URL: access_url: \"/\" is not lawful; allowed: http:// or "
					   "https:// with a host, without user, query or fragment"},
		{"GATEHOUSE_GATE_TIMEOUT=10", "GATEHOUSE_GATE_TIMEOUT: gate_timeout: \"10\" is not lawful; allowed: a "
					      "duration like 10s or 1m30s, from "
					      "100ms to 5m"},
		{"GATEHOUSE_ENFORCEMENT=allow", "GATEHOUSE_ENFORCEMENT: enforcement: \"allow\" is not lawful; allowed: "
						"deny, warn or dryrun"},
		{"GATEHOUSE_OIDC_CLIENT_ID=x", "GATEHOUSE_OIDC_ISSUER: oidc_issuer: is missing; give it with "
					       "GATEHOUSE_OIDC_CLIENT_ID, or neither"},
		{"GATEHOUSE_OIDC_ISSUER=https://login.example", "GATEHOUSE_OIDC_CLIENT_ID: oidc_client_id: is missing; "
								"give it with GATEHOUSE_OIDC_ISSUER, or neither"},
		{"GATEHOUSE_TLS_CERT_FILE=/nowhere", "GATEHOUSE_TLS_CERT_FILE: tls_cert_file: \"/nowhere\" is not "
						     "lawful; allowed: a file that this process can "
						     "read"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		bool tls = strstr(cases[i].variable, "TLS") != NULL;

		/* The other half of TLS, so that its lack is not a second complaint. */
		refused(NONE, LIST("HOME=/h", cases[i].variable, tls ? "GATEHOUSE_TLS_KEY_FILE=/dev/null" : "A=b"),
			cases[i].complaint);
	}
}

static void wrong_words_keys_and_pointers_are_refused(void **state)
{
	static const struct {
		const char *variable;
		const char *complaint;
	} cases[] = {
		{"GATEHOUSE_HTTP_THREADS=7", "GATEHOUSE_HTTP_THREADS: http_threads: \"7\" is not lawful; allowed: a "
					     "whole number from 8 to 4096"},
		{"GATEHOUSE_PG_PREPARE=maybe", "GATEHOUSE_PG_PREPARE: pg_prepare: \"maybe\" is not lawful; allowed: "
					       "true or false (on, off, yes, no, 1, "
					       "0)"},
		{"GATEHOUSE_LOG_LEVEL=loud", "GATEHOUSE_LOG_LEVEL: log_level: \"loud\" is not lawful; allowed: debug, "
					     "info, warn or error"},
		{"GATEHOUSE_LOG_FORMAT=xml", "GATEHOUSE_LOG_FORMAT: log_format: \"xml\" is not lawful; allowed: json "
					     "or text"},
		{"GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS=c2hvcnQ=", "GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: "
								      "external_token_encryption_keys: the value is "
								      "not lawful; "
								      "allowed: a comma list of up to 16 base64 keys "
								      "of 32 bytes each; make one with `openssl rand "
								      "-base64 32`"},
		{"GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN=two words", "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN: bootstrap_admin_token: "
							      "the value is not lawful; allowed: at most 4096 "
							      "visible ASCII characters without blanks"},
		{"GATEHOUSE_ADMISSION_OWNER=metadata/labels/owner", "GATEHOUSE_ADMISSION_OWNER: admission_owner: "
								    "\"metadata/labels/owner\" is not lawful; allowed: "
								    "a "
								    "JSON pointer (RFC 6901) like "
								    "/metadata/labels/owner, or one into the request "
								    "like "
								    "request:/userInfo/username"},
		{"GATEHOUSE_ADMISSION_TEMPLATE_VERSION=request:/a~2", "GATEHOUSE_ADMISSION_TEMPLATE_VERSION: "
								      "admission_template_version: \"request:/a~2\" is "
								      "not "
								      "lawful; allowed: a JSON pointer (RFC 6901) like "
								      "/metadata/labels/owner, or one into the request "
								      "like request:/userInfo/username"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		refused(NONE, LIST("HOME=/h", cases[i].variable), cases[i].complaint);
}

static void lawful_edges(void **state)
{
	static const struct {
		const char *variable;
		bool good;
	} cases[] = {
		{"GATEHOUSE_HTTP_ADDRESS=gate-1.example:65535", true},
		{"GATEHOUSE_HTTP_ADDRESS=1.2.3:80", false},
		{"GATEHOUSE_HTTP_ADDRESS=256.1.1.1:80", false},
		{"GATEHOUSE_HTTP_ADDRESS=[::1]:80", false},
		{"GATEHOUSE_HTTP_ADDRESS=:80", false},
		{"GATEHOUSE_HTTP_ADDRESS=h:", false},
		{"GATEHOUSE_HTTP_ADDRESS=h:-1", false},
		{"GATEHOUSE_HTTP_ADDRESS=h:8o", false},
		{"GATEHOUSE_ACCESS_URL=http://localhost", true},
		{"GATEHOUSE_ACCESS_URL=ftp://h", false},
		{"GATEHOUSE_ACCESS_URL=https://", false},
		{"GATEHOUSE_ACCESS_URL=https://h?x", false},
		{"GATEHOUSE_ACCESS_URL=https://h#x", false},
		{"GATEHOUSE_ACCESS_URL=https://u@h", false},
		{"GATEHOUSE_ACCESS_URL=https://h:x", false},
		{"GATEHOUSE_ACCESS_URL=https://h:99999", false},
		{"GATEHOUSE_ACCESS_URL=https://h h", false},
		{"GATEHOUSE_GATE_TIMEOUT=100ms", true},
		{"GATEHOUSE_GATE_TIMEOUT=99ms", false},
		{"GATEHOUSE_GATE_TIMEOUT=5m", true},
		{"GATEHOUSE_GATE_TIMEOUT=5m1ms", false},
		{"GATEHOUSE_HTTP_THREADS=4096", true},
		{"GATEHOUSE_HTTP_THREADS=4097", false},
		{"GATEHOUSE_HTTP_THREADS=1e3", false},
		{"GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS=" KEY_A ",", false},
		{"GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS=" KEY_A, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct config *config = loaded(NONE, LIST("HOME=/h", cases[i].variable));

		if ((config != NULL) != cases[i].good)
			fail_msg("%s", cases[i].variable);
		config_free(config);
	}
}

static void durations_are_gos(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} cases[] = {
		{"10s", 10000},
		{"250ms", 250},
		{"1h30m", 5400000},
		{"1.5h", 5400000},
		{"0s", 0},
		{"1m1.25s", 61250},
		{"", -1},
		{"10", -1},
		{"0", -1},
		{"s", -1},
		{"1d", -1},
		{"-1s", -1},
		{"1 s", -1},
		{"1s ", -1},
		{"1.s", -1},
		{".5s", -1},
		{"9999999999s", -1},
		{"1sm", -1},
		{"1h1", -1},
		{"999999999h999999999h999999999h", 10799999989200000},
	};
	SCOPED(arena_release) struct arena *arena = arena_new(4096);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t ms = -1;

		if (config_parse_duration(cases[i].text, &ms) != (cases[i].ms >= 0) ||
			(cases[i].ms >= 0 && ms != cases[i].ms))
			fail_msg("%s is %lld", cases[i].text, (long long)ms);
	}
	assert_string_equal(config_print_duration(arena, 5400000), "90m");
	assert_string_equal(config_print_duration(arena, 0), "0s");
	assert_string_equal(config_print_duration(arena, 1500), "1500ms");
}

static void settings_that_need_each_other(void **state)
{
	(void)state;
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_PG_CONNECTION_URL=postgres://u:hush@h/d"),
		"GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: external_token_encryption_keys: is required with an "
		"external "
		"database; make a key with `openssl rand -base64 32`, or store tokens in clear with "
		"GATEHOUSE_ALLOW_CLEARTEXT_TOKENS=true");
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_TLS_CERT_FILE=/dev/null"),
		"GATEHOUSE_TLS_KEY_FILE: tls_key_file: is missing; give both GATEHOUSE_TLS_CERT_FILE and "
		"GATEHOUSE_TLS_KEY_FILE, or neither");
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_HOOK_TLS_KEY_FILE=/dev/null"),
		"GATEHOUSE_HOOK_TLS_CERT_FILE: hook_tls_cert_file: is missing; give both GATEHOUSE_HOOK_TLS_CERT_FILE "
		"and GATEHOUSE_HOOK_TLS_KEY_FILE, or neither");
	config_free(good(
		NONE, LIST("HOME=/h", "GATEHOUSE_PG_CONNECTION_URL=host=h", "GATEHOUSE_ALLOW_CLEARTEXT_TOKENS=yes")));
}

#define PLAIN_HOOK(address)                                                                                            \
	"GATEHOUSE_HOOK_ADDRESS: hook_address: \"" address "\" is not on the loopback; give "                          \
	"GATEHOUSE_HOOK_TLS_CERT_FILE and GATEHOUSE_HOOK_TLS_KEY_FILE, or listen on 127.0.0.1"

static void hooks_are_plain_on_the_loopback_only(void **state)
{
	(void)state;
	config_free(good(NONE, LIST("HOME=/h", "GATEHOUSE_HOOK_ADDRESS=127.0.0.2:0")));
	config_free(good(NONE, LIST("HOME=/h", "GATEHOUSE_HOOK_ADDRESS=localhost:8443")));
	config_free(good(NONE, LIST("HOME=/h", "GATEHOUSE_HOOK_ADDRESS=")));
	config_free(
		good(NONE, LIST("HOME=/h", "GATEHOUSE_HOOK_ADDRESS=0.0.0.0:8443",
				   "GATEHOUSE_HOOK_TLS_CERT_FILE=/dev/null", "GATEHOUSE_HOOK_TLS_KEY_FILE=/dev/null")));
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_HOOK_ADDRESS=0.0.0.0:8443"), PLAIN_HOOK("0.0.0.0:8443"));
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_HOOK_ADDRESS=127.evil.example:1"), PLAIN_HOOK("127.evil.example:1"));
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_HOOK_ADDRESS=localhost.example:1"), PLAIN_HOOK("localhost.example:1"));
}

static void wrong_flags_are_refused(void **state)
{
	(void)state;
	refused(LIST("--http-adress=x"), LIST("HOME=/h"),
		"--http-adress: flag: is unknown; did you mean --http-address?");
	refused(LIST("--zzzzzzzz"), LIST("HOME=/h"), "--zzzzzzzz: flag: is unknown; --help lists all");
	refused(LIST("--gate-timeout"), LIST("HOME=/h"),
		"--gate-timeout: gate_timeout: has no value; write --gate-timeout=value");
	refused(LIST("--gate-timeout=1s", "--gate-timeout=2s"), LIST("HOME=/h"),
		"--gate-timeout: gate_timeout: is given twice; give it once");
	refused(LIST("stray"), LIST("HOME=/h"),
		"\"stray\": argument: is unexpected; options start with -- and --help lists them");
	refused(LIST("--bootstrap-admin-token=hush"), LIST("HOME=/h"),
		"--bootstrap-admin-token: bootstrap_admin_token: is a secret, and everybody on this host sees "
		"arguments; use "
		"--bootstrap-admin-token-file or the variable GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN");
}

static void help_reads_nothing(void **state)
{
	char *argv[] = {(char[]){"--nonsense"}, (char[]){"--help"}};
	char *environment[] = {NULL};
	struct config *config;
	bool help = false;

	(void)state;
	memset(&complaints, 0, sizeof(complaints));
	assert_true(config_load(2, argv, environment, &config, &help, &complaints));
	assert_true(help);
	assert_null(config);
	assert_int_equal(complaints.count, 0);
}

static void all_complaints_come_at_once(void **state)
{
	(void)state;
	assert_null(loaded(LIST("--nope", "--gate-timeout=x"),
		LIST("HOME=/h", "GATEHOUSE_LOG_LEVEL=loud", "GATEHOUSE_EXTERNAL_AUTH_0_FOO=x",
			"GATEHOUSE_HTTP_THREADS=1")));
	assert_int_equal(complaints.count, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_contracts),
		cmocka_unit_test(a_flag_beats_a_variable_beats_the_file),
		cmocka_unit_test(every_setting_is_read),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(wrong_words_keys_and_pointers_are_refused),
		cmocka_unit_test(lawful_edges),
		cmocka_unit_test(durations_are_gos),
		cmocka_unit_test(settings_that_need_each_other),
		cmocka_unit_test(hooks_are_plain_on_the_loopback_only),
		cmocka_unit_test(wrong_flags_are_refused),
		cmocka_unit_test(help_reads_nothing),
		cmocka_unit_test(all_complaints_come_at_once),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
