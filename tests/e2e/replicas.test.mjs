// SPDX-License-Identifier: Apache-2.0
// Many processes and what stands between them and one database: a first start of six at once, pgbouncer in transaction
// mode, and a list of hosts of which the first is dead.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { Pgbouncer } from "../support/pgbouncer.mjs";
import { Cluster } from "../support/postgres.mjs";
import { eventually, freePort } from "../support/process.mjs";
import { newKey, newSecret } from "../support/service.mjs";
import { openWorld, Serve, temporaryDirectory } from "../support/serve.mjs";
import { assertError } from "../support/world.mjs";

const cluster = await Cluster.share();
after(() => cluster.stop());
const shared = () => new Cluster(cluster.socketDirectory);
const directory = temporaryDirectory();
const migrations = readdirSync(new URL("../../schema/migrations", import.meta.url)).filter((name) => name.endsWith(".sql"));

// Several rounds: who comes first differs.
test("six that start at once on an empty database all start, and each migration is applied once", async (t) => {
  for (const round of [1, 2, 3])
    await t.test(`round ${round}`, async (t) => {
      const database = await cluster.createDatabase();
      const options = { databaseUrl: cluster.url(database), adminToken: newSecret(), key: newKey(), stateDirectory: join(directory, "unused") };
      const replicas = Array.from({ length: 6 }, () => new Serve(options));
      t.after(() => Promise.all(replicas.map((replica) => replica.program.end ?? replica.end())));
      const starts = await Promise.allSettled(replicas.map((replica) => replica.start()));
      assert.deepEqual(starts.filter(({ status }) => status === "rejected").map(({ reason }) => reason.message), []);
      const applied = await cluster.query(database, "SELECT version, name FROM schema_migrations ORDER BY version");
      assert.equal(applied.length, migrations.length);
      const said = replicas.flatMap((replica) => replica.logLines()).filter((line) => JSON.stringify(line).includes('"migration applied"'));
      assert.equal(said.length, migrations.length, "each is applied by one of them");
      for (const replica of replicas) {
        assert.equal((await replica.admin("GET", "/api/v2/users/me")).status, 200);
        assert.equal((await replica.request("GET", "/readyz", { admin: true })).status, 200);
      }
      const [{ n }] = await cluster.query(database, "SELECT count(*)::int AS n FROM api_tokens");
      assert.equal(n, 1, "one bootstrap token");
    });
});

test("of two that start at once with different keys, one is refused", async (t) => {
  const databaseUrl = cluster.url(await cluster.createDatabase());
  const replicas = [newKey(), newKey()].map((key) => new Serve({ databaseUrl, key, stateDirectory: join(directory, "unused") }));
  t.after(() => Promise.all(replicas.map((replica) => replica.program.end ?? replica.end())));
  const starts = await Promise.allSettled(replicas.map((replica) => replica.start()));
  assert.deepEqual(starts.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const refused = replicas[starts.findIndex(({ status }) => status === "rejected")];
  assert.match(refused.stderr, /key/i);
});

test("through pgbouncer in transaction mode everything works with GATEHOUSE_PG_PREPARE=off", async (t) => {
  const bouncer = await Pgbouncer.start(cluster, directory);
  const database = await cluster.createDatabase();
  const world = await openWorld({
    cluster: shared(), demo: true, providers: (demo) => [demo.configure("demo")],
    settings: { PG_CONNECTION_URL: bouncer.url(database), PG_PREPARE: "off" },
  });
  world.database = database;
  const second = new Serve({ ...pick(world.service, "providers", "key", "adminToken", "settings"), stateDirectory: join(directory, "unused") });
  t.after(async () => {
    await second.end();
    await world.close();
    await bouncer.stop();
  });
  await second.start();

  const user = await world.createUser();
  const template = await world.createTemplate(["demo"]);
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  await world.linkThroughBrowser(user, "demo", { browser: new Browser() });
  assert.equal((await world.preflight(user, template)).body[0].reason, "valid");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) =>
    world.createWorkspace(user, template, { name: `many-${i}`, service: i % 2 === 0 ? world.service : second })));
  assert.deepEqual([...new Set(answers.map(({ status, text }) => `${status} ${status === 201 ? "" : text}`))], ["201 "]);
  const [{ n }] = await cluster.query(database, "SELECT count(*)::int AS n FROM workspaces");
  assert.equal(n, 61);
  assert.equal((await world.api("DELETE", "/api/v2/external-auth/demo", { token: user.token })).status, 200);
});

function pick(object, ...names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

test("a dead host in the connection string is passed over", async (t) => {
  const database = await cluster.createDatabase();
  const dead = await freePort();
  const world = await openWorld({
    cluster: shared(), demo: true, providers: (demo) => [demo.configure("demo")],
    settings: { PG_CONNECTION_URL: `host=127.0.0.1,${cluster.socketDirectory} port=${dead},5432 user=postgres dbname=${database} target_session_attrs=read-write connect_timeout=2` },
  });
  t.after(() => world.close());
  const user = await world.createUser();
  await world.link(user, "demo");
  assert.equal((await world.createWorkspace(user, await world.createTemplate(["demo"]))).status, 201);
});

test("when the first host goes while it serves, the second takes over", async (t) => {
  const port = await freePort();
  const doomed = await Cluster.start({ port });
  t.after(() => doomed.stop());
  const database = await cluster.createDatabase();
  await doomed.query("postgres", `CREATE DATABASE "${database}"`);
  const key = newKey();
  const adminToken = newSecret();
  const second = new Serve({ databaseUrl: cluster.url(database), key, adminToken, stateDirectory: join(directory, "unused") });
  await second.start(); // the other server has its schema and administrator
  await second.end();
  const serve = new Serve({
    key, adminToken, stateDirectory: join(directory, "unused"),
    databaseUrl: `host=127.0.0.1,${cluster.socketDirectory} port=${port},5432 user=postgres dbname=${database} connect_timeout=2`,
  });
  t.after(() => serve.end());
  await serve.start();
  assert.equal((await serve.admin("POST", "/api/v2/users", { username: "only-at-the-first" })).status, 201);
  await doomed.pause();
  await eventually("it found the other server", async () => {
    const answer = await serve.admin("POST", "/api/v2/users", { username: `later-${Date.now()}` });
    if (answer.status === 201) return true;
    assert.equal(answer.status, 503, answer.text);
    return false;
  });
  await doomed.resume();
});
