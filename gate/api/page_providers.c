/* SPDX-License-Identifier: Apache-2.0 */
/* My providers as a page: see page_providers.h. */
#include "page_providers.h"

#include <string.h>

#include "../http/browser.h"
#include "../http/service.h"
#include "../http/subject.h"
#include "../link/overview.h"
#include "../link/revoke.h"
#include "../link/unlink.h"
#include "../web/providers.h"

static const struct overview_link *find_link(const struct overview_link *links, size_t count, const char *provider_id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(links[i].link.provider_id, provider_id) == 0)
			return &links[i];
	return NULL;
}

static struct page_provider show_provider(const struct provider *provider, const struct overview_link *linked)
{
	struct page_provider shown = {.id = provider->id,
		.name = provider->display_name,
		.reason = REASON_NOT_LINKED,
		.configured = true,
		.is_revoked = revoke_is_supported(provider)};

	if (linked == NULL)
		return shown;
	shown.linked = true;
	shown.reason = linked->reason;
	shown.account = linked->link.account;
	shown.since_ms = linked->link.created_at_ms;
	return shown;
}

static struct page_provider show_gone(const struct link *link)
{
	return (struct page_provider){.id = link->provider_id,
		.name = link->provider_id,
		.account = link->account,
		.linked = true,
		.since_ms = link->created_at_ms};
}

/* Providers in the order of the configuration, and behind them what is connected and not offered any more. */
static struct page_providers show_all(
	const struct request *request, const struct overview_link *links, size_t link_count)
{
	const struct providers *providers = &request->service->engine->providers;
	struct page_provider *list = arena_alloc(request->arena, (providers->count + link_count + 1) * sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < providers->count; i++)
		list[count++] = show_provider(providers->list[i], find_link(links, link_count, providers->list[i]->id));
	for (size_t i = 0; i < link_count; i++)
		if (!links[i].configured)
			list[count++] = show_gone(&links[i].link);
	return (struct page_providers){.count = count, .list = list};
}

/* What the query says was just done; only a provider that is set up is named by it. */
static const char *notice_of(const struct request *request)
{
	static const struct {
		const char *parameter;
		const char *format;
	} notices[] = {
		{"disconnected", " is disconnected."},
		{"ended", " is disconnected, and the provider has ended the connection, too."},
	};

	for (size_t i = 0; i < COUNT_OF(notices); i++) {
		const char *id = request_query(request, notices[i].parameter);
		const struct provider *provider =
			id != NULL ? providers_find(&request->service->engine->providers, id) : NULL;

		if (provider != NULL)
			return arena_printf(request->arena, "%s%s", provider->display_name, notices[i].format);
		if (id != NULL)
			return "It is disconnected.";
	}
	return NULL;
}

bool api_page_providers(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct browser_session session = {.id = NULL};
	struct overview_link *links = NULL;
	size_t count = 0;

	browser_add_headers(reply);
	if (!session_find_login(request, &session, problem))
		return session_send_to_login(request, reply, problem);
	if (!overview_read(request->service->engine, session.user.id, request->arena, &count, &links, problem))
		return false;

	struct page_frame frame = browser_frame(request, &session, PAGE_PROVIDERS);
	struct page_providers shown = show_all(request, links, count);

	shown.notice = notice_of(request);
	browser_reply(reply, 200, page_providers(request->arena, &frame, &shown));
	return true;
}

/* Ends with a redirect, so that loading the page again does not post the form again. */
bool api_page_disconnect(const struct request *request, struct reply *reply, struct problem *problem)
{
	struct engine *engine = request->service->engine;
	const char *id = request_parameter(request, "provider");
	struct browser_session session = {.id = NULL};
	const char *wrong = NULL;
	struct link link;

	browser_add_headers(reply);
	if (!session_find_login(request, &session, problem) || !session_check_csrf(request, problem) ||
		!unlink_remove(engine, session.user.id, id, request->arena, &link, problem))
		return false;
	subject_audit(request, "link.remove", session.user.id, id);

	bool ended = unlink_revoke(engine, &link, request->arena, &wrong);

	reply_redirect(reply,
		session_url(request, arena_printf(request->arena, "/?%s=%s", ended ? "ended" : "disconnected", id)));
	return true;
}
