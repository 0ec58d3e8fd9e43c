/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with the headers it wants in front of it. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "must_check.h"

/* A text holds a piece; the failure shows both. */
#define assert_text_has(text, piece)                                                                                   \
	do {                                                                                                           \
		if (strstr(text, piece) == NULL)                                                                       \
			fail_msg("\"%s\" is not in \"%s\"", piece, text);                                              \
	} while (0)

#endif
