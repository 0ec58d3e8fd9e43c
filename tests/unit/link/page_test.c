/* SPDX-License-Identifier: Apache-2.0 */
/* One link's page over the misbehaving provider: the user and the installations, and what cannot be read of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/link/validate.h"
#include "demo.h"

struct state {
	struct arena *arena;
	struct engine engine;
};

static int set_up(void **data)
{
	struct state *state = calloc(1, sizeof(*state));

	state->arena = arena_new(64 << 20);
	state->engine.http = http_client_new();
	*data = state;
	return 0;
}

static int tear_down(void **data)
{
	struct state *state = *data;

	http_client_free(state->engine.http);
	arena_free(state->arena);
	free(state);
	return 0;
}

static void a_page_shows_the_user_and_the_installations(void **data)
{
	struct state *state = *data;
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
	struct state *state = *data;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_page_shows_the_user_and_the_installations),
		TEST(what_a_page_cannot_read_is_left_out),
	};

	demo_start();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	demo_stop();
	return failed;
}
