/* SPDX-License-Identifier: Apache-2.0 */
/* Which known name somebody probably meant: `did you mean …`. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

struct suggestion {
	const char *given;
	const char *nearest; /* NULL while nothing is near */
	size_t distance;
};

struct suggestion suggestion_for(const char *given);
void suggestion_consider(struct suggestion *suggestion, const char *candidate);

#endif
