/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 6901's own examples, and what is no pointer or names nothing. */
#include "unit.h"

#include "base/json_pointer.h"

/* Section 5. */
static const char document[] = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
			       "\"k\\\"l\":6,\" \":7,\"m~n\":8,\"~1\":9,\"deep\":{\"list\":[{\"\":{\"x\":10}}]},"
			       "\"metadata\":{\"annotations\":{\"gatehouse.dev/"
			       "owner\":11,\"\xc3\xa4\":12}},\"none\":null}";

static const struct {
	const char *pointer;
	int64_t value;
} found[] = {
	{"/", 0},
	{"/a~1b", 1},
	{"/c%d", 2},
	{"/e^f", 3},
	{"/g|h", 4},
	{"/i\\j", 5},
	{"/k\"l", 6},
	{"/ ", 7},
	{"/m~0n", 8},
	{"/~01", 9},
	{"/deep/list/0//x", 10},
	{"/metadata/annotations/gatehouse.dev~1owner", 11},
	{"/metadata/annotations/\xc3\xa4", 12},
};

static const char *const names_nothing[] = {
	"/bar",
	"/fo",
	"/foo2",
	"/foo/2",
	"/foo/-",
	"/foo/00",
	"/foo/01",
	"/foo/+1",
	"/foo/1x",
	"/foo/",
	"/foo/99999999999999999999999999",
	"/foo/0/0",
	"/foo/0/",
	"/a/b",
	"/m~0",
	"/Metadata/annotations/gatehouse.dev~1owner",
	"/deep/list/0/x",
	"//",
	"/none/x",
};

static struct json *parsed(void)
{
	struct problem problem = {0};
	struct json *root = NULL;

	if (!json_parse(document, strlen(document), &root, &problem))
		fail_msg("%s", problem.detail);
	return root;
}

static void values_are_found(void **state)
{
	SCOPED(json_release) struct json *root = parsed();
	int64_t value;

	(void)state;
	assert_ptr_equal(json_pointer_find(root, ""), root);
	assert_string_equal(json_string(json_pointer_find(root, "/foo/0")), "bar");
	assert_string_equal(json_string(json_pointer_find(root, "/foo/1")), "baz");
	assert_int_equal(json_count(json_pointer_find(root, "/foo")), 2);
	assert_true(json_is_null(json_pointer_find(root, "/none")));
	for (size_t i = 0; i < COUNT_OF(found); i++) {
		if (!json_integer(json_pointer_find(root, found[i].pointer), &value) || value != found[i].value)
			fail_msg("%s", found[i].pointer);
	}
}

static void nothing_is_found_elsewhere(void **state)
{
	SCOPED(json_release) struct json *root = parsed();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names_nothing); i++) {
		if (json_pointer_find(root, names_nothing[i]) != NULL)
			fail_msg("%s", names_nothing[i]);
	}
	assert_null(json_pointer_find(NULL, ""));
	assert_null(json_pointer_find(NULL, "/a"));
}

static void only_pointers_are_lawful(void **state)
{
	static const char *const wrong[] = {
		"a", "foo/bar", "#/foo", "/~", "/a~", "/~2", "/a~1~", "/~~0", " /a", "/\xff"};
	static const char *const right[] = {"", "/", "//", "/a", "/~0~1", "/a b", "/\xc3\xa4"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		if (json_pointer_is_lawful(wrong[i]))
			fail_msg("%s", wrong[i]);
	for (size_t i = 0; i < COUNT_OF(right); i++)
		if (!json_pointer_is_lawful(right[i]))
			fail_msg("%s", right[i]);
	for (size_t i = 0; i < COUNT_OF(found); i++)
		assert_true(json_pointer_is_lawful(found[i].pointer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found),
		cmocka_unit_test(nothing_is_found_elsewhere),
		cmocka_unit_test(only_pointers_are_lawful),
	};

	return cmocka_run_group_tests_name("json pointer", tests, NULL, NULL);
}
