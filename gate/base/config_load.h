/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of config_load share: one source after the other (flags, environment, file) says what it gives, and
 * the first that gives a setting wins. */
#ifndef BASE_CONFIG_LOAD_H
#define BASE_CONFIG_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "settings.h"

/* What one source says of one setting: its value, or the file that holds it (X_FILE). */
struct given {
	struct setting_value value;
	struct setting_value file;
};

struct loader {
	struct arena *arena;
	struct config *config;
	struct config_complaints *complaints;
	char **environment;
	struct setting_value chosen[SETTINGS_MAX];
};

/* The variable's value, or NULL. */
const char *loader_variable(const struct loader *loader, const char *name);

/* The value of what was given, from its file where it was given so; text NULL where nothing or nothing good was given.
 * key is for complaints. */
struct setting_value given_value(struct loader *loader, const struct given *given, const char *key);

/* config_flags.c: the command line into loader->chosen. */
void config_read_flags(struct loader *loader, int argc, char **argv);

/* config_providers.c: GATEHOUSE_EXTERNAL_AUTH_<N>_<NAME>, and the list in the file. */
#define PROVIDER_VARIABLE "GATEHOUSE_EXTERNAL_AUTH_"
struct yaml_value;
void config_read_provider_variables(struct loader *loader);
void config_read_provider_list(struct loader *loader, const struct yaml_value *list);

/* config_file.c */

/* Reads a whole file of at most bytes_max; NULL with a complaint where that fails. */
char *config_read_file(
	struct loader *loader, struct setting_value path, const char *key, size_t bytes_max, size_t *ret_size);

/* The file that the setting `config` names. */
void config_read_yaml(struct loader *loader, struct setting_value path);

/* Takes for chosen what this source gave, unless an earlier one said it. */
void config_choose(struct loader *loader, const struct given given[SETTINGS_MAX]);

#endif
