/* SPDX-License-Identifier: Apache-2.0 */
/* What each encryption key still does: how many rows it seals, whether its check value is there and opens, and so
 * whether it may be taken out of the configuration. For `gatehouse keys`; changes nothing. */
#ifndef STORE_KEY_REPORT_H
#define STORE_KEY_REPORT_H

#include "store.h"

/* What an operator does about a key. */
enum key_state {
	KEY_SEALS,      /* the first of the list: everything is sealed with it from now on */
	KEY_IN_USE,     /* rows need it; a rotation moves them to the first key */
	KEY_RELEASABLE, /* no row needs it, its check value is still there: a rotation forgets that */
	KEY_UNUSED,     /* may be taken out of the configuration */
	KEY_MISSING,    /* rows or a check value need it and it is not given: services do not start */
	KEY_WRONG,      /* is given and does not open its check value: services do not start */
	KEY_STATE_COUNT
};

enum check_value { CHECK_ABSENT, CHECK_GOOD, CHECK_WRONG };

struct key_line {
	const char *key_id;
	size_t position; /* in the list of keys, from 1; 0: not given */
	int64_t links;
	int64_t states;
	enum check_value check;
	enum key_state state;
};

struct key_report {
	size_t count;
	struct key_line *lines; /* given keys in their order, then others that the database names */
	int64_t clear_links;
	int64_t clear_states;
};

/* Lives in arena. */
MUST_CHECK bool key_report_read(
	struct store *store, struct arena *arena, struct key_report *ret_report, struct problem *problem);

/* The stable word of a state, for --json. */
const char *key_state_word(enum key_state state);

/* Rows that a rotation has to do, clear ones where from_clear. */
int64_t key_report_rows_to_do(const struct key_report *report, bool from_clear);

#endif
