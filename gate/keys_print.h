/* SPDX-License-Identifier: Apache-2.0 */
/* What `gatehouse keys` prints: the table and the summary for people, the same as JSON, and a line that moves while a
 * rotation runs. */
#ifndef KEYS_PRINT_H
#define KEYS_PRINT_H

#include "store/key_report.h"
#include "store/rotation.h"

void keys_print_help(void);

void keys_print_status(const struct key_report *report);
void keys_print_status_json(const struct key_report *report, struct arena *arena);

/* A rotation that came to its end. */
struct keys_outcome {
	struct rotation_tally tally;
	struct key_report report; /* as it is now */
	bool from_clear;
	int64_t left; /* rows that others sealed with another key meanwhile */
	int64_t duration_ms;
	size_t retired_count;
	const char **retired; /* key ids whose check values were forgotten */
};

void keys_print_outcome(const struct keys_outcome *outcome);
void keys_print_outcome_json(const struct keys_outcome *outcome, struct arena *arena);

/* One line on stderr, only where that is a terminal. */
struct keys_progress {
	bool shown;
	int64_t total;
	int64_t started_us;
	int64_t told_us;
};

void keys_progress_start(struct keys_progress *progress, int64_t total);
void keys_progress_show(struct keys_progress *progress, struct rotation_tally tally);
void keys_progress_end(struct keys_progress *progress);

#endif
