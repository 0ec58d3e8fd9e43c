/* SPDX-License-Identifier: Apache-2.0 */
/* Where the command line keeps what it must remember (XDG Base Directory): $XDG_STATE_HOME/gatehouse, else
 * ~/.local/state/gatehouse. Everything in it is opened relative to the one directory that was checked, so that nobody
 * exchanges it underneath. */
#ifndef CLI_STATE_DIRECTORY_H
#define CLI_STATE_DIRECTORY_H

#include <sys/types.h>

#include "../base/arena.h"
#include "must_check.h"
#include "problem.h"

struct state_directory {
	int descriptor;   /* -1: there is none */
	const char *path; /* for people */
};

/* Opens the directory of the calling user. create: makes it, and what leads to it, private (0700). Without, one that is
 * not there is no problem: descriptor is -1. A relative XDG_STATE_HOME is ignored, an unset HOME is asked of the
 * password file. Refused: a directory that is a symbolic link, somebody else's, or writable for others. */
MUST_CHECK bool state_directory_open(
	struct arena *arena, bool create, struct state_directory *ret_directory, struct problem *problem);

/* The same below the home of the password file, whatever the environment says: for what must be the same for every
 * process of a user, such as the lock of a login that is in the keyring. */
MUST_CHECK bool state_directory_open_of_user(
	struct arena *arena, struct state_directory *ret_directory, struct problem *problem);

void state_directory_close(struct state_directory *directory);

/* The kind of a file system that other machines may share, whose locks and renames are less sure than those of a local
 * one; NULL: none that is known. */
const char *state_directory_shared(const struct state_directory *directory);

/* Why a file that was opened may not be trusted, in words that say how to mend it; NULL: it is regular, the user's own,
 * and closed to others. */
const char *state_file_distrust(int descriptor, mode_t forbidden);

#endif
