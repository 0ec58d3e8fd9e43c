/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log. */
#include "audit.h"

#include "call.h"

bool audit_insert(struct store *store, const struct audit_row *row, struct problem *problem)
{
	char id[UUID_TEXT_SIZE];
	uuid_new(id);
	struct call call;
	call_write(&call, QUERY_AUDIT_INSERT);
	bind_text(&call, id);
	bind_text(&call, row->request_id);
	bind_text(&call, row->action);
	bind_text(&call, row->initiator_id);
	bind_text(&call, row->subject_user_id);
	bind_text(&call, row->subject);
	return store_do(store, &call, problem);
}
