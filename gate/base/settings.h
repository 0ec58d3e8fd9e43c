/* SPDX-License-Identifier: Apache-2.0 */
/* The table of settings that config.c walks: each name once, with its kind, its place in struct config, its default and
 * its range. From the name `gate_timeout` come GATEHOUSE_GATE_TIMEOUT, --gate-timeout and the YAML key. */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

enum setting_kind {
	SETTING_TEXT,
	SETTING_FILE,    /* the name of a file that must be readable */
	SETTING_ADDRESS, /* host:port */
	SETTING_ADDRESS_OR_NONE,
	SETTING_ACCESS_URL,
	SETTING_ISSUER, /* https, or http on the loopback */
	SETTING_WORD,   /* visible ASCII and blanks */
	SETTING_SECRET, /* a secret also has the form X_FILE and no flag of its own */
	SETTING_TOKEN,  /* a secret that a header can carry */
	SETTING_KEYS,   /* a secret: comma list of base64 keys */
	SETTING_BOOL,
	SETTING_DURATION, /* min and max in milliseconds */
	SETTING_INTEGER,
	SETTING_LOG_LEVEL,
	SETTING_LOG_FORMAT,
	SETTING_ENFORCEMENT,
	SETTING_NETWORKS,       /* comma list of IPv4 addresses and networks */
	SETTING_REVIEW_POINTER, /* a JSON pointer into a review's object, or behind `request:` into its request */
};

struct setting {
	const char *name;
	enum setting_kind kind;
	size_t offset;        /* of the member of struct config */
	const char *fallback; /* NULL: worked out at start */
	int64_t min, max;
	const char *shown; /* the default in words, where it is worked out or empty */
	const char *help;
};

#define SETTINGS_MAX 64
extern const struct setting settings[];
extern const size_t settings_count;

/* The fields of a provider in the order of PROVIDER_FIELD_LIST: only name and kind (SETTING_TEXT or SETTING_SECRET). */
extern const struct setting provider_fields[PROVIDER_FIELD_COUNT];

bool setting_is_secret(const struct setting *setting);

/* GATEHOUSE_GATE_TIMEOUT and --gate-timeout. */
char *setting_variable(struct arena *arena, const struct setting *setting);
char *setting_flag(struct arena *arena, const struct setting *setting);

/* The index of the row that a name means, or count. For `x_file` of a secret x sets *ret_is_file. */
size_t setting_find(const struct setting *table, size_t count, const char *name, bool *ret_is_file);

/* The name (in lower case with underscores) that is nearest to an unknown one; NULL where none is near. */
const char *setting_nearest(const struct setting *table, size_t count, const char *name);

/* Checks the text of a value and puts it into the configuration; complains where it is not lawful. */
void setting_take(struct config *config, const struct setting *setting, struct setting_value value,
	struct config_complaints *complaints);

#endif
