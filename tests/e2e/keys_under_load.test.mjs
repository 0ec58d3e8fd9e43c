// SPDX-License-Identifier: Apache-2.0
// `gatehouse keys rotate` behind pgbouncer in transaction mode, services and command alike, while workspaces are created
// and tokens run out and are refreshed: no exchange is lost or made twice, and a pgbouncer that dies is waited for.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { after, test } from "node:test";
import { EXPIRED } from "../support/engine.mjs";
import { Pgbouncer } from "../support/pgbouncer.mjs";
import { Cluster } from "../support/postgres.mjs";
import { eventually, Program } from "../support/process.mjs";
import { newKey, newSecret, runGatehouse } from "../support/service.mjs";
import { openWorld, Serve, temporaryDirectory } from "../support/serve.mjs";

const PROVIDERS = ["north", "south", "east", "west"];
// A key's id, as the README says.
const idOf = (key) => createHash("sha256").update(Buffer.from(key, "base64")).digest("hex").slice(0, 8);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const [A, B] = [newKey(), newKey()];

const cluster = await Cluster.start();
const directory = temporaryDirectory();
const bouncer = await Pgbouncer.start(cluster, directory);
const database = await cluster.createDatabase();
const settings = { PG_CONNECTION_URL: bouncer.url(database), PG_PREPARE: "off" };
const world = await openWorld({ cluster, demo: true, key: A, settings, providers: (demo) => PROVIDERS.map((id) => demo.configure(id)) });
world.database = database;
const { demo, service: first } = world;
const second = new Serve({ providers: world.providers, adminToken: first.adminToken, key: `${B},${A}`, settings, stateDirectory: join(directory, "unused") });
world.services.push(second);
after(() => bouncer.stop()); // behind the world that needs it

// What an operator types: everything goes through pgbouncer.
const environmentWith = (keys) => ({ GATEHOUSE_PG_CONNECTION_URL: bouncer.url(database), GATEHOUSE_PG_PREPARE: "off", GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: keys });
const runRotate = (keys, ...args) => runGatehouse(["keys", "rotate", "--json", ...args], environmentWith(keys));
async function rotate(keys, ...args) {
  const { code, stdout, stderr } = await runRotate(keys, ...args);
  assert.equal(code, 0, `${stdout}${stderr}`);
  return JSON.parse(stdout);
}
const counted = (key) => world.sql("SELECT count(*)::int AS n FROM links WHERE key_id = $1", [idOf(key)]).then(([{ n }]) => n);
const exchanges = () => demo.asked(PROVIDERS, "token");

const users = [];
const templates = [];
for (const pair of [PROVIDERS.slice(0, 2), PROVIDERS.slice(2)]) templates.push(await world.createTemplate(pair));
for (let i = 0; i < 30; i++) {
  users.push(await world.createUser());
  await Promise.all(PROVIDERS.map((provider) => world.link(users[i], provider, { withRefreshToken: true, expires_at: EXPIRED })));
}
const linkCount = users.length * PROVIDERS.length;

// Creates by both services until stopped. A token lives for two seconds, so that every second create of a link refreshes it.
function load() {
  let going = true;
  let creates = 0;
  const creator = async (service, offset) => {
    for (let i = offset; going; i++) {
      const answer = await world.createWorkspace(users[i % users.length], templates[i % 7 % 2], { service });
      assert.equal(answer.status, 201, answer.text);
      creates++;
    }
  };
  const done = Promise.all([creator(first, 0), creator(second, 0), creator(first, 11), creator(second, 17)]);
  return async () => {
    going = false;
    await done;
    return creates;
  };
}

async function assertNothingLost() {
  for (const provider of PROVIDERS) {
    const { refreshes_reused, refreshes_overlapping, families_revoked } = await demo.counters(provider);
    assert.deepEqual({ refreshes_reused, refreshes_overlapping, families_revoked }, { refreshes_reused: 0, refreshes_overlapping: 0, families_revoked: 0 });
  }
  // Every refresh token is spent once more, so it was the newest and it opens.
  await world.sql("UPDATE links SET expires_at = now() - interval '1 hour', issued_at = now() - interval '2 hours'");
  const before = await exchanges();
  for (const user of users)
    for (const template of templates) assert.equal((await world.createWorkspace(user, template, { service: second })).status, 201);
  assert.ok(await exchanges() - before >= linkCount);
}

async function restart(keys, other = keys) {
  first.key = keys;
  second.key = other;
  await Promise.all([first, second].map((serve) => (serve.program ? serve.restart() : serve.start())));
}

test("keys are rotated through pgbouncer while creates and refreshes go on", async (t) => {
  await Promise.all(PROVIDERS.map((provider) => demo.set(provider, { expires_in: 2 })));
  await restart(`${B},${A}`);
  assert.equal(await counted(A), linkCount);
  const before = await exchanges();
  const stop = load();
  await eventually("tokens are being refreshed", async () => await exchanges() > before, 10000, 2);
  const outcomes = await Promise.all([1, 3].map((batch) => rotate(`${B},${A}`, "--batch", String(batch))));
  const during = await exchanges() - before;
  await eventually("tokens are refreshed all the while", async () => await exchanges() - before > during);
  const creates = await stop();
  t.diagnostic(`${creates} creates; ${during} exchanges during the rotation; ${outcomes.map(({ links, duration_ms }) => `${links} links in ${duration_ms} ms`).join(", ")}`);
  assert.ok(during > 0, "tokens were refreshed during the rotation");
  assert.ok(outcomes.some(({ links }) => links > 0));
  for (const outcome of outcomes) assert.deepEqual([outcome.unreadable, outcome.left, outcome.key_id], [0, 0, idOf(B)]);
  assert.deepEqual([await counted(A), await counted(B)], [0, linkCount]);
  await assertNothingLost();
});

test("a service that still has the old list keeps the old key in use, which is said and mended by a second rotation", async (t) => {
  const C = newKey();
  await restart(`${B},${C}`, `${C},${B}`);
  const stop = load();
  const { code, stdout, stderr } = await runRotate(`${C},${B}`, "--batch", "5");
  await eventually("the service with the old list writes with its own first key", async () => await counted(B) > 0);
  await stop();
  const { left, unreadable } = JSON.parse(stdout);
  assert.equal(code, left > 0 ? 5 : 0, stderr);
  assert.equal(unreadable, 0);
  const behind = await counted(B);
  t.diagnostic(`exit code ${code} with ${left} rows left; later ${behind} of ${linkCount} were under the old key again`);
  await restart(`${C},${B}`);
  assert.equal((await rotate(`${C},${B}`)).links, behind);
  assert.deepEqual([await counted(B), await counted(C)], [0, linkCount]);
  await assertNothingLost();
  await rotate(`${B},${C}`);
});

test("the old keys may go, and nothing stays in a server connection", async () => {
  await restart(B);
  await assertNothingLost();
  for (const serve of [first, second]) assert.doesNotMatch(serve.output(), /prepared statement|decryption_failed|"level":"error"/);
  assert.deepEqual(await cluster.query(database, "SELECT pid FROM pg_locks WHERE locktype = 'advisory'"), []);
});

test("a pgbouncer that dies in the middle of a rotation is waited for", async () => {
  const C = newKey();
  const rotating = new Program("gatehouse keys rotate", process.env.GATEHOUSE_BIN, ["keys", "rotate", "--json", "--batch", "1"], { env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent", ...environmentWith(`${C},${B}`) } });
  await eventually("some rows are done", async () => await counted(C) > 5, 20000, 2);
  await bouncer.stop("SIGKILL");
  const done = await counted(C);
  assert.ok(done < linkCount, "it was in the middle");
  await sleep(1000);
  assert.equal(rotating.end, undefined, rotating.story());
  await bouncer.resume();
  const { code } = await rotating.exited();
  assert.equal(code, 0, rotating.story());
  assert.equal(await counted(C), linkCount);
  assert.equal((await rotate(`${B},${C}`)).links, linkCount, "and back");
  assert.deepEqual([await counted(B), await counted(C)], [linkCount, 0]);
  await assertNothingLost();
});
