// SPDX-License-Identifier: Apache-2.0
// Two processes on one database are one service; and whatever happens to a link while it is judged, no workspace is
// inserted on a judgement that no longer stands.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { eventually, freePort } from "../support/process.mjs";
import { newKey, newSecret, runGatehouse, Service } from "../support/service.mjs";
import { assertError, World } from "../support/world.mjs";

const world = await World.open({ providers: (demo) => ["demo", "held", "again", "twice"].map((id) => demo.configure(id)) });
// Both are known to browsers by one name, as behind a proxy.
const second = await world.replica({
  settings: { ACCESS_URL: world.service.accessUrl, HTTP_ADDRESS: `127.0.0.1:${await freePort()}` },
});
const { service: first, demo } = world;
const both = [first, second];

test("what one makes the other knows", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["demo"]);
  for (const service of both) assert.equal((await service.request("GET", "/api/v2/users/me", { token: user.token })).body.id, user.id);
  await world.link(user, "demo");
  for (const service of both) assert.equal((await world.createWorkspace(user, template, { service })).status, 201);
  const lists = await Promise.all(both.map((service) => service.request("GET", "/api/v2/users/me/workspaces", { token: user.token })));
  assert.deepEqual(lists[0].body, lists[1].body);
  await second.request("DELETE", "/api/v2/external-auth/demo", { token: user.token });
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
});

test("a control plane that asks at once for many link-urls of a new name makes one user", async () => {
  const { token } = await world.createUser({ roles: ["control-plane"] });
  for (let round = 0; round < 5; round++) {
    const name = world.name("newcomer");
    const path = `/api/v2/users/${name}/external-auth/demo/link-url`;
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => both[i % 2].request("POST", path, { token, body: {} })));
    assert.deepEqual(answers.map(({ status }) => status), answers.map(() => 201));
    const { id } = await world.expect(200, "GET", `/api/v2/users/${name}`);
    const audited = await world.sql("SELECT action FROM audit_log WHERE subject_user_id = $1", [id]);
    assert.deepEqual(audited.map(({ action }) => action), ["user.create"]);
  }
});

test("a token that one deletes is soon unknown to the other, and at once to itself", async () => {
  const user = await world.createUser();
  const path = `/api/v2/users/${user.id}/keys/tokens`;
  const made = await world.expect(201, "POST", path, {});
  const statusAt = async (service) => (await service.request("GET", "/api/v2/users/me", { token: made.key })).status;
  assert.deepEqual([await statusAt(first), await statusAt(second)], [200, 200]);
  await world.expect(204, "DELETE", `${path}/${made.id}`);
  assert.equal(await statusAt(first), 401);
  await eventually("the other replica forgets it", async () => await statusAt(second) === 401);
});

test("a link is begun at one and finished at the other", async () => {
  const user = await world.createUser();
  const browser = new Browser({ accept: "application/json" });
  const started = await browser.visit(await world.linkUrl(user), first);
  const approved = await browser.visit(started.next);
  const [cookie] = browser.cookies(new URL(first.base).origin);
  const callback = new URL(`${approved.next.pathname}${approved.next.search}`, second.base);
  const done = await new Browser({ accept: "application/json" }).visit(callback, second, { headers: { Cookie: `${cookie.name}=${cookie.value}` } });
  assert.equal(done.status, 200, done.text);
  for (const service of both) {
    const { body } = await service.request("GET", "/api/v2/external-auth", { token: user.token });
    assert.deepEqual(body.links.map(({ authenticated }) => authenticated), [true]);
  }
});

test("of creates with one name at both, one wins", async () => {
  const user = await world.createUser();
  await world.link(user, "demo");
  const template = await world.createTemplate(["demo"]);
  const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => world.createWorkspace(user, template, { service: both[i % 2], name: "race" })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(9).fill(409)]);
});

// Holds the validation of a create, lets `meanwhile` happen at the other process, and lets the create go on.
async function interfere(provider, user, template, meanwhile) {
  const workspaces = async () => (await world.countRows())["public.workspaces"] ?? (await world.countRows(/decision/));
  await demo.closeGate(provider, "validate", { state: "once", moment: "after" });
  const creating = world.createWorkspace(user, template);
  await demo.awaitGate(provider, "validate");
  await meanwhile();
  const before = await workspaces();
  await demo.openGate(provider, "validate");
  const answer = await creating;
  return { answer, inserted: JSON.stringify(await workspaces()) !== JSON.stringify(before) };
}

test("an unlink between check and insert leaves no row", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["held"]);
  await world.link(user, "held");
  const { answer, inserted } = await interfere("held", user, template, async () => {
    assert.equal((await second.request("DELETE", "/api/v2/external-auth/held", { token: user.token })).status, 200);
  });
  const body = assertError(answer, 403, "external_auth_required");
  assert.equal(body.external_auth[0].reason, "not_linked");
  assert.equal(inserted, false);
});

test("a re-link between check and insert is judged, and passes when it is good", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["again"]);
  await world.link(user, "again");
  const asked = await demo.asked("again", "validate");
  const { answer } = await interfere("again", user, template, () => world.link(user, "again"));
  assert.equal(answer.status, 201, answer.text);
  assert.equal(await demo.asked("again", "validate") - asked, 2, "the new token was asked about");
});

test("a re-link between check and insert is judged, and refused when it is bad", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["again"]);
  await world.link(user, "again");
  const { answer, inserted } = await interfere("again", user, template, () => world.importLink(user, "again"));
  const body = assertError(answer, 403, "external_auth_required");
  assert.equal(body.external_auth[0].reason, "token_revoked");
  assert.equal(inserted, false);
});

test("a link that moves both times is 503 and leaves no row", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["twice"]);
  await world.link(user, "twice");
  const rows = await world.sql("SELECT count(*)::int AS n FROM workspaces");
  await demo.closeGate("twice", "validate", { moment: "after" });
  const creating = world.createWorkspace(user, template);
  for (let i = 0; i < 2; i++) {
    await demo.awaitGate("twice", "validate");
    await world.link(user, "twice");
    await demo.releaseGate("twice", "validate");
  }
  const answer = await creating;
  await demo.openGate("twice", "validate");
  assertError(answer, 503, "changed_meanwhile");
  assert.deepEqual(await world.sql("SELECT count(*)::int AS n FROM workspaces"), rows);
});

test("a suspension between check and insert leaves no workspace of a suspended owner unnoticed", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["held"]);
  await world.link(user, "held");
  const { answer } = await interfere("held", user, template, () => world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "suspended" }));
  assert.ok([201, 403].includes(answer.status), answer.text);
});

test("a second process with another key is refused, and told why", async () => {
  const environment = { ...first.environment(), GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: newKey(), GATEHOUSE_ADMIN_ADDRESS: "" };
  await world.importLink(await world.createUser(), "demo");
  const end = await runGatehouse(["serve"], environment);
  assert.ok([1, 2].includes(end.code), JSON.stringify(end));
  assert.match(end.stderr, /key/i);
});

test("many processes may start at once on an empty database", async () => {
  const cluster = world.cluster;
  const database = await cluster.createDatabase();
  const [key, adminToken] = [newKey(), newSecret()];
  const services = Array.from({ length: 4 }, () => new Service({ databaseUrl: cluster.url(database), key, adminToken }));
  try {
    await Promise.all(services.map((service) => service.start()));
    const users = await Promise.all(services.map((service) => service.request("GET", "/api/v2/users", { token: adminToken })));
    for (const { body } of users) assert.deepEqual(body.users.map(({ username }) => username).filter((name) => name === "admin"), ["admin"]);
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
});
