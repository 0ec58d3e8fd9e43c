// SPDX-License-Identifier: Apache-2.0
// API tokens: minted, shown once, listed without their key, deleted; and how a caller says who they are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/process.mjs";
import { newSecret } from "../support/service.mjs";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open();
const alice = await world.createUser({ username: "alice" });
const bob = await world.createUser({ username: "bob" });
const tokensOf = (user) => `/api/v2/users/${user.username}/keys/tokens`;
const whoAmI = (headers, path = "/api/v2/users/me") => world.api("GET", path, { headers });

test("a token works at once, and its key is shown once", async () => {
  const made = await world.api("POST", tokensOf(alice), { token: alice.token, body: { name: "laptop", lifetime: 3600 } });
  assert.equal(made.status, 201);
  assert.equal(made.body.name, "laptop");
  assert.equal(Date.parse(made.body.expires_at) - Date.parse(made.body.created_at), 3600 * 1000);
  assert.equal((await whoAmI({ Authorization: `Bearer ${made.body.key}` })).body.username, "alice");
  const list = await world.api("GET", tokensOf(alice), { token: alice.token });
  assert.ok(!list.text.includes(made.body.key));
  const listed = list.body.tokens.find(({ id }) => id === made.body.id);
  const { key, ...shown } = made.body;
  assert.deepEqual({ ...listed, last_used_at: null }, { ...shown, last_used_at: null });
});

test("a token lives 30 days unless told otherwise, and needs no body", async () => {
  for (const options of [{}, { body: {} }, { body: { name: null, lifetime: null } }, { raw: "", headers: { "Content-Type": "application/json" } }]) {
    const made = await world.api("POST", tokensOf(alice), { token: alice.token, ...options });
    assert.equal(made.status, 201, made.text);
    assert.equal(Date.parse(made.body.expires_at) - Date.parse(made.body.created_at), 30 * 24 * 3600 * 1000);
    assert.equal(made.body.name, "");
  }
});

for (const lifetime of [1, 31536000])
  test(`a lifetime of ${lifetime} s is lawful`, () => world.expect(201, "POST", tokensOf(alice), { lifetime }));

for (const lifetime of [0, -1, 31536001, 1.5, "3600", 1e15])
  test(`a lifetime of ${JSON.stringify(lifetime)} is refused`, async () => {
    const answer = await assertLeavesNothing(world, () => world.admin("POST", tokensOf(alice), { lifetime }));
    assertError(answer, 400, "validation_failed", "lifetime");
  });

for (const name of ["x".repeat(65), 5, {}])
  test(`the name ${JSON.stringify(name).slice(0, 20)} is refused`, async () =>
    assertError(await world.admin("POST", tokensOf(alice), { name }), 400, "validation_failed", "name"));

test("lists page", async () => {
  const carol = await world.createUser();
  const made = [];
  for (let i = 0; i < 5; i++) made.push((await world.expect(201, "POST", tokensOf(carol), { name: `t${i}` })).id);
  const first = await world.expect(200, "GET", `${tokensOf(carol)}?limit=4`);
  const rest = await world.expect(200, "GET", `${tokensOf(carol)}?limit=4&after_id=${first.next_after_id}`);
  assert.equal(rest.next_after_id, null);
  assert.deepEqual([...first.tokens, ...rest.tokens].map(({ id }) => id).slice(1), made);
  assertError(await world.admin("GET", `${tokensOf(carol)}?limit=no`), 400, "validation_failed", "limit");
});

test("a used token says when", async () => {
  const token = (await world.expect(201, "POST", tokensOf(bob), { name: "used" }));
  assert.equal((await whoAmI({ Authorization: `Bearer ${token.key}` })).status, 200);
  const [row] = (await world.expect(200, "GET", tokensOf(bob))).tokens.filter(({ id }) => id === token.id);
  assert.ok(row.last_used_at === null || Math.abs(Date.parse(row.last_used_at) - Date.now()) < 120000);
});

test("a deleted token is unknown at once", async () => {
  const made = await world.expect(201, "POST", tokensOf(alice), {});
  const as = { Authorization: `Bearer ${made.key}` };
  for (let i = 0; i < 3; i++) assert.equal((await whoAmI(as)).status, 200);
  await world.expect(204, "DELETE", `${tokensOf(alice)}/${made.id}`);
  assertError(await whoAmI(as), 401, "unauthenticated");
  assertError(await world.admin("DELETE", `${tokensOf(alice)}/${made.id}`), 404, "not_found");
});

test("a token may delete itself", async () => {
  const made = await world.expect(201, "POST", tokensOf(alice), {});
  assert.equal((await world.api("DELETE", `/api/v2/users/me/keys/tokens/${made.id}`, { token: made.key })).status, 204);
  assertError(await whoAmI({ Authorization: `Bearer ${made.key}` }), 401, "unauthenticated");
});

test("only the owner's path deletes a token", async () => {
  const made = await world.expect(201, "POST", tokensOf(alice), {});
  const answer = await assertLeavesNothing(world, () => world.admin("DELETE", `${tokensOf(bob)}/${made.id}`));
  assertError(answer, 404, "not_found");
  for (const id of [UNKNOWN_ID, "1", "not-a-uuid"])
    assertError(await world.admin("DELETE", `${tokensOf(alice)}/${id}`), 404, "not_found");
});

test("an expired token is unknown", async () => {
  const made = await world.expect(201, "POST", tokensOf(alice), { lifetime: 60 });
  const [table] = await world.sql(`SELECT table_name AS name FROM information_schema.columns
    WHERE table_schema = 'public' AND column_name = 'expires_at' AND table_name ~ 'token' ORDER BY length(table_name) LIMIT 1`);
  assert.ok(table, "a table of tokens with a column expires_at");
  await world.sql(`UPDATE ${table.name} SET expires_at = now() - interval '1 second' WHERE id = $1`, [made.id]);
  assertError(await whoAmI({ Authorization: `Bearer ${made.key}` }), 401, "unauthenticated");
});

test("a token of a second is good for that second, also where the caller was known a moment ago", async () => {
  // A machine that is busy may take the whole second for the first question; not each time.
  const [made, headers] = await eventually("the token is used within its second", async () => {
    const token = await world.expect(201, "POST", tokensOf(alice), { lifetime: 1 });
    const bearer = { Authorization: `Bearer ${token.key}` };
    return (await whoAmI(bearer)).status === 200 && [token, bearer];
  });
  await sleep(Date.parse(made.expires_at) - Date.now() + 100);
  assertError(await whoAmI(headers), 401, "unauthenticated");
});

for (const [name, headers] of [
  ["Bearer", { Authorization: `Bearer ${alice.token}` }],
  ["bearer in lower case", { Authorization: `bearer ${alice.token}` }],
  ["Coder-Session-Token", { "Coder-Session-Token": alice.token }],
])
  test(`a caller is known by ${name}`, async () => assert.equal((await whoAmI(headers)).body.username, "alice"));

for (const [name, headers] of [
  ["nothing", {}],
  ["an unknown token", { Authorization: `Bearer ${newSecret()}` }],
  ["an empty token", { Authorization: "Bearer " }],
  ["only a scheme", { Authorization: "Bearer" }],
  ["another scheme", { Authorization: `Basic ${Buffer.from(`alice:${alice.token}`).toString("base64")}` }],
  ["a token with a tail", { Authorization: `Bearer ${alice.token} x` }],
  ["a token that is cut", { Authorization: `Bearer ${alice.token.slice(0, -1)}` }],
  ["an unknown session token", { "Coder-Session-Token": newSecret() }],
  ["an empty session token", { "Coder-Session-Token": "" }],
  ["a token of 4 KiB", { Authorization: `Bearer ${"x".repeat(4096)}` }],
  ["SQL for a token", { Authorization: "Bearer ' OR 1=1 --" }],
])
  test(`a caller with ${name} is unknown`, async () => assertError(await whoAmI(headers), 401, "unauthenticated"));

test("a token in the URL is not read", async () => {
  for (const name of ["token", "access_token", "coder_session_token"])
    assertError(await whoAmI({}, `/api/v2/users/me?${name}=${alice.token}`), 401, "unauthenticated");
});

test("the bootstrap token is the user admin", async () => {
  const { username, roles } = await world.expect(200, "GET", "/api/v2/users/me");
  assert.equal(username, "admin");
  assert.ok(roles.includes("admin"));
});
