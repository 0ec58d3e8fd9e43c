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

test("granting and revoking are audited with the owner, the template and the provider", async () => {
  const [owner, template] = await subject();
  const { id } = await grant(owner, template);
  assert.equal((await world.api("DELETE", `${PATH}/${id}`, { token: admin.token })).status, 204);
  assertError(await world.api("DELETE", `${PATH}/${id}`, { token: admin.token }), 404, "not_found");
  const rows = await world.sql(
    "SELECT action, initiator_id, subject FROM audit_log WHERE subject_user_id = $1 AND action LIKE 'exemption.%' ORDER BY id", [owner.id]);
  assert.deepEqual(rows, ["exemption.grant", "exemption.revoke"].map((action) => ({ action, initiator_id: admin.id, subject: `${template.id}/one` })));
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

// --- what it changes -------------------------------------------------------------------------------------------------

const noteOf = ({ id, reason, granted_by, until }) => ({ id, reason, granted_by, until });

async function assertRefused(owner, template, missing) {
  const body = assertError(await assertLeavesNothing(world, () => world.createWorkspace(owner, template)), 403, "external_auth_required");
  assert.deepEqual(body.validations.map(({ detail }) => detail), missing);
  return body;
}

async function create(owner, template, options) {
  const answer = await world.createWorkspace(owner, template, options);
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

const decision = async (id) => (await world.sql("SELECT outcome, strict_outcome, reasons, findings FROM decisions WHERE id = $1", [id]))[0];

test("a refused create passes, says by which exemption, and the log says what it would have been", async () => {
  const [owner, template] = await subject();
  await assertRefused(owner, template, ["one"]);
  const exemption = await grant(owner, template, { reason: "account is being moved" });
  const workspace = await create(owner, template);
  const [warning, ...others] = workspace.warnings;
  assert.deepEqual(others, []);
  const { message, ...said } = warning;
  assert.deepEqual(said, { provider: "one", reason: "not_linked", exemption: noteOf(exemption) });
  assert.ok(message.includes("account is being moved") && message.includes(exemption.until), message);
  const row = await decision(workspace.decision_id);
  assert.equal(row.outcome, "allowed");
  assert.equal(row.strict_outcome, "refused");
  assert.deepEqual(row.reasons, ["not_linked"]);
  assert.equal(row.findings.length, 1);
  const [{ provider, reason, exemption_id, would_block }] = row.findings;
  assert.deepEqual({ provider, reason, exemption_id, would_block },
    { provider: "one", reason: "not_linked", exemption_id: exemption.id, would_block: true });
  for (const read of [
    (await world.api("GET", `/api/v2/workspaces/${workspace.id}`, { token: owner.token })).body,
    (await world.api("GET", "/api/v2/users/me/workspaces", { token: owner.token })).body.workspaces[0],
  ]) assert.deepEqual(read.warnings, workspace.warnings);
});

test("it ends by itself", async () => {
  const [owner, template] = await subject();
  const exemption = await grant(owner, template);
  await create(owner, template);
  await expire(exemption);
  await assertRefused(owner, template, ["one"]);
  assert.equal((await world.admin("GET", `${PATH}/${exemption.id}`)).status, 200);
});

test("it ends on the second that was named, by the database's clock", async () => {
  const [owner, template] = await subject();
  const { until } = await grant(owner, template, { until: ahead(1500) });
  await create(owner, template);
  await world.sql("SELECT pg_sleep_until($1)", [until]);
  await assertRefused(owner, template, ["one"]);
});

test("it ends while a provider is asked, too, on every way to ask", async () => {
  const [owner, template] = await subject(["one", "two"]);
  await world.link(owner, "two");
  await grant(owner, template, { until: ahead(1500) });
  await world.demo.closeGate("two", "validate");
  const ask = (path, body) => world.api("POST", path, { token: owner.token, body });
  const about = { owner: "me", template_version_id: template.active_version_id };
  const pending = [
    world.createWorkspace(owner, template), ask("/gate/v1/check?enforce=true", about), ask("/gate/v1/check", about), ask("/gate/v1/data", { input: about }),
  ];
  await world.demo.awaitGate("two", "validate");
  await world.sql("SELECT pg_sleep(1.6)");
  await world.demo.openGate("two", "validate");
  const [create, enforced, checked, opa] = await Promise.all(pending);
  for (const answer of [create, enforced]) assertError(answer, 403, "external_auth_required");
  assert.deepEqual([checked.body.allowed, opa.body.result.allow], [false, false]);
  for (const { external_auth } of [create.body, checked.body]) assert.equal(external_auth[0].exemption ?? null, null);
});

test("revoked, it is over at once", async () => {
  const [owner, template] = await subject();
  const { id } = await grant(owner, template);
  await create(owner, template);
  assert.equal((await world.admin("DELETE", `${PATH}/${id}`)).status, 204);
  await assertRefused(owner, template, ["one"]);
});

test("another template, another owner and another provider are not exempt", async () => {
  const [owner, template] = await subject();
  const [other, elsewhere] = await subject();
  await grant(owner, template);
  await grant(owner, template, { provider: "two" });
  await assertRefused(owner, elsewhere, ["one"]);
  await assertRefused(other, template, ["one"]);
  const both = await world.createTemplate(["one"]);
  await grant(owner, both, { provider: "two" });
  await assertRefused(owner, both, ["one"]);
});

test("it is the owner's and not the caller's", async () => {
  const [owner, template] = await subject();
  const caller = await world.createUser({ roles: ["control-plane"] });
  await grant(caller, template);
  assertError(await world.createWorkspace(owner, template, { caller }), 403, "external_auth_required");
  await grant(owner, template);
  assert.equal((await create(owner, template, { caller })).warnings.length, 1);
});

test("it holds for every version of the template", async () => {
  const [owner, template] = await subject([]);
  await grant(owner, template);
  const version = await world.expect(201, "POST", `/api/v2/templates/${template.id}/versions`, { external_auth: ["one"], activate: true });
  const workspace = await create(owner, template);
  assert.equal(workspace.template_version_id, version.id);
  assert.equal(workspace.warnings.length, 1);
});

test("it hides no other missing provider", async () => {
  const [owner, template] = await subject(["one", "two"]);
  const exemption = await grant(owner, template);
  const { external_auth } = await assertRefused(owner, template, ["two"]);
  assert.deepEqual(external_auth.map(({ id, verdict, reason, exemption: note }) => ({ id, verdict, reason, note })), [
    { id: "one", verdict: "missing", reason: "not_linked", note: noteOf(exemption) },
    { id: "two", verdict: "missing", reason: "not_linked", note: undefined },
  ]);
  await world.link(owner, "two");
  assert.deepEqual((await create(owner, template)).warnings.map(({ provider }) => provider), ["one"]);
});

test("two exemptions of one create are both named", async () => {
  const [owner, template] = await subject(["one", "two"]);
  const notes = [noteOf(await grant(owner, template)), noteOf(await grant(owner, template, { provider: "two", reason: "another" }))];
  const { warnings } = await create(owner, template);
  assert.deepEqual(warnings.map(({ exemption }) => exemption), notes);
});

test("a provider that cannot be verified does not fail an exempt owner", async () => {
  const [owner, template] = await subject(["down"]);
  await world.link(owner, "down");
  assertError(await world.createWorkspace(owner, template), 503, "external_auth_unverifiable");
  const exemption = await grant(owner, template, { provider: "down" });
  const { warnings, decision_id } = await create(owner, template);
  assert.deepEqual(warnings.map(({ reason, exemption: note }) => ({ reason, note })), [{ reason: "provider_unavailable", note: noteOf(exemption) }]);
  assert.equal((await decision(decision_id)).strict_outcome, "unverifiable");
});

test("where it changes nothing, nothing warns", async () => {
  const [owner, template] = await subject();
  await world.link(owner, "one");
  await grant(owner, template);
  const linked = await create(owner, template);
  assert.deepEqual(linked.warnings, []);
  const row = await decision(linked.decision_id);
  assert.equal(row.strict_outcome, "allowed");
  assert.equal(row.findings[0].exemption_id, null);
  const lenient = await world.createTemplate(["one"], { enforcement: "warn" });
  const unlinked = await world.createUser();
  await grant(unlinked, lenient);
  const warned = await create(unlinked, lenient);
  assert.deepEqual(warned.warnings.map(({ provider, exemption }) => ({ provider, exemption })), [{ provider: "one", exemption: undefined }]);
});

test("the preflight shows it beside the state as it is, and only to whom it belongs", async () => {
  const [owner, template] = await subject(["one", "two"]);
  const exemption = await grant(owner, template);
  const states = (await world.preflight(owner, template)).body;
  assert.deepEqual(states.map(({ id, authenticated, reason, exemption: note }) => ({ id, authenticated, reason, note })), [
    { id: "one", authenticated: false, reason: "not_linked", note: noteOf(exemption) },
    { id: "two", authenticated: false, reason: "not_linked", note: undefined },
  ]);
  const other = await world.createUser();
  for (const state of (await world.preflight(other, template)).body) assert.equal(state.exemption, undefined);
  await expire(exemption);
  for (const state of (await world.preflight(owner, template)).body) assert.equal(state.exemption, undefined);
});

test("check and explain see it as the create does, and a receipt does not outlive it", async () => {
  const [owner, template] = await subject();
  const exemption = await grant(owner, template, { until: ahead(60000) });
  for (const path of ["/gate/v1/check", "/gate/v1/explain"]) {
    const ask = () => world.api("POST", path, {
      token: owner.token, body: { owner: "me", template_version_id: template.active_version_id },
    });
    const { status, body, text } = await ask();
    assert.equal(status, 200, text);
    assert.equal(body.allowed, true, text);
    assert.deepEqual(body.warnings.map(({ exemption: note }) => note), [noteOf(exemption)]);
    assert.deepEqual(body.external_auth.map(({ reason, exemption: note }) => ({ reason, note })), [{ reason: "not_linked", note: noteOf(exemption) }]);
    if (body.receipt) assert.ok(Date.parse(body.receipt_expires_at) <= Date.parse(exemption.until), text);
  }
  const { body } = await world.api("POST", "/gate/v1/check", {
    token: owner.token, body: { owner: "me", external_auth: ["one"] },
  });
  assert.equal(body.allowed, false, "providers that are named without a template have nobody exempt");
});
