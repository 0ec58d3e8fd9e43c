/* SPDX-License-Identifier: Apache-2.0 */
/* One process plays many providers: this is what one of them is, and how it is found by name. Providers are made at
 * their first use and last as long as the process. */
#ifndef PROVIDER_STATE_H
#define PROVIDER_STATE_H

#include "provider_gate.h"
#include "provider_ledger.h"
#include "provider_switches.h"

/* Enough for every test file of a run to have providers of its own; a loop over names cannot fill the memory. */
enum { PROVIDER_COUNT_MAX = 1024, PROVIDER_NAME_SIZE = 65 };
enum { RECORD_COUNT = 1000, RECORD_PATH_SIZE = 160 };

#define COUNTERS(COUNT)                                                                                                \
	COUNT(codes_issued)                                                                                            \
	COUNT(tokens_issued)                                                                                           \
	COUNT(codes_refused)                                                                                           \
	COUNT(codes_reused)                                                                                            \
	COUNT(refreshes_granted)                                                                                       \
	COUNT(refreshes_refused)                                                                                       \
	COUNT(refreshes_reused)                                                                                        \
	COUNT(refreshes_overlapping)                                                                                   \
	COUNT(families_revoked)                                                                                        \
	COUNT(clients_refused)                                                                                         \
	COUNT(validations_ok)                                                                                          \
	COUNT(validations_refused)                                                                                     \
	COUNT(revocations)                                                                                             \
	COUNT(device_polls)                                                                                            \
	COUNT(faults)

enum counter {
#define COUNT(name) COUNTER_##name,
	COUNTERS(COUNT)
#undef COUNT
		COUNTER_COUNT,
};

/* One request as the log shows it; secrets are in it as fingerprints only. */
struct record {
	long number;
	long at_ms;
	long took_ms;
	int status;
	bool fault;
	enum endpoint endpoint;
	enum client_auth client_auth;
	char method[8];
	char path[RECORD_PATH_SIZE];
	char outcome[48];
	char *values; /* JSON object of the parameters, or NULL when there were none */
};

struct provider {
	struct provider *next;
	char name[PROVIDER_NAME_SIZE];
	struct gate gates[ENDPOINT_COUNT];
	struct ledger ledger;
	atomic_long counters[COUNTER_COUNT];
	atomic_long requests[ENDPOINT_COUNT];
	atomic_long in_flight[ENDPOINT_COUNT];
	atomic_long in_flight_max[ENDPOINT_COUNT];

	pthread_mutex_t lock; /* guards what follows */
	struct switches *switches;
	long fault_chances[ENDPOINT_COUNT]; /* requests since the fault was set */
	long record_count;
	struct record records[RECORD_COUNT]; /* a ring: record n stands at n % RECORD_COUNT */
};

/* Whether a name may be one: [a-z0-9][a-z0-9._-]{0,63}. */
bool provider_name_is_lawful(const char *name);
/* The provider of that name, made if need be; NULL for an unlawful name and when there are too many. */
struct provider *provider_find(const char *name);
/* Calls `visit` for every provider, the latest first. */
void provider_visit_all(void (*visit)(struct provider *provider, void *context), void *context);
/* All switches back, all gates open, counters and log empty, every token dead. */
void provider_reset(struct provider *provider);

/* The switches of now, held for the caller, who drops them. */
struct switches *provider_hold_switches(struct provider *provider);
/* Merges a change in; false and a refusal when there is something unlawful in it, and then nothing changes. */
bool provider_change_switches(struct provider *provider, const cJSON *change, struct refusal *refusal);
/* The fault that befalls the next request of an endpoint, or NULL; counts for `skip` and `times`. */
const struct fault *provider_claim_fault(
	struct provider *provider, const struct switches *switches, enum endpoint endpoint);

void provider_count(struct provider *provider, enum counter counter);
void provider_begin_request(struct provider *provider, enum endpoint endpoint);
void provider_end_request(struct provider *provider, enum endpoint endpoint);
/* Takes over `record->values`. */
void provider_record(struct provider *provider, const struct record *record);

cJSON *provider_counters_to_json(struct provider *provider);
cJSON *provider_gates_to_json(struct provider *provider);
cJSON *provider_records_to_json(struct provider *provider);

#endif
