/* SPDX-License-Identifier: Apache-2.0 */
/* The page that ends a connection, however it came about: whose account it is, and where the provider's app is
 * installed. */
#ifndef HTTP_CONNECTED_PAGE_H
#define HTTP_CONNECTED_PAGE_H

#include "../link/save_grant.h"
#include "browser.h"

void connected_page_reply(struct reply *reply, const struct page_frame *frame, const struct provider *provider,
	const char *username, const struct saved_account *account);

#endif
