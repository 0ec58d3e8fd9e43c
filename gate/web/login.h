/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in: one button, or the word that it is not set up. */
#ifndef WEB_LOGIN_H
#define WEB_LOGIN_H

#include "page.h"

struct page_login {
	const char *start;   /* the address that goes on to the identity provider, base included; NULL: not set up */
	const char *issuer;  /* its host, shown so that nobody is surprised; NULL: not shown */
	const char *purpose; /* what it is needed for, in a sentence; NULL: nothing special */
	bool signed_out;     /* says that it was */
};

char *page_login(struct arena *arena, const struct page_frame *frame, const struct page_login *login);

#endif
