// SPDX-License-Identifier: Apache-2.0
// Prebuilds: never gated while they are nobody's; claimed behind the gate only, each by exactly one, or not at all.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Jobs } from "../support/jobs.mjs";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({
  providers: (demo) => [demo.configure("one"), demo.configure("strict", { enforcement: "deny,claim=warn" }), demo.configure("lax", { enforcement: "warn,claim=deny" })],
});
const { demo } = world;
const second = await world.replica();
const jobs = await Jobs.create(world);
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const PROVIDERS = ["one", "strict", "lax"];
const refused = (ask) => assertLeavesNothing(world, ask);
const decisionOf = async (id) => (await world.sql("SELECT moment, outcome, owner_name FROM decisions WHERE id = $1", [id]))[0];
const waiting = async (template) => (await world.sql(
  "SELECT count(*)::int AS count FROM workspaces WHERE template_version_id = $1 AND owner_id = '00000000-0000-7000-8000-000000000001' AND deleted_at IS NULL",
  [template.active_version_id]))[0].count;

test("they are workspaces of nobody, made without asking anybody", async () => {
  await jobs.drain();
  const template = await world.createTemplate(["one"]);
  const before = await demo.asked(PROVIDERS);
  const made = await world.api("POST", `/api/v2/templates/${template.id}/prebuilds`, { token: controlPlane.token, body: { count: 3 } });
  assert.equal(made.status, 201, made.text);
  const { workspaces } = made.body;
  assert.equal(workspaces.length, 3);
  assert.equal(new Set(workspaces.map(({ name }) => name)).size, 3);
  for (const workspace of workspaces) {
    assert.match(workspace.name, /^prebuild-/);
    assert.deepEqual([workspace.owner_name, workspace.template_version_id, workspace.decision_id, workspace.claimed_prebuild],
      ["prebuilds", template.active_version_id, null, false]);
    assert.deepEqual([workspace.latest_build.reason, workspace.latest_build.status], ["prebuild", "pending"]);
    assert.deepEqual(await world.expect(200, "GET", `/api/v2/workspaces/${workspace.id}`), workspace);
  }
  for (let i = 0; i < 3; i++) {
    const { build, workspace, external_auth, env } = await jobs.take();
    assert.deepEqual([workspace.owner_name, external_auth, env], ["prebuilds", [], {}]);
    await jobs.complete(build.id);
  }
  assert.equal(await demo.asked(PROVIDERS), before, "no provider was asked");
});

test("who may look at any workspace lists them until they are claimed", async () => {
  const template = await world.createTemplate(["one"]);
  const [{ id, owner_id }] = (await jobs.prebuilds(template)).workspaces;
  const owner = await world.createUser();
  const listed = async (user, token) => {
    const { status, body } = await world.api("GET", `/api/v2/users/${user}/workspaces?limit=200`, { token });
    assert.equal(status, 200);
    return body.workspaces.some((workspace) => workspace.id === id && workspace.owner_name === "prebuilds");
  };
  for (const user of ["prebuilds", owner_id])
    for (const { token } of [controlPlane, { token: world.service.adminToken }]) assert.equal(await listed(user, token), true);
  for (const user of ["prebuilds", owner_id])
    assertError(await world.api("GET", `/api/v2/users/${user}/workspaces`, { token: owner.token }), 404, "not_found");
  await world.link(owner, "one");
  assert.equal((await world.createWorkspace(owner, template, { claim_prebuild: "require" })).body.id, id);
  assert.equal(await listed("prebuilds", controlPlane.token), false);
});

test("their own builds are never gated either", async () => {
  const template = await world.createTemplate(["one"]);
  const [workspace] = (await jobs.prebuilds(template)).workspaces;
  for (const transition of ["stop", "start", "delete"]) {
    const answer = await jobs.add(workspace, transition, { token: controlPlane.token });
    assert.deepEqual([answer.status, answer.body.decision_id], [201, null], answer.text);
  }
  assertError(await jobs.add(workspace, "start"), 409, "conflict");
});

test("who may not make them is refused first", async () => {
  const template = await world.createTemplate(["one"]);
  for (const roles of [undefined, ["template-author"], ["auditor"], ["provisioner"]]) {
    const { token } = await world.createUser({ roles });
    for (const id of [template.id, UNKNOWN_ID])
      assertError(await refused(() => world.api("POST", `/api/v2/templates/${id}/prebuilds`, { token, body: { count: 1 } })), 403, "forbidden");
  }
  assertError(await world.api("POST", `/api/v2/templates/${template.id}/prebuilds`, { body: { count: 1 } }), 401, "unauthenticated");
  for (const body of [{}, { count: 0 }, { count: 101 }, { count: 1.5 }, { count: "1" }])
    assertError(await refused(() => world.admin("POST", `/api/v2/templates/${template.id}/prebuilds`, body)), 400, "validation_failed", "count");
  assertError(await refused(() => world.admin("POST", `/api/v2/templates/${UNKNOWN_ID}/prebuilds`, { count: 1 })), 404, "not_found");
  await world.expect(200, "POST", `/api/v2/templateversions/${template.active_version_id}/archive`);
  assertError(await refused(() => world.admin("POST", `/api/v2/templates/${template.id}/prebuilds`, { count: 1 })), 400, "version_archived");
});

for (const claim_prebuild of ["prefer", "require"])
  test(`${claim_prebuild} takes one over, with its id, name and parameters given, behind the gate`, async () => {
    await jobs.drain();
    const template = await world.createTemplate(["one"]);
    const prebuilds = (await jobs.prebuilds(template, 2)).workspaces;
    const first = await jobs.take();
    await jobs.complete(first.build.id);
    const owner = await world.createUser();
    await world.link(owner, "one");
    const made = await jobs.workspace(owner, template, { name: "mine", parameters: { size: 4 }, claim_prebuild });
    assert.deepEqual([made.id, made.name, made.owner_id, made.owner_name, made.parameters, made.claimed_prebuild],
      [first.workspace.id, "mine", owner.id, owner.username, { size: 4 }, true]);
    const { id, created_at, ...build } = made.latest_build;
    assert.deepEqual(build, { number: 2, transition: "start", reason: "claim", status: "pending" });
    assert.deepEqual((await world.api("GET", `/api/v2/workspaces/${made.id}`, { token: owner.token })).body, made);
    assert.deepEqual(await decisionOf(made.decision_id), { moment: "claim", outcome: "allowed", owner_name: owner.username });
    // The other one was never built: its own build is dropped for the owner's.
    const other = await jobs.workspace(owner, template, { claim_prebuild });
    assert.equal(other.id, prebuilds.find(({ id: any }) => any !== made.id).id);
    assert.deepEqual((await world.sql("SELECT status FROM builds WHERE workspace_id = $1 ORDER BY number", [other.id])).map(({ status }) => status), ["canceled", "pending"]);
    assert.deepEqual((await world.api("GET", "/api/v2/users/me/workspaces", { token: owner.token })).body.workspaces.length, 2);
    const job = await jobs.take({ id });
    assert.deepEqual(job.external_auth.map(({ id: provider }) => provider), ["one"]);
    await jobs.complete(id);
  });

test("of twenty at once over two replicas five claim five, and the rest get what they asked for", async () => {
  const template = await world.createTemplate(["one"]);
  for (const claim_prebuild of ["prefer", "require"]) {
    const prebuilds = new Set((await jobs.prebuilds(template, 5)).workspaces.map(({ id }) => id));
    const owners = [];
    for (let i = 0; i < 20; i++) {
      owners.push(await world.createUser());
      await world.link(owners[i], "one");
    }
    const answers = await Promise.all(owners.map((owner, i) => world.createWorkspace(owner, template, { claim_prebuild, service: [world.service, second][i % 2] })));
    const claimed = answers.filter(({ status, body }) => status === 201 && body.claimed_prebuild);
    assert.equal(claimed.length, 5, answers.map(({ status }) => status).join(" "));
    assert.deepEqual(new Set(claimed.map(({ body }) => body.id)), prebuilds);
    for (const answer of answers.filter((any) => !claimed.includes(any)))
      if (claim_prebuild === "require") assertError(answer, 409, "no_prebuild");
      else {
        assert.equal(answer.status, 201, answer.text);
        assert.equal(answer.body.claimed_prebuild, false);
        assert.equal((await decisionOf(answer.body.decision_id)).moment, "create");
      }
    const [{ count }] = await world.sql("SELECT count(*)::int AS count FROM workspaces WHERE owner_id = ANY ($1::uuid[])", [owners.map(({ id }) => id)]);
    assert.equal(count, claim_prebuild === "require" ? 5 : 20);
  }
});

test("a refusal claims nothing", async () => {
  const template = await world.createTemplate(["one"]);
  await jobs.prebuilds(template, 1);
  const owner = await world.createUser();
  for (const claim_prebuild of ["prefer", "require"])
    assertError(await refused(() => world.createWorkspace(owner, template, { claim_prebuild })), 403, "external_auth_required");
  await world.link(owner, "one");
  await jobs.workspace(owner, template, { name: "taken" });
  for (const claim_prebuild of ["prefer", "require"])
    assertError(await refused(() => world.createWorkspace(owner, template, { name: "taken", claim_prebuild })), 409, "name_taken", "name");
  assert.equal(await waiting(template), 1);
  assert.equal((await world.createWorkspace(owner, template, { claim_prebuild: "never" })).body.claimed_prebuild, false);
  assert.equal(await waiting(template), 1);
});

test("none left: require is 409 and leaves nothing, prefer creates; both are in the log", async () => {
  const template = await world.createTemplate(["one"]);
  const owner = await world.createUser();
  await world.link(owner, "one");
  const body = assertError(await refused(() => world.createWorkspace(owner, template, { claim_prebuild: "require" })), 409, "no_prebuild");
  assert.match(body.detail, /prefer/);
  const before = await demo.asked("one", "validate");
  const made = await jobs.workspace(owner, template, { claim_prebuild: "prefer" });
  assert.deepEqual([made.claimed_prebuild, made.latest_build.reason, made.latest_build.number], [false, "initiator", 1]);
  assert.equal(await demo.asked("one", "validate"), before + 1, "one judgement serves both");
  assert.equal((await decisionOf(made.decision_id)).moment, "create");
});

test("only a prebuild of the very version is claimed, and none that failed, was stopped or is being deleted", async () => {
  await jobs.drain();
  const template = await world.createTemplate();
  const owner = await world.createUser();
  const require = () => world.createWorkspace(owner, template, { claim_prebuild: "require" });
  await jobs.prebuilds(template, 1);
  await world.expect(201, "POST", `/api/v2/templates/${template.id}/versions`, { external_auth: [], activate: true });
  assertError(await require(), 409, "no_prebuild");
  const [failed, stopped, deleted] = (await jobs.prebuilds(template, 3)).workspaces;
  await jobs.complete((await jobs.take()).build.id);
  const { build, workspace } = await jobs.take();
  assert.equal(workspace.id, failed.id);
  await jobs.complete(build.id, "failed", { error: "no disk" });
  await jobs.add(stopped, "stop");
  await jobs.add(deleted, "delete");
  assertError(await require(), 409, "no_prebuild");
  const [{ id }] = (await jobs.prebuilds(template, 1)).workspaces;
  assert.equal((await require()).body.id, id);
});

test("claim has its own enforcement, and a create that follows it its own", async () => {
  const soft = await world.createTemplate(["strict"]);
  const owner = await world.createUser();
  // Warned at a claim, refused at a create: without a prebuild it is a create.
  assertError(await world.createWorkspace(owner, soft, { claim_prebuild: "prefer" }), 403, "external_auth_required");
  await jobs.prebuilds(soft, 1);
  const made = await jobs.workspace(owner, soft, { claim_prebuild: "prefer" });
  assert.equal(made.claimed_prebuild, true);
  assert.deepEqual(made.warnings.map(({ provider, reason }) => [provider, reason]), [["strict", "not_linked"]]);
  assertError(await world.createWorkspace(owner, soft, { claim_prebuild: "prefer" }), 403, "external_auth_required");
  // The other way round.
  const hard = await world.createTemplate(["lax"]);
  await jobs.prebuilds(hard, 1);
  assertError(await refused(() => world.createWorkspace(owner, hard, { claim_prebuild: "prefer" })), 403, "external_auth_required");
  assert.equal((await world.createWorkspace(owner, hard)).status, 201);
});

test("a claim that is judged while the link goes away takes nothing", async () => {
  const template = await world.createTemplate(["one"]);
  await jobs.prebuilds(template, 1);
  const owner = await world.createUser();
  await world.link(owner, "one");
  await demo.closeGate("one", "validate", { moment: "after" });
  const pending = world.createWorkspace(owner, template, { claim_prebuild: "require" });
  await demo.awaitGate("one", "validate");
  await world.api("DELETE", "/api/v2/external-auth/one", { token: owner.token });
  await demo.openGate("one", "validate");
  assertError(await pending, 403, "external_auth_required");
  assert.equal(await waiting(template), 1);
});

test("a claim that is sent again with its key is done once, and answered as it was", async () => {
  const template = await world.createTemplate(["one"]);
  await jobs.prebuilds(template, 3);
  const owner = await world.createUser();
  await world.link(owner, "one");
  const post = (key, name, service = world.service) => service.request("POST", "/api/v2/users/me/workspaces", {
    token: owner.token, headers: { "Idempotency-Key": key }, body: { name, template_id: template.id, claim_prebuild: "require", parameters: { any: "1000000000000000" } },
  });
  const key = randomUUID();
  const first = await post(key, "mine");
  assert.equal(first.status, 201, first.text);
  assert.deepEqual([first.body.claimed_prebuild, first.body.latest_build.number], [true, 2]);
  assert.equal(first.headers.location, `/api/v2/workspaces/${first.body.id}`);
  assert.deepEqual((await world.api("GET", `/api/v2/workspaces/${first.body.id}`, { token: owner.token })).body, first.body);
  for (const service of [world.service, second]) {
    const again = await post(key, "mine", service);
    assert.deepEqual([again.status, again.text, again.headers.location, again.headers["idempotency-replayed"]], [201, first.text, first.headers.location, "true"]);
  }
  assert.equal(await waiting(template), 2);
  // Another run has taken the key over while this one is judged: nothing is claimed.
  const lost = randomUUID();
  await demo.closeGate("one", "validate");
  const pending = post(lost, "other");
  await demo.awaitGate("one", "validate");
  await world.sql("UPDATE idempotency_keys SET holder = gen_random_uuid() WHERE user_id = $1 AND held_until IS NOT NULL", [owner.id]);
  await demo.openGate("one", "validate");
  assertError(await pending, 409, "idempotency_key_in_use");
  assert.equal(await waiting(template), 2);
  // None left: an ordinary create answers the key.
  for (const name of ["b", "c"]) assert.equal((await post(randomUUID(), name)).status, 201);
  const plain = randomUUID();
  const ask = () => world.api("POST", "/api/v2/users/me/workspaces", { token: owner.token, headers: { "Idempotency-Key": plain }, body: { name: "d", template_id: template.id, claim_prebuild: "prefer" } });
  const made = await ask();
  assert.deepEqual([made.status, made.body.claimed_prebuild], [201, false]);
  assert.equal((await ask()).text, made.text);
});
