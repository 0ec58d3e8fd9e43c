/* SPDX-License-Identifier: Apache-2.0 */
/* What statements that hand out builds, or insert them under an id of ours, share. */
#ifndef STORE_BUILD_ROW_H
#define STORE_BUILD_ROW_H

#include "builds.h"
#include "call.h"

/* The 18 columns of build_find. */
void build_read_row(struct row *row, struct arena *arena, struct build_record *ret_record);

/* Runs a statement that inserts a build, and once more where it met its own earlier run, whose answer got lost and
 * which was still under way when it began: then it says what that one did. */
MUST_CHECK bool build_run_insert(
	struct store *store, struct call *call, struct rows *ret_rows, struct problem *problem);

#endif
