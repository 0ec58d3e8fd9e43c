/* SPDX-License-Identifier: Apache-2.0 */
/* JSON pointers (RFC 6901): how an operator says where in somebody else's document a value stands. */
#ifndef BASE_JSON_POINTER_H
#define BASE_JSON_POINTER_H

#include "json.h"

/* RFC 6901 section 3: empty, or tokens that each start with a slash, in which ~ stands before 0 or 1 only; UTF-8. */
bool json_pointer_is_lawful(const char *pointer);

/* The value a lawful pointer names in root (section 4); NULL where there is none. Array indices are digits without a
 * leading zero; `-`, the element behind the last, never exists. */
const struct json *json_pointer_find(const struct json *root, const char *pointer);

#endif
