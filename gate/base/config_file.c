/* SPDX-License-Identifier: Apache-2.0 */
/* Files: the YAML file of settings, and the files that hold one secret each. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config_load.h"
#include "must_check.h"
#include "yaml.h"

RELEASE_WITH(config_file_release, FILE, fclose)

/* What went wrong, in words of our own: strerror is not for threads, and an operator needs the common three. */
static const char *config_file_error(int error)
{
	if (error == ENOENT)
		return "there is no such file";
	if (error == EACCES)
		return "this process may not read it";
	return error == EISDIR ? "it is a directory" : "reading it failed";
}

char *config_read_file(
	struct loader *loader, struct setting_value path, const char *key, size_t bytes_max, size_t *ret_size)
{
	SCOPED(config_file_release) FILE *file = fopen(path.text, "re");
	char *bytes;

	if (file == NULL) {
		config_complain(
			loader->complaints, path.place, key, "cannot read %s: %s", path.text, config_file_error(errno));
		return NULL;
	}
	/* Unbuffered, so that no copy of a secret stays behind in stdio's memory. */
	(void)setvbuf(file, NULL, _IONBF, 0);
	bytes = arena_alloc(loader->arena, bytes_max + 2);
	*ret_size = fread(bytes, 1, bytes_max + 1, file);
	if (ferror(file) != 0) {
		config_complain(
			loader->complaints, path.place, key, "cannot read %s: %s", path.text, config_file_error(errno));
		return NULL;
	}
	if (*ret_size > bytes_max) {
		config_complain(loader->complaints, path.place, key, "%s is too large; at most %zu bytes are read",
			path.text, bytes_max);
		return NULL;
	}
	return bytes;
}

/* The secret in a file; its last newline belongs to the editor, not to the secret. */
static struct setting_value config_read_secret(struct loader *loader, struct setting_value path, const char *key)
{
	size_t size;
	char *bytes = config_read_file(loader, path, key, CONFIG_VALUE_BYTES_MAX, &size);

	if (bytes == NULL)
		return (struct setting_value){0};
	if (memchr(bytes, '\0', size) != NULL) {
		config_complain(loader->complaints, path.place, key, "%s holds a NUL; allowed: text", path.text);
		return (struct setting_value){0};
	}
	if (size > 0 && bytes[size - 1] == '\n')
		bytes[--size] = '\0';
	if (size > 0 && bytes[size - 1] == '\r')
		bytes[--size] = '\0';
	if (size == 0)
		config_complain(loader->complaints, path.place, key, "%s is empty; put the secret there", path.text);
	return (struct setting_value){.text = bytes, .place = path.place};
}

struct setting_value given_value(struct loader *loader, const struct given *given, const char *key)
{
	bool has_file = given->file.text != NULL && *given->file.text != '\0';

	if (!has_file)
		return given->value;
	if (given->value.text == NULL || *given->value.text == '\0')
		return config_read_secret(loader, given->file, key);
	config_complain(loader->complaints, given->file.place, key, "is also given by %s; give one of the two",
		given->value.place);
	return (struct setting_value){0};
}

/* --- YAML -------------------------------------------------------------------------------------------------------- */

static void config_complain_unknown_key(struct loader *loader, const struct yaml_value *member)
{
	const char *nearest = setting_nearest(settings, settings_count, member->key);

	if (nearest != NULL)
		config_complain(
			loader->complaints, member->place, member->key, "is unknown; did you mean %s?", nearest);
	else
		config_complain(loader->complaints, member->place, member->key,
			"is unknown; `gatehouse serve --help` lists all");
}

static void config_read_member(struct loader *loader, const struct yaml_value *member, struct given given[SETTINGS_MAX])
{
	bool is_file = false;
	size_t index = setting_find(settings, settings_count, member->key, &is_file);
	struct setting_value value = {.text = member->text, .place = member->place};

	if (strcmp(member->key, "external_auth") == 0)
		config_read_provider_list(loader, member);
	else if (strcmp(member->key, "config") == 0)
		config_complain(
			loader->complaints, member->place, member->key, "names this file and cannot stand in it");
	else if (index == settings_count)
		config_complain_unknown_key(loader, member);
	else if (member->shape != YAML_SHAPE_TEXT)
		config_complain(
			loader->complaints, member->place, member->key, "is no text; write `%s: value`", member->key);
	else if (is_file)
		given[index].file = value;
	else
		given[index].value = value;
}

void config_read_yaml(struct loader *loader, struct setting_value path)
{
	struct given given[SETTINGS_MAX] = {0};
	struct yaml_value *root;
	size_t size;
	char *bytes = config_read_file(loader, path, "config", CONFIG_FILE_BYTES_MAX, &size);

	if (bytes == NULL || !yaml_read(loader->arena, bytes, size, path.text, &root, loader->complaints) ||
		root == NULL)
		return;
	for (const struct yaml_value *member = root->first; member != NULL; member = member->next)
		config_read_member(loader, member, given);
	config_choose(loader, given);
}
