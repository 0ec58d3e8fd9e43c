/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON fence: each thing cJSON would let through is refused, and a hostile body of 1 MiB costs no more than an
 * honest one. */
#include "unit.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "bounds.h"

#define ARENA_BYTES ((size_t)16 << 20)

static bool parses_bytes(const char *bytes, size_t size)
{
	struct problem problem = {0};
	SCOPED(json_release) struct json *root = NULL;
	bool good = json_parse(bytes, size, &root, &problem);

	assert_int_equal(good, root != NULL);
	assert_int_equal(problem.kind, good ? PROBLEM_NONE : PROBLEM_MALFORMED_JSON);
	assert_int_equal(good, problem.detail[0] == '\0');
	return good;
}

static struct json *parsed(const char *text)
{
	struct problem problem = {0};
	struct json *root;

	if (!json_parse(text, strlen(text), &root, &problem))
		fail_msg("%s: %s", text, problem.detail);
	return root;
}

static const char *const good_texts[] = {
	"{}",
	"[]",
	" [ ] \r\n\t",
	"null",
	"true",
	"\"x\"",
	"0",
	"-0",
	"1.5e3",
	"-1E-2",
	"9007199254740991",
	"-9007199254740991",
	"1e-400",
	"{\"a\":[1,{\"b\":null},\"\\u00e9\\n\\/\"]}",
	"\"\\ud83d\\udeaa\"",
	"\"\xf0\x9f\x9a\xaa\"",
	"{\"a\":1,\"A\":2}",
	"\"\x7f\"",
	"[[],{},[[]]]",
};

static void rfc_8259_texts_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(good_texts); i++)
		if (!parses_bytes(good_texts[i], strlen(good_texts[i])))
			fail_msg("refused: %s", good_texts[i]);
}

static const char *const bad_texts[] = {
	"\xef\xbb\xbf{}", /* a byte order mark */
	"\"\xff\"",
	"\"\xc0\xaf\"", /* bad UTF-8 */
	"{\"\xed\xa0\x80\":1}",
	"\"a\nb\"",
	"\"\x01\"", /* raw controls */
	"\"\\u0000\"",
	"{\"a\\u0000b\":1}",
	"\"\\ud800\"",
	"\"\\udc00\"",
	"\"\\ud800\\u0041\"",
	"\"\\ud83dx\"",
	"01",
	"-01",
	"[00]",
	"+1",
	"1.",
	".5",
	"1e",
	"1e+",
	"-",
	"0x1",
	"NaN",
	"Infinity",
	"1e400",
	"-1e400",
	"9007199254740992",
	"9007199254740993",
	"-9007199254740992",
	"1e17",
	"123456789012345678901234567890",
	"{\"a\":1,\"a\":2}",
	"{\"x\":{\"a\":1,\"\\u0061\":2}}",
	"[{},{\"a\":1,\"b\":1,\"a\":1}]",
	"{} x",
	"{}{}",
	"[1,]",
	"{\"a\":1,}",
	"{,}",
	"[,]",
	"{\"a\" 1}",
	"{a:1}",
	"{'a':1}",
	"[1 2]",
	"[1}",
	"{]",
	"",
	" ",
	"{",
	"[",
	"\"",
	"\"\\",
	"\"\\u12\"",
	"\"\\x\"",
	"tru",
	"nul",
	"{\"a\":}",
	"{\"a\"",
	"\"\\uD8",
	"// comment\n{}",
	"\v{}",
};

static void what_cjson_lets_through_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad_texts); i++)
		if (parses_bytes(bad_texts[i], strlen(bad_texts[i])))
			fail_msg("let through: %s", bad_texts[i]);
	assert_false(parses_bytes("{\"a\":\"b\0c\"}", 11));
	assert_false(parses_bytes("{}\0", 3));
	assert_false(parses_bytes("\"\\u0041", 7));
}

/* What others sent, and what is read of it; NULL: nothing. */
static const struct {
	const char *sent;
	const char *read;
} foreign_texts[] = {
	{"{\"a\": 1, \"b\": \"x\"}", "{\"a\":1,\"b\":\"x\"}"},
	{"{\"id\":12345678901234567890, \"a\":-9007199254740992}", "{\"id\":\"12345678901234567890\",\"a\":\"-"
								   "9007199254740992\"}"},
	{"{\"a\":1e400,\"b\":-1E+99,\"c\":1.5e3}", "{\"a\":\"1e400\",\"b\":\"-1E+99\",\"c\":1500}"},
	{"{\"a\":1000000000000000000000000000000000000000000000000000000000000000}", "{\"a\":"
										     "\"1000000000000000000000000000000"
										     "000000000000000000000000000000000"
										     "\"}"},
	{"{\"a\":\"x\\u0000y\",\"b\":\"\\\\u0000\"}", "{\"a\":\"x\xef\xbf\xbdy\",\"b\":\"\\\\u0000\"}"},
	{"{\"a\":\"\\ud800\",\"b\":\"\\udc00\\ud800x\",\"c\":\"\\uD83D\\uDE00\"}", "{\"a\":\"\xef\xbf\xbd\",\"b\":"
										   "\"\xef\xbf\xbd\xef\xbf\xbdx\","
										   "\"c\":\"\xf0\x9f\x98\x80\"}"},
	{"{\"name\":\"Zo\xeb 123456789012345678901\"}", "{\"name\":\"Zo\xef\xbf\xbd 123456789012345678901\"}"},
	{"\xef\xbb\xbf{\"a\":true}", "{\"a\":true}"},
	{"{\"a\":\"\\\"\xff\"}", "{\"a\":\"\\\"\xef\xbf\xbd\"}"},
	{"{\"a\":1,\"a\":2}", NULL},
	{"{\"a\":1e400", NULL},
	{"{\"a\":1e400e}", NULL},
	{"{\"a\":1e400.5}", NULL},
	{"{\"a\":012345678901234567890}", NULL},
	{"{\"a\":12345678901234567890-1}", NULL},
	{"{\"a\":1000000000000000000000000000000000000000000000000000000000000000-}", NULL},
	{"{\"a\":\"\xff", NULL},
	{"{\"a\":\"\\", NULL},
	{"{\"a\":\"\\u00", NULL},
	{"{\"a\":1e400} x", NULL},
	{"{\"a\":\"\n\"}", NULL},
	{"\xff", NULL},
	{"-", NULL},
	{"", NULL},
};

static void what_others_send_is_read_for_what_it_says(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(foreign_texts); i++) {
		const char *sent = foreign_texts[i].sent;
		SCOPED(json_release) struct json *root = NULL;
		struct problem problem = {0};
		bool good = json_parse_foreign(sent, strlen(sent), &root, &problem);

		assert_int_equal(problem.kind, good ? PROBLEM_NONE : PROBLEM_MALFORMED_JSON);
		if (good != (foreign_texts[i].read != NULL))
			fail_msg("%s: %s", sent, problem.detail);
		if (good)
			assert_string_equal(json_print(root, arena), foreign_texts[i].read);
	}
}

static void a_number_has_a_bound_on_its_digits(void **state)
{
	char text[80] = "0.";

	(void)state;
	memset(text + 2, '1', 50);
	assert_true(parses_bytes(text, strlen(text)));
	memset(text + 2, '1', 60);
	assert_false(parses_bytes(text, strlen(text)));
}

static void depth_is_bounded(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 3];

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_true(parses_bytes(text, 2 * (size_t)JSON_DEPTH_MAX));
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_false(parses_bytes(text, 2 * (size_t)JSON_DEPTH_MAX + 2));
}

/* CPU time, so that a busy machine fails nothing: a quadratic walk over 1 MiB takes tens of seconds of it, an honest
 * one a tenth of a second also under sanitizers. */
#define CPU_SECONDS_MAX 10

static bool parses_fast(const struct text *text)
{
	clock_t start = clock();
	bool good = parses_bytes(text->bytes, text->size);

	assert_true((clock() - start) / CLOCKS_PER_SEC < CPU_SECONDS_MAX);
	return good;
}

static void a_hostile_mebibyte_is_cheap(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	struct text keys = text_in(arena);
	struct text twice;
	struct text values = text_in(arena);
	struct text open = text_in(arena);

	(void)state;
	for (int i = 0; keys.size < BODY_BYTES_MAX - 20 && i < JSON_VALUES_MAX - 3; i++)
		text_addf(&keys, "%c\"%d\":1", i == 0 ? '{' : ',', i);
	twice = keys;
	twice.bytes = arena_copy_bytes(arena, keys.bytes, keys.size);
	twice.capacity = keys.size + 1;
	text_add(&keys, "}");
	assert_true(parses_fast(&keys));
	text_add(&twice, ",\"77\":1}");
	assert_false(parses_fast(&twice));
	while (values.size < BODY_BYTES_MAX - 2)
		text_add(&values, values.size == 0 ? "[1" : ",1");
	text_add(&values, "]");
	assert_false(parses_fast(&values));
	while (open.size < BODY_BYTES_MAX)
		text_add(&open, "[");
	assert_false(parses_fast(&open));
}

static void fields_go_where_they_should(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(json_release)
	struct json *root = parsed("{\"name\":\"dev\",\"count\":3,\"dry\":true,\"list\":[1,2],\"more\":{},\"gone\":"
				   "null,\"other\":1}");
	const char *name = NULL;
	const char *absent = "before";
	const char *gone_text = "before";
	int64_t count = 0;
	bool dry = false;
	bool gone = false;
	bool absent_there = false;
	const struct json *list = NULL;
	const struct json *more = NULL;
	const struct json_field fields[] = {
		{.name = "name", .type = JSON_STRING, .target = &name, .required = true, .bytes_max = 3},
		{.name = "count", .type = JSON_INTEGER, .target = &count, .min = 1, .max = 3},
		{.name = "dry", .type = JSON_BOOL, .target = &dry},
		{.name = "list", .type = JSON_ARRAY, .target = &list},
		{.name = "more", .type = JSON_OBJECT, .target = &more},
		{.name = "gone", .type = JSON_STRING, .target = &gone_text, .present = &gone},
		{.name = "absent", .type = JSON_STRING, .target = &absent, .present = &absent_there},
	};
	struct problem problem = {0};

	(void)state;
	assert_true(json_read_fields(root, fields, COUNT_OF(fields), arena, &problem));
	assert_string_equal(name, "dev");
	assert_int_equal(count, 3);
	assert_true(dry);
	assert_int_equal(json_count(list), 2);
	assert_non_null(more);
	assert_true(gone);
	assert_string_equal(gone_text, "before");
	assert_string_equal(absent, "before");
	assert_false(absent_there);
}

static void every_wrong_field_is_named(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(json_release)
	struct json *root = parsed("{\"name\":7,\"long\":\"four\",\"count\":4,\"half\":1.5,\"dry\":\"true\",\"list\":{}"
				   ",\"Case\":1,\"null\":null}");
	const char *text = NULL;
	int64_t number = 0;
	bool flag = false;
	const struct json *tree = NULL;
	const struct json_field fields[] = {
		{.name = "name", .type = JSON_STRING, .target = &text},
		{.name = "long", .type = JSON_STRING, .target = &text, .bytes_max = 3},
		{.name = "count", .type = JSON_INTEGER, .target = &number, .min = 1, .max = 3},
		{.name = "half", .type = JSON_INTEGER, .target = &number},
		{.name = "dry", .type = JSON_BOOL, .target = &flag},
		{.name = "list", .type = JSON_ARRAY, .target = &tree},
		{.name = "case", .type = JSON_INTEGER, .target = &number},
		{.name = "null", .type = JSON_STRING, .target = &text, .required = true},
		{.name = "missing", .type = JSON_STRING, .target = &text, .required = true},
	};
	static const char *const details[] = {"must be a string", "must be at most 3 bytes",
		"must be a whole number from 1 to 3", "must be a whole number", "must be true or false",
		"must be an array", "must be spelt `case`, in this case", "is required", "is required"};
	struct problem problem = {0};

	(void)state;
	assert_false(json_read_fields(root, fields, COUNT_OF(fields), arena, &problem));
	assert_int_equal(problem.kind, PROBLEM_VALIDATION_FAILED);
	assert_int_equal(problem.violation_count, COUNT_OF(fields));
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		assert_string_equal(problem.violations[i].field, fields[i].name);
		assert_string_equal(problem.violations[i].detail, details[i]);
	}
}

static void what_is_no_object_has_no_fields(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(json_release) struct json *root = parsed("[1]");
	struct problem problem = {0};

	(void)state;
	assert_false(json_read_fields(root, NULL, 0, arena, &problem));
	assert_int_equal(problem.kind, PROBLEM_BAD_REQUEST);
	assert_null(json_member(root, "a"));
	assert_null(json_member(NULL, "a"));
	assert_null(json_string(root));
	assert_null(json_string(NULL));
	assert_false(json_is(NULL, JSON_ANY));
	assert_null(json_next(json_first(root)));
}

static void trees_are_printed(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(ARENA_BYTES);
	SCOPED(json_release) struct json *root = json_new_object();
	struct json *list = json_add_array(root, "list");
	struct json *loose = json_new_array();

	(void)state;
	json_add_string(root, "text", "a\"\n\xc3\xa9");
	json_add_string(root, "nothing", NULL);
	json_add_bool(root, "yes", true);
	json_add_integer(root, "number", INT64_C(1763817600123));
	json_add_null(root, "null");
	json_add_raw(root, "raw", "{\"k\": [1]}");
	json_add_string(json_add_object(root, "object"), "k", "v");
	json_push_string(list, "one");
	json_add_integer(json_push_object(list), "two", -2);
	json_push_string(loose, NULL);
	json_push(list, loose);
	assert_string_equal(json_print(root, arena), "{\"list\":[\"one\",{\"two\":-2},[null]],\"text\":"
						     "\"a\\\"\\n\xc3\xa9\",\"nothing\":null,\"yes\":true,"
						     "\"number\":1763817600123,\"null\":null,\"raw\":{\"k\": "
						     "[1]},\"object\":{\"k\":\"v\"}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_8259_texts_are_read),
		cmocka_unit_test(what_cjson_lets_through_is_refused),
		cmocka_unit_test(what_others_send_is_read_for_what_it_says),
		cmocka_unit_test(a_number_has_a_bound_on_its_digits),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(a_hostile_mebibyte_is_cheap),
		cmocka_unit_test(fields_go_where_they_should),
		cmocka_unit_test(every_wrong_field_is_named),
		cmocka_unit_test(what_is_no_object_has_no_fields),
		cmocka_unit_test(trees_are_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
