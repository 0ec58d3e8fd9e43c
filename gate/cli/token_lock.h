/* SPDX-License-Identifier: Apache-2.0 */
/* Locks between command lines of one user. flock(2) on a descriptor opened for writing: it ends with the process
 * whatever kills it, a shell script can hold it with flock(1), and Linux makes it a lock of the server over NFS. Lock
 * files hold nothing and are never removed, because a lock on a removed file locks nobody out. */
#ifndef CLI_TOKEN_LOCK_H
#define CLI_TOKEN_LOCK_H

#include <stdint.h>

#include "state_directory.h"

/* "refresh-", 64 hexadecimal digits, ".lock" */
#define TOKEN_LOCK_NAME_SIZE 80

/* Guards reading, changing and writing the token file; held for moments. */
#define TOKEN_FILE_LOCK "tokens.lock"

/* The lock of one login: who holds it may spend its refresh token. The name is a hash, so no part of it is a path. */
void token_lock_name(
	const char *issuer, const char *client_id, const char *profile, char ret_name[TOKEN_LOCK_NAME_SIZE]);

struct token_lock {
	int descriptor; /* -1: not held */
};

/* Waits up to timeout_ms. PROBLEM_OVERLOADED: somebody else held it all the time. A lock file that is a link, no file,
 * or somebody else's is refused, and so is a file system that cannot lock. */
MUST_CHECK bool token_lock_take(const struct state_directory *directory, const char *name, int64_t timeout_ms,
	struct token_lock *ret_lock, struct problem *problem);

/* Not held is nothing to do. */
void token_lock_release(struct token_lock *lock);

#endif
