/* SPDX-License-Identifier: Apache-2.0 */
/* Proxies ask before they let a request through: Envoy's ext_authz over HTTP, nginx's auth_request, Traefik's forward
 * authentication. The method, path and body are those of the request that waits at the proxy; who it is for stands in
 * headers that the proxy sets. */
#ifndef HOOK_EXT_AUTHZ_H
#define HOOK_EXT_AUTHZ_H

#include "../http/reply.h"
#include "../http/request.h"

/* 200 without a body lets it through; 403 with the body of an error or a refusal does not, whatever the reason: to
 * nginx any status but 2xx, 401 and 403 is a failure of this service, and that is what 5xx stays. */
bool hook_ext_authz(const struct request *request, struct reply *reply, struct problem *problem);

#endif
