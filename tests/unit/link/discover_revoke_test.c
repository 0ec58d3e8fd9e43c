/* SPDX-License-Identifier: Apache-2.0 */
/* Discovery of endpoints and revocation of tokens at the misbehaving provider. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/base/json.h"
#include "../../../gate/link/revoke.h"
#include "engine_case.h"

/* --- discovery --------------------------------------------------------------------------------------------------- */

static struct provider *discovered_provider(struct engine_case *state, const char *name)
{
	struct provider *provider = demo_provider(state->arena, name, PROVIDER_OTHER);

	provider->issuer = demo_url(state->arena, arena_printf(state->arena, "/%s", name));
	provider->auth_url = "";
	provider->token_url = "";
	return provider;
}

static void endpoints_are_discovered_once(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = discovered_provider(state, "issuer");

	assert_true(provider_discover(&state->engine, provider, &state->problem));
	assert_string_equal(provider->auth_url, demo_url(state->arena, "/issuer/authorize"));
	assert_string_equal(provider->token_url, demo_url(state->arena, "/issuer/token"));
	assert_true(provider_discover(&state->engine, provider, &state->problem));
	assert_int_equal(demo_number(state->arena, "issuer", "requests", "discovery"), 1);
}

static void another_issuers_document_is_refused(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = discovered_provider(state, "impostor");

	demo_switch(state->arena, "impostor", "{\"wrong_issuer\": true}");
	assert_false(provider_discover(&state->engine, provider, &state->problem));
	assert_int_equal(state->problem.kind, PROBLEM_PROVIDER_FAILED);
	assert_string_equal(provider->token_url, "");
}

static void a_failed_discovery_is_not_hammered(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = discovered_provider(state, "down");

	demo_fault(state->arena, "down", "discovery", "{\"status\": 500}");
	for (int i = 0; i < 5; i++) {
		assert_false(provider_discover(&state->engine, provider, &state->problem));
		assert_non_null(strstr(state->problem.message, "500"));
	}
	assert_int_equal(demo_number(state->arena, "down", "requests", "discovery"), 1);
}

static void an_endpoint_in_the_clear_is_refused(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = discovered_provider(state, "clear");
	const char *body = arena_printf(state->arena,
		"{\"issuer\":\"%s\",\"authorization_endpoint\":\"http://idp.test/a\",\"token_endpoint\":\"https://"
		"idp.test/t\"}",
		provider->issuer);
	SCOPED(json_release) struct json *fault = json_new_object();

	json_add_integer(fault, "status", 200);
	json_add_string(fault, "body", body);
	demo_fault(state->arena, "clear", "discovery", json_print(fault, state->arena));
	assert_false(provider_discover(&state->engine, provider, &state->problem));
	assert_non_null(strstr(state->problem.message, "no lawful endpoints"));
}

/* --- revocation -------------------------------------------------------------------------------------------------- */

static bool revoke(struct engine_case *state, struct provider *provider, const char **ret_error)
{
	return revoke_tokens(
		&state->engine, provider, state->access_token, state->refresh_token, state->arena, ret_error);
}

static void a_token_is_revoked_in_both_forms(void **data)
{
	struct engine_case *state = *data;
	struct provider *rfc = demo_provider(state->arena, "revoke-rfc", PROVIDER_GITLAB);
	struct provider *github = demo_provider(state->arena, "revoke-github", PROVIDER_GITHUB);
	const char *error = NULL;

	github->revoke_url = demo_url(state->arena, "/revoke-github/applications/gatehouse-demo/grant");
	state->access_token = demo_token(state->arena, "revoke-rfc");
	assert_true(revoke(state, rfc, &error));
	assert_null(error);
	assert_int_equal(demo_number(state->arena, "revoke-rfc", "counters", "revocations"), 1);

	state->access_token = demo_token(state->arena, "revoke-github");
	assert_true(revoke(state, github, &error));
	assert_int_equal(demo_number(state->arena, "revoke-github", "counters", "revocations"), 1);
}

static void a_revocation_that_fails_is_told_in_few_words(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "revoke-fails", PROVIDER_GITLAB);
	const char *error = NULL;

	state->access_token = demo_token(state->arena, provider->id);
	demo_fault(state->arena, "revoke-fails", "revoke", "{\"status\": 503, \"body\": \"secret\"}");
	assert_false(revoke(state, provider, &error));
	assert_string_equal(error, "the provider answered with HTTP status 503");
	demo_fault(state->arena, "revoke-fails", "revoke", "{\"cut\": \"before_headers\"}");
	assert_false(revoke(state, provider, &error));
	assert_string_equal(error, "the provider gave no answer");
	provider->revoke_url = "http://127.0.0.1:1/revoke";
	assert_false(revoke(state, provider, &error));
	assert_string_equal(error, "the provider cannot be reached");
	provider->revoke_url = "";
	assert_false(revoke_is_supported(provider));
	assert_false(revoke(state, provider, &error));
}

static void slack_confirms_in_its_body(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "revoke-slack", PROVIDER_SLACK);
	const char *error = NULL;

	state->access_token = demo_token(state->arena, provider->id);
	demo_fault(state->arena, "revoke-slack", "revoke", "{\"status\": 200, \"body\": \"{\\\"ok\\\":false}\"}");
	assert_false(revoke(state, provider, &error));
	demo_fault(state->arena, "revoke-slack", "revoke", "{\"status\": 200, \"body\": \"{\\\"ok\\\":true}\"}");
	assert_true(revoke(state, provider, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(endpoints_are_discovered_once),
		ENGINE_TEST(another_issuers_document_is_refused),
		ENGINE_TEST(a_failed_discovery_is_not_hammered),
		ENGINE_TEST(an_endpoint_in_the_clear_is_refused),
		ENGINE_TEST(a_token_is_revoked_in_both_forms),
		ENGINE_TEST(a_revocation_that_fails_is_told_in_few_words),
		ENGINE_TEST(slack_confirms_in_its_body),
	};

	demo_start();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	demo_stop();
	return failed;
}
