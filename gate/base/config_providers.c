/* SPDX-License-Identifier: Apache-2.0 */
/* The providers as given, from the environment or the file. Variables replace the file's list as a whole: a list put
 * together from two places would be one that nobody wrote. */
#include <stdlib.h>
#include <string.h>

#include "config_load.h"
#include "must_check.h"
#include "text.h"
#include "yaml.h"

/* Empty is not given, but for scopes: "none of the preset's". */
static struct setting_value provider_field_value(enum provider_field field, struct setting_value value)
{
	if (value.text != NULL && *value.text == '\0' && field != PROVIDER_FIELD_SCOPES)
		return (struct setting_value){0};
	return value;
}

static void provider_fill(struct loader *loader, struct provider_settings *provider, const char *place,
	const struct given given[PROVIDER_FIELD_COUNT])
{
	provider->place = place;
	for (size_t i = 0; i < PROVIDER_FIELD_COUNT; i++)
		provider->fields[i] = provider_field_value(
			(enum provider_field)i, given_value(loader, &given[i], provider_fields[i].name));
}

static void provider_complain_unknown(struct loader *loader, const char *place, const char *name, bool upper)
{
	const char *nearest = setting_nearest(provider_fields, PROVIDER_FIELD_COUNT, name);
	char *shown;

	if (nearest == NULL) {
		config_complain(loader->complaints, place, name, "is no field of a provider; the README lists them");
		return;
	}
	shown = arena_copy(loader->arena, nearest);
	if (upper)
		text_to_upper(shown);
	config_complain(loader->complaints, place, name, "is no field of a provider; did you mean %s?", shown);
}

/* --- the environment --------------------------------------------------------------------------------------------- */

/* The number in `12_CLIENT_ID=…`, and its name in lower case; false where it has not this form. */
static bool provider_variable_parse(struct arena *arena, const char *rest, size_t *ret_number, char **ret_name)
{
	size_t digits = strspn(rest, "0123456789");

	if (digits == 0 || digits > 4 || rest[digits] != '_' || (digits > 1 && rest[0] == '0'))
		return false;
	*ret_number = (size_t)strtoul(rest, NULL, 10);
	*ret_name = arena_copy_bytes(arena, rest + digits + 1, strcspn(rest + digits + 1, "="));
	bool is_upper = strpbrk(*ret_name, "abcdefghijklmnopqrstuvwxyz") == NULL;

	text_to_lower(*ret_name);
	return is_upper;
}

/* Rows of PROVIDER_FIELD_COUNT; NULL: no variable has this number. */
struct provider_rows {
	struct given *rows[PROVIDERS_MAX];
};

static void provider_variable_read(struct loader *loader, const char *entry, struct provider_rows *rows)
{
	char *variable = arena_copy_bytes(loader->arena, entry, strcspn(entry, "="));
	const char *text = entry + strlen(variable) + 1;
	size_t number;
	char *name;
	bool is_file = false;
	size_t field;

	if (!provider_variable_parse(loader->arena, entry + strlen(PROVIDER_VARIABLE), &number, &name)) {
		config_complain(loader->complaints, variable, "external_auth",
			"is unknown; write " PROVIDER_VARIABLE "<N>_<NAME> with N from 0 on");
		return;
	}
	field = setting_find(provider_fields, PROVIDER_FIELD_COUNT, name, &is_file);
	if (field == PROVIDER_FIELD_COUNT) {
		provider_complain_unknown(loader, variable, name, true);
		return;
	}
	if (number >= PROVIDERS_MAX) {
		config_complain(loader->complaints, variable, "external_auth",
			"has too high a number; allowed: 0 to %d", PROVIDERS_MAX - 1);
		return;
	}
	if (rows->rows[number] == NULL)
		rows->rows[number] = arena_alloc(loader->arena, PROVIDER_FIELD_COUNT * sizeof(struct given));
	*(is_file ? &rows->rows[number][field].file : &rows->rows[number][field].value) =
		(struct setting_value){.text = text, .place = variable};
}

void config_read_provider_variables(struct loader *loader)
{
	struct provider_rows rows = {0};
	struct config *config = loader->config;
	size_t end = PROVIDERS_MAX;

	for (char **entry = loader->environment; *entry != NULL; entry++)
		if (strncmp(*entry, PROVIDER_VARIABLE, strlen(PROVIDER_VARIABLE)) == 0 && strchr(*entry, '=') != NULL)
			provider_variable_read(loader, *entry, &rows);
	while (end > 0 && rows.rows[end - 1] == NULL)
		end--;
	for (size_t i = 0; i < end; i++) {
		char *place = arena_printf(loader->arena, PROVIDER_VARIABLE "%zu", i);

		if (rows.rows[i] == NULL)
			config_complain(loader->complaints, place, "external_auth",
				"is missing; numbers go from 0 on without holes, and %zu is given", end - 1);
		else
			provider_fill(loader, &config->providers[config->provider_count++], place, rows.rows[i]);
	}
}

/* --- the file ---------------------------------------------------------------------------------------------------- */

static void provider_member_read(
	struct loader *loader, const struct yaml_value *member, struct given given[PROVIDER_FIELD_COUNT])
{
	bool is_file = false;
	size_t field = setting_find(provider_fields, PROVIDER_FIELD_COUNT, member->key, &is_file);

	if (field == PROVIDER_FIELD_COUNT)
		provider_complain_unknown(loader, member->place, member->key, false);
	else if (member->shape != YAML_SHAPE_TEXT)
		config_complain(loader->complaints, member->place, member->key, "is no text; write `%s: value`%s",
			member->key,
			field == PROVIDER_FIELD_SCOPES || field == PROVIDER_FIELD_EXTRA_TOKEN_KEYS ? " with blanks "
												     "between several"
												   : "");
	else
		*(is_file ? &given[field].file : &given[field].value) =
			(struct setting_value){.text = member->text, .place = member->place};
}

void config_read_provider_list(struct loader *loader, const struct yaml_value *list)
{
	struct config *config = loader->config;

	if (config->provider_count > 0)
		return;
	if (list->shape != YAML_SHAPE_LIST && (list->shape != YAML_SHAPE_TEXT || *list->text != '\0')) {
		config_complain(
			loader->complaints, list->place, list->key, "is no list; start each provider with `- id: …`");
		return;
	}
	for (const struct yaml_value *item = list->first; item != NULL; item = item->next) {
		struct given given[PROVIDER_FIELD_COUNT] = {0};

		if (config->provider_count >= PROVIDERS_MAX) {
			config_complain(loader->complaints, item->place, list->key,
				"is one provider too many; allowed: %d", PROVIDERS_MAX);
			return;
		}
		if (item->shape != YAML_SHAPE_MAP) {
			config_complain(
				loader->complaints, item->place, list->key, "has an entry that is no map of fields");
			continue;
		}
		for (const struct yaml_value *member = item->first; member != NULL; member = member->next)
			provider_member_read(loader, member, given);
		provider_fill(loader, &config->providers[config->provider_count++], item->place, given);
	}
}
