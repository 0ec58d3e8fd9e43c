/* SPDX-License-Identifier: Apache-2.0 */
/* Networks in CIDR notation (RFC 4632 section 3.1): see networks.h. Lists are short, so they are read where they are
 * asked. */
#include "networks.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ADDRESS_BITS 32U

struct network {
	uint32_t address;
	uint32_t mask;
};

static bool read_address(const char *text, size_t size, uint32_t *ret_address)
{
	char copy[INET_ADDRSTRLEN];
	struct in_addr address;

	if (size >= sizeof(copy))
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (inet_pton(AF_INET, copy, &address) != 1)
		return false;
	*ret_address = ntohl(address.s_addr);
	return true;
}

static bool read_bits(const char *text, size_t size, unsigned *ret_bits)
{
	if (size == 0 || size > 2 || strspn(text, "0123456789") < size)
		return false;
	*ret_bits = 0;
	for (size_t i = 0; i < size; i++)
		*ret_bits = *ret_bits * 10 + (unsigned)(text[i] - '0');
	return *ret_bits <= ADDRESS_BITS;
}

static bool read_network(const char *text, size_t size, struct network *ret_network)
{
	const char *slash = memchr(text, '/', size);
	size_t address_size = slash == NULL ? size : (size_t)(slash - text);
	unsigned bits = ADDRESS_BITS;

	if (slash != NULL && !read_bits(slash + 1, size - address_size - 1, &bits))
		return false;
	ret_network->mask = bits == 0 ? 0 : UINT32_MAX << (ADDRESS_BITS - bits);
	return read_address(text, address_size, &ret_network->address);
}

bool networks_are_lawful(const char *list)
{
	struct network network;

	while (*list != '\0') {
		size_t size = strcspn(list, ",");

		if (!read_network(list, size, &network) || (list[size] == ',' && list[size + 1] == '\0'))
			return false;
		list += size + (list[size] == ',');
	}
	return true;
}

bool networks_hold(const char *list, const char *address)
{
	struct network network;
	uint32_t asked = 0;

	if (!read_address(address, strlen(address), &asked))
		return false;
	while (*list != '\0') {
		size_t size = strcspn(list, ",");

		if (read_network(list, size, &network) && ((asked ^ network.address) & network.mask) == 0)
			return true;
		list += size + (list[size] == ',');
	}
	return false;
}
