/* SPDX-License-Identifier: Apache-2.0 */
/* A comma list of IPv4 addresses and networks, such as "127.0.0.1,10.0.0.0/8": whose word about others is taken. IPv4
 * alone, as the listener. */
#ifndef BASE_NETWORKS_H
#define BASE_NETWORKS_H

#include <stdbool.h>

/* An empty list is lawful and holds nobody. */
bool networks_are_lawful(const char *list);

/* Whether the address is one of the list's, or in one of its networks; false for what is no address. */
bool networks_hold(const char *list, const char *address);

#endif
