/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a configuration from flags, variables and files of the test's own directory. */
#ifndef UNIT_CONFIG_H
#define UNIT_CONFIG_H

#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"

#define ENTRIES_MAX 64
#define KEY_A "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define KEY_B "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="

static char folder[] = "/tmp/gatehouse-config-XXXXXX";
static struct config_complaints complaints;

static inline char *path_of(const char *name)
{
	static char paths[8][128];
	static size_t next;
	char *path = paths[next++ % COUNT_OF(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static inline char *written(const char *name, const char *content)
{
	char *path = path_of(name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	(void)fputs(content, file);
	(void)fclose(file);
	return path;
}

static inline char *joined(const char *left, const char *right)
{
	static char texts[8][512];
	static size_t next;
	char *text = texts[next++ % COUNT_OF(texts)];

	(void)snprintf(text, sizeof(texts[0]), "%s%s", left, right);
	return text;
}

/* Both lists end with NULL. */
static inline struct config *loaded(const char *const *flags, const char *const *variables)
{
	char *argv[ENTRIES_MAX] = {NULL};
	char *environment[ENTRIES_MAX] = {NULL};
	struct config *config;
	bool help;
	int argc = 0;

	memset(&complaints, 0, sizeof(complaints));
	for (; flags[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)flags[argc];
	for (size_t i = 0; variables[i] != NULL; i++)
		environment[i] = (char *)(uintptr_t)variables[i];
	if (config_load(argc, argv, environment, &config, &help, &complaints))
		return config;
	config_free(config);
	return NULL;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})

static inline struct config *good(const char *const *flags, const char *const *variables)
{
	struct config *config = loaded(flags, variables);

	if (config == NULL)
		fail_msg("%s", complaints.lines[0]);
	return config;
}

/* The only complaint is this one. */
static inline void refused(const char *const *flags, const char *const *variables, const char *complaint)
{
	struct config *config = loaded(flags, variables);

	assert_null(config);
	if (complaints.count != 1)
		fail_msg("%zu complaints: %s | %s", complaints.count, complaints.lines[0], complaints.lines[1]);
	assert_string_equal(complaints.lines[0], complaint);
}

static inline void refused_file(const char *content, const char *line, const char *complaint)
{
	char expected[600];
	char *path = written("gatehouse.yaml", content);

	(void)snprintf(expected, sizeof(expected), "%s:%s: %s", path, line, complaint);
	refused(LIST("--config", path), LIST("HOME=/h"), expected);
}

static inline int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static inline int remove_folder(void **state)
{
	static const char *const names[] = {"gatehouse.yaml", "url", "key", "token", "secrets.yaml", "empty",
		"empty.yaml", "broken.yaml", "providers.yaml", "client-secret"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)unlink(path_of(names[i]));
	return rmdir(folder);
}

#endif
