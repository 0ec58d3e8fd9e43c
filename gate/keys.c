/* SPDX-License-Identifier: Apache-2.0 */
/* `gatehouse keys status` and `gatehouse keys rotate`: which key encrypts what, and moving everything to the first one
 * while services run. What they print stands in keys_print.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "command.h"
#include "foundation.h"
#include "keys_print.h"
#include "must_check.h"

/* A command's own options beside the configuration's. */
#define ARGUMENTS_MAX 256

/* A report and what a rotation says of it. */
#define KEYS_ARENA_BYTES_MAX (4 * 1024 * 1024)

/* Rows that somebody else holds are met again in the next pass. Who holds them does so for milliseconds, so rows that
 * are left behind so many passes are being written with another key by a service that is still running. */
#define PASSES_MAX 20
#define PASS_PAUSE_MS 200

/* A restart of PostgreSQL takes seconds, a failover less than this. */
#define DATABASE_PATIENCE_MS 60000
#define DATABASE_PAUSE_MS 500

/* --- the command line --------------------------------------------------------------------------------------------- */

struct keys_wish {
	struct rotation_plan plan;
	const char *batch;
	bool json;
	bool help;
};

static int wrong_usage(const char *what, const char *value)
{
	(void)fprintf(stderr, "gatehouse: keys: %s%s (see `gatehouse keys --help`)\n", what, value);
	return EXIT_WRONG_USAGE;
}

/* Takes the command's own options out of argv and leaves the configuration's in rest. */
static int take_options(int argc, char **argv, struct keys_wish *wish, char **ret_rest)
{
	int rest = 0;

	for (int i = 0; i < argc && rest < ARGUMENTS_MAX - 1; i++) {
		if (strcmp(argv[i], "--json") == 0)
			wish->json = true;
		else if (strcmp(argv[i], "--from-clear") == 0)
			wish->plan.from_clear = true;
		else if (strcmp(argv[i], "--batch") == 0)
			wish->batch = i + 1 < argc ? argv[++i] : "";
		else if (strncmp(argv[i], "--batch=", strlen("--batch=")) == 0)
			wish->batch = argv[i] + strlen("--batch=");
		else
			ret_rest[rest++] = argv[i];
	}
	ret_rest[rest] = NULL;
	return rest;
}

static bool take_batch(struct keys_wish *wish)
{
	char *end = NULL;

	wish->plan.batch = ROTATION_BATCH_DEFAULT;
	if (wish->batch == NULL)
		return true;
	if (wish->batch[0] < '0' || wish->batch[0] > '9')
		return false;
	wish->plan.batch = strtoul(wish->batch, &end, 10);
	return *end == '\0' && wish->plan.batch >= 1 && wish->plan.batch <= ROTATION_BATCH_MAX;
}

/* EXIT_DONE: go on, unless help is wanted. */
static int load(struct foundation *foundation, int argc, char **argv, struct keys_wish *wish)
{
	char *rest[ARGUMENTS_MAX];
	int rest_count = take_options(argc, argv, wish, rest);

	foundation_protect_memory();
	if (!foundation_load(foundation, rest_count, rest, &wish->help)) {
		config_free(foundation->config);
		return EXIT_WRONG_USAGE;
	}
	if (wish->help || take_batch(wish))
		return EXIT_DONE;
	config_free(foundation->config);
	return wrong_usage("--batch must be a number from 1 to 500; it is ", wish->batch);
}

/* --- keys status -------------------------------------------------------------------------------------------------- */

static int report_status(struct foundation *foundation, bool json)
{
	SCOPED(arena_release) struct arena *arena = arena_new(KEYS_ARENA_BYTES_MAX);
	struct problem problem = {.kind = PROBLEM_NONE};
	struct key_report report;

	if (!foundation_inspect(foundation, &problem) || !key_report_read(foundation->store, arena, &report, &problem))
		return foundation_complain(&problem);
	if (json)
		keys_print_status_json(&report, arena);
	else
		keys_print_status(&report);
	for (size_t i = 0; i < report.count; i++)
		if (report.lines[i].state == KEY_MISSING || report.lines[i].state == KEY_WRONG)
			return EXIT_FAILED;
	return EXIT_DONE;
}

static int show_status(int argc, char **argv)
{
	static struct foundation foundation;
	struct keys_wish wish = {.batch = NULL};
	int code = load(&foundation, argc, argv, &wish);

	if (code != EXIT_DONE)
		return code;
	if (wish.help) {
		keys_print_help();
		return EXIT_DONE;
	}
	if (wish.batch != NULL || wish.plan.from_clear) {
		config_free(foundation.config);
		return wrong_usage("--batch and --from-clear belong to `keys rotate`", "");
	}
	log_setup(LOG_WARN, LOG_TEXT);
	code = report_status(&foundation, wish.json);
	foundation_close(&foundation);
	return code;
}

/* --- keys rotate -------------------------------------------------------------------------------------------------- */

struct work {
	struct rotation *rotation;
	struct deadline patience; /* with a database that is away */
	struct keys_progress progress;
};

enum work_end { WORK_DONE, WORK_BUSY, WORK_FAILED };

static void pause_ms(int64_t duration_ms)
{
	const struct timespec pause = {duration_ms / 1000, duration_ms % 1000 * 1000000L};

	(void)nanosleep(&pause, NULL);
}

/* Whether to try again what failed. */
static bool bears(const struct work *work, const struct problem *problem)
{
	if (problem->kind != PROBLEM_DATABASE_UNAVAILABLE || deadline_passed(work->patience))
		return false;
	pause_ms(DATABASE_PAUSE_MS);
	return true;
}

static bool run_batch(struct work *work, bool *ret_more, struct problem *problem)
{
	while (!rotation_read(work->rotation, ret_more, problem))
		if (!bears(work, problem))
			return false;
	bool written = !*ret_more || rotation_write(work->rotation, problem);

	if (!written && !bears(work, problem))
		return false;
	if (written)
		work->patience = deadline_in_ms(DATABASE_PATIENCE_MS);
	keys_progress_show(&work->progress, rotation_tally(work->rotation));
	return true;
}

/* Passes until one finds nothing to do. */
static enum work_end run_passes(struct work *work, struct problem *problem)
{
	for (int pass = 0; pass < PASSES_MAX; pass++) {
		bool more = true;

		while (more)
			if (!run_batch(work, &more, problem))
				return problem->kind == PROBLEM_DATABASE_UNAVAILABLE ? WORK_BUSY : WORK_FAILED;
		if (rotation_tally(work->rotation).found == 0)
			return WORK_DONE;
		if (pass > 0)
			pause_ms(PASS_PAUSE_MS);
	}
	return WORK_DONE;
}

static int tell_end(const struct keys_outcome *outcome, bool json, struct arena *arena)
{
	if (json)
		keys_print_outcome_json(outcome, arena);
	else
		keys_print_outcome(outcome);
	if (outcome->left > 0) {
		(void)fprintf(stderr,
			"gatehouse: %lld rows are under other keys still: a service whose list begins with another key "
			"writes them. Restart such services with the new list, then run this again.\n",
			(long long)outcome->left);
		return EXIT_BUSY;
	}
	if (outcome->tally.unreadable == 0)
		return EXIT_DONE;
	(void)fprintf(stderr,
		"gatehouse: %lld rows do not open with the key they name and stay as they are; their owners have to "
		"connect again.\n",
		(long long)outcome->tally.unreadable);
	return EXIT_FAILED;
}

/* What stands in the database now decides what is said. */
static int finish(struct foundation *foundation, struct work *work, const struct keys_wish *wish, struct arena *arena,
	struct problem *problem)
{
	struct keys_outcome outcome = {.tally = rotation_tally(work->rotation), .from_clear = wish->plan.from_clear};

	keys_progress_end(&work->progress);
	if (!rotation_retire(foundation->store, arena, &outcome.retired_count, &outcome.retired, problem) ||
		!key_report_read(foundation->store, arena, &outcome.report, problem))
		return foundation_complain(problem);
	outcome.duration_ms = (clock_monotonic_us() - work->progress.started_us) / 1000;
	outcome.left = key_report_rows_to_do(&outcome.report, wish->plan.from_clear) - outcome.tally.unreadable;
	return tell_end(&outcome, wish->json, arena);
}

static int run_rotation(struct foundation *foundation, const struct keys_wish *wish, struct problem *problem)
{
	SCOPED(arena_release) struct arena *arena = arena_new(KEYS_ARENA_BYTES_MAX);
	struct work work = {.patience = deadline_in_ms(DATABASE_PATIENCE_MS)};
	struct key_report before;

	if (!key_report_read(foundation->store, arena, &before, problem) ||
		!rotation_new(foundation->store, wish->plan, &work.rotation, problem))
		return foundation_complain(problem);
	keys_progress_start(&work.progress, key_report_rows_to_do(&before, wish->plan.from_clear));

	enum work_end end = run_passes(&work, problem);
	int code = EXIT_BUSY;

	if (end == WORK_DONE) {
		code = finish(foundation, &work, wish, arena, problem);
	} else {
		keys_progress_end(&work.progress);
		(void)foundation_complain(problem);
		(void)fprintf(stderr, "gatehouse: %lld rows are done; run this again, it goes on where it was.\n",
			(long long)rotation_tally(work.rotation).links +
				(long long)rotation_tally(work.rotation).states);
		code = end == WORK_BUSY ? EXIT_BUSY : EXIT_FAILED;
	}
	rotation_free(work.rotation);
	return code;
}

/* Tokens are stored clear, and there is nothing to encrypt them with. */
static int refuse_without_keys(struct foundation *foundation)
{
	config_free(foundation->config);
	(void)fprintf(stderr, "gatehouse: there is no key to encrypt with: GATEHOUSE_ALLOW_CLEARTEXT_TOKENS is set and "
			      "GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS is not. Make a key with `openssl rand -base64 "
			      "32`, "
			      "give it to every service and to this command, restart the services, then run `gatehouse "
			      "keys rotate --from-clear`.\n");
	return EXIT_WRONG_USAGE;
}

static int rotate(int argc, char **argv)
{
	static struct foundation foundation;
	struct keys_wish wish = {.batch = NULL};
	struct problem problem = {.kind = PROBLEM_NONE};
	int applied = 0;
	int code = load(&foundation, argc, argv, &wish);

	if (code != EXIT_DONE)
		return code;
	if (wish.help) {
		keys_print_help();
		return EXIT_DONE;
	}
	if (secret_is_empty(foundation.config->encryption_keys) && foundation.config->allow_cleartext_tokens)
		return refuse_without_keys(&foundation);
	log_setup(LOG_WARN, LOG_TEXT);
	if (foundation_open(&foundation, CLUSTER_JOIN, &applied, &problem))
		code = run_rotation(&foundation, &wish, &problem);
	else
		code = foundation_complain(&problem);
	foundation_close(&foundation);
	return code;
}

int command_keys(int argc, char **argv)
{
	if (argc >= 1 && strcmp(argv[0], "status") == 0)
		return show_status(argc - 1, argv + 1);
	if (argc >= 1 && strcmp(argv[0], "rotate") == 0)
		return rotate(argc - 1, argv + 1);
	if (argc >= 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
		keys_print_help();
		return EXIT_DONE;
	}
	(void)fprintf(stderr, "gatehouse: `keys` knows two words, `status` and `rotate` (see `gatehouse keys "
			      "--help`)\n");
	return EXIT_WRONG_USAGE;
}
