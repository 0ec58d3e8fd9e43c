/* SPDX-License-Identifier: Apache-2.0 */
/* The keyring: see keyring.h. The few functions of libsecret 0.20 that are called are declared here, as its header
 * does, so that building needs neither it nor GLib. */
#include "keyring.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "../base/clock.h"

#define LIBRARY "libsecret-1.so.0"
#define ATTRIBUTES_MAX 32
#define PATIENCE_MS 30000

/* SecretSchema, libsecret/secret-schema.h. */
struct secret_schema {
	const char *name;
	int flags;
	struct {
		const char *name;
		int type;
	} attributes[ATTRIBUTES_MAX];
	int reserved;
	void *reserved_pointers[7];
};

/* GError, glib/gerror.h. */
struct glib_error {
	unsigned domain;
	int code;
	char *message;
};

static const struct secret_schema schema = {
	.name = "dev.gatehouse.Login", .attributes = {{"issuer", 0}, {"profile", 0}}};

struct keyring {
	int (*store)(const struct secret_schema *, const char *, const char *, const char *, void *,
		struct glib_error **, ...);
	char *(*lookup)(const struct secret_schema *, void *, struct glib_error **, ...);
	int (*clear)(const struct secret_schema *, void *, struct glib_error **, ...);
	void (*free_password)(char *);
	void *(*new_cancellable)(void);
	void (*cancel)(void *);

	void *cancellable;
	pthread_t watch;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool has_ended;
};

static bool find_functions(struct keyring *keyring, void *library)
{
	const struct {
		const char *name;
		void *place;
	} functions[] = {
		{"secret_password_store_sync", &keyring->store},
		{"secret_password_lookup_sync", &keyring->lookup},
		{"secret_password_clear_sync", &keyring->clear},
		{"secret_password_free", &keyring->free_password},
		{"g_cancellable_new", &keyring->new_cancellable},
		{"g_cancellable_cancel", &keyring->cancel},
	};

	for (size_t i = 0; i < COUNT_OF(functions); i++) {
		void *found = dlsym(library, functions[i].name);

		if (found == NULL)
			return false;
		memcpy(functions[i].place, &found, sizeof(found));
	}
	return true;
}

/* A keyring that shows its user a question may wait for ever for the answer. */
static void *watch(void *argument)
{
	struct keyring *keyring = argument;
	struct timespec until = deadline_timespec(deadline_in_ms(PATIENCE_MS));

	pthread_mutex_lock(&keyring->lock);
	while (!keyring->has_ended) {
		if (pthread_cond_timedwait(&keyring->ended, &keyring->lock, &until) != 0)
			break;
	}
	if (!keyring->has_ended)
		keyring->cancel(keyring->cancellable);
	pthread_mutex_unlock(&keyring->lock);
	return NULL;
}

static bool open_keyring(struct keyring *keyring, struct problem *problem)
{
	/* Never closed: GLib cannot be unloaded. */
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	*keyring = (struct keyring){.has_ended = false};
	if (library == NULL || !find_functions(keyring, library)) {
		(void)problem_set(problem, PROBLEM_INTERNAL, "The keyring cannot be used: " LIBRARY " is not there.");
		return problem_detail(problem, "Install libsecret-1-0 and a keyring, or log in with `--store file`.");
	}
	keyring->cancellable = keyring->new_cancellable();
	pthread_mutex_init(&keyring->lock, NULL);
	condition_init(&keyring->ended);
	if (pthread_create(&keyring->watch, NULL, watch, keyring) != 0)
		return problem_set(problem, PROBLEM_INTERNAL, "The keyring cannot be used: there is no thread left.");
	return true;
}

/* What was wrong belongs to GLib and stays with it until the process ends. */
static bool close_keyring(struct keyring *keyring, const struct glib_error *error, struct problem *problem)
{
	pthread_mutex_lock(&keyring->lock);
	keyring->has_ended = true;
	pthread_cond_signal(&keyring->ended);
	pthread_mutex_unlock(&keyring->lock);
	pthread_join(keyring->watch, NULL);
	pthread_cond_destroy(&keyring->ended);
	pthread_mutex_destroy(&keyring->lock);
	if (error == NULL)
		return true;
	(void)problem_set(
		problem, PROBLEM_INTERNAL, "The keyring does not answer as it should: %.150s.", error->message);
	return problem_detail(problem, "Is one running and unlocked? Or log in with `--store file`.");
}

bool keyring_save(const char *issuer, const char *profile, struct secret value, struct problem *problem)
{
	struct keyring keyring;
	struct glib_error *error = NULL;

	if (!open_keyring(&keyring, problem))
		return false;
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): open_keyring has found it */
	(void)keyring.store(&schema, NULL, "Gatehouse login", value.text, keyring.cancellable, &error, "issuer", issuer,
		"profile", profile, (char *)NULL);
	return close_keyring(&keyring, error, problem);
}

bool keyring_load(
	const char *issuer, const char *profile, struct arena *arena, struct secret *ret_value, struct problem *problem)
{
	struct keyring keyring;
	struct glib_error *error = NULL;
	char *found;

	*ret_value = (struct secret){.text = NULL};
	if (!open_keyring(&keyring, problem))
		return false;
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): open_keyring has found it */
	found = keyring.lookup(
		&schema, keyring.cancellable, &error, "issuer", issuer, "profile", profile, (char *)NULL);
	if (found != NULL) {
		*ret_value = secret_copy(arena, found, strlen(found));
		keyring.free_password(found);
	}
	return close_keyring(&keyring, error, problem);
}

bool keyring_remove(const char *issuer, const char *profile, struct problem *problem)
{
	struct keyring keyring;
	struct glib_error *error = NULL;

	if (!open_keyring(&keyring, problem))
		return false;
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): open_keyring has found it */
	(void)keyring.clear(&schema, keyring.cancellable, &error, "issuer", issuer, "profile", profile, (char *)NULL);
	return close_keyring(&keyring, error, problem);
}
