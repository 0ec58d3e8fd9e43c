// SPDX-License-Identifier: Apache-2.0
// Users: what may be created, read, listed, changed and deleted, and what a suspension means.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open();

test("a user needs only a name and is then an active member", async () => {
  const user = await world.expect(201, "POST", "/api/v2/users", { username: "plain" });
  assert.equal(user.username, "plain");
  assert.equal(user.email, null);
  assert.equal(user.status, "active");
  assert.deepEqual(user.roles, ["member"]);
  assert.ok(Math.abs(Date.parse(user.created_at) - Date.now()) < 60000, user.created_at);
});

test("roles are listed once each with member first, and unknown fields are ignored", async () => {
  const user = await world.expect(201, "POST", "/api/v2/users", {
    username: "many-roles", email: "many@example.com", roles: ["admin", "template-author", "admin", "member"], shoe_size: 43,
  });
  assert.deepEqual(user.roles, ["member", "template-author", "admin"]);
  assert.equal(user.email, "many@example.com");
});

for (const username of ["", "me", "prebuilds", "Upper", "under_score", "dot.dot", "a b", "ä", "x".repeat(33), UNKNOWN_ID, 7, null, ["a"], {}, true, undefined])
  test(`the user name ${JSON.stringify(username)} is refused`, async () => {
    const answer = await assertLeavesNothing(world, () => world.admin("POST", "/api/v2/users", { username }));
    assertError(answer, 400, "validation_failed", "username");
  });

for (const username of ["x".repeat(32), "0", "a-b-c", "-"])
  test(`the user name ${JSON.stringify(username)} is lawful`, () => world.expect(201, "POST", "/api/v2/users", { username }));

for (const email of ["no-at", "@x", "x@", "a@b@c", "a b@c", 5, {}, `${"x".repeat(250)}@example.com`])
  test(`the email ${JSON.stringify(email).slice(0, 40)} is refused`, async () => {
    const answer = await assertLeavesNothing(world, () => world.admin("POST", "/api/v2/users", { username: world.name("mail"), email }));
    assertError(answer, 400, "validation_failed", "email");
  });

for (const roles of ["admin", ["root"], [1], {}, [null], ["Admin"]])
  test(`the roles ${JSON.stringify(roles)} are refused`, async () => {
    const answer = await assertLeavesNothing(world, () => world.admin("POST", "/api/v2/users", { username: world.name("role"), roles }));
    assertError(answer, 400, "validation_failed", /^roles/);
  });

test("every wrong field is named in one answer", async () => {
  const body = assertError(await world.admin("POST", "/api/v2/users", { username: "No", email: "no", roles: ["no"] }), 400, "validation_failed", "username");
  assert.deepEqual(body.validations.map(({ field }) => field.replace(/\W.*/, "")).sort(), ["email", "roles", "username"]);
});

test("a name is given once", async () => {
  await world.createUser({ username: "once", withToken: false });
  const answer = await assertLeavesNothing(world, () => world.admin("POST", "/api/v2/users", { username: "once" }));
  assertError(answer, 409, "name_taken", "username");
});

test("a user is found as me, by name and by UUID in either case", async () => {
  const user = await world.createUser();
  for (const path of ["me", user.username, user.id, user.id.toUpperCase()]) {
    const answer = await world.api("GET", `/api/v2/users/${path}`, { token: user.token });
    assert.equal(answer.status, 200, path);
    assert.equal(answer.body.id, user.id);
  }
});

test("the system's own user is nobody's business", async () => {
  const { users } = await world.expect(200, "GET", "/api/v2/users?limit=200");
  assert.ok(!users.some(({ username }) => username === "prebuilds"));
  const template = await world.createTemplate();
  for (const [method, path, body] of [
    ["GET", "/api/v2/users/prebuilds"], ["PATCH", "/api/v2/users/prebuilds", { roles: ["admin"] }], ["DELETE", "/api/v2/users/prebuilds"],
    ["POST", "/api/v2/users/prebuilds/keys/tokens", {}], ["PUT", "/api/v2/users/prebuilds/external-auth/demo", { access_token: "x" }],
    ["POST", "/api/v2/users/prebuilds/workspaces", { name: "w", template_id: template.id }],
  ]) assertError(await world.admin(method, path, body), 404, "not_found");
});

for (const who of ["nobody-here", UNKNOWN_ID, "No_Lawful_Name", "%00", "%ff", "a%2fb", "x".repeat(300)])
  test(`the user ${who.slice(0, 40)} is unknown`, async () => {
    const answer = await world.admin("GET", `/api/v2/users/${who}`);
    assert.ok([400, 404].includes(answer.status), answer.text);
    assert.notEqual(answer.body.code, "internal");
  });

test("lists page through everything once, in the order of creation", async () => {
  const made = [];
  for (let i = 0; i < 7; i++) made.push((await world.createUser({ withToken: false })).id);
  const met = [];
  let after = "";
  for (let pages = 0; pages < 100; pages++) {
    const page = await world.expect(200, "GET", `/api/v2/users?limit=3${after}`);
    assert.ok(page.users.length <= 3);
    met.push(...page.users.map(({ id }) => id));
    if (page.next_after_id === null) break;
    assert.equal(page.next_after_id, page.users.at(-1).id);
    after = `&after_id=${page.next_after_id}`;
  }
  assert.equal(new Set(met).size, met.length, "nobody twice");
  assert.deepEqual(met.filter((id) => made.includes(id)), made);
  const all = await world.expect(200, "GET", "/api/v2/users?limit=200");
  assert.deepEqual(all.users.map(({ id }) => id), met);
  assert.equal(all.next_after_id, null);
});

for (const query of ["limit=0", "limit=201", "limit=-1", "limit=abc", "limit=1.5", "limit=", "limit=99999999999999999999", "limit=1x"])
  test(`the list refuses ${query}`, async () => assertError(await world.admin("GET", `/api/v2/users?${query}`), 400, "validation_failed", "limit"));

for (const query of ["after_id=x", "after_id=", "after_id=1"])
  test(`the list refuses ${query}`, async () => assertError(await world.admin("GET", `/api/v2/users?${query}`), 400, "validation_failed", "after_id"));

test("a cursor whose user was deleted keeps its place", async () => {
  const [first, second, third] = [await world.createUser(), await world.createUser(), await world.createUser()];
  await world.expect(204, "DELETE", `/api/v2/users/${second.id}`);
  const page = await world.expect(200, "GET", `/api/v2/users?after_id=${second.id}`);
  assert.deepEqual(page.users.map(({ id }) => id), [third.id]);
  assert.ok(first.id !== third.id);
});

test("a change changes what it names and nothing else", async () => {
  const user = await world.createUser({ email: "a@example.com", roles: ["auditor"] });
  const path = `/api/v2/users/${user.id}`;
  const { token, ...plain } = user;
  assert.deepEqual(await world.expect(200, "PATCH", path, {}), plain);
  assert.deepEqual(await world.expect(200, "PATCH", path, { status: null, roles: null }), plain);
  assert.deepEqual(await world.expect(200, "PATCH", path, { email: null }), { ...plain, email: null });
  assert.deepEqual(await world.expect(200, "PATCH", path, { roles: ["provisioner"] }), { ...plain, email: null, roles: ["member", "provisioner"] });
  assert.deepEqual(await world.expect(200, "PATCH", path, { status: "suspended" }), { ...plain, email: null, roles: ["member", "provisioner"], status: "suspended" });
  assert.deepEqual(await world.expect(200, "PATCH", path, { status: "active", roles: [], email: "b@example.com" }), { ...plain, email: "b@example.com", roles: ["member"] });
  assert.deepEqual(await world.expect(200, "GET", path), { ...plain, email: "b@example.com", roles: ["member"] });
});

for (const [change, field] of [[{ status: "gone" }, "status"], [{ email: "no" }, "email"], [{ roles: ["no"] }, /^roles/]])
  test(`the change ${JSON.stringify(change)} is refused`, async () => {
    const user = await world.createUser({ withToken: false });
    assertError(await world.admin("PATCH", `/api/v2/users/${user.id}`, change), 400, "validation_failed", field);
    assert.deepEqual(await world.expect(200, "GET", `/api/v2/users/${user.id}`), user);
  });

test("changing or deleting nobody is 404", async () => {
  for (const who of ["nobody-here", UNKNOWN_ID]) {
    assertError(await world.admin("PATCH", `/api/v2/users/${who}`, { status: "active" }), 404, "not_found");
    assertError(await world.admin("DELETE", `/api/v2/users/${who}`), 404, "not_found");
  }
});

test("a suspended user may do nothing until active again", async () => {
  const user = await world.createUser();
  const path = `/api/v2/users/${user.id}`;
  await world.expect(200, "PATCH", path, { status: "suspended" });
  for (const [method, where] of [["GET", "/api/v2/users/me"], ["GET", "/api/v2/templates"], ["GET", "/api/v2/external-auth"], ["GET", "/api/v2/users/me/workspaces"]])
    assertError(await world.api(method, where, { token: user.token }), 403, "owner_suspended");
  assertError(await world.api("POST", "/api/v2/users/me/external-auth/demo/link-url", { token: user.token, body: {} }), 403, "owner_suspended");
  await world.expect(200, "PATCH", path, { status: "active" });
  assert.equal((await world.api("GET", "/api/v2/users/me", { token: user.token })).status, 200);
});

test("a deleted user is gone with tokens and links, and the name is free again", async () => {
  const user = await world.createUser();
  await world.importLink(user, "demo");
  await world.expect(204, "DELETE", `/api/v2/users/${user.username}`);
  assertError(await world.admin("GET", `/api/v2/users/${user.id}`), 404, "not_found");
  assertError(await world.api("GET", "/api/v2/users/me", { token: user.token }), 401, "unauthenticated");
  const again = await world.createUser({ username: user.username });
  assert.notEqual(again.id, user.id);
  const { body } = await world.api("GET", "/api/v2/external-auth", { token: again.token });
  assert.deepEqual(body.links, []);
});

test("who owns a workspace cannot be deleted", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate();
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const answer = await assertLeavesNothing(world, () => world.admin("DELETE", `/api/v2/users/${user.id}`));
  assertError(answer, 409, "conflict");
  assert.equal((await world.api("GET", "/api/v2/users/me", { token: user.token })).status, 200);
});
