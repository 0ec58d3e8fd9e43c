// SPDX-License-Identifier: Apache-2.0
// Fifty clients at three replicas create, claim, start, stop, delete, suspend, unlink and carry out builds at once, some of
// them leave in the middle, PostgreSQL is killed twice meanwhile, and one replica for good. Whatever each of them was told, afterwards nothing is
// there twice, nothing is lost, every build has ended, and no token is where none belongs.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { count, EngineWorld } from "../support/engine.mjs";
import { Jobs } from "../support/jobs.mjs";
import { eventually } from "../support/process.mjs";

const STORM_MS = count("GATEHOUSE_TEST_STORM_MS", 5000);
const OWNERS = 6;
const PREBUILDS = 40;
const ids = ["one", "two"];
const world = await EngineWorld.open({ ids, settings: { BUILD_LEASE: "2s", GATE_TIMEOUT: "2s", DECISION_RATE_MAX: "1000000" } });
const { demo, cluster } = world;
await world.replica();
const doomed = await world.replica();
const jobs = await Jobs.create(world);
const provisioners = await Promise.all(Array.from({ length: 6 }, () => world.createUser({ roles: ["provisioner"] })));
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const template = await world.createTemplate(["one", { id: "two", optional: true }]);
const owners = [];
for (let i = 0; i < OWNERS; i++) {
  const owner = await world.createUser();
  for (const id of ids) await world.link(owner, id, { withRefreshToken: true });
  owners.push(owner);
}
await jobs.prebuilds(template, PREBUILDS);

const tokens = new Set(); // everything a provider issued that a client was given
const answered = []; // {name, owner, id, key, status, text}: what was told as done
const handed = []; // {id, attempt, provisioner}
let unavailable = 0;
const codes = {};
const lasts = new Map();
const strange = []; // answers that nobody should get
let over = false;
const random = (list) => list[Math.floor(Math.random() * list.length)];
const service = () => random(world.services);

// One request by a client that may lose patience; null where no answer came.
async function ask(method, path, { patience = 8000, ...options }, fine) {
  let answer;
  try {
    answer = await service().request(method, path, { ...options, signal: AbortSignal.timeout(patience), timeoutMs: 15000 });
  } catch (error) {
    if (error instanceof assert.AssertionError) strange.push(error.message);
    return null;
  }
  if (answer.status === 503) unavailable++;
  if (![...fine, 503].includes(answer.status)) strange.push(`${method} ${path} ${JSON.stringify(options.body)}: ${answer.status} ${answer.text.slice(0, 400)}`);
  return answer;
}
const patience = () => (Math.random() < 0.15 ? 1 + Math.floor(Math.random() * 30) : 8000);

// The same with one key until there is an answer that lasts.
async function insist(method, path, options, fine) {
  const key = randomUUID();
  for (;;) {
    const answer = await ask(method, path, { ...options, patience: patience(), headers: { "Idempotency-Key": key } }, [...fine, 409]);
    // A caller who is suspended is told so before the key is looked up: an earlier run may have done it.
    const again = answer === null || answer.status === 503 || ["idempotency_key_in_use", "forbidden", "owner_suspended"].includes(answer.body.code);
    if (answer?.status >= 400) codes[answer.body.code] = (codes[answer.body.code] ?? 0) + 1;
    if (!again) return answer;
    if (over === "late") return null;
    await sleep(50);
  }
}

async function creator() {
  while (!over) {
    const owner = random(owners);
    const name = `w-${randomUUID().slice(0, 20)}`;
    const body = { name, template_id: template.id, claim_prebuild: random(["never", "prefer", "prefer", "require"]) };
    const path = `/api/v2/users/${owner.username}/workspaces`;
    const answer = await insist("POST", path, { token: random([owner.token, controlPlane.token]), body }, [201, 403]);
    if (answer?.status !== 201) lasts.set(name, answer?.text); // for whoever must find out
    if (answer?.status === 201) answered.push({ name, owner: owner.id, id: answer.body.id, claimed: answer.body.claimed_prebuild, build: answer.body.latest_build.id });
    await sleep(20);
  }
}

const told = []; // builds that were acknowledged
async function builder() {
  while (!over) {
    await sleep(20);
    if (answered.length === 0) continue;
    const { id } = random(answered);
    const transition = random(["start", "start", "stop", "stop", "start", "delete"]);
    const answer = await insist("POST", `/api/v2/workspaces/${id}/builds`, { token: controlPlane.token, body: { transition } }, [201, 403, 404]);
    if (answer?.status === 201) told.push({ id: answer.body.id, workspace: id, number: answer.body.number });
  }
}

async function reaper() {
  while (!over) {
    await sleep(150);
    const [row] = await world.sql("SELECT id FROM workspaces WHERE owner_id = '00000000-0000-7000-8000-000000000001' AND deleted_at IS NULL ORDER BY random() LIMIT 1").catch(() => []);
    if (row) await insist("POST", `/api/v2/workspaces/${row.id}/builds`, { token: world.service.adminToken, body: { transition: random(["delete", "stop", "start"]) } }, [201, 403, 404]);
    await ask("POST", `/api/v2/templates/${template.id}/prebuilds`, { token: controlPlane.token, body: { count: 2 } }, [201]);
  }
}

const completed = []; // builds whose end was acknowledged, with the status
async function provisioner({ id: user, token }) {
  for (;;) {
    const answer = await ask("POST", "/api/v2/provisioner/acquire", { token, body: { wait_ms: random([0, 50, 300]) }, patience: patience() }, [200, 204]);
    if (answer?.status === 204 && over === "drained") return;
    if (answer?.status !== 200) {
      await sleep(10);
      continue;
    }
    const { build, external_auth } = answer.body;
    handed.push({ id: build.id, attempt: build.attempt, user, moment: build.reason });
    for (const { access_token } of external_auth) tokens.add(access_token);
    const fate = Math.random();
    if (!over && fate < 0.05) continue; // died: its lease runs out
    if (!over && fate < 0.1) {
      await ask("POST", `/api/v2/builds/${build.id}/release`, { token, body: { attempt: build.attempt } }, [200, 204, 409]);
      continue;
    }
    if (fate < 0.2) await ask("POST", `/api/v2/builds/${build.id}/renew`, { token, body: { attempt: build.attempt } }, [200, 409]);
    if (!over && fate < 0.25) await sleep(2100); // too late, mostly
    const body = { status: random(["succeeded", "succeeded", "failed"]), attempt: build.attempt };
    for (;;) {
      const end = await ask("POST", `/api/v2/builds/${build.id}/complete`, { token, body, patience: patience() }, [200, 409]);
      if (end?.status === 200) completed.push({ id: build.id, status: body.status, attempt: build.attempt });
      if (end?.status === 200 || end?.status === 409) break;
      await sleep(20);
    }
    // Somebody else's word, and the same again.
    if (fate > 0.9) await ask("POST", `/api/v2/builds/${build.id}/complete`, { token: random(provisioners).token, body: { ...body, status: "canceled" } }, [200, 409]);
    if (fate > 0.8) await ask("POST", `/api/v2/builds/${build.id}/complete`, { token, body }, [200, 409]);
  }
}

async function trouble() {
  while (!over) {
    const owner = random(owners);
    await ask("PATCH", `/api/v2/users/${owner.id}`, { token: world.service.adminToken, body: { status: "suspended" } }, [200]);
    await sleep(30);
    const wake = () => ask("PATCH", `/api/v2/users/${owner.id}`, { token: world.service.adminToken, body: { status: "active" } }, [200]);
    while ((await wake())?.status !== 200) await sleep(50);
    const other = random(owners);
    await ask("DELETE", "/api/v2/external-auth/one", { token: other.token }, [200, 404, 403, 401]);
    await sleep(30);
    const { access_token, refresh_token } = await demo.mint("one", { login: other.username });
    tokens.add(access_token).add(refresh_token);
    const put = () => ask("PUT", `/api/v2/users/${other.id}/external-auth/one`, { token: world.service.adminToken, body: { access_token, refresh_token } }, [204]);
    while ((await put())?.status !== 204) await sleep(50);
    await sleep(100);
  }
}

// What must hold at any moment.
async function watch() {
  while (!over) {
    const rows = await world.sql(`SELECT workspace_id, count(*)::int AS n, bool_and(provisioner_id IS NOT NULL AND lease_until IS NOT NULL) AS held
      FROM builds WHERE status = 'running' GROUP BY workspace_id HAVING count(*) > 1 OR NOT bool_and(provisioner_id IS NOT NULL AND lease_until IS NOT NULL)`).catch(() => []);
    if (rows.length > 0) strange.push(`running: ${JSON.stringify(rows)}`);
    await sleep(50);
  }
}

async function crashes() {
  for (let round = 0; round < 2; round++) {
    await sleep(STORM_MS / 4);
    await cluster.crash();
    await cluster.resume();
  }
  await sleep(STORM_MS / 4);
  await world.lose(doomed);
  await sleep(STORM_MS / 4);
}

test("the storm", { timeout: 150000 }, async (t) => {
  const clients = [...Array.from({ length: 22 }, creator), ...Array.from({ length: 18 }, builder), reaper(), trouble(), watch()];
  const working = provisioners.map(provisioner);
  await crashes();
  over = true;
  // As if the time had passed for which the dead had claimed builds and held keys.
  await world.sql("UPDATE builds SET lease_until = clock_timestamp() WHERE status = 'pending' AND lease_id IS NOT NULL");
  await world.sql("UPDATE idempotency_keys SET held_until = clock_timestamp() WHERE held_until IS NOT NULL");
  await Promise.all(clients);
  await eventually("every build has ended", async () =>
    (await world.sql("SELECT id FROM builds WHERE status IN ('pending', 'running') LIMIT 1")).length === 0, 60000);
  over = "drained";
  await Promise.all(working);
  assert.deepEqual(strange.slice(0, 10), [], `${strange.length} strange answers`);
  t.diagnostic(`${answered.length} creates (${answered.filter(({ claimed }) => claimed).length} claims), ${told.length} builds, ${handed.length} hand-outs, ${unavailable} times 503, ${JSON.stringify(codes)}`);
});

const none = async (what, text, values) => assert.deepEqual(await world.sql(text, values), [], what);

test("whatever was told is there, once", async () => {
  await none("numbers without holes", `SELECT w.id FROM workspaces w JOIN builds b ON b.workspace_id = w.id GROUP BY w.id, w.build_number
    HAVING max(b.number) <> w.build_number OR count(*) <> w.build_number OR min(b.number) <> 1`);
  const rows = new Map((await world.sql("SELECT id, name, owner_id, claimed_at FROM workspaces")).map((row) => [row.id, row]));
  assert.equal(new Set(answered.map(({ id }) => id)).size, answered.length, "one workspace, one client");
  for (const { id, name, owner, claimed } of answered) {
    const row = rows.get(id);
    assert.ok(row, `${name} is lost`);
    assert.deepEqual([row.name, row.owner_id, row.claimed_at !== null], [name, owner, claimed]);
  }
  const names = new Set(answered.map(({ name }) => name));
  const untold = [...rows.values()].filter(({ name }) => name.startsWith("w-") && !names.has(name)).map((row) => ({ ...row, last: lasts.get(row.name) }));
  assert.deepEqual(untold, [], "every client insisted until it knew");
  const builds = new Map((await world.sql("SELECT id, workspace_id, number, status, attempt FROM builds")).map((row) => [row.id, row]));
  for (const { id, workspace, number } of told) assert.deepEqual([builds.get(id)?.workspace_id, builds.get(id)?.number], [workspace, number]);
  assert.equal(new Set(told.map(({ id }) => id)).size, told.length);
  for (const { id, status } of completed) assert.equal(builds.get(id).status, status, "an end that was told stays");
});

test("each attempt was one provisioner's, and had its decision", async () => {
  const attempts = handed.map(({ id, attempt }) => `${id} ${attempt}`);
  assert.equal(new Set(attempts).size, attempts.length, "handed out twice");
  const [{ attempts: gated }] = await world.sql("SELECT coalesce(sum(attempt), 0)::int AS attempts FROM builds WHERE moment IN ('create', 'start', 'claim')");
  const [{ n }] = await world.sql("SELECT count(*)::int AS n FROM decisions WHERE moment = 'acquire' AND outcome = 'allowed'");
  assert.equal(n, gated, "decisions of hand-outs");
  await none("a build without its decision", "SELECT b.id FROM builds b LEFT JOIN decisions d ON d.id = b.decision_id WHERE b.moment <> '' AND d.id IS NULL");
  await none("a workspace without its decision", "SELECT w.id FROM workspaces w LEFT JOIN decisions d ON d.id = w.decision_id WHERE w.name LIKE 'w-%' AND d.id IS NULL");
  await none("a deletion that is still under way", "SELECT id FROM workspaces WHERE deleting_number IS NOT NULL AND deleted_at IS NULL");
  await none("deleted without a deletion, or the other way round", `SELECT w.id FROM workspaces w WHERE (w.deleted_at IS NOT NULL) <>
    EXISTS (SELECT FROM builds b WHERE b.workspace_id = w.id AND b.transition = 'delete' AND b.status = 'succeeded')`);
  await none("a build that ran behind a deletion", `SELECT b.id FROM builds b JOIN builds d ON d.workspace_id = b.workspace_id AND d.transition = 'delete' AND d.status = 'succeeded'
    WHERE b.number > d.number AND b.status <> 'canceled'`);
});

test("no token where none belongs, and no error in the logs", async () => {
  for (const { value } of await demo.secrets()) tokens.add(value);
  const dump = await world.psqlDump();
  const logs = world.services.map((each) => each.output()).join("\n");
  for (const token of tokens) assert.ok(!dump.includes(token) && !logs.includes(token), "a token");
  const errors = world.services.flatMap((each) => each.logLines()).filter(({ level }) => level === "error");
  assert.deepEqual(errors.map(({ message }) => message).filter((message) => !/not in the audit log|lost to the log/.test(message)), []);
});
