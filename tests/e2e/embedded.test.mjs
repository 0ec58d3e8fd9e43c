// SPDX-License-Identifier: Apache-2.0
// `gatehouse serve` without a database: it makes one, keeps it to itself, loses nothing of it, and leaves none behind,
// whoever is killed.
import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { eventually, runProgram } from "../support/process.mjs";
import { newSecret } from "../support/service.mjs";
import {
  assertSentence, embeddedCluster, filesBelow, isAlive, isGone, isRoot, nobody, processes, publicBinary, refusedStart, Serve,
  temporaryDirectory,
} from "../support/serve.mjs";

const settings = { EXTERNAL_TOKEN_ENCRYPTION_KEYS: undefined };
const newService = (more = {}) => new Serve({
  settings: { ...settings, ...more.settings }, stateDirectory: more.stateDirectory ?? join(temporaryDirectory(), "state"), ...more.options,
});
const asAdmin = (serve, method, path, body) => serve.request(method, path, { token: serve.adminToken, body });
const clusterOf = (serve) => embeddedCluster(serve.stateDirectory);

async function makeUser(serve, username) {
  const answer = await asAdmin(serve, "POST", "/api/v2/users", { username });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}
const hasUser = async (serve, username) => (await asAdmin(serve, "GET", `/api/v2/users/${username}`)).status === 200;

// A subcommand of an operator beside the service, with the same state.
const environmentOf = (serve) => {
  const { GATEHOUSE_HTTP_ADDRESS, GATEHOUSE_ADMIN_ADDRESS, GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN, ...rest } = serve.environment();
  return rest;
};
const run = (serve, ...args) => runProgram(`gatehouse ${args[0]}`, serve.file, args, { env: environmentOf(serve), ...serve.identity });

// The life of one state directory, as one account.
async function lifeOf(t, serve) {
  await t.test("the first start makes a cluster that listens on a Unix socket only", async () => {
    await serve.start();
    const cluster = clusterOf(serve);
    assert.ok(cluster, `a running cluster below ${join(serve.stateDirectory, "postgres")}`);
    assert.ok(isAlive(cluster.pid));
    assert.equal(cluster.listens, "", "no TCP");
    assert.equal((await serve.request("GET", "/readyz", { admin: true })).status, 200);
    await makeUser(serve, "first");
  });

  await t.test("only its account can read what it keeps", async () => {
    const cluster = clusterOf(serve);
    assert.equal(statSync(cluster.directory).mode & 0o077, 0, "the data directory");
    const keys = [...filesBelow(serve.stateDirectory)].filter((path) => !path.startsWith(cluster.directory) && lstatSync(path).isFile() && /key/.test(path.slice(serve.stateDirectory.length)));
    assert.equal(keys.length, 1, `one file of keys among ${keys}`);
    assert.equal(statSync(keys[0]).mode & 0o777, 0o600, keys[0]);
    for (const key of readFileSync(keys[0], "utf8").trim().split(",")) assert.equal(Buffer.from(key, "base64").length, 32);
    if (!isRoot) return;
    const stranger = serve.identity.uid === nobody.uid ? { uid: 65533, gid: 65533 } : nobody;
    const psql = await runProgram("psql", "/usr/bin/psql", ["-h", cluster.socketDirectory, "-p", String(cluster.port), "-U", "postgres", "-l"], stranger);
    assert.notEqual(psql.code, 0, "another account reaches the socket");
    const cat = await runProgram("cat", "/bin/cat", keys, stranger);
    assert.notEqual(cat.code, 0, "another account reads the key");
  });

  await t.test("migrate and token create work while it serves", async () => {
    const migrated = await run(serve, "migrate");
    assert.equal(migrated.code, 0, migrated.stderr);
    const made = await run(serve, "token", "create", "--user", "second", "--role", "control-plane");
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, /^\S{20,}\n$/, "the token and nothing else");
    const me = await serve.request("GET", "/api/v2/users/me", { token: made.stdout.trim() });
    assert.equal(me.status, 200, me.text);
    assert.deepEqual([me.body.username, me.body.roles.includes("control-plane")], ["second", true]);
    assert.ok(isAlive(clusterOf(serve).pid), "the cluster stays the service's");
    assert.equal((await asAdmin(serve, "GET", "/api/v2/users/first")).status, 200);
  });

  await t.test("a second service on the same state is refused, and harms nothing", async () => {
    const { pid } = clusterOf(serve);
    const second = await refusedStart({ settings, stateDirectory: serve.stateDirectory, identity: serve.identity, binary: serve.file, environment: serve.extra });
    assertSentence(second, 1, [new RegExp(serve.stateDirectory)]);
    assert.equal(clusterOf(serve).pid, pid);
    assert.ok(await hasUser(serve, "first"));
  });

  await t.test("SIGTERM stops the cluster too, and the next start finds everything", async () => {
    const { pid } = clusterOf(serve);
    await serve.end("SIGTERM");
    assert.ok(!isAlive(pid), "the cluster outlives its service");
    await serve.start();
    for (const name of ["first", "second"]) assert.ok(await hasUser(serve, name), name);
  });

  await t.test("so does SIGINT", async () => {
    const { pid } = clusterOf(serve);
    await serve.end("SIGINT");
    assert.ok(!isAlive(pid));
  });

  await t.test("migrate and token create work while it does not serve, and leave nothing running", async () => {
    const made = await run(serve, "token", "create", "--user", "third");
    assert.equal(made.code, 0, made.stderr);
    const migrated = await run(serve, "migrate");
    assert.equal(migrated.code, 0, migrated.stderr);
    assert.equal(clusterOf(serve), null, "the cluster has been stopped");
    await serve.start();
    assert.equal((await serve.request("GET", "/api/v2/users/me", { token: made.stdout.trim() })).body?.username, "third");
  });

  await t.test("after kill -9 the cluster goes too, and the next start finds everything", async () => {
    await makeUser(serve, "fourth");
    const { pid } = clusterOf(serve);
    await serve.end("SIGKILL");
    await isGone(pid);
    await serve.start();
    for (const name of ["first", "second", "third", "fourth"]) assert.ok(await hasUser(serve, name), name);
  });

  await t.test("after kill -9 a start at once works as well", async () => {
    await makeUser(serve, "fifth");
    await serve.end("SIGKILL");
    await serve.start();
    assert.ok(await hasUser(serve, "fifth"));
  });

  await t.test("kill -9 of the cluster is an outage of moments: 503, then all is well again", async () => {
    const { pid } = clusterOf(serve);
    process.kill(pid, "SIGKILL");
    let outages = 0;
    await eventually("it serves again, with a new cluster", async () => {
      const answer = await asAdmin(serve, "GET", "/api/v2/users/fifth");
      if (answer.status !== 200) {
        outages++;
        assert.equal(answer.status, 503, answer.text);
        assert.ok(Number(answer.headers["retry-after"]) >= 1);
      }
      return answer.status === 200 && clusterOf(serve)?.pid !== pid;
    }, 20000, 50);
    assert.ok(outages > 0, "somebody noticed");
    assert.equal((await makeUser(serve, "sixth")).username, "sixth");
    assert.equal(serve.program.end, undefined, "the service itself went on");
    const { pid: newcomer } = clusterOf(serve);
    await serve.end("SIGTERM");
    assert.ok(!isAlive(newcomer));
  });

  await t.test("nothing of it is left running", () => {
    const left = processes().filter(({ command }) => command.includes(serve.stateDirectory));
    assert.deepEqual(left, []);
  });
}

test("as this account", (t) => lifeOf(t, newService()));

test("as a plain user", { skip: !isRoot && "only root can become another" }, async (t) => {
  const home = temporaryDirectory();
  chownSync(home, nobody.uid, nobody.gid);
  chmodSync(home, 0o700);
  const serve = newService({
    stateDirectory: join(home, "state", "gatehouse"), settings: { STATE_DIR: undefined },
    options: { identity: nobody, binary: publicBinary(), environment: { HOME: home, XDG_STATE_HOME: join(home, "state") } },
  });
  await lifeOf(t, serve);
});

test("a plain user without XDG_STATE_HOME has it in ~/.local/state", { skip: !isRoot }, async () => {
  const home = temporaryDirectory();
  chownSync(home, nobody.uid, nobody.gid);
  const serve = newService({
    stateDirectory: join(home, ".local/state/gatehouse"), settings: { STATE_DIR: undefined },
    options: { identity: nobody, binary: publicBinary(), environment: { HOME: home } },
  });
  await serve.start();
  assert.ok(clusterOf(serve));
  await serve.end();
});

test("a plain user whose state directory cannot be made is told so", { skip: !isRoot }, async () => {
  const parent = temporaryDirectory();
  const refused = await refusedStart({ settings, stateDirectory: join(parent, "state"), identity: nobody, binary: publicBinary() });
  assertSentence(refused, 1, [new RegExp(parent)]);
});

test("a state directory that root made for itself alone", { skip: !isRoot }, async () => {
  const directory = join(temporaryDirectory(), "state");
  mkdirSync(directory, { mode: 0o700 });
  const serve = newService({ stateDirectory: directory });
  await serve.start();
  await makeUser(serve, "somebody");
  await serve.end();
});

test("a long path still has room for a socket, or says that it has none", async () => {
  const directory = join(temporaryDirectory(), "a".repeat(60), "b".repeat(60), "state");
  const serve = await newService({ stateDirectory: directory }).spawn();
  await Promise.race([serve.program.exited(), serve.program.waitFor(/listening/, 60000).catch(() => {})]);
  if (!serve.program.end) {
    await serve.program.waitFor(/listening/);
    await serve.end();
  } else {
    assertSentence({ code: serve.program.end.code, stdout: "", stderr: serve.program.stderr }, 1, [/GATEHOUSE_STATE_DIR|state/i]);
  }
});

for (const [when, isThere] of [
  ["as soon as its directory is there", (root) => existsSync(root)],
  ["when it has begun to fill it", (root) => existsSync(root) && readdirSync(root, { recursive: true }).length > 20],
])
  test(`a first start that is killed ${when} does not hinder the next`, async () => {
    const serve = await newService().spawn();
    const root = join(serve.stateDirectory, "postgres");
    await eventually("initdb has begun", () => isThere(root) || serve.program.stdout !== "", 30000, 2);
    await serve.end("SIGKILL");
    await eventually("what it started is gone", () => !processes().some(({ command }) => command.includes(serve.stateDirectory)), 20000);
    await serve.start();
    await makeUser(serve, "somebody");
    await serve.end();
  });

test("SIGTERM in the middle of a first start ends it, and leaves nothing running", async () => {
  const serve = await newService().spawn();
  await eventually("initdb has begun", () => existsSync(join(serve.stateDirectory, "postgres")) || serve.program.stdout !== "", 30000, 2);
  serve.program.child.kill("SIGTERM");
  await serve.end("SIGTERM");
  assert.deepEqual(processes().filter(({ command }) => command.includes(serve.stateDirectory)), []);
  await serve.start();
  await serve.end();
});

test("several commands of an operator at once share one cluster, and the last one stops it", async () => {
  const serve = newService();
  await serve.start();
  await serve.end();
  const made = await Promise.all(Array.from({ length: 4 }, (_, i) => run(serve, "token", "create", "--user", `user-${i}`)));
  assert.deepEqual(made.map(({ code, stderr }) => [code, stderr]), Array(4).fill([0, ""]));
  assert.deepEqual(processes().filter(({ command }) => command.includes(serve.stateDirectory)), []);
  await serve.start();
  for (const { stdout } of made) assert.equal((await serve.request("GET", "/api/v2/users/me", { token: stdout.trim() })).status, 200);
  await serve.end();
});

test("the key of the first start opens what later starts find", async () => {
  const adminToken = newSecret();
  const serve = newService({ options: { adminToken, providers: [{ id: "plain", client_id: "x", client_secret: "y", auth_url: "http://127.0.0.1:1/a", token_url: "http://127.0.0.1:1/t" }] } });
  await serve.start();
  const user = await makeUser(serve, "keyed");
  const put = await asAdmin(serve, "PUT", `/api/v2/users/${user.id}/external-auth/plain`, { access_token: newSecret() });
  assert.equal(put.status, 204, put.text);
  await serve.restart();
  const template = (await asAdmin(serve, "POST", "/api/v2/templates", { name: "t", external_auth: ["plain"] })).body;
  const made = await asAdmin(serve, "POST", "/api/v2/users/keyed/workspaces", { name: "w", template_id: template.id });
  assert.equal(made.status, 201, made.text);
  await serve.end();

  const [keyFile] = [...filesBelow(serve.stateDirectory)].filter((path) => /key/.test(path.slice(serve.stateDirectory.length)) && !path.includes("/postgres/"));
  assert.ok(keyFile, `a key file in ${dirname(serve.stateDirectory)}`);
  const other = await refusedStart({ settings: { EXTERNAL_TOKEN_ENCRYPTION_KEYS: Buffer.alloc(32, 7).toString("base64") }, stateDirectory: serve.stateDirectory });
  assertSentence(other, 2, [/key/i], [Buffer.alloc(32, 7).toString("base64")]);
  await eventually("its cluster is gone", () => embeddedCluster(serve.stateDirectory) === null, 10000);
});
