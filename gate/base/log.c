/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines. A line is built on the stack and written with one write(2) of at most PIPE_BUF bytes, which a pipe takes
 * whole; what does not fit is cut, and the line stays well-formed. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "metrics.h"
#include "must_check.h"
#include "text.h"

#define LINE_BYTES_MAX PIPE_BUF

/* Kept free behind everything: an escape that is being written, a closing quote and brace, the newline. */
#define LINE_RESERVE_BYTES 24

/* A pair's name and number always fit into this; a pair that finds less room is left out. */
#define LINE_PAIR_BYTES 96
#define LINE_NAME_BYTES 48

/* Of the largest 64-bit number. */
#define LINE_DIGITS_MAX 20

struct line {
	size_t size;
	char bytes[LINE_BYTES_MAX];
};

/* How long a line waits for a reader that has fallen behind. */
#define STALL_MS 50

static int stream = STDERR_FILENO;
static bool stream_is_socket;
static atomic_bool stream_stalled;

static _Atomic int log_level_set = LOG_INFO;
static _Atomic int log_format_set = LOG_JSON;

static const char *const level_words[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

/* O_NONBLOCK belongs to the open file description, which others share with us (a shell, a parent): a pipe is opened
 * anew, so that only our writes do not block. Where that is refused the pipe is used as it is. */
static void stream_open(void)
{
	struct stat status;
	int fd;

	if (stream != STDERR_FILENO)
		(void)close(stream);
	stream = STDERR_FILENO;
	if (fstat(STDERR_FILENO, &status) != 0)
		return;
	stream_is_socket = S_ISSOCK(status.st_mode);
	if (!S_ISFIFO(status.st_mode))
		return;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		stream = fd;
}

void log_setup(enum log_level level, enum log_format format)
{
	stream_open();
	atomic_store(&log_level_set, (int)level);
	atomic_store(&log_format_set, (int)format);
}

bool log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&log_level_set, memory_order_relaxed);
}

struct log_pair log_string(const char *name, const char *value)
{
	return (struct log_pair){.name = name, .kind = LOG_STRING, .string = value};
}

struct log_pair log_number(const char *name, int64_t value)
{
	return (struct log_pair){.name = name, .kind = LOG_NUMBER, .number = value};
}

struct log_pair log_duration(const char *name, int64_t duration_us)
{
	return (struct log_pair){.name = name, .kind = LOG_MILLISECONDS, .number = duration_us};
}

/* --- building a line --------------------------------------------------------------------------------------------- */

static size_t line_room(const struct line *line)
{
	size_t taken = line->size + LINE_RESERVE_BYTES;

	return taken < LINE_BYTES_MAX ? LINE_BYTES_MAX - taken : 0;
}

/* Raw, also into the reserve. */
static void line_put(struct line *line, const char *piece, size_t size)
{
	if (size > LINE_BYTES_MAX - line->size)
		size = LINE_BYTES_MAX - line->size;
	memcpy(line->bytes + line->size, piece, size);
	line->size += size;
}

static void line_put_word(struct line *line, const char *word)
{
	line_put(line, word, strlen(word));
}

static void line_putf(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line_putf(struct line *line, const char *format, ...)
{
	char piece[LINE_PAIR_BYTES];
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(piece, sizeof(piece), format, arguments);
	va_end(arguments);
	if (size > 0)
		line_put(line, piece, (size_t)size < sizeof(piece) ? (size_t)size : sizeof(piece) - 1);
}

/* The escape of one ASCII character inside quotes (RFC 8259 section 7); DEL and what is no UTF-8 are handled alike, so
 * that no terminal is driven by a log. NULL: it stands for itself. */
static const char *line_escape(char c, char buffer[8])
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		break;
	}
	if ((unsigned char)c >= 0x20 && c != 0x7f)
		return NULL;
	(void)snprintf(buffer, 8, "\\u%04x", (unsigned)(unsigned char)c);
	return buffer;
}

/* C1 controls, U+0080 to U+009F, drive terminals too. */
static bool line_is_c1(const char *character)
{
	return character[0] == '\xc2' && (unsigned char)character[1] < 0xa0;
}

/* How much of the value stands for itself. */
static size_t line_plain_size(const char *value, size_t size)
{
	size_t plain = 0;

	while (plain < size && value[plain] >= ' ' && value[plain] < 0x7f && value[plain] != '"' &&
		value[plain] != '\\')
		plain++;
	return plain;
}

/* The value with escapes, cut where the room ends. */
static void line_put_escaped(struct line *line, const char *value)
{
	size_t left = strlen(value);

	while (left > 0 && line_room(line) > 0) {
		size_t room = line_room(line);
		size_t plain = line_plain_size(value, left < room ? left : room);

		line_put(line, value, plain);
		value += plain;
		left -= plain;
		if (plain > 0)
			continue;
		size_t size = text_utf8_size(value, left);
		char buffer[8];
		const char *escape = size == 1 ? line_escape(*value, buffer) : NULL;

		if (size == 0 || (size == 2 && line_is_c1(value)))
			escape = "\xef\xbf\xbd"; /* U+FFFD */
		if (size == 0)
			size = 1;
		if (escape != NULL)
			line_put(line, escape, strlen(escape));
		else
			line_put(line, value, size);
		value += size;
		left -= size;
	}
}

static void line_put_quoted(struct line *line, const char *value)
{
	line_put(line, "\"", 1);
	line_put_escaped(line, value);
	line_put(line, "\"", 1);
}

/* In text form a plain word stands without quotes. */
static bool line_is_plain(const char *value)
{
	if (*value == '\0')
		return false;
	for (; *value != '\0'; value++)
		if ((unsigned char)*value <= ' ' || (unsigned char)*value >= 0x7f || strchr("\"\\=", *value) != NULL)
			return false;
	return true;
}

/* The last digits of a number, and what stands behind them. Every line has some ten such, so they are not left to
 * printf. */
static void line_put_digits(struct line *line, uint64_t number, size_t width, const char *behind)
{
	char digits[LINE_DIGITS_MAX];

	for (size_t i = width; i > 0; i--) {
		digits[i - 1] = (char)('0' + number % 10);
		number /= 10;
	}
	line_put(line, digits, width);
	line_put_word(line, behind);
}

static void line_put_number(struct line *line, uint64_t number, const char *behind)
{
	size_t width = 1;

	for (uint64_t rest = number / 10; rest > 0; rest /= 10)
		width++;
	line_put_digits(line, number, width, behind);
}

static void line_put_value(struct line *line, const struct log_pair *pair, bool json)
{
	/* Negated as unsigned, so that the least number has its magnitude too. */
	uint64_t magnitude = pair->number < 0 ? -(uint64_t)pair->number : (uint64_t)pair->number;

	if (pair->kind != LOG_STRING && pair->number < 0)
		line_put(line, "-", 1);
	switch (pair->kind) {
	case LOG_STRING:
		if (json || !line_is_plain(pair->string))
			line_put_quoted(line, pair->string);
		else
			line_put_escaped(line, pair->string);
		return;
	case LOG_NUMBER:
		line_put_number(line, magnitude, "");
		return;
	case LOG_MILLISECONDS:
		line_put_number(line, magnitude / 1000, ".");
		line_put_digits(line, magnitude % 1000, 3, "");
		return;
	}
}

static void line_put_pair(struct line *line, const struct log_pair *pair, bool json)
{
	if (pair->kind == LOG_STRING && pair->string == NULL)
		return;
	if (line_room(line) < LINE_PAIR_BYTES)
		return;
	line_put(line, json ? ",\"" : " ", json ? 2 : 1);
	line_put(line, pair->name, strnlen(pair->name, LINE_NAME_BYTES));
	line_put(line, json ? "\":" : "=", json ? 2 : 1);
	line_put_value(line, pair, json);
}

static void line_put_time(struct line *line)
{
	struct timespec now;
	struct tm parts;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &parts);
	line_put_digits(line, (unsigned)(parts.tm_year + 1900), 4, "-");
	line_put_digits(line, (unsigned)(parts.tm_mon + 1), 2, "-");
	line_put_digits(line, (unsigned)parts.tm_mday, 2, "T");
	line_put_digits(line, (unsigned)parts.tm_hour, 2, ":");
	line_put_digits(line, (unsigned)parts.tm_min, 2, ":");
	line_put_digits(line, (unsigned)parts.tm_sec, 2, ".");
	line_put_digits(line, (uint64_t)now.tv_nsec / 1000000, 3, "Z");
}

static void line_begin_json(struct line *line, const char *level, const char *message)
{
	line_put_word(line, "{\"time\":\"");
	line_put_time(line);
	line_put_word(line, "\",\"level\":\"");
	line_put_word(line, level);
	line_put_word(line, "\",\"message\":");
	line_put_quoted(line, message);
}

static void line_begin_text(struct line *line, const char *level, const char *message)
{
	line_put_time(line);
	line_putf(line, " %-5s ", level);
	line_put_escaped(line, message);
}

/* One piece of a line. A socket is never waited for; a pipe is written through a description of its own that does not
 * block (stream_open); a file or a terminal takes what it is given. */
static ssize_t stream_write(const char *bytes, size_t size)
{
	if (stream_is_socket)
		return send(STDERR_FILENO, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(stream, bytes, size);
}

/* Whether there is room again. A reader that is merely slow is given STALL_MS once; while it stays behind, lines are
 * dropped without waiting for it. */
static bool stream_await_room(void)
{
	struct pollfd room = {.fd = stream, .events = POLLOUT};
	bool stalled = atomic_load(&stream_stalled);
	const struct timespec patience = {.tv_nsec = stalled ? 0 : STALL_MS * 1000000L};
	/* Not poll: the server gives that name a meaning of its own (server_slow.c). */
	bool writable = ppoll(&room, 1, &patience, NULL) == 1 && (room.revents & POLLOUT) != 0;

	atomic_store(&stream_stalled, !writable);
	return writable;
}

/* A log that nobody takes must not end or stop the service: what cannot be written is dropped and counted. */
static void line_write(const struct line *line)
{
	int saved_errno = errno;
	size_t written = 0;

	while (written < line->size) {
		ssize_t size = stream_write(line->bytes + written, line->size - written);

		if (size > 0)
			written += (size_t)size;
		else if (errno != EINTR && !(errno == EAGAIN && stream_await_room()))
			break;
	}
	if (written < line->size)
		metrics_add(METRIC_LOG_DROPPED, (struct metric_labels){{NULL}}, 1);
	errno = saved_errno;
}

void log_write(enum log_level level, const char *message, const struct log_pair *pairs, size_t pair_count)
{
	bool json = atomic_load_explicit(&log_format_set, memory_order_relaxed) == LOG_JSON;
	struct line line;

	if (!log_enabled(level))
		return;
	line.size = 0;
	if (json)
		line_begin_json(&line, level_words[level], message);
	else
		line_begin_text(&line, level_words[level], message);
	for (size_t i = 0; i < pair_count; i++)
		line_put_pair(&line, &pairs[i], json);
	if (json)
		line_put(&line, "}", 1);
	line_put(&line, "\n", 1);
	line_write(&line);
}

void log_line(enum log_level level, const char *format, ...)
{
	char message[LINE_BYTES_MAX];
	va_list arguments;

	if (!log_enabled(level))
		return;
	va_start(arguments, format);
	if (vsnprintf(message, sizeof(message), format, arguments) < 0)
		message[0] = '\0';
	va_end(arguments);
	log_write(level, message, NULL, 0);
}
