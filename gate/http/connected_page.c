/* SPDX-License-Identifier: Apache-2.0 */
#include "connected_page.h"

#include "../web/connect.h"

void connected_page_reply(struct reply *reply, const struct page_frame *frame, const struct provider *provider,
	const char *username, const struct saved_account *account)
{
	struct arena *arena = reply->arena;
	struct page_installation *installations = NULL;

	if (account->installations != NULL)
		installations = arena_alloc(arena, (account->installation_count + 1) * sizeof(*installations));
	for (size_t i = 0; i < account->installation_count; i++)
		installations[i] = (struct page_installation){.account = account->installations[i].account.login,
			.configure_url = account->installations[i].configure_url};

	const struct page_connected connected = {.name = provider->display_name,
		.username = username,
		.account = account->login,
		.installation_count = account->installation_count,
		.installations = installations,
		.install_url = provider->app_install_url[0] != '\0' ? provider->app_install_url : NULL};

	browser_reply(reply, 200, page_connected(arena, frame, &connected));
}
