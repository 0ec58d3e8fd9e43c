// SPDX-License-Identifier: Apache-2.0
// The login server driven by OAuth clients that nobody here wrote, openid-client and oauth4webapi: discovery, device flow
// with its pace, refresh, reuse, revocation. Only the user's answer is given by hand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { CLIENT_ID, decide } from "../support/login.mjs";
import { openWorld } from "../support/serve.mjs";

const world = await openWorld();
const alice = await world.createUser({ username: "alice" });
const issuer = new URL(world.service.accessUrl);
const whoAmI = async (token) => {
  const answer = await fetch(new URL("/api/v2/users/me", issuer), { headers: { Authorization: `Bearer ${token}` } });
  return answer.status === 200 ? (await answer.json()).username : answer.status;
};

const plainHttp = { [oauth.allowInsecureRequests]: true };
const client = { client_id: CLIENT_ID };
const none = oauth.None();
const discoverPlain = async () =>
  oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...plainHttp }));
const discover = () => openid.discovery(issuer, CLIENT_ID, undefined, openid.None(), {
  algorithm: "oauth2", execute: [openid.allowInsecureRequests],
});

test("openid-client waits at the server's pace, and gets tokens when the user approves", async () => {
  const config = await discover();
  const codes = await openid.initiateDeviceAuthorization(config, {});
  assert.equal(codes.verification_uri, `${world.service.accessUrl}/device`);
  const answered = sleep(1500).then(() => decide(world, codes, alice));
  const tokens = await openid.pollDeviceAuthorizationGrant(config, codes);
  await answered;
  assert.equal(await whoAmI(tokens.access_token), "alice");
  assert.ok(tokens.expiresIn() > 890 && tokens.expiresIn() <= 900);
  const next = await openid.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(next.refresh_token, tokens.refresh_token);
  assert.equal(await whoAmI(next.access_token), "alice");
  await openid.tokenRevocation(config, next.refresh_token);
  assert.equal(await whoAmI(next.access_token), 401);
  assert.equal(await whoAmI(tokens.access_token), 401);
  await assert.rejects(openid.refreshTokenGrant(config, next.refresh_token), ({ error, status }) => error === "invalid_grant" && status === 400);
});

test("openid-client polls on through authorization_pending and slow_down", { timeout: 120000 }, async () => {
  const config = await discover();
  const codes = await openid.initiateDeviceAuthorization(config, {});
  await sleep(1000);
  const hasty = { ...codes, interval: 1 };
  const approval = sleep(9000).then(() => decide(world, codes, alice));
  const tokens = await openid.pollDeviceAuthorizationGrant(config, hasty);
  await approval;
  assert.equal(await whoAmI(tokens.access_token), "alice");
});

test("openid-client hears access_denied and expired_token", async () => {
  const config = await discover();
  const denied = await openid.initiateDeviceAuthorization(config, {});
  await decide(world, denied, alice, "denied");
  await assert.rejects(openid.pollDeviceAuthorizationGrant(config, denied), ({ error }) => error === "access_denied");
  const expired = await openid.initiateDeviceAuthorization(config, {});
  await world.sql("UPDATE device_grants SET expires_at = now() WHERE status = 'pending'");
  await assert.rejects(openid.pollDeviceAuthorizationGrant(config, expired), ({ error }) => error === "expired_token");
});

test("oauth4webapi: each state by its word, then tokens", async () => {
  const server = await discoverPlain();
  const start = async () => oauth.processDeviceAuthorizationResponse(server, client,
    await oauth.deviceAuthorizationRequest(server, client, none, new URLSearchParams(), plainHttp));
  const ask = async ({ device_code }) => oauth.processDeviceCodeResponse(server, client,
    await oauth.deviceCodeGrantRequest(server, client, none, device_code, plainHttp));
  const says = (word) => (problem) => problem instanceof oauth.ResponseBodyError && problem.error === word && problem.status === 400;

  const codes = await start();
  await assert.rejects(ask(codes), says("authorization_pending"));
  await assert.rejects(ask(codes), says("slow_down"));
  await decide(world, codes, alice);
  const tokens = await ask(codes);
  assert.equal(tokens.token_type, "bearer");
  const again = await ask(codes);
  assert.equal(again.refresh_token, tokens.refresh_token);
  await assert.rejects(ask({ device_code: "unknown" }), says("invalid_grant"));

  const renew = async (token) => oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, none, token, plainHttp));
  const second = await renew(tokens.refresh_token);
  assert.equal((await renew(tokens.refresh_token)).refresh_token, second.refresh_token);
  const third = await renew(second.refresh_token);
  assert.equal(await whoAmI(third.access_token), "alice");
  await assert.rejects(renew(tokens.refresh_token), says("invalid_grant"));
  assert.equal(await whoAmI(third.access_token), 401);
  await assert.rejects(renew(third.refresh_token), says("invalid_grant"));
});

test("oauth4webapi: revocation, also of what nobody knows, and the API's challenge", async () => {
  const server = await discoverPlain();
  const codes = await oauth.processDeviceAuthorizationResponse(server, client,
    await oauth.deviceAuthorizationRequest(server, client, none, new URLSearchParams(), plainHttp));
  await decide(world, codes, alice);
  const tokens = await oauth.processDeviceCodeResponse(server, client,
    await oauth.deviceCodeGrantRequest(server, client, none, codes.device_code, plainHttp));
  const end = async (token) => oauth.processRevocationResponse(await oauth.revocationRequest(server, client, none, token, plainHttp));
  await end("unknown");
  const resource = new URL("/api/v2/users/me", issuer);
  assert.equal((await oauth.protectedResourceRequest(tokens.access_token, "GET", resource, undefined, null, plainHttp)).status, 200);
  await end(tokens.access_token);
  await assert.rejects(oauth.protectedResourceRequest(tokens.access_token, "GET", resource, undefined, null, plainHttp), (problem) =>
    problem instanceof oauth.WWWAuthenticateChallengeError && problem.cause[0].parameters.error === "invalid_token");
});
