// SPDX-License-Identifier: Apache-2.0
// Connecting an account with a browser: who may ask for the URL, that ticket and state are good once and for one, what
// the provider is sent, and where the browser may be sent afterwards.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { exchange } from "../support/http.mjs";
import { eventually, freePort } from "../support/process.mjs";
import { CLIENT_SECRET } from "../support/provider.mjs";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({
  providers: (demo) => [
    demo.configure("demo", { scopes: "read write" }), demo.configure("two"), demo.configureGithub("hub"),
    demo.configure("post"), demo.configure("fickle"), demo.configure("plain", { pkce_methods: "none" }), demo.configure("secrets", { client_secret: "the-old-one", client_secret_2: CLIENT_SECRET }),
    demo.configure("blackout"),
    demo.configure("found", { issuer: `${demo.base}/found`, auth_url: undefined, token_url: undefined }),
    demo.configure("named", { issuer: `${demo.base}/named`, auth_url: undefined, token_url: undefined }),
  ],
});
const { demo } = world;
await demo.set("post", { client_auth: "post" });
await demo.set("plain", { pkce: "ignored" });
const jsonBrowser = () => new Browser({ accept: "application/json" });
const ask = (user, provider, body, token = user.token) => world.api("POST", `/api/v2/users/${user.username}/external-auth/${provider}/link-url`, { token, body });
const tokenRequests = (provider) => demo.asked(provider, "token");
const linksOf = async (user) => (await world.admin("GET", `/api/v2/users/${user.id}/external-auth`)).body.links;

// The browser at the provider's door: a session and the authorize URL that the service made.
async function begin(user, provider = "demo", { redirect, browser = jsonBrowser() } = {}) {
  const started = await browser.visit(await world.linkUrl(user, provider, { redirect }), world.service);
  assert.equal(started.status, 303, started.text);
  return { browser, started, authorize: started.next };
}

// … and back from it, one step before the callback is visited.
async function approve(user, provider, options) {
  const begun = await begin(user, provider, options);
  const approved = await begun.browser.visit(begun.authorize);
  assert.equal(approved.status, 302, approved.text);
  return { ...begun, callback: approved.next };
}

test("connecting by browser makes the gate say yes", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["demo", "hub"]);
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  for (const provider of ["demo", "hub"]) await world.linkThroughBrowser(user, provider);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const links = await linksOf(user);
  assert.deepEqual(links.map(({ has_refresh_token, authenticated }) => [has_refresh_token, authenticated]), [[true, true], [true, true]]);
  assert.ok(Date.parse(links[0].expires) > Date.now());
});

test("the provider is sent what RFC 6749 and RFC 7636 want", async () => {
  const user = await world.createUser();
  const { authorize, browser, callback } = await approve(user, "demo");
  const query = authorize.searchParams;
  assert.equal(query.get("response_type"), "code");
  assert.equal(query.get("client_id"), "gatehouse-demo");
  assert.equal(query.get("redirect_uri"), `${world.service.accessUrl}/external-auth/demo/callback`);
  assert.equal(query.get("scope"), "read write");
  assert.equal(query.get("code_challenge_method"), "S256");
  assert.match(query.get("code_challenge"), /^[A-Za-z0-9_-]{43}$/);
  assert.ok(query.get("state").length >= 22, "a state of 128 bits at least");
  assert.equal((await browser.visit(callback, world.service)).status, 200);
  const request = (await demo.requests("demo", "token")).at(-1);
  assert.equal(request.client_auth, "basic");
  assert.equal(request.status, 200);
  assert.ok(request.parameters.includes("code_verifier"), request.parameters.join());
  assert.equal(request.values.redirect_uri ?? query.get("redirect_uri"), query.get("redirect_uri"));
  assert.ok(!request.parameters.includes("client_secret"), "the secret goes by Basic only");
});

test("each visit has a state and a challenge of its own", async () => {
  const user = await world.createUser();
  const seen = new Set();
  for (let i = 0; i < 3; i++) {
    const { authorize } = await begin(user);
    seen.add(authorize.searchParams.get("state")).add(authorize.searchParams.get("code_challenge"));
  }
  assert.equal(seen.size, 6);
});

test("without PKCE nothing of it is sent", async () => {
  const user = await world.createUser();
  const { authorize } = await world.linkThroughBrowser(user, "plain");
  assert.ok(!authorize.searchParams.has("code_challenge"));
  assert.ok(!(await demo.requests("plain", "token")).at(-1).parameters.includes("code_verifier"));
});

test("a provider that refuses Basic gets the form, and is remembered", async () => {
  const user = await world.createUser();
  await world.linkThroughBrowser(user, "post");
  const first = await demo.requests("post", "token");
  assert.deepEqual(first.map(({ client_auth, status }) => [client_auth, status < 300]), [["basic", false], ["post", true]]);
  await world.linkThroughBrowser(await world.createUser(), "post");
  const all = await demo.requests("post", "token");
  assert.deepEqual(all.slice(first.length).map(({ client_auth }) => client_auth), ["post"]);
});

test("a provider that changes what it takes is followed at once", async () => {
  for (const [client_auth, other] of [["basic", "post"], ["post", "basic"]]) {
    await demo.set("fickle", { client_auth });
    await world.linkThroughBrowser(await world.createUser(), "fickle");
    await demo.set("fickle", { client_auth: other });
    const before = (await demo.requests("fickle", "token")).length;
    await world.linkThroughBrowser(await world.createUser(), "fickle");
    const asked = (await demo.requests("fickle", "token")).slice(before);
    assert.deepEqual(asked.map((request) => [request.client_auth, request.status < 300]), [[client_auth, false], [other, true]]);
  }
});

test("the second client secret is tried when the first is refused", async () => {
  await world.linkThroughBrowser(await world.createUser(), "secrets");
});

// ------------------------------------------------------------------------------------------------------------ who

test("a control plane asks for its users, also for those it has not told of", async () => {
  const controlPlane = await world.createUser({ roles: ["control-plane"] });
  const user = await world.createUser();
  assert.equal((await ask(user, "demo", {}, controlPlane.token)).status, 201);
  const fresh = { username: world.name("unseen") };
  const answer = await ask(fresh, "demo", {}, controlPlane.token);
  assert.equal(answer.status, 201, answer.text);
  const made = await world.expect(200, "GET", `/api/v2/users/${fresh.username}`);
  assert.deepEqual([made.status, made.roles], ["active", ["member"]]);
  const [last] = (await jsonBrowser().travel(answer.body.url, world.service)).slice(-1);
  assert.equal(last.status, 200, last.text);
  assert.equal((await linksOf(made)).length, 1);
  for (const username of [UNKNOWN_ID, "Bad_Name", "prebuilds"])
    assertError(await assertLeavesNothing(world, () => ask({ username }, "demo", {}, controlPlane.token)), 404, "not_found");
});

test("a suspended user gets no URL, and a ticket from before is dead", async () => {
  const controlPlane = await world.createUser({ roles: ["control-plane"] });
  const user = await world.createUser();
  const url = await world.linkUrl(user);
  const { browser, callback } = await approve(user, "demo");
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "suspended" });
  assertError(await ask(user, "demo", {}, controlPlane.token), 403, "owner_suspended");
  const before = await tokenRequests("demo");
  assertError(await jsonBrowser().visit(url, world.service), 403, "owner_suspended");
  assertError(await browser.visit(callback, world.service), 403, "owner_suspended");
  assert.equal(await tokenRequests("demo"), before);
  assert.deepEqual(await linksOf(user), []);
});

test("a URL lives five minutes and begins with the access URL", async () => {
  const user = await world.createUser();
  const { body } = await ask(user, "demo", {});
  assert.ok(body.url.startsWith(`${world.service.accessUrl}/external-auth/demo?ticket=`), body.url);
  assert.ok(Math.abs(Date.parse(body.expires_at) - Date.now() - 300e3) < 15e3, body.expires_at);
  assert.equal((await world.api("POST", "/api/v2/users/me/external-auth/demo/link-url", { token: user.token })).status, 201, "no body is fine");
});

// --------------------------------------------------------------------------------------------------------- tickets

test("a ticket is good once", async () => {
  const user = await world.createUser();
  const url = await world.linkUrl(user);
  assert.equal((await jsonBrowser().visit(url, world.service)).status, 303);
  for (let i = 0; i < 2; i++) assertError(await jsonBrowser().visit(url, world.service), 401, "session_required");
});

test("of many visits with one ticket one wins", async () => {
  const user = await world.createUser();
  const url = await world.linkUrl(user);
  const answers = await Promise.all(Array.from({ length: 10 }, () => jsonBrowser().visit(url, world.service)));
  assert.equal(answers.filter(({ status }) => status === 303).length, 1);
});

test("a preview of the URL does not spend its ticket", async () => {
  const url = await world.linkUrl(await world.createUser());
  for (let i = 0; i < 2; i++) {
    const seen = await exchange("HEAD", url);
    assert.equal(seen.status, 204);
    assert.equal(seen.headers["set-cookie"], undefined);
  }
  assert.equal((await jsonBrowser().visit(url, world.service)).status, 303);
});

test("a ticket is good for its provider only", async () => {
  const user = await world.createUser();
  const url = await world.linkUrl(user, "demo");
  assertError(await jsonBrowser().visit(url.replace("/external-auth/demo", "/external-auth/two"), world.service), 401, "session_required");
});

test("the session of a ticket is good for its provider only", async () => {
  const user = await world.createUser();
  const { browser } = await begin(user, "demo");
  assert.equal((await browser.visit(`${world.service.accessUrl}/external-auth/demo`, world.service)).status, 303);
  assertError(await browser.visit(`${world.service.accessUrl}/external-auth/two`, world.service), 401, "session_required");
});

for (const ticket of ["", "x", "A".repeat(43), "A".repeat(256), "%00", "%ff", "' OR 1=1 --"])
  test(`the ticket ${JSON.stringify(ticket).slice(0, 30)} is nobody's`, async () => {
    const answer = await jsonBrowser().visit(`${world.service.accessUrl}/external-auth/demo?ticket=${ticket}`, world.service);
    assert.ok([400, 401].includes(answer.status), answer.text);
    assert.equal(answer.headers["set-cookie"], undefined);
  });

test("an old ticket is nobody's", async () => {
  const user = await world.createUser();
  const url = await world.linkUrl(user);
  const tables = await world.sql(`SELECT DISTINCT table_name AS name FROM information_schema.columns
    WHERE table_schema = 'public' AND column_name = 'expires_at' AND table_name ~ 'ticket'`);
  assert.equal(tables.length, 1, "one table of tickets with a column expires_at");
  await world.sql(`UPDATE ${tables[0].name} SET expires_at = now() - interval '1 second'`);
  assertError(await jsonBrowser().visit(url, world.service), 401, "session_required");
});

test("without a session there is no way in", async () => {
  assertError(await jsonBrowser().visit(`${world.service.accessUrl}/external-auth/demo`, world.service), 401, "session_required");
  assertError(await jsonBrowser().visit(`${world.service.accessUrl}/external-auth/demo/callback?code=x&state=y`, world.service), 401, "session_required");
});

test("an API token is no session", async () => {
  const user = await world.createUser();
  const headers = { Authorization: `Bearer ${user.token}` };
  assertError(await jsonBrowser().visit(`${world.service.accessUrl}/external-auth/demo`, world.service, { headers }), 401, "session_required");
  const cookie = { Cookie: `gatehouse_session=${user.token}` };
  assertError(await jsonBrowser().visit(`${world.service.accessUrl}/external-auth/demo`, world.service, { headers: cookie }), 401, "session_required");
});

test("a session is no API token", async () => {
  const user = await world.createUser();
  const { browser } = await begin(user);
  const [cookie] = browser.cookies(new URL(world.service.accessUrl).origin);
  assertError(await world.api("GET", "/api/v2/users/me", { headers: { Cookie: `${cookie.name}=${cookie.value}` } }), 401, "unauthenticated");
  assertError(await world.api("GET", "/api/v2/users/me", { token: cookie.value }), 401, "unauthenticated");
});

test("the cookie is for this browser and these paths only", async () => {
  const { browser } = await begin(await world.createUser());
  const cookies = browser.cookies(new URL(world.service.accessUrl).origin);
  assert.equal(cookies.length, 1);
  const attributes = cookies[0].attributes.map((attribute) => attribute.toLowerCase());
  for (const attribute of ["httponly", "samesite=lax"]) assert.ok(attributes.includes(attribute), attributes.join("; "));
  assert.ok(!attributes.includes("secure"), "the access URL is http");
  assert.ok(!attributes.some((attribute) => attribute.startsWith("domain=")));
  assert.equal(cookies[0].path, "/external-auth");
});

test("behind a proxy that serves it under a path, the cookie is for that path and, over https, for https only", async () => {
  const user = await world.createUser();
  const replica = await world.replica({ settings: { HTTP_ADDRESS: `127.0.0.1:${await freePort()}`, ACCESS_URL: "https://apps.example/gate" } });
  const asked = await replica.request("POST", "/api/v2/users/me/external-auth/demo/link-url", { token: user.token, body: {} });
  assert.match(asked.body.url, /^https:\/\/apps\.example\/gate\/external-auth\/demo\?ticket=/);
  const started = await exchange("GET", asked.body.url.replace("https://apps.example/gate", replica.base));
  const [line] = started.headers["set-cookie"];
  assert.match(line, /; Path=\/gate\/external-auth; /);
  assert.match(line, /; Secure$/);
});

// ----------------------------------------------------------------------------------------------------------- state

async function refusedState(change) {
  const user = await world.createUser();
  const { browser, callback } = await approve(user, "demo");
  const before = await tokenRequests("demo");
  const address = new URL(callback);
  await change(address.searchParams, { user, browser });
  const answer = await browser.visit(address, world.service);
  assertError(answer, 400, "state_invalid");
  assert.equal(await tokenRequests("demo"), before, "no token request is made");
  assert.deepEqual(await linksOf(user), []);
}

test("a missing state is refused", () => refusedState((query) => query.delete("state")));
test("an empty state is refused", () => refusedState((query) => query.set("state", "")));
test("a made-up state is refused", () => refusedState((query) => query.set("state", "A".repeat(43))));
test("a state that is cut is refused", () => refusedState((query) => query.set("state", query.get("state").slice(0, -1))));
test("a state given twice is refused", () => refusedState((query) => query.append("state", "x")));
test("another user's state is refused", () => refusedState(async (query) => {
  const { authorize } = await begin(await world.createUser(), "demo");
  query.set("state", authorize.searchParams.get("state"));
}));
test("a state of the same user's other session is refused", () => refusedState(async (query, { user }) => {
  const { authorize } = await begin(user, "demo");
  query.set("state", authorize.searchParams.get("state"));
}));

test("tabs that connect accounts at once all get there, be it twice the same provider", async () => {
  const user = await world.createUser();
  const browser = jsonBrowser();
  const tabs = [];
  for (const provider of ["demo", "two", "hub", "demo"]) tabs.push(await approve(user, provider, { browser }));
  for (const { callback } of tabs) {
    const answer = await browser.visit(callback, world.service);
    assert.equal(answer.status, 200, answer.text);
  }
  assert.deepEqual((await linksOf(user)).map(({ provider_id }) => provider_id).sort(), ["demo", "hub", "two"]);
});

test("a ticket of another user ends the tabs that were open before", async () => {
  const [first, second] = [await world.createUser(), await world.createUser()];
  const browser = jsonBrowser();
  const { callback } = await approve(first, "two", { browser });
  const { callback: own } = await approve(second, "demo", { browser });
  assertError(await browser.visit(callback, world.service), 400, "state_invalid");
  assert.equal((await browser.visit(own, world.service)).status, 200);
  assert.deepEqual([await linksOf(first), (await linksOf(second)).length], [[], 1]);
});

test("a used state is refused", async () => {
  const user = await world.createUser();
  const { browser, callback } = await approve(user, "demo");
  assert.equal((await browser.visit(callback, world.service)).status, 200);
  const before = await tokenRequests("demo");
  assertError(await browser.visit(callback, world.service), 400, "state_invalid");
  assert.equal(await tokenRequests("demo"), before);
  assert.equal((await linksOf(user)).length, 1);
});

test("of many callbacks with one state one wins", async () => {
  const user = await world.createUser();
  const { browser, callback } = await approve(user, "demo");
  const before = await tokenRequests("demo");
  const answers = await Promise.all(Array.from({ length: 8 }, () => browser.visit(callback, world.service)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.equal(await tokenRequests("demo") - before, 1);
});

test("a state of one provider is refused at another's callback", async () => {
  const user = await world.createUser();
  const { browser, callback } = await approve(user, "demo");
  const before = await tokenRequests("two");
  assertError(await browser.visit(callback.href.replace("/demo/callback", "/two/callback"), world.service), 400, "state_invalid");
  assert.equal(await tokenRequests("two"), before);
  assert.deepEqual(await linksOf(user), []);
});

test("a callback without the session's cookie is 401", async () => {
  const user = await world.createUser();
  const { callback } = await approve(user, "demo");
  const before = await tokenRequests("demo");
  assertError(await jsonBrowser().visit(callback, world.service), 401, "session_required");
  assert.equal(await tokenRequests("demo"), before);
});

test("a victim's browser does not finish an attacker's link", async () => {
  const attacker = await world.createUser();
  const victim = await world.createUser();
  const { callback } = await approve(attacker, "demo");
  const { browser } = await begin(victim, "demo");
  assertError(await browser.visit(callback, world.service), 400, "state_invalid");
  assert.deepEqual(await linksOf(victim), []);
});

for (const authorize_fault of ["wrong_state", "no_state"])
  test(`a provider that sends ${authorize_fault} is refused`, async () => {
    const user = await world.createUser();
    await demo.set("two", { authorize_fault });
    const { browser, callback } = await approve(user, "two");
    await demo.set("two", { authorize_fault: null });
    assertError(await browser.visit(callback, world.service), 400, "state_invalid");
  });

// ------------------------------------------------------------------------------------------------ the provider's no

test("what the provider refuses is told, and nothing is stored", async () => {
  const user = await world.createUser();
  await demo.set("two", { authorize_fault: "access_denied" });
  const { browser, callback } = await approve(user, "two");
  await demo.set("two", { authorize_fault: null });
  const before = await tokenRequests("two");
  const body = assertError(await browser.visit(callback, world.service), 400, "provider_refused");
  assert.match(body.detail, /access_denied/);
  assert.equal(await tokenRequests("two"), before);
  assert.deepEqual(await linksOf(user), []);
});

test("what the provider says is shown as text, never as a page's code", async () => {
  const user = await world.createUser();
  const { browser, authorize } = await begin(user, "two", { browser: new Browser() });
  const address = new URL(`${world.service.accessUrl}/external-auth/two/callback`);
  address.searchParams.set("state", authorize.searchParams.get("state"));
  address.searchParams.set("error", "<script>alert(1)</script>");
  address.searchParams.set("error_description", "\"><img src=x onerror=alert(1)>");
  const answer = await browser.visit(address, world.service);
  assert.equal(answer.status, 400);
  assert.match(answer.headers["content-type"], /^text\/html/);
  assert.ok(!/<script>alert|<img src=x/.test(answer.text), answer.text);
});

for (const [name, fault] of [
  ["401 invalid_client", { status: 401, error: "invalid_client" }], ["400 invalid_grant", { error: "invalid_grant" }], ["500", { status: 500 }],
  ["a page instead of a token", { status: 200, body: "<html>", content_type: "text/html" }], ["an object without a token", { status: 200, body: "{}" }],
  ["a cut line", { cut: "before_headers" }], ["a body of 2 MiB", { body_bytes: 2 << 20 }], ["a token that is a number", { status: 200, body: "{\"access_token\":5}" }],
  ["an error with status 200", { status: 200, body: "{\"error\":\"bad_verification_code\"}" }],
  ["an empty token", { status: 200, body: "{\"access_token\":\"\",\"token_type\":\"bearer\"}" }],
])
  test(`an exchange that ends in ${name} is 502`, async () => {
    const user = await world.createUser();
    const { browser, callback } = await approve(user, "two");
    await demo.fault("two", "token", fault);
    const answer = await browser.visit(callback, world.service);
    await demo.fault("two", "token", null);
    assertError(answer, 502, "provider_failed");
    assert.deepEqual(await linksOf(user), []);
  });

test("a callback without a code is refused", async () => {
  const user = await world.createUser();
  const { browser, authorize } = await begin(user, "two");
  const before = await tokenRequests("two");
  const state = encodeURIComponent(authorize.searchParams.get("state"));
  const answer = await browser.visit(`${world.service.accessUrl}/external-auth/two/callback?state=${state}`, world.service);
  assert.equal(answer.status, 400, answer.text);
  assert.equal(await tokenRequests("two"), before);
});

for (const [token_answer, name] of [["form", "a form"], ["negotiate", "JSON when asked"]])
  test(`a token that comes as ${name} is read`, async () => {
    await demo.set("two", { token_answer });
    await world.linkThroughBrowser(await world.createUser(), "two");
    await demo.set("two", { token_answer: null });
  });

test("a token without an expiry never expires", async () => {
  const user = await world.createUser();
  await demo.set("two", { expires_in_form: "absent", refresh_token: false });
  await world.linkThroughBrowser(user, "two");
  await demo.set("two", { expires_in_form: null, refresh_token: null });
  const [link] = await linksOf(user);
  assert.deepEqual([link.expires, link.has_refresh_token], [null, false]);
});

test("a provider is found by discovery, and tried again when that fails", async () => {
  const user = await world.createUser();
  await demo.fault("found", "discovery", { status: 503 });
  const answer = await jsonBrowser().visit(await world.linkUrl(user, "found"), world.service);
  await demo.fault("found", "discovery", null);
  assertError(answer, 502, "provider_failed");
  await demo.set("found", { wrong_issuer: true });
  assertError(await jsonBrowser().visit(await world.linkUrl(user, "found"), world.service), 502, "provider_failed");
  await demo.set("found", { wrong_issuer: null });
  const travel = async () => (await jsonBrowser().travel(await world.linkUrl(user, "found"), world.service)).at(-1);
  await eventually("it is found", async () => (await travel()).status === 200, 10000, 250);
});

test("a provider that says that it names itself, and does not, is refused (RFC 9207)", async () => {
  const user = await world.createUser();
  await demo.set("named", { authorize_iss: true });
  const before = await tokenRequests("named");
  for (const more of [{}, { code: "", error: "access_denied" }]) {
    const { browser, callback } = await approve(user, "named");
    const address = new URL(callback);
    address.searchParams.delete("iss");
    for (const [name, value] of Object.entries(more)) address.searchParams.set(name, value);
    assertError(await browser.visit(address, world.service), 400, "state_invalid");
  }
  assert.equal(await tokenRequests("named"), before);
  const { browser, callback } = await approve(user, "named");
  assert.equal((await browser.visit(callback, world.service)).status, 200);
});

test("a provider that answers as another is refused (RFC 9207)", async () => {
  const user = await world.createUser();
  await demo.set("found", { authorize_fault: "wrong_iss" });
  const { browser, callback } = await approve(user, "found");
  await demo.set("found", { authorize_fault: null });
  const before = await tokenRequests("found");
  assertError(await browser.visit(callback, world.service), 400, "state_invalid");
  assert.equal(await tokenRequests("found"), before);
});

test("connecting again replaces the link", async () => {
  const user = await world.createUser();
  await world.importLink(user, "demo");
  const template = await world.createTemplate(["demo"]);
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  await world.linkThroughBrowser(user, "demo");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal((await linksOf(user)).length, 1);
});

// --------------------------------------------------------------------------------------------------- pages, redirect

test("a browser sees pages, a program JSON", async () => {
  const page = await new Browser().visit(`${world.service.accessUrl}/external-auth/demo`, world.service);
  assert.equal(page.status, 401);
  assert.match(page.headers["content-type"], /^text\/html; *charset=utf-8$/i);
  const done = await world.linkThroughBrowser(await world.createUser(), "demo");
  assert.match(done.last.headers["content-type"], /^text\/html/);
  const plain = await world.linkThroughBrowser(await world.createUser(), "demo", { browser: jsonBrowser() });
  assert.deepEqual(plain.last.body, { provider_id: "demo", display_name: "Demo demo", linked: true });
});

for (const redirect of ["/", "/projects?id=1&x=%2F%2Fevil", "/a/b#c", `/${"x".repeat(2047)}`])
  test(`after it the browser goes to ${redirect.slice(0, 30)}`, async () => {
    const { last } = await world.linkThroughBrowser(await world.createUser(), "demo", { redirect });
    assert.ok([redirect, `${world.service.accessUrl}${redirect}`].includes(last.headers.location), last.headers.location);
  });

for (const redirect of ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "evil", "", "/a//b", "/a b", "/\r\nSet-Cookie: a=b", "/\t/evil", "/ä", "\\\\evil", "/.//evil.example", `/${"x".repeat(2048)}`, 5, {}])
  test(`the redirect ${JSON.stringify(redirect).slice(0, 30)} is refused`, async () => {
    const user = await world.createUser();
    const answer = await assertLeavesNothing(world, () => ask(user, "demo", { redirect }));
    assertError(answer, 400, "validation_failed", "redirect");
  });

test("a session's own redirect obeys the same rule", async () => {
  const { browser } = await begin(await world.createUser());
  const visit = (redirect) => browser.visit(`${world.service.accessUrl}/external-auth/demo?redirect=${encodeURIComponent(redirect)}`, world.service);
  assert.equal((await visit("/fine")).status, 303);
  for (const redirect of ["//evil.example", "https://evil.example", "/\\evil"]) assertError(await visit(redirect), 400, "validation_failed", "redirect");
});

test("a provider that is no longer configured is 404, and one that never was needs a session first", async () => {
  const gone = await world.replica({ providers: world.providers.filter(({ id }) => id !== "two") });
  const user = await world.createUser();
  const there = (address) => String(address).replace(world.service.accessUrl, gone.base);
  const { browser, callback } = await approve(user, "two");
  const [cookie] = browser.cookies(new URL(world.service.accessUrl).origin);
  const headers = { Cookie: `${cookie.name}=${cookie.value}` };
  assertError(await jsonBrowser().visit(there(await world.linkUrl(user, "two")), gone), 404, "provider_not_configured");
  assertError(await jsonBrowser().visit(there(callback), gone, { headers }), 404, "provider_not_configured");
  for (const path of ["/external-auth/not-there", "/external-auth/not-there/callback"])
    assertError(await jsonBrowser().visit(`${world.service.accessUrl}${path}`, world.service), 401, "session_required");
});

test("unlinking between approval and callback leaves what the callback brings", async () => {
  const user = await world.createUser();
  await world.linkThroughBrowser(user, "demo");
  const { browser, callback } = await approve(user, "demo");
  assert.equal((await world.api("DELETE", "/api/v2/external-auth/demo", { token: user.token })).status, 200);
  assert.equal((await browser.visit(callback, world.service)).status, 200);
  assert.equal((await linksOf(user)).length, 1);
});

test("a browser that goes away during the exchange does not lose the token", async () => {
  const user = await world.createUser();
  const { browser, callback } = await approve(user, "blackout");
  await demo.closeGate("blackout", "token", { moment: "after" });
  const { RawConnection } = await import("../support/http.mjs");
  const cookies = browser.cookies(callback.origin).map(({ name, value }) => `${name}=${value}`).join("; ");
  const connection = await RawConnection.open(world.service.base);
  connection.send(`GET ${callback.pathname}${callback.search} HTTP/1.1\r\nHost: x\r\nCookie: ${cookies}\r\n\r\n`);
  await demo.awaitGate("blackout", "token");
  connection.end();
  await demo.openGate("blackout", "token");
  await eventually("the link is there", async () => (await linksOf(user)).length === 1);
});
