// SPDX-License-Identifier: Apache-2.0
// Signing in with an OpenID Connect server that nobody here wrote (oidc-provider), and what it is good for: the pages, and
// connecting an account without a ticket.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { OAuthServer } from "../support/oauth_server.mjs";
import { freePort } from "../support/process.mjs";
import { newSecret } from "../support/service.mjs";
import { openWorld } from "../support/serve.mjs";

const port = await freePort();
const accessUrl = `http://127.0.0.1:${port}`;
const secret = newSecret();
const server = await OAuthServer.start({ clients: [
  { id: "gatehouse", secret, redirect: `${accessUrl}/login/callback` },
  { id: "link", secret, redirect: `${accessUrl}/external-auth/acme/callback` },
] });
const world = await openWorld({
  settings: {
    HTTP_ADDRESS: `127.0.0.1:${port}`, OIDC_ISSUER: server.issuer, OIDC_CLIENT_ID: "gatehouse", OIDC_CLIENT_SECRET: secret,
    OIDC_USERNAME_CLAIM: "email", OIDC_ALLOW_SIGNUPS: "true",
  },
  providers: [{
    id: "acme", type: "oidc", display_name: "Acme", issuer: server.issuer, client_id: "link", client_secret: secret,
    scopes: "openid", validate_url: `${server.issuer}/me`,
  }],
});
after(() => server.stop());

function account(name, more = {}) {
  server.account = `account-of-${name}`;
  server.people[server.account] = { preferred_username: `other-${name}`, email: `${name}@example.com`, email_verified: true, ...more };
}

async function signIn(browser, redirect = "/") {
  const answers = await browser.travel(`${accessUrl}/login?go=1&redirect=${encodeURIComponent(redirect)}`);
  return answers.at(-1);
}

test("a person signs in, is made a user by the email's name, and finds their page again", async () => {
  account("Ada.L");
  const browser = new Browser();
  const last = await signIn(browser);
  assert.equal(last.status, 200, last.text);
  assert.match(last.text, /Signed in as <b>ada-l</);
  const user = (await world.admin("GET", "/api/v2/users/ada-l")).body;
  assert.equal(user.email, "Ada.L@example.com");
  assert.equal((await signIn(new Browser())).status, 200);
});

test("an address that nobody has checked is no name", async () => {
  account("eve", { email_verified: false });
  const last = await signIn(new Browser());
  assert.equal(last.status, 403);
  assert.match(last.text, /has not checked your email address/);
  assert.equal((await world.admin("GET", "/api/v2/users/eve")).status, 404);
});

test("who says no there is not signed in here", async () => {
  account("nora");
  server.decision = "deny";
  const last = await signIn(new Browser());
  server.decision = "approve";
  assert.equal(last.status, 400);
  assert.match(last.text, /access_denied/);
});

test("from the refusal to a connected account: two links, no ticket", async () => {
  account("bob");
  const browser = new Browser();
  const first = await browser.travel(`${accessUrl}/external-auth/acme`);
  assert.equal(first.at(-1).url.pathname, "/login");
  const shown = await signIn(browser, "/external-auth/acme");
  assert.equal(shown.url.pathname, "/external-auth/acme");
  const done = await browser.travel(`${accessUrl}/external-auth/acme?go=1`);
  assert.equal(done.at(-1).status, 200, done.at(-1).text);
  const bob = (await world.admin("GET", "/api/v2/users/bob")).body;
  const { links } = (await world.admin("GET", `/api/v2/users/${bob.id}/external-auth`)).body;
  assert.deepEqual(links.map(({ provider_id, authenticated }) => [provider_id, authenticated]), [["acme", true]]);
});

test("no code, token or cookie is in the log", async () => {
  const output = world.service.output();
  for (const value of server.ever("AuthorizationCode", "AccessToken", "RefreshToken", "Session")) assert.ok(!output.includes(value));
  assert.ok(!output.includes(secret));
});
