/* SPDX-License-Identifier: Apache-2.0 */
/* The words of `gatehouse keys`: see keys_print.h. */
#include "keys_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/json.h"

/* Often enough to be seen moving. */
#define PROGRESS_PERIOD_US 100000

void keys_print_help(void)
{
	(void)printf("Usage: gatehouse keys status [--json] [OPTION]...\n"
		     "       gatehouse keys rotate [--from-clear] [--batch ROWS] [--json] [OPTION]...\n"
		     "\n"
		     "`status` says how many links and authorization states each key encrypts, how many are stored\n"
		     "clear, and which key may be removed from the list. It changes nothing.\n"
		     "\n"
		     "`rotate` encrypts everything anew that is not under the first key of the list, while services\n"
		     "run. It may be killed and run again, and run several times at once. Give every service the\n"
		     "new list first: NEW,OLD. When it is done, OLD may be removed.\n"
		     "\n"
		     "  --from-clear      also encrypt what GATEHOUSE_ALLOW_CLEARTEXT_TOKENS has stored clear\n"
		     "  --batch ROWS      rows of one statement, from 1 to 500; 100 when not given\n"
		     "  --json            an object instead of text\n"
		     "\n"
		     "Exit codes: 0 done; 1 failed, or a key is missing or wrong, or rows do not open; 2 wrong usage\n"
		     "or configuration; 5 busy: others write with another key, or the database is away; try again.\n"
		     "\n"
		     "and the options that say where the database and the keys are:\n");
	config_print_options();
}

/* --- status ------------------------------------------------------------------------------------------------------- */

static const char *const ADVICE[KEY_STATE_COUNT] = {
	[KEY_SEALS] = "encrypts",
	[KEY_IN_USE] = "in use; `gatehouse keys rotate` moves its rows to the first key",
	[KEY_RELEASABLE] = "no row needs it; `gatehouse keys rotate` releases it",
	[KEY_UNUSED] = "may be removed",
	[KEY_MISSING] = "MISSING; add it to GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS behind the first",
	[KEY_WRONG] = "WRONG; it does not open its check value, so it is not the key of that id",
};

static const char *const CHECK_WORDS[] = {[CHECK_ABSENT] = "-", [CHECK_GOOD] = "good", [CHECK_WRONG] = "no"};

static const char *check_word(const struct key_line *line)
{
	return line->position == 0 && line->check == CHECK_WRONG ? "there" : CHECK_WORDS[line->check];
}

void keys_print_status(const struct key_report *report)
{
	(void)printf("%-10s%-10s%-7s%10s%10s  %s\n", "KEY", "POSITION", "CHECK", "LINKS", "STATES", "");
	for (size_t i = 0; i < report->count; i++) {
		const struct key_line *line = &report->lines[i];
		char position[24] = "-";

		if (line->position > 0)
			(void)snprintf(position, sizeof(position), "%zu", line->position);
		(void)printf("%-10s%-10s%-7s%10" PRId64 "%10" PRId64 "  %s\n", line->key_id, position, check_word(line),
			line->links, line->states, ADVICE[line->state]);
	}
	bool any = report->clear_links > 0 || report->clear_states > 0;

	(void)printf("%-10s%-10s%-7s%10" PRId64 "%10" PRId64 "  %s\n", "clear", "-", "-", report->clear_links,
		report->clear_states, any ? "`gatehouse keys rotate --from-clear` encrypts them" : "");
}

static void add_clear(struct json *object, const struct key_report *report)
{
	struct json *clear = json_add_object(object, "clear");

	json_add_integer(clear, "links", report->clear_links);
	json_add_integer(clear, "states", report->clear_states);
}

static void add_keys(struct json *object, const struct key_report *report)
{
	struct json *keys = json_add_array(object, "keys");

	for (size_t i = 0; i < report->count; i++) {
		const struct key_line *line = &report->lines[i];
		struct json *key = json_push_object(keys);

		json_add_string(key, "id", line->key_id);
		if (line->position > 0)
			json_add_integer(key, "position", (int64_t)line->position);
		else
			json_add_null(key, "position");
		json_add_string(key, "state", key_state_word(line->state));
		json_add_bool(key, "check_value", line->check != CHECK_ABSENT);
		json_add_integer(key, "links", line->links);
		json_add_integer(key, "states", line->states);
		json_add_bool(key, "removable", line->state == KEY_UNUSED);
	}
}

static void print_json(struct json *object, struct arena *arena)
{
	(void)printf("%s\n", json_print(object, arena));
	json_free(object);
}

void keys_print_status_json(const struct key_report *report, struct arena *arena)
{
	struct json *object = json_new_object();

	add_keys(object, report);
	add_clear(object, report);
	print_json(object, arena);
}

/* --- the end of a rotation ---------------------------------------------------------------------------------------- */

static const char *first_key(const struct key_report *report)
{
	return report->lines[0].key_id;
}

void keys_print_outcome(const struct keys_outcome *outcome)
{
	const struct key_report *report = &outcome->report;

	(void)printf("gatehouse: encrypted %" PRId64 " links and %" PRId64 " authorization states anew with key %s in "
		     "%" PRId64 ".%03d s\n",
		outcome->tally.links, outcome->tally.states, first_key(report), outcome->duration_ms / 1000,
		(int)(outcome->duration_ms % 1000));
	for (size_t i = 0; i < report->count; i++)
		if (report->lines[i].state == KEY_UNUSED)
			(void)printf("gatehouse: nothing needs key %s (number %zu of the list) any more; it may be "
				     "removed from GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS\n",
				report->lines[i].key_id, report->lines[i].position);
	if (!outcome->from_clear && (report->clear_links > 0 || report->clear_states > 0))
		(void)printf("gatehouse: %" PRId64 " links and %" PRId64 " authorization states are stored clear; "
			     "`gatehouse keys rotate --from-clear` encrypts them\n",
			report->clear_links, report->clear_states);
}

void keys_print_outcome_json(const struct keys_outcome *outcome, struct arena *arena)
{
	struct json *object = json_new_object();

	json_add_string(object, "key_id", first_key(&outcome->report));
	json_add_integer(object, "links", outcome->tally.links);
	json_add_integer(object, "states", outcome->tally.states);
	json_add_integer(object, "unreadable", outcome->tally.unreadable);
	json_add_integer(object, "left", outcome->left > 0 ? outcome->left : 0);
	json_add_integer(object, "duration_ms", outcome->duration_ms);

	struct json *released = json_add_array(object, "released");

	for (size_t i = 0; i < outcome->retired_count; i++)
		json_push_string(released, outcome->retired[i]);
	add_keys(object, &outcome->report);
	add_clear(object, &outcome->report);
	print_json(object, arena);
}

/* --- progress ----------------------------------------------------------------------------------------------------- */

void keys_progress_start(struct keys_progress *progress, int64_t total)
{
	*progress = (struct keys_progress){
		.shown = isatty(STDERR_FILENO) != 0, .total = total, .started_us = clock_monotonic_us()};
}

void keys_progress_show(struct keys_progress *progress, struct rotation_tally tally)
{
	int64_t now_us = clock_monotonic_us();

	if (!progress->shown || now_us - progress->told_us < PROGRESS_PERIOD_US)
		return;
	progress->told_us = now_us;
	(void)fprintf(stderr, "\rgatehouse: %" PRId64 " of %" PRId64 " rows\033[K", tally.links + tally.states,
		progress->total);
	(void)fflush(stderr);
}

void keys_progress_end(struct keys_progress *progress)
{
	if (progress->shown && progress->told_us > 0)
		(void)fputs("\r\033[K", stderr);
}
