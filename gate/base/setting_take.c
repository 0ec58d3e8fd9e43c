/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of setting takes. A complaint shows the value, but never a secret's. */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json_pointer.h"
#include "must_check.h"
#include "networks.h"
#include "policy.h"
#include "settings.h"

#define SHOWN_CHARS_MAX 60
#define HOST_CHARS_MAX 253 /* RFC 1035 section 2.3.4 without the last dot */
#define KEYS_MAX 16        /* one encrypts, those before it still decrypt */

/* Units from the longest on, so that a duration prints in its largest whole one; "ms" is found before "m" by length. */
static const struct {
	const char *word;
	int64_t ms;
} units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

static const char *const log_level_words[] = {
	[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};
static const char *const log_format_words[] = {[LOG_JSON] = "json", [LOG_TEXT] = "text"};

/* --- parsers shared with providers ------------------------------------------------------------------------------- */

bool config_parse_bool(const char *text, bool *ret_bool)
{
	static const char *const yes[] = {"true", "on", "yes", "1"};
	static const char *const no[] = {"false", "off", "no", "0"};

	for (size_t i = 0; i < COUNT_OF(yes); i++) {
		*ret_bool = strcasecmp(text, yes[i]) == 0;
		if (*ret_bool || strcasecmp(text, no[i]) == 0)
			return true;
	}
	return false;
}

/* The unit at the start of text, with its length; 0 where there is none. */
static int64_t duration_unit_ms(const char *text, size_t *ret_size)
{
	size_t size = 0;

	while (isalpha((unsigned char)text[size]) != 0)
		size++;
	*ret_size = size;
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (strlen(units[i].word) == size && strncmp(units[i].word, text, size) == 0)
			return units[i].ms;
	return 0;
}

/* One number with its unit: steps over it. Up to 9 digits on either side of the point: 10^9 hours do not overflow. */
static bool duration_read_part(const char **text, int64_t *ret_ms)
{
	size_t whole = strspn(*text, "0123456789");
	size_t fraction = (*text)[whole] == '.' ? strspn(*text + whole + 1, "0123456789") : 0;
	const char *unit = *text + whole + (fraction > 0 ? fraction + 1 : 0);
	int64_t scale = 1;
	int64_t parts = 0;
	size_t unit_size;
	int64_t unit_ms = duration_unit_ms(unit, &unit_size);

	if (whole == 0 || whole > 9 || fraction > 9 || unit_ms == 0)
		return false;
	for (size_t i = 0; i < fraction; i++) {
		parts = parts * 10 + ((*text)[whole + 1 + i] - '0');
		scale *= 10;
	}
	*ret_ms = strtoll(*text, NULL, 10) * unit_ms + parts * unit_ms / scale;
	*text = unit + unit_size;
	return true;
}

bool config_parse_duration(const char *text, int64_t *ret_ms)
{
	int64_t sum_ms = 0;

	if (*text == '\0')
		return false;
	while (*text != '\0') {
		int64_t part_ms;

		if (!duration_read_part(&text, &part_ms) || part_ms > INT64_MAX - sum_ms)
			return false;
		sum_ms += part_ms;
	}
	*ret_ms = sum_ms;
	return true;
}

char *config_print_duration(struct arena *arena, int64_t duration_ms)
{
	size_t unit = 0;

	if (duration_ms == 0)
		return arena_copy(arena, "0s");
	while (duration_ms % units[unit].ms != 0)
		unit++;
	return arena_printf(arena, "%lld%s", (long long)(duration_ms / units[unit].ms), units[unit].word);
}

char *config_show(struct arena *arena, const char *value)
{
	size_t size = strlen(value);
	char *shown;

	/* user:password@host, in any kind of URL. */
	if (strchr(value, '@') != NULL)
		return arena_copy(arena, SECRET_SHOWN);
	shown = arena_printf(arena, "\"%.*s%s\"", SHOWN_CHARS_MAX, value, size > SHOWN_CHARS_MAX ? "..." : "");
	for (char *c = shown; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
			*c = '?';
	return shown;
}

/* --- checks ------------------------------------------------------------------------------------------------------ */

static bool port_is_lawful(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= 5 && text[digits] == '\0' && strtol(text, NULL, 10) <= 65535;
}

/* An IPv4 address, or a name of letters, digits, dots and hyphens. CivetWeb as Debian builds it has no IPv6. */
static bool host_is_lawful(const char *host, size_t size)
{
	char copy[HOST_CHARS_MAX + 1];
	struct in_addr address;

	if (size == 0 || size > HOST_CHARS_MAX)
		return false;
	memcpy(copy, host, size);
	copy[size] = '\0';
	if (strspn(copy, "0123456789.") == size)
		return inet_pton(AF_INET, copy, &address) == 1;
	for (size_t i = 0; i < size; i++)
		if (isalnum((unsigned char)copy[i]) == 0 && copy[i] != '.' && copy[i] != '-')
			return false;
	return copy[0] != '-' && copy[0] != '.';
}

static bool address_is_lawful(const char *text)
{
	const char *colon = strrchr(text, ':');

	return colon != NULL && host_is_lawful(text, (size_t)(colon - text)) && port_is_lawful(colon + 1);
}

static bool access_url_is_lawful(const char *text)
{
	size_t size = strlen(text);
	const char *authority;
	size_t authority_size;
	const char *colon;

	if (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0)
		return false;
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || strchr("?#@\"<>\\^`{|}", *c) != NULL)
			return false;
	authority = strstr(text, "://") + 3;
	authority_size = strcspn(authority, "/");
	colon = memchr(authority, ':', authority_size);
	if (colon != NULL) {
		size_t digits = authority_size - (size_t)(colon + 1 - authority);

		if (digits == 0 || digits > 5 || strspn(colon + 1, "0123456789") < digits ||
			strtol(colon + 1, NULL, 10) > 65535)
			return false;
		authority_size = (size_t)(colon - authority);
	}
	return host_is_lawful(authority, authority_size) && text[size - 1] != '/' && size <= URL_BYTES_MAX;
}

/* open(2) alone succeeds on a directory; reading one byte does not. */
static bool file_is_readable(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool readable;
	char byte;

	if (file < 0)
		return false;
	readable = read(file, &byte, 1) >= 0;
	(void)close(file);
	return readable;
}

static bool token_is_lawful(const char *text)
{
	size_t size = strlen(text);

	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	return size <= CONFIG_VALUE_BYTES_MAX;
}

/* Visible ASCII and blanks between: what a client id, a claim's name or a list of scopes may be. */
static bool word_is_lawful(const char *text)
{
	size_t size = strlen(text);

	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] >= 0x7f || text[i] == '"' || text[i] == '\\')
			return false;
	return size > 0 && size <= CONFIG_WORD_BYTES_MAX && text[0] != ' ' && text[size - 1] != ' ';
}

static bool keys_are_lawful(struct arena *arena, const char *text)
{
	for (size_t count = 0; count < KEYS_MAX; count++) {
		size_t size = strcspn(text, ",");
		uint8_t *key;
		size_t key_size;

		if (!base64_decode(arena, arena_copy_bytes(arena, text, size), &key, &key_size) ||
			key_size != AES_KEY_BYTES)
			return false;
		if (text[size] == '\0')
			return true;
		text += size + 1;
	}
	return false;
}

/* Empty pointers would name the whole object, which is no name. */
static bool review_pointer_is_lawful(const char *text)
{
	size_t prefix_size = strlen(REVIEW_POINTER_REQUEST);

	if (strncmp(text, REVIEW_POINTER_REQUEST, prefix_size) == 0)
		text += prefix_size;
	return *text == '/' && strlen(text) <= CONFIG_VALUE_BYTES_MAX && json_pointer_is_lawful(text);
}

static bool word_find(const char *text, const char *const *words, size_t count, size_t *ret_index)
{
	for (*ret_index = 0; *ret_index < count; (*ret_index)++)
		if (strcasecmp(words[*ret_index], text) == 0)
			return true;
	return false;
}

/* --- taking ------------------------------------------------------------------------------------------------------ */

static void *setting_target(struct config *config, const struct setting *setting)
{
	return (char *)config + setting->offset;
}

static bool setting_take_text(struct config *config, const struct setting *setting, const char *text, bool lawful)
{
	*(const char **)setting_target(config, setting) = arena_copy(config->arena, text);
	return lawful || *text == '\0';
}

/* As browsers show it, the URL of a host ends with a slash; every path is put behind it with one of its own. */
static bool setting_take_access_url(struct config *config, const struct setting *setting, const char *text)
{
	size_t size = strlen(text);
	const char *bare = arena_copy_bytes(config->arena, text, size > 0 && text[size - 1] == '/' ? size - 1 : size);

	return setting_take_text(config, setting, bare, access_url_is_lawful(bare)) && (*bare != '\0' || size == 0);
}

static bool setting_take_secret(struct config *config, const struct setting *setting, const char *text, bool lawful)
{
	*(struct secret *)setting_target(config, setting) = secret_copy(config->arena, text, strlen(text));
	return lawful || *text == '\0';
}

static bool setting_take_integer(struct config *config, const struct setting *setting, const char *text)
{
	size_t digits = strspn(text, "0123456789");
	int64_t *target = setting_target(config, setting);

	if (digits == 0 || digits > 9 || text[digits] != '\0')
		return false;
	*target = strtoll(text, NULL, 10);
	return *target >= setting->min && *target <= setting->max;
}

static bool setting_take_duration(struct config *config, const struct setting *setting, const char *text)
{
	int64_t *target = setting_target(config, setting);

	return config_parse_duration(text, target) && *target >= setting->min && *target <= setting->max;
}

static bool setting_take_enforcement(struct config *config, const struct setting *setting, const char *text)
{
	return enforcement_setting_read(text, setting_target(config, setting));
}

static bool setting_take_value(struct config *config, const struct setting *setting, const char *text)
{
	size_t index = 0;
	bool lawful;

	switch (setting->kind) {
	case SETTING_TEXT:
		return setting_take_text(config, setting, text, strlen(text) < PATH_MAX);
	case SETTING_FILE:
		return setting_take_text(config, setting, text, file_is_readable(text));
	case SETTING_ADDRESS:
	case SETTING_ADDRESS_OR_NONE:
		return setting_take_text(config, setting, text, address_is_lawful(text));
	case SETTING_ACCESS_URL:
		return setting_take_access_url(config, setting, text);
	case SETTING_ISSUER:
		return setting_take_text(config, setting, text, name_is_provider_url(text));
	case SETTING_WORD:
		return setting_take_text(config, setting, text, word_is_lawful(text));
	case SETTING_SECRET:
		return setting_take_secret(config, setting, text, strlen(text) <= CONFIG_VALUE_BYTES_MAX);
	case SETTING_TOKEN:
		return setting_take_secret(config, setting, text, token_is_lawful(text));
	case SETTING_KEYS:
		return setting_take_secret(config, setting, text, keys_are_lawful(config->arena, text));
	case SETTING_BOOL:
		return config_parse_bool(text, setting_target(config, setting));
	case SETTING_DURATION:
		return setting_take_duration(config, setting, text);
	case SETTING_INTEGER:
		return setting_take_integer(config, setting, text);
	case SETTING_LOG_LEVEL:
		lawful = word_find(text, log_level_words, COUNT_OF(log_level_words), &index);
		*(enum log_level *)setting_target(config, setting) = (enum log_level)index;
		return lawful;
	case SETTING_LOG_FORMAT:
		lawful = word_find(text, log_format_words, COUNT_OF(log_format_words), &index);
		*(enum log_format *)setting_target(config, setting) = (enum log_format)index;
		return lawful;
	case SETTING_ENFORCEMENT:
		return setting_take_enforcement(config, setting, text);
	case SETTING_REVIEW_POINTER:
		return setting_take_text(config, setting, text, review_pointer_is_lawful(text));
	case SETTING_NETWORKS:
		return setting_take_text(config, setting, text, networks_are_lawful(text));
	}
	return false;
}

static const char *setting_allowed(struct arena *arena, const struct setting *setting)
{
	switch (setting->kind) {
	case SETTING_TEXT:
		return "a path";
	case SETTING_FILE:
		return "a file that this process can read";
	case SETTING_ADDRESS:
		return "host:port, an IPv4 address or a name and a port from 0 to 65535, like 0.0.0.0:8484";
	case SETTING_ADDRESS_OR_NONE:
		return "host:port, an IPv4 address or a name and a port from 0 to 65535, or empty";
	case SETTING_ACCESS_URL:
		return "http:// or https:// with a host, without user, query or fragment";
	case SETTING_ISSUER:
		return "an https URL, or an http one on this machine, without user or fragment";
	case SETTING_WORD:
		return "at most 1024 visible ASCII characters, without quotes and backslashes";
	case SETTING_SECRET:
		return "a text of at most 4096 bytes";
	case SETTING_TOKEN:
		return "at most 4096 visible ASCII characters without blanks";
	case SETTING_KEYS:
		return "a comma list of up to 16 base64 keys of 32 bytes each; make one with `openssl rand -base64 32`";
	case SETTING_BOOL:
		return "true or false (on, off, yes, no, 1, 0)";
	case SETTING_DURATION:
		return arena_printf(arena, "a duration like 10s or 1m30s, from %s to %s",
			config_print_duration(arena, setting->min), config_print_duration(arena, setting->max));
	case SETTING_INTEGER:
		return arena_printf(
			arena, "a whole number from %lld to %lld", (long long)setting->min, (long long)setting->max);
	case SETTING_LOG_LEVEL:
		return "debug, info, warn or error";
	case SETTING_LOG_FORMAT:
		return "json or text";
	case SETTING_ENFORCEMENT:
		return "deny, warn or dryrun";
	case SETTING_REVIEW_POINTER:
		return "a JSON pointer (RFC 6901) like /metadata/labels/owner, or one into the request like "
		       "request:/userInfo/username";
	case SETTING_NETWORKS:
		return "IPv4 addresses and networks like 127.0.0.1,10.0.0.0/8";
	}
	return "";
}

void setting_take(struct config *config, const struct setting *setting, struct setting_value value,
	struct config_complaints *complaints)
{
	if (setting_take_value(config, setting, value.text))
		return;
	config_complain(complaints, value.place, setting->name, "%s is not lawful; allowed: %s",
		setting_is_secret(setting) ? "the value" : config_show(config->arena, value.text),
		setting_allowed(config->arena, setting));
}
