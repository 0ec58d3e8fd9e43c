// SPDX-License-Identifier: Apache-2.0
// Provisioners: each build is handed out once, judged once more before it is, with tokens only for who may have them;
// one whose provisioner died comes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Jobs } from "../support/jobs.mjs";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const LEASE_MS = 1500;
const world = await World.open({
  settings: { BUILD_LEASE: `${LEASE_MS}ms` },
  providers: (demo) => [
    demo.configure("one"), demo.configure("two"), demo.configure("extra"), demo.configure("gone"),
    demo.configure("lenient", { enforcement: "deny,acquire=warn" }), demo.configure("scheduled", { enforcement: "deny,autostart=warn" }),
  ],
});
const { demo } = world;
const second = await world.replica();
const jobs = await Jobs.create(world);
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const PROVIDERS = ["one", "two", "extra", "gone", "lenient", "scheduled"];
const refused = (ask) => assertLeavesNothing(world, ask);
const unlink = (owner, id) => world.api("DELETE", `/api/v2/external-auth/${id}`, { token: owner.token });

async function ownerOf(ids, external_auth = ids) {
  const owner = await world.createUser();
  const links = {};
  for (const id of ids) links[id] = await world.link(owner, id, { expires_at: id === "extra" ? "2099-01-01T00:00:00Z" : undefined });
  const template = await world.createTemplate(external_auth);
  return { owner, links, template, workspace: await jobs.workspace(owner, template) };
}

// ----------------------------------------------------------------------------------------------------- what is handed

test("a build comes with its workspace and the owner's tokens, optional ones too", async () => {
  await jobs.drain();
  const { owner, links, template, workspace } = await ownerOf(["one", "extra"], ["one", { id: "extra", optional: true }, { id: "two", optional: true }]);
  const job = await jobs.take();
  const { latest_build, warnings, decision_id, claimed_prebuild, ...shown } = workspace;
  assert.deepEqual(job.workspace, shown);
  const { started_at, ...build } = job.build;
  assert.deepEqual(build, {
    ...latest_build, status: "running", workspace_id: workspace.id, completed_at: null, initiator_id: owner.id, decision_id,
    warnings: [], error: null, attempt: 1,
  });
  assert.ok(Date.parse(started_at) <= Date.parse(job.lease_expires_at) - LEASE_MS + 5);
  assert.deepEqual(job.external_auth, [
    { id: "one", access_token: links.one.access_token, expires_at: null },
    { id: "extra", access_token: links.extra.access_token, expires_at: "2099-01-01T00:00:00.000Z" },
  ]);
  assert.deepEqual(job.env, {
    CODER_EXTERNAL_AUTH_ACCESS_TOKEN_one: links.one.access_token, CODER_EXTERNAL_AUTH_ACCESS_TOKEN_extra: links.extra.access_token,
  });
  const [decision] = await world.sql("SELECT moment, surface, outcome, initiator_id FROM decisions WHERE owner_id = $1 AND moment = 'acquire'", [owner.id]);
  assert.deepEqual(decision, { moment: "acquire", surface: "provisioner", outcome: "allowed", initiator_id: jobs.provisioner.id });
  assert.equal((await jobs.acquire()).status, 204);
  const done = await jobs.complete(job.build.id);
  assert.deepEqual([done.status, done.error, done.attempt], ["succeeded", null, 1]);
  assert.equal(template.active_version_id, job.workspace.template_version_id);
  for (const token of [links.one.access_token, links.extra.access_token]) assert.ok(!world.service.program.stderr.includes(token), "in the log");
});

test("the oldest comes first, and builds of one workspace one after the other", async () => {
  await jobs.drain();
  const first = await ownerOf([]);
  const stop = (await jobs.add(first.workspace, "stop")).body;
  const other = await ownerOf([]);
  const one = await jobs.take({ id: first.workspace.latest_build.id });
  await jobs.take({ id: other.workspace.latest_build.id });
  assert.equal((await jobs.acquire()).status, 204, "the stop waits for its start");
  await jobs.complete(one.build.id);
  await jobs.take({ id: stop.id });
  await jobs.complete(stop.id);
  await jobs.complete(other.workspace.latest_build.id);
});

test("a token that is refreshed on the way is the new one", async () => {
  await jobs.drain();
  const { owner } = await ownerOf(["one"]);
  const old = await demo.mint("one", { login: owner.username });
  await world.importLink(owner, "one", { access_token: old.access_token, refresh_token: old.refresh_token, expires_at: new Date(Date.now() + 1000).toISOString() });
  await sleep(1100);
  const { build, external_auth } = await jobs.take();
  assert.notEqual(external_auth[0].access_token, old.access_token);
  assert.equal((await demo.requests("one", "validate")).at(-1).status ?? 200, 200);
  await jobs.complete(build.id);
});

// --------------------------------------------------------------------------------------------- what is not handed out

for (const [what, spoil, reason] of [
  ["revoked at the provider", ({ links }) => demo.revoke("one", { access_token: links.one.access_token }), "token_revoked"],
  ["unlinked", ({ owner }) => unlink(owner, "one"), "not_linked"],
])
  test(`what was ${what} between create and acquire fails the build with the create's refusal`, async () => {
    await jobs.drain();
    const spoiled = await ownerOf(["one", "two"]);
    const next = await ownerOf(["one"]);
    await spoil(spoiled);
    const job = await jobs.take({ id: next.workspace.latest_build.id });
    await jobs.complete(job.build.id);
    const build = await jobs.build(spoiled.workspace.latest_build.id, spoiled.owner.token);
    assert.deepEqual([build.status, build.attempt, build.started_at], ["failed", 0, null]);
    assert.ok(build.completed_at);
    const { request_id, decision_id, ...said } = build.error;
    const create = await world.createWorkspace(spoiled.owner, spoiled.template);
    const { request_id: other, decision_id: another, ...asCreate } = assertError(create, 403, "external_auth_required");
    assert.deepEqual(said, asCreate);
    assert.deepEqual(said.external_auth.map((state) => [state.id, state.reason]), [["one", reason], ["two", "valid"]]);
  });

test("a provider that cannot be asked fails the build as it would the create", async () => {
  await jobs.drain();
  const { workspace } = await ownerOf(["one"]);
  await demo.fault("one", "validate", { status: 503 });
  assert.equal((await jobs.acquire()).status, 204);
  await demo.fault("one", "validate", null);
  const build = await jobs.build(workspace.latest_build.id);
  assert.deepEqual([build.status, build.error.code], ["failed", "external_auth_unverifiable"]);
});

test("an optional provider that is down neither blocks nor shows", async () => {
  await jobs.drain();
  const { links } = await ownerOf(["one", "two"], ["one", { id: "two", optional: true }]);
  await demo.fault("two", "validate", { status: 503 });
  const job = await jobs.take();
  await demo.fault("two", "validate", null);
  assert.deepEqual(job.external_auth.map(({ access_token }) => access_token), [links.one.access_token]);
  await jobs.complete(job.build.id);
});

test("the owner's suspension fails what is gated", async () => {
  await jobs.drain();
  const { owner, workspace } = await ownerOf(["one"]);
  await world.expect(200, "PATCH", `/api/v2/users/${owner.id}`, { status: "suspended" });
  const before = await demo.asked(PROVIDERS);
  assert.equal((await jobs.acquire()).status, 204);
  assert.equal(await demo.asked(PROVIDERS), before, "no provider was asked");
  const build = await jobs.build(workspace.latest_build.id);
  assert.deepEqual([build.status, build.error.code], ["failed", "owner_suspended"]);
});

test("a provider that is no longer configured fails what is gated and nothing else", async () => {
  await jobs.drain();
  const { owner, workspace } = await ownerOf(["gone", "one"]);
  const replica = await world.replica({ providers: world.providers.filter(({ id }) => id !== "gone") });
  const stop = (await jobs.add(workspace, "stop")).body;
  const job = await jobs.take({ id: stop.id, service: replica });
  assert.deepEqual(job.external_auth.map(({ id }) => id), ["one"]);
  await jobs.complete(stop.id);
  assert.deepEqual((await jobs.build(workspace.latest_build.id, owner.token)).error.code, "provider_not_configured");
});

test("trouble of the service's own ends no build and holds up no other", async () => {
  await jobs.drain();
  const { workspace } = await ownerOf([]);
  const { workspace: other } = await ownerOf([]);
  const setList = (list) => world.sql("UPDATE template_versions SET external_auth = $1 WHERE id = $2", [list, workspace.template_version_id]);
  await setList("[5]");
  assertError(await jobs.acquire(), 500, "internal");
  await jobs.take({ id: other.latest_build.id });
  await jobs.complete(other.latest_build.id);
  await setList("[]");
  await world.sql("UPDATE builds SET lease_until = now() WHERE id = $1", [workspace.latest_build.id]);
  await jobs.take({ id: workspace.latest_build.id });
  await jobs.complete(workspace.latest_build.id);
});

test("acquire has its own enforcement", async () => {
  await jobs.drain();
  const { owner, links } = await ownerOf(["lenient", "one"]);
  await unlink(owner, "lenient");
  const job = await jobs.take();
  assert.deepEqual(job.external_auth.map(({ access_token }) => access_token), [links.one.access_token]);
  await jobs.complete(job.build.id);
  const [decision] = await world.sql("SELECT outcome, strict_outcome FROM decisions WHERE owner_id = $1 AND moment = 'acquire'", [owner.id]);
  assert.deepEqual(decision, { outcome: "allowed", strict_outcome: "refused" });
});

test("a link that goes away while it is judged is judged again, and not handed out", async () => {
  await jobs.drain();
  const { owner, workspace } = await ownerOf(["one"]);
  await demo.closeGate("one", "validate", { moment: "after" });
  const pending = jobs.acquire();
  await demo.awaitGate("one", "validate");
  await unlink(owner, "one");
  await demo.openGate("one", "validate");
  assert.equal((await pending).status, 204);
  assert.equal((await jobs.build(workspace.latest_build.id)).error.external_auth[0].reason, "not_linked");
});

test("autostart, stop and delete go with the tokens there are, and without those of a suspended owner", async () => {
  await jobs.drain();
  const { owner, links, workspace } = await ownerOf(["scheduled", "one"]);
  await jobs.complete((await jobs.take()).build.id);
  await unlink(owner, "scheduled");
  const autostart = await jobs.add(workspace, "start", { token: controlPlane.token, reason: "autostart" });
  assert.equal(autostart.status, 201, autostart.text);
  const tokens = async (id) => {
    const job = await jobs.take({ id });
    await jobs.complete(id);
    return job.external_auth.map(({ access_token }) => access_token);
  };
  assert.deepEqual(await tokens(autostart.body.id), [links.one.access_token]);
  assert.deepEqual(await tokens((await jobs.add(workspace, "stop")).body.id), [links.one.access_token]);
  await demo.fault("one", "validate", { status: 503 });
  assert.deepEqual(await tokens((await jobs.add(workspace, "stop")).body.id), [], "what cannot be verified is not handed out");
  await demo.fault("one", "validate", null);
  const late = await jobs.add(workspace, "start", { token: controlPlane.token, reason: "autostart" });
  await world.expect(200, "PATCH", `/api/v2/users/${owner.id}`, { status: "suspended" });
  const before = await demo.asked(PROVIDERS);
  assert.deepEqual(await tokens(late.body.id), []);
  assert.deepEqual(await tokens((await jobs.add(workspace, "delete")).body.id), []);
  assert.equal(await demo.asked(PROVIDERS), before, "no provider was asked");
});

// ------------------------------------------------------------------------------------------------------------ waiting

test("nothing to do is 204, at once or after wait_ms", async () => {
  await jobs.drain();
  let begun = Date.now();
  assert.equal((await jobs.acquire()).status, 204);
  assert.ok(Date.now() - begun < 1000);
  begun = Date.now();
  assert.equal((await jobs.acquire({ body: { wait_ms: 700 } })).status, 204);
  const took = Date.now() - begun;
  assert.ok(took >= 700 && took < 3000, `${took} ms`);
});

test("however many provisioners wait, the gate answers, and work is found without waiting", async () => {
  await jobs.drain();
  const replica = await world.replica({ settings: { HTTP_THREADS: "8" } });
  const leave = new AbortController();
  const wait = () => jobs.acquire({ service: replica, body: { wait_ms: 30000 }, signal: leave.signal });
  const waiting = [];
  const first = await new Promise((resolve, reject) => {
    for (let i = 0; i < 5; i++) waiting.push(wait().then(resolve, (error) => (leave.signal.aborted ? null : reject(error))));
  });
  assert.equal(first.status, 204, first.text);
  assert.match(first.headers["retry-after"], /^[1-9]/);
  const owner = await world.createUser();
  const template = await world.createTemplate();
  const refused = await replica.request("POST", "/gate/v1/check", { token: owner.token, body: { owner: "me", template_version_id: template.active_version_id } });
  assert.equal(refused.status, 200, "the gate answers");
  assert.equal((await jobs.acquire({ service: replica })).status, 204);
  leave.abort();
  await Promise.all(waiting);
  const { latest_build } = await jobs.workspace(owner, template);
  await jobs.take({ id: latest_build.id, body: { wait_ms: 30000 }, service: replica });
  await jobs.complete(latest_build.id);
});

test("a build that is added here or at another replica ends the wait", async () => {
  await jobs.drain();
  for (const service of [world.service, second]) {
    const pending = jobs.acquire({ service, body: { wait_ms: 20000 } });
    await sleep(300);
    const begun = Date.now();
    const { workspace } = await ownerOf([]);
    const answer = await pending;
    assert.equal(answer.body.build.id, workspace.latest_build.id);
    assert.ok(Date.now() - begun < 5000);
    await jobs.complete(answer.body.build.id);
  }
});

test("a service that stops ends the wait", async () => {
  await jobs.drain();
  const replica = await world.replica();
  const pending = jobs.acquire({ service: replica, body: { wait_ms: 60000 } });
  await sleep(300);
  const begun = Date.now();
  await Promise.all([replica.stop(), pending.then((answer) => assert.equal(answer.status, 204))]);
  assert.ok(Date.now() - begun < 10000);
});

// ------------------------------------------------------------------------------------------------------------- who may

test("only a provisioner takes builds or speaks of them", async () => {
  await jobs.drain();
  const { owner, workspace } = await ownerOf(["one"]);
  const { id } = workspace.latest_build;
  const before = await demo.asked(PROVIDERS);
  const others = await Promise.all([undefined, ["template-author"], ["auditor"], ["control-plane"]].map((roles) => world.createUser({ roles })));
  for (const token of [world.service.adminToken, owner.token, ...others.map((user) => user.token)]) {
    assertError(await refused(() => jobs.acquire({ token })), 403, "forbidden");
    for (const any of [id, UNKNOWN_ID]) {
      assertError(await refused(() => jobs.say("complete", any, { status: "succeeded" }, { token })), 403, "forbidden");
      for (const what of ["renew", "release"]) assertError(await refused(() => jobs.say(what, any, {}, { token })), 403, "forbidden");
    }
  }
  assertError(await jobs.acquire({ token: "unknown" }), 401, "unauthenticated");
  for (const [what, body] of [["complete", { status: "failed" }], ["renew", {}], ["release", {}]]) {
    assertError(await jobs.say(what, id, body, { token: "unknown" }), 401, "unauthenticated");
    for (const any of [UNKNOWN_ID, "x"]) assertError(await jobs.say(what, any, body), 404, "not_found");
    assertError(await refused(() => jobs.say(what, id, body)), 409, "conflict");
  }
  assert.equal(await demo.asked(PROVIDERS), before, "no provider was asked");
  assert.equal((await jobs.build(id)).status, "pending");
});

test("wrong bodies are told field by field", async () => {
  for (const wait_ms of [-1, 60001, "1", 1.5]) assertError(await jobs.acquire({ body: { wait_ms } }), 400, "validation_failed", "wait_ms");
  for (const [body, field] of [[{}, "status"], [{ status: "running" }, "status"], [{ status: "failed", error: 1 }, "error"],
    [{ status: "failed", error: "é".repeat(4001) }, "error"], [{ status: "failed", attempt: 0 }, "attempt"]])
    assertError(await jobs.say("complete", UNKNOWN_ID, body), 400, "validation_failed", field);
  for (const what of ["renew", "release"]) assertError(await jobs.say(what, UNKNOWN_ID, { attempt: "1" }), 400, "validation_failed", "attempt");
});

// ------------------------------------------------------------------------------------------------------------ holding

test("a build is completed once, by its holder; the same again is the same answer", async () => {
  await jobs.drain();
  await ownerOf([]);
  const { build } = await jobs.take();
  const stranger = await world.createUser({ roles: ["provisioner"] });
  const error = "é".repeat(4000);
  assertError(await jobs.say("complete", build.id, { status: "failed" }, { token: stranger.token }), 409, "conflict");
  assertError(await jobs.say("complete", build.id, { status: "failed", attempt: 2 }), 409, "conflict");
  const done = await jobs.complete(build.id, "failed", { error, attempt: 1 });
  assert.deepEqual([done.status, done.error], ["failed", { message: error }]);
  assert.deepEqual(await jobs.complete(build.id, "failed", { error }), done);
  assertError(await jobs.say("complete", build.id, { status: "succeeded" }), 409, "conflict");
  assertError(await jobs.say("complete", build.id, { status: "failed", error: "other" }), 409, "conflict");
  assert.deepEqual(await jobs.build(build.id), done);
  await ownerOf([]);
  assert.equal((await jobs.complete((await jobs.take()).build.id, "canceled")).status, "canceled");
});

test("a lease is renewed, given back, and runs out", async () => {
  await jobs.drain();
  await ownerOf([]);
  const { build, lease_expires_at } = await jobs.take();
  const stranger = await world.createUser({ roles: ["provisioner"] });
  for (let i = 0; i < 3; i++) {
    await sleep(LEASE_MS / 2);
    const renewed = await jobs.say("renew", build.id, { attempt: 1 });
    assert.equal(renewed.status, 200, renewed.text);
    assert.ok(renewed.body.lease_expires_at > lease_expires_at);
    assert.equal((await jobs.acquire({ token: stranger.token })).status, 204);
  }
  for (const what of ["renew", "release"]) assertError(await jobs.say(what, build.id, {}, { token: stranger.token }), 409, "conflict");
  assert.equal((await jobs.say("release", build.id)).status, 204);
  assertError(await jobs.say("renew", build.id), 409, "conflict");
  const again = await jobs.take({ id: build.id, token: stranger.token });
  assert.equal(again.build.attempt, 2);
  assertError(await jobs.say("complete", build.id, { status: "succeeded" }), 409, "conflict");
  // The stranger dies; whoever waits gets the build when the lease is over, from either replica.
  const third = await jobs.take({ id: build.id, service: second, body: { wait_ms: 10000 } });
  assert.equal(third.build.attempt, 3);
  assertError(await jobs.say("complete", build.id, { status: "succeeded", attempt: 2 }, { token: stranger.token }), 409, "conflict");
  assert.equal((await jobs.complete(build.id, "succeeded", { attempt: 3 })).attempt, 3);
  const lapses = second.logLines().filter((line) => line.build_id === build.id && /lease ran out/.test(line.msg ?? line.message));
  assert.deepEqual(lapses.map(({ provisioner_id }) => provisioner_id), [stranger.id]);
});

// -------------------------------------------------------------------------------------------------------------- a fleet

test("ten provisioners on two replicas carry out two hundred builds, each once, though one is killed", async () => {
  await jobs.drain();
  const template = await world.createTemplate(["one"]);
  const wanted = [];
  for (let i = 0; i < 40; i++) {
    const owner = await world.createUser({ withToken: false });
    await world.link(owner, "one");
    const workspace = await jobs.workspace(owner, template, { caller: world.service.adminToken });
    wanted.push(workspace.latest_build.id);
    for (const transition of ["stop", "start", "stop", "start"]) wanted.push((await jobs.add(workspace, transition)).body.id);
  }
  assert.equal(wanted.length, 200);
  const handedOut = [];
  const completed = [];
  let lost = null;
  const users = await Promise.all(Array.from({ length: 10 }, () => world.createUser({ roles: ["provisioner"] })));
  await Promise.all(users.map(async ({ token }, number) => {
    const service = [world.service, second][number % 2];
    for (let own = 0; ; own++) {
      const answer = await jobs.acquire({ token, service, body: { wait_ms: 2 * LEASE_MS } });
      if (answer.status === 204) return;
      assert.equal(answer.status, 200, answer.text);
      const { build } = answer.body;
      handedOut.push(`${build.id} ${build.attempt}`);
      if (number === 0 && own === 3) {
        lost = build.id;
        return;
      }
      const done = await jobs.say("complete", build.id, { status: "succeeded", attempt: build.attempt }, { token, service });
      assert.equal(done.status, 200, done.text);
      completed.push(build.id);
    }
  }));
  assert.ok(lost, "one was killed with a build in hand");
  assert.deepEqual([...completed].sort(), [...wanted].sort(), "each was carried out once");
  assert.equal(new Set(handedOut).size, handedOut.length, "no attempt was handed out twice");
  assert.equal(handedOut.length, 201);
  assert.deepEqual(handedOut.filter((line) => line.startsWith(lost)), [`${lost} 1`, `${lost} 2`]);
});

test("one call gets past any number of large builds that are refused", async () => {
  await jobs.drain();
  const { owner, template } = await ownerOf(["one"]);
  const parameters = { notes: "x".repeat(1000000) };
  for (let i = 0; i < 40; i++) await jobs.workspace(owner, template, { parameters });
  await unlink(owner, "one");
  const { workspace } = await ownerOf([]);
  await jobs.take({ id: workspace.latest_build.id });
  await jobs.complete(workspace.latest_build.id);
  const [{ failed }] = await world.sql("SELECT count(*)::int AS failed FROM builds b JOIN workspaces w ON w.id = b.workspace_id WHERE w.owner_id = $1 AND b.status = 'failed'", [owner.id]);
  assert.equal(failed, 41);
});

test("who has gone away is handed nothing: the build is the next one's at once", async () => {
  await jobs.drain();
  const stranger = await world.createUser({ roles: ["provisioner"] });
  const cut = new AbortController();
  const waiting = jobs.acquire({ signal: cut.signal, body: { wait_ms: 30000 } });
  await sleep(300);
  cut.abort();
  await assert.rejects(waiting);
  await sleep(400);
  const { workspace } = await ownerOf(["one"]);
  const { id } = workspace.latest_build;
  const judged = new AbortController();
  await demo.closeGate("one", "validate");
  const pending = jobs.acquire({ signal: judged.signal });
  await demo.awaitGate("one", "validate");
  judged.abort();
  await assert.rejects(pending);
  await demo.openGate("one", "validate");
  const again = await jobs.take({ id, token: stranger.token, body: { wait_ms: 20000 } });
  assert.equal(again.build.attempt, 1);
  assert.equal((await jobs.say("complete", id, { status: "succeeded" }, { token: stranger.token })).status, 200);
});
