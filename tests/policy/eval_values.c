/* SPDX-License-Identifier: Apache-2.0 */
/* The words of an .eval line as values. Everything here refuses what it does not understand to the last byte, because a
 * case that is read as something else tests nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"

/* All texts of one file; the longest cases are names of some KiB. */
static char kept[1024 * 1024];
static size_t kept_bytes;

char *eval_keep(const char *text, size_t length)
{
	if (length >= sizeof(kept) - kept_bytes)
		abort();

	char *copy = kept + kept_bytes;
	memcpy(copy, text, length);
	copy[length] = '\0';
	kept_bytes += length + 1;
	return copy;
}

bool parse_word(const struct column *column, const char *text, struct value *ret_value)
{
	for (size_t i = 0; i < column->word_count; i++) {
		const char *word = *column->words[i] != '\0' ? column->words[i] : "-";

		if (strcmp(word, text) == 0) {
			*ret_value = (struct value){.text = word, .number = (int64_t)i};
			return true;
		}
	}
	return false;
}

/* Decimal digits at *text, moved past them. */
static bool skip_digits(const char **text, int64_t *ret_number)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*ret_number = strtoll(*text, &end, 10);
	*text = end;
	return errno == 0;
}

bool parse_number(const struct column *column, const char *text, struct value *ret_value)
{
	(void)column;
	bool is_negative = *text == '-';
	const char *rest = text + is_negative;

	if (!skip_digits(&rest, &ret_value->number) || *rest != '\0')
		return false;
	if (is_negative)
		ret_value->number = -ret_value->number;
	return true;
}

bool parse_duration(const struct column *column, const char *text, struct value *ret_value)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

	(void)column;
	if (strcmp(text, "max") == 0) {
		ret_value->number = INT64_MAX;
		return true;
	}
	if (!skip_digits(&text, &ret_value->number))
		return false;
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (strcmp(units[i].unit, text) == 0) {
			ret_value->number *= units[i].ms;
			return true;
		}
	}
	return false;
}

bool parse_time(const struct column *column, const char *text, struct value *ret_value)
{
	static const struct {
		const char *word;
		int64_t ms;
	} moments[] = {{"never", 0}, {"now", EVAL_NOW_MS}, {"min", INT64_MIN}, {"max", INT64_MAX}};

	for (size_t i = 0; i < COUNT_OF(moments); i++) {
		if (strcmp(moments[i].word, text) == 0) {
			ret_value->number = moments[i].ms;
			return true;
		}
	}
	if (*text == '=')
		return parse_number(column, text + 1, ret_value);
	if ((*text != '+' && *text != '-') || !parse_duration(column, text + 1, ret_value))
		return false;
	ret_value->number = EVAL_NOW_MS + (*text == '+' ? ret_value->number : -ret_value->number);
	return true;
}

bool parse_list(const struct column *column, const char *text, struct value *ret_value)
{
	(void)column;
	ret_value->text = text;
	return true;
}

/* The byte that an escape at *text stands for, *text moved past it. */
static bool unescape(const char **text, char *ret_byte)
{
	static const char *const hex = "0123456789abcdef";
	const char *escape = *text + 1;

	*text += 2;
	switch (*escape) {
	case 's':
		*ret_byte = ' ';
		return true;
	case 't':
		*ret_byte = '\t';
		return true;
	case 'n':
		*ret_byte = '\n';
		return true;
	case '\\':
		*ret_byte = '\\';
		return true;
	case 'x':
		if (escape[1] == '\0' || escape[2] == '\0' || !strchr(hex, escape[1]) || !strchr(hex, escape[2]))
			return false;
		*ret_byte = (char)((strchr(hex, escape[1]) - hex) * 16 + (strchr(hex, escape[2]) - hex));
		*text += 2;
		return true;
	}
	return false;
}

/* (c*N) at *text: how often which byte, *text moved past it. */
static bool unrepeat(const char **text, char *ret_byte, int64_t *ret_count)
{
	const char *inside = *text + 1;

	if (inside[0] == '\0' || inside[1] != '*')
		return false;
	*ret_byte = inside[0];
	inside += 2;
	if (!skip_digits(&inside, ret_count) || *inside != ')')
		return false;
	*text = inside + 1;
	return true;
}

bool parse_text(const struct column *column, const char *text, struct value *ret_value)
{
	char buffer[8192];
	size_t length = 0;

	(void)column;
	if (strcmp(text, "''") == 0)
		text = "";
	while (*text != '\0') {
		char byte = *text;
		int64_t count = 1;

		if (*text == '\\') {
			if (!unescape(&text, &byte))
				return false;
		} else if (*text == '(') {
			if (!unrepeat(&text, &byte, &count))
				return false;
		} else {
			text++;
		}
		if (count > (int64_t)(sizeof(buffer) - length))
			return false;
		memset(buffer + length, byte, (size_t)count);
		length += (size_t)count;
	}
	ret_value->text = eval_keep(buffer, length);
	return true;
}
