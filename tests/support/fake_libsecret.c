/* SPDX-License-Identifier: Apache-2.0 */
/* The six functions of libsecret and GIO that the command line calls, over one file a login in $FAKE_KEYRING, so that a
 * keyring can be tried without a desktop. Named libsecret-1.so.0 and found by LD_LIBRARY_PATH. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct failure {
	unsigned domain;
	int code;
	char *message;
};

static char LOCKED[] = "the collection is locked";
static char token[1];

int secret_password_store_sync(const void *schema, const char *collection, const char *label, const char *password,
	void *cancellable, struct failure **error, ...);
char *secret_password_lookup_sync(const void *schema, void *cancellable, struct failure **error, ...);
int secret_password_clear_sync(const void *schema, void *cancellable, struct failure **error, ...);
void secret_password_free(char *password);
void *g_cancellable_new(void);
void g_cancellable_cancel(void *cancellable);

/* The attributes, in the order they are given, with what no file name may hold made plain. */
static void path_of(va_list attributes, char *ret_path, size_t size)
{
	size_t used = (size_t)snprintf(ret_path, size, "%s/", getenv("FAKE_KEYRING"));

	for (const char *name; (name = va_arg(attributes, const char *)) != NULL && used < size;) {
		size_t start = used;

		used += (size_t)snprintf(
			ret_path + used, size - used, "%s=%s,", name, va_arg(attributes, const char *));
		for (size_t i = start; i < used && i < size; i++)
			if (ret_path[i] == '/')
				ret_path[i] = '_';
	}
}

static int is_locked(struct failure **error)
{
	if (getenv("FAKE_KEYRING_LOCKED") == NULL)
		return 0;
	*error = calloc(1, sizeof(**error));
	if (*error != NULL)
		(*error)->message = LOCKED;
	return 1;
}

int secret_password_store_sync(const void *schema, const char *collection, const char *label, const char *password,
	void *cancellable, struct failure **error, ...)
{
	char path[4096];
	va_list attributes;
	FILE *file;

	(void)schema, (void)collection, (void)label, (void)cancellable;
	va_start(attributes, error);
	path_of(attributes, path, sizeof(path));
	va_end(attributes);
	if (is_locked(error) || (file = fopen(path, "w")) == NULL)
		return 0;
	(void)fputs(password, file);
	return fclose(file) == 0;
}

char *secret_password_lookup_sync(const void *schema, void *cancellable, struct failure **error, ...)
{
	char path[4096];
	char *found = NULL;
	size_t size = 0;
	va_list attributes;
	FILE *file;

	(void)schema, (void)cancellable;
	va_start(attributes, error);
	path_of(attributes, path, sizeof(path));
	va_end(attributes);
	if (is_locked(error) || (file = fopen(path, "r")) == NULL)
		return NULL;
	if (getdelim(&found, &size, '\0', file) < 0) {
		free(found);
		found = NULL;
	}
	(void)fclose(file);
	return found;
}

int secret_password_clear_sync(const void *schema, void *cancellable, struct failure **error, ...)
{
	char path[4096];
	va_list attributes;

	(void)schema, (void)cancellable;
	va_start(attributes, error);
	path_of(attributes, path, sizeof(path));
	va_end(attributes);
	return !is_locked(error) && unlink(path) == 0;
}

void secret_password_free(char *password)
{
	free(password);
}

void *g_cancellable_new(void)
{
	return token;
}

void g_cancellable_cancel(void *cancellable)
{
	(void)cancellable;
}
