/* SPDX-License-Identifier: Apache-2.0 */
/* Settings, secrets and providers from files, and providers from the environment. */
#include "config.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_come_from_files),
		cmocka_unit_test(secret_files_are_checked),
		cmocka_unit_test(the_file_is_checked),
		cmocka_unit_test(syntax_errors_name_their_line),
		cmocka_unit_test(an_empty_file_is_an_empty_configuration),
		cmocka_unit_test(providers_come_from_the_file),
		cmocka_unit_test(providers_of_the_environment_replace_the_files),
		cmocka_unit_test(wrong_provider_variables_are_refused),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
