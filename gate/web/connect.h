/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting one provider: what it will ask, how it went, and the way with a code (RFC 8628). */
#ifndef WEB_CONNECT_H
#define WEB_CONNECT_H

#include <stdint.h>

#include "page.h"

struct page_connect {
	const char *id;
	const char *name;
	const char *host;     /* where the browser goes; NULL: not known */
	const char *username; /* whose connection it becomes */
	const char *account;  /* connected now; NULL: none, or not known */
	const char *scopes;   /* blank-separated; "": the provider decides */
	const char *redirect; /* local path to go on to; NULL: none */
	bool linked;
	bool has_device_flow;
	bool has_browser_flow;
};

char *page_connect(struct arena *arena, const struct page_frame *frame, const struct page_connect *connect);

struct page_installation {
	const char *account;
	const char *configure_url; /* NULL: none */
};

struct page_connected {
	const char *name;
	const char *username;
	const char *account; /* NULL: not known */
	size_t installation_count;
	const struct page_installation *installations; /* NULL: not known, or the provider has no app */
	const char *install_url;                       /* where the provider's app is installed; NULL: it has none */
};

char *page_connected(struct arena *arena, const struct page_frame *frame, const struct page_connected *connected);

struct page_code {
	const char *id;
	const char *name;
	const char *handle; /* goes along with "check now" */
	const char *user_code;
	const char *verification_uri;
	const char *verification_uri_complete; /* NULL: none */
	int64_t expires_in_s;
	unsigned interval_s;
	const char *trouble; /* what the last check came to, as text; NULL: not checked yet */
	bool over;           /* the code is good for nothing any more */
};

/* The page shows code and link and is asked again by a button: it needs no script. */
char *page_code(struct arena *arena, const struct page_frame *frame, const struct page_code *code);

#endif
