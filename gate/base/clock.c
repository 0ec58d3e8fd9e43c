/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, deadlines, and dates as RFC 3339 and HTTP write them. */
#include "clock.h"

#include <stddef.h>

#include "must_check.h"

#define US_PER_S INT64_C(1000000)
#define MS_PER_S INT64_C(1000)
#define NS_PER_US 1000
#define NS_PER_MS 1000000

/* Ten thousand years: further deadlines are this one, so that sums do not overflow. */
#define DEADLINE_MS_MAX INT64_C(315576000000000)

int64_t clock_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

int64_t clock_monotonic_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

struct deadline deadline_in_ms(int64_t duration_ms)
{
	if (duration_ms > DEADLINE_MS_MAX)
		duration_ms = DEADLINE_MS_MAX;
	if (duration_ms < 0)
		duration_ms = 0;
	return (struct deadline){.at_us = clock_monotonic_us() + duration_ms * 1000};
}

struct deadline deadline_earlier(struct deadline left, struct deadline right)
{
	return left.at_us < right.at_us ? left : right;
}

int64_t deadline_left_ms(struct deadline deadline)
{
	int64_t left_us = deadline.at_us - clock_monotonic_us();

	/* Rounded up: who waits so long has passed the deadline. */
	return left_us > 0 ? (left_us + 999) / 1000 : 0;
}

bool deadline_passed(struct deadline deadline)
{
	return clock_monotonic_us() >= deadline.at_us;
}

struct timespec deadline_timespec(struct deadline deadline)
{
	return (struct timespec){.tv_sec = (time_t)(deadline.at_us / US_PER_S),
		.tv_nsec = (long)(deadline.at_us % US_PER_S * NS_PER_US)};
}

void condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(condition, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

char *clock_rfc3339(struct arena *arena, int64_t at_ms)
{
	int64_t ms = at_ms % MS_PER_S;
	struct tm parts;
	time_t seconds;

	if (at_ms == 0)
		return NULL;
	if (ms < 0)
		ms += MS_PER_S;
	seconds = (time_t)((at_ms - ms) / MS_PER_S);
	if (gmtime_r(&seconds, &parts) == NULL)
		return NULL;
	return arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
		parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)ms);
}

/* --- parsing ---------------------------------------------------------------------------------------------------- */

/* Reads exactly count digits and steps over them; false where there are fewer or the number lies outside the range. */
static bool clock_read_number(const char **text, size_t count, int low, int high, int *ret_number)
{
	int number = 0;

	for (size_t i = 0; i < count; i++) {
		if ((*text)[i] < '0' || (*text)[i] > '9')
			return false;
		number = number * 10 + ((*text)[i] - '0');
	}
	*text += count;
	*ret_number = number;
	return number >= low && number <= high;
}

static bool clock_read_mark(const char **text, const char *marks)
{
	for (; *marks != '\0'; marks++) {
		if (**text == *marks) {
			(*text)++;
			return true;
		}
	}
	return false;
}

static int clock_days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool clock_read_date(const char **text, struct tm *parts)
{
	int year;
	int month;

	if (!clock_read_number(text, 4, 0, 9999, &year) || !clock_read_mark(text, "-") ||
		!clock_read_number(text, 2, 1, 12, &month) || !clock_read_mark(text, "-") ||
		!clock_read_number(text, 2, 1, clock_days_in_month(year, month), &parts->tm_mday))
		return false;
	parts->tm_year = year - 1900;
	parts->tm_mon = month - 1;
	return true;
}

/* A fraction is cut to milliseconds. */
static bool clock_read_time(const char **text, struct tm *parts, int64_t *ret_ms)
{
	int scale = 100;

	*ret_ms = 0;
	if (!clock_read_number(text, 2, 0, 23, &parts->tm_hour) || !clock_read_mark(text, ":") ||
		!clock_read_number(text, 2, 0, 59, &parts->tm_min) || !clock_read_mark(text, ":") ||
		!clock_read_number(text, 2, 0, 60, &parts->tm_sec))
		return false;
	if (!clock_read_mark(text, "."))
		return true;
	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++) {
		*ret_ms += (int64_t)(**text - '0') * scale;
		scale /= 10;
	}
	return true;
}

static bool clock_read_offset(const char **text, int64_t *ret_offset_s)
{
	int sign = **text == '-' ? -1 : 1;
	int hours;
	int minutes;

	*ret_offset_s = 0;
	if (clock_read_mark(text, "Zz"))
		return true;
	if (!clock_read_mark(text, "+-") || !clock_read_number(text, 2, 0, 23, &hours) || !clock_read_mark(text, ":") ||
		!clock_read_number(text, 2, 0, 59, &minutes))
		return false;
	*ret_offset_s = (int64_t)sign * (hours * 3600 + minutes * 60);
	return true;
}

bool clock_parse_rfc3339(const char *text, int64_t *ret_at_ms)
{
	struct tm parts = {0};
	int64_t offset_s;
	int64_t ms;

	if (!clock_read_date(&text, &parts) || !clock_read_mark(&text, "Tt ") || !clock_read_time(&text, &parts, &ms) ||
		!clock_read_offset(&text, &offset_s) || *text != '\0')
		return false;
	*ret_at_ms = ((int64_t)timegm(&parts) - offset_s) * MS_PER_S + ms;
	return true;
}

/* The process stays in the C locale, so the names of days and months are the protocol's. */
bool clock_parse_http_date(const char *text, int64_t *ret_at_ms)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct tm parts = {0};
		const char *end = strptime(text, forms[i], &parts);

		if (end == NULL || *end != '\0')
			continue;
		*ret_at_ms = (int64_t)timegm(&parts) * MS_PER_S;
		return true;
	}
	return false;
}
