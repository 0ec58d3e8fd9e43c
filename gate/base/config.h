/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: flag over environment over YAML file over default, each setting a row of one table (settings.c)
 * that drives parsing, `--help`, check-config and the README's test. Constant after start. A wrong value is refused
 * with its key, its place and what is allowed. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "bounds.h"
#include "decision.h"
#include "log.h"
#include "must_check.h"
#include "problem.h"
#include "secret.h"

/* Where a value came from, for messages: "gatehouse.yaml:12", "GATEHOUSE_GATE_TIMEOUT", "--gate-timeout" or "default".
 */
struct setting_value {
	const char *text; /* NULL: not given */
	const char *place;
};

/* The fields of one provider as given, in the order of contract section 2; what they mean is link/provider.h's. */
#define PROVIDER_FIELD_LIST(X)                                                                                         \
	X(PROVIDER_FIELD_ID, "id")                                                                                     \
	X(PROVIDER_FIELD_TYPE, "type")                                                                                 \
	X(PROVIDER_FIELD_ISSUER, "issuer")                                                                             \
	X(PROVIDER_FIELD_CLIENT_ID, "client_id")                                                                       \
	X(PROVIDER_FIELD_CLIENT_SECRET, "client_secret")                                                               \
	X(PROVIDER_FIELD_CLIENT_SECRET_2, "client_secret_2")                                                           \
	X(PROVIDER_FIELD_AUTH_URL, "auth_url")                                                                         \
	X(PROVIDER_FIELD_TOKEN_URL, "token_url")                                                                       \
	X(PROVIDER_FIELD_VALIDATE_URL, "validate_url")                                                                 \
	X(PROVIDER_FIELD_REVOKE_URL, "revoke_url")                                                                     \
	X(PROVIDER_FIELD_REDIRECT_URL, "redirect_url")                                                                 \
	X(PROVIDER_FIELD_REGEX, "regex")                                                                               \
	X(PROVIDER_FIELD_DEVICE_FLOW, "device_flow")                                                                   \
	X(PROVIDER_FIELD_DEVICE_CODE_URL, "device_code_url")                                                           \
	X(PROVIDER_FIELD_NO_REFRESH, "no_refresh")                                                                     \
	X(PROVIDER_FIELD_SCOPES, "scopes")                                                                             \
	X(PROVIDER_FIELD_EXTRA_TOKEN_KEYS, "extra_token_keys")                                                         \
	X(PROVIDER_FIELD_APP_INSTALL_URL, "app_install_url")                                                           \
	X(PROVIDER_FIELD_APP_INSTALLATIONS_URL, "app_installations_url")                                               \
	X(PROVIDER_FIELD_API_BASE_URL, "api_base_url")                                                                 \
	X(PROVIDER_FIELD_DISPLAY_NAME, "display_name")                                                                 \
	X(PROVIDER_FIELD_DISPLAY_ICON, "display_icon")                                                                 \
	X(PROVIDER_FIELD_PKCE_METHODS, "pkce_methods")                                                                 \
	X(PROVIDER_FIELD_FAIL_MODE, "fail_mode")                                                                       \
	X(PROVIDER_FIELD_LAST_KNOWN_GOOD_MAX_AGE, "last_known_good_max_age")                                           \
	X(PROVIDER_FIELD_MIN_VALID, "min_valid")                                                                       \
	X(PROVIDER_FIELD_GATE_MAX_AGE, "gate_max_age")                                                                 \
	X(PROVIDER_FIELD_PREFLIGHT_MAX_AGE, "preflight_max_age")                                                       \
	X(PROVIDER_FIELD_REFRESH_RETRY_TIMEOUT, "refresh_retry_timeout")                                               \
	X(PROVIDER_FIELD_ENFORCEMENT, "enforcement")

#define ENUMERATE(name, word) name,
enum provider_field { PROVIDER_FIELD_LIST(ENUMERATE) PROVIDER_FIELD_COUNT };
#undef ENUMERATE

/* place is where the provider as a whole stands, for what is missing: "gatehouse.yaml:12" or
 * "GATEHOUSE_EXTERNAL_AUTH_0". The text of an empty field is NULL, but for scopes, where an empty text asks for none.
 */
struct provider_settings {
	const char *place;
	struct setting_value fields[PROVIDER_FIELD_COUNT];
};

/* What stands before a pointer of an admission setting that goes into the whole request of a review. */
#define REVIEW_POINTER_REQUEST "request:"

struct config {
	struct arena *arena;
	const char **places;         /* where each setting's value came from: config_place */
	const char *config_file;     /* "" without one */
	const char *http_address;    /* host:port */
	const char *admin_address;   /* "" turns it off */
	const char *access_url;      /* "" until the port is known: then from http_address; no trailing slash */
	const char *trusted_proxies; /* comma list, see networks.h; "" without one */
	const char *tls_cert_file;   /* "" without TLS */
	const char *tls_key_file;
	const char *hook_address; /* "" without one */
	const char *hook_tls_cert_file;
	const char *hook_tls_key_file;
	const char *admission_owner; /* where an AdmissionReview names the owner: see SETTING_REVIEW_POINTER */
	const char *admission_template_version;
	struct secret pg_connection_url; /* empty: embedded (it may hold a password) */
	bool pg_prepare;                 /* GATEHOUSE_PG_PREPARE: on */
	int64_t pg_connections;          /* GATEHOUSE_PG_CONNECTIONS: twice the cores, at least 4 */
	const char *state_dir;
	struct secret encryption_keys; /* comma list; empty: not given */
	bool allow_cleartext_tokens;
	struct secret bootstrap_admin_token;
	struct secret receipt_keys; /* comma list; empty: derived from the encryption keys */
	int64_t receipt_lifetime_ms;
	const char *oidc_issuer; /* "": nobody signs in */
	const char *oidc_client_id;
	struct secret oidc_client_secret; /* empty: a public client */
	const char *oidc_username_claim;
	const char *oidc_scopes;
	bool oidc_allow_signups;
	int64_t login_access_lifetime_ms;
	int64_t login_refresh_idle_ms;
	int64_t login_family_cap_ms;
	enum log_level log_level;
	enum log_format log_format;
	int64_t http_threads;
	int64_t gate_timeout_ms;
	struct enforcement_setting enforcement;
	int64_t refresh_lease_ms;
	int64_t refresh_cooldown_ms;
	int64_t refresh_flights;
	int64_t build_lease_ms;
	int64_t decision_retention_ms; /* 0: for ever */
	int64_t decision_log_max;
	int64_t decision_rate_max;
	size_t provider_count;
	struct provider_settings providers[PROVIDERS_MAX];
};

/* One problem of the configuration a line, so that an operator mends all in one go. */
#define CONFIG_COMPLAINTS_MAX 32
struct config_complaints {
	size_t count;
	char lines[CONFIG_COMPLAINTS_MAX][512]; /* "<place>: <key>: <what is wrong>; <what is allowed>" */
};

void config_complain(struct config_complaints *complaints, const char *place, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Reads flags (argv from its first option on), environment (`NAME=value`, NULL at the end), file. With --help (or -h)
 * among the flags sets *ret_help, reads nothing and leaves *ret_config NULL. Stops at no complaint: they are collected;
 * false when there is any, and *ret_config is then good for nothing but checking its providers too, so that an operator
 * hears everything at once. When all is well it sets up the log as configured and warns there of GATEHOUSE_ variables
 * nobody knows. The caller owns *ret_config either way. An empty value is none given, but for addresses that may be
 * off. */
MUST_CHECK bool config_load(int argc, char **argv, char **environment, struct config **ret_config, bool *ret_help,
	struct config_complaints *complaints);
void config_free(struct config *config);

/* Where the value of a setting came from, as struct setting_value says it: for what only a library further up can find
 * wrong. The setting of that name exists. */
const char *config_place(const struct config *config, const char *name);

/* Writes the options of the table to stdout, for --help. */
void config_print_options(void);

/* Parsers that provider settings share: "10s", "250ms", "1h30m", "1.5h" (Go's form with h, m, s, ms; a bare number is
 * refused), and booleans (true, false, on, off, yes, no, 1, 0; any case). */
bool config_parse_duration(const char *text, int64_t *ret_ms);
bool config_parse_bool(const char *text, bool *ret_bool);

/* A duration as config_parse_duration reads it, in its largest whole unit: "10s", "1500ms". */
char *config_print_duration(struct arena *arena, int64_t duration_ms);

/* A value in quotes as a complaint may show it: cut, without control characters, [secret] where it may hold a password.
 */
char *config_show(struct arena *arena, const char *value);

#endif
