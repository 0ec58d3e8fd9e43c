/* SPDX-License-Identifier: Apache-2.0 */
/* Keyset pages (contract section 3): a list asks for one row more than it shows, and that row says whether another page
 * follows. */
#ifndef HTTP_PAGE_H
#define HTTP_PAGE_H

#include "../store/store.h"

static inline struct page page_with_one_more(struct page page)
{
	return (struct page){.after_id = page.after_id, .limit = page.limit + 1};
}

/* How many of the rows that came are shown. */
static inline size_t page_shown(struct page page, size_t row_count)
{
	return row_count > (size_t)page.limit ? (size_t)page.limit : row_count;
}

#endif
