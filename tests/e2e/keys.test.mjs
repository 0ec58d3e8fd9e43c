// SPDX-License-Identifier: Apache-2.0
// The keys of what is stored, as an operator meets them: a new key comes in front while services run, everything is moved
// to it under load, killed and taken up, the old key goes; what was stored clear is encrypted; a wrong key is refused.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Cluster } from "../support/postgres.mjs";
import { eventually, Program, runProgram } from "../support/process.mjs";
import { newKey, newSecret, runGatehouse } from "../support/service.mjs";
import { assertSentence, openWorld, refusedStart, Serve, temporaryDirectory } from "../support/serve.mjs";

const VARIABLE = "GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS";
const idOf = (key) => createHash("sha256").update(Buffer.from(key, "base64")).digest("hex").slice(0, 8);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What an operator has beside the service: the same database, keys of their own choice.
const environmentWith = (world, keys, more = {}) => ({
  PATH: "/usr/bin:/bin", HOME: "/nonexistent", GATEHOUSE_PG_CONNECTION_URL: world.cluster.url(world.database), ...(keys ? { [VARIABLE]: keys } : {}), ...more,
});
const runKeys = (world, keys, args, more) => runGatehouse(["keys", ...args], environmentWith(world, keys, more));

async function statusOf(world, keys, more) {
  const outcome = await runKeys(world, keys, ["status", "--json"], more);
  return { code: outcome.code, stderr: outcome.stderr, ...JSON.parse(outcome.stdout) };
}
async function rotate(world, keys, args = []) {
  const outcome = await runKeys(world, keys, ["rotate", "--json", ...args]);
  assert.equal(outcome.code, 0, `${outcome.stdout}${outcome.stderr}`);
  return JSON.parse(outcome.stdout);
}
const counted = (world, key) => world.sql("SELECT count(*)::int AS n FROM links WHERE key_id IS NOT DISTINCT FROM $1 AND access_token IS NOT NULL", [key && idOf(key)]).then(([{ n }]) => n);
const rowsOf = (world) => world.sql("SELECT owner_id, provider_id, generation, encode(access_token, 'hex') AS access FROM links ORDER BY 1, 2");

async function inParallel(items, width, work) {
  const queue = [...items];
  await Promise.all(Array.from({ length: width }, async () => { while (queue.length > 0) await work(queue.shift()); }));
}

const tokens = new Set(); // every token that was ever stored
async function link(world, user, provider, grant) {
  const minted = await world.link(user, provider, { withRefreshToken: true, ...grant });
  tokens.add(minted.access_token).add(minted.refresh_token);
  return minted;
}
async function assertSealed(world) {
  const dump = await world.psqlDump();
  for (const token of tokens)
    for (const form of [token, Buffer.from(token).toString("hex"), Buffer.from(token).toString("base64").replace(/=+$/, "")])
      assert.ok(!dump.includes(form), "a token is in the dump");
}

// ------------------------------------------------------------------------------------------------------ the command line

describe("usage", () => {
  for (const args of [["keys"], ["keys", "turn"], ["keys", "rotate", "--batch"], ["keys", "rotate", "--batch", "0"], ["keys", "rotate", "--batch", "501"],
    ["keys", "rotate", "--batch=ten"], ["keys", "rotate", "--bach", "3"], ["keys", "status", "--from-clear"], ["keys", "status", "stray"]])
    test(`wrong: ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await runGatehouse(args, { [VARIABLE]: newKey(), GATEHOUSE_PG_CONNECTION_URL: "host=/nonexistent" });
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert.match(stderr, /^gatehouse: .*(help|did you mean|500|flag)/m);
    });

  for (const args of [["keys", "--help"], ["keys", "status", "--help"], ["keys", "rotate", "--help"]])
    test(args.join(" "), async () => {
      const { code, stdout, stderr } = await runGatehouse(args, { GATEHOUSE_ENFORCEMENT: "wrong" });
      assert.deepEqual([code, stderr], [0, ""]);
      for (const word of ["--from-clear", "--batch", "--json", "Exit codes", VARIABLE, "GATEHOUSE_PG_CONNECTION_URL"]) assert.ok(stdout.includes(word), word);
      for (const line of stdout.split("\n")) assert.ok(line.length <= 120, line);
    });

  test("--help names it", async () => assert.match((await runGatehouse(["--help"])).stdout, /^ {2}keys .*status.*rotate/m));

  test("without a database: 1, with a sentence", async () => {
    const outcome = await runGatehouse(["keys", "status"], { [VARIABLE]: newKey(), GATEHOUSE_PG_CONNECTION_URL: "host=/nonexistent" });
    assertSentence(outcome, 1, [/cannot be reached/]);
  });
});

// ---------------------------------------------------------------------------------------------------- one key for another

const PROVIDERS = Array.from({ length: 12 }, (_, i) => `p${i}`);

test("a new key comes and an old one goes, while services run", async (t) => {
  const [A, B] = [newKey(), newKey()];
  const world = await openWorld({ demo: true, cluster: await Cluster.start(), key: A, providers: (demo) => PROVIDERS.map((id) => demo.configure(id)) });
  const { demo, service: first } = world;
  const second = new Serve({ databaseUrl: first.databaseUrl, providers: world.providers, adminToken: first.adminToken, key: `${B},${A}`, stateDirectory: join(temporaryDirectory(), "state") });
  world.services.push(second);
  const users = [];
  const template = await world.createTemplate(PROVIDERS.slice(0, 2));
  const create = (user, service) => world.createWorkspace(user, template, { service });
  await inParallel(Array.from({ length: 40 }), 8, async () => users.push(await world.createUser()));
  await inParallel(users.flatMap((user) => PROVIDERS.map((provider) => [user, provider])), 8, ([user, provider]) => link(world, user, provider));
  const linkCount = users.length * PROVIDERS.length;

  await t.test("status counts, and changes nothing", async () => {
    const status = await statusOf(world, `${B},${A}`);
    assert.equal(status.code, 0, status.stderr);
    assert.deepEqual(status.keys, [
      { id: idOf(B), position: 1, state: "encrypts", check_value: false, links: 0, states: 0, removable: false },
      { id: idOf(A), position: 2, state: "in_use", check_value: true, links: linkCount, states: 0, removable: false },
    ]);
    assert.deepEqual(status.clear, { links: 0, states: 0 });
    assert.equal((await world.sql("SELECT * FROM vault_check")).length, 1, "a look adds no check value");
    const { stdout } = await runKeys(world, A, ["status"]);
    assert.match(stdout, new RegExp(`^${idOf(A)} +1 +good +${linkCount} +0 +encrypts$`, "m"));
  });

  await t.test("without the key in use it says so, and a start is refused with its id", async () => {
    const status = await statusOf(world, B);
    assert.equal(status.code, 1);
    assert.deepEqual(status.keys.map(({ id, state, position }) => [id, state, position]), [[idOf(B), "encrypts", 1], [idOf(A), "missing", null]]);
    const never = [A, B];
    assertSentence(await runKeys(world, B, ["rotate"]), 2, [new RegExp(`key ${idOf(A)}`), /not among the given keys/, new RegExp(`Add that key to ${VARIABLE}`)], never);
    const refused = await refusedStart({ databaseUrl: first.databaseUrl, key: B, adminToken: first.adminToken, stateDirectory: join(temporaryDirectory(), "state"), providers: world.providers });
    assertSentence(refused, 2, [new RegExp(`key ${idOf(A)}`), new RegExp(VARIABLE)], never);
    assert.equal((await world.sql("SELECT * FROM vault_check")).length, 1, "a refused start leaves nothing");
  });

  await t.test("a service that lacks the new key says decryption_failed and destroys nothing", async () => {
    await second.start();
    const [user] = users;
    assert.equal((await create(user, second)).status, 201);
    await second.request("PUT", `/api/v2/users/${user.id}/external-auth/p0`, { token: first.adminToken, body: { access_token: (await demo.mint("p0")).access_token } });
    const before = await rowsOf(world);
    const refused = await create(user, first);
    assert.equal(refused.status, 503, refused.text);
    const { verdict, reason, fixable_by } = refused.body.external_auth.find(({ id }) => id === "p0");
    assert.deepEqual([verdict, reason, fixable_by], ["unverifiable", "decryption_failed", "operator"]);
    await world.preflight(user, template);
    assert.deepEqual(await rowsOf(world), before);
    assert.ok(first.logLines().some((line) => line.key_id === idOf(B) && /a key that is not given/.test(line.message)), "the log names the key");
    assert.equal((await create(user, second)).status, 201);
    first.key = `${B},${A}`;
    await first.restart();
    assert.equal((await create(user, first)).status, 201);
  });

  await t.test("rotate under load, killed in the middle, taken up by three at once", async () => {
    let going = true;
    const counts = { creates: 0, links: 0 };
    const latest = new Map();
    const creator = async (service, offset) => {
      for (let i = offset; going; i++) {
        const answer = await create(users[i % users.length], service);
        assert.equal(answer.status, 201, answer.text);
        counts.creates++;
      }
    };
    const linker = async (offset) => {
      for (let i = offset; going; i += 2) {
        const user = users[i % users.length];
        const provider = PROVIDERS[2 + i % 10];
        latest.set(`${user.id} ${provider}`, { user, provider, token: (await link(world, user, provider)).access_token });
        counts.links++;
      }
    };
    const load = Promise.all([creator(first, 1), creator(second, 7), linker(0), linker(1)]);
    await eventually("creates and links go on", () => counts.creates > 0 && counts.links > 0);
    const killed = new Program("gatehouse keys rotate", process.env.GATEHOUSE_BIN, ["keys", "rotate", "--batch", "1"], { env: environmentWith(world, `${B},${A}`) });
    await eventually("some rows are done", async () => await counted(world, A) < linkCount * 0.7, 20000, 2);
    await killed.stop("SIGKILL");
    const left = await counted(world, A);
    assert.ok(left > 0, "it was in the middle");
    const outcomes = await Promise.all([1, 2, 7].map((batch) => rotate(world, `${B},${A}`, ["--batch", String(batch)])));
    await sleep(200);
    going = false;
    await load;
    assert.equal(await counted(world, A), 0);
    const sum = outcomes.reduce((total, { links }) => total + links, 0);
    assert.ok(sum <= left && sum > 0, `${sum} of ${left}`);
    for (const outcome of outcomes) assert.deepEqual([outcome.unreadable, outcome.left, outcome.key_id], [0, 0, idOf(B)]);
    t.diagnostic(`killed with ${left} of ${linkCount} left; under ${counts.creates} creates and ${counts.links} re-links; ${sum} done in ${Math.max(...outcomes.map(({ duration_ms }) => duration_ms))} ms`);
    // What was linked last is what stands there.
    const fingerprints = new Map((await demo.secrets()).map(({ value, fingerprint }) => [value, fingerprint]));
    for (const { user, provider, token } of latest.values()) {
      const { body } = await first.request("GET", `/api/v2/external-auth/${provider}`, { token: user.token });
      assert.equal(body.authenticated, true);
      const { values } = (await demo.requests(provider, "validate")).at(-1);
      assert.equal(values.authorization, fingerprints.get(token));
    }
    await Promise.all(users.map(async (user) => assert.equal((await create(user, first)).status, 201)));
  });

  await t.test("then the old key may go", async () => {
    const status = await statusOf(world, `${B},${A}`);
    assert.deepEqual(status.keys.map(({ id, state, links, removable }) => [id, state, links, removable]), [[idOf(B), "encrypts", linkCount, false], [idOf(A), "unused", 0, true]]);
    const again = await runKeys(world, `${B},${A}`, ["rotate"]);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /encrypted 0 links and 0 authorization states/);
    assert.match(again.stdout, new RegExp(`key ${idOf(A)} \\(number 2 of the list\\).*may be removed from ${VARIABLE}`));
    assert.equal(again.stderr, "", "no progress where stderr is no terminal");
    first.key = B;
    await first.restart();
    assert.equal((await create(users[0], first)).status, 201);
    const refused = await refusedStart({ databaseUrl: first.databaseUrl, key: A, adminToken: first.adminToken, stateDirectory: join(temporaryDirectory(), "state"), providers: world.providers });
    assertSentence(refused, 2, [new RegExp(`key ${idOf(B)}`)]);
  });

  await t.test("a restart of PostgreSQL in the middle is waited for", async () => {
    const C = newKey();
    const rotating = runKeys(world, `${C},${B}`, ["rotate", "--batch", "1", "--json"]);
    await eventually("some rows are done", async () => await counted(world, C) > 20, 20000, 2);
    await world.cluster.pause();
    await sleep(1000);
    await world.cluster.resume();
    const outcome = await rotating;
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.equal(await counted(world, C), linkCount);
    assert.equal((await rotate(world, `${B},${C}`)).links, linkCount, "and back");
  });

  await t.test("a terminal sees it move", async () => {
    const C = newKey();
    const command = `${process.env.GATEHOUSE_BIN} keys rotate --batch 1`;
    const { code, stdout } = await runProgram("script", "/usr/bin/script", ["-qec", command, "/dev/null"], { env: environmentWith(world, `${C},${B}`) });
    assert.equal(code, 0, stdout);
    assert.match(stdout, new RegExp(`\\d+ of ${linkCount} rows`));
    assert.match(stdout, new RegExp(`encrypted ${linkCount} links`));
    await rotate(world, `${B},${C}`);
  });

  await t.test("no token was ever in clear", async () => {
    await assertSealed(world);
    for (const serve of [first, second]) for (const token of tokens) assert.ok(!serve.output().includes(token), "in a log");
  });
});

// -------------------------------------------------------------------------------------------------------- what was clear

test("what was stored clear is encrypted", async (t) => {
  const world = await openWorld({ demo: true, key: undefined, providers: (demo) => [demo.configure("demo")], settings: { EXTERNAL_TOKEN_ENCRYPTION_KEYS: undefined, ALLOW_CLEARTEXT_TOKENS: "true" } });
  const { service } = world;
  const allow = { GATEHOUSE_ALLOW_CLEARTEXT_TOKENS: "true" };
  const users = [];
  const template = await world.createTemplate(["demo"]);
  const mine = [];
  for (let i = 0; i < 5; i++) {
    users.push(await world.createUser());
    mine.push(await link(world, users[i], "demo"));
  }
  const clearForm = () => Buffer.from(mine[0].access_token).toString("hex");
  const key = newKey();

  await t.test("there is nothing to encrypt with", async () => {
    for (const args of [["rotate"], ["rotate", "--from-clear"]])
      assertSentence(await runKeys(world, undefined, args, allow), 2, [/no key to encrypt with/, /openssl rand -base64 32/, new RegExp(VARIABLE), /--from-clear/]);
    const status = await statusOf(world, undefined, allow);
    assert.deepEqual([status.code, status.keys, status.clear], [0, [], { links: 5, states: 0 }]);
    assert.ok((await world.psqlDump()).includes(clearForm()), "stored clear");
  });

  await t.test("clear rows are told, and left without the flag", async () => {
    service.settings = { EXTERNAL_TOKEN_ENCRYPTION_KEYS: key };
    await service.restart();
    assert.equal((await world.createWorkspace(users[0], template)).status, 201);
    const before = await rowsOf(world);
    const outcome = await runKeys(world, key, ["rotate"]);
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.match(outcome.stdout, /5 links .*stored clear.*--from-clear/);
    assert.deepEqual(await rowsOf(world), before);
    assert.match((await runKeys(world, key, ["status"])).stdout, /^clear .* 5 +0 .*--from-clear/m);
  });

  await t.test("with the flag they are encrypted while serving", async () => {
    const outcome = await rotate(world, key, ["--from-clear"]);
    assert.deepEqual([outcome.links, outcome.clear.links, outcome.unreadable], [5, 0, 0]);
    assert.equal(await counted(world, key), 5);
    for (const user of users) assert.equal((await world.createWorkspace(user, template)).status, 201);
    await assertSealed(world);
  });

  await t.test("and a service without keys does not start any more", async () => {
    const refused = await refusedStart({ databaseUrl: service.databaseUrl, adminToken: newSecret(), settings: { EXTERNAL_TOKEN_ENCRYPTION_KEYS: undefined, ALLOW_CLEARTEXT_TOKENS: "true" }, stateDirectory: join(temporaryDirectory(), "state"), providers: world.providers });
    assertSentence(refused, 2, [new RegExp(`key ${idOf(key)}`)]);
  });
});

// ---------------------------------------------------------------------------------------------------------- the key file

test("the embedded database's key file takes a new key", async (t) => {
  const world = await openWorld({ embedded: true, demo: true, settings: { EXTERNAL_TOKEN_ENCRYPTION_KEYS: undefined }, providers: (demo) => [demo.configure("demo")] });
  const { service } = world;
  const run = (...args) => {
    const { GATEHOUSE_HTTP_ADDRESS, GATEHOUSE_ADMIN_ADDRESS, GATEHOUSE_BOOTSTRAP_ADMIN_TOKEN, ...env } = service.environment();
    return runProgram("gatehouse keys", service.file, ["keys", ...args], { env });
  };
  const template = await world.createTemplate(["demo"]);
  const user = await world.createUser();
  await link(world, user, "demo");
  const { keys: [{ id: oldId }] } = JSON.parse((await run("status", "--json")).stdout);

  await t.test("as the README says", async () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const [, script] = readme.match(/```sh\n(cd \/var\/lib\/gatehouse\n[\s\S]*?)```/);
    const { code, stderr } = await runProgram("sh", "/bin/sh", ["-ec", script.replace("/var/lib/gatehouse", service.stateDirectory)]);
    assert.equal(code, 0, stderr);
    await service.restart();
    assert.equal((await world.createWorkspace(user, template)).status, 201);
    const rotated = JSON.parse((await run("rotate", "--json")).stdout);
    assert.deepEqual([rotated.links, rotated.released], [1, [oldId]]);
    assert.equal((await world.createWorkspace(user, template)).status, 201);
    const [, removal] = readme.match(/```sh\n(cd \/var\/lib\/gatehouse\ncut[\s\S]*?)```/);
    const removed = await runProgram("sh", "/bin/sh", ["-ec", removal.replace("/var/lib/gatehouse", service.stateDirectory)]);
    assert.equal(removed.code, 0, removed.stderr);
    await service.restart();
    assert.equal((await world.createWorkspace(user, template)).status, 201);
    const status = JSON.parse((await run("status", "--json")).stdout);
    assert.deepEqual(status.keys.map(({ id, links }) => [id, links]), [[rotated.key_id, 1]]);
  });

  await t.test("a lost file is told, and made good by the old one", async () => {
    const path = join(service.stateDirectory, "encryption-keys");
    await service.end();
    renameSync(path, `${path}.away`);
    await service.spawn();
    await service.program.exited();
    assert.notEqual(service.program.end.code, 0);
    assert.match(service.program.stderr, /file encryption-keys in the state directory.*backup/);
    rmSync(path, { force: true });
    renameSync(`${path}.away`, path);
    await service.start();
    assert.equal((await world.createWorkspace(user, template)).status, 201);
  });
});
