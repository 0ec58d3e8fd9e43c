/* SPDX-License-Identifier: Apache-2.0 */
/* Levenshtein's distance, one row at a time. */
#include "suggest.h"

#include <string.h>

/* Longer than any known name; what is longer has no near one. */
#define NAME_LENGTH_MAX 63

struct suggestion suggestion_for(const char *given)
{
	/* A third of the letters wrong is still the same word; more is another. */
	return (struct suggestion){.given = given, .distance = strlen(given) / 3 + 2};
}

static size_t suggestion_least(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static size_t suggestion_distance(const char *left, const char *right)
{
	size_t row[NAME_LENGTH_MAX + 1];
	size_t width = strlen(right);

	if (strlen(left) > NAME_LENGTH_MAX || width > NAME_LENGTH_MAX)
		return NAME_LENGTH_MAX;
	for (size_t i = 0; i <= width; i++)
		row[i] = i;
	for (size_t line = 0; left[line] != '\0'; line++) {
		size_t diagonal = row[0];

		row[0] = line + 1;
		for (size_t i = 1; i <= width; i++) {
			size_t above = row[i];
			size_t changed = diagonal + (left[line] != right[i - 1]);

			row[i] = suggestion_least(above + 1, row[i - 1] + 1, changed);
			diagonal = above;
		}
	}
	return row[width];
}

void suggestion_consider(struct suggestion *suggestion, const char *candidate)
{
	size_t distance = suggestion_distance(suggestion->given, candidate);

	if (distance >= suggestion->distance)
		return;
	suggestion->distance = distance;
	suggestion->nearest = candidate;
}
