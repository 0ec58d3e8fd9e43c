/* SPDX-License-Identifier: Apache-2.0 */
/* The login of the command line: a valid access token whenever one is needed, from however many processes at once. A
 * refresh token is spent under the lock of its login alone, and what comes back is on the disk before it is used. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "authorization.h"
#include "cli.h"
#include "token_file.h"

/* The login that this command uses, as stored now. false where it cannot be read; found or not, *ret_found says. */
MUST_CHECK bool session_read(struct cli *cli, bool *ret_found, struct token_entry *ret_entry, struct problem *problem);

/* A token to send. stale, unless empty, was refused by the service although it looked good: another one is got.
 * PROBLEM_UNAUTHENTICATED: log in (again). PROBLEM_OVERLOADED: another process is at it, or the service cannot now. */
MUST_CHECK bool session_token(struct cli *cli, struct secret stale, struct secret *ret_token, struct problem *problem);

/* Saves a new login and makes it the current one. *ret_replaced: the refresh token that was there before, empty where
 * there was none. */
MUST_CHECK bool session_save_login(struct cli *cli, const struct cli_grant *grant, enum token_store store,
	struct secret *ret_replaced, struct problem *problem);

/* Takes the login's lock, so that no refresh is under way while it is revoked and removed. */
MUST_CHECK bool session_lock(
	struct cli *cli, enum token_store store, struct token_lock *ret_lock, struct problem *problem);

/* Forgets the login; with its lock held. */
MUST_CHECK bool session_remove(struct cli *cli, struct problem *problem);

/* The file of the lock, for people. */
const char *session_lock_path(struct cli *cli, enum token_store store);

#endif
