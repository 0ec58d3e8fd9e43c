// SPDX-License-Identifier: Apache-2.0
// Exemptions: who may pass for a while without a provider, by whose word, and what it changes: only what it names, only
// as long as it says, and never unseen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({
  providers: (demo) => [demo.configure("one"), demo.configure("two"), demo.configure("down")],
});
await world.demo.fault("down", "validate", { status: 500 });

const PATH = "/gate/v1/exemptions";
const HOUR = 3600000;
const DAY = 24 * HOUR;
const ahead = (ms) => new Date(Date.now() + ms).toISOString();
const admin = await world.createUser({ username: "granter", roles: ["admin"] });
const auditor = await world.createUser({ username: "reader", roles: ["auditor"] });

const ask = (body, token = admin.token) => world.api("POST", PATH, { token, body });
const fields = (owner, template, rest = {}) => ({
  owner: owner.username, template: template.name, provider: "one", reason: "moves to another account", until: ahead(HOUR), ...rest,
});

async function grant(owner, template, rest) {
  const answer = await ask(fields(owner, template, rest));
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

const list = async (query = "", token = auditor.token) => {
  const answer = await world.api("GET", `${PATH}${query}`, { token });
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
};
const ids = (page) => page.exemptions.map(({ id }) => id);

// As time would do it.
const expire = ({ id }) => world.sql("UPDATE exemptions SET expires_at = now() - interval '1 second' WHERE id = $1", [id]);

async function subject(external_auth = ["one"]) {
  return [await world.createUser(), await world.createTemplate(external_auth)];
}

// --- the resource ----------------------------------------------------------------------------------------------------

test("what is granted is told as it was asked for, with who granted it", async () => {
  const [owner, template] = await subject();
  const until = new Date(Date.now() + HOUR);
  const granted = await grant(owner, template, { until: until.toISOString().replace("Z", "+00:00"), reason: "ünïcode, OPS-17" });
  const { id, created_at, ...said } = granted;
  assert.deepEqual(said, {
    owner_id: owner.id, owner_name: owner.username, template_id: template.id, template_name: template.name, provider: "one",
    reason: "ünïcode, OPS-17", granted_by_id: admin.id, granted_by: "granter", until: until.toISOString(),
  });
  assert.ok(Math.abs(Date.parse(created_at) - Date.now()) < 60000);
  for (const token of [admin.token, auditor.token])
    assert.deepEqual((await world.api("GET", `${PATH}/${id}`, { token })).body, granted);
});

test("owner and template are taken by name, by UUID and as me; until with any offset", async () => {
  const [owner, template] = await subject();
  const until = new Date(Math.floor((Date.now() + HOUR) / 1000) * 1000);
  const local = new Date(until.getTime() - 7.5 * HOUR).toISOString().slice(0, 19) + "-07:30";
  const granted = await grant(owner, template, { owner: owner.id.toUpperCase(), template: template.id, until: local });
  assert.equal(granted.owner_name, owner.username);
  assert.equal(granted.template_name, template.name);
  assert.equal(granted.until, until.toISOString());
  assert.equal((await grant(owner, template, { owner: "me" })).owner_id, admin.id);
});

test("each wrong field is named, and all of them at once", async () => {
  const [owner, template] = await subject();
  const wrong = {
    owner: ["", "No Name", "prebuilds", 7, undefined, null],
    template: ["", "No Name", "x".repeat(65), 7, undefined],
    provider: ["", "ONE", "x".repeat(65), 7, undefined],
    reason: ["", "   ", "x".repeat(401), "ü".repeat(401), "two\nlines", "bell\u0007", 7, undefined],
    until: ["", "tomorrow", "2030-01-31", "2030-01-31T12:00:00", 1900000000, ahead(-1000), ahead(367 * DAY), undefined],
  };
  for (const [field, values] of Object.entries(wrong))
    for (const value of values)
      assertError(await ask(fields(owner, template, { [field]: value })), 400, "validation_failed", field);
  const body = assertError(await assertLeavesNothing(world, () => ask({})), 400, "validation_failed");
  assert.deepEqual(body.validations.map(({ field }) => field).sort(), Object.keys(wrong).sort());
});

test("the bounds themselves are lawful", async () => {
  const [owner, template] = await subject(["one", "two"]);
  assert.equal((await grant(owner, template, { reason: "ü".repeat(400), until: ahead(365 * DAY) })).reason.length, 400);
  assert.equal((await grant(owner, template, { provider: "two", reason: "x" })).reason, "x");
});

test("what is not there cannot be named", async () => {
  const [owner, template] = await subject();
  for (const nobody of ["nobody", UNKNOWN_ID]) {
    assertError(await ask(fields(owner, template, { owner: nobody })), 404, "not_found");
    assertError(await ask(fields(owner, template, { template: nobody })), 404, "not_found");
  }
  const body = assertError(await ask(fields(owner, template, { provider: "not-there" })), 404, "provider_not_configured");
  assert.match(body.detail, /\bnot-there\b/);
});

test("one in force is a conflict, whatever else it says; one that is over is replaced", async () => {
  const [owner, template] = await subject();
  const first = await grant(owner, template);
  const body = await assertLeavesNothing(world, () => ask(fields(owner, template, { reason: "again", until: ahead(DAY) })));
  assertError(body, 409, "conflict");
  await expire(first);
  const second = await grant(owner, template, { reason: "again" });
  assert.notEqual(second.id, first.id);
  assertError(await world.admin("GET", `${PATH}/${first.id}`), 404, "not_found");
  assert.deepEqual(ids(await list(`?owner=${owner.id}`)), [second.id]);
});

test("ten grants at once leave one", async () => {
  const [owner, template] = await subject();
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(fields(owner, template))));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(9).fill(409)]);
  assert.equal((await list(`?owner=${owner.id}`)).exemptions.length, 1);
});

test("the list is narrowed by owner, template and provider, together or alone", async () => {
  const [owner, template] = await subject(["one", "two"]);
  const [other, elsewhere] = await subject();
  const a = (await grant(owner, template)).id;
  const b = (await grant(owner, template, { provider: "two" })).id;
  const c = (await grant(owner, elsewhere)).id;
  const d = (await grant(other, template)).id;
  const all = ids(await list("?limit=200"));
  for (const id of [a, b, c, d]) assert.ok(all.includes(id));
  const rows = [
    [`owner=${owner.username}`, [a, b, c]], [`owner=${owner.id}`, [a, b, c]], [`owner=${other.id}`, [d]],
    [`template=${template.name}`, [a, b, d]], [`template=${template.id}`, [a, b, d]],
    [`owner=${owner.id}&provider=two`, [b]], [`template=${template.id}&provider=one`, [a, d]],
    [`owner=${owner.id}&template=${elsewhere.name}&provider=one`, [c]],
    ["owner=nobody", []], [`owner=${UNKNOWN_ID}`, []], ["template=nowhere", []], ["provider=not-there", []], ["owner=me", []],
  ];
  for (const [query, expected] of rows) assert.deepEqual(ids(await list(`?${query}`)), expected, query);
});

test("the list pages by cursor", async () => {
  const [owner, template] = await subject(["one", "two"]);
  const granted = [(await grant(owner, template)).id, (await grant(owner, template, { provider: "two" })).id];
  const first = await list(`?owner=${owner.id}&limit=1`);
  assert.deepEqual(ids(first), [granted[0]]);
  assert.equal(first.next_after_id, granted[0]);
  const second = await list(`?owner=${owner.id}&limit=1&after_id=${first.next_after_id}`);
  assert.deepEqual(ids(second), [granted[1]]);
  assert.equal(second.next_after_id, null);
});

test("a filter that cannot be read is refused and named, never taken for none", async () => {
  for (const [query, field] of [
    ["owner=No%20Name", "owner"], ["owner=", "owner"], ["owner=me&owner=me", "owner"], ["template=%zz", "template"],
    ["template=", "template"], ["provider=ONE", "provider"], ["provider=", "provider"], ["limit=0", "limit"], ["after_id=x", "after_id"],
  ]) assertError(await world.admin("GET", `${PATH}?${query}`), 400, "validation_failed", field);
});

test("an unknown id is 404 for reading and revoking", async () => {
  for (const id of [UNKNOWN_ID, "no-uuid"])
    for (const method of ["GET", "DELETE"]) assertError(await world.admin(method, `${PATH}/${id}`), 404, "not_found");
});

test("nobody but an administrator grants or revokes, nobody but an auditor reads as well", async () => {
  const [owner, template] = await subject();
  const { id } = await grant(owner, template);
  for (const role of ["member", "template-author", "control-plane", "provisioner", "auditor"]) {
    const caller = await world.createUser({ roles: [role] });
    const deny = async (method, path, body) =>
      assertError(await assertLeavesNothing(world, () => world.api(method, path, { token: caller.token, body })), 403, "forbidden");
    await deny("POST", PATH, fields(caller, template));
    await deny("DELETE", `${PATH}/${id}`);
    if (role === "auditor") continue;
    await deny("GET", PATH);
    await deny("GET", `${PATH}/${id}`);
    await deny("GET", `${PATH}/${UNKNOWN_ID}`);
  }
  assert.equal((await world.admin("GET", `${PATH}/${id}`)).status, 200);
});

test("who may not grant is told so before anything is looked up", async () => {
  const caller = await world.createUser({ roles: ["control-plane"] });
  const body = { owner: "nobody", template: "nowhere", provider: "not-there", reason: "x", until: ahead(HOUR) };
  assertError(await ask(body, caller.token), 403, "forbidden");
});

test("granting and revoking are audited with the owner and the provider", async () => {
  const [owner, template] = await subject();
  const { id } = await grant(owner, template);
  assert.equal((await world.api("DELETE", `${PATH}/${id}`, { token: admin.token })).status, 204);
  assertError(await world.api("DELETE", `${PATH}/${id}`, { token: admin.token }), 404, "not_found");
  const rows = await world.sql(
    "SELECT action, initiator_id, subject FROM audit_log WHERE subject_user_id = $1 AND action LIKE 'exemption.%' ORDER BY id", [owner.id]);
  assert.deepEqual(rows, ["exemption.grant", "exemption.revoke"].map((action) => ({ action, initiator_id: admin.id, subject: "one" })));
});

test("an exemption is told after its granter is gone, and goes with its owner", async () => {
  const [owner, template] = await subject();
  const granter = await world.createUser({ roles: ["admin"] });
  const { id } = (await ask(fields(owner, template), granter.token)).body;
  await world.expect(204, "DELETE", `/api/v2/users/${granter.id}`);
  assert.equal((await world.admin("GET", `${PATH}/${id}`)).body.granted_by, granter.username);
  await world.expect(204, "DELETE", `/api/v2/users/${owner.id}`);
  assertError(await world.admin("GET", `${PATH}/${id}`), 404, "not_found");
});
