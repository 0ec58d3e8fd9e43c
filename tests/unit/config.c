/* SPDX-License-Identifier: Apache-2.0 */
/* Where a setting's value comes from, and what is said about a wrong one: its place, its key, what is allowed, and
 * never a secret. Files are written into a directory of the test. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"

#define ENTRIES_MAX 64
#define KEY_A "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define KEY_B "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="

static char folder[] = "/tmp/gatehouse-config-XXXXXX";
static struct config_complaints complaints;

static char *path_of(const char *name)
{
	static char paths[8][128];
	static size_t next;
	char *path = paths[next++ % COUNT_OF(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static char *written(const char *name, const char *content)
{
	char *path = path_of(name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	(void)fputs(content, file);
	(void)fclose(file);
	return path;
}

static char *joined(const char *left, const char *right)
{
	static char texts[8][512];
	static size_t next;
	char *text = texts[next++ % COUNT_OF(texts)];

	(void)snprintf(text, sizeof(texts[0]), "%s%s", left, right);
	return text;
}

/* Both lists end with NULL. */
static struct config *loaded(const char *const *flags, const char *const *variables)
{
	char *argv[ENTRIES_MAX] = {NULL};
	char *environment[ENTRIES_MAX] = {NULL};
	struct config *config;
	bool help;
	int argc = 0;

	memset(&complaints, 0, sizeof(complaints));
	for (; flags[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)flags[argc];
	for (size_t i = 0; variables[i] != NULL; i++)
		environment[i] = (char *)(uintptr_t)variables[i];
	if (!config_load(argc, argv, environment, &config, &help, &complaints))
		assert_null(config);
	return config;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})

static struct config *good(const char *const *flags, const char *const *variables)
{
	struct config *config = loaded(flags, variables);

	if (config == NULL)
		fail_msg("%s", complaints.lines[0]);
	return config;
}

/* The only complaint is this one. */
static void refused(const char *const *flags, const char *const *variables, const char *complaint)
{
	struct config *config = loaded(flags, variables);

	assert_null(config);
	if (complaints.count != 1)
		fail_msg("%zu complaints: %s | %s", complaints.count, complaints.lines[0], complaints.lines[1]);
	assert_string_equal(complaints.lines[0], complaint);
}

static void refused_file(const char *content, const char *line, const char *complaint)
{
	char expected[600];
	char *path = written("gatehouse.yaml", content);

	(void)snprintf(expected, sizeof(expected), "%s:%s: %s", path, line, complaint);
	refused(LIST("--config", path), LIST("HOME=/h"), expected);
}

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
	assert_int_equal(config->enforcement, ENFORCEMENT_DENY);
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
	                "GATEHOUSE_ACCESS_URL=https://g.example:8/p", "GATEHOUSE_PG_CONNECTION_URL=postgres://u:p@h/d",
	                "GATEHOUSE_PG_PREPARE=Off", "GATEHOUSE_PG_CONNECTIONS=9", "GATEHOUSE_STATE_DIR=/s",
	                "GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS=" KEY_A "," KEY_B,
	                "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN=tok", "GATEHOUSE_ENFORCEMENT=dryrun",
	                "GATEHOUSE_OIDC_ISSUER=later", "GATEHOUSE_URL=client's", "GATEHOUSE_LOG_LEVEL=error"));

	(void)state;
	assert_string_equal(config->http_address, "0.0.0.0:0");
	assert_string_equal(config->admin_address, "");
	assert_string_equal(config->access_url, "https://g.example:8/p");
	assert_string_equal(config->pg_connection_url.text, "postgres://u:p@h/d");
	assert_false(config->pg_prepare);
	assert_int_equal(config->pg_connections, 9);
	assert_string_equal(config->state_dir, "/s");
	assert_string_equal(config->encryption_keys.text, KEY_A "," KEY_B);
	assert_string_equal(config->bootstrap_admin_token.text, "tok");
	assert_int_equal(config->enforcement, ENFORCEMENT_DRYRUN);
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
	        {"GATEHOUSE_ACCESS_URL=https://gate.example/", "GATEHOUSE_ACCESS_URL: access_url: "
	                                                       "\"https://gate.example/\" is not lawful; allowed: "
	                                                       "http:// or https:// "
	                                                       "with a host, without user, query, fragment or a slash "
	                                                       "at the end"},
	        {"GATEHOUSE_GATE_TIMEOUT=10", "GATEHOUSE_GATE_TIMEOUT: gate_timeout: \"10\" is not lawful; allowed: a "
	                                      "duration like 10s or 1m30s, from "
	                                      "100ms to 5m"},
	        {"GATEHOUSE_HTTP_THREADS=7", "GATEHOUSE_HTTP_THREADS: http_threads: \"7\" is not lawful; allowed: a "
	                                     "whole number from 8 to 4096"},
	        {"GATEHOUSE_PG_PREPARE=maybe", "GATEHOUSE_PG_PREPARE: pg_prepare: \"maybe\" is not lawful; allowed: "
	                                       "true or false (on, off, yes, no, 1, "
	                                       "0)"},
	        {"GATEHOUSE_LOG_LEVEL=loud", "GATEHOUSE_LOG_LEVEL: log_level: \"loud\" is not lawful; allowed: debug, "
	                                     "info, warn or error"},
	        {"GATEHOUSE_LOG_FORMAT=xml", "GATEHOUSE_LOG_FORMAT: log_format: \"xml\" is not lawful; allowed: json "
	                                     "or text"},
	        {"GATEHOUSE_ENFORCEMENT=allow", "GATEHOUSE_ENFORCEMENT: enforcement: \"allow\" is not lawful; allowed: "
	                                        "deny, warn or dryrun"},
	        {"GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS=c2hvcnQ=", "GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: "
	                                                              "external_token_encryption_keys: the value is "
	                                                              "not lawful; "
	                                                              "allowed: a comma list of up to 16 base64 keys "
	                                                              "of 32 bytes each; make one with `openssl rand "
	                                                              "-base64 32`"},
	        {"GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN=two words", "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN: bootstrap_admin_token: "
	                                                      "the value is not lawful; allowed: at most 4096 "
	                                                      "visible ASCII characters without blanks"},
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

static void secrets_come_from_files(void **state)
{
	char *url = written("url", "host=db password=x\r\n");
	char *key = written("key", KEY_A "\n");
	char *token = written("token", "tok");
	char *yaml = written("secrets.yaml", joined("bootstrap_admin_token_file: ", token));
	struct config *config = good(LIST("--config", yaml, "--pg-connection-url-file", url),
	        LIST(joined("GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS_FILE=", key),
	                "GATEHOUSE_PG_CONNECTION_URL=beaten", "HOME=/h"));

	(void)state;
	assert_string_equal(config->pg_connection_url.text, "host=db password=x");
	assert_string_equal(config->encryption_keys.text, KEY_A);
	assert_string_equal(config->bootstrap_admin_token.text, "tok");
	config_free(config);
}

static void secret_files_are_checked(void **state)
{
	char *empty = written("empty", "\n");

	(void)state;
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE=/no/such"),
	        "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE: bootstrap_admin_token: cannot read /no/such: there is no such "
	        "file");
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE=/tmp"),
	        "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE: bootstrap_admin_token: cannot read /tmp: it is a directory");
	refused(NONE,
	        LIST("HOME=/h", "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE=/dev/null",
	                "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN=hush"),
	        "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE: bootstrap_admin_token: is also given by "
	        "GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN; give one of the two");
	(void)loaded(NONE, LIST("HOME=/h", joined("GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN_FILE=", empty)));
	assert_text_has(complaints.lines[0], "is empty; put the secret there");
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
	config_free(good(
	        NONE, LIST("HOME=/h", "GATEHOUSE_PG_CONNECTION_URL=host=h", "GATEHOUSE_ALLOW_CLEARTEXT_TOKENS=yes")));
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

static void the_file_is_checked(void **state)
{
	(void)state;
	refused_file("http_adress: x\n", "1", "http_adress: is unknown; did you mean http_address?");
	refused_file("\nlog_level: info\nlog_level: warn\n", "3", "log_level: is given twice; give it once");
	refused_file("gate_timeout:\n  - 1s\n", "1", "gate_timeout: is no text; write `gate_timeout: value`");
	refused_file("- 1\n", "1", "file: holds no settings; write `name: value` lines");
	refused_file("a: b\n---\nc: d\n", "2", "file: holds a second document; write one");
	refused_file("? [a]\n: b\n", "1", "key: is no name; a key must be one word");
	refused_file("log_level: \"a\\0b\"\n", "1", "value: holds a NUL or more than 4096 bytes");
	refused_file("x: &a [*a]\n", "1", "value: is nested too deep; a list of maps is the deepest there is");
	refused_file(
	        "external_auth: 7\n", "1", "external_auth: is no list; start each provider with `- id: \xe2\x80\xa6`");
	refused_file("external_auth:\n  - id: a\n    client_idd: b\n", "3",
	        "client_idd: is no field of a provider; did you mean client_id?");
	refused_file("external_auth:\n  - id: a\n    id: b\n", "3", "id: is given twice; give it once");
	refused_file("external_auth:\n  - a\n", "2", "external_auth: has an entry that is no map of fields");
	refused_file("config: x\n", "1", "config: names this file and cannot stand in it");
	refused(LIST("--config=/no/such"), LIST("HOME=/h"),
	        "--config: config: cannot read /no/such: there is no such file");
}

static void syntax_errors_name_their_line(void **state)
{
	char *path = written("broken.yaml", "a: b\n  c: d\n bootstrap_admin_token: hush\n");

	(void)state;
	assert_null(loaded(LIST("--config", path), LIST("HOME=/h")));
	assert_text_has(complaints.lines[0], joined(path, ":2: file: is no YAML: "));
	assert_null(strstr(complaints.lines[0], "hush"));
}

static void an_empty_file_is_an_empty_configuration(void **state)
{
	static const char *const contents[] = {"", "# nothing\n", "---\n", "external_auth:\n", "~\n"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(contents); i++)
		config_free(good(LIST("--config", written("empty.yaml", contents[i])), LIST("HOME=/h")));
}

static void providers_come_from_the_file(void **state)
{
	char *path = written("providers.yaml", "external_auth:\n"
	                                       "  - id: github\n"
	                                       "    client_id: 123\n"
	                                       "    device_flow: yes\n"
	                                       "    scopes: ''\n"
	                                       "    regex:\n"
	                                       "  - type: gitlab\n");
	struct config *config = good(LIST("--config", path), LIST("HOME=/h"));

	(void)state;
	assert_int_equal(config->provider_count, 2);
	assert_string_equal(config->providers[0].fields[PROVIDER_FIELD_CLIENT_ID].text, "123");
	assert_string_equal(config->providers[0].fields[PROVIDER_FIELD_CLIENT_ID].place, joined(path, ":3"));
	assert_string_equal(config->providers[0].fields[PROVIDER_FIELD_DEVICE_FLOW].text, "yes");
	assert_string_equal(config->providers[0].fields[PROVIDER_FIELD_SCOPES].text, "");
	assert_null(config->providers[0].fields[PROVIDER_FIELD_REGEX].text);
	assert_string_equal(config->providers[0].place, joined(path, ":2"));
	assert_string_equal(config->providers[1].fields[PROVIDER_FIELD_TYPE].text, "gitlab");
	config_free(config);
}

static void providers_of_the_environment_replace_the_files(void **state)
{
	char *path = written("providers.yaml", "external_auth:\n  - id: from-file\n");
	char *secret = written("client-secret", "hush\n");
	struct config *config = good(LIST("--config", path),
	        LIST("GATEHOUSE_EXTERNAL_AUTH_1_ID=second", "GATEHOUSE_EXTERNAL_AUTH_0_ID=first",
	                joined("GATEHOUSE_EXTERNAL_AUTH_0_CLIENT_SECRET_FILE=", secret),
	                "GATEHOUSE_EXTERNAL_AUTH_0_CLIENT_SECRET_2=older", "HOME=/h"));

	(void)state;
	assert_int_equal(config->provider_count, 2);
	assert_string_equal(config->providers[0].fields[PROVIDER_FIELD_ID].text, "first");
	assert_string_equal(config->providers[0].fields[PROVIDER_FIELD_CLIENT_SECRET].text, "hush");
	assert_string_equal(config->providers[0].fields[PROVIDER_FIELD_CLIENT_SECRET_2].text, "older");
	assert_string_equal(config->providers[0].place, "GATEHOUSE_EXTERNAL_AUTH_0");
	assert_string_equal(config->providers[1].fields[PROVIDER_FIELD_ID].place, "GATEHOUSE_EXTERNAL_AUTH_1_ID");
	config_free(config);
}

static void wrong_provider_variables_are_refused(void **state)
{
	(void)state;
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_EXTERNAL_AUTH_0_ID=a", "GATEHOUSE_EXTERNAL_AUTH_2_ID=c"),
	        "GATEHOUSE_EXTERNAL_AUTH_1: external_auth: is missing; numbers go from 0 on without holes, and 2 is "
	        "given");
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_EXTERNAL_AUTH_0_CLIENT_SECRT=hush"),
	        "GATEHOUSE_EXTERNAL_AUTH_0_CLIENT_SECRT: client_secrt: is no field of a provider; did you mean "
	        "CLIENT_SECRET?");
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_EXTERNAL_AUTH_ID=x"),
	        "GATEHOUSE_EXTERNAL_AUTH_ID: external_auth: is unknown; write GATEHOUSE_EXTERNAL_AUTH_<N>_<NAME> with "
	        "N from "
	        "0 on");
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_EXTERNAL_AUTH_00_ID=x"),
	        "GATEHOUSE_EXTERNAL_AUTH_00_ID: external_auth: is unknown; write GATEHOUSE_EXTERNAL_AUTH_<N>_<NAME> "
	        "with N "
	        "from 0 on");
	refused(NONE, LIST("HOME=/h", "GATEHOUSE_EXTERNAL_AUTH_128_ID=x"),
	        "GATEHOUSE_EXTERNAL_AUTH_128_ID: external_auth: has too high a number; allowed: 0 to 127");
}

static void all_complaints_come_at_once(void **state)
{
	(void)state;
	assert_null(loaded(LIST("--nope", "--gate-timeout=x"),
	        LIST("HOME=/h", "GATEHOUSE_LOG_LEVEL=loud", "GATEHOUSE_EXTERNAL_AUTH_0_FOO=x",
	                "GATEHOUSE_HTTP_THREADS=1")));
	assert_int_equal(complaints.count, 5);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"gatehouse.yaml", "url", "key", "token", "secrets.yaml", "empty",
	        "empty.yaml", "broken.yaml", "providers.yaml", "client-secret"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)unlink(path_of(names[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(defaults_are_the_contracts),
	        cmocka_unit_test(a_flag_beats_a_variable_beats_the_file),
	        cmocka_unit_test(every_setting_is_read),
	        cmocka_unit_test(wrong_values_are_refused),
	        cmocka_unit_test(lawful_edges),
	        cmocka_unit_test(durations_are_gos),
	        cmocka_unit_test(secrets_come_from_files),
	        cmocka_unit_test(secret_files_are_checked),
	        cmocka_unit_test(settings_that_need_each_other),
	        cmocka_unit_test(wrong_flags_are_refused),
	        cmocka_unit_test(help_reads_nothing),
	        cmocka_unit_test(the_file_is_checked),
	        cmocka_unit_test(syntax_errors_name_their_line),
	        cmocka_unit_test(an_empty_file_is_an_empty_configuration),
	        cmocka_unit_test(providers_come_from_the_file),
	        cmocka_unit_test(providers_of_the_environment_replace_the_files),
	        cmocka_unit_test(wrong_provider_variables_are_refused),
	        cmocka_unit_test(all_complaints_come_at_once),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
