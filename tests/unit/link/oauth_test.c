/* SPDX-License-Identifier: Apache-2.0 */
/* The code exchange with the quirks of each preset, and what a failure tells whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../../../gate/base/json.h"
#include "../../../gate/base/text.h"
#include "engine_case.h"

static struct secret text_secret(const char *text)
{
	return (struct secret){.text = text, .size = strlen(text)};
}

static struct secret a_verifier(void)
{
	return text_secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

/* --- the authorization page -------------------------------------------------------------------------------------- */

static const char *authorize_value(struct engine_case *state, const struct provider *provider, const char *name)
{
	const char *url =
		oauth_authorize_url(&state->engine, provider, text_secret("s t&te"), a_verifier(), state->arena);

	return form_value(state->arena, strchr(url, '?') + 1, name);
}

static void the_page_gets_what_the_grant_needs(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "page", PROVIDER_GITHUB);

	assert_string_equal(authorize_value(state, provider, "response_type"), "code");
	assert_string_equal(authorize_value(state, provider, "client_id"), "gatehouse-demo");
	assert_string_equal(authorize_value(state, provider, "redirect_uri"), "http://gate.test/external-auth/page/"
									      "callback");
	assert_string_equal(authorize_value(state, provider, "scope"), "repo workflow");
	assert_string_equal(authorize_value(state, provider, "state"), "s t&te");
	/* RFC 7636 appendix B. */
	assert_string_equal(authorize_value(state, provider, "code_challenge"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSs"
										"tw-cM");
	assert_string_equal(authorize_value(state, provider, "code_challenge_method"), "S256");
	assert_null(authorize_value(state, provider, "resource"));
	assert_null(authorize_value(state, provider, "prompt"));

	provider->redirect_url = "https://elsewhere.test/cb";
	provider->auth_url = "https://idp.test/authorize?tenant=a";
	provider->scopes = "";
	assert_string_equal(authorize_value(state, provider, "redirect_uri"), "https://elsewhere.test/cb");
	assert_string_equal(authorize_value(state, provider, "tenant"), "a");
	assert_null(authorize_value(state, provider, "scope"));
}

static void the_page_follows_the_preset(void **data)
{
	struct engine_case *state = *data;
	struct provider *azure = demo_provider(state->arena, "azure", PROVIDER_AZURE_DEVOPS);
	struct provider *entra = demo_provider(state->arena, "entra", PROVIDER_AZURE_DEVOPS_ENTRA);

	azure->pkce = false;
	assert_string_equal(authorize_value(state, azure, "response_type"), "Assertion");
	assert_null(authorize_value(state, azure, "code_challenge"));
	assert_string_equal(authorize_value(state, entra, "response_type"), "code");
	assert_string_equal(authorize_value(state, entra, "resource"), "499b84ac-1321-427f-aa17-267ca6975798");
}

/* --- the exchange ------------------------------------------------------------------------------------------------ */

/* A fresh code, exchanged. */
static bool exchange(struct engine_case *state, struct provider *provider)
{
	const char *page =
		oauth_authorize_url(&state->engine, provider, text_secret("state"), a_verifier(), state->arena);
	/* The demonstration provider knows "code" only; its codes are exchanged in every way. */
	const char *assertion = strstr(page, "response_type=Assertion");

	if (assertion != NULL)
		page = arena_printf(state->arena, "%.*sresponse_type=code%s", (int)(assertion - page), page,
			assertion + strlen("response_type=Assertion"));
	struct secret code = demo_authorize(state->arena, page);
	return oauth_exchange_code(
		&state->engine, provider, code, a_verifier(), state->arena, &state->grant, &state->problem);
}

static void assert_granted(struct engine_case *state, struct provider *provider)
{
	if (!exchange(state, provider))
		fail_msg("%s: %s %s", provider->id, state->problem.message, state->problem.detail);
	assert_false(secret_is_empty(state->grant.access_token));
	assert_null(strstr(state->problem.message, state->grant.access_token.text));
}

struct client_row {
	const char *name;
	enum provider_type type;
	const char *switches;
	enum client_auth learnt;
};

static const struct client_row client_rows[] = {
	{"client-any", PROVIDER_OTHER, "{\"pkce\": \"required\"}", CLIENT_AUTH_BASIC},
	{"client-basic", PROVIDER_GITLAB, "{\"client_auth\": \"basic\"}", CLIENT_AUTH_BASIC},
	{"client-post", PROVIDER_GITEA, "{\"client_auth\": \"post\"}", CLIENT_AUTH_FORM},
	{"client-post-github", PROVIDER_GITHUB, "{\"client_auth\": \"post\", \"error_style\": \"github\"}",
		CLIENT_AUTH_FORM},
	{"client-azure", PROVIDER_AZURE_DEVOPS, "{\"client_auth\": \"assertion\"}", CLIENT_AUTH_UNKNOWN},
	{"client-entra", PROVIDER_AZURE_DEVOPS_ENTRA, "{\"client_auth\": \"post\"}", CLIENT_AUTH_FORM},
	{"client-jfrog", PROVIDER_JFROG, "{\"client_auth\": \"bearer\"}", CLIENT_AUTH_UNKNOWN},
	{"client-slack", PROVIDER_SLACK, "{\"token_answer\": \"slack\"}", CLIENT_AUTH_BASIC},
	{"client-form", PROVIDER_GITHUB, "{\"token_answer\": \"form\"}", CLIENT_AUTH_BASIC},
	{"client-bitbucket", PROVIDER_BITBUCKET_CLOUD, "{}", CLIENT_AUTH_BASIC},
	{"client-server", PROVIDER_BITBUCKET_SERVER, "{}", CLIENT_AUTH_BASIC},
};

static void every_preset_gets_its_token(void **data)
{
	struct engine_case *state = *data;

	for (size_t i = 0; i < COUNT_OF(client_rows); i++) {
		const struct client_row *row = &client_rows[i];
		struct provider *provider = demo_provider(state->arena, row->name, row->type);

		provider->pkce = row->type != PROVIDER_AZURE_DEVOPS;
		demo_switch(state->arena, row->name, row->switches);
		assert_granted(state, provider);
		assert_int_equal(atomic_load(&provider->client_auth), row->learnt);
		long asked = demo_number(state->arena, row->name, "requests", "token");
		assert_granted(state, provider);
		assert_int_equal(demo_number(state->arena, row->name, "requests", "token"), asked + 1);
	}
}

static void a_client_without_a_secret_is_public(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "public", PROVIDER_OTHER);

	provider->client_secret = (struct secret){.text = NULL};
	demo_switch(state->arena, "public", "{\"client_auth\": \"none\"}");
	assert_granted(state, provider);
}

static void a_secret_is_rotated_without_downtime(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "rotated", PROVIDER_OTHER);

	provider->client_secret_2 = text_secret("next");
	demo_switch(state->arena, "rotated", "{\"client_secret\": \"next\"}");
	assert_granted(state, provider);
	demo_switch(state->arena, "rotated", "{\"client_auth\": \"post\"}");
	assert_granted(state, provider);
}

/* --- what is granted --------------------------------------------------------------------------------------------- */

static void answer_with(struct engine_case *state, const char *name, const char *body)
{
	SCOPED(json_release) struct json *fault = json_new_object();

	json_add_integer(fault, "status", 200);
	json_add_string(fault, "body", body);
	demo_fault(state->arena, name, "token", json_print(fault, state->arena));
}

struct life_row {
	const char *name;
	const char *body;
	int64_t life_s; /* 0: for ever */
};

static const struct life_row life_rows[] = {
	{"life-number", "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":3600}", 3600},
	{"life-text", "{\"access_token\":\"a\",\"token_type\":\"BEARER\",\"expires_in\":\"3600\"}", 3600},
	{"life-0", "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":0}", 0},
	{"life-absent", "{\"access_token\":\"a\"}", 0},
	{"life-null", "{\"access_token\":\"a\",\"expires_in\":null,\"token_type\":null}", 0},
	{"life-fraction", "{\"access_token\":\"a\",\"expires_in\":3600.5}", 3600},
	{"life-huge", "{\"access_token\":\"a\",\"expires_in\":9007199254740991}", 0},
	{"life-word", "{\"access_token\":\"a\",\"expires_in\":\"soon\"}", 0},
	{"life-form", "access_token=a&token_type=bearer&expires_in=3600&scope=repo", 3600},
	{"life-form-0", "access_token=a&scope=&token_type=bearer", 0},
};

static void a_lifetime_is_read_in_every_form(void **data)
{
	struct engine_case *state = *data;

	for (size_t i = 0; i < COUNT_OF(life_rows); i++) {
		const struct life_row *row = &life_rows[i];
		struct provider *provider = demo_provider(state->arena, row->name, PROVIDER_GITHUB);

		answer_with(state, row->name, row->body);
		assert_granted(state, provider);
		assert_string_equal(state->grant.access_token.text, "a");
		assert_true(secret_is_empty(state->grant.refresh_token));
		int64_t life_ms = state->grant.expires_at_ms - clock_now_ms();
		if (row->life_s == 0)
			assert_int_equal(state->grant.expires_at_ms, 0);
		else
			assert_in_range(life_ms, row->life_s * 1000 - 20000, row->life_s * 1000);
	}
}

/* Only a lifetime that is not there, or 0, means for ever. */
static void a_lifetime_in_the_past_has_expired(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "life-negative", PROVIDER_GITHUB);

	answer_with(state, "life-negative", "{\"access_token\":\"a\",\"expires_in\":-5}");
	assert_granted(state, provider);
	assert_in_range(clock_now_ms() - state->grant.expires_at_ms, 0, 20000);
}

static void what_is_asked_to_be_kept_is_kept(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "extra", PROVIDER_OTHER);

	provider->extra_token_keys = "team id_hint  absent team";
	answer_with(state, "extra", "{\"access_token\":\"a\",\"team\":{\"id\":7},\"id_hint\":\"x\",\"other\":1}");
	assert_granted(state, provider);
	assert_string_equal(state->grant.extras.text, "{\"team\":{\"id\":7},\"id_hint\":\"x\"}");

	answer_with(state, "extra", "access_token=a&team=b%20c");
	assert_granted(state, provider);
	assert_string_equal(state->grant.extras.text, "{\"team\":\"b c\"}");

	answer_with(state, "extra", "{\"access_token\":\"a\",\"refresh_token\":\"r\"}");
	assert_granted(state, provider);
	assert_true(secret_is_empty(state->grant.extras));
	assert_string_equal(state->grant.refresh_token.text, "r");
}

/* What is beside a token that was issued must not lose it: ids beyond 2^53, names in another encoding. */
static const char *const odd_bodies[] = {
	"{\"access_token\":\"a\",\"user_id\":12345678901234567890}",
	"{\"access_token\":\"a\",\"quota\":1e400}",
	"{\"access_token\":\"a\",\"note\":\"x\\u0000\\ud800\"}",
	"\xef\xbb\xbf {\"access_token\":\"a\"}",
};

static void what_is_beside_a_token_does_not_lose_it(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "odd", PROVIDER_OTHER);

	provider->extra_token_keys = "user_id";
	for (size_t i = 0; i < COUNT_OF(odd_bodies); i++) {
		answer_with(state, "odd", odd_bodies[i]);
		assert_granted(state, provider);
		assert_string_equal(state->grant.access_token.text, "a");
		if (i == 0)
			assert_string_equal(state->grant.extras.text, "{\"user_id\":\"12345678901234567890\"}");
	}
	answer_with(state, "odd", "{\"access_token\":\"a\\u0000b\"}");
	assert_false(exchange(state, provider));
}

static void slacks_user_token_is_found(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "slack", PROVIDER_SLACK);

	answer_with(state, "slack",
		"{\"ok\":true,\"authed_user\":{\"id\":\"U1\",\"access_token\":\"xoxp\",\"token_type\":\"user\","
		"\"refresh_token\":\"xoxe\",\"expires_in\":43200}}");
	assert_granted(state, provider);
	assert_string_equal(state->grant.access_token.text, "xoxp");
	assert_string_equal(state->grant.refresh_token.text, "xoxe");
	assert_int_not_equal(state->grant.expires_at_ms, 0);
	assert_non_null(strstr(state->grant.extras.text, "authed_user"));

	answer_with(state, "slack",
		"{\"ok\":true,\"access_token\":\"xoxb\",\"token_type\":\"bot\",\"authed_user\":{\"id\":\"U1\"}}");
	assert_granted(state, provider);
	assert_string_equal(state->grant.access_token.text, "xoxb");
}

/* --- what is told of a failure ----------------------------------------------------------------------------------- */

struct failure_row {
	const char *name;
	const char *fault;
	const char *message; /* part of it */
	const char *detail;  /* part of it */
};

static const struct failure_row failure_rows[] = {
	{"fail-grant", "{\"error\": \"invalid_grant\", \"status\": 400}", "did not accept the sign-in (invalid_grant)",
		"once more"},
	{"fail-github", "{\"status\": 200, \"body\": \"{\\\"error\\\":\\\"bad_verification_code\\\"}\"}",
		"(bad_verification_code)", "once more"},
	{"fail-redirect", "{\"status\": 200, \"body\": \"error=redirect_uri_mismatch&error_description=x\"}",
		"(redirect_uri_mismatch)", "operator"},
	{"fail-client", "{\"error\": \"invalid_client\", \"status\": 401}", "does not accept this service",
		"client secret"},
	{"fail-401", "{\"status\": 401, \"body\": \"no\"}", "(HTTP 401)", "operator"},
	{"fail-503", "{\"status\": 503, \"body\": \"<html>secret stack trace\"}", "just now (HTTP 503)", "in a moment"},
	{"fail-redirected", "{\"redirect\": \"http://127.0.0.1:1/\"}", "just now", "in a moment"},
	{"fail-cut", "{\"cut\": \"before_headers\"}", "no answer that can be read", "once more"},
	{"fail-html", "{\"status\": 200, \"body\": \"<html>\"}", "no answer that can be read", "once more"},
	{"fail-word", "{\"status\": 400, \"body\": \"{\\\"error\\\":\\\"<script>\\\"}\"}", "(HTTP 400)", "once more"},
	{"fail-mac", "{\"status\": 200, \"body\": \"{\\\"access_token\\\":\\\"a\\\",\\\"token_type\\\":\\\"mac\\\"}\"}",
		"a token that this service cannot use", "bearer"},
	{"fail-break", "{\"status\": 200, \"body\": \"{\\\"access_token\\\":\\\"a\\\\nb\\\"}\"}",
		"a token that this service cannot use", "visible ASCII"},
};

static void a_failure_says_whose_turn_it_is(void **data)
{
	struct engine_case *state = *data;

	for (size_t i = 0; i < COUNT_OF(failure_rows); i++) {
		const struct failure_row *row = &failure_rows[i];
		struct provider *provider = demo_provider(state->arena, row->name, PROVIDER_GITHUB);

		demo_fault(state->arena, row->name, "token", row->fault);
		assert_false(exchange(state, provider));
		assert_int_equal(state->problem.kind, PROBLEM_PROVIDER_FAILED);
		if (strstr(state->problem.message, row->message) == NULL ||
			strstr(state->problem.detail, row->detail) == NULL)
			fail_msg("%s: %s / %s", row->name, state->problem.message, state->problem.detail);
		assert_null(strstr(state->problem.message, "secret"));
		assert_null(strstr(state->problem.message, "<"));
	}
}

static void a_code_is_sent_again_only_after_a_refused_client(void **data)
{
	struct engine_case *state = *data;
	static const char *const names[] = {"fail-grant", "fail-503", "fail-cut", "fail-html"};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		assert_int_equal(demo_number(state->arena, names[i], "requests", "token"), 1);
	assert_int_equal(demo_number(state->arena, "fail-client", "requests", "token"), 2);
}

static void a_provider_that_cannot_be_reached_is_told(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "unreached", PROVIDER_OTHER);

	provider->token_url = "http://127.0.0.1:1/token";
	assert_false(exchange(state, provider));
	assert_non_null(strstr(state->problem.message, "cannot be reached"));
}

static void a_token_over_the_bound_is_refused(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "long", PROVIDER_OTHER);
	char *token = arena_alloc(state->arena, PROVIDER_TOKEN_BYTES_MAX + 2);

	memset(token, 'a', PROVIDER_TOKEN_BYTES_MAX + 1);
	answer_with(state, "long", arena_printf(state->arena, "{\"access_token\":\"%s\"}", token));
	assert_false(exchange(state, provider));
	assert_non_null(strstr(state->problem.detail, "too long"));
	token[PROVIDER_TOKEN_BYTES_MAX] = '\0';
	answer_with(state, "long", arena_printf(state->arena, "{\"access_token\":\"%s\"}", token));
	assert_granted(state, provider);
}

/* --- the form that refreshes ------------------------------------------------------------------------------------- */

static const char *refresh_value(struct engine_case *state, const struct provider *provider, const char *name)
{
	return form_value(
		state->arena, oauth_refresh_form(&state->engine, provider, text_secret("r&1"), state->arena), name);
}

static void a_refresh_says_what_each_preset_wants(void **data)
{
	struct engine_case *state = *data;
	struct provider *provider = demo_provider(state->arena, "forms", PROVIDER_OTHER);

	assert_string_equal(refresh_value(state, provider, "grant_type"), "refresh_token");
	assert_string_equal(refresh_value(state, provider, "refresh_token"), "r&1");
	assert_null(refresh_value(state, provider, "scope"));
	assert_null(refresh_value(state, provider, "resource"));
	assert_null(refresh_value(state, provider, "redirect_uri"));
	provider->type = PROVIDER_AZURE_DEVOPS_ENTRA;
	assert_string_equal(refresh_value(state, provider, "refresh_token"), "r&1");
	assert_string_equal(refresh_value(state, provider, "resource"), "499b84ac-1321-427f-aa17-267ca6975798");
	assert_string_equal(refresh_value(state, provider, "scope"), "repo workflow");
	provider->type = PROVIDER_AZURE_DEVOPS;
	assert_null(refresh_value(state, provider, "refresh_token"));
	assert_string_equal(refresh_value(state, provider, "assertion"), "r&1");
	assert_string_equal(refresh_value(state, provider, "redirect_uri"), "http://gate.test/external-auth/forms/"
									    "callback");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(the_page_gets_what_the_grant_needs),
		ENGINE_TEST(the_page_follows_the_preset),
		ENGINE_TEST(every_preset_gets_its_token),
		ENGINE_TEST(a_client_without_a_secret_is_public),
		ENGINE_TEST(a_secret_is_rotated_without_downtime),
		ENGINE_TEST(a_lifetime_is_read_in_every_form),
		ENGINE_TEST(a_lifetime_in_the_past_has_expired),
		ENGINE_TEST(what_is_asked_to_be_kept_is_kept),
		ENGINE_TEST(what_is_beside_a_token_does_not_lose_it),
		ENGINE_TEST(slacks_user_token_is_found),
		ENGINE_TEST(a_failure_says_whose_turn_it_is),
		ENGINE_TEST(a_code_is_sent_again_only_after_a_refused_client),
		ENGINE_TEST(a_provider_that_cannot_be_reached_is_told),
		ENGINE_TEST(a_token_over_the_bound_is_refused),
		ENGINE_TEST(a_refresh_says_what_each_preset_wants),
	};

	demo_start();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	demo_stop();
	return failed;
}
