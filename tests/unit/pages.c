/* SPDX-License-Identifier: Apache-2.0 */
/* Pages from what they show: everything from outside is escaped, every reason has its words, and none is too large.
 * With a folder as its argument the program writes each page into it instead, for whoever wants to look. */
#include "unit.h"

#include "base/secret.h"
#include "policy.h"
#include "web/connect.h"
#include "web/device.h"
#include "web/error.h"
#include "web/login.h"
#include "web/providers.h"

#define PAGE_BYTES_MAX_OF_ONE (50 * 1024)
#define EVIL "<script>alert(\"1\")</script>&'"
#define NOW_MS 1900000000000

static const struct page_frame ALICE = {.base = "/gate", .username = "alice", .csrf = "token-of-alice"};
static const struct page_frame EVIL_FRAME = {.base = "", .username = EVIL, .csrf = EVIL};
static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	arena = arena_new(16 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* --- pages ----------------------------------------------------------------------------------------------------------
 */

static char *all_reasons(const struct page_frame *frame, const char *name)
{
	struct page_provider *list = arena_alloc(arena, (REASON_COUNT + 1) * sizeof(*list));
	struct page_providers providers = {.count = REASON_COUNT + 1, .list = list, .notice = name};

	for (size_t i = 0; i < REASON_COUNT; i++)
		list[i] = (struct page_provider){.id = "github",
			.name = name,
			.account = i % 2 == 0 ? name : NULL,
			.reason = (enum reason)i,
			.linked = i != REASON_NOT_LINKED,
			.configured = true,
			.is_revoked = i % 3 == 0,
			.since_ms = i != REASON_NOT_LINKED ? NOW_MS : 0};
	list[REASON_COUNT] = (struct page_provider){.id = "gone", .name = name, .linked = true, .since_ms = NOW_MS};
	return page_providers(arena, frame, &providers);
}

static char *some_providers(const struct page_frame *frame)
{
	const struct page_provider list[] = {
		{.id = "github",
			.name = "GitHub",
			.account = "alice-at-work",
			.reason = REASON_VALID,
			.linked = true,
			.configured = true,
			.is_revoked = true,
			.since_ms = NOW_MS},
		{.id = "gitlab",
			.name = "GitLab",
			.reason = REASON_TOKEN_REVOKED,
			.account = "alice",
			.linked = true,
			.configured = true,
			.is_revoked = true,
			.since_ms = NOW_MS},
		{.id = "bitbucket",
			.name = "Bitbucket",
			.reason = REASON_PROVIDER_UNAVAILABLE,
			.linked = true,
			.configured = true,
			.since_ms = NOW_MS},
		{.id = "gitea", .name = "Gitea", .reason = REASON_NOT_LINKED, .configured = true},
	};
	const struct page_providers providers = {
		.count = COUNT_OF(list), .list = list, .notice = "Gitea is disconnected."};
	struct page_frame here = *frame;

	here.place = PAGE_PROVIDERS;
	return page_providers(arena, &here, &providers);
}

static char *no_providers(const struct page_frame *frame)
{
	const struct page_providers providers = {.count = 0};

	return page_providers(arena, frame, &providers);
}

static char *connect(const struct page_frame *frame, const char *text, const char *scopes)
{
	const struct page_connect shown = {.id = "github",
		.name = text,
		.host = "github.com",
		.username = frame->username,
		.account = text,
		.scopes = scopes,
		.redirect = text,
		.linked = true,
		.has_device_flow = true,
		.has_browser_flow = true};

	return page_connect(arena, frame, &shown);
}

static char *connected(const struct page_frame *frame, const char *text)
{
	const struct page_installation installations[] = {
		{text, "https://github.com/settings/installations/1"}, {text, NULL}};
	const struct page_connected shown = {.name = text,
		.username = frame->username,
		.account = text,
		.installation_count = COUNT_OF(installations),
		.installations = installations,
		.install_url = "https://github.com/apps/gatehouse/installations/new"};

	return page_connected(arena, frame, &shown);
}

static char *code(const struct page_frame *frame, const char *text, bool over)
{
	const struct page_code shown = {.id = "github",
		.name = text,
		.handle = text,
		.user_code = over ? text : "WDJB-MJHT",
		.verification_uri = "https://github.com/login/device",
		.expires_in_s = 899,
		.trouble = over ? text : NULL,
		.over = over};

	return page_code(arena, frame, &shown);
}

static char *compare(const struct page_frame *frame, const char *text)
{
	const struct page_device device = {.user_code = "K7QX-9RWM",
		.client = text,
		.address = "192.0.2.17",
		.agent = text,
		.asked_at_ms = NOW_MS,
		.expires_at_ms = NOW_MS + 900000,
		.now_ms = NOW_MS + 130000};

	return page_device_compare(arena, frame, &device);
}

static char *error(const struct page_frame *frame, const char *text)
{
	struct problem problem;

	(void)problem_set(&problem, PROBLEM_PROVIDER_FAILED, "%s", text);
	(void)problem_detail(&problem, "%s", text);
	return page_error(arena, frame, &problem, "5f0f1c8e-7d3a-4f51-9a59-0d3a1d3d3f10");
}

/* --- tests ----------------------------------------------------------------------------------------------------------
 */

static void what_comes_from_outside_is_escaped(void **state)
{
	(void)state;
	const char *pages[] = {all_reasons(&EVIL_FRAME, EVIL), connect(&EVIL_FRAME, EVIL, EVIL " " EVIL),
		connected(&EVIL_FRAME, EVIL), code(&EVIL_FRAME, EVIL, true), compare(&EVIL_FRAME, EVIL),
		page_device_enter(arena, &EVIL_FRAME, EVIL, EVIL), page_device_done(arena, &EVIL_FRAME, EVIL, true),
		error(&EVIL_FRAME, EVIL), page_message(arena, EVIL, EVIL, EVIL)};

	for (size_t i = 0; i < COUNT_OF(pages); i++) {
		assert_null(strstr(pages[i], "<script"));
		assert_null(strstr(pages[i], "alert(\""));
		assert_text_has(pages[i], "&lt;script&gt;");
		assert_true(strlen(pages[i]) < PAGE_BYTES_MAX_OF_ONE);
	}
}

static void pages_are_whole_and_say_their_language(void **state)
{
	(void)state;
	const char *pages[] = {some_providers(&ALICE), no_providers(&ALICE), error(&ALICE, "It broke.")};

	for (size_t i = 0; i < COUNT_OF(pages); i++) {
		assert_int_equal(strncmp(pages[i], "<!doctype html>\n<html lang=\"en\">", 31), 0);
		assert_text_has(pages[i], "<main");
		assert_text_has(pages[i], "</main>\n</body>\n</html>\n");
		assert_null(strstr(pages[i], "<script"));
	}
}

static void each_reason_says_who_can_mend_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < REASON_COUNT; i++) {
		const struct page_provider one = {.id = "github",
			.name = "GitHub",
			.reason = (enum reason)i,
			.linked = i != REASON_NOT_LINKED,
			.configured = true,
			.since_ms = NOW_MS};
		const struct page_providers providers = {.count = 1, .list = &one};
		const char *page = page_providers(arena, &ALICE, &providers);

		switch (reason_fixable_by((enum reason)i)) {
		case FIXABLE_BY_NOBODY:
			assert_text_has(page, "badge good");
			assert_text_has(page, "class=\"button second\"");
			break;
		case FIXABLE_BY_OWNER:
			assert_text_has(page, i == REASON_NOT_LINKED ? ">Connect<" : "Connect the account again.");
			assert_text_has(page, "class=\"button\"");
			break;
		case FIXABLE_BY_WAIT:
			assert_text_has(page, "You need not connect again.");
			assert_null(strstr(page, "href=\"/external-auth/"));
			break;
		case FIXABLE_BY_OPERATOR:
			assert_text_has(page, "Tell your operator.");
			assert_null(strstr(page, "href=\"/external-auth/"));
			break;
		case FIXABLE_BY_COUNT:
			break;
		}
	}
}

static void an_empty_list_says_so(void **state)
{
	(void)state;
	assert_text_has(no_providers(&ALICE), "nothing to connect");
}

static void what_is_no_longer_offered_can_be_disconnected_only(void **state)
{
	(void)state;
	const struct page_provider gone = {.id = "gone", .name = "gone", .linked = true, .since_ms = NOW_MS};
	const struct page_providers providers = {.count = 1, .list = &gone};
	const char *page = page_providers(arena, &ALICE, &providers);

	assert_text_has(page, "No longer offered");
	assert_text_has(page, "action=\"/gate/external-auth/gone/disconnect\"");
	assert_null(strstr(page, "href=\"/gate/external-auth/gone\""));
}

static void addresses_and_forms_begin_with_the_base_and_hold_the_token(void **state)
{
	(void)state;
	const char *page = some_providers(&ALICE);

	assert_text_has(page, "href=\"/gate/external-auth/gitea\"");
	assert_text_has(page, "action=\"/gate/logout\"");
	assert_text_has(page, "name=\"csrf\" value=\"token-of-alice\"");
	assert_text_has(connect(&ALICE, "GitHub", "repo"), "href=\"/gate/external-auth/"
							   "github?go=1&amp;redirect=GitHub\"");
}

static void nobody_signed_in_has_nothing_to_sign_out_of(void **state)
{
	(void)state;
	const struct page_frame nobody = {.base = ""};

	assert_null(strstr(error(&nobody, "x"), "Sign out"));
	assert_null(strstr(error(&nobody, "x"), "<nav"));
}

static void signing_in_is_a_button_or_an_explanation(void **state)
{
	(void)state;
	const struct page_frame nobody = {.base = ""};
	const struct page_login open = {.start = "/login/start?redirect=%2F", .issuer = "id.example"};
	const struct page_login closed = {.start = NULL};

	assert_text_has(page_login(arena, &nobody, &open), "href=\"/login/start?redirect=%2F\"");
	assert_text_has(page_login(arena, &nobody, &open), "id.example");
	assert_text_has(page_login(arena, &nobody, &closed), "not set up");
}

static void every_kind_of_problem_says_what_to_do(void **state)
{
	(void)state;
	for (size_t i = PROBLEM_NONE + 1; i < PROBLEM_KIND_COUNT; i++) {
		struct problem problem;

		(void)problem_set(&problem, (enum problem_kind)i, "It did not work.");
		const char *page = page_error(arena, &ALICE, &problem, "the-number");

		assert_text_has(page, "What to do");
		assert_text_has(page, "the-number");
	}
}

static void a_code_is_compared_before_it_is_approved(void **state)
{
	(void)state;
	const char *page = compare(&ALICE, "The gatehouse command line");

	assert_text_has(page, "K7QX-9RWM");
	assert_text_has(page, "2030-03-17 17:46 UTC, 2 minutes ago");
	assert_text_has(page, "192.0.2.17");
	assert_text_has(page, "good for 12 minutes more");
	assert_text_has(page, "method=\"post\"");
}

static void the_policy_names_the_style_that_the_page_has(void **state)
{
	(void)state;
	const char *page = no_providers(&ALICE);
	const char *style = strstr(page, "<style>") + strlen("<style>");
	uint8_t hash[SHA256_BYTES];

	sha256(style, (size_t)(strstr(style, "</style>") - style), hash);
	assert_text_has(page_security_policy(), base64_encode(arena, hash, sizeof(hash)));
	assert_text_has(page_security_policy(), "default-src 'none'");
	assert_text_has(page_security_policy(), "form-action 'self'");
	assert_text_has(page_security_policy(), "frame-ancestors 'none'");
}

/* --- for whoever wants to look -------------------------------------------------------------------------------------
 */

static void write_page(const char *folder, const char *name, const char *page)
{
	FILE *file = fopen(arena_printf(arena, "%s/%s.html", folder, name), "w");

	if (file == NULL || fputs(page, file) < 0 || fclose(file) != 0)
		exit(EXIT_FAILURE);
}

static int write_pages(const char *folder)
{
	const struct page_frame alice = {.base = "", .username = "alice", .csrf = "x"};
	const struct page_frame nobody = {.base = ""};
	const struct page_login login = {.start = "/login/start", .issuer = "id.example.com"};
	const struct page_login closed = {.start = NULL};
	struct page_frame device = alice;

	device.place = PAGE_DEVICE;
	arena = arena_new(16 << 20);
	write_page(folder, "providers", some_providers(&alice));
	write_page(folder, "reasons", all_reasons(&alice, "GitHub"));
	write_page(folder, "empty", no_providers(&alice));
	write_page(folder, "connect", connect(&alice, "GitHub", "repo workflow read:org"));
	write_page(folder, "connected", connected(&alice, "alice-at-work"));
	write_page(folder, "code", code(&alice, "GitHub", false));
	write_page(folder, "code-over", code(&alice, "GitHub: The code has run out.", true));
	write_page(folder, "enter", page_device_enter(arena, &device, NULL, NULL));
	write_page(folder, "enter-wrong",
		page_device_enter(arena, &device, "WDJB", "This code is not waiting for an answer."));
	write_page(folder, "compare", compare(&device, "The gatehouse command line"));
	write_page(folder, "approved", page_device_done(arena, &device, "The gatehouse command line", true));
	write_page(folder, "denied", page_device_done(arena, &device, "The gatehouse command line", false));
	write_page(folder, "login", page_login(arena, &nobody, &login));
	write_page(folder, "login-closed", page_login(arena, &nobody, &closed));
	write_page(folder, "error", error(&nobody, "GitHub did not answer."));
	arena_free(arena);
	return EXIT_SUCCESS;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(what_comes_from_outside_is_escaped),
		TEST(pages_are_whole_and_say_their_language),
		TEST(each_reason_says_who_can_mend_it),
		TEST(an_empty_list_says_so),
		TEST(what_is_no_longer_offered_can_be_disconnected_only),
		TEST(addresses_and_forms_begin_with_the_base_and_hold_the_token),
		TEST(nobody_signed_in_has_nothing_to_sign_out_of),
		TEST(signing_in_is_a_button_or_an_explanation),
		TEST(every_kind_of_problem_says_what_to_do),
		TEST(a_code_is_compared_before_it_is_approved),
		TEST(the_policy_names_the_style_that_the_page_has),
	};

	if (argc == 2)
		return write_pages(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
