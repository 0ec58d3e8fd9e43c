/* SPDX-License-Identifier: Apache-2.0 */
/* The address is resolved here and not by CivetWeb, whose only words about one it cannot use are "invalid port spec".
 */
#include "server_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool parse_port(const char *text, unsigned *ret_port)
{
	size_t size = strlen(text);

	if (size == 0 || size > 5 || strspn(text, "0123456789") != size)
		return false;
	*ret_port = (unsigned)strtoul(text, NULL, 10);
	return *ret_port <= 65535;
}

static bool resolve_host(const char *host, struct in_addr *ret_address)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct sockaddr_in first;

	ret_address->s_addr = htonl(INADDR_ANY);
	if (*host == '\0')
		return true;
	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	memcpy(&first, found->ai_addr, sizeof(first));
	*ret_address = first.sin_addr;
	freeaddrinfo(found);
	return true;
}

bool address_resolve(const char *address, bool with_tls, char ret_listen_at[ADDRESS_BYTES_MAX], struct problem *problem)
{
	const char *colon = strrchr(address, ':');
	char host[256], dotted[INET_ADDRSTRLEN];
	struct in_addr ip;
	unsigned port;

	if (colon == NULL || !parse_port(colon + 1, &port) || (size_t)(colon - address) >= sizeof(host))
		return problem_set(problem, PROBLEM_VALIDATION_FAILED,
			"\"%s\" is no address to listen on; write host:port, for example 127.0.0.1:8484.", address);
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = '\0';
	if (strchr(host, ':') != NULL || host[0] == '[')
		return problem_set(problem, PROBLEM_VALIDATION_FAILED,
			"\"%s\" is an IPv6 address, which this system's CivetWeb cannot listen on; use an IPv4 one.",
			address);
	if (!resolve_host(host, &ip) || inet_ntop(AF_INET, &ip, dotted, sizeof(dotted)) == NULL)
		return problem_set(problem, PROBLEM_VALIDATION_FAILED,
			"\"%s\" cannot be listened on: host %s has no IPv4 address.", address, host);
	(void)snprintf(ret_listen_at, ADDRESS_BYTES_MAX, "%s:%u%s", dotted, port, with_tls ? "s" : "");
	return true;
}

/* errno of a bind like CivetWeb's; 0 where it works. */
static int try_bind(const char *listen_at)
{
	const char *colon = strchr(listen_at, ':');
	struct sockaddr_in name = {.sin_family = AF_INET};
	char host[INET_ADDRSTRLEN] = "";
	int yes = 1, error = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	memcpy(host, listen_at, (size_t)(colon - listen_at));
	name.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	inet_pton(AF_INET, host, &name.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) != 0 || listen(fd, 1) != 0)
		error = errno;
	close(fd);
	return error;
}

bool address_explain(const char *address, const char *listen_at, const char *complaint, struct problem *problem)
{
	static const struct {
		int error;
		const char *advice;
	} rows[] = {
		{EADDRINUSE, "another process listens there already; stop it or choose another port"},
		{EACCES, "this user may not use that port; choose one above 1023"},
		{EADDRNOTAVAIL, "this host does not have that address"},
	};
	int error = try_bind(listen_at);

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (rows[i].error == error)
			return problem_set(problem, PROBLEM_VALIDATION_FAILED, "Cannot listen on %s: %s.", address,
				rows[i].advice);
	return problem_set(problem, PROBLEM_INTERNAL, "Cannot listen on %s: %.150s.", address,
		*complaint != '\0' ? complaint : "CivetWeb did not start");
}
