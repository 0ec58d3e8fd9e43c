/* SPDX-License-Identifier: Apache-2.0 */
/* Providers by name, with their switches, counters and request log; see provider_state.h. */
#include "provider_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BUCKET_COUNT = 256 };

static const char *const counter_words[COUNTER_COUNT] = {
#define COUNT(name) [COUNTER_##name] = #name,
	COUNTERS(COUNT)
#undef COUNT
};

static pthread_rwlock_t registry_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct provider *registry[NAME_BUCKET_COUNT];
static unsigned registry_count;

bool provider_name_is_lawful(const char *name)
{
	size_t length = strlen(name);
	if (length == 0 || length >= PROVIDER_NAME_SIZE || strchr("._-", name[0]))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

static struct provider **registry_bucket(const char *name)
{
	unsigned hash = 5381;
	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return &registry[hash % NAME_BUCKET_COUNT];
}

static struct provider *registry_find(const char *name)
{
	struct provider *each = *registry_bucket(name);
	while (each && strcmp(each->name, name) != 0)
		each = each->next;
	return each;
}

static struct provider *provider_make(const char *name)
{
	struct provider *provider = memory_take(sizeof(*provider));
	snprintf(provider->name, sizeof(provider->name), "%s", name);
	pthread_mutex_init(&provider->lock, NULL);
	for (enum endpoint i = 0; i < ENDPOINT_COUNT; i++)
		gate_make(&provider->gates[i]);
	ledger_make(&provider->ledger);
	provider->switches = switches_make_default();
	return provider;
}

static struct provider *registry_add(const char *name)
{
	pthread_rwlock_wrlock(&registry_lock);
	struct provider *provider = registry_find(name);
	if (!provider && registry_count < PROVIDER_COUNT_MAX) {
		struct provider **bucket = registry_bucket(name);
		provider = provider_make(name);
		provider->next = *bucket;
		*bucket = provider;
		registry_count++;
	}
	pthread_rwlock_unlock(&registry_lock);
	return provider;
}

struct provider *provider_find(const char *name)
{
	if (!provider_name_is_lawful(name))
		return NULL;
	pthread_rwlock_rdlock(&registry_lock);
	struct provider *provider = registry_find(name);
	pthread_rwlock_unlock(&registry_lock);
	return provider ? provider : registry_add(name);
}

void provider_visit_all(void (*visit)(struct provider *provider, void *context), void *context)
{
	pthread_rwlock_rdlock(&registry_lock);
	for (size_t i = 0; i < NAME_BUCKET_COUNT; i++) {
		for (struct provider *each = registry[i]; each; each = each->next)
			visit(each, context);
	}
	pthread_rwlock_unlock(&registry_lock);
}

static void switches_publish(struct provider *provider, struct switches *fresh)
{
	struct switches *stale = provider->switches;
	provider->switches = fresh;
	switches_drop(stale);
}

void provider_reset(struct provider *provider)
{
	pthread_mutex_lock(&provider->lock);
	switches_publish(provider, switches_make_default());
	memset(provider->fault_chances, 0, sizeof(provider->fault_chances));
	for (size_t i = 0; i < RECORD_COUNT; i++)
		memory_release(&provider->records[i].values);
	provider->record_count = 0;
	pthread_mutex_unlock(&provider->lock);
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		atomic_store(&provider->counters[i], 0);
	ledger_begin_era(&provider->ledger);
	for (enum endpoint i = 0; i < ENDPOINT_COUNT; i++) {
		atomic_store(&provider->requests[i], 0);
		atomic_store(&provider->in_flight_max[i], atomic_load(&provider->in_flight[i]));
		gate_set(&provider->gates[i], GATE_OPEN, GATE_BEFORE);
	}
}

struct switches *provider_hold_switches(struct provider *provider)
{
	pthread_mutex_lock(&provider->lock);
	struct switches *switches = provider->switches;
	switches_hold(switches);
	pthread_mutex_unlock(&provider->lock);
	return switches;
}

/* A fault that was named in a change starts counting anew. */
static void fault_chances_restart(struct provider *provider, const cJSON *change)
{
	const cJSON *fault;
	cJSON_ArrayForEach(fault, cJSON_GetObjectItemCaseSensitive(change, "faults"))
	{
		enum endpoint endpoint;
		if (endpoint_from_word(fault->string, &endpoint))
			provider->fault_chances[endpoint] = 0;
	}
}

bool provider_change_switches(struct provider *provider, const cJSON *change, struct refusal *refusal)
{
	pthread_mutex_lock(&provider->lock);
	struct switches *merged = switches_merge(provider->switches, change, refusal);
	if (merged) {
		switches_publish(provider, merged);
		fault_chances_restart(provider, change);
	}
	pthread_mutex_unlock(&provider->lock);
	return merged != NULL;
}

const struct fault *provider_claim_fault(
	struct provider *provider, const struct switches *switches, enum endpoint endpoint)
{
	const struct fault *fault = &switches->faults[endpoint];
	if (!fault->present)
		return NULL;
	pthread_mutex_lock(&provider->lock);
	long chance = provider->fault_chances[endpoint]++;
	pthread_mutex_unlock(&provider->lock);
	bool befalls = chance >= fault->skip && (fault->times == 0 || chance < fault->skip + fault->times);
	if (!befalls)
		return NULL;
	provider_count(provider, COUNTER_faults);
	return fault;
}

void provider_count(struct provider *provider, enum counter counter)
{
	atomic_fetch_add(&provider->counters[counter], 1);
}

void provider_begin_request(struct provider *provider, enum endpoint endpoint)
{
	atomic_fetch_add(&provider->requests[endpoint], 1);
	long now = atomic_fetch_add(&provider->in_flight[endpoint], 1) + 1;
	long most = atomic_load(&provider->in_flight_max[endpoint]);
	while (now > most && !atomic_compare_exchange_weak(&provider->in_flight_max[endpoint], &most, now))
		continue;
}

void provider_end_request(struct provider *provider, enum endpoint endpoint)
{
	atomic_fetch_sub(&provider->in_flight[endpoint], 1);
}

void provider_record(struct provider *provider, const struct record *record)
{
	pthread_mutex_lock(&provider->lock);
	long number = provider->record_count++;
	struct record *place = &provider->records[number % RECORD_COUNT];
	char *stale = place->values;
	*place = *record;
	place->number = number + 1;
	pthread_mutex_unlock(&provider->lock);
	free(stale);
}

static void endpoint_numbers_add(cJSON *object, const char *name, atomic_long *numbers)
{
	cJSON *group = cJSON_AddObjectToObject(object, name);
	for (enum endpoint i = 0; i < ENDPOINT_COUNT; i++)
		cJSON_AddNumberToObject(group, endpoint_words[i], (double)atomic_load(&numbers[i]));
}

cJSON *provider_counters_to_json(struct provider *provider)
{
	cJSON *object = cJSON_CreateObject();
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		cJSON_AddNumberToObject(object, counter_words[i], (double)atomic_load(&provider->counters[i]));
	endpoint_numbers_add(object, "requests", provider->requests);
	endpoint_numbers_add(object, "in_flight", provider->in_flight);
	endpoint_numbers_add(object, "in_flight_max", provider->in_flight_max);
	return object;
}

cJSON *provider_gates_to_json(struct provider *provider)
{
	cJSON *object = cJSON_CreateObject();
	for (enum endpoint i = 0; i < ENDPOINT_COUNT; i++)
		cJSON_AddItemToObject(object, endpoint_words[i], gate_to_json(&provider->gates[i]));
	return object;
}

static cJSON *record_to_json(const struct record *record)
{
	cJSON *object = cJSON_CreateObject();
	cJSON_AddNumberToObject(object, "number", (double)record->number);
	cJSON_AddNumberToObject(object, "at_ms", (double)record->at_ms);
	cJSON_AddNumberToObject(object, "took_ms", (double)record->took_ms);
	cJSON_AddStringToObject(object, "method", record->method);
	cJSON_AddStringToObject(object, "path", record->path);
	cJSON_AddStringToObject(object, "endpoint", endpoint_words[record->endpoint]);
	cJSON_AddStringToObject(object, "client_auth", client_auth_words[record->client_auth]);
	cJSON_AddNumberToObject(object, "status", record->status);
	cJSON_AddStringToObject(object, "outcome", record->outcome);
	cJSON_AddBoolToObject(object, "fault", record->fault);
	cJSON *values = record->values ? cJSON_Parse(record->values) : NULL;
	cJSON *names = cJSON_AddArrayToObject(object, "parameters");
	const cJSON *value;
	cJSON_ArrayForEach(value, values) cJSON_AddItemToArray(names, cJSON_CreateString(value->string));
	cJSON_AddItemToObject(object, "values", values ? values : cJSON_CreateObject());
	return object;
}

cJSON *provider_records_to_json(struct provider *provider)
{
	cJSON *array = cJSON_CreateArray();
	pthread_mutex_lock(&provider->lock);
	long first = provider->record_count > RECORD_COUNT ? provider->record_count - RECORD_COUNT : 0;
	for (long i = first; i < provider->record_count; i++)
		cJSON_AddItemToArray(array, record_to_json(&provider->records[i % RECORD_COUNT]));
	pthread_mutex_unlock(&provider->lock);
	return array;
}
