/* SPDX-License-Identifier: Apache-2.0 */
/* The error page: see error.h. What to do depends on the kind of failure alone, so it is a table. */
#include "error.h"

#include "html.h"
#include "must_check.h"

/* What a reader can do about it. Kinds without a row were made for programs and are told in the problem's own words. */
static const struct advice {
	enum problem_kind kind;
	const char *title;
	const char *advice;
	const char *path; /* where it goes on; NULL: nowhere on this service */
	const char *label;
} ADVICE[] = {
	{PROBLEM_SESSION_REQUIRED, "You are not signed in here",
		"A link to connect an account is good once, for a few minutes: ask for a new one where it came from. "
		"Or sign "
		"in, where this service offers it.",
		"/login", "Sign in"},
	{PROBLEM_STATE_INVALID, "Start again, please",
		"Go back to where you began, and stay in this browser until it is done.", "/", "My providers"},
	{PROBLEM_PROVIDER_REFUSED, "The account was not connected",
		"If you said no there, all is as you wanted it. Else start again.", "/", "My providers"},
	{PROBLEM_OWNER_SUSPENDED, "Your account here is suspended",
		"Nothing can be connected until an administrator makes it active again. Ask yours.", NULL, NULL},
	{PROBLEM_FORBIDDEN, "This was not done",
		"Go back, load the page again and try once more. If it stays so, ask your administrator.", "/",
		"My providers"},
	{PROBLEM_NOT_FOUND, "There is nothing here",
		"The address may be mistyped, or what it showed is gone. Go on from your providers.", "/",
		"My providers"},
	{PROBLEM_PROVIDER_NOT_CONFIGURED, "This provider is not set up here",
		"Look for it among your providers, or ask your operator to set it up.", "/", "My providers"},
	{PROBLEM_PROVIDER_FAILED, "The provider did not answer as it should",
		"Nothing you did is wrong and nothing is lost. Try again in a minute. If it stays so, tell your "
		"operator.",
		"/", "My providers"},
	{PROBLEM_DATABASE_UNAVAILABLE, "This is not available just now",
		"Nothing you did is wrong. Try again in a minute: load this page again.", NULL, NULL},
	{PROBLEM_OVERLOADED, "Too many at once", "Try again in a minute: load this page again.", NULL, NULL},
	{PROBLEM_DRAINING, "This is not available just now", "Try again in a moment: load this page again.", NULL,
		NULL},
	{PROBLEM_INTERNAL, "Something is broken here",
		"Nothing you did is wrong. Try again; if it stays so, give your operator the request number below.",
		NULL, NULL},
};

static const struct advice *find_advice(enum problem_kind kind)
{
	static const struct advice any = {.title = "This did not work",
		.advice = "Go back and try again. If it stays so, give your operator the request number below."};

	for (size_t i = 0; i < COUNT_OF(ADVICE); i++)
		if (ADVICE[i].kind == kind)
			return &ADVICE[i];
	return &any;
}

char *page_error(
	struct arena *arena, const struct page_frame *frame, const struct problem *problem, const char *request_id)
{
	const struct advice *advice = find_advice(problem->kind);
	struct text page = page_open(arena, frame, advice->title, true);

	html_element(&page, "p", problem->message);
	html_element(&page, "p", problem->detail[0] != '\0' ? problem->detail : NULL);
	for (size_t i = 0; i < problem->violation_count; i++)
		html_element(&page, "p",
			arena_printf(arena, "%s %s.", problem->violations[i].field, problem->violations[i].detail));
	html_element(&page, "h2", "What to do");
	html_element(&page, "p", advice->advice);
	if (advice->path != NULL) {
		text_add(&page, "<div class=\"actions\">\n");
		html_link(&page, "button second", page_address(arena, frame, advice->path), advice->label);
		text_add(&page, "</div>\n");
	}
	html_element(&page, "p class=\"quiet foot\"", arena_printf(arena, "Request number: %s", request_id));
	return page_close(&page, true);
}
