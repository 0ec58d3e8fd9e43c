/* SPDX-License-Identifier: Apache-2.0 */
/* Makes JSON of others readable where only the fence is against it; json_parse_foreign in json.h is who calls it. */
#ifndef BASE_JSON_MEND_H
#define BASE_JSON_MEND_H

#include <stddef.h>

#include "text.h"

/* A mended copy takes at most so many times the bytes of the original: one byte that is no UTF-8 becomes three. */
#define JSON_MEND_GROWTH 3

/* Adds a copy of bytes to mended: without a byte order mark, numbers from 2^53 on as strings of the same digits, and
 * U+FFFD for what no text here may hold (\u0000, half a surrogate pair, bytes that are not UTF-8). */
void json_mend(const char *bytes, size_t size, struct text *mended);

#endif
