/* SPDX-License-Identifier: Apache-2.0 */
/* Growing texts, escapings, UTF-8 and forms. */
#include "unit.h"

#include "base/text.h"

static void text_grows(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	struct text text = text_in(arena);

	(void)state;
	assert_string_equal(text.bytes, "");
	for (int i = 0; i < 1000; i++)
		text_addf(&text, "%03d,", i);
	assert_int_equal(text.size, 4000);
	assert_int_equal(strlen(text.bytes), 4000);
	assert_memory_equal(text.bytes + 3996, "999,", 4);
}

static void escapes(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	struct text text = text_in(arena);

	(void)state;
	text_add_url(&text, "a-._~ /?&\xc3\xa9");
	assert_string_equal(text.bytes, "a-._~%20%2F%3F%26%C3%A9");
	text = text_in(arena);
	text_add_form(&text, "a", "1 2");
	text_add_form(&text, "b&", "=");
	assert_string_equal(text.bytes, "a=1%202&b%26=%3D");
	text = text_in(arena);
	text_add_html(&text, "<a href=\"x\">'&'</a>");
	assert_string_equal(text.bytes, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

static void numbers_are_decimal(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	struct text text = text_sized(arena, 1);

	(void)state;
	text_add_number(&text, 0);
	text_add(&text, " ");
	text_add_number(&text, 10);
	text_add(&text, " ");
	text_add_number(&text, UINT64_MAX);
	assert_string_equal(text.bytes, "0 10 18446744073709551615");
}

/* A text that has the end of its arena grows there; one that has not moves, and takes all along. */
static void text_grows_beside_others(void **state)
{
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);
	struct text text = text_in(arena);

	(void)state;
	for (int i = 0; i < 3000; i++) {
		text_add(&text, "0123456789");
		if (i % 500 == 0)
			memset(arena_alloc(arena, 24), 'x', 24);
	}
	assert_int_equal(text.size, 30000);
	for (size_t i = 0; i < text.size; i++)
		assert_int_equal(text.bytes[i], '0' + (int)(i % 10));
	assert_int_equal(text.bytes[text.size], '\0');
}

static void utf8_is_rfc_3629(void **state)
{
	static const struct {
		const char *bytes;
		bool good;
	} cases[] = {
		{"", true},
		{"plain", true},
		{"\xc3\xa9", true},
		{"\xe2\x82\xac", true},
		{"\xf0\x9f\x9a\xaa", true},
		{"\xf4\x8f\xbf\xbf", true},
		{"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
		{"\xed\xa0\x80", false},     /* a surrogate */
		{"\xc0\x80", false},         /* overlong */
		{"\xe0\x80\x80", false},
		{"\xf0\x80\x80\x80", false},
		{"\xc3", false},
		{"\xe2\x82", false},
		{"\x80", false},
		{"\xff", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(text_is_utf8(cases[i].bytes, strlen(cases[i].bytes)), cases[i].good);
}

static void form_values(void **state)
{
	static const struct {
		const char *form;
		const char *value;
	} cases[] = {
		{"code=abc&state=x", "abc"},
		{"state=x&code=a%20b+c", "a b c"},
		{"code=", ""},
		{"code", ""},
		{"c%6fde=encoded+name", "encoded name"},
		{"code=a=b", "a=b"},
		{"code=%c3%A9", "\xc3\xa9"},
		{"&&code=1&&", "1"},
		{"", NULL},
		{"codes=1&xcode=2", NULL},
		{"code=1&code=2", NULL},
		{"code=1&c%6Fde=2", NULL},
		{"code=%00", NULL},
		{"code=%", NULL},
		{"code=%4", NULL},
		{"code=%4&x=1", NULL},
		{"code=%zz", NULL},
		{"code=%ff", NULL},
	};
	SCOPED(arena_release) struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *value = form_value(arena, cases[i].form, "code");

		if (cases[i].value == NULL)
			assert_null(value);
		else
			assert_string_equal(value, cases[i].value);
	}
	assert_null(form_value(arena, NULL, "code"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows),
		cmocka_unit_test(text_grows_beside_others),
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(escapes),
		cmocka_unit_test(utf8_is_rfc_3629),
		cmocka_unit_test(form_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
