/* SPDX-License-Identifier: Apache-2.0 */
/* What the fence lets through, or what was mended for it, prints, and what is printed comes through the fence as the
 * same. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	SCOPED(arena_release) struct arena *arena = arena_new(REQUEST_ARENA_BYTES_MAX);
	SCOPED(json_release) struct json *root = NULL;
	SCOPED(json_release) struct json *again = NULL;
	struct problem problem = {0};
	const char *printed;
	const char *name = NULL;
	int64_t number = 0;
	const struct json_field fields[] = {
		{.name = "name", .type = JSON_STRING, .target = &name, .required = true, .bytes_max = NAME_BYTES_MAX},
		{.name = "number", .type = JSON_INTEGER, .target = &number, .min = -5, .max = 5},
	};

	if (!json_parse((const char *)bytes, size, &root, &problem)) {
		problem = (struct problem){0};
		if (!json_parse_foreign((const char *)bytes, size, &root, &problem))
			return 0;
	}
	printed = json_print(root, arena);
	if (!json_parse(printed, strlen(printed), &again, &problem) || strcmp(json_print(again, arena), printed) != 0)
		abort();
	if (!json_read_fields(root, fields, COUNT_OF(fields), arena, &problem) && problem.kind == PROBLEM_NONE)
		abort();
	return 0;
}
