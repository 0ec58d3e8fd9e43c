/* SPDX-License-Identifier: Apache-2.0 */
/* The identity cache: four places per set, chosen by the token's hash, a lock for a few sets. No lock is held while the
 * database is asked. Only found, active callers are remembered, so an unknown token always costs its sender a lookup
 * and never fills the cache. */
#include "identify.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/clock.h"
#include "../store/users.h"

/* 16384 places: room for ten thousand callers within IDENTITY_CACHE_MS; 2.2 MiB, touched only as far as it is used. */
#define SETS 4096
#define WAYS 4
#define LOCKS 64

struct entry {
	uint8_t hash[SHA256_BYTES];
	int64_t expires_us; /* 0: empty */
	role_set roles;
	char user_id[UUID_BYTES + 1];
	char username[NAME_BYTES_MAX + 1];
};

struct identity_cache {
	/* Moves on with every forgetting: an answer of the database that was asked before is then not remembered. */
	atomic_uint_fast64_t forgotten;
	pthread_mutex_t locks[LOCKS];
	struct entry entries[SETS][WAYS];
};

struct identity_cache *identity_cache_new(void)
{
	struct identity_cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		abort();
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&cache->locks[i], NULL);
	return cache;
}

void identity_cache_free(struct identity_cache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&cache->locks[i]);
	free(cache);
}

static size_t set_of(const uint8_t hash[SHA256_BYTES])
{
	return ((size_t)hash[0] << 8 | hash[1]) % SETS;
}

static struct entry *set_find(struct entry set[WAYS], const uint8_t hash[SHA256_BYTES])
{
	for (size_t i = 0; i < WAYS; i++)
		if (set[i].expires_us != 0 && memcmp(set[i].hash, hash, SHA256_BYTES) == 0)
			return &set[i];
	return NULL;
}

/* The token's own place, else an empty or the oldest one. */
static struct entry *set_place(struct entry set[WAYS], const uint8_t hash[SHA256_BYTES])
{
	struct entry *place = set_find(set, hash);

	if (place != NULL)
		return place;
	place = &set[0];
	for (size_t i = 1; i < WAYS; i++)
		if (set[i].expires_us < place->expires_us)
			place = &set[i];
	return place;
}

static bool cache_get(
	struct identity_cache *cache, const uint8_t hash[SHA256_BYTES], struct arena *arena, struct caller *ret_caller)
{
	size_t set = set_of(hash);
	int64_t now_us = clock_monotonic_us();
	struct entry copy = {0};
	struct entry *found;

	pthread_mutex_lock(&cache->locks[set % LOCKS]);
	found = set_find(cache->entries[set], hash);
	if (found != NULL)
		copy = *found;
	pthread_mutex_unlock(&cache->locks[set % LOCKS]);
	if (copy.expires_us <= now_us)
		return false;
	*ret_caller = (struct caller){.user_id = arena_copy(arena, copy.user_id),
		.username = arena_copy(arena, copy.username),
		.roles = copy.roles};
	return true;
}

/* For IDENTITY_CACHE_MS, and never for longer than the token is good. */
static void cache_put(struct identity_cache *cache, const uint8_t hash[SHA256_BYTES], const struct user *user,
	int64_t left_ms, uint_fast64_t forgotten)
{
	size_t set = set_of(hash);
	int64_t keep_ms = left_ms < IDENTITY_CACHE_MS ? left_ms : IDENTITY_CACHE_MS;
	struct entry entry = {.expires_us = clock_monotonic_us() + keep_ms * 1000, .roles = user->roles};
	size_t id_size = strlen(user->id), name_size = strlen(user->username);

	if (id_size >= sizeof(entry.user_id) || name_size >= sizeof(entry.username))
		return;
	memcpy(entry.hash, hash, SHA256_BYTES);
	memcpy(entry.user_id, user->id, id_size);
	memcpy(entry.username, user->username, name_size);
	pthread_mutex_lock(&cache->locks[set % LOCKS]);
	if (atomic_load(&cache->forgotten) == forgotten)
		*set_place(cache->entries[set], hash) = entry;
	pthread_mutex_unlock(&cache->locks[set % LOCKS]);
}

void identity_forget_token(struct identity_cache *cache, const uint8_t hash[SHA256_BYTES])
{
	size_t set = set_of(hash);
	struct entry *found;

	atomic_fetch_add(&cache->forgotten, 1);
	pthread_mutex_lock(&cache->locks[set % LOCKS]);
	found = set_find(cache->entries[set], hash);
	if (found != NULL)
		*found = (struct entry){0};
	pthread_mutex_unlock(&cache->locks[set % LOCKS]);
}

void identity_forget_user(struct identity_cache *cache, const char *user_id)
{
	atomic_fetch_add(&cache->forgotten, 1);
	for (size_t set = 0; set < SETS; set++) {
		pthread_mutex_lock(&cache->locks[set % LOCKS]);
		for (size_t way = 0; way < WAYS; way++)
			if (strcmp(cache->entries[set][way].user_id, user_id) == 0)
				cache->entries[set][way] = (struct entry){0};
		pthread_mutex_unlock(&cache->locks[set % LOCKS]);
	}
}

/* The token of `Authorization: Bearer <token>` (RFC 6750 section 2.1; RFC 9110 section 11.1: the scheme's case does not
 * matter), or NULL. */
static const char *bearer_token(const char *authorization, struct arena *arena)
{
	const char *token;

	if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
		return NULL;
	token = authorization + 7;
	token += strspn(token, " ");
	/* Blanks behind a value are not part of it (RFC 9110 section 5.5). */
	size_t size = strcspn(token, " \t");
	if (token[size] != '\0' && token[size + strspn(token + size, " \t")] == '\0')
		token = arena_copy_bytes(arena, token, size);
	return *token == '\0' ? NULL : token;
}

bool identify_is_token_sent(const char *authorization, const char *session_token)
{
	bool is_bearer = authorization != NULL && strncasecmp(authorization, "Bearer ", 7) == 0;

	return (session_token != NULL && *session_token != '\0') ||
	       (is_bearer && authorization[7 + strspn(authorization + 7, " \t")] != '\0');
}

static bool ask_store(struct request *request, const uint8_t hash[SHA256_BYTES], struct problem *problem)
{
	const struct service *service = request->service;
	uint_fast64_t forgotten = atomic_load(&service->identities->forgotten);
	struct user user = {0};
	int64_t left_ms = 0;
	bool found = false;

	if (!token_find_user(service->store, request->arena, hash, &found, &user, &left_ms, problem))
		return false;
	if (!found)
		return problem_set(problem, PROBLEM_UNAUTHENTICATED, "The token is unknown or has expired.");
	if (user.suspended)
		return problem_set(problem, PROBLEM_OWNER_SUSPENDED, "User %s is suspended.", user.username);
	request->caller = (struct caller){.user_id = user.id, .username = user.username, .roles = user.roles};
	cache_put(service->identities, hash, &user, left_ms, forgotten);
	return true;
}

bool identify_caller(
	struct request *request, const char *authorization, const char *session_token, struct problem *problem)
{
	const char *bearer = bearer_token(authorization, request->arena);
	const char *token = bearer != NULL ? bearer : session_token;
	uint8_t hash[SHA256_BYTES];

	if (bearer != NULL && session_token != NULL && strcmp(bearer, session_token) != 0)
		return problem_set(problem, PROBLEM_BAD_REQUEST,
			"Authorization and Coder-Session-Token name different tokens; send one of them.");
	if (token == NULL || *token == '\0') {
		problem_set(problem, PROBLEM_UNAUTHENTICATED, "This request needs a token.");
		return problem_detail(problem, "Send `Authorization: Bearer <token>` or `Coder-Session-Token: "
					       "<token>`.");
	}
	sha256(token, strlen(token), hash);
	if (cache_get(request->service->identities, hash, request->arena, &request->caller))
		return true;
	return ask_store(request, hash, problem);
}
