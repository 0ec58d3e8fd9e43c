/* SPDX-License-Identifier: Apache-2.0 */
/* What statements that hand out links share. */
#ifndef STORE_LINK_ROW_H
#define STORE_LINK_ROW_H

#include "call.h"
#include "links.h"

/* The fifteen columns from owner_id to updated_at in the order of link_find.sql; opens the tokens. */
void link_read_row(struct row *row, struct arena *arena, const struct vault *vault, struct link *ret_link);

#endif
