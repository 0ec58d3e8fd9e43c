/* SPDX-License-Identifier: Apache-2.0 */
/* The fence's first half: reads JSON bytes before cJSON does, and refuses everything RFC 8259 or our bounds refuse. */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong, and before which byte it was found. */
struct json_flaw {
	const char *what;
	size_t at;
};

/* true: size bytes are one JSON text within the bounds of bounds.h; then cJSON reads it as RFC 8259 means it. */
bool json_scan(const char *bytes, size_t size, struct json_flaw *ret_flaw);

/* The UTF-16 unit of a \uXXXX that begins at an offset; -1 where none does. */
int32_t json_escaped_unit(const char *bytes, size_t size, size_t at);

/* Whether these bytes are one number, of any size. */
bool json_is_number(const char *bytes, size_t size);

/* Whether cJSON keeps the number these bytes write as it is written. */
bool json_number_fits(const char *bytes, size_t size);

#endif
