// SPDX-License-Identifier: Apache-2.0
// What no token may be lost to, seen from outside: another process, SIGTERM, kill -9, a restart of PostgreSQL. The
// provider's gate says when an exchange is under way, so nothing here sleeps and hopes. The cluster is this file's own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/process.mjs";
import { Cluster } from "../support/postgres.mjs";
import { assertError, World } from "../support/world.mjs";

const EXPIRED = "2020-01-01T00:00:00Z";
const LEASE_MS = 2000;
const cluster = await Cluster.start();
const world = await World.open({
  cluster,
  providers: (demo) => ["shared", "term", "killed", "lost", "restart", "slow", "stalled"].map((id) => demo.configure(id)),
  settings: { REFRESH_LEASE: `${LEASE_MS}ms`, REFRESH_COOLDOWN: "1s" },
});
const { demo } = world;

async function expired(provider) {
  const user = await world.createUser();
  const template = await world.createTemplate([provider]);
  const minted = await world.link(user, provider, { withRefreshToken: true, expires_at: EXPIRED });
  return { user, template, minted };
}
const row = async (user, provider) => (await world.sql("SELECT * FROM links WHERE owner_id = $1 AND provider_id = $2", [user.id, provider]))[0];
const isSaved = (user, provider, generation = 2) =>
  eventually("the token is saved", async () => Number((await row(user, provider)).generation) === generation, 20000);

test("two processes share one exchange and one outcome", async () => {
  const other = await world.replica();
  for (let round = 0; round < 5; round++) {
    const { user, template } = await expired("shared");
    const before = await demo.asked("shared", "token");
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) =>
      world.createWorkspace(user, template, { service: i % 2 ? other : world.service })));
    assert.deepEqual(answers.map(({ status }) => status), Array(40).fill(201));
    assert.equal(await demo.asked("shared", "token") - before, 1, `round ${round}`);
  }
  const { refreshes_reused, refreshes_overlapping } = await demo.counters("shared");
  assert.deepEqual([refreshes_reused, refreshes_overlapping], [0, 0]);
});

test("two processes share a refusal too", async () => {
  const other = world.services[1];
  const { user, template, minted } = await expired("shared");
  await demo.revoke("shared", { refresh_token: minted.refresh_token });
  await demo.closeGate("shared", "token", { state: "once" });
  const before = await demo.asked("shared", "token");
  const asking = Array.from({ length: 10 }, (_, i) => world.createWorkspace(user, template, { service: i % 2 ? other : world.service }));
  await demo.awaitGate("shared", "token");
  await demo.openGate("shared", "token");
  for (const answer of await Promise.all(asking))
    assert.equal(assertError(answer, 403, "external_auth_required").external_auth[0].reason, "refresh_rejected");
  assert.equal(await demo.asked("shared", "token") - before, 1);
});

test("SIGTERM during an exchange saves the token, although its caller has gone", async () => {
  const leaving = await world.replica();
  const { user, template } = await expired("term");
  await demo.closeGate("term", "token", { state: "once", moment: "after" });
  const leaver = new AbortController();
  const left = leaving.request("POST", `/api/v2/users/${user.username}/workspaces`, {
    token: user.token, body: { name: "left", template_id: template.id }, signal: leaver.signal,
  }).catch((error) => error.name);
  await demo.awaitGate("term", "token");
  leaver.abort();
  await left;
  leaving.program.child.kill("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(leaving.program.end, undefined, "it waits for the exchange");
  await demo.openGate("term", "token");
  assert.equal((await leaving.program.exited()).code, 0, leaving.program.story());
  assert.equal(Number((await row(user, "term")).generation), 2);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(await demo.asked("term", "token"), 1);
});

// Kills a process while the provider holds the answer to its exchange.
async function killDuring(provider, moment) {
  const victim = await world.replica();
  const { user, template } = await expired(provider);
  await demo.closeGate(provider, "token", { state: "once", moment });
  const asked = world.createWorkspace(user, template, { service: victim }).catch((error) => error.code);
  await demo.awaitGate(provider, "token");
  victim.program.child.kill("SIGKILL");
  await victim.program.exited();
  await asked;
  world.services.splice(world.services.indexOf(victim), 1);
  return { user, template };
}

test("kill -9 before the provider has rotated heals with one more try", async () => {
  await demo.fault("killed", "token", { status: 500, times: 1 }); // the dead process's request is not carried out
  const { user, template } = await killDuring("killed", "before");
  await demo.openGate("killed", "token");
  await eventually("the provider is done with the dead process", async () => (await demo.requests("killed", "token")).length === 1);
  assert.equal((await row(user, "killed")).unresolved, 1, "the journal knows of it");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal((await row(user, "killed")).unresolved, 0);
  assert.equal(await demo.asked("killed", "token"), 2);
});

test("kill -9 after the provider has rotated ends as rotation_lost, after one more try", async () => {
  const { user, template } = await killDuring("lost", "after");
  await demo.openGate("lost", "token");
  for (let i = 0; i < 3; i++) {
    const body = assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
    assert.equal(body.external_auth[0].reason, "rotation_lost");
  }
  assert.equal(await demo.asked("lost", "token"), 2, "one more try, and none after it");
  const { refreshes_reused, families_revoked } = await demo.counters("lost");
  assert.deepEqual([refreshes_reused, families_revoked], [1, 1]);
  await world.link(user, "lost", { withRefreshToken: true, expires_at: EXPIRED });
  assert.equal((await world.createWorkspace(user, template)).status, 201);
});

// Creates until the reason, or the status 201, is this; all that were seen on the way.
async function createUntil(user, template, last) {
  const seen = new Set();
  await eventually(`a create says ${last}`, async () => {
    const answer = await world.createWorkspace(user, template);
    const said = answer.status === 201 ? 201 : answer.body.external_auth[0].reason;
    seen.add(said);
    return said === last;
  }, 20000, 200);
  return [...seen];
}

test("a lease that ends before a slow provider has rotated heals with one more try", async () => {
  const { user, template } = await expired("slow");
  await demo.fault("slow", "token", { delay_ms: 3 * LEASE_MS, times: 1 });
  assert.deepEqual(await createUntil(user, template, 201), ["provider_unavailable", 201]);
  assert.equal(await demo.asked("slow", "token"), 2);
});

test("a lease that ends after a slow provider has rotated ends as rotation_lost, after one more try", async () => {
  const { user, template } = await expired("stalled");
  await demo.closeGate("stalled", "token", { state: "once", moment: "after" });
  assert.deepEqual(await createUntil(user, template, "rotation_lost"), ["provider_unavailable", "rotation_lost"]);
  await demo.openGate("stalled", "token");
  assert.equal(await demo.asked("stalled", "token"), 2);
  assert.deepEqual(await createUntil(user, template, "rotation_lost"), ["rotation_lost"]);
  assert.equal(await demo.asked("stalled", "token"), 2, "it is not asked again");
});

test("a restart of PostgreSQL while the provider holds the answer loses nothing", async () => {
  const { user, template } = await expired("restart");
  await demo.closeGate("restart", "token", { state: "once", moment: "after" });
  const creating = world.createWorkspace(user, template);
  await demo.awaitGate("restart", "token");
  await cluster.pause();
  await demo.openGate("restart", "token");
  const answer = await creating;
  assert.ok([201, 503].includes(answer.status), answer.text);
  await new Promise((resolve) => setTimeout(resolve, LEASE_MS + 500)); // the lease has run out meanwhile
  await cluster.resume();
  await isSaved(user, "restart");
  await eventually("all is well", async () => (await world.createWorkspace(user, template)).status === 201);
  assert.equal(await demo.asked("restart", "token"), 1);
  assert.ok(world.service.logLines().some(({ message }) => message === "refreshed token not saved yet"));
});

test("SIGTERM while the database is away still saves what was issued", async () => {
  const leaving = await world.replica();
  const { user, template } = await expired("restart");
  const before = await demo.asked("restart", "token");
  await demo.closeGate("restart", "token", { state: "once", moment: "after" });
  const creating = world.createWorkspace(user, template, { service: leaving }).catch((error) => error.code);
  await demo.awaitGate("restart", "token");
  await cluster.pause();
  await demo.openGate("restart", "token");
  await creating;
  leaving.program.child.kill("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal(leaving.program.end, undefined, "it waits for the database");
  await cluster.resume();
  assert.equal((await leaving.program.exited()).code, 0, leaving.program.story());
  await isSaved(user, "restart");
  await eventually("all is well", async () => (await world.createWorkspace(user, template)).status === 201);
  assert.equal(await demo.asked("restart", "token") - before, 1);
});
