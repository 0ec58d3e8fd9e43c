/* SPDX-License-Identifier: Apache-2.0 */
/* JSON behind a fence: what cJSON would let through (repeated and other-case keys, \u0000, bad UTF-8, a BOM, raw
 * controls, leading zeros, deep nesting, 1e400, integers beyond 2^53, text after the end) is refused here. The only
 * file that knows cJSON is json.c. A `struct json` is one value of a tree; the root owns the tree. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "must_check.h"
#include "problem.h"

struct json;

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* Parses size bytes (RFC 8259, UTF-8). On failure sets PROBLEM_MALFORMED_JSON with what is wrong and at which byte. The
 * caller owns *ret_root: json_free, or SCOPED(json_release). */
MUST_CHECK bool json_parse(const char *bytes, size_t size, struct json **ret_root, struct problem *problem);

/* As json_parse, for an answer that cannot be had again and of which few members are read: what the fence refuses in
 * the others does not refuse the whole. See json_mend.h for what is read differently then. */
MUST_CHECK bool json_parse_foreign(const char *bytes, size_t size, struct json **ret_root, struct problem *problem);

void json_free(struct json *root);
void json_release(struct json **root);

enum json_type { JSON_STRING, JSON_BOOL, JSON_INTEGER, JSON_OBJECT, JSON_ARRAY, JSON_ANY };

/* One field of an object and where it goes. target is `const char **` (copied into the arena), `bool *`, `int64_t *`,
 * or `const struct json **` (points into the tree). Absent or null leaves the target as it is, and is a violation only
 * when required. present, unless NULL, is set when the member is there (also with null: PATCH tells them apart). */
struct json_field {
	const char *name;
	enum json_type type;
	void *target;
	bool required;
	size_t bytes_max; /* strings: longest lawful, in bytes */
	int64_t min, max; /* integers: lawful range, both 0 for any */
	bool *present;
};

/* Reads the fields of an object; members without a field are ignored. Every wrong one adds a violation (field, what is
 * allowed) to problem; false when there was any, or when value is no object. */
MUST_CHECK bool json_read_fields(const struct json *value, const struct json_field *fields, size_t field_count,
	struct arena *arena, struct problem *problem);

bool json_is(const struct json *value, enum json_type type);
bool json_is_null(const struct json *value);
size_t json_count(const struct json *array);                 /* 0 for what is no array */
const struct json *json_first(const struct json *container); /* first element or member; NULL at the end */
const struct json *json_next(const struct json *value);
const struct json *json_member(const struct json *object, const char *name); /* NULL: absent, or no object */
const char *json_key(const struct json *member);
const char *json_string(const struct json *value); /* NULL for what is no string; lives with the tree */
bool json_bool(const struct json *value, bool fallback);
bool json_integer(const struct json *value, int64_t *ret_integer); /* false: no integer, or 2^53 and more */
bool json_floor(const struct json *value, int64_t *ret_integer);   /* the same for any number, which is rounded down */

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* New roots; the caller owns them until they are added to another value. They end the process where memory is out. */
struct json *json_new_object(void);
struct json *json_new_array(void);

/* Adds a member to an object. A NULL string is written as null. What is added belongs to the object. The name is not
 * copied: it is a literal, or lives as long as the object. */
void json_add_string(struct json *object, const char *name, const char *value);
void json_add_bool(struct json *object, const char *name, bool value);
void json_add_integer(struct json *object, const char *name, int64_t value);
void json_add_null(struct json *object, const char *name);
void json_add(struct json *object, const char *name, struct json *child);
struct json *json_add_object(struct json *object, const char *name);
struct json *json_add_array(struct json *object, const char *name);

/* Adds JSON text that is known to be well-formed (from a jsonb column) without parsing it. */
void json_add_raw(struct json *object, const char *name, const char *json_text);

/* Appends to an array. */
void json_push(struct json *array, struct json *child);
void json_push_string(struct json *array, const char *value);
struct json *json_push_object(struct json *array);

/* The tree as compact text in the arena. */
char *json_print(const struct json *root, struct arena *arena);

#endif
