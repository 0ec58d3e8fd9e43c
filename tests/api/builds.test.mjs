// SPDX-License-Identifier: Apache-2.0
// Builds: a start is gated for the workspace's owner, a stop and a deletion never are, and a deletion ends the workspace.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Jobs } from "../support/jobs.mjs";
import { assertError, assertLeavesNothing, assertLeavesOnlyKey, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({
  providers: (demo) => [
    demo.configure("one"), demo.configure("two"), demo.configure("down"),
    demo.configure("soft", { enforcement: "deny,autostart=warn" }), demo.configure("warns", { enforcement: "warn" }),
  ],
});
const { demo } = world;
const jobs = await Jobs.create(world);
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const admin = world.service.adminToken;
await demo.fault("down", "validate", { status: 503 });

const PROVIDERS = ["one", "two", "down", "soft", "warns"];
const unlink = (owner, id) => world.api("DELETE", `/api/v2/external-auth/${id}`, { token: owner.token });
const refused = (ask) => assertLeavesNothing(world, ask);
const decisionOf = async (id) => (await world.sql("SELECT moment, surface, outcome, owner_name FROM decisions WHERE id = $1", [id]))[0];

// An owner linked to `ids`, and a workspace of a template that needs them.
async function ownerOf(ids, options) {
  const owner = await world.createUser();
  for (const id of ids) await world.link(owner, id);
  const template = await world.createTemplate(ids, options);
  return { owner, template, workspace: await jobs.workspace(owner, template) };
}

// ------------------------------------------------------------------------------------------------------ what passes

test("a start is inserted with its decision, and read again", async () => {
  const { owner, workspace } = await ownerOf(["one"]);
  const made = await jobs.add(workspace, "start", { token: owner.token });
  assert.equal(made.status, 201, made.text);
  const { id, created_at, decision_id, ...rest } = made.body;
  assert.deepEqual(rest, {
    number: 2, transition: "start", reason: "initiator", status: "pending", workspace_id: workspace.id, started_at: null,
    completed_at: null, initiator_id: owner.id, warnings: [], error: null, attempt: 0,
  });
  assert.equal(made.headers.location, `/api/v2/builds/${id}`);
  assert.deepEqual(await jobs.build(id, owner.token), made.body);
  assert.deepEqual(await decisionOf(decision_id), { moment: "start", surface: "api", outcome: "allowed", owner_name: owner.username });
  const { latest_build } = await world.expect(200, "GET", `/api/v2/workspaces/${workspace.id}`);
  assert.deepEqual(latest_build, { id, number: 2, transition: "start", reason: "initiator", status: "pending", created_at });
  const { initiator_id } = (await jobs.add(workspace, "start", { token: controlPlane.token })).body;
  assert.equal(initiator_id, controlPlane.id);
});

test("stop and delete are never gated and have no decision", async () => {
  const { owner, workspace } = await ownerOf(["one"]);
  await unlink(owner, "one");
  const before = await demo.asked(PROVIDERS);
  const stop = await jobs.add(workspace, "stop", { token: owner.token, reason: "autostop" });
  const remove = await jobs.add(workspace, "delete", { token: controlPlane.token });
  assert.deepEqual([stop, remove].map(({ status, body }) => [status, body.transition, body.reason, body.number, body.decision_id]),
    [[201, "stop", "autostop", 2, null], [201, "delete", "initiator", 3, null]]);
  assert.equal(await demo.asked(PROVIDERS), before, "no provider was asked");
});

test("a workspace has at most a hundred open builds, and can be deleted none the less", async () => {
  const { owner, workspace } = await ownerOf([]);
  await world.sql("INSERT INTO builds (id, workspace_id, number, transition, reason, moment) SELECT gen_random_uuid(), $1, n, 'stop', 'initiator', '' FROM generate_series(2, 100) n", [workspace.id]);
  await world.sql("UPDATE workspaces SET build_number = 100 WHERE id = $1", [workspace.id]);
  for (const transition of ["start", "stop"])
    assertError(await refused(() => jobs.add(workspace, transition, { token: owner.token })), 409, "conflict");
  const removal = await jobs.add(workspace, "delete", { token: owner.token });
  assert.deepEqual([removal.status, removal.body.number], [201, 101]);
  assertError(await refused(() => jobs.add(workspace, "delete", { token: owner.token })), 409, "conflict");
  await world.sql("UPDATE builds SET status = 'canceled', completed_at = now() WHERE workspace_id = $1 AND number < 101", [workspace.id]);
  assert.equal((await jobs.add(workspace, "stop", { token: owner.token })).status, 201);
});

test("a provider that is down and an owner who is suspended do not keep a workspace from stopping or going", async () => {
  const { owner, workspace } = await ownerOf(["one"]);
  await world.expect(200, "PATCH", `/api/v2/users/${owner.id}`, { status: "suspended" });
  assertError(await refused(() => jobs.add(workspace, "start")), 403, "owner_suspended");
  for (const transition of ["stop", "delete"]) assert.equal((await jobs.add(workspace, transition)).status, 201);
  const other = await world.createUser();
  await world.link(other, "down");
  await demo.fault("down", "validate", null);
  const kept = await jobs.workspace(other, await world.createTemplate(["down"]));
  await demo.fault("down", "validate", { status: 503 });
  const unverifiable = await refused(() => jobs.add(kept, "start", { token: other.token }));
  assertError(unverifiable, 503, "external_auth_unverifiable");
  assert.ok(Number(unverifiable.headers["retry-after"]) > 0);
  for (const transition of ["stop", "delete"]) assert.equal((await jobs.add(kept, transition, { token: other.token })).status, 201);
});

test("several builds may wait, and starts at once get numbers of their own", async () => {
  const { owner, workspace } = await ownerOf([]);
  const made = await Promise.all(Array.from({ length: 12 }, () => jobs.add(workspace, "start", { token: owner.token })));
  assert.deepEqual(made.map(({ status }) => status), made.map(() => 201));
  assert.deepEqual(made.map(({ body }) => body.number).sort((a, b) => a - b), made.map((_, i) => i + 2));
});

test("an archived version keeps no workspace that is there from starting", async () => {
  const { owner, template, workspace } = await ownerOf(["one"]);
  await world.expect(200, "POST", `/api/v2/templateversions/${template.active_version_id}/archive`);
  assert.equal((await jobs.add(workspace, "start", { token: owner.token })).status, 201);
});

// ---------------------------------------------------------------------------------------------------- what is refused

test("a start is refused as a create is, and leaves no build", async () => {
  const { owner, workspace } = await ownerOf(["one", "two"]);
  await unlink(owner, "two");
  for (const token of [owner.token, controlPlane.token, admin]) {
    const body = assertError(await refused(() => jobs.add(workspace, "start", { token })), 403, "external_auth_required");
    assert.deepEqual(body.validations, [{ field: "external_auth", detail: "two" }]);
    assert.deepEqual(body.external_auth.map(({ id, reason }) => [id, reason]), [["one", "valid"], ["two", "not_linked"]]);
    assert.match(body.message, /start/);
  }
  await world.link(owner, "two");
  assert.equal((await jobs.add(workspace, "start", { token: owner.token })).status, 201);
});

test("a provider that is no longer configured is 404 at a start, and nothing to a stop", async () => {
  const { owner, workspace } = await ownerOf(["two"]);
  const replica = await world.replica({ providers: world.providers.filter(({ id }) => id !== "two") });
  assertError(await jobs.add(workspace, "start", { token: owner.token, service: replica }), 404, "provider_not_configured");
  assert.equal((await jobs.add(workspace, "stop", { token: owner.token, service: replica })).status, 201);
});

test("autostart has its own enforcement, for those who speak for the schedule alone", async () => {
  const { owner, workspace } = await ownerOf(["soft"]);
  await unlink(owner, "soft");
  for (const [token, reason, status] of [[owner.token, "initiator", 403], [owner.token, "autostart", 403], [admin, "initiator", 403],
    [admin, "autostart", 201], [controlPlane.token, "autostart", 201]]) {
    const answer = await jobs.add(workspace, "start", { token, reason });
    assert.equal(answer.status, status, `${reason}: ${answer.text}`);
    if (status !== 201) continue;
    assert.equal(answer.body.reason, "autostart");
    assert.deepEqual(answer.body.warnings.map(({ provider, reason: why }) => [provider, why]), [["soft", "not_linked"]]);
    assert.equal((await decisionOf(answer.body.decision_id)).moment, "autostart");
  }
  await world.link(owner, "soft");
  const own = await jobs.add(workspace, "start", { token: owner.token, reason: "autostart" });
  assert.equal(own.body.reason, "autostart");
  assert.equal((await decisionOf(own.body.decision_id)).moment, "start");
});

for (const [body, field] of [
  [{}, "transition"], [{ transition: "restart" }, "transition"], [{ transition: 1 }, "transition"],
  [{ transition: "start", reason: "autostop" }, "reason"], [{ transition: "stop", reason: "autostart" }, "reason"],
  [{ transition: "start", reason: "claim" }, "reason"], [{ transition: "start", reason: "prebuild" }, "reason"],
])
  test(`the body ${JSON.stringify(body)} is refused`, async () => {
    const { owner, workspace } = await ownerOf([]);
    const { transition, ...rest } = body;
    assertError(await refused(() => jobs.add(workspace, transition, { token: owner.token, ...rest })), 400, "validation_failed", field);
  });

test("who may not see the workspace learns nothing and asks no provider", async () => {
  const { workspace } = await ownerOf(["one"]);
  const build = (await jobs.add(workspace, "stop")).body;
  const before = await demo.asked(PROVIDERS);
  for (const roles of [undefined, ["template-author"], ["auditor"], ["provisioner"]]) {
    const { token } = await world.createUser({ roles });
    const said = new Set();
    for (const id of [workspace.id, UNKNOWN_ID, "x"])
      for (const transition of ["start", "stop", "delete"]) {
        const { request_id, ...rest } = assertError(await refused(() => jobs.add({ id }, transition, { token })), 404, "not_found");
        said.add(JSON.stringify(rest));
      }
    assert.equal(said.size, 1);
    if (roles?.[0] === "provisioner") continue;
    for (const id of [build.id, UNKNOWN_ID, "x"]) assertError(await world.api("GET", `/api/v2/builds/${id}`, { token }), 404, "not_found");
  }
  for (const token of [controlPlane.token, admin, jobs.provisioner.token]) assert.equal((await jobs.build(build.id, token)).id, build.id);
  assertError(await jobs.add(workspace, "start", { token: "unknown" }), 401, "unauthenticated");
  assertError(await world.api("GET", `/api/v2/builds/${build.id}`), 401, "unauthenticated");
  assert.equal(await demo.asked(PROVIDERS), before, "no provider was asked");
});

test("whatever happens to the link while a start is judged, no build stands on what is gone", async () => {
  const { owner, workspace } = await ownerOf(["one"]);
  await demo.closeGate("one", "validate", { moment: "after" });
  const pending = jobs.add(workspace, "start", { token: owner.token });
  await demo.awaitGate("one", "validate");
  await unlink(owner, "one");
  await demo.openGate("one", "validate");
  assertError(await pending, 403, "external_auth_required");
  assert.equal((await world.expect(200, "GET", `/api/v2/workspaces/${workspace.id}`)).latest_build.number, 1);
});

// ------------------------------------------------------------------------------------------------------- the deletion

test("behind a deletion there is no start; it ends the workspace and frees the name", async () => {
  await jobs.drain();
  const { owner, template, workspace } = await ownerOf(["one"]);
  await jobs.complete((await jobs.take()).build.id);
  const remove = (await jobs.add(workspace, "delete", { token: owner.token })).body;
  const stop = (await jobs.add(workspace, "stop", { token: owner.token })).body;
  const before = await demo.asked(PROVIDERS);
  assertError(await refused(() => jobs.add(workspace, "start", { token: owner.token })), 409, "conflict");
  assert.equal(await demo.asked(PROVIDERS), before, "no provider was asked");
  assertError(await world.createWorkspace(owner, template, { name: workspace.name }), 409, "name_taken", "name");
  await jobs.take({ id: remove.id });
  assertError(await refused(() => jobs.add(workspace, "start", { token: owner.token })), 409, "conflict");
  await jobs.complete(remove.id, "failed");
  assert.equal((await jobs.add(workspace, "start", { token: owner.token })).status, 201, "its deletion failed");
  await jobs.drain();
  assert.equal((await jobs.build(stop.id)).status, "succeeded");
  const again = (await jobs.add(workspace, "delete", { token: owner.token })).body;
  const behind = (await jobs.add(workspace, "stop", { token: owner.token })).body;
  await jobs.take({ id: again.id });
  await jobs.complete(again.id);
  for (const [method, path, body] of [["GET", `/api/v2/workspaces/${workspace.id}`], ["POST", `/api/v2/workspaces/${workspace.id}/builds`, { transition: "stop" }]])
    assertError(await world.api(method, path, { token: owner.token, body }), 404, "not_found");
  assert.deepEqual((await world.api("GET", "/api/v2/users/me/workspaces", { token: owner.token })).body.workspaces, []);
  assert.equal((await jobs.build(behind.id, owner.token)).status, "canceled");
  assert.equal((await jobs.build(again.id, owner.token)).status, "succeeded");
  assert.equal((await jobs.acquire()).status, 204, "what was queued behind it is not handed out");
  assert.equal((await jobs.workspace(owner, template, { name: workspace.name })).name, workspace.name);
});

test("a user whose workspaces are all deleted can be removed", async () => {
  await jobs.drain();
  const { owner, workspace } = await ownerOf([]);
  assertError(await world.admin("DELETE", `/api/v2/users/${owner.id}`), 409, "conflict");
  await jobs.add(workspace, "delete");
  await jobs.drain();
  await world.expect(204, "DELETE", `/api/v2/users/${owner.id}`);
});

test("a warning goes with the build, to the owner and to the provisioner", async () => {
  await jobs.drain();
  const owner = await world.createUser();
  const template = await world.createTemplate(["warns", "one"]);
  const until = new Date(Date.now() + 3600e3).toISOString();
  await world.expect(201, "POST", "/gate/v1/exemptions", { owner: owner.username, template: template.id, provider: "one", reason: "moving in", until });
  const workspace = await jobs.workspace(owner, template);
  const made = (await jobs.add(workspace, "start", { token: owner.token })).body;
  assert.deepEqual(made.warnings.map(({ provider, reason, exemption }) => [provider, reason, exemption?.reason]),
    [["warns", "not_linked", undefined], ["one", "not_linked", "moving in"]]);
  assert.deepEqual((await jobs.build(made.id)).warnings, made.warnings);
  const first = await jobs.take();
  assert.deepEqual(first.build.warnings, workspace.warnings);
  assert.deepEqual(first.external_auth, []);
  assert.deepEqual((await jobs.complete(first.build.id)).warnings, workspace.warnings);
});

// ------------------------------------------------------------------------------------------------- Idempotency-Key

const post = (workspace, transition, token, key, service = world.service) =>
  service.request("POST", `/api/v2/workspaces/${workspace.id}/builds`, { token, body: { transition }, headers: { "Idempotency-Key": key } });
const replays = (first, again) => {
  assert.equal(again.status, first.status, again.text);
  assert.equal(again.text, first.text);
  assert.equal(again.headers.location, first.headers.location);
  assert.equal(again.headers["idempotency-replayed"], "true");
};

for (const transition of ["start", "stop", "delete"])
  test(`a ${transition} that is sent again is done once, and answered as it was`, async () => {
    const { owner, workspace } = await ownerOf(["one"]);
    const second = await world.replica();
    const key = randomUUID();
    const first = await post(workspace, transition, owner.token, key);
    assert.equal(first.status, 201, first.text);
    assert.deepEqual([first.body.number, first.headers.location], [2, `/api/v2/builds/${first.body.id}`]);
    assert.deepEqual(await jobs.build(first.body.id, owner.token), first.body);
    const before = await world.countRows();
    const asked = await demo.asked(PROVIDERS, "validate");
    for (const service of [world.service, second]) replays(first, await post(workspace, transition, owner.token, key, service));
    assert.deepEqual(await world.countRows(), before, "a replay writes nothing");
    await unlink(owner, "one");
    replays(first, await post(workspace, transition, owner.token, key));
    assert.equal(await demo.asked(PROVIDERS, "validate"), asked, "a replay asks nobody");
    assertError(await post(workspace, transition === "stop" ? "delete" : "stop", owner.token, key), 422, "idempotency_key_reused");
    assert.equal((await post(workspace, "stop", owner.token, randomUUID())).body.number, 3);
    await second.stop();
  });

test("a deletion is answered again when the workspace is gone", async () => {
  await jobs.drain();
  const { owner, workspace } = await ownerOf([]);
  const key = randomUUID();
  const first = await post(workspace, "delete", owner.token, key);
  await jobs.drain();
  replays(first, await post(workspace, "delete", owner.token, key));
  assertError(await refused(() => post(workspace, "delete", owner.token, randomUUID())), 404, "not_found");
});

test("a refused start does not use the key up", async () => {
  const { owner, workspace } = await ownerOf(["one"]);
  const stranger = await world.createUser();
  const key = randomUUID();
  await unlink(owner, "one");
  assertError(await refused(() => post(workspace, "start", stranger.token, key)), 404, "not_found");
  assertError(await assertLeavesOnlyKey(world, () => post(workspace, "start", owner.token, key)), 403, "external_auth_required");
  await world.link(owner, "one");
  const first = await post(workspace, "start", owner.token, key);
  assert.equal(first.status, 201, first.text);
  replays(first, await post(workspace, "start", owner.token, key));
});

test("of ten at once with one key one is done; whoever lost its hold writes nothing", async () => {
  const { owner, workspace } = await ownerOf(["one"]);
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 10 }, () => post(workspace, "start", owner.token, key)));
  for (const answer of answers.filter(({ status }) => status !== 201)) assertError(answer, 409, "idempotency_key_in_use");
  assert.equal(new Set(answers.filter(({ status }) => status === 201).map(({ text }) => text)).size, 1);
  for (const transition of ["start", "stop"]) {
    const lost = randomUUID();
    // The hold is over and another run has taken it while this one is judged.
    await demo.closeGate("one", "validate");
    const pending = post(workspace, "start", owner.token, lost);
    await demo.awaitGate("one", "validate");
    await world.sql("UPDATE idempotency_keys SET holder = gen_random_uuid() WHERE user_id = $1 AND held_until IS NOT NULL", [owner.id]);
    await demo.openGate("one", "validate");
    assertError(await pending, 409, "idempotency_key_in_use");
    assert.equal((await jobs.add(workspace, transition)).status, 201);
  }
  assert.equal((await world.expect(200, "GET", `/api/v2/workspaces/${workspace.id}`)).latest_build.number, 4);
});
