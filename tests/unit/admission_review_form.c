/* SPDX-License-Identifier: Apache-2.0 */
/* What an AdmissionReview is read as and printed from, without a service. */
#include "unit.h"

#include "hook/admission_review_form.h"

#define ARENA_BYTES ((size_t)1 << 20)

static struct arena *arena;

static struct json *parsed(const char *text)
{
	struct problem problem = {0};
	struct json *root = NULL;

	if (!json_parse(text, strlen(text), &root, &problem))
		fail_msg("%s: %s", text, problem.detail);
	return root;
}

#define REVIEW(request) "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":" request "}"

static const struct {
	const char *request;
	bool is_start;
} starts[] = {
	{"{\"uid\":\"1\",\"operation\":\"CREATE\"}", true},
	{"{\"uid\":\"1\",\"operation\":\"CREATE\",\"subResource\":\"status\"}", true},
	{"{\"uid\":\"1\",\"operation\":\"UPDATE\"}", true},
	{"{\"uid\":\"1\",\"operation\":\"UPDATE\",\"subResource\":\"scale\"}", true},
	{"{\"uid\":\"1\",\"operation\":\"UPDATE\",\"object\":{\"metadata\":{\"deletionTimestamp\":\"t\"}}}", true},
	{"{\"uid\":\"1\",\"operation\":\"UPDATE\",\"oldObject\":{\"metadata\":{\"deletionTimestamp\":null}}}", true},
	{"{\"uid\":\"1\",\"operation\":\"UPDATE\",\"oldObject\":{\"metadata\":{\"deletionTimestamp\":\"t\"}}}", false},
	{"{\"uid\":\"1\",\"operation\":\"UPDATE\",\"subResource\":\"status\"}", false},
	{"{\"uid\":\"1\",\"operation\":\"DELETE\"}", false},
	{"{\"uid\":\"1\",\"operation\":\"CONNECT\"}", false},
};

static void tells_starts_from_the_rest(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(starts); i++) {
		SCOPED(json_release) struct json *request = parsed(starts[i].request);
		SCOPED(json_release) struct json *root = json_new_object();
		struct problem problem = {0};
		struct review review;

		json_add_string(root, "apiVersion", "admission.k8s.io/v1");
		json_add_string(root, "kind", "AdmissionReview");
		json_add(root, "request", request);
		request = NULL;
		if (!review_read(root, arena, &review, &problem))
			fail_msg("%s: %s", starts[i].request, problem.message);
		if (review_is_start(&review) != starts[i].is_start)
			fail_msg("%s", starts[i].request);
	}
}

static void finds_values(void **state)
{
	SCOPED(json_release)
	struct json *root = parsed(REVIEW("{\"uid\":\"1\",\"operation\":\"CREATE\",\"userInfo\":{\"username\":\"u\"},"
					  "\"object\":{\"metadata\":{\"labels\":{\"a/"
					  "b\":\"v\",\"empty\":\"\",\"n\":1},\"userInfo\":\"o\"}}}"));
	struct problem problem = {0};
	struct review review;

	(void)state;
	assert_true(review_read(root, arena, &review, &problem));
	assert_string_equal(review.username, "u");
	assert_string_equal(review_find(&review, "/metadata/labels/a~1b"), "v");
	assert_string_equal(review_find(&review, "request:/userInfo/username"), "u");
	assert_string_equal(review_find(&review, "request:/object/metadata/labels/a~1b"), "v");
	assert_null(review_find(&review, "/userInfo/username"));
	assert_null(review_find(&review, "/metadata/labels/empty"));
	assert_null(review_find(&review, "/metadata/labels/n"));
	assert_null(review_find(&review, "/metadata/labels"));
	review.object = NULL;
	assert_null(review_find(&review, "/metadata/labels/a~1b"));
}

static void leaves_time_to_answer(void **state)
{
	static const struct {
		int64_t timeout_ms, max_ms, budget_ms;
	} rows[] = {{10000, 10000, 9500}, {30000, 10000, 10000}, {1000, 10000, 500}, {600, 10000, 300}, {1, 10000, 1},
		{2000, 100, 100}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(review_budget_ms(rows[i].timeout_ms, rows[i].max_ms), rows[i].budget_ms);
}

static void cuts_warnings_between_characters(void **state)
{
	const struct review review = {.uid = "1"};
	struct review_answer answer = {.allowed = true, .warning_count = 3};
	char long_one[400] = "a";
	const char *text;

	(void)state;
	for (size_t i = 0; i < 100; i++)
		memcpy(long_one + 1 + i * 3, "\xe2\x82\xac", 4);
	answer.warnings[0] = long_one;
	answer.warnings[1] = "two\nlines";
	answer.warnings[2] = "";
	text = review_print(&review, &answer, arena);
	assert_text_has(text, "\"warnings\":[\"a\xe2\x82\xac");
	assert_text_has(text, "\xe2\x82\xac\",\"two lines\",\"\"]");
	assert_int_equal(strcspn(strstr(text, "[\"a") + 2, "\""), 118);
}

static int start(void **state)
{
	(void)state;
	arena = arena_new(ARENA_BYTES);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_starts_from_the_rest),
		cmocka_unit_test(finds_values),
		cmocka_unit_test(leaves_time_to_answer),
		cmocka_unit_test(cuts_warnings_between_characters),
	};

	return cmocka_run_group_tests_name("admission review", tests, start, stop);
}
