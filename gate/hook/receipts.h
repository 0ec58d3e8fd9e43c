/* SPDX-License-Identifier: Apache-2.0 */
/* Is what a receipt says still true (contract section 7)? Asked when a job starts, long after the check. */
#ifndef HOOK_RECEIPTS_H
#define HOOK_RECEIPTS_H

#include "../http/reply.h"
#include "../http/request.h"

bool hook_receipt_verify(const struct request *request, struct reply *reply, struct problem *problem);

#endif
