/* SPDX-License-Identifier: Apache-2.0 */
/* Putting the configuration together: the sources in their order, defaults, and what two settings say about each other.
 */
#include "config.h"
#include "text.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "config_load.h"
#include "must_check.h"

#define VARIABLE_PREFIX "GATEHOUSE_"

/* Variables that later parts of this program or its client read: known, but no settings of the service. A name that
 * ends in an underscore stands for all that start so. */
static const char *const foreign_variables[] = {
	"GATEHOUSE_URL",
	"GATEHOUSE_TOKEN",
	"GATEHOUSE_PROFILE",
	"GATEHOUSE_LOCK_TIMEOUT",
	"GATEHOUSE_REFRESH_LEASE",
	"GATEHOUSE_REFRESH_COOLDOWN",
};

void config_complain(struct config_complaints *complaints, const char *place, const char *key, const char *format, ...)
{
	size_t capacity = sizeof(complaints->lines[0]);
	va_list arguments;
	int size;

	if (complaints->count >= CONFIG_COMPLAINTS_MAX)
		return;
	size = snprintf(complaints->lines[complaints->count], capacity, "%.200s: %.64s: ", place, key);
	va_start(arguments, format);
	(void)vsnprintf(complaints->lines[complaints->count] + size, capacity - (size_t)size, format, arguments);
	va_end(arguments);
	complaints->count++;
}

const char *loader_variable(const struct loader *loader, const char *name)
{
	size_t size = strlen(name);

	for (char **entry = loader->environment; *entry != NULL; entry++)
		if (strncmp(*entry, name, size) == 0 && (*entry)[size] == '=')
			return *entry + size + 1;
	return NULL;
}

void config_choose(struct loader *loader, const struct given given[SETTINGS_MAX])
{
	for (size_t i = 0; i < settings_count; i++) {
		struct setting_value value;

		if (loader->chosen[i].text != NULL)
			continue;
		value = given_value(loader, &given[i], settings[i].name);
		if (value.text != NULL && (*value.text != '\0' || settings[i].kind == SETTING_ADDRESS_OR_NONE))
			loader->chosen[i] = value;
	}
}

/* --- the environment ---------------------------------------------------------------------------------------------- */

/* `gate_timeout` of `GATEHOUSE_GATE_TIMEOUT=10s`; NULL where the entry is not about a setting. */
static char *config_variable_setting(struct arena *arena, const char *entry)
{
	size_t size = strcspn(entry, "=");
	char *name;

	if (entry[size] != '=' || strncmp(entry, VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) != 0 ||
		strncmp(entry, PROVIDER_VARIABLE, strlen(PROVIDER_VARIABLE)) == 0)
		return NULL;
	name = arena_copy_bytes(arena, entry + strlen(VARIABLE_PREFIX), size - strlen(VARIABLE_PREFIX));
	text_to_lower(name);
	return name;
}

static void config_read_environment(struct loader *loader)
{
	struct given given[SETTINGS_MAX] = {0};

	for (char **entry = loader->environment; *entry != NULL; entry++) {
		char *name = config_variable_setting(loader->arena, *entry);
		size_t size = strcspn(*entry, "=");
		bool is_file = false;
		size_t index = name == NULL ? settings_count : setting_find(settings, settings_count, name, &is_file);

		if (index < settings_count)
			*(is_file ? &given[index].file : &given[index].value) = (struct setting_value){
				.text = *entry + size + 1, .place = arena_copy_bytes(loader->arena, *entry, size)};
	}
	config_choose(loader, given);
}

static bool config_variable_is_foreign(const char *entry, size_t size)
{
	for (size_t i = 0; i < COUNT_OF(foreign_variables); i++) {
		size_t length = strlen(foreign_variables[i]);
		bool family = foreign_variables[i][length - 1] == '_';

		if (strncmp(entry, foreign_variables[i], length) == 0 && (family || size == length))
			return true;
	}
	return false;
}

/* A variable that nobody knows may be meant for a newer version, so it is told of and left alone. */
static void config_warn_of_variable(struct loader *loader, const char *entry)
{
	size_t size = strcspn(entry, "=");
	char *name = config_variable_setting(loader->arena, entry);
	const char *nearest;
	bool is_file = false;

	if (name == NULL || config_variable_is_foreign(entry, size) ||
		setting_find(settings, settings_count, name, &is_file) < settings_count)
		return;
	nearest = setting_nearest(settings, settings_count, name);
	log_event(LOG_WARN, "this environment variable is unknown and ignored",
		log_string("variable", arena_copy_bytes(loader->arena, entry, size)),
		log_string("did_you_mean",
			nearest == NULL
				? NULL
				: setting_variable(loader->arena,
					  &settings[setting_find(settings, settings_count, nearest, &is_file)])));
}

/* --- defaults ----------------------------------------------------------------------------------------------------- */

static const char *config_default_connections(struct arena *arena)
{
	cpu_set_t cores;
	int count = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;

	if (count > 256)
		count = 256;
	return arena_printf(arena, "%d", count < 2 ? 4 : count * 2);
}

/* XDG Base Directory Specification: $XDG_STATE_HOME, else $HOME/.local/state. */
static const char *config_default_state_dir(const struct loader *loader)
{
	const char *state_home = loader_variable(loader, "XDG_STATE_HOME");
	const char *home = loader_variable(loader, "HOME");

	if (geteuid() == 0)
		return "/var/lib/gatehouse";
	if (state_home != NULL && *state_home == '/')
		return arena_printf(loader->arena, "%s/gatehouse", state_home);
	if (home != NULL && *home == '/')
		return arena_printf(loader->arena, "%s/.local/state/gatehouse", home);
	config_complain(loader->complaints, "GATEHOUSE_STATE_DIR", "state_dir",
		"is not given, and neither XDG_STATE_HOME nor HOME says where it could be; allowed: a path");
	return "";
}

static const char *config_default(const struct loader *loader, const struct setting *setting)
{
	if (setting->fallback != NULL)
		return setting->fallback;
	if (strcmp(setting->name, "pg_connections") == 0)
		return config_default_connections(loader->arena);
	if (strcmp(setting->name, "state_dir") == 0)
		return config_default_state_dir(loader);
	return isatty(STDERR_FILENO) != 0 ? "text" : "json";
}

static void config_take_all(struct loader *loader)
{
	loader->config->places = arena_alloc(loader->arena, settings_count * sizeof(*loader->config->places));
	for (size_t i = 0; i < settings_count; i++) {
		struct setting_value value = loader->chosen[i];

		if (value.text == NULL)
			value = (struct setting_value){config_default(loader, &settings[i]), "default"};
		loader->config->places[i] = value.place;
		setting_take(loader->config, &settings[i], value, loader->complaints);
	}
}

/* --- what settings say about each other ------------------------------------------------------------------------------
 */

/* The two files of one listener, whose settings start with this prefix. */
static void config_check_pair(struct loader *loader, const char *prefix, const char *cert_file, const char *key_file)
{
	struct arena *arena = loader->arena;
	char *names[] = {arena_printf(arena, "%stls_cert_file", prefix), arena_printf(arena, "%stls_key_file", prefix)};
	char *variables[COUNT_OF(names)];
	size_t missing = *cert_file == '\0' ? 0 : 1;

	if ((*cert_file == '\0') == (*key_file == '\0'))
		return;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		variables[i] = arena_printf(arena, VARIABLE_PREFIX "%s", names[i]);
		text_to_upper(variables[i]);
	}
	config_complain(loader->complaints, variables[missing], names[missing],
		"is missing; give both %s and %s, or neither", variables[0], variables[1]);
}

static bool config_is_loopback(const char *address)
{
	bool is_number = address[strspn(address, "0123456789.")] == ':';

	return (is_number && strncmp(address, "127.", 4) == 0) ||
	       strncasecmp(address, "localhost:", strlen("localhost:")) == 0;
}

/* A webhook carries a bearer token and names owners, and Kubernetes asks over https only. */
static void config_check_hook(struct loader *loader)
{
	const struct config *config = loader->config;

	config_check_pair(loader, "hook_", config->hook_tls_cert_file, config->hook_tls_key_file);
	if (*config->hook_address == '\0' || *config->hook_tls_cert_file != '\0' ||
		config_is_loopback(config->hook_address))
		return;
	config_complain(loader->complaints, "GATEHOUSE_HOOK_ADDRESS", "hook_address",
		"\"%.60s\" is not on the loopback; give GATEHOUSE_HOOK_TLS_CERT_FILE and GATEHOUSE_HOOK_TLS_KEY_FILE, "
		"or listen on 127.0.0.1",
		config->hook_address);
}

static void config_check_sign_in(struct loader *loader)
{
	const struct config *config = loader->config;

	if (*config->oidc_issuer != '\0' && *config->oidc_client_id == '\0')
		config_complain(loader->complaints, "GATEHOUSE_OIDC_CLIENT_ID", "oidc_client_id",
			"is missing; give it with GATEHOUSE_OIDC_ISSUER, or neither");
	if (*config->oidc_issuer == '\0' && *config->oidc_client_id != '\0')
		config_complain(loader->complaints, "GATEHOUSE_OIDC_ISSUER", "oidc_issuer",
			"is missing; give it with GATEHOUSE_OIDC_CLIENT_ID, or neither");
}

static void config_check_together(struct loader *loader)
{
	const struct config *config = loader->config;

	config_check_pair(loader, "", config->tls_cert_file, config->tls_key_file);
	config_check_hook(loader);
	config_check_sign_in(loader);
	if (!secret_is_empty(config->pg_connection_url) && secret_is_empty(config->encryption_keys) &&
		!config->allow_cleartext_tokens)
		config_complain(loader->complaints, "GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS",
			"external_token_encryption_keys",
			"is required with an external database; make a key with `openssl rand -base64 32`, or store "
			"tokens "
			"in clear with GATEHOUSE_ALLOW_CLEARTEXT_TOKENS=true");
}

/* --- loading
 * ---------------------------------------------------------------------------------------------------------- */

static bool config_wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static void config_read_sources(struct loader *loader, int argc, char **argv)
{
	bool is_file = false;
	size_t index = setting_find(settings, settings_count, "config", &is_file);

	config_read_flags(loader, argc, argv);
	config_read_environment(loader);
	config_read_provider_variables(loader);
	if (loader->chosen[index].text != NULL)
		config_read_yaml(loader, loader->chosen[index]);
	config_take_all(loader);
	config_check_together(loader);
}

bool config_load(int argc, char **argv, char **environment, struct config **ret_config, bool *ret_help,
	struct config_complaints *complaints)
{
	struct arena *arena;
	struct loader loader = {.complaints = complaints, .environment = environment};

	*ret_config = NULL;
	*ret_help = config_wants_help(argc, argv);
	if (*ret_help)
		return true;
	arena = arena_new(CONFIG_ARENA_BYTES_MAX);
	loader.arena = arena;
	loader.config = arena_alloc(arena, sizeof(*loader.config));
	loader.config->arena = arena;
	config_read_sources(&loader, argc, argv);
	*ret_config = loader.config;
	if (complaints->count > 0)
		return false;
	log_setup(loader.config->log_level, loader.config->log_format);
	for (char **entry = environment; *entry != NULL; entry++)
		config_warn_of_variable(&loader, *entry);
	return true;
}

void config_free(struct config *config)
{
	if (config != NULL)
		arena_free(config->arena);
}

const char *config_place(const struct config *config, const char *name)
{
	bool is_file = false;

	return config->places[setting_find(settings, settings_count, name, &is_file)];
}

void config_print_options(void)
{
	SCOPED(arena_release) struct arena *arena = arena_new(CONFIG_ARENA_BYTES_MAX);

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *setting = &settings[i];

		(void)printf("  %s%s\n      %s.\n      %s%s (default: %s)\n", setting_flag(arena, setting),
			setting->kind == SETTING_BOOL ? "[=BOOL]" : " VALUE", setting->help,
			setting_variable(arena, setting), setting_is_secret(setting) ? " or with _FILE behind it" : "",
			setting->shown != NULL ? setting->shown : setting->fallback);
	}
	(void)printf("\nA flag beats its variable, a variable beats the YAML file, the file beats the default. In the "
		     "file each\n"
		     "setting has its flag's name with underscores. Secrets are never flags: X can be given as "
		     "X_FILE.\n"
		     "Providers are the list `external_auth:` of the file, or " PROVIDER_VARIABLE "<N>_<NAME> with N "
		     "from 0;\n"
		     "when there is one such variable, the file's list is not read.\n");
}
