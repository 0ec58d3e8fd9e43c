/* SPDX-License-Identifier: Apache-2.0 */
/* Every handler: it reads the exchange, does its work and leaves an answer in it. Sending, faults and gates are the
 * business of provider_routes.c. */
#ifndef PROVIDER_HANDLERS_H
#define PROVIDER_HANDLERS_H

#include "provider_exchange.h"

/* provider_authorize.c: OAuth 2 authorization endpoint (RFC 6749 section 4.1, RFC 7636, RFC 9207). */
void authorize_show(struct exchange *exchange);
void authorize_decide(struct exchange *exchange);

/* provider_token.c: OAuth 2 token endpoint (RFC 6749 section 3.2, RFC 8628 section 3.4). */
void token_grant(struct exchange *exchange);
/* Checks the client by the provider's `client_auth`; a known id is enough where no secret is needed. False after
 * having put the refusal into the answer. */
bool client_identify(struct exchange *exchange, bool secret_needed);

/* provider_device.c: device flow (RFC 8628) and the page where people approve. */
void device_begin(struct exchange *exchange);
void device_show(struct exchange *exchange);
void device_decide(struct exchange *exchange);

/* provider_resource.c: what a token opens, revocation (RFC 7009, and GitHub's), discovery. */
void resource_user(struct exchange *exchange);
void resource_userinfo(struct exchange *exchange);
void resource_validate(struct exchange *exchange);
void resource_installations(struct exchange *exchange);
void revoke_token(struct exchange *exchange);
void revoke_grant(struct exchange *exchange);
void discovery_show(struct exchange *exchange);

/* provider_control.c: the control API. */
void control_list(struct exchange *exchange);
void control_show(struct exchange *exchange);
void control_change(struct exchange *exchange);
void control_reset(struct exchange *exchange);
void control_mint(struct exchange *exchange);
void control_revoke(struct exchange *exchange);
void control_decide_device(struct exchange *exchange);
void control_requests(struct exchange *exchange);
void control_tokens(struct exchange *exchange);
void control_show_gate(struct exchange *exchange);
void control_set_gate(struct exchange *exchange);
void control_release_gate(struct exchange *exchange);

/* provider_routes.c: serves one request from beginning to end. CivetWeb's begin_request. */
int route_serve(struct mg_connection *connection);
/* Requests wait at the doors until these open: the port, and so exchange_base_url, is known only after the server has
 * begun to listen. */
void route_close_doors(void);
void route_open_doors(void);
/* How many requests are being served now. */
long route_in_flight(void);

#endif
