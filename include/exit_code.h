/* SPDX-License-Identifier: Apache-2.0 */
/* How every subcommand ends: contract section 2. */
#ifndef EXIT_CODE_H
#define EXIT_CODE_H

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_WRONG_USAGE = 2,
	EXIT_REFUSED = 3, /* the gate said no */
	EXIT_NOT_LOGGED_IN = 4,
	EXIT_BUSY = 5, /* try again */
};

#endif
