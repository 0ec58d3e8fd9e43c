// SPDX-License-Identifier: Apache-2.0
// One's own token at a provider: given to its owner alone, refreshed and judged as the gate does, and never seen elsewhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({
  providers: (demo) => [
    demo.configure("one"), demo.configureGithub("hub"), demo.configure("down"), demo.configure("mild", { enforcement: "warn" }),
    demo.configure("open", { fail_mode: "open" }), demo.configure("blind", { validate_url: undefined }),
  ],
});
const { demo } = world;
await demo.fault("down", "validate", { status: 500 });
await demo.fault("open", "validate", { status: 500 });

const ask = (user, provider, { of = "me", token = user.token } = {}) =>
  world.api("GET", `/api/v2/users/${of}/external-auth/${provider}/token`, { token });

test("a linked account gives its token, by every name of oneself", async () => {
  const user = await world.createUser();
  const { access_token } = await world.link(user, "one");
  for (const of of ["me", user.username, user.id]) {
    const { status, body, headers } = await ask(user, "one", { of });
    assert.equal(status, 200);
    assert.deepEqual(body, { access_token, expires_at: null, type: "demo", username: "oauth2", password: access_token });
    assert.equal(headers["cache-control"], "no-store");
  }
});

test("git's user name is the one of the provider's type", async () => {
  const user = await world.createUser();
  const { access_token } = await world.link(user, "hub");
  const { body } = await ask(user, "hub");
  assert.equal(body.username, "x-access-token");
  assert.equal(body.password, access_token);
});

test("an expired token is refreshed, and the new one is given", async () => {
  const user = await world.createUser();
  const { access_token } = await world.link(user, "one", { withRefreshToken: true, expires_at: "2020-01-01T00:00:00Z" });
  const { status, body } = await ask(user, "one");
  assert.equal(status, 200);
  assert.notEqual(body.access_token, access_token);
  assert.equal((await ask(user, "one")).body.access_token, body.access_token);
});

test("what is not connected is the gate's 403, also where enforcement is mild", async () => {
  const user = await world.createUser();
  for (const provider of ["one", "mild"]) {
    const body = assertError(await ask(user, provider), 403, "external_auth_required", "external_auth");
    assert.deepEqual(body.validations, [{ field: "external_auth", detail: provider }]);
    assert.equal(body.external_auth[0].reason, "not_linked");
    assert.equal(body.external_auth[0].authenticate_url, `${world.service.accessUrl}/external-auth/${provider}`);
  }
});

test("an expired link that cannot be refreshed is 403", async () => {
  const user = await world.createUser();
  await world.link(user, "one", { expires_at: "2020-01-01T00:00:00Z" });
  assert.equal(assertError(await ask(user, "one"), 403, "external_auth_required").external_auth[0].reason, "expired");
});

test("a provider that cannot be asked is 503 with Retry-After", async () => {
  const user = await world.createUser();
  await world.link(user, "down");
  const answer = await ask(user, "down");
  const body = assertError(answer, 503, "external_auth_unverifiable");
  assert.equal(body.external_auth[0].reason, "provider_unavailable");
  assert.match(answer.headers["retry-after"], /^[1-9][0-9]*$/);
});

test("a provider that fails open gives the token there is", async () => {
  const user = await world.createUser();
  const { access_token } = await world.link(user, "open");
  assert.equal((await ask(user, "open")).body.access_token, access_token);
  const stranger = await world.createUser();
  assertError(await ask(stranger, "open"), 403, "external_auth_required");
});

test("nobody gets another's token, whatever their role", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  const before = await demo.asked("one");
  for (const role of ["admin", "control-plane"])
    assertError(await ask(await world.createUser({ roles: [role] }), "one", { of: owner.username }), 403, "forbidden");
  for (const role of ["provisioner", "auditor", "template-author", "member"]) {
    const caller = await world.createUser({ roles: [role] });
    for (const of of [owner.username, owner.id, "nobody", UNKNOWN_ID]) assertError(await ask(caller, "one", { of }), 404, "not_found");
  }
  assertError(await ask({}, "one", { token: undefined }), 401, "unauthenticated");
  assert.equal(await demo.asked("one"), before);
});

test("an unknown provider is 404, and a suspended caller 403", async () => {
  const user = await world.createUser();
  assertError(await ask(user, "nowhere"), 404, "provider_not_configured");
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "suspended" });
  assertError(await ask(user, "one"), 403, "owner_suspended");
});

test("no token is in the log", async () => {
  const user = await world.createUser();
  const { access_token } = await world.link(user, "blind");
  assert.equal((await ask(user, "blind")).body.access_token, access_token);
  assert.ok(!world.service.output().includes(access_token));
});
