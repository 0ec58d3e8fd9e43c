/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows cJSON: reading behind the fence of json_scan.c, and writing. cJSON's memory is wiped before
 * it is freed, because trees hold tokens. */
#include "json.h"

#include <cjson/cJSON.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bounds.h"
#include "json_mend.h"
#include "json_scan.h"

#define INTEGER_END 9007199254740992.0 /* 2^53: see json_scan.c */

/* Up to so many members are compared pair by pair; more are sorted first, so that no body makes it quadratic. */
#define MEMBERS_COMPARED_MAX 12

/* An ordinary answer fits, so that printing it does not grow its buffer. */
#define PRINT_BYTES_FIRST 1024

RELEASE_WITH(json_print_release, char, cJSON_free)

static const cJSON *json_item(const struct json *value)
{
	return (const void *)value;
}

static cJSON *json_item_to_change(struct json *value)
{
	return (void *)value;
}

static struct json *json_from(cJSON *item)
{
	return (void *)item;
}

static const struct json *json_from_const(const cJSON *item)
{
	return (const void *)item;
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

static void *json_allocate(size_t size)
{
	void *memory = malloc(size);

	if (memory == NULL) {
		(void)fputs("gatehouse: out of memory\n", stderr);
		abort();
	}
	return memory;
}

static void json_wipe_and_free(void *memory)
{
	if (memory == NULL)
		return;
	explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

static void json_set_hooks(void)
{
	cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = json_allocate, .free_fn = json_wipe_and_free});
}

/* Every way to a first value comes through here. */
static void json_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, json_set_hooks);
}

void json_free(struct json *root)
{
	cJSON_Delete(json_item_to_change(root));
}

void json_release(struct json **root)
{
	json_free(*root);
}

/* --- repeated keys ---------------------------------------------------------------------------------------------- */

static const char *json_repeated_among_few(const cJSON *object)
{
	for (const cJSON *left = object->child; left != NULL; left = left->next)
		for (const cJSON *right = left->next; right != NULL; right = right->next)
			if (strcmp(left->string, right->string) == 0)
				return left->string;
	return NULL;
}

static int json_compare_keys(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static const char *json_repeated_among_many(const cJSON *object, size_t count)
{
	SCOPED(arena_release) struct arena *arena = arena_new(count * sizeof(const char *));
	const char **keys = arena_alloc(arena, count * sizeof(*keys));
	size_t filled = 0;

	for (const cJSON *member = object->child; member != NULL; member = member->next)
		keys[filled++] = member->string;
	qsort(keys, count, sizeof(*keys), json_compare_keys);
	for (size_t i = 1; i < count; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			return keys[i];
	return NULL;
}

static const char *json_repeated_in(const cJSON *object)
{
	size_t count = 0;

	for (const cJSON *member = object->child; member != NULL; member = member->next)
		count++;
	return count > MEMBERS_COMPARED_MAX ? json_repeated_among_many(object, count) : json_repeated_among_few(object);
}

/* The first key that an object anywhere in the tree holds twice; NULL where there is none. Walks depth first with the
 * way back on a stack, which json_scan has bounded. */
static const char *json_repeated_key(const cJSON *root)
{
	const cJSON *way_back[JSON_DEPTH_MAX];
	size_t depth = 0;
	const cJSON *item = root;

	for (;;) {
		const char *key = cJSON_IsObject(item) ? json_repeated_in(item) : NULL;

		if (key != NULL)
			return key;
		if (item->child != NULL) {
			way_back[depth++] = item;
			item = item->child;
			continue;
		}
		while (depth > 0 && item->next == NULL)
			item = way_back[--depth];
		if (depth == 0)
			return NULL;
		item = item->next;
	}
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

bool json_parse(const char *bytes, size_t size, struct json **ret_root, struct problem *problem)
{
	struct json_flaw flaw;
	const char *repeated;
	cJSON *root;

	*ret_root = NULL;
	json_prepare();
	if (!json_scan(bytes, size, &flaw)) {
		(void)problem_set(problem, PROBLEM_MALFORMED_JSON, "The body is not the JSON this service reads.");
		return problem_detail(problem, "At byte %zu there is %s.", flaw.at, flaw.what);
	}
	root = cJSON_ParseWithLengthOpts(bytes, size, NULL, false);
	if (root == NULL)
		return problem_set(problem, PROBLEM_MALFORMED_JSON, "The body is not the JSON this service reads.");
	repeated = json_repeated_key(root);
	if (repeated != NULL) {
		(void)problem_set(problem, PROBLEM_MALFORMED_JSON, "The body is not the JSON this service reads.");
		(void)problem_detail(problem, "An object has the member %.64s twice.", repeated);
		cJSON_Delete(root);
		return false;
	}
	*ret_root = json_from(root);
	return true;
}

bool json_parse_foreign(const char *bytes, size_t size, struct json **ret_root, struct problem *problem)
{
	struct problem strictly;

	if (json_parse(bytes, size, ret_root, &strictly))
		return true;
	size_t capacity = size * JSON_MEND_GROWTH + 1;
	SCOPED(arena_release) struct arena *arena = arena_new(capacity);
	struct text mended = text_sized(arena, capacity);
	json_mend(bytes, size, &mended);
	return json_parse(mended.bytes, mended.size, ret_root, problem);
}

bool json_is(const struct json *value, enum json_type type)
{
	int64_t integer;

	if (value == NULL)
		return false;
	switch (type) {
	case JSON_STRING:
		return cJSON_IsString(json_item(value));
	case JSON_BOOL:
		return cJSON_IsBool(json_item(value));
	case JSON_INTEGER:
		return json_integer(value, &integer);
	case JSON_OBJECT:
		return cJSON_IsObject(json_item(value));
	case JSON_ARRAY:
		return cJSON_IsArray(json_item(value));
	case JSON_ANY:
		return true;
	}
	return false;
}

bool json_is_null(const struct json *value)
{
	return cJSON_IsNull(json_item(value));
}

size_t json_count(const struct json *array)
{
	return json_is(array, JSON_ARRAY) ? (size_t)cJSON_GetArraySize(json_item(array)) : 0;
}

const struct json *json_first(const struct json *container)
{
	return container == NULL ? NULL : json_from_const(json_item(container)->child);
}

const struct json *json_next(const struct json *value)
{
	return value == NULL ? NULL : json_from_const(json_item(value)->next);
}

const struct json *json_member(const struct json *object, const char *name)
{
	if (!json_is(object, JSON_OBJECT))
		return NULL;
	return json_from_const(cJSON_GetObjectItemCaseSensitive(json_item(object), name));
}

const char *json_key(const struct json *member)
{
	return member == NULL ? NULL : json_item(member)->string;
}

const char *json_string(const struct json *value)
{
	return cJSON_GetStringValue(json_item(value));
}

bool json_bool(const struct json *value, bool fallback)
{
	return json_is(value, JSON_BOOL) ? cJSON_IsTrue(json_item(value)) : fallback;
}

bool json_floor(const struct json *value, int64_t *ret_integer)
{
	double number;

	if (!cJSON_IsNumber(json_item(value)))
		return false;
	number = floor(json_item(value)->valuedouble);
	if (!(fabs(number) < INTEGER_END))
		return false;
	*ret_integer = (int64_t)number;
	return true;
}

bool json_integer(const struct json *value, int64_t *ret_integer)
{
	int64_t whole;

	if (!json_floor(value, &whole) || (double)whole < json_item(value)->valuedouble)
		return false;
	*ret_integer = whole;
	return true;
}

/* --- fields ----------------------------------------------------------------------------------------------------- */

static bool json_read_string(
	const struct json *value, const struct json_field *field, struct arena *arena, struct problem *problem)
{
	const char *text = json_string(value);

	if (text == NULL)
		return problem_add_violation(problem, field->name, "must be a string");
	if (field->bytes_max > 0 && strlen(text) > field->bytes_max)
		return problem_add_violation(problem, field->name, "must be at most %zu bytes", field->bytes_max);
	*(const char **)field->target = arena_copy(arena, text);
	return true;
}

static bool json_read_integer(const struct json *value, const struct json_field *field, struct problem *problem)
{
	bool bounded = field->min != 0 || field->max != 0;
	int64_t integer;

	if (!json_integer(value, &integer))
		return problem_add_violation(problem, field->name, "must be a whole number");
	if (bounded && (integer < field->min || integer > field->max))
		return problem_add_violation(problem, field->name, "must be a whole number from %lld to %lld",
			(long long)field->min, (long long)field->max);
	*(int64_t *)field->target = integer;
	return true;
}

static bool json_read_value(
	const struct json *value, const struct json_field *field, struct arena *arena, struct problem *problem)
{
	switch (field->type) {
	case JSON_STRING:
		return json_read_string(value, field, arena, problem);
	case JSON_INTEGER:
		return json_read_integer(value, field, problem);
	case JSON_BOOL:
		if (!json_is(value, JSON_BOOL))
			return problem_add_violation(problem, field->name, "must be true or false");
		*(bool *)field->target = json_bool(value, false);
		return true;
	case JSON_OBJECT:
		if (!json_is(value, JSON_OBJECT))
			return problem_add_violation(problem, field->name, "must be an object");
		*(const struct json **)field->target = value;
		return true;
	case JSON_ARRAY:
		if (!json_is(value, JSON_ARRAY))
			return problem_add_violation(problem, field->name, "must be an array");
		*(const struct json **)field->target = value;
		return true;
	case JSON_ANY:
		*(const struct json **)field->target = value;
		return true;
	}
	return false;
}

/* A member that is this field but for its case: reading it would follow cJSON's lax lookup, skipping it silently would
 * do something else than the caller meant. */
static bool json_has_other_case(const struct json *object, const char *name)
{
	for (const struct json *member = json_first(object); member != NULL; member = json_next(member))
		if (strcasecmp(json_key(member), name) == 0 && strcmp(json_key(member), name) != 0)
			return true;
	return false;
}

static bool json_read_field(
	const struct json *object, const struct json_field *field, struct arena *arena, struct problem *problem)
{
	const struct json *value = json_member(object, field->name);

	if (json_has_other_case(object, field->name))
		return problem_add_violation(problem, field->name, "must be spelt `%s`, in this case", field->name);
	if (value != NULL && field->present != NULL)
		*field->present = true;
	if (value != NULL && !json_is_null(value))
		return json_read_value(value, field, arena, problem);
	if (field->required)
		return problem_add_violation(problem, field->name, "is required");
	return true;
}

bool json_read_fields(const struct json *value, const struct json_field *fields, size_t field_count,
	struct arena *arena, struct problem *problem)
{
	bool good = true;

	if (!json_is(value, JSON_OBJECT))
		return problem_set(problem, PROBLEM_BAD_REQUEST, "A JSON object is expected.");
	for (size_t i = 0; i < field_count; i++)
		if (!json_read_field(value, &fields[i], arena, problem))
			good = false;
	return good;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

struct json *json_new_object(void)
{
	json_prepare();
	return json_from(cJSON_CreateObject());
}

struct json *json_new_array(void)
{
	json_prepare();
	return json_from(cJSON_CreateArray());
}

void json_add(struct json *object, const char *name, struct json *child)
{
	(void)cJSON_AddItemToObjectCS(json_item_to_change(object), name, json_item_to_change(child));
}

void json_add_string(struct json *object, const char *name, const char *value)
{
	json_add(object, name, json_from(value == NULL ? cJSON_CreateNull() : cJSON_CreateString(value)));
}

void json_add_bool(struct json *object, const char *name, bool value)
{
	json_add(object, name, json_from(cJSON_CreateBool(value)));
}

void json_add_integer(struct json *object, const char *name, int64_t value)
{
	char digits[24];

	/* cJSON prints a number as a double, reads it back to see whether it is the same, and prints it again. */
	(void)snprintf(digits, sizeof(digits), "%lld", (long long)value);
	json_add_raw(object, name, digits);
}

void json_add_null(struct json *object, const char *name)
{
	json_add(object, name, json_from(cJSON_CreateNull()));
}

struct json *json_add_object(struct json *object, const char *name)
{
	struct json *child = json_new_object();

	json_add(object, name, child);
	return child;
}

struct json *json_add_array(struct json *object, const char *name)
{
	struct json *child = json_new_array();

	json_add(object, name, child);
	return child;
}

void json_add_raw(struct json *object, const char *name, const char *json_text)
{
	json_add(object, name, json_from(cJSON_CreateRaw(json_text)));
}

void json_push(struct json *array, struct json *child)
{
	(void)cJSON_AddItemToArray(json_item_to_change(array), json_item_to_change(child));
}

void json_push_string(struct json *array, const char *value)
{
	json_push(array, json_from(value == NULL ? cJSON_CreateNull() : cJSON_CreateString(value)));
}

struct json *json_push_object(struct json *array)
{
	struct json *child = json_new_object();

	json_push(array, child);
	return child;
}

char *json_print(const struct json *root, struct arena *arena)
{
	SCOPED(json_print_release) char *text = cJSON_PrintBuffered(json_item(root), PRINT_BYTES_FIRST, false);

	if (text == NULL) {
		(void)fputs("gatehouse: a JSON tree does not print\n", stderr);
		abort();
	}
	return arena_copy(arena, text);
}
