/* SPDX-License-Identifier: Apache-2.0 */
/* The desktop's keyring (Secret Service) through libsecret, which is loaded only when a login is kept there: nobody
 * else needs GLib. There is no way back to a file by itself: who asked for the keyring does not want one. */
#ifndef CLI_KEYRING_H
#define CLI_KEYRING_H

#include "../base/secret.h"
#include "must_check.h"
#include "problem.h"

/* Each may wait for a keyring that asks its user to unlock it, but not for ever. */
MUST_CHECK bool keyring_save(const char *issuer, const char *profile, struct secret value, struct problem *problem);

/* ret_value empty: the keyring holds nothing of this login. */
MUST_CHECK bool keyring_load(const char *issuer, const char *profile, struct arena *arena, struct secret *ret_value,
	struct problem *problem);
MUST_CHECK bool keyring_remove(const char *issuer, const char *profile, struct problem *problem);

#endif
