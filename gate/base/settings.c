/* SPDX-License-Identifier: Apache-2.0 */
/* The table (contract section 2), and how a name is found in it. */
#include "settings.h"
#include "text.h"

#include <string.h>

#include "must_check.h"
#include "suggest.h"

#define AT(member) offsetof(struct config, member)
#define SECOND INT64_C(1000)

const struct setting settings[] = {
	{"config", SETTING_TEXT, AT(config_file), "", 0, 0, "none", "YAML file with settings and providers"},
	{"http_address", SETTING_ADDRESS, AT(http_address), "127.0.0.1:8484", 0, 0, NULL,
		"API listener, host:port; port 0 picks a free one"},
	{"admin_address", SETTING_ADDRESS_OR_NONE, AT(admin_address), "127.0.0.1:8485", 0, 0, NULL,
		"Listener for /healthz, /readyz and /metrics; empty turns it off"},
	{"access_url", SETTING_ACCESS_URL, AT(access_url), "", 0, 0, "from the HTTP address",
		"What browsers use; every URL handed out starts with it"},
	{"trusted_proxies", SETTING_NETWORKS, AT(trusted_proxies), "", 0, 0, "none",
		"Proxies in front, comma list of addresses and networks: their X-Forwarded-For says who the client is"},
	{"tls_cert_file", SETTING_FILE, AT(tls_cert_file), "", 0, 0, "none",
		"Certificate chain (PEM) of the API listener"},
	{"tls_key_file", SETTING_FILE, AT(tls_key_file), "", 0, 0, "none", "Private key (PEM) of the API listener"},
	{"hook_address", SETTING_ADDRESS_OR_NONE, AT(hook_address), "", 0, 0, "none",
		"Listener of its own for the hooks under /gate/v1/; beyond loopback it needs a certificate"},
	{"hook_tls_cert_file", SETTING_FILE, AT(hook_tls_cert_file), "", 0, 0, "none",
		"Certificate chain (PEM) of the hook listener"},
	{"hook_tls_key_file", SETTING_FILE, AT(hook_tls_key_file), "", 0, 0, "none",
		"Private key (PEM) of the hook listener"},
	{"admission_owner", SETTING_REVIEW_POINTER, AT(admission_owner), "/metadata/annotations/gatehouse.dev~1owner",
		0, 0, NULL,
		"JSON pointer to the owner's name in the object of an AdmissionReview, or request:POINTER into its "
		"request"},
	{"admission_template_version", SETTING_REVIEW_POINTER, AT(admission_template_version),
		"/metadata/annotations/gatehouse.dev~1template-version", 0, 0, NULL,
		"The same for the template version's id"},
	{"pg_connection_url", SETTING_SECRET, AT(pg_connection_url), "", 0, 0, "none: embedded PostgreSQL",
		"PostgreSQL server, any libpq connection string"},
	{"pg_prepare", SETTING_BOOL, AT(pg_prepare), "on", 0, 0, NULL,
		"Prepared statements; off behind pgbouncer in transaction mode"},
	{"pg_connections", SETTING_INTEGER, AT(pg_connections), NULL, 2, 512, "twice the cores, at least 4",
		"Connections to PostgreSQL"},
	{"state_dir", SETTING_TEXT, AT(state_dir), NULL, 0, 0,
		"/var/lib/gatehouse as root, else $XDG_STATE_HOME/gatehouse",
		"Where the embedded PostgreSQL and its key live"},
	{"external_token_encryption_keys", SETTING_KEYS, AT(encryption_keys), "", 0, 0,
		"made on the first embedded start",
		"Comma list of base64 32-byte keys: the first encrypts, all decrypt"},
	{"allow_cleartext_tokens", SETTING_BOOL, AT(allow_cleartext_tokens), "false", 0, 0, NULL,
		"Store tokens unencrypted where no keys are given"},
	{"bootstrap_admin_token", SETTING_TOKEN, AT(bootstrap_admin_token), "", 0, 0, "none",
		"A token of user admin, who is made at start"},
	{"receipt_keys", SETTING_KEYS, AT(receipt_keys), "", 0, 0, "derived from the encryption keys",
		"Comma list of base64 32-byte keys: the first signs receipts, all verify them"},
	{"receipt_lifetime", SETTING_DURATION, AT(receipt_lifetime_ms), "10m", RECEIPT_LIFETIME_MIN_MS,
		RECEIPT_LIFETIME_MAX_MS, NULL, "How long the receipt of an allowed check is good"},
	{"oidc_issuer", SETTING_ISSUER, AT(oidc_issuer), "", 0, 0, "none: nobody signs in",
		"OpenID Connect issuer that people sign in with, exactly as it names itself"},
	{"oidc_client_id", SETTING_WORD, AT(oidc_client_id), "", 0, 0, "none", "This service's client id there"},
	{"oidc_client_secret", SETTING_SECRET, AT(oidc_client_secret), "", 0, 0, "none: a public client",
		"This service's client secret there"},
	{"oidc_username_claim", SETTING_WORD, AT(oidc_username_claim), "preferred_username", 0, 0, NULL,
		"The claim that names the user; nobody may be able to choose it for themselves"},
	{"oidc_allow_signups", SETTING_BOOL, AT(oidc_allow_signups), "false", 0, 0, NULL,
		"Make a user for who signs in and has none"},
	{"oidc_scopes", SETTING_WORD, AT(oidc_scopes), "openid profile email", 0, 0, NULL,
		"Scopes asked for at sign-in, blank-separated"},
	{"login_access_lifetime", SETTING_DURATION, AT(login_access_lifetime_ms), "15m", LOGIN_ACCESS_MIN_MS,
		LOGIN_ACCESS_MAX_MS, NULL, "How long an access token of the command line is good"},
	{"login_refresh_idle", SETTING_DURATION, AT(login_refresh_idle_ms), "720h", LOGIN_REFRESH_MIN_MS,
		LOGIN_REFRESH_MAX_MS, NULL, "A login of the command line ends when it was not used for so long"},
	{"login_family_cap", SETTING_DURATION, AT(login_family_cap_ms), "2160h", LOGIN_REFRESH_MIN_MS,
		LOGIN_REFRESH_MAX_MS, NULL, "A login of the command line ends after so long, however often it is used"},
	{"log_level", SETTING_LOG_LEVEL, AT(log_level), "info", 0, 0, NULL, "debug, info, warn or error"},
	{"log_format", SETTING_LOG_FORMAT, AT(log_format), NULL, 0, 0, "json; text on a terminal", "json or text"},
	/* Five hundred creates may wait for a slow provider, and others must still be served. */
	{"http_threads", SETTING_INTEGER, AT(http_threads), "640", 8, 4096, NULL,
		"Requests answered at once; most of them wait for providers"},
	{"gate_timeout", SETTING_DURATION, AT(gate_timeout_ms), "10s", 100, 300 * SECOND, NULL,
		"Budget of one evaluation, all providers together"},
	{"enforcement", SETTING_ENFORCEMENT, AT(enforcement), "deny", 0, 0, NULL,
		"What a refusal does: deny, warn or dryrun"},
	/* Two exchanges of PROVIDER_EXCHANGE_MS and the time to save fit; a process that dies is waited for so long. */
	{"refresh_lease", SETTING_DURATION, AT(refresh_lease_ms), "30s", SECOND, 600 * SECOND, NULL,
		"How long one process may spend a link's refresh token"},
	{"refresh_cooldown", SETTING_DURATION, AT(refresh_cooldown_ms), "30s", 0, 3600 * SECOND, NULL,
		"Before a refresh is tried again after the provider refused this client or gave no readable answer"},
	/* A provisioner that builds for longer renews; one that dies is waited for so long. */
	{"build_lease", SETTING_DURATION, AT(build_lease_ms), "1h", SECOND, 24 * 3600 * SECOND, NULL,
		"How long a provisioner holds a build without a sign of life"},
	/* As many as one provider is asked at once (PROVIDER_IN_FLIGHT_MAX); each has a thread while it lasts. */
	{"refresh_flights", SETTING_INTEGER, AT(refresh_flights), "64", 1, 1024, NULL,
		"Refreshes that one process has in flight at once at each provider"},
	{"decision_retention", SETTING_DURATION, AT(decision_retention_ms), "2160h", 0, 876000 * (3600 * SECOND), NULL,
		"How long decisions are kept in the decision log; 0s: for ever"},
	/* A row takes less than 1 KiB with its indexes: a storm of them ends at about 1 GiB. */
	{"decision_log_max", SETTING_INTEGER, AT(decision_log_max), "1000000", 1000, 1000000000, NULL,
		"Decisions kept in the decision log that made nothing (refusals, checks); the oldest go first"},
	/* Five hundred a second is far beyond honest use and costs the database a few percent of its time. */
	{"decision_rate_max", SETTING_INTEGER, AT(decision_rate_max), "500", 1, 1000000, NULL,
		"Decisions a second that one process logs in the long run; what comes faster is counted only, but for "
		"creates"},
};

const size_t settings_count = COUNT_OF(settings);
_Static_assert(COUNT_OF(settings) <= SETTINGS_MAX, "SETTINGS_MAX has a place for each setting");

#define IS_SECRET(name) ((name) == PROVIDER_FIELD_CLIENT_SECRET || (name) == PROVIDER_FIELD_CLIENT_SECRET_2)
#define ENUMERATE(field, word) {.name = word, .kind = IS_SECRET(field) ? SETTING_SECRET : SETTING_TEXT},
const struct setting provider_fields[PROVIDER_FIELD_COUNT] = {PROVIDER_FIELD_LIST(ENUMERATE)};
#undef ENUMERATE

bool setting_is_secret(const struct setting *setting)
{
	return setting->kind == SETTING_SECRET || setting->kind == SETTING_TOKEN || setting->kind == SETTING_KEYS;
}

char *setting_variable(struct arena *arena, const struct setting *setting)
{
	char *variable = arena_printf(arena, "GATEHOUSE_%s", setting->name);

	text_to_upper(variable);
	return variable;
}

char *setting_flag(struct arena *arena, const struct setting *setting)
{
	char *flag = arena_printf(arena, "--%s%s", setting->name, setting_is_secret(setting) ? "_file" : "");

	for (char *c = flag; *c != '\0'; c++)
		if (*c == '_')
			*c = '-';
	return flag;
}

size_t setting_find(const struct setting *table, size_t count, const char *name, bool *ret_is_file)
{
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(table[i].name);

		if (strncmp(table[i].name, name, size) != 0)
			continue;
		*ret_is_file = setting_is_secret(&table[i]) && strcmp(name + size, "_file") == 0;
		if (name[size] == '\0' || *ret_is_file)
			return i;
	}
	return count;
}

const char *setting_nearest(const struct setting *table, size_t count, const char *name)
{
	struct suggestion suggestion = suggestion_for(name);

	for (size_t i = 0; i < count; i++)
		suggestion_consider(&suggestion, table[i].name);
	return suggestion.nearest;
}
