/* SPDX-License-Identifier: Apache-2.0 */
/* One line an event on stderr, JSON or text. Each line is written with one write(2), so lines of many threads do not
 * mix. A value with control characters is escaped: nobody can forge a line. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_TEXT };

/* One pair of an event. Made by the functions below. */
struct log_pair {
	const char *name;
	enum { LOG_STRING, LOG_NUMBER, LOG_MILLISECONDS } kind;
	const char *string;
	int64_t number; /* LOG_MILLISECONDS: microseconds, shown as milliseconds with three digits */
};

/* Before threads start; the default is LOG_INFO, LOG_JSON. */
void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

struct log_pair log_string(const char *name, const char *value); /* a NULL value leaves the pair out */
struct log_pair log_number(const char *name, int64_t value);
struct log_pair log_duration(const char *name, int64_t duration_us);

void log_write(enum log_level level, const char *message, const struct log_pair *pairs, size_t pair_count);

/* log_event(LOG_INFO, "request", log_string("id", id), log_number("status", 200)); */
#define log_event(level, message, ...)                                                                                 \
	log_write(level, message, (const struct log_pair[]){__VA_ARGS__},                                              \
		sizeof((const struct log_pair[]){__VA_ARGS__}) / sizeof(struct log_pair))

/* A line without pairs. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
