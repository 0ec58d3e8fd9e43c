/* SPDX-License-Identifier: Apache-2.0 */
/* The page for what did not work: what happened, what to do now, and the number that an operator can look up. */
#ifndef WEB_ERROR_H
#define WEB_ERROR_H

#include "page.h"
#include "problem.h"

/* request_id is shown for whoever is asked for help. */
char *page_error(
	struct arena *arena, const struct page_frame *frame, const struct problem *problem, const char *request_id);

#endif
