/* SPDX-License-Identifier: Apache-2.0 */
/* What a form's value decodes to is UTF-8, and encodes to a form that gives it back. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "must_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	SCOPED(arena_release) struct arena *arena = arena_new(((size_t)1 << 20) + 64 * size);
	const char *form = arena_copy_bytes(arena, bytes, size);
	const char *value = form_value(arena, form, "code");
	struct text text = text_in(arena);
	const char *again;

	if (value == NULL)
		return 0;
	text_add_form(&text, "code", value);
	again = form_value(arena, text.bytes, "code");
	if (!text_is_utf8(value, strlen(value)) || again == NULL || strcmp(again, value) != 0)
		abort();
	return 0;
}
