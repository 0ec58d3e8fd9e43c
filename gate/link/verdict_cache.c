/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict cache: see verdict_cache.h. A fixed number of shards, each with its lock, its entries and a hash table of
 * chains over them, so that threads seldom meet and a hit costs a hash, a lock and a short walk. A full shard gives the
 * place of the verdict that was given longest ago. */
#include "verdict_cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"

/* A hundred thousand links with room for the hash's unevenness, at 64 bytes an entry: 8 MiB, and half of one for
 * chains. Pages that no entry was ever put on cost nothing. */
#define SHARDS 32
#define SHARD_ENTRIES 4096
#define SHARD_CHAINS 4096
_Static_assert(SHARDS *SHARD_ENTRIES >= 131072, "room for a hundred thousand links");

#define OWNER_BYTES 16

/* Entries are named by their place + 1. */
#define NOBODY 0

struct entry {
	uint8_t owner[OWNER_BYTES];
	const struct provider *provider;
	int64_t generation;
	int64_t asked_us;
	int64_t noted_us;      /* 0: never */
	uint16_t chain_next;   /* also of those that are free */
	uint16_t older, newer; /* by when they were put */
	bool is_confirmed;     /* false: rejected */
};

_Static_assert(sizeof(struct entry) <= 64, "a hundred thousand links must fit into 16 MiB");
_Static_assert(SHARD_ENTRIES < UINT16_MAX, "a place + 1 fits older and newer");

struct shard {
	pthread_mutex_t lock;
	uint16_t oldest, newest;
	uint16_t free;  /* the first that was given back */
	uint16_t fresh; /* how many were ever used */
	uint16_t chains[SHARD_CHAINS];
	struct entry entries[SHARD_ENTRIES];
};

_Static_assert(sizeof(struct shard) * SHARDS < 16 * 1024 * 1024, "the bound that is promised");

struct verdict_cache {
	struct shard shards[SHARDS];
};

/* A key as it is compared. */
struct place {
	uint8_t owner[OWNER_BYTES];
	const struct provider *provider;
	struct shard *shard;
	uint16_t *chain;
};

struct verdict_cache *verdict_cache_new(void)
{
	struct verdict_cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL) {
		(void)fputs("gatehouse: out of memory for the verdict cache\n", stderr);
		abort();
	}
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&cache->shards[i].lock, NULL);
	return cache;
}

void verdict_cache_free(struct verdict_cache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&cache->shards[i].lock);
	free(cache);
}

/* --- where a link's entry is ------------------------------------------------------------------------------------- */

/* Of a digit: the text is known to be a UUID. */
static unsigned hex_digit(char character)
{
	if (character >= '0' && character <= '9')
		return (unsigned)(character - '0');
	if (character >= 'a' && character <= 'f')
		return (unsigned)(character - 'a') + 10;
	return (unsigned)(character - 'A') + 10;
}

/* The octets of a UUID's text (RFC 9562 section 4): half the size, and either case is the same. */
static bool read_owner(const char *text, uint8_t ret_owner[OWNER_BYTES])
{
	if (!name_is_uuid(text))
		return false;
	for (size_t i = 0; i < OWNER_BYTES; text += 2, i++) {
		if (*text == '-')
			text++;
		ret_owner[i] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
	}
	return true;
}

static uint64_t mix(uint64_t hash)
{
	hash = (hash ^ hash >> 31) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

/* Owner ids and configured providers are ours, nobody chooses them to meet in one chain. */
static uint64_t hash_owner(const uint8_t owner[OWNER_BYTES], const struct provider *provider)
{
	uint64_t halves[2];

	memcpy(halves, owner, sizeof(halves));
	return mix(mix(mix(halves[0]) ^ halves[1]) ^ (uintptr_t)provider);
}

static size_t chain_index(uint64_t hash)
{
	return hash / SHARDS % SHARD_CHAINS;
}

/* false: there is no cache, or the owner has no place in it. */
static bool find_place(
	struct verdict_cache *cache, const char *owner_id, const struct provider *provider, struct place *ret_place)
{
	if (cache == NULL || !read_owner(owner_id, ret_place->owner))
		return false;
	ret_place->provider = provider;
	uint64_t hash = hash_owner(ret_place->owner, provider);
	ret_place->shard = &cache->shards[hash % SHARDS];
	ret_place->chain = &ret_place->shard->chains[chain_index(hash)];
	return true;
}

/* --- one shard; all with its lock held --------------------------------------------------------------------------- */

static struct entry *entry_at(struct shard *shard, uint16_t name)
{
	return &shard->entries[name - 1];
}

static uint16_t name_of(const struct shard *shard, const struct entry *entry)
{
	return (uint16_t)(entry - shard->entries + 1);
}

static struct entry *find_entry(const struct place *place)
{
	for (uint16_t name = *place->chain; name != NOBODY;) {
		struct entry *entry = entry_at(place->shard, name);

		if (entry->provider == place->provider && memcmp(entry->owner, place->owner, OWNER_BYTES) == 0)
			return entry;
		name = entry->chain_next;
	}
	return NULL;
}

static void age_remove(struct shard *shard, struct entry *entry)
{
	if (entry->older != NOBODY)
		entry_at(shard, entry->older)->newer = entry->newer;
	else
		shard->oldest = entry->newer;
	if (entry->newer != NOBODY)
		entry_at(shard, entry->newer)->older = entry->older;
	else
		shard->newest = entry->older;
}

static void age_append(struct shard *shard, struct entry *entry)
{
	uint16_t name = name_of(shard, entry);

	entry->newer = NOBODY;
	entry->older = shard->newest;
	if (shard->newest != NOBODY)
		entry_at(shard, shard->newest)->newer = name;
	else
		shard->oldest = name;
	shard->newest = name;
}

static void chain_remove(struct shard *shard, uint16_t *chain, const struct entry *entry)
{
	uint16_t name = name_of(shard, entry);

	while (*chain != name)
		chain = &entry_at(shard, *chain)->chain_next;
	*chain = entry->chain_next;
}

static uint16_t *chain_of(struct shard *shard, const struct entry *entry)
{
	return &shard->chains[chain_index(hash_owner(entry->owner, entry->provider))];
}

/* An entry that nobody uses: one given back, a fresh one, or else the oldest. */
static struct entry *take_entry(struct shard *shard)
{
	if (shard->free != NOBODY) {
		struct entry *entry = entry_at(shard, shard->free);

		shard->free = entry->chain_next;
		return entry;
	}
	if (shard->fresh < SHARD_ENTRIES)
		return &shard->entries[shard->fresh++];
	struct entry *oldest = entry_at(shard, shard->oldest);
	age_remove(shard, oldest);
	chain_remove(shard, chain_of(shard, oldest), oldest);
	return oldest;
}

static struct entry *add_entry(const struct place *place, int64_t generation)
{
	struct entry *entry = take_entry(place->shard);

	*entry = (struct entry){.provider = place->provider,
		.generation = generation,
		.asked_us = INT64_MIN,
		.chain_next = *place->chain};
	memcpy(entry->owner, place->owner, OWNER_BYTES);
	*place->chain = name_of(place->shard, entry);
	age_append(place->shard, entry);
	return entry;
}

static bool is_better_known(const struct entry *entry, bool is_confirmed, int64_t asked_us)
{
	if (entry->asked_us != asked_us)
		return entry->asked_us > asked_us;
	return is_confirmed && !entry->is_confirmed;
}

static void put_verdict(const struct place *place, int64_t generation, bool is_confirmed, int64_t asked_us)
{
	struct entry *entry = find_entry(place);

	if (entry == NULL)
		entry = add_entry(place, generation);
	if (entry->generation > generation)
		return;
	if (entry->generation == generation && is_better_known(entry, is_confirmed, asked_us))
		return;
	if (entry->generation != generation)
		entry->noted_us = 0;
	entry->generation = generation;
	entry->is_confirmed = is_confirmed;
	entry->asked_us = asked_us;
	age_remove(place->shard, entry);
	age_append(place->shard, entry);
}

/* --- what others call -------------------------------------------------------------------------------------------- */

enum validation verdict_cache_find(struct verdict_cache *cache, const struct verdict_key *key, int64_t *ret_asked_us)
{
	enum validation outcome = VALIDATION_NONE;
	struct place place;

	*ret_asked_us = 0;
	if (!find_place(cache, key->owner_id, key->provider, &place))
		return VALIDATION_NONE;
	pthread_mutex_lock(&place.shard->lock);
	const struct entry *entry = find_entry(&place);
	if (entry != NULL && entry->generation == key->generation) {
		outcome = entry->is_confirmed ? VALIDATION_CONFIRMED : VALIDATION_REJECTED;
		*ret_asked_us = entry->asked_us;
	}
	pthread_mutex_unlock(&place.shard->lock);
	return outcome;
}

void verdict_cache_put(
	struct verdict_cache *cache, const struct verdict_key *key, enum validation outcome, int64_t asked_us)
{
	struct place place;

	if (outcome != VALIDATION_CONFIRMED && outcome != VALIDATION_REJECTED)
		return;
	if (!find_place(cache, key->owner_id, key->provider, &place))
		return;
	pthread_mutex_lock(&place.shard->lock);
	put_verdict(&place, key->generation, outcome == VALIDATION_CONFIRMED, asked_us);
	pthread_mutex_unlock(&place.shard->lock);
}

bool verdict_cache_claim_note(struct verdict_cache *cache, const struct verdict_key *key, int64_t every_ms)
{
	bool is_due = true;
	struct place place;

	if (!find_place(cache, key->owner_id, key->provider, &place))
		return true;
	pthread_mutex_lock(&place.shard->lock);
	struct entry *entry = find_entry(&place);
	if (entry != NULL && entry->generation == key->generation) {
		int64_t now_us = clock_monotonic_us();

		is_due = entry->noted_us == 0 || now_us - entry->noted_us >= every_ms * 1000;
		if (is_due)
			entry->noted_us = now_us;
	}
	pthread_mutex_unlock(&place.shard->lock);
	return is_due;
}

void verdict_cache_drop(struct verdict_cache *cache, const char *owner_id, const struct provider *provider)
{
	struct place place;

	if (!find_place(cache, owner_id, provider, &place))
		return;
	pthread_mutex_lock(&place.shard->lock);
	struct entry *entry = find_entry(&place);
	if (entry != NULL) {
		age_remove(place.shard, entry);
		chain_remove(place.shard, place.chain, entry);
		entry->chain_next = place.shard->free;
		place.shard->free = name_of(place.shard, entry);
	}
	pthread_mutex_unlock(&place.shard->lock);
}
