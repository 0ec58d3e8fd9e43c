/* SPDX-License-Identifier: Apache-2.0 */
/* Read from /proc(5) at each scrape; what cannot be read is left out. */
#include "metrics_process.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "must_check.h"

#define PROC_BYTES_MAX 4096

RELEASE_WITH(file_release, FILE, fclose)
RELEASE_WITH(directory_release, DIR, closedir)

static void metrics_process_gauge(struct text *text, const char *name, const char *kind, const char *help, double value)
{
	text_addf(text, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, kind, name, value);
}

static bool proc_read(const char *path, char ret_content[PROC_BYTES_MAX])
{
	SCOPED(file_release) FILE *file = fopen(path, "re");
	size_t size;

	if (file == NULL)
		return false;
	size = fread(ret_content, 1, PROC_BYTES_MAX - 1, file);
	ret_content[size] = '\0';
	return size > 0;
}

/* The nth blank-separated word of text (from 0) as a number; 0 where there is none. */
static unsigned long long proc_word(const char *text, unsigned nth)
{
	for (; nth > 0; nth--) {
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	return strtoull(text, NULL, 10);
}

/* Seconds since 1970 at which the machine started, which process start times count from; 0 where unknown. */
static unsigned long long proc_boot_time(void)
{
	SCOPED(file_release) FILE *file = fopen("/proc/stat", "re");
	char line[PROC_BYTES_MAX];

	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "btime ", 6) == 0)
			return strtoull(line + 6, NULL, 10);
	return 0;
}

static void metrics_process_write_stat(struct text *text)
{
	double ticks_per_second = (double)sysconf(_SC_CLK_TCK);
	char content[PROC_BYTES_MAX];
	const char *after_name;
	unsigned long long boot = proc_boot_time();

	/* The second word is the program's name in parentheses and may hold blanks; behind it comes word 3, the state.
	 */
	after_name = proc_read("/proc/self/stat", content) ? strrchr(content, ')') : NULL;
	if (after_name == NULL)
		return;
	after_name += 1 + strspn(after_name + 1, " ");
	metrics_process_gauge(text, "process_cpu_seconds_total", "counter", "Processor time used",
		(double)(proc_word(after_name, 11) + proc_word(after_name, 12)) / ticks_per_second);
	if (boot > 0)
		metrics_process_gauge(text, "process_start_time_seconds", "gauge", "Start, seconds since 1970",
			(double)boot + (double)proc_word(after_name, 19) / ticks_per_second);
}

static void metrics_process_write_files(struct text *text)
{
	SCOPED(directory_release) DIR *directory = opendir("/proc/self/fd");
	double count = 0;

	if (directory == NULL)
		return;
	/* The stream is this call's own. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while (readdir(directory) != NULL)
		count++;
	/* Without `.`, `..` and the directory's own descriptor. */
	metrics_process_gauge(text, "process_open_fds", "gauge", "Open file descriptors", count - 3);
}

void metrics_process_write(struct text *text)
{
	char content[PROC_BYTES_MAX];

	if (proc_read("/proc/self/statm", content))
		metrics_process_gauge(text, "process_resident_memory_bytes", "gauge", "Resident memory",
			(double)proc_word(content, 1) * (double)sysconf(_SC_PAGESIZE));
	metrics_process_write_stat(text);
	metrics_process_write_files(text);
}
