/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. getopt_long keeps its state in globals, takes abbreviations and reports one error at a time; here
 * all are collected, with the nearest known name. */
#include <string.h>

#include "config_load.h"

/* `gate-timeout` of `--gate-timeout=10s` as `gate_timeout`. */
static char *flag_name(struct arena *arena, const char *argument)
{
	char *name = arena_copy_bytes(arena, argument + 2, strcspn(argument + 2, "="));

	for (char *c = name; *c != '\0'; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

static void flag_complain_unknown(struct loader *loader, const char *flag, const char *name)
{
	const char *nearest = setting_nearest(settings, settings_count, name);
	bool is_file;

	if (nearest == NULL) {
		config_complain(loader->complaints, flag, "flag", "is unknown; --help lists all");
		return;
	}
	config_complain(loader->complaints, flag, "flag", "is unknown; did you mean %s?",
		setting_flag(loader->arena, &settings[setting_find(settings, settings_count, nearest, &is_file)]));
}

/* One flag with the argument behind it (NULL at the end). Says whether that was its value. */
static bool flag_read(
	struct loader *loader, const char *argument, const char *following, struct given given[SETTINGS_MAX])
{
	char *flag = arena_copy_bytes(loader->arena, argument, strcspn(argument, "="));
	char *name = flag_name(loader->arena, argument);
	const char *text = strchr(argument, '=');
	bool is_file = false;
	size_t index = setting_find(settings, settings_count, name, &is_file);
	bool consumes = text == NULL && index < settings_count && settings[index].kind != SETTING_BOOL;
	struct setting_value *target;

	if (index == settings_count) {
		flag_complain_unknown(loader, flag, name);
		return false;
	}
	if (consumes)
		text = following;
	else
		text = text == NULL ? "true" : text + 1;
	target = is_file ? &given[index].file : &given[index].value;
	if (text == NULL)
		config_complain(loader->complaints, flag, settings[index].name, "has no value; write %s=value", flag);
	else if (setting_is_secret(&settings[index]) && !is_file)
		config_complain(loader->complaints, flag, settings[index].name,
			"is a secret, and everybody on this host sees arguments; use %s or the variable %s",
			setting_flag(loader->arena, &settings[index]),
			setting_variable(loader->arena, &settings[index]));
	else if (target->text != NULL)
		config_complain(loader->complaints, flag, settings[index].name, "is given twice; give it once");
	else
		*target = (struct setting_value){.text = text, .place = flag};
	return consumes && following != NULL;
}

void config_read_flags(struct loader *loader, int argc, char **argv)
{
	struct given given[SETTINGS_MAX] = {0};
	int next = 0;

	while (next < argc) {
		char *argument = argv[next++];

		if (strncmp(argument, "--", 2) == 0 && argument[2] != '\0')
			next += flag_read(loader, argument, next < argc ? argv[next] : NULL, given);
		else
			config_complain(loader->complaints, config_show(loader->arena, argument), "argument",
				"is unexpected; options start with -- and --help lists them");
	}
	config_choose(loader, given);
}
