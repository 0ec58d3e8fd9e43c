/* SPDX-License-Identifier: Apache-2.0 */
/* How commands say things: tables on stdout, a progress line on stderr where somebody sits there. What comes from the
 * service is shown without its control characters: an account's name must not move anybody's cursor. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include "../base/json.h"
#include "cli.h"

#define TABLE_COLUMNS_MAX 8

struct table_row {
	const char *cells[TABLE_COLUMNS_MAX];
	struct table_row *next;
};

struct table {
	struct arena *arena;
	size_t columns;
	struct table_row *first, *last;
};

/* The row is copied, its texts are not; the first is the heading. NULL cells are shown as "-". */
struct table table_in(struct arena *arena, size_t columns);
void table_add(struct table *table, const char *const cells[]);
void table_print(const struct table *table, FILE *out);

/* The text without control characters; in the arena only where there were some. */
const char *output_plain(struct arena *arena, const char *text);

/* A line to stdout, or to stderr where stdout is for JSON. */
void output_say(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Replaces the last progress line; nothing where stderr is no terminal. */
void output_progress(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
void output_progress_end(struct cli *cli);

/* The states of providers (of a decision, a refusal or a preflight) as a table, and for each that is missing or cannot
 * be told what mends it: a command where the owner is the caller, else the address to send them. */
void output_states(struct cli *cli, const struct json *states, bool is_own, FILE *out);

/* Opens it in the desktop's browser where there is one; false: there is none, or it is not near whoever reads. */
bool output_open_browser(const struct cli *cli, const char *url);

/* Whether the reader most probably sits at another machine. */
bool output_is_remote(void);

/* Sleeps; an interruption ends the process as usual. */
void output_sleep_ms(int64_t duration_ms);

#endif
