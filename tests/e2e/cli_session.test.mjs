// SPDX-License-Identifier: Apache-2.0
// The login of the command line among many processes: one refresh for all, nothing lost whatever dies where, and a file
// and locks that are trusted only where they can be.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { lockName, Person } from "../support/cli.mjs";
import { newServer } from "../support/login_server.mjs";
import { eventually } from "../support/process.mjs";
import { isRoot, isSanitized, nobody, publicBinary } from "../support/serve.mjs";

const TOKEN = "/oauth2/token";
const ME = "/api/v2/users/me";

async function newCase(fields = {}, options = {}) {
  const server = await newServer();
  const person = new Person(options);
  const login = person.seed(server, fields);
  return { server, person, login, lock: join(person.directory, lockName(server.url)) };
}
const whoami = (person, options) => person.run(["whoami", "--json"], options);
const isAlice = ({ code, stdout, stderr }) => {
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).username, "alice");
};

// The first refresh is held until the test lets it go; the server has decided by then unless `before`.
function holdRefresh(server, { commit = true } = {}) {
  let letGo;
  const gate = new Promise((resolve) => (letGo = resolve));
  let held = 0;
  server.intercept[TOKEN] = async (asked, answer) => {
    if (held++ > 0) return false;
    let decided = [400, { error: "invalid_grant" }];
    if (commit) server.refresh(asked, (...told) => (decided = told));
    await gate;
    if (commit) answer(...decided);
    return commit;
  };
  return { letGo, isHeld: () => eventually("a refresh is held", () => held > 0) };
}

// Somebody else's flock, by util-linux.
async function holdLock(path) {
  const holder = spawn("flock", ["--no-fork", path, "sh", "-c", "echo held; exec sleep 120"], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const ended = new Promise((resolve) => holder.once("exit", resolve));
  return { release: () => (holder.kill("SIGKILL"), ended) };
}

describe("many processes", { concurrency: 4 }, () => {
  test("twenty with an expired token make one refresh", async () => {
    const { server, person } = await newCase();
    server.intercept[TOKEN] = async () => (await sleep(200), false);
    const ends = await Promise.all(Array.from({ length: 20 }, () => whoami(person)));
    ends.forEach(isAlice);
    assert.equal(server.refreshes(), 1);
    assert.equal(person.login().generation, 2);
    assert.equal(server.revoked.size, 0);
  });

  test("two services with one profile name refresh by themselves", async () => {
    const [one, two] = [await newServer(), await newServer()];
    const person = new Person();
    const logins = [one, two].map((server) => person.seed(server));
    person.write({ version: 1, logins });
    const ends = await Promise.all([one, two, one, two].map((server) => whoami(person, { environment: { GATEHOUSE_URL: server.url } })));
    ends.forEach(isAlice);
    assert.deepEqual([one.refreshes(), two.refreshes()], [1, 1]);
    assert.deepEqual(person.read().logins.map(({ generation }) => generation), [2, 2], "neither wrote over the other");
  });

  test("from two directories, by a linked path, it is one lock", async () => {
    const { server, person } = await newCase();
    symlinkSync(join(person.home, ".local/state"), join(person.home, "linked"));
    server.intercept[TOKEN] = async () => (await sleep(300), false);
    const ends = await Promise.all([
      whoami(person, { cwd: "/" }), whoami(person, { cwd: person.home }),
      whoami(person, { environment: { XDG_STATE_HOME: join(person.home, "linked") } }),
    ]);
    ends.forEach(isAlice);
    assert.equal(server.refreshes(), 1);
  });

  test("a token that is good makes one request and nothing else", async () => {
    const { server, person } = await newCase({ expired: false });
    const { code, stdout } = await person.run(["access-token", "one"]);
    assert.deepEqual([code, stdout], [0, "token-of-one\n"]);
    assert.deepEqual(server.requests.map(({ path }) => path), ["/api/v2/users/me/external-auth/one/token"]);
    assert.deepEqual(readdirSync(person.directory), ["tokens.json"], "no lock was touched");
  });

  test("a holder that is stopped makes others busy, and none spends the token twice", async () => {
    const { server, person } = await newCase();
    const held = holdRefresh(server);
    const holder = person.start(["whoami", "--json"]);
    await held.isHeld();
    holder.child.kill("SIGSTOP");
    held.letGo();
    const busy = await whoami(person, { environment: { GATEHOUSE_LOCK_TIMEOUT: "1s" } });
    assert.equal(busy.code, 5);
    assert.match(busy.stderr, /[Tt]ry again/);
    holder.child.kill("SIGCONT");
    assert.equal((await holder.exited()).code, 0);
    isAlice(await whoami(person));
    assert.equal(server.refreshes(), 1);
  });
});

describe("a holder that dies", { concurrency: 4 }, () => {
  for (const commit of [true, false])
    test(`while the service ${commit ? "answers" : "has not yet heard"} leaves the next run a login`, async () => {
      const { server, person, login } = await newCase();
      const held = holdRefresh(server, { commit });
      const holder = person.start(["whoami"]);
      await held.isHeld();
      assert.match(person.login().refreshing.hash, /^[0-9a-f]{64}$/, "the attempt was written down");
      holder.child.kill("SIGKILL");
      await holder.exited();
      held.letGo();
      const began = Date.now();
      isAlice(await whoami(person));
      assert.ok(Date.now() - began < (isSanitized() ? 5000 : 2000));
      assert.notEqual(person.login().refresh_token, login.refresh_token);
      assert.equal(person.login().refreshing, undefined);
      assert.equal(server.revoked.size, 0);
    });

  test("between the answer and the file leaves the next run a login, and no torn file", async () => {
    const { server, person } = await newCase();
    const held = holdRefresh(server);
    const holder = person.start(["whoami"]);
    await held.isHeld();
    const file = await holdLock(join(person.directory, "tokens.lock"));
    held.letGo();
    await sleep(300);
    holder.child.kill("SIGKILL");
    await holder.exited();
    assert.equal(person.login().generation, 1);
    await file.release();
    isAlice(await whoami(person));
    assert.equal(person.login().generation, 2);
    assert.equal(server.revoked.size, 0);
    assert.deepEqual(readdirSync(person.directory).filter((name) => name.startsWith(".")), []);
  });

  test("later than the service's grace is a clean word to log in again", async () => {
    const { server, person } = await newCase();
    server.graceMs = 0;
    const held = holdRefresh(server);
    const holder = person.start(["whoami"]);
    await held.isHeld();
    holder.child.kill("SIGKILL");
    await holder.exited();
    held.letGo();
    await sleep(20);
    const { code, stderr } = await whoami(person);
    assert.equal(code, 4);
    assert.match(stderr, /gatehouse login/);
    assert.equal(person.login().needs_login, true);
  });

  test("by Ctrl-C does so only when the new token is on the disk", async () => {
    const { server, person, login } = await newCase();
    const held = holdRefresh(server);
    const holder = person.start(["whoami"]);
    await held.isHeld();
    holder.child.kill("SIGINT");
    await sleep(200);
    assert.equal(holder.end, undefined);
    held.letGo();
    assert.equal((await holder.exited()).signal, "SIGINT");
    assert.notEqual(person.login().refresh_token, login.refresh_token);
    assert.equal(server.count(ME), 0);
    isAlice(await whoami(person));
    assert.equal(server.refreshes(), 1);
  });
});

describe("the lock", { concurrency: 4 }, () => {
  test("is flock(1)'s: who waits for it goes on when it is free", async () => {
    const { server, person, lock } = await newCase();
    const holder = await holdLock(lock);
    const waiting = whoami(person);
    await sleep(500);
    assert.equal(server.requests.length, 0);
    await holder.release();
    isAlice(await waiting);
  });

  test("that is held too long is exit 5, and nothing is spent", async () => {
    const { server, person, lock } = await newCase();
    const holder = await holdLock(lock);
    const { code } = await whoami(person, { environment: { GATEHOUSE_LOCK_TIMEOUT: "500ms" } });
    await holder.release();
    assert.deepEqual([code, server.requests.length], [5, 0]);
  });

  test("that is held too long by who has stored a good token already costs nothing", async () => {
    const { server, person, lock } = await newCase();
    const holder = await holdLock(lock);
    const waiting = whoami(person, { environment: { GATEHOUSE_LOCK_TIMEOUT: "1s" } });
    await sleep(300);
    person.seed(server, { expired: false, generation: 2 });
    isAlice(await waiting);
    await holder.release();
    assert.equal(server.refreshes(), 0);
  });

  test("that is held while the token is still good for a moment does not matter", async () => {
    const { server, person, lock } = await newCase({ expired: false });
    const holder = await holdLock(lock);
    isAlice(await whoami(person));
    await holder.release();
    assert.equal(server.refreshes(), 0);
  });

  test("what a peer has stored meanwhile is taken, good or expired", async () => {
    const { server, person, lock } = await newCase();
    const holder = await holdLock(lock);
    const waiting = whoami(person);
    await sleep(300);
    const newer = person.seed(server, { generation: 2 });
    await holder.release();
    isAlice(await waiting);
    assert.deepEqual(server.requests.filter(({ path }) => path === TOKEN).map(({ form }) => form.get("refresh_token")), [newer.refresh_token]);

    const again = await newCase();
    const second = await holdLock(again.lock);
    const waits = whoami(again.person);
    await sleep(300);
    again.person.seed(again.server, { expired: false, generation: 2 });
    await second.release();
    isAlice(await waits);
    assert.equal(again.server.refreshes(), 0);
  });

  test("a peer that logged out while it was waited for, or while it is refreshed, stays logged out", async () => {
    const { server, person, lock } = await newCase();
    const holder = await holdLock(lock);
    const waiting = whoami(person);
    await sleep(300);
    person.write({ version: 1, logins: [] });
    await holder.release();
    assert.equal((await waiting).code, 4);
    assert.equal(server.requests.length, 0);

    const late = await newCase();
    const held = holdRefresh(late.server);
    const refreshing = whoami(late.person);
    await held.isHeld();
    late.person.write({ version: 1, logins: [] });
    held.letGo();
    assert.equal((await refreshing).code, 4);
    assert.deepEqual(late.person.read().logins, []);
    assert.equal(late.server.count(ME), 0);
  });

  for (const [name, spoil, words] of [
    ["a symbolic link", (path, home) => { writeFileSync(join(home, "x"), "kept"); symlinkSync(join(home, "x"), path); }, /symbolic link/],
    ["a fifo", (path) => execFileSync("mkfifo", [path]), /no regular file/],
    ["a directory", (path) => mkdirSync(path), /./],
    ["a file with two names", (path, home) => { writeFileSync(path, "", { mode: 0o600 }); linkSync(path, join(home, "y")); }, /another name/],
    ...(isRoot ? [["somebody else's", (path) => { writeFileSync(path, "", { mode: 0o600 }); chownSync(path, 65534, 65534); }, /somebody else/]] : []),
  ])
    test(`that is ${name} is refused, and nothing is spent`, async () => {
      const { server, person, lock } = await newCase();
      spoil(lock, person.home);
      const { code, stderr } = await whoami(person);
      assert.equal(code, 1, stderr);
      assert.match(stderr, words);
      assert.ok(stderr.includes(lock) || stderr.includes(lockName(server.url)), stderr);
      assert.equal(server.requests.length, 0);
    });

  test("that others could hold is closed to them", async () => {
    const { person, lock } = await newCase();
    writeFileSync(lock, "", { mode: 0o644 });
    chmodSync(lock, 0o644);
    isAlice(await whoami(person));
    assert.equal(statSync(lock).mode & 0o777, 0o600);
  });
});

describe("the file", { concurrency: 4 }, () => {
  for (const [name, spoil, words] of [
    ["may be read by others", (path) => chmodSync(path, 0o644), /chmod 600/],
    ["is a symbolic link", (path, home) => { renameSync(path, join(home, "elsewhere")); symlinkSync(join(home, "elsewhere"), path); }, /symbolic link/],
    ["is a fifo", (path) => { rmSync(path); execFileSync("mkfifo", ["-m", "600", path]); }, /no regular file/],
    ["is damaged", (path) => writeFileSync(path, '{"version":1,"logins":[{"issuer":'), /damaged/],
    ["is empty", (path) => writeFileSync(path, ""), /damaged/],
    ["is of a later version", (path) => writeFileSync(path, '{"version":2,"logins":[]}'), /version/],
    ["has a member twice", (path) => writeFileSync(path, '{"version":1,"version":1,"logins":[]}'), /damaged/],
    ["is huge", (path) => writeFileSync(path, " ".repeat(1e6)), /large/i],
    ...(isRoot ? [["is somebody else's", (path) => chownSync(path, 65534, 65534), /somebody else/]] : []),
  ])
    test(`that ${name} is refused and left as it is`, async () => {
      const { server, person } = await newCase();
      spoil(person.tokenFile, person.home);
      const look = () => (lstatSync(person.tokenFile).isFile() ? readFileSync(person.tokenFile, "utf8") : lstatSync(person.tokenFile).mode);
      const before = look();
      for (const args of [["whoami"], ["login", "--url", server.url], ["logout", "--url", server.url]]) {
        const { code, stderr } = await person.run(args);
        assert.equal(code, 1, stderr);
        assert.match(stderr, words);
      }
      assert.deepEqual(look(), before);
      assert.equal(server.requests.length, 0);
    });

  for (const [name, spoil, words] of [
    ["writable for others", (path) => chmodSync(path, 0o777), /chmod 700/],
    ["a symbolic link", (path, home) => { renameSync(path, join(home, "elsewhere")); symlinkSync(join(home, "elsewhere"), path); }, /symbolic link/],
    ...(isRoot ? [["somebody else's", (path) => chownSync(path, 65534, 65534), /somebody else/]] : []),
  ])
    test(`in a directory that is ${name} is refused`, async () => {
      const { server, person } = await newCase();
      spoil(person.directory, person.home);
      const { code, stderr } = await whoami(person);
      assert.equal(code, 1);
      assert.match(stderr, words);
      assert.equal(server.requests.length, 0);
    });

  test("a disk that is full is found out before the token is spent", async () => {
    const { server, person, login } = await newCase();
    const { code, stderr } = await person.shell('ulimit -f 0; exec "$0" "$@"', ["whoami"]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /tokens\.json/);
    assert.equal(server.requests.length, 0);
    assert.deepEqual(person.login(), login);
    assert.deepEqual(readdirSync(person.directory).filter((each) => each.startsWith(".")), []);
  });

  test("a save that fails when the token is spent is told, and the next run has the token", { skip: !isRoot }, async () => {
    const server = await newServer();
    const person = new Person({ identity: nobody, file: publicBinary() });
    person.seed(server);
    execFileSync("chown", ["-R", "65534:65534", person.home]);
    server.intercept[TOKEN] = () => (chmodSync(person.directory, 0o500), false);
    const { code, stderr } = await whoami(person);
    assert.equal(code, 1);
    assert.match(stderr, /could not be saved.*within a minute|log in again/s);
    assert.equal(server.count(ME), 0, "a token that is not saved is not used");
    server.intercept = {};
    chmodSync(person.directory, 0o700);
    isAlice(await whoami(person));
    assert.equal(server.revoked.size, 0);
  });

  test("a place that is read-only serves a token that is good, and refreshes none", { skip: !isRoot }, async () => {
    for (const expired of [false, true]) {
      const server = await newServer();
      const person = new Person({ identity: nobody, file: publicBinary() });
      person.seed(server, { expired });
      execFileSync("chown", ["-R", "65534:65534", person.home]);
      chmodSync(person.directory, 0o500);
      const end = await whoami(person);
      chmodSync(person.directory, 0o700);
      assert.equal(end.code, expired ? 1 : 0, end.stderr);
      assert.equal(server.refreshes(), 0);
      if (expired) assert.ok(end.stderr.includes(person.directory), end.stderr);
    }
  });

  test("HOME and XDG_STATE_HOME say where, as far as they are lawful", async () => {
    const server = await newServer();
    const person = new Person();
    person.seed(server, { expired: false });
    for (const environment of [{ XDG_STATE_HOME: "relative/path" }, { XDG_STATE_HOME: "" }]) isAlice(await whoami(person, { environment, cwd: person.home }));
    assert.equal(existsSync(join(person.home, "relative")), false);
    const state = join(person.home, "deep/state");
    const { code } = await person.run(["login", "--url", server.url], { environment: { XDG_STATE_HOME: state } });
    assert.equal(code, 0);
    assert.equal(statSync(join(state, "gatehouse")).mode & 0o777, 0o700);
  });

  test("without HOME the password file says where", async () => {
    const home = execFileSync("getent", ["passwd", String(process.getuid())], { encoding: "utf8" }).split(":")[5];
    const { code, stderr } = await new Person().run(["status", "--url", "http://127.0.0.1:9"], { environment: { HOME: undefined } });
    assert.equal(code, 4, stderr);
    assert.ok(home.startsWith("/"));
  });
});

describe("what the service says of a refresh", { concurrency: 4 }, () => {
  for (const [name, fault, code, asked] of [
    ["500", (_, answer) => (answer(500, {}), true), 5, 1],
    ["503", (_, answer) => (answer(503, "x"), true), 5, 1],
    ["429", (_, answer) => (answer(429, {}), true), 5, 1],
    ["403 with rate limits", (_, answer) => (answer(403, {}, { "Retry-After": "3" }), true), 5, 1],
    ["temporarily_unavailable", (_, answer) => (answer(400, { error: "temporarily_unavailable" }), true), 5, 1],
    ["invalid_client", (_, answer) => (answer(401, { error: "invalid_client" }), true), 1, 1],
    ["unauthorized_client", (_, answer) => (answer(400, { error: "unauthorized_client" }), true), 1, 1],
    ["nothing (dropped)", (_, answer) => (answer.drop(), true), 1, 2],
    ["no JSON", (_, answer) => (answer(200, "<html>"), true), 1, 2],
    ["a redirect", (_, answer) => (answer(307, {}, { Location: "http://127.0.0.1:9/" }), true), 1, 1],
  ])
    test(`${name}: the login stays, and ${asked === 1 ? "it is asked once" : "it is asked once more"}`, async () => {
      const { server, person, login } = await newCase();
      server.intercept[TOKEN] = fault;
      const end = await whoami(person);
      assert.equal(end.code, code, end.stderr);
      assert.equal(server.refreshes(), asked);
      assert.equal(person.login().refresh_token, login.refresh_token);
      assert.equal(person.login().needs_login, false);
      server.intercept = {};
      isAlice(await whoami(person));
    });

  test("an answer lost after the service has rotated is got by asking once more", async () => {
    const { server, person } = await newCase();
    let count = 0;
    server.intercept[TOKEN] = (asked, answer) => count++ === 0 && (server.refresh(asked, () => {}), answer.drop(), true);
    isAlice(await whoami(person));
    assert.deepEqual([server.refreshes(), server.revoked.size], [2, 0]);
  });

  test("invalid_grant is believed only when what is stored is what was sent", async () => {
    const { server, person } = await newCase();
    let newer;
    server.intercept[TOKEN] = (_, answer) => {
      if (newer) return false;
      newer = person.seed(server, { generation: 5 });
      answer(400, { error: "invalid_grant" });
      return true;
    };
    isAlice(await whoami(person));
    assert.equal(server.requests.filter(({ path }) => path === TOKEN)[1].form.get("refresh_token"), newer.refresh_token);
    server.intercept[TOKEN] = (_, answer) => (answer(400, { error: "invalid_grant" }), true);
    const { refresh_token } = person.seed(server);
    const asked = server.refreshes();
    for (const run of [1, 2]) {
      const { code, stderr } = await whoami(person);
      assert.equal(code, 4, `${run}`);
      assert.match(stderr, /gatehouse login --url/);
    }
    assert.equal(server.refreshes(), asked + 1, "the second run asks nobody");
    assert.equal(person.login().refresh_token, refresh_token, "kept, for who wants to look");
  });

  test("no refresh token in the answer: the old one stays", async () => {
    const { server, person, login } = await newCase();
    server.intercept[TOKEN] = (_, answer) => (answer(200, { ...server.mint(), refresh_token: undefined }), true);
    isAlice(await whoami(person));
    assert.equal(person.login().refresh_token, login.refresh_token);
  });

  test("another type of token is not used, and its refresh token not lost", async () => {
    const { server, person } = await newCase();
    const minted = server.mint();
    server.intercept[TOKEN] = (_, answer) => (answer(200, { ...minted, token_type: "DPoP" }), true);
    assert.equal((await whoami(person)).code, 1);
    assert.deepEqual([person.login().refresh_token, server.count(ME)], [minted.refresh_token, 0]);
  });

  test("the new token is on the disk before it is used, whatever the API then says", async () => {
    const { server, person, login } = await newCase();
    let stored;
    server.intercept[ME] = (_, answer) => {
      stored = person.login().access_token;
      answer(403, { message: "Not you.", code: "forbidden" });
      return true;
    };
    assert.equal((await whoami(person)).code, 1);
    assert.equal(server.requests.at(-1).authorization, `Bearer ${stored}`);
    assert.notEqual(person.login().refresh_token, login.refresh_token);
  });

  test("a token with twenty seconds left is refreshed before it is sent; one that cannot be, is still sent", async () => {
    const soon = new Date(Date.now() + 20000).toISOString();
    const { server, person } = await newCase({ expires_at: soon });
    isAlice(await whoami(person));
    assert.equal(server.refreshes(), 1);
    const other = await newCase({ expires_at: soon });
    other.server.intercept[TOKEN] = (_, answer) => (answer(503, {}), true);
    isAlice(await whoami(other.person));
  });

  test("a clock that went back, and a token that was revoked early, are found out", async () => {
    const hour = (offset) => new Date(Date.now() + offset * 3600000).toISOString();
    const back = await newCase({ issued_at: hour(1), expires_at: hour(2) });
    isAlice(await whoami(back.person));
    assert.equal(back.server.refreshes(), 1);
    const early = await newCase({ expired: false });
    early.server.accessTokens.delete(early.login.access_token);
    isAlice(await whoami(early.person));
    assert.equal(early.server.refreshes(), 1);
    early.server.intercept[ME] = (_, answer) => (answer(401, { message: "No.", code: "unauthenticated" }), true);
    assert.equal((await whoami(early.person)).code, 4);
    assert.equal(early.server.refreshes(), 2, "and not for ever");
  });

  test("GATEHOUSE_TOKEN goes before a login, is never written, and needs no home", async () => {
    const server = await newServer();
    const { access_token } = server.mint();
    const person = new Person();
    const environment = { GATEHOUSE_TOKEN: access_token, GATEHOUSE_URL: server.url, HOME: "/nonexistent" };
    isAlice(await whoami(person, { environment }));
    assert.equal(existsSync(join(person.home, ".local")), false);
    assert.equal((await whoami(person, { environment: { ...environment, GATEHOUSE_TOKEN: "wrong" } })).code, 4);
    assert.equal((await whoami(person, { environment: { ...environment, GATEHOUSE_TOKEN: "a\nb" } })).code, 1);
    assert.equal((await whoami(person, { environment: { GATEHOUSE_TOKEN: access_token } })).code, 2);
  });
});
