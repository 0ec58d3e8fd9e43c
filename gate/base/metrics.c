/* SPDX-License-Identifier: Apache-2.0 */
/* Each metric has a hash table of series. Finding a series takes no lock: slots are filled once and never emptied. Only
 * a new series takes the lock; adding is one atomic operation. */
#include "metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "metrics_process.h"
#include "must_check.h"

#define LABELS_MAX 3

/* Twice the series, so that chains stay short; a power of two. */
#define SLOTS (METRIC_SERIES_MAX * 2)
_Static_assert((SLOTS & (SLOTS - 1)) == 0, "the hash is cut by a mask");

enum metric_kind { COUNTER, GAUGE, HISTOGRAM };

struct metric_fact {
	const char *name;
	enum metric_kind kind;
	const char *help;
	const char *labels;
};

#define ENUMERATE(id, name, kind, help, labels) {name, kind, help, labels},
static const struct metric_fact metric_facts[] = {METRIC_LIST(ENUMERATE)};
#undef ENUMERATE
_Static_assert(COUNT_OF(metric_facts) == METRIC_COUNT, "every metric has its facts");

/* From a cached answer to the longest budget. Prometheus wants seconds; the words are what is printed. */
static const struct {
	int64_t us;
	const char *word;
} buckets[] = {
	{1000, "0.001"},
	{2500, "0.0025"},
	{5000, "0.005"},
	{10000, "0.01"},
	{25000, "0.025"},
	{50000, "0.05"},
	{100000, "0.1"},
	{250000, "0.25"},
	{500000, "0.5"},
	{1000000, "1"},
	{2500000, "2.5"},
	{5000000, "5"},
	{10000000, "10"},
	{30000000, "30"},
};

#define BUCKETS COUNT_OF(buckets)

struct series {
	const char *labels[LABELS_MAX]; /* "" for those the metric does not have */
	uint32_t hash;
	_Atomic int64_t value;     /* histograms: sum in microseconds */
	_Atomic uint64_t counts[]; /* histograms: BUCKETS + 1, each by itself */
};

struct metric_table {
	size_t count; /* under the lock */
	struct series *_Atomic slots[SLOTS];
};

static struct metric_table tables[METRIC_COUNT];
static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER;

/* FNV-1a, 32 bit; the NUL separates labels. */
static uint32_t metrics_hash(const struct metric_labels *labels)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < LABELS_MAX; i++) {
		const char *byte = labels->value[i] == NULL ? "" : labels->value[i];

		for (; *byte != '\0'; byte++)
			hash = (hash ^ (unsigned char)*byte) * 16777619u;
		hash *= 16777619u;
	}
	return hash;
}

static bool series_is(const struct series *series, uint32_t hash, const struct metric_labels *labels)
{
	if (series->hash != hash)
		return false;
	for (size_t i = 0; i < LABELS_MAX; i++)
		if (strcmp(series->labels[i], labels->value[i] == NULL ? "" : labels->value[i]) != 0)
			return false;
	return true;
}

/* The series, or NULL with the slot where it belongs. The table is never full, so that the walk ends. */
static struct series *metrics_look_up(
	struct metric_table *table, uint32_t hash, const struct metric_labels *labels, size_t *ret_slot)
{
	for (size_t slot = hash & (SLOTS - 1);; slot = (slot + 1) & (SLOTS - 1)) {
		struct series *series = atomic_load_explicit(&table->slots[slot], memory_order_acquire);

		*ret_slot = slot;
		if (series == NULL || series_is(series, hash, labels))
			return series;
	}
}

static struct series *series_new(enum metric metric, uint32_t hash, const struct metric_labels *labels)
{
	size_t counts = metric_facts[metric].kind == HISTOGRAM ? BUCKETS + 1 : 0;
	struct series *series = calloc(1, sizeof(*series) + counts * sizeof(series->counts[0]));

	if (series == NULL) {
		(void)fputs("gatehouse: out of memory\n", stderr);
		abort();
	}
	series->hash = hash;
	for (size_t i = 0; i < LABELS_MAX; i++)
		series->labels[i] = labels->value[i] == NULL ? "" : labels->value[i];
	return series;
}

/* Under the lock. The last place is kept for the series "other", which takes what finds none. */
static struct series *metrics_insert(enum metric metric, struct metric_labels labels)
{
	struct metric_table *table = &tables[metric];
	uint32_t hash = metrics_hash(&labels);
	size_t slot;
	struct series *series = metrics_look_up(table, hash, &labels, &slot);

	if (series != NULL)
		return series;
	if (table->count >= METRIC_SERIES_MAX - 1) {
		for (size_t i = 0; i < LABELS_MAX; i++)
			labels.value[i] = labels.value[i] == NULL ? NULL : "other";
		hash = metrics_hash(&labels);
		series = metrics_look_up(table, hash, &labels, &slot);
	}
	if (series != NULL)
		return series;
	series = series_new(metric, hash, &labels);
	table->count++;
	atomic_store_explicit(&table->slots[slot], series, memory_order_release);
	return series;
}

static struct series *metrics_series(enum metric metric, const struct metric_labels *labels)
{
	size_t slot;
	struct series *series = metrics_look_up(&tables[metric], metrics_hash(labels), labels, &slot);

	if (series != NULL)
		return series;
	(void)pthread_mutex_lock(&tables_lock);
	series = metrics_insert(metric, *labels);
	(void)pthread_mutex_unlock(&tables_lock);
	return series;
}

void metrics_add(enum metric metric, struct metric_labels labels, int64_t amount)
{
	atomic_fetch_add_explicit(&metrics_series(metric, &labels)->value, amount, memory_order_relaxed);
}

void metrics_set(enum metric metric, struct metric_labels labels, int64_t value)
{
	atomic_store_explicit(&metrics_series(metric, &labels)->value, value, memory_order_relaxed);
}

void metrics_observe_us(enum metric metric, struct metric_labels labels, int64_t duration_us)
{
	struct series *series = metrics_series(metric, &labels);
	size_t bucket = 0;

	if (metric_facts[metric].kind != HISTOGRAM)
		return;
	if (duration_us < 0)
		duration_us = 0;
	while (bucket < BUCKETS && duration_us > buckets[bucket].us)
		bucket++;
	atomic_fetch_add_explicit(&series->counts[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&series->value, duration_us, memory_order_relaxed);
}

/* --- exposition ------------------------------------------------------------------------------------------------- */

static void metrics_write_label(struct text *text, const char *name, size_t name_size, const char *value)
{
	text_add_bytes(text, name, name_size);
	text_add(text, "=\"");
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			text_add(text, "\\n");
		else if (*value == '"' || *value == '\\')
			text_add_bytes(text, *value == '"' ? "\\\"" : "\\\\", 2);
		else
			text_add_bytes(text, value, 1);
	}
	text_add(text, "\"");
}

/* name{labels} with one more label behind, unless extra is NULL; then a blank. */
static void metrics_write_head(struct text *text, const struct metric_fact *fact, const struct series *series,
	const char *suffix, const char *le)
{
	const char *label = fact->labels;

	text_add(text, fact->name);
	text_add(text, suffix);
	if (*label == '\0' && le == NULL) {
		text_add(text, " ");
		return;
	}
	text_add(text, "{");
	for (size_t i = 0; i < LABELS_MAX && *label != '\0'; i++) {
		size_t size = strcspn(label, " ");

		if (i > 0)
			text_add(text, ",");
		metrics_write_label(text, label, size, series->labels[i]);
		label += size + strspn(label + size, " ");
	}
	if (le != NULL)
		text_addf(text, "%sle=\"%s\"", *fact->labels == '\0' ? "" : ",", le);
	text_add(text, "} ");
}

/* The count is the sum of what was read, so that it equals the last bucket while others observe. */
static void metrics_write_histogram(struct text *text, const struct metric_fact *fact, const struct series *series)
{
	uint64_t count = 0;
	int64_t sum_us;

	for (size_t i = 0; i <= BUCKETS; i++) {
		count += atomic_load_explicit(&series->counts[i], memory_order_relaxed);
		metrics_write_head(text, fact, series, "_bucket", i < BUCKETS ? buckets[i].word : "+Inf");
		text_addf(text, "%llu\n", (unsigned long long)count);
	}
	sum_us = atomic_load_explicit(&series->value, memory_order_relaxed);
	metrics_write_head(text, fact, series, "_sum", NULL);
	text_addf(text, "%lld.%06lld\n", (long long)(sum_us / 1000000), (long long)(sum_us % 1000000));
	metrics_write_head(text, fact, series, "_count", NULL);
	text_addf(text, "%llu\n", (unsigned long long)count);
}

static void metrics_write_metric(struct text *text, enum metric metric)
{
	static const char *const kind_words[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};
	const struct metric_fact *fact = &metric_facts[metric];

	text_addf(text, "# HELP %s %s\n# TYPE %s %s\n", fact->name, fact->help, fact->name, kind_words[fact->kind]);
	/* A metric without labels is there from the start, with 0. */
	if (*fact->labels == '\0')
		(void)metrics_series(metric, &(struct metric_labels){{NULL}});
	for (size_t slot = 0; slot < SLOTS; slot++) {
		struct series *series = atomic_load_explicit(&tables[metric].slots[slot], memory_order_acquire);

		if (series == NULL)
			continue;
		if (fact->kind == HISTOGRAM) {
			metrics_write_histogram(text, fact, series);
			continue;
		}
		metrics_write_head(text, fact, series, "", NULL);
		text_addf(text, "%lld\n", (long long)atomic_load_explicit(&series->value, memory_order_relaxed));
	}
}

void metrics_write(struct text *text)
{
	for (size_t metric = 0; metric < METRIC_COUNT; metric++)
		metrics_write_metric(text, (enum metric)metric);
	metrics_process_write(text);
}
