/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, progress and states: see output.h. */
#include "output.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- text -------------------------------------------------------------------------------------------------------- */

/* C0, DEL, and C1 as UTF-8 writes it (C2 80 to C2 9F). */
static bool is_control(const char *at)
{
	unsigned char byte = (unsigned char)*at;

	return byte < 0x20 || byte == 0x7f ||
	       (byte == 0xc2 && (unsigned char)at[1] >= 0x80 && (unsigned char)at[1] < 0xa0);
}

const char *output_plain(struct arena *arena, const char *text)
{
	const char *at = text;

	while (*at != '\0' && !is_control(at))
		at++;
	if (*at == '\0')
		return text;

	char *plain = arena_copy(arena, text);

	for (char *mark = plain; *mark != '\0'; mark++) {
		if (!is_control(mark))
			continue;
		if ((unsigned char)*mark == 0xc2)
			mark[1] = '?';
		*mark = '?';
	}
	return plain;
}

static size_t shown_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

struct table table_in(struct arena *arena, size_t columns)
{
	return (struct table){.arena = arena, .columns = columns};
}

void table_add(struct table *table, const char *const cells[])
{
	struct table_row *row = arena_alloc(table->arena, sizeof(*row));

	for (size_t i = 0; i < table->columns; i++)
		row->cells[i] = cells[i] != NULL && cells[i][0] != '\0' ? output_plain(table->arena, cells[i]) : "-";
	if (table->last != NULL)
		table->last->next = row;
	else
		table->first = row;
	table->last = row;
}

static void print_row(const struct table *table, const struct table_row *row, const size_t *widths, FILE *out)
{
	for (size_t i = 0; i < table->columns; i++) {
		size_t blanks = i + 1 < table->columns ? widths[i] - shown_width(row->cells[i]) + 2 : 0;

		(void)fprintf(out, "%s%*s", row->cells[i], (int)blanks, "");
	}
	(void)fputc('\n', out);
}

void table_print(const struct table *table, FILE *out)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};

	for (const struct table_row *row = table->first; row != NULL; row = row->next) {
		for (size_t i = 0; i < table->columns; i++) {
			size_t width = shown_width(row->cells[i]);

			if (width > widths[i])
				widths[i] = width;
		}
	}
	for (const struct table_row *row = table->first; row != NULL; row = row->next)
		print_row(table, row, widths, out);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

static char *format_line(struct arena *arena, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static char *format_line(struct arena *arena, const char *format, va_list arguments)
{
	char line[4096];

	(void)vsnprintf(line, sizeof(line), format, arguments);
	return arena_copy(arena, line);
}

void output_say(const struct cli *cli, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	const char *line = format_line(cli->arena, format, arguments);
	va_end(arguments);
	FILE *out = cli->json ? stderr : stdout;

	(void)fprintf(out, "%s\n", output_plain(cli->arena, line));
	(void)fflush(out);
}

void output_progress(struct cli *cli, const char *format, ...)
{
	va_list arguments;

	if (isatty(STDERR_FILENO) == 0)
		return;
	va_start(arguments, format);
	const char *line = format_line(cli->arena, format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "\r\033[K%s", output_plain(cli->arena, line));
	(void)fflush(stderr);
	cli->progress_shown = true;
}

void output_progress_end(struct cli *cli)
{
	if (cli->progress_shown)
		(void)fputs("\r\033[K", stderr);
	cli->progress_shown = false;
}

void output_sleep_ms(int64_t duration_ms)
{
	struct timespec left = {.tv_sec = duration_ms / 1000, .tv_nsec = (duration_ms % 1000) * 1000000};

	while (nanosleep(&left, &left) != 0)
		continue;
}

/* --- states of providers ----------------------------------------------------------------------------------------- */

/* One sentence for each provider that stands in the way, and what to do. */
static void print_mending(struct cli *cli, const struct json *state, bool is_own, FILE *out)
{
	struct arena *arena = cli->arena;
	const char *id = output_plain(arena, json_string(json_member(state, "id")));
	const char *name = json_string(json_member(state, "display_name"));
	const char *fixable_by = json_string(json_member(state, "fixable_by"));
	const char *url = json_string(json_member(state, "authenticate_url"));

	name = name != NULL ? output_plain(arena, name) : id;
	if (fixable_by == NULL)
		return;
	if (strcmp(fixable_by, "wait") == 0)
		(void)fprintf(out, "%s cannot be asked right now: try again in a while.\n", name);
	else if (strcmp(fixable_by, "operator") == 0)
		(void)fprintf(out, "%s: ask whoever runs Gatehouse; connecting again does not help.\n", name);
	else if (is_own)
		(void)fprintf(out, "To connect %s: gatehouse connect %s\n", name, id);
	else
		(void)fprintf(out, "The owner connects %s at: %s\n", name, url != NULL ? output_plain(arena, url) : id);
}

void output_states(struct cli *cli, const struct json *states, bool is_own, FILE *out)
{
	struct table table = table_in(cli->arena, 5);
	bool mendable = false;

	if (json_count(states) == 0)
		return;
	table_add(&table, (const char *const[]){"PROVIDER", "NAME", "NEEDED", "STATE", "REASON"});
	for (const struct json *one = json_first(states); one != NULL; one = json_next(one)) {
		const char *const cells[] = {json_string(json_member(one, "id")),
			json_string(json_member(one, "display_name")),
			json_bool(json_member(one, "optional"), false) ? "optional" : "required",
			json_string(json_member(one, "verdict")), json_string(json_member(one, "reason"))};

		mendable = mendable || json_string(json_member(one, "fixable_by")) != NULL;
		table_add(&table, cells);
	}
	table_print(&table, out);
	if (mendable)
		(void)fputc('\n', out);
	for (const struct json *one = json_first(states); one != NULL; one = json_next(one)) {
		if (json_string(json_member(one, "id")) != NULL)
			print_mending(cli, one, is_own, out);
	}
}

/* --- the browser ------------------------------------------------------------------------------------------------- */

bool output_is_remote(void)
{
	if (cli_environment("SSH_CONNECTION") != NULL || cli_environment("SSH_TTY") != NULL)
		return true;
	return cli_environment("DISPLAY") == NULL && cli_environment("WAYLAND_DISPLAY") == NULL;
}

bool output_open_browser(const struct cli *cli, const char *url)
{
	char *const arguments[] = {arena_copy(cli->arena, "xdg-open"), arena_copy(cli->arena, url), NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	pid_t child = 0;
	bool good;

	if (output_is_remote())
		return false;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	good = posix_spawnp(&child, arguments[0], &files, &attributes, arguments, environ) == 0;
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return good;
}
