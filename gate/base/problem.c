/* SPDX-License-Identifier: Apache-2.0 */
/* Filling in a struct problem. Texts that are too long are cut between characters, so that an answer stays UTF-8. */
#include "problem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "must_check.h"

struct kind_fact {
	const char *word;
	int status;
};

#define ENUMERATE(name, word, status) {word, status},
static const struct kind_fact kind_facts[] = {PROBLEM_LIST(ENUMERATE)};
#undef ENUMERATE
_Static_assert(COUNT_OF(kind_facts) == PROBLEM_KIND_COUNT, "every kind of failure has a word and a status");

/* A character that vsnprintf cut in two at the end is dropped: RFC 3629, section 3. */
static void problem_drop_cut_character(char *text)
{
	size_t size = strlen(text);
	size_t start = size;
	size_t whole = 1;

	while (start > 0 && ((uint8_t)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	start--;
	if ((uint8_t)text[start] >= 0xf0)
		whole = 4;
	else if ((uint8_t)text[start] >= 0xe0)
		whole = 3;
	else if ((uint8_t)text[start] >= 0xc0)
		whole = 2;
	if (size - start < whole)
		text[start] = '\0';
}

static void problem_format(char *target, size_t capacity, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

static void problem_format(char *target, size_t capacity, const char *format, va_list arguments)
{
	int size = vsnprintf(target, capacity, format, arguments);

	if (size < 0)
		target[0] = '\0';
	else if ((size_t)size >= capacity)
		problem_drop_cut_character(target);
}

bool problem_set(struct problem *problem, enum problem_kind kind, const char *format, ...)
{
	char message[sizeof(problem->message)];
	va_list arguments;

	/* Formatted aside first: an argument may be a text of this very problem. */
	va_start(arguments, format);
	problem_format(message, sizeof(message), format, arguments);
	va_end(arguments);
	problem->kind = kind;
	problem->retry_after_s = 0;
	problem->violation_count = 0;
	problem->detail[0] = '\0';
	memcpy(problem->message, message, sizeof(message));
	return false;
}

bool problem_detail(struct problem *problem, const char *format, ...)
{
	char detail[sizeof(problem->detail)];
	va_list arguments;

	va_start(arguments, format);
	problem_format(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	memcpy(problem->detail, detail, sizeof(detail));
	return false;
}

bool problem_add_violation(struct problem *problem, const char *field, const char *format, ...)
{
	struct violation *violation;
	va_list arguments;

	if (problem->kind == PROBLEM_NONE)
		(void)problem_set(problem, PROBLEM_VALIDATION_FAILED, "Validation failed.");
	if (problem->violation_count >= VIOLATIONS_MAX)
		return false;
	violation = &problem->violations[problem->violation_count++];
	if ((size_t)snprintf(violation->field, sizeof(violation->field), "%s", field) >= sizeof(violation->field))
		problem_drop_cut_character(violation->field);
	va_start(arguments, format);
	problem_format(violation->detail, sizeof(violation->detail), format, arguments);
	va_end(arguments);
	return false;
}

const char *problem_word(enum problem_kind kind)
{
	return (unsigned)kind < PROBLEM_KIND_COUNT ? kind_facts[kind].word : "internal";
}

int problem_status(enum problem_kind kind)
{
	return (unsigned)kind < PROBLEM_KIND_COUNT ? kind_facts[kind].status : 500;
}
