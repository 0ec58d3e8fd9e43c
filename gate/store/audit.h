/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: who did what to whom, for what an operator must be able to answer for later (imports, unlinks, links
 * made, users and roles changed). Never a token. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "store.h"

struct audit_row {
	const char *request_id;
	const char *action;          /* "link.import", "link.create", "link.remove", "user.create", … */
	const char *initiator_id;    /* NULL: the service itself */
	const char *subject_user_id; /* NULL: none */
	const char *subject;         /* provider id, template id, … or NULL */
};

MUST_CHECK bool audit_insert(struct store *store, const struct audit_row *row, struct problem *problem);

#endif
