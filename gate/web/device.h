/* SPDX-License-Identifier: Apache-2.0 */
/* Letting a command line in (RFC 8628 section 3.3): enter the code, compare it, approve or deny. */
#ifndef WEB_DEVICE_H
#define WEB_DEVICE_H

#include <stdint.h>

#include "page.h"

/* wrong: what was wrong with the code that was entered, as text; NULL: none was. given: what was entered, or NULL. */
char *page_device_enter(struct arena *arena, const struct page_frame *frame, const char *given, const char *wrong);

struct page_device {
	const char *user_code; /* as the command line shows it */
	const char *client;
	const char *address; /* where the command line asked from; "": not known */
	const char *agent;   /* what it calls itself; "": nothing */
	int64_t asked_at_ms;
	int64_t expires_at_ms;
	int64_t now_ms;
};

char *page_device_compare(struct arena *arena, const struct page_frame *frame, const struct page_device *device);

char *page_device_done(struct arena *arena, const struct page_frame *frame, const char *client, bool approved);

#endif
