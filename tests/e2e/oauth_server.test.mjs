// SPDX-License-Identifier: Apache-2.0
// The authorization-code flow with PKCE against an OAuth server that nobody here wrote: oidc-provider, whose userinfo
// endpoint is the validate URL. What goes right, what must be refused, and what is left behind.
import assert from "node:assert/strict";
import http from "node:http";
import { after, test } from "node:test";
import { Authority } from "../support/certificates.mjs";
import { Browser } from "../support/browser.mjs";
import { exchange, trustAuthority } from "../support/http.mjs";
import { OAuthServer } from "../support/oauth_server.mjs";
import { eventually, freePort } from "../support/process.mjs";
import { newSecret } from "../support/service.mjs";
import { openWorld, Serve, temporaryDirectory } from "../support/serve.mjs";
import { assertError, assertLeavesNothing } from "../support/world.mjs";

const port = await freePort();
const accessUrl = `http://127.0.0.1:${port}`;
const secrets = { basic: newSecret(), post: newSecret(), wrong: newSecret(), given: newSecret(), tampered: newSecret(), short: newSecret(), beta: newSecret() };
const client = (id, more = {}) => ({ id: `c-${id}`, secret: secrets[id], redirect: `${accessUrl}/external-auth/${id}/callback`, ...more });

const acme = await OAuthServer.start({ clients: [
  client("basic"), client("post", { auth: "client_secret_post" }), client("wrong"), client("given"), client("tampered"),
] });
const beta = await OAuthServer.start({ clients: [client("beta")] });
const short = await OAuthServer.start({ clients: [client("short")], accessTokenTtl: 2 });
const refusedSecret = `not-it-${newSecret()}`;

// A discovery document that is right but for one endpoint.
const liar = http.createServer((request, response) => {
  const issuer = `http://127.0.0.1:${liar.address().port}`;
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: "http://tokens.example.com/token" }));
});
await new Promise((resolve) => liar.listen(0, "127.0.0.1", resolve));

// Given ISSUER alone: where to go and where to exchange is discovered.
const discovered = (id, server, more = {}) => ({
  id, type: "oidc", display_name: `Account ${id}`, issuer: server.issuer, client_id: `c-${id}`, client_secret: secrets[id],
  scopes: "openid", validate_url: `${server.issuer}/me`, revoke_url: `${server.issuer}/token/revocation`,
  no_refresh: "true", gate_max_age: "0s", preflight_max_age: "0s", ...more,
});
const world = await openWorld({
  settings: { HTTP_ADDRESS: `127.0.0.1:${port}` },
  providers: [
    discovered("basic", acme), discovered("post", acme), discovered("wrong", acme, { client_secret: refusedSecret }),
    discovered("given", acme, { issuer: undefined, auth_url: `${acme.issuer}/auth`, token_url: `${acme.issuer}/token` }),
    discovered("tampered", acme, { issuer: `http://localhost:${acme.port}` }),
    discovered("liar", acme, { issuer: `http://127.0.0.1:${liar.address().port}`, client_secret: newSecret() }),
    discovered("beta", beta), discovered("short", short, { min_valid: "0s" }),
  ],
});
after(async () => {
  await Promise.all([acme, beta, short].map((server) => server.stop()));
  liar.closeAllConnections();
  liar.close();
});

const jsonBrowser = () => new Browser({ accept: "application/json" });
const linksOf = async (user) => (await world.admin("GET", `/api/v2/users/${user.id}/external-auth`)).body.links;
const linkOf = async (user, provider) => (await linksOf(user)).find(({ provider_id }) => provider_id === provider);
const tokenRequests = (server = acme) => server.asked("/token").length;
const verdict = async (user, template) => (await world.preflight(user, template)).body[0];
const isCallback = (url) => url.origin === accessUrl && url.pathname.endsWith("/callback");

// Everything up to the callback, which is not visited: {browser, callback, authorize}.
async function approve(user, provider, { browser = jsonBrowser(), server = acme, decision = "approve" } = {}) {
  server.account = user.username;
  server.decision = decision;
  const answers = await browser.travel(await world.linkUrl(user, provider), world.service, isCallback);
  server.decision = "approve";
  const last = answers.at(-1);
  assert.ok(last.next && isCallback(last.next), `${last.url.href}: ${last.status} ${last.text.slice(0, 500)}`);
  return { browser, callback: last.next, authorize: answers[0].next };
}

async function connect(user, provider, options) {
  const { browser, callback, authorize } = await approve(user, provider, options);
  const done = await browser.visit(callback, world.service);
  assert.equal(done.status, 200, done.text);
  return { browser, callback, authorize };
}

// A person who is connected, with a template that needs it.
async function connected(provider, options) {
  const user = await world.createUser();
  const template = await world.createTemplate([provider]);
  const flow = await connect(user, provider, options);
  return { user, template, ...flow };
}

// ------------------------------------------------------------------------------------------------- what goes right

test("403, connect, valid, 201", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["basic"]);
  const refused = assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  assert.equal(refused.external_auth[0].reason, "not_linked");
  assert.equal(refused.external_auth[0].authenticate_url, `${accessUrl}/external-auth/basic`);

  const { authorize } = await connect(user, "basic");
  assert.equal(`${authorize.origin}${authorize.pathname}`, `${acme.issuer}/auth`, "the endpoint is discovered");
  assert.equal(authorize.searchParams.get("code_challenge_method"), "S256");

  const link = await linkOf(user, "basic");
  assert.equal(link.has_refresh_token, true);
  assert.equal(link.authenticated, true);
  const lives = Date.parse(link.expires) - Date.now();
  assert.ok(lives > 3500e3 && lives < 3605e3, link.expires);

  const { verdict: word, reason, authenticated } = await verdict(user, template);
  assert.deepEqual([word, reason, authenticated], ["ok", "valid", true]);
  assert.ok(acme.asked("/me").some(({ status, auth }) => status === 200 && auth === "bearer"), "userinfo was asked");
  const made = await world.createWorkspace(user, template);
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.warnings, []);
});

test("the exchange carries the verifier and authenticates by Basic", async () => {
  await connected("basic");
  const request = acme.asked("/token").at(-1);
  assert.deepEqual([request.status, request.auth], [200, "basic"]);
  for (const name of ["grant_type", "code", "redirect_uri", "code_verifier"]) assert.ok(request.parameters.includes(name), name);
  assert.ok(!request.parameters.includes("client_secret"));
});

test("a client registered for the form is authenticated by the form", async () => {
  const before = tokenRequests();
  const { user, template } = await connected("post");
  const requests = acme.asked("/token").slice(before);
  assert.deepEqual(requests.map(({ status, auth }) => [status, auth]), [[401, "basic"], [200, "none"]]);
  assert.ok(requests[1].parameters.includes("client_secret"));
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const remembered = tokenRequests();
  await connected("post");
  assert.equal(tokenRequests() - remembered, 1, "the way that worked is remembered");
});

test("AUTH_URL and TOKEN_URL do without discovery", async () => {
  const { user, template } = await connected("given");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
});

test("discovery is asked once", () => {
  assert.ok(acme.asked("/.well-known/openid-configuration").filter(({ status }) => status === 200).length <= 3, "once for each provider of that issuer at most");
});

test("connecting again replaces the tokens", async () => {
  const { user, template } = await connected("basic");
  const [first] = acme.live("AccessToken").slice(-1);
  await connect(user, "basic");
  await acme.revoke("c-basic", first);
  assert.equal((await verdict(user, template)).reason, "valid");
  assert.equal((await linksOf(user)).length, 1);
});

test("a page tells a person that it worked, and redirects go to local paths only", async () => {
  const user = await world.createUser();
  acme.account = user.username;
  const { last } = await world.linkThroughBrowser(user, "basic", {});
  assert.match(last.headers["content-type"], /^text\/html/);
  assert.match(last.text, /Account basic/);
  const away = await world.linkThroughBrowser(user, "basic", { redirect: "/external-auth/basic" });
  assert.equal(away.last.headers.location, "/external-auth/basic");
});

// ----------------------------------------------------------------------------------------------- what must be refused

test("a code of another flow does not fit the verifier, and is not stored", async () => {
  const [mine, theirs] = [await world.createUser(), await world.createUser()];
  const stolen = await approve(theirs, "basic");
  const own = await approve(mine, "basic");
  const injected = new URL(own.callback);
  injected.searchParams.set("code", stolen.callback.searchParams.get("code"));
  const before = tokenRequests();
  assertError(await own.browser.visit(injected, world.service), 502, "provider_failed");
  const [request] = acme.asked("/token").slice(before);
  assert.deepEqual([request.status, request.parameters.includes("code_verifier")], [400, true]);
  assert.deepEqual([await linksOf(mine), await linksOf(theirs)], [[], []]);
});

test("a code that was used is refused, and the link is left as it is", async () => {
  const { user, callback } = await connected("basic");
  const link = await linkOf(user, "basic");
  const again = await approve(user, "basic");
  const replayed = new URL(again.callback);
  replayed.searchParams.set("code", callback.searchParams.get("code"));
  assertError(await again.browser.visit(replayed, world.service), 502, "provider_failed");
  assert.equal((await linkOf(user, "basic")).updated_at, link.updated_at);
});

test("a made-up code is refused and nothing is stored", async () => {
  const user = await world.createUser();
  const { browser, callback } = await approve(user, "basic");
  callback.searchParams.set("code", newSecret());
  assertError(await browser.visit(callback, world.service), 502, "provider_failed");
  assert.deepEqual(await linksOf(user), []);
});

test("a state that was used makes no token request", async () => {
  const { user, browser, callback } = await connected("basic");
  const before = tokenRequests();
  assertError(await browser.visit(callback, world.service), 400, "state_invalid");
  assert.equal(tokenRequests(), before);
  assert.equal((await linksOf(user)).length, 1);
});

test("a state is spent by a refusal too", async () => {
  const user = await world.createUser();
  const { browser, callback } = await approve(user, "basic", { decision: "deny" });
  assertError(await browser.visit(callback, world.service), 400, "provider_refused");
  assertError(await browser.visit(callback, world.service), 400, "state_invalid");
});

test("consent that is denied is told, and nothing is stored", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["basic"]);
  const { browser, callback } = await approve(user, "basic", { decision: "deny" });
  assert.equal(callback.searchParams.get("error"), "access_denied");
  const before = tokenRequests();
  const body = assertError(await browser.visit(callback, world.service), 400, "provider_refused");
  assert.match(body.detail, /access_denied/);
  assert.doesNotMatch(body.detail, /the person said no/, "the provider's own words are not repeated");
  assert.equal(tokenRequests(), before);
  assert.deepEqual(await linksOf(user), []);
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
});

test("a client secret the provider refuses is the operator's matter", async () => {
  const user = await world.createUser();
  const { browser, callback } = await approve(user, "wrong");
  const before = tokenRequests();
  const answer = await browser.visit(callback, world.service);
  const body = assertError(answer, 502, "provider_failed");
  assert.match(`${body.message} ${body.detail}`, /operator/);
  assert.match(`${body.message} ${body.detail}`, /client secret/);
  assert.ok(!answer.text.includes(refusedSecret));
  assert.ok(acme.asked("/token").slice(before).every(({ status }) => status === 401));
  assert.deepEqual(await linksOf(user), []);
});

test("a discovery document of another issuer is refused before the browser leaves", async () => {
  const user = await world.createUser();
  const before = acme.asked("/auth").length;
  const answer = await jsonBrowser().visit(await world.linkUrl(user, "tampered"), world.service);
  const body = assertError(answer, 502, "provider_failed");
  assert.match(`${body.message} ${body.detail}`, /issuer/i);
  assert.equal(acme.asked("/auth").length, before);
});

test("a discovery document that names an endpoint in clear text on another host is refused", async () => {
  const user = await world.createUser();
  assertError(await jsonBrowser().visit(await world.linkUrl(user, "liar"), world.service), 502, "provider_failed");
});

// RFC 9207 section 2.4, draft-ietf-oauth-security-topics section 4.4.2.
test("an answer of one provider delivered to another's callback makes no token request at either", async () => {
  const user = await world.createUser();
  const browser = jsonBrowser();
  const ofAcme = await approve(user, "basic", { browser });
  const ofBeta = await approve(user, "beta", { browser, server: beta });
  assert.equal(ofAcme.callback.searchParams.get("iss"), acme.issuer);
  const before = [tokenRequests(acme), tokenRequests(beta)];

  const mixed = new URL(ofAcme.callback.href.replace("/basic/callback", "/beta/callback"));
  assertError(await browser.visit(mixed, world.service), 400, "state_invalid");
  mixed.searchParams.set("state", ofBeta.callback.searchParams.get("state"));
  assertError(await browser.visit(mixed, world.service), 400, "state_invalid");
  assert.deepEqual([tokenRequests(acme), tokenRequests(beta)], before);
  assert.deepEqual(await linksOf(user), []);
});

test("an answer with the issuer of nobody is refused", async () => {
  const user = await world.createUser();
  const { browser, callback } = await approve(user, "basic");
  callback.searchParams.set("iss", `${acme.issuer}/`);
  const before = tokenRequests();
  assertError(await browser.visit(callback, world.service), 400, "state_invalid");
  assert.equal(tokenRequests(), before);
});

// ------------------------------------------------------------------------------------------------- what comes later

test("a token revoked at the provider is 403 token_revoked", async () => {
  const { user, template } = await connected("basic");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  await acme.revoke("c-basic", acme.live("AccessToken").at(-1));
  const body = assertError(await assertLeavesNothing(world, () => world.createWorkspace(user, template)), 403, "external_auth_required");
  assert.deepEqual([body.external_auth[0].verdict, body.external_auth[0].reason, body.external_auth[0].fixable_by], ["missing", "token_revoked", "owner"]);
  await connect(user, "basic");
  assert.equal((await world.createWorkspace(user, template)).status, 201, "connecting again mends it");
});

test("a token that ran out is expired, and the provider is not asked about it", async () => {
  const { user, template } = await connected("short", { server: short });
  await eventually("the token has run out", async () => (await verdict(user, template)).reason === "expired", 10000, 100);
  const before = short.asked("/me").length;
  const body = assertError(await assertLeavesNothing(world, () => world.createWorkspace(user, template)), 403, "external_auth_required");
  assert.deepEqual([body.external_auth[0].reason, body.external_auth[0].fixable_by], ["expired", "owner"]);
  assert.equal(short.asked("/me").length, before);
});

test("unlinking revokes at the provider", async () => {
  const { user, template } = await connected("basic");
  const access = acme.live("AccessToken").at(-1);
  const refresh = acme.live("RefreshToken").at(-1);
  const ask = () => exchange("GET", `${acme.issuer}/me`, { headers: { Authorization: `Bearer ${access}` } });
  assert.equal((await ask()).status, 200);
  const answer = await world.api("DELETE", "/api/v2/external-auth/basic", { token: user.token });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.token_revoked, true, answer.text);
  assert.equal((await ask()).status, 401, "the access token is dead");
  assert.ok(!acme.live("RefreshToken").includes(refresh), "and so is the refresh token");
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  assert.deepEqual(await linksOf(user), []);
});

test("unlinking while the provider is away unlinks, and says that it could not be told", async () => {
  const gone = await OAuthServer.start({ clients: [client("beta")] });
  const serve = new Serve({
    databaseUrl: world.service.databaseUrl, key: world.service.key, adminToken: world.service.adminToken,
    providers: [discovered("beta", gone)], stateDirectory: temporaryDirectory(),
  });
  await serve.start();
  await gone.stop();
  const user = await world.createUser();
  await world.importLink(user, "beta");
  const answer = await serve.request("DELETE", "/api/v2/external-auth/beta", { token: user.token });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.token_revoked, false);
  assert.ok(answer.body.token_revocation_error.length > 0);
  assert.deepEqual(await linksOf(user), []);
  await serve.end();
});

// -------------------------------------------------------------------------------------------------------------- TLS

test("a provider over https is verified against the authorities that the service is given", async (t) => {
  const authority = new Authority();
  trustAuthority(authority.pem);
  t.after(() => {
    authority.remove();
    trustAuthority(undefined);
  });
  const tlsPort = await freePort();
  const redirect = `http://127.0.0.1:${tlsPort}/external-auth/secure/callback`;
  const secret = newSecret();
  const secure = await OAuthServer.start({ clients: [{ id: "c-secure", secret, redirect }], tls: authority.issue("provider") });
  t.after(() => secure.stop());
  const options = (environment) => ({
    databaseUrl: world.service.databaseUrl, key: world.service.key, adminToken: world.service.adminToken,
    settings: { HTTP_ADDRESS: `127.0.0.1:${tlsPort}` }, stateDirectory: temporaryDirectory(), environment,
    providers: [discovered("secure", secure, { client_secret: secret })],
  });
  const user = await world.createUser();
  const template = await world.createTemplate(["secure"]);

  const started = async (serve) => {
    const { body } = await serve.request("POST", "/api/v2/users/me/external-auth/secure/link-url", { token: user.token });
    return jsonBrowser().visit(body.url, serve);
  };

  for (const variable of ["SSL_CERT_FILE", "CURL_CA_BUNDLE"])
    await t.test(`with ${variable}`, async (t) => {
      const trusting = await new Serve(options({ [variable]: authority.file })).start();
      t.after(() => trusting.end());
      secure.account = user.username;
      const { body } = await trusting.request("POST", "/api/v2/users/me/external-auth/secure/link-url", { token: user.token });
      const answers = await jsonBrowser().travel(body.url, trusting);
      assert.equal(answers[0].next.origin, secure.issuer, "it was discovered over TLS");
      assert.equal(answers.at(-1).status, 200, answers.at(-1).text);
      const made = await trusting.request("POST", "/api/v2/users/me/workspaces", { token: user.token, body: { name: `by-${variable.toLowerCase().replaceAll("_", "-")}`, template_id: template.id } });
      assert.equal(made.status, 201, made.text);
    });

  await t.test("without: unverifiable, and no user's fault", async (t) => {
    const doubting = await new Serve(options({})).start();
    t.after(() => doubting.end());
    const before = secure.requests.length;
    const refused = await doubting.request("POST", "/api/v2/users/me/workspaces", { token: user.token, body: { name: `tls-${tlsPort}`, template_id: template.id } });
    const body = assertError(refused, 503, "external_auth_unverifiable");
    assert.equal(body.external_auth[0].reason, "provider_unavailable");
    assert.ok(Number(refused.headers["retry-after"]) >= 1);
    assertError(await started(doubting), 502, "provider_failed");
    assert.equal(secure.requests.length, before, "nothing was sent over a connection that is not trusted");
  });

  await t.test("a certificate for another name is refused even from a known authority", async (t) => {
    const { issuer } = secure;
    secure.issuer = issuer.replace("127.0.0.1", "127.0.0.2");
    const renamed = options({ SSL_CERT_FILE: authority.file });
    secure.issuer = issuer;
    const serve = await new Serve(renamed).start();
    t.after(() => serve.end());
    assertError(await started(serve), 502, "provider_failed");
  });
});
