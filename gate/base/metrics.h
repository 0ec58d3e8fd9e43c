/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and histograms in the Prometheus text format (version 0.0.4). Debian has no C client library, so the
 * exposition is written here; the metrics are a closed list in metrics.c, and their labels are words of closed lists
 * and configured provider ids: nothing a caller sends becomes a label. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "text.h"

/* name, kind, help, label names (blank-separated). All names start with gatehouse_. */
#define METRIC_LIST(X)                                                                                                 \
	X(METRIC_HTTP_REQUESTS, "gatehouse_http_requests_total", COUNTER, "Answered requests", "route status")         \
	X(METRIC_HTTP_DURATION, "gatehouse_http_request_duration_seconds", HISTOGRAM, "Time to answer", "route")       \
	X(METRIC_HTTP_IN_FLIGHT, "gatehouse_http_requests_in_flight", GAUGE, "Requests being answered", "")            \
	X(METRIC_HTTP_SLOW_CLOSED, "gatehouse_http_slow_connections_closed_total", COUNTER,                            \
		"Connections closed because they sent too slowly", "")                                                 \
	X(METRIC_DECISIONS, "gatehouse_decisions_total", COUNTER, "Decisions of the gate", "moment outcome")           \
	X(METRIC_FINDINGS, "gatehouse_findings_total", COUNTER, "Judged requirements", "provider reason")              \
	X(METRIC_EVALUATION_DURATION, "gatehouse_evaluation_duration_seconds", HISTOGRAM, "Time to judge", "moment")   \
	X(METRIC_PROVIDER_REQUESTS, "gatehouse_provider_requests_total", COUNTER, "Requests to providers",             \
		"provider purpose result")                                                                             \
	X(METRIC_PROVIDER_DURATION, "gatehouse_provider_request_duration_seconds", HISTOGRAM, "Time a provider took",  \
		"provider purpose")                                                                                    \
	X(METRIC_PROVIDER_IN_FLIGHT, "gatehouse_provider_requests_in_flight", GAUGE, "Requests at providers",          \
		"provider")                                                                                            \
	X(METRIC_VERDICT_CACHE_HITS, "gatehouse_verdict_cache_hits_total", COUNTER,                                    \
		"Verdicts used again instead of asking the provider", "provider")                                      \
	X(METRIC_VALIDATIONS_JOINED, "gatehouse_validations_joined_total", COUNTER,                                    \
		"Evaluations that shared a validation under way", "provider")                                          \
	X(METRIC_BREAKER_OPEN, "gatehouse_breaker_open", GAUGE,                                                        \
		"1 while the provider is left alone because it could not be reached", "provider endpoint")             \
	X(METRIC_BREAKER_SKIPPED, "gatehouse_breaker_skipped_total", COUNTER,                                          \
		"Times a provider that is left alone was not asked", "provider endpoint")                              \
	X(METRIC_REFRESHES, "gatehouse_refreshes_total", COUNTER, "Refreshes of links by how they ended",              \
		"provider end")                                                                                        \
	X(METRIC_FLIGHTS, "gatehouse_refreshes_in_flight", GAUGE, "Refreshes under way", "")                           \
	X(METRIC_LINKS_WRITTEN, "gatehouse_links_written_total", COUNTER, "Links saved or removed", "provider how")    \
	X(METRIC_DEVICE_CODES, "gatehouse_device_codes_total", COUNTER,                                                \
		"Codes of providers' device flow: asked for, and how they ended", "provider end")                      \
	X(METRIC_DATABASE_QUERIES, "gatehouse_database_queries_total", COUNTER, "Statements", "result")                \
	X(METRIC_DATABASE_FACTS, "gatehouse_database_facts_total", COUNTER,                                            \
		"Questions before the gate, many of which share a statement under load", "")                           \
	X(METRIC_DATABASE_DURATION, "gatehouse_database_query_duration_seconds", HISTOGRAM, "Time a statement took",   \
		"")                                                                                                    \
	X(METRIC_DATABASE_CONNECTIONS, "gatehouse_database_connections", GAUGE, "Open connections", "")                \
	X(METRIC_DATABASE_WAIT, "gatehouse_database_connection_wait_seconds", HISTOGRAM, "Wait for a connection", "")  \
	X(METRIC_LOG_DROPPED, "gatehouse_log_lines_dropped_total", COUNTER,                                            \
		"Log lines dropped because nobody took them", "")                                                      \
	X(METRIC_DECISION_LOG_DROPPED, "gatehouse_decision_log_dropped_total", COUNTER,                                \
		"Decisions not written to the decision log because its queue was full or they came too fast", "")      \
	X(METRIC_SWEPT, "gatehouse_swept_rows_total", COUNTER, "Rows removed because their time was over", "what")

#define ENUMERATE(id, name, kind, help, labels) id,
enum metric { METRIC_LIST(ENUMERATE) METRIC_COUNT };
#undef ENUMERATE

/* Labels are given in the order of the list; NULL for those the metric does not have. Strings must outlive the process
 * (words, configured ids, route patterns). Series beyond a bound per metric are counted under the label "other". */
struct metric_labels {
	const char *value[3];
};

void metrics_add(enum metric metric, struct metric_labels labels, int64_t amount);             /* counters and gauges */
void metrics_observe_us(enum metric metric, struct metric_labels labels, int64_t duration_us); /* histograms */
void metrics_set(enum metric metric, struct metric_labels labels, int64_t value);              /* gauges */

/* The whole exposition, plus process_* metrics. */
void metrics_write(struct text *text);

#endif
