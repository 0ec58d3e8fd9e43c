/* SPDX-License-Identifier: Apache-2.0 */
/* Where a login is kept, file or keyring, behind session.c. The file knows every login; the keyring holds the tokens of
 * those that were asked to be there, with their times, and what it says goes. */
#ifndef CLI_SESSION_STORE_H
#define CLI_SESSION_STORE_H

#include "session.h"

/* SESSION_GONE: the login that was to be replaced is not there any more, or is another one; nothing was written. */
enum session_save { SESSION_SAVED, SESSION_GONE };

/* Replaces a login by its next state, unless it moved. */
MUST_CHECK bool session_store_replace(struct cli *cli, const struct token_entry *before,
	const struct token_entry *after, enum session_save *ret_end, struct problem *problem);

/* The same for what is no token: an attempt that begins. */
MUST_CHECK bool session_store_note(struct cli *cli, const struct token_entry *before, const struct token_entry *after,
	enum session_save *ret_end, struct problem *problem);

#endif
