// SPDX-License-Identifier: Apache-2.0
// The preflight: what a version needs and what the user has, for oneself and for others, without anybody's trouble
// failing the call.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({
  providers: (demo) => [
    demo.configureGithub("hub", { display_icon: "/icons/github.svg" }),
    demo.configure("one"), demo.configure("two"), demo.configure("blind", { validate_url: undefined }), demo.configure("down"),
    demo.configure("young", { preflight_max_age: "1h" }),
  ],
});
const { demo } = world;
await demo.fault("down", "validate", { status: 500 });

test("a version without providers has an empty list", async () => {
  const user = await world.createUser();
  const { status, body } = await world.preflight(user, await world.createTemplate());
  assert.equal(status, 200);
  assert.deepEqual(body, []);
});

test("every provider of the version is told, optional ones included, in its order", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["two", { id: "one", optional: true }, "hub", { id: "blind", optional: true }, "down"]);
  await world.link(user, "one");
  await world.link(user, "hub", { expires_at: "2020-01-01T00:00:00Z" });
  await world.importLink(user, "blind");
  await world.link(user, "down");
  const { body } = await assertLeavesNothing(world, () => world.preflight(user, template));
  const authenticate_url = (id) => `${world.service.accessUrl}/external-auth/${id}`;
  const entry = (id, optional, verdict, reason, fixable_by, fields = {}) => ({
    id, type: "demo", display_name: `Demo ${id}`, display_icon: "", authenticate_url: authenticate_url(id), optional,
    authenticated: verdict === "ok", verdict, reason, fixable_by, ...fields,
  });
  assert.deepEqual(body, [
    entry("two", false, "missing", "not_linked", "owner"),
    entry("one", true, "ok", "valid", null),
    entry("hub", false, "missing", "expired", "owner", { type: "github", display_name: "GitHub", display_icon: "/icons/github.svg" }),
    entry("blind", true, "ok", "not_validated", null),
    entry("down", false, "unverifiable", "provider_unavailable", "wait"),
  ]);
});

test("others are asked about by name, by UUID and as me", async () => {
  const subject = await world.createUser();
  const template = await world.createTemplate(["one"]);
  await world.link(subject, "one");
  const asker = await world.createUser({ roles: ["control-plane"] });
  for (const [query, authenticated] of [[`?user_id=${subject.id}`, true], [`?user_id=${subject.username}`, true], ["?user_id=me", false], ["", false]]) {
    const { body } = await world.preflight(asker, template, { query });
    assert.equal(body[0].authenticated, authenticated, query);
  }
  const own = await world.preflight(subject, template, { query: `?user_id=${subject.id}` });
  assert.equal(own.body[0].authenticated, true);
});

test("asking about nobody is 404, and about a suspended user is not", async () => {
  const template = await world.createTemplate(["one"]);
  const admin = { token: world.service.adminToken };
  for (const who of ["nobody", UNKNOWN_ID, "No_Name"])
    assertError(await world.preflight(admin, template, { query: `?user_id=${who}` }), 404, "not_found");
  const user = await world.createUser();
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "suspended" });
  const { status, body } = await world.preflight(admin, template, { query: `?user_id=${user.id}` });
  assert.equal(status, 200);
  assert.equal(body[0].reason, "not_linked");
});

test("who may not ask about a user causes no provider request", async () => {
  const subject = await world.createUser();
  await world.link(subject, "one");
  const template = await world.createTemplate(["one"]);
  const before = await demo.asked("one");
  const answer = await world.preflight(await world.createUser(), template, { query: `?user_id=${subject.id}` });
  assertError(answer, 404, "not_found");
  assert.equal(await demo.asked("one"), before);
});

test("an archived version answers as any other", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["one"]);
  await world.expect(200, "POST", `/api/v2/templateversions/${template.active_version_id}/archive`);
  assert.equal((await world.preflight(user, template)).body[0].reason, "not_linked");
});

test("a provider that is not configured is 404 and named, as at create", async () => {
  const user = await world.createUser();
  const body = assertError(await world.preflight(user, await world.createTemplate(["one", "not-there"])), 404, "provider_not_configured");
  assert.match(body.detail, /\bnot-there\b/);
});

test("a young verdict is reused by the preflight, and never by the create", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["young"]);
  const { access_token } = await world.link(user, "young");
  const before = await demo.asked("young");
  for (let i = 0; i < 3; i++) assert.equal((await world.preflight(user, template)).body[0].reason, "valid");
  assert.equal(await demo.asked("young") - before, 1);
  await demo.revoke("young", { access_token });
  assert.equal((await world.preflight(user, template)).body[0].reason, "valid");
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  assert.equal((await world.preflight(user, template)).body[0].reason, "token_revoked");
});

test("a user_id that cannot be read is nobody, and never the caller", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate([]);
  for (const query of [`?user_id=${user.id}&user_id=me`, "?user_id=%zz", "?user_id=%00", "?user_id=", "?user_id"])
    assertError(await world.preflight(user, template, { query }), 404, "not_found");
});
