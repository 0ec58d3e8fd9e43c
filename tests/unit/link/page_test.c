/* SPDX-License-Identifier: Apache-2.0 */
/* One link's page over the misbehaving provider: the user and the installations, and what cannot be read of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/link/validate.h"
#include "engine_case.h"

static void a_page_shows_the_user_and_the_installations(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "page", PROVIDER_GITHUB);
	struct app_installation *installations = NULL;
	struct provider_user user;
	size_t count = 0;

	provider->app_installations_url = demo_url(state->arena, "/page/installations");
	demo_switch(state->arena, "page", "{\"installations\": 3}");
	struct secret token = demo_token(state->arena, "page");
	assert_int_equal(validate_token(&state->engine, provider, token, state->arena, &user, &count, &installations),
		VALIDATION_CONFIRMED);
	assert_string_equal(user.login, "alice");
	assert_int_not_equal(user.id, 0);
	assert_int_not_equal(*user.profile_url, '\0');
	assert_int_equal(count, 3);
	assert_int_not_equal(installations[0].id, 0);
	assert_int_not_equal(*installations[0].account.login, '\0');
}

static void what_a_page_cannot_read_is_left_out(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "unread", PROVIDER_GITHUB);
	struct app_installation *installations = NULL;
	struct provider_user user;
	size_t count = 0;

	provider->app_installations_url = demo_url(state->arena, "/unread/installations");
	demo_fault(state->arena, "unread", "installations", "{\"status\": 500}");
	demo_fault(state->arena, "unread", "validate",
		"{\"status\": 200, \"body\": \"{\\\"id\\\": 1, \\\"login\\\": \\\"x\\\", \\\"html_url\\\": "
		"\\\"javascript:alert(1)\\\"}\"}");
	struct secret token = demo_token(state->arena, "unread");
	assert_int_equal(validate_token(&state->engine, provider, token, state->arena, &user, &count, &installations),
		VALIDATION_CONFIRMED);
	assert_string_equal(user.login, "x");
	assert_string_equal(user.profile_url, "");
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(a_page_shows_the_user_and_the_installations),
		ENGINE_TEST(what_a_page_cannot_read_is_left_out),
	};

	demo_start();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	demo_stop();
	return failed;
}
