// SPDX-License-Identifier: Apache-2.0
// Links without a browser: listed, read, imported and removed, and what the provider is told when one is removed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newSecret } from "../support/service.mjs";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({
  providers: (demo) => [
    demo.configureGithub("hub", { app_install_url: "https://github.example/apps/x/installations/new", device_flow: "true" }),
    demo.configure("one", { regex: "^https://git\\.one\\.example(/|$)" }), demo.configure("two", { no_refresh: "true", revoke_url: undefined }), demo.configure("blind", { validate_url: undefined }),
    demo.configure("down"), demo.configure("basic"), demo.configure("slow"), demo.configure("gone"),
  ],
});
const { demo } = world;
const list = (user) => world.api("GET", "/api/v2/external-auth", { token: user.token });
const one = (user, id) => world.api("GET", `/api/v2/external-auth/${id}`, { token: user.token });
const unlink = (user, id, options = {}) => world.api("DELETE", `/api/v2/external-auth/${id}`, { token: user.token, ...options });
const put = (user, id, body, token = world.service.adminToken) => world.api("PUT", `/api/v2/users/${user.id}/external-auth/${id}`, { token, body });

test("the list has every provider and the user's links", async () => {
  const user = await world.createUser();
  const expires_at = new Date(Date.now() + 3600e3).toISOString();
  await world.link(user, "one", { withRefreshToken: true, expires_at });
  await world.importLink(user, "blind");
  await world.importLink(user, "two");
  const { body } = await list(user);
  assert.deepEqual(body.providers.map(({ id }) => id), ["hub", "one", "two", "blind", "down", "basic", "slow", "gone"]);
  assert.deepEqual(body.providers[0], {
    id: "hub", type: "github", display_name: "GitHub", display_icon: body.providers[0].display_icon, device: true, supports_revocation: true,
    allow_refresh: true, allow_validate: true, authenticate_url: `${world.service.accessUrl}/external-auth/hub`,
  });
  const facts = ({ device, supports_revocation, allow_refresh, allow_validate }) => [device, supports_revocation, allow_refresh, allow_validate];
  assert.deepEqual(facts(body.providers[2]), [false, false, false, true]);
  assert.deepEqual(facts(body.providers[3]), [false, true, true, false]);
  const links = Object.fromEntries(body.links.map((link) => [link.provider_id, link]));
  assert.deepEqual(Object.keys(links), ["blind", "one", "two"]);
  assert.deepEqual([links.one.has_refresh_token, links.one.authenticated, links.one.reason, links.one.validate_error], [true, true, "valid", null]);
  assert.ok(Math.abs(Date.parse(links.one.expires) - Date.parse(expires_at)) < 1000);
  assert.deepEqual([links.blind.has_refresh_token, links.blind.expires, links.blind.authenticated, links.blind.reason], [false, null, true, "not_validated"]);
  assert.deepEqual([links.two.authenticated, links.two.reason, typeof links.two.validate_error], [false, "token_revoked", "string"]);
  const other = await world.admin("GET", `/api/v2/users/${user.username}/external-auth`);
  const timeless = (answer) => answer.body.links.map(({ provider_id, reason }) => [provider_id, reason]);
  assert.deepEqual(timeless(other), timeless(await list(user)));
  const own = await world.api("GET", "/api/v2/users/me/external-auth", { token: user.token });
  assert.deepEqual(timeless(own), timeless(other));
});

test("an outage in the list is an outage, not a missing link", async () => {
  const user = await world.createUser();
  await world.link(user, "down");
  await demo.fault("down", "validate", { status: 502 });
  const { body } = await list(user);
  await demo.fault("down", "validate", null);
  assert.deepEqual(body.links.map(({ reason, authenticated }) => [reason, authenticated]), [["provider_unavailable", false]]);
});

test("links of nobody are 404", async () => {
  for (const who of ["nobody", UNKNOWN_ID]) assertError(await world.admin("GET", `/api/v2/users/${who}/external-auth`), 404, "not_found");
});

test("one provider tells the account and its installations", async () => {
  const user = await world.createUser({ username: "octavia" });
  const nothing = (await one(user, "hub")).body;
  assert.deepEqual(nothing, {
    authenticated: false, device: true, display_name: "GitHub", supports_revocation: true, user: null, app_installable: nothing.app_installable,
    installations: [], app_install_url: "https://github.example/apps/x/installations/new",
  });
  await world.link(user, "hub");
  const { body } = await one(user, "hub");
  assert.equal(body.authenticated, true);
  assert.equal(body.app_installable, true);
  assert.equal(body.user.login, "octavia");
  assert.equal(body.user.name, "Octavia");
  assert.match(body.user.profile_url, /octavia/);
  assert.match(body.user.avatar_url, /octavia/);
  assert.equal(body.installations.length, 1);
  assert.equal(body.installations[0].account.login, "octavia");
  assert.match(body.installations[0].configure_url, /installations\/1$/);
  assert.match(body.installations[0].account.profile_url, /octavia/);
});

test("one provider without a link, a validate URL or extras", async () => {
  const user = await world.createUser();
  const plain = { authenticated: false, device: false, supports_revocation: true, user: null, app_installable: false, installations: [], app_install_url: null };
  assert.deepEqual((await one(user, "one")).body, { ...plain, display_name: "Demo one" });
  await world.importLink(user, "blind");
  assert.deepEqual((await one(user, "blind")).body, { ...plain, display_name: "Demo blind", authenticated: true });
  await world.importLink(user, "one");
  assert.equal((await one(user, "one")).body.authenticated, false);
});

test("a provider that is not configured is named", async () => {
  const user = await world.createUser();
  for (const answer of [await one(user, "not-there"), await put(user, "not-there", { access_token: "x" }),
    await world.api("POST", "/api/v2/users/me/external-auth/not-there/link-url", { token: user.token, body: {} })]) {
    const body = assertError(answer, 404, "provider_not_configured");
    assert.match(body.detail, /\bnot-there\b/);
  }
});

// --------------------------------------------------------------------------------------------------------- imported

test("an import makes a link and replaces it, and nothing of it is shown", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["one"]);
  await world.importLink(user, "one");
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  const { access_token } = await world.link(user, "one");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const answer = await list(user);
  assert.equal(answer.body.links.length, 1);
  assert.ok(!answer.text.includes(access_token));
});

test("an import asks no provider", async () => {
  const user = await world.createUser();
  const before = await demo.asked("one");
  await world.importLink(user, "one", { refresh_token: newSecret() });
  assert.equal(await demo.asked("one"), before);
});

for (const [body, field] of [
  [{}, "access_token"], [{ access_token: "" }, "access_token"], [{ access_token: null }, "access_token"], [{ access_token: 5 }, "access_token"],
  [{ access_token: "x".repeat(16385) }, "access_token"], [{ access_token: "a b" }, "access_token"], [{ access_token: "a\r\nX: y" }, "access_token"],
  [{ access_token: "a", refresh_token: 5 }, "refresh_token"],
  [{ access_token: "a", refresh_token: "x".repeat(16385) }, "refresh_token"],
  [{ access_token: "a", expires_at: "tomorrow" }, "expires_at"], [{ access_token: "a", expires_at: 1234567890 }, "expires_at"],
  [{ access_token: "a", expires_at: "2030-13-01T00:00:00Z" }, "expires_at"], [{ access_token: "a", expires_at: "" }, "expires_at"],
  [{ access_token: "a", expires_at: "2030-02-30T00:00:00Z" }, "expires_at"], [{ access_token: "a", expires_at: "2030-01-01" }, "expires_at"],
])
  test(`the import ${JSON.stringify(body).slice(0, 60)} is refused`, async () => {
    const user = await world.createUser({ withToken: false });
    const answer = await assertLeavesNothing(world, () => put(user, "one", body));
    assertError(answer, 400, "validation_failed", field);
    assert.ok(!answer.text.includes("xxxxxxxx"), "the value is not repeated");
  });

for (const expires_at of ["2030-01-01T00:00:00Z", "2030-01-01T00:00:00.123456Z", "2030-01-01T02:00:00+02:00", null, "0001-01-01T00:00:00Z"])
  test(`expires_at ${expires_at} is lawful`, async () => {
    const user = await world.createUser();
    await world.importLink(user, "blind", { expires_at });
    const [link] = (await list(user)).body.links;
    if (!expires_at?.startsWith("2030")) assert.equal(link.expires, null);
    else assert.equal(Math.floor(Date.parse(link.expires) / 1000), Date.parse("2030-01-01T00:00:00Z") / 1000);
  });

test("a URL is given the first provider whose REGEX matches it, and nobody is asked", async () => {
  const user = await world.createUser();
  await world.link(user, "one");
  const before = await demo.asked("one");
  for (const [path, token] of [["/api/v2/external-auth", user.token], [`/api/v2/users/${user.id}/external-auth`, world.service.adminToken]]) {
    const ask = (url) => world.api("GET", `${path}?url=${encodeURIComponent(url)}`, { token });
    for (const [url, ids] of [["https://git.one.example/a.git", ["one"]], ["https://git.one.example", ["one"]], ["https://github.com", []], ["https://git-one.example", []]]) {
      const { status, body } = await ask(url);
      assert.deepEqual([status, body.url, body.providers.map(({ id }) => id), body.links], [200, url, ids, []]);
    }
    for (const url of ["", "http://git.one.example", "git.one.example", `https://${"x".repeat(2048)}`]) assertError(await ask(url), 400, "validation_failed", "url");
  }
  assert.equal(await demo.asked("one"), before);
});

for (const refresh_token of [undefined, null, ""])
  test(`a refresh token that is ${JSON.stringify(refresh_token)} is none, and NULL in the database`, async () => {
    const user = await world.createUser();
    await world.importLink(user, "blind", { refresh_token });
    assert.equal((await list(user)).body.links[0].has_refresh_token, false);
    const rows = await world.sql("SELECT refresh_token FROM links WHERE owner_id = $1", [user.id]);
    assert.deepEqual(rows, [{ refresh_token: null }]);
  });

test("a token that ran out at the first moment of 1970 has run out", async () => {
  const user = await world.createUser();
  await world.importLink(user, "one", { expires_at: "1970-01-01T00:00:00Z" });
  const [link] = (await world.api("GET", "/api/v2/external-auth", { token: user.token })).body.links;
  assert.equal(link.reason, "expired");
});

test("importing for nobody is 404", async () => {
  assertError(await put({ id: "nobody" }, "one", { access_token: "x" }), 404, "not_found");
  assertError(await put({ id: UNKNOWN_ID }, "one", { access_token: "x" }), 404, "not_found");
});

// ---------------------------------------------------------------------------------------------------------- removed

test("unlinking revokes the refresh token in RFC 7009's form", async () => {
  const user = await world.createUser();
  const minted = await world.link(user, "basic", { withRefreshToken: true });
  const answer = await unlink(user, "basic");
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.body, { token_revoked: true, token_revocation_error: null });
  const request = (await demo.requests("basic", "revoke")).at(-1);
  const secrets = await demo.secrets();
  assert.equal(request.method, "POST");
  assert.equal(request.values.token, secrets.find(({ value }) => value === minted.refresh_token).fingerprint);
  for (const kind of ["access_token", "refresh_token"]) assert.equal(secrets.find(({ value }) => value === minted[kind]).live, false);
  assertError(await unlink(user, "basic"), 404, "not_found");
  assert.deepEqual((await list(user)).body.links, []);
});

test("without a refresh token the access token is revoked", async () => {
  const user = await world.createUser();
  const minted = await world.link(user, "basic");
  assert.deepEqual((await unlink(user, "basic")).body, { token_revoked: true, token_revocation_error: null });
  assert.equal((await demo.secrets()).find(({ value }) => value === minted.access_token).live, false);
});

test("unlinking at GitHub deletes the grant", async () => {
  const user = await world.createUser();
  const minted = await world.link(user, "hub");
  assert.deepEqual((await unlink(user, "hub")).body, { token_revoked: true, token_revocation_error: null });
  const request = (await demo.requests("hub", "revoke")).at(-1);
  assert.equal(request.method, "DELETE");
  assert.equal(request.client_auth, "basic");
  assert.equal((await demo.secrets()).find(({ value }) => value === minted.access_token).live, false);
});

for (const [name, fault] of [["says 500", { status: 500 }], ["says 400", { status: 400, error: "invalid_request" }], ["cuts the line", { cut: "before_headers" }], ["says 503 with a page", { status: 503, body: "<html>secret-internal-page", content_type: "text/html" }]])
  test(`the link goes even when the provider ${name}`, async () => {
    const user = await world.createUser();
    for (const id of ["basic", "hub"]) {
      await world.link(user, id);
      await demo.fault(id, "revoke", fault);
      const answer = await unlink(user, id);
      await demo.fault(id, "revoke", null);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.body.token_revoked, false);
      assert.ok(answer.body.token_revocation_error.length > 0);
      assert.ok(!answer.text.includes("secret-internal-page"));
    }
    assert.deepEqual((await list(user)).body.links, []);
  });

test("another status than the one that says it is done is none", async () => {
  const user = await world.createUser();
  for (const [id, status] of [["basic", 204], ["basic", 202], ["hub", 200], ["hub", 202]]) {
    await world.link(user, id);
    await demo.fault(id, "revoke", { status });
    const answer = await unlink(user, id);
    await demo.fault(id, "revoke", null);
    assert.deepEqual([answer.status, answer.body], [200, { token_revoked: false, token_revocation_error: `the provider answered with HTTP status ${status}` }]);
  }
});

test("a provider without a revoke URL is not asked", async () => {
  const user = await world.createUser();
  await world.link(user, "two");
  assert.deepEqual((await unlink(user, "two")).body, { token_revoked: false, token_revocation_error: null });
});

test("the link is gone before the provider answers", async () => {
  const user = await world.createUser();
  await world.link(user, "slow");
  await demo.closeGate("slow", "revoke");
  const answering = unlink(user, "slow");
  await demo.awaitGate("slow", "revoke");
  assert.deepEqual((await list(user)).body.links, []);
  await demo.openGate("slow", "revoke");
  assert.equal((await answering).body.token_revoked, true);
});

test("a provider that does not answer holds an unlink for 10 s at most", async () => {
  const user = await world.createUser();
  await world.link(user, "slow");
  await demo.fault("slow", "revoke", { black_hole: true });
  const begun = Date.now();
  const answer = await unlink(user, "slow", { timeoutMs: 20000 });
  const took = Date.now() - begun;
  await demo.fault("slow", "revoke", null);
  assert.equal(answer.body.token_revoked, false);
  assert.ok(took < 12000, `${took} ms`);
});

test("a link of a provider that is no longer configured is listed and removed", async () => {
  const user = await world.createUser();
  await world.link(user, "gone");
  const providers = world.providers.filter(({ id }) => id !== "gone");
  const replica = await world.replica({ providers });
  const ask = (method, path) => replica.request(method, path, { token: user.token });
  const { body } = await ask("GET", "/api/v2/external-auth");
  assert.ok(!body.providers.some(({ id }) => id === "gone"));
  assert.deepEqual(body.links.map(({ provider_id, authenticated, reason }) => [provider_id, authenticated, reason]), [["gone", false, null]]);
  const before = await demo.asked("gone");
  assert.deepEqual((await ask("DELETE", "/api/v2/external-auth/gone")).body, { token_revoked: false, token_revocation_error: null });
  assert.equal(await demo.asked("gone"), before);
  assertError(await ask("DELETE", "/api/v2/external-auth/gone"), 404, "not_found");
  assertError(await ask("DELETE", "/api/v2/external-auth/never-was"), 404, "not_found");
});
