/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer, held against the reader: what is written reads back as it was, for every byte a string may hold. */
#include "unit.h"

#include "base/json.h"
#include "base/json_text.h"

static void members_and_elements_are_separated(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	struct text text = text_in(arena);

	(void)state;
	json_text_open(&text, NULL, '{');
	json_text_string(&text, "a", "x");
	json_text_open(&text, "list", '[');
	json_text_open(&text, NULL, '{');
	json_text_bool(&text, "yes", true);
	json_text_bool(&text, "no", false);
	json_text_close(&text, '}');
	json_text_open(&text, NULL, '{');
	json_text_close(&text, '}');
	json_text_integer(&text, NULL, INT64_MIN);
	json_text_string(&text, NULL, "[");
	json_text_string(&text, NULL, "");
	json_text_close(&text, ']');
	json_text_null(&text, "nothing");
	json_text_string(&text, "none", NULL);
	json_text_raw(&text, "raw", "[1]");
	json_text_raw(&text, "more", "{}");
	json_text_close(&text, '}');
	assert_string_equal(text.bytes, "{\"a\":\"x\",\"list\":[{\"yes\":true,\"no\":false},{},"
					"-9223372036854775808,\"[\",\"\"],\"nothing\":null,\"none\":null,\"raw\":[1],"
					"\"more\":{}}");
}

static void escapes_what_rfc_8259_demands(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	struct text text = text_in(arena);

	(void)state;
	json_text_string(&text, NULL, "\x01 \b\f\n\r\t\x1f\" \\ / \x7f \xc3\xa9 \xf0\x9f\x98\x80");
	assert_string_equal(text.bytes, "\"\\u0001 \\b\\f\\n\\r\\t\\u001f\\\" \\\\ / \x7f \xc3\xa9 \xf0\x9f\x98\x80\"");
}

/* The tree's printer is the older of the two; both must say the same. */
static void says_what_the_tree_says(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	char every[128] = "";

	(void)state;
	for (int c = 1; c < 128; c++)
		every[c - 1] = (char)c;
	SCOPED(json_release) struct json *tree = json_new_object();
	json_add_string(tree, "s", every);
	struct text text = text_in(arena);
	json_text_open(&text, NULL, '{');
	json_text_string(&text, "s", every);
	json_text_close(&text, '}');
	assert_string_equal(text.bytes, json_print(tree, arena));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_and_elements_are_separated),
		cmocka_unit_test(escapes_what_rfc_8259_demands),
		cmocka_unit_test(says_what_the_tree_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
