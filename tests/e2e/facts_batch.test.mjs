// SPDX-License-Identifier: Apache-2.0
// Many clients ask at once about many owners, no two of whom have the same links, on so few connections that questions
// share statements; meanwhile a table is locked, connections are cut and PostgreSQL is killed. Every answer is either that
// the database is away or its own owner's, to the last token; and a service that is told to stop in the middle stops.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { count, EngineWorld } from "../support/engine.mjs";
import { Jobs } from "../support/jobs.mjs";
import { eventually } from "../support/process.mjs";

const CLIENTS = count("GATEHOUSE_TEST_STORM_CLIENTS", 64);
const STORM_MS = count("GATEHOUSE_TEST_STORM_MS", 1000); // of each of the storm's parts
const OWNERS = count("GATEHOUSE_TEST_STORM_OWNERS", 54);
const PROVIDERS = ["one", "two", "three"];
const SLOWEST_MS = 20000; // a statement that waits for its connection, for its answer, and once more
const STOP_MS = 5000; // well below what requests in flight may take: GATE_TIMEOUT and a margin
const world = await EngineWorld.open({
  providers: (demo) => PROVIDERS.map((id) => demo.configure(id, { validate_url: undefined })),
  settings: { PG_CONNECTIONS: "4", DECISION_RATE_MAX: "1000000" },
});
const { cluster } = world;
const jobs = await Jobs.create(world);
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const templates = [];
for (const external_auth of [PROVIDERS, ["two"], ["three", { id: "one", optional: true }], []]) {
  const required = external_auth.filter((each) => !each.optional);
  const { id, active_version } = await world.createTemplate(external_auth);
  templates.push({ id, version: active_version.id, ids: external_auth.map((each) => each.id ?? each), required });
}

// What an owner's link to each provider is like: their number's digits to the base of three. Each link ends at a minute of
// its owner's own.
const REASONS = ["not_validated", "not_linked", "expired"];
const MINUTE_MS = 60000;
const accessToken = (owner, id) => `token-of-${owner.username}-at-${id}`;

async function createOwner(number) {
  const owner = await world.createUser();
  owner.links = {};
  for (const [place, id] of PROVIDERS.entries()) {
    const reason = REASONS[Math.floor(number / 3 ** place) % 3];
    const ends = Date.parse(reason === "expired" ? "2020-01-01T00:00:00Z" : "2120-01-01T00:00:00Z") + number * MINUTE_MS;
    const link = (owner.links[id] = { reason, expires_at: new Date(ends).toISOString() });
    if (reason !== "not_linked")
      await world.importLink(owner, id, { access_token: accessToken(owner, id), expires_at: link.expires_at });
  }
  return owner;
}
const owners = await Promise.all(Array.from({ length: OWNERS }, (_, number) => createOwner(number)));
const owner = (name) => owners.find(({ username }) => username === name);

// What was told that nobody should be told.
const strange = [];
let asked = 0;
let away = 0;
let slowest = 0;
let stopping = false;
let over = false;
const random = (list) => list[Math.floor(Math.random() * list.length)];
const anyName = ({ username, id }) => random([username, id, id.toUpperCase()]);
const missing = (owner, ids) => ids.filter((id) => owner.links[id].reason !== "not_validated");
const fields = (validations) => validations.map(({ detail }) => detail);

// The answer, or null where the database was away.
async function ask(method, path, options, statuses) {
  const begun = performance.now();
  const answer = await world.api(method, path, { timeoutMs: 60000, ...options });
  slowest = Math.max(slowest, performance.now() - begun);
  asked++;
  if (answer.status === 503) {
    away++;
    assert.ok(answer.body.code === "database_unavailable" || (stopping && answer.body.code === "draining"), answer.text);
    return null;
  }
  assert.ok(statuses.includes(answer.status), `${answer.status} ${answer.text}`);
  return answer;
}

function assertStates(states, owner, ids) {
  assert.deepEqual(states.map(({ id, reason }) => [id, reason]), ids.map((id) => [id, owner.links[id].reason]), owner.username);
}

// A version, or some of the providers by name, or none of them; what both come to.
function anySubject() {
  const { version, ids, required } = random(templates);
  if (Math.random() < 0.6) return { subject: { template_version_id: version }, ids, required };
  const named = PROVIDERS.filter(() => Math.random() < 0.6).sort(() => Math.random() - 0.5);
  return { subject: { external_auth: named }, ids: named, required: named };
}

async function check() {
  const owner = random(owners);
  const { subject, required } = anySubject();
  const answer = await ask("POST", "/gate/v1/check", { token: controlPlane.token, body: { owner: anyName(owner), ...subject } }, [200]);
  if (answer === null) return;
  assert.equal(answer.body.allowed, missing(owner, required).length === 0, answer.text);
  assertStates(answer.body.external_auth.filter(({ optional }) => !optional), owner, required);
  assert.deepEqual(fields(answer.body.validations), missing(owner, required));
}

async function checkUnseen() {
  const { subject, required } = anySubject();
  const body = { owner: world.name("unseen"), ...subject };
  const answer = await ask("POST", "/gate/v1/check", { token: controlPlane.token, body }, [200]);
  if (answer) assert.deepEqual(fields(answer.body.validations), required);
}

async function explain() {
  const owner = random(owners);
  const { subject, ids } = anySubject();
  const { token } = random([owner, controlPlane]);
  const answer = await ask("POST", "/gate/v1/explain", { token, body: { owner: anyName(owner), ...subject } }, [200]);
  if (answer === null) return;
  assertStates(answer.body.external_auth, owner, ids);
  for (const { id, linked, expires_at } of answer.body.facts) {
    assert.equal(linked, owner.links[id].reason !== "not_linked", answer.text);
    if (linked) assert.equal(Date.parse(expires_at), Date.parse(owner.links[id].expires_at), answer.text);
  }
}

async function preflight() {
  const owner = random(owners);
  const { version, ids } = random(templates);
  const own = Math.random() < 0.5;
  const path = `/api/v2/templateversions/${version}/external-auth${own ? "" : `?user_id=${anyName(owner)}`}`;
  const answer = await ask("GET", path, { token: own ? owner.token : controlPlane.token }, [200]);
  if (answer) assertStates(answer.body, owner, ids);
}

async function authorize() {
  const owner = random(owners);
  const { version, required } = random(templates);
  const refused = missing(owner, required);
  const headers = { "X-Gatehouse-Owner": anyName(owner), "X-Gatehouse-Template-Version": version };
  const answer = await ask("GET", "/gate/v1/ext-authz/", { token: controlPlane.token, headers }, [refused.length ? 403 : 200]);
  if (answer?.status === 403) assert.deepEqual(fields(answer.body.validations), refused);
}

// A name that is taken is another owner's as well: it is a conflict for who has it, and for nobody else.
const taken = new Set();
async function create() {
  const owner = random(owners);
  const { id, version, required } = random(templates);
  const refused = missing(owner, required);
  const name = Math.random() < 0.2 ? "again" : world.name("ws");
  const by = random([{ template_id: id }, { template_version_id: version }]);
  const had = name === "again" && taken.has(owner);
  if (name === "again" && refused.length === 0) taken.add(owner);
  const answer = await ask("POST", `/api/v2/users/${random(["me", anyName(owner)])}/workspaces`, { token: owner.token, body: { name, ...by } },
    [refused.length ? 403 : 201, had || taken.has(owner) ? 409 : 0]);
  if (answer?.status === 201) assert.deepEqual([answer.body.owner_id, answer.body.owner_name, answer.body.name], [owner.id, owner.username, name]);
  if (answer?.status === 409) assert.equal(name, "again", answer.text);
  if (answer?.status !== 403) return;
  assert.deepEqual(fields(answer.body.validations), refused);
  assert.ok(answer.body.detail.startsWith(`${owner.username} must `), answer.text);
}

async function acquire() {
  const answer = await ask("POST", "/api/v2/provisioner/acquire", { token: jobs.provisioner.token, body: {} }, [200, 204]);
  if (answer?.status !== 200) return;
  const owner = owners.find(({ username }) => username === answer.body.workspace.owner_name);
  for (const { id, access_token } of answer.body.external_auth) assert.equal(access_token, accessToken(owner, id));
}

const WAYS = [check, check, checkUnseen, explain, explain, preflight, preflight, authorize, create, create, acquire];
async function client() {
  while (!over && strange.length < 20) {
    const way = random(WAYS);
    try {
      await way();
    } catch (error) {
      if (stopping && !(error instanceof assert.AssertionError)) return; // nobody is there any more
      strange.push(`${way.name}: ${error.message}`);
    }
  }
}

async function lockUsers(holdMs) {
  const locker = new pg.Client({ host: cluster.socketDirectory, user: "postgres", database: world.database });
  await locker.connect();
  await locker.query("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
  await sleep(holdMs);
  await locker.query("COMMIT").finally(() => locker.end());
}

async function cutConnections() {
  for (let i = 0; i < 10; i++) {
    await world.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'gatehouse' AND random() < 0.5");
    await sleep(STORM_MS / 10);
  }
}

async function killCluster() {
  await cluster.crash();
  await sleep(STORM_MS / 2);
  await cluster.resume();
  await eventually("all is well again", async () => {
    const before = [asked, away];
    await sleep(300);
    return asked > before[0] + CLIENTS && away === before[1];
  }, 20000);
}

// While nobody can be answered, and many wait for their turn.
async function stopService() {
  const locked = lockUsers(STORM_MS / 2);
  await sleep(STORM_MS / 4);
  stopping = true;
  const begun = performance.now();
  await world.service.program.stop("SIGTERM", 30000);
  const stoppedMs = performance.now() - begun;
  await locked;
  assert.ok(stoppedMs < STOP_MS, `who comes back at once when refused held up the stop for ${stoppedMs} ms`);
}

test("whatever becomes of the database, nobody is given another owner's answer", { timeout: 120000 }, async (t) => {
  const clients = Array.from({ length: CLIENTS }, client);
  const parts = [];
  try {
    for (const [name, work] of Object.entries({ calm: () => sleep(STORM_MS), locked: () => lockUsers(STORM_MS), cutConnections, killCluster, stopService })) {
      const before = [asked, away];
      await work();
      parts.push(`${name} ${asked - before[0]}, ${away - before[1]} of them in vain`);
      assert.deepEqual(strange, [], name);
    }
  } finally {
    over = true;
    await Promise.all(clients);
  }
  t.diagnostic(`${parts.join("; ")}; slowest ${slowest.toFixed(0)} ms`);
  assert.deepEqual(strange, []);
  const { program } = world.service;
  assert.deepEqual([program.end, program.sanitizerReport()], [{ code: 0, signal: null }, null], program.story());
  assert.ok(slowest < SLOWEST_MS, `an answer took ${slowest} ms`);
  assert.deepEqual(world.service.logLines().filter(({ level }) => level === "error"), [], "but for the outage there was nothing to complain of");
});
