/* SPDX-License-Identifier: Apache-2.0 */
/* My providers: see providers.h. What a reason means to its owner is a table: the state in two words, why, and what to
 * do about it, so that nobody connects again what only waiting or an operator can mend. */
#include "providers.h"

#include "html.h"
#include "must_check.h"
#include "policy.h"

static const struct wording {
	const char *badge;
	const char *state;
	const char *why;
	const char *next; /* NULL: nothing is to be done */
} WORDINGS[] = {
	[REASON_VALID] = {"good", "Connected", "The provider confirms the connection.", NULL},
	[REASON_NOT_VALIDATED] = {"good", "Connected", "This provider offers no way to confirm the connection.", NULL},
	[REASON_RATE_LIMITED] = {"good", "Connected", "The provider is too busy to confirm the connection just now.",
		NULL},
	[REASON_LAST_KNOWN_GOOD] = {"good", "Connected",
		"The provider cannot confirm the connection just now; it did so a short while ago.", NULL},
	[REASON_FAIL_OPEN] = {"good", "Connected",
		"The provider cannot confirm the connection just now; your operator lets that pass.", NULL},
	[REASON_NOT_LINKED] = {"none", "Not connected", NULL, NULL},
	[REASON_EXPIRED] = {"bad", "Connect again", "The connection has expired and cannot renew itself.",
		"Connect the account again."},
	[REASON_REFRESH_REJECTED] = {"bad", "Connect again", "The provider refused to renew the connection.",
		"Connect the account again."},
	[REASON_ROTATION_LOST] = {"bad", "Connect again",
		"A renewal of the connection was lost on the way, and the provider refuses another.",
		"Connect the account again."},
	[REASON_TOKEN_REVOKED] = {"bad", "Connect again", "The provider says the connection is no longer valid.",
		"Connect the account again."},
	[REASON_REFRESH_IN_PROGRESS] = {"wait", "Being renewed", "The connection is being renewed just now.",
		"Load this page again in a moment. You need not connect again."},
	[REASON_PROVIDER_UNAVAILABLE] = {"wait", "Provider away",
		"The provider does not answer. Your connection is kept.",
		"Try again later. You need not connect again."},
	[REASON_PROVIDER_MISCONFIGURED] = {"wait", "Operator needed",
		"The provider refuses this service itself, not you. Your connection is kept.",
		"Tell your operator. Connecting again does not help."},
	[REASON_DECRYPTION_FAILED] = {"wait", "Operator needed",
		"The key that opens your stored connection is missing here.",
		"Tell your operator. You need not connect again."},
};
_Static_assert(COUNT_OF(WORDINGS) == REASON_COUNT, "every reason has its words");

static const struct wording GONE = {"none", "No longer offered",
	"This provider is not set up here any more. What was stored for it is still there.",
	"Disconnect it, or ask your operator."};

static const struct wording *wording_of(const struct page_provider *provider)
{
	if (!provider->configured)
		return &GONE;
	return &WORDINGS[(unsigned)provider->reason < REASON_COUNT ? provider->reason : REASON_PROVIDER_UNAVAILABLE];
}

/* "GitHub" for whoever cannot see which card a button stands on. */
static void add_unseen(struct text *page, const char *before, const char *name)
{
	text_addf(page, "<span class=\"unseen\">%s", before);
	text_add_html(page, name);
	text_add(page, "</span>");
}

/* What waiting or an operator mends is no reason to connect again, and no button says so (contract section 8). */
static bool is_connecting_offered(const struct page_provider *provider)
{
	enum fixable_by fixable_by = reason_fixable_by(provider->reason);

	if (!provider->configured)
		return false;
	return !provider->linked || fixable_by == FIXABLE_BY_NOBODY || fixable_by == FIXABLE_BY_OWNER;
}

static void add_connect(struct text *page, const struct page_frame *frame, const struct page_provider *provider)
{
	struct arena *arena = page->arena;
	bool is_needed = !provider->linked || reason_fixable_by(provider->reason) == FIXABLE_BY_OWNER;

	text_addf(page, "<a class=\"button%s\"", is_needed ? "" : " second");
	html_attribute(page, "href", arena_printf(arena, "%s/external-auth/%s", frame->base, provider->id));
	text_add(page, provider->linked ? ">Connect again" : ">Connect");
	add_unseen(page, " ", provider->name);
	text_add(page, "</a>\n");
}

/* Asks once more without a script: the button is behind a line that opens. */
static void add_disconnect(struct text *page, const struct page_frame *frame, const struct page_provider *provider)
{
	text_add(page, "<details>\n<summary>Disconnect");
	add_unseen(page, " ", provider->name);
	text_add(page, "</summary>\n<p>");
	text_add(page, provider->is_revoked ? "What is stored here is removed, and the provider is told to end it."
					    : "What is stored here is removed. Whether the provider ends it, too, is "
					      "up "
					      "to you over there.");
	text_add(page, " Workspaces that need it cannot be created or started until you connect again.</p>\n");
	html_form(page, arena_printf(page->arena, "%s/external-auth/%s/disconnect", frame->base, provider->id),
		frame->csrf);
	text_add(page, "<div class=\"actions\"><button class=\"second\">Disconnect ");
	text_add_html(page, provider->name);
	text_add(page, "</button></div>\n</form>\n</details>\n");
}

static void add_account(struct text *page, const struct page_provider *provider)
{
	const char *since = html_time(page->arena, provider->since_ms);

	if (!provider->linked)
		return;
	text_add(page, "<p class=\"quiet\">");
	if (provider->account != NULL) {
		text_add(page, "As <b>");
		text_add_html(page, provider->account);
		text_add(page, since != NULL ? "</b>, since " : "</b>");
	} else if (since != NULL) {
		text_add(page, "Since ");
	}
	text_add(page, since != NULL ? since : "");
	text_add(page, "</p>\n");
}

static void add_provider(struct text *page, const struct page_frame *frame, const struct page_provider *provider)
{
	const struct wording *wording = wording_of(provider);

	text_add(page, "<li class=\"card\">\n<div class=\"title\">");
	html_element(page, "h2", provider->name);
	html_element(page, arena_printf(page->arena, "span class=\"badge %s\"", wording->badge), wording->state);
	text_add(page, "</div>\n");
	add_account(page, provider);
	html_element(page, "p", wording->why);
	html_element(page, "p", wording->next);
	if (is_connecting_offered(provider)) {
		text_add(page, "<div class=\"actions\">\n");
		add_connect(page, frame, provider);
		text_add(page, "</div>\n");
	}
	if (provider->linked)
		add_disconnect(page, frame, provider);
	text_add(page, "</li>\n");
}

/* How it stands with all of them, for whoever reads one line. */
static char *summary_of(struct arena *arena, const struct page_providers *providers)
{
	size_t good = 0;
	size_t owners = 0;

	for (size_t i = 0; i < providers->count; i++) {
		const struct page_provider *provider = &providers->list[i];

		if (!provider->configured)
			continue;
		good += reason_verdict(provider->reason) == VERDICT_OK ? 1 : 0;
		owners += provider->linked && reason_fixable_by(provider->reason) == FIXABLE_BY_OWNER ? 1 : 0;
	}
	if (owners > 0)
		return arena_printf(arena, "%zu connected, %zu to connect again.", good, owners);
	return arena_printf(arena, "%zu of %zu connected.", good, providers->count);
}

char *page_providers(struct arena *arena, const struct page_frame *frame, const struct page_providers *providers)
{
	struct text page = page_open(arena, frame, "My providers", false);

	if (providers->notice != NULL) {
		text_add(&page, "<div class=\"notice good\" role=\"status\">");
		html_element(&page, "p", providers->notice);
		text_add(&page, "</div>\n");
	}
	if (providers->count == 0) {
		html_element(&page, "p",
			"No provider is set up here, so there is nothing to connect. Your operator can "
			"add some.");
		return page_close(&page, false);
	}
	html_element(&page, "p class=\"quiet\"", summary_of(arena, providers));
	text_add(&page, "<ul class=\"cards\">\n");
	for (size_t i = 0; i < providers->count; i++)
		add_provider(&page, frame, &providers->list[i]);
	text_add(&page, "</ul>\n");
	return page_close(&page, false);
}
