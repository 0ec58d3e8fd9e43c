/* SPDX-License-Identifier: Apache-2.0 */
/* What statements that hand out users share. */
#ifndef STORE_USER_ROW_H
#define STORE_USER_ROW_H

#include "call.h"
#include "users.h"

/* The six columns id, username, email, suspended, roles, created_at. */
void user_read_row(struct row *row, struct arena *arena, struct user *ret_user);

/* Two parameters, id and name, one of which is NULL. */
void bind_reference(struct call *call, const char *reference);

#endif
