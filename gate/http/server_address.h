/* SPDX-License-Identifier: Apache-2.0 */
/* From `host:port` to what CivetWeb listens on, and from its silence to a sentence that says what to do. */
#ifndef HTTP_SERVER_ADDRESS_H
#define HTTP_SERVER_ADDRESS_H

#include <stdbool.h>

#include "must_check.h"
#include "problem.h"

/* "255.255.255.255:65535s" and a NUL. */
#define ADDRESS_BYTES_MAX 32

/* host is an IPv4 address, a name that has one, or empty for all addresses; Debian's CivetWeb is built without IPv6. */
MUST_CHECK bool address_resolve(
	const char *address, bool with_tls, char ret_listen_at[ADDRESS_BYTES_MAX], struct problem *problem);

/* Sets the problem that says why listening failed: tries the same bind and reads its error; complaint is what CivetWeb
 * said. Always returns false. */
bool address_explain(const char *address, const char *listen_at, const char *complaint, struct problem *problem);

#endif
