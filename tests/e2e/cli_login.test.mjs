// SPDX-License-Identifier: Apache-2.0
// Logging in and out from the command line, against an authorization server that misbehaves in every way a client must
// stand (RFC 8628 section 3.5, RFC 6749 section 5).
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { lockName, Person } from "../support/cli.mjs";
import { newServer } from "../support/login_server.mjs";
import { eventually } from "../support/process.mjs";

const TOKEN = "/oauth2/token";

const login = (person, server, args = [], options) => person.run(["login", "--url", server.url, ...args], options);
const gaps = (times) => times.slice(1).map((at, index) => at - times[index]);

describe("login", { concurrency: 8 }, () => {
  test("shows code and address, waits, saves privately, and says who", async () => {
    const server = await newServer({ pendingPolls: 1 });
    const person = new Person();
    const { code, stdout, stderr } = await login(person, server);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /WXYZ-2345/);
    assert.ok(stdout.includes(`${server.url}/device\n`) && stdout.includes(`${server.url}/device?user_code=WXYZ-2345`));
    assert.match(stdout, /as alice/);
    assert.equal(person.mode(), 0o600);
    assert.deepEqual(person.read().current, { issuer: server.url, profile: "default" });
    const [asked] = server.requests;
    assert.deepEqual([asked.method, asked.form.get("client_id"), asked.authorization], ["POST", "gatehouse-cli", undefined]);
    assert.equal(asked.agent, `gatehouse on ${hostname()}`, "who approves sees which machine asks");
    assert.ok(server.requests.slice(1).every(({ agent }) => !agent.includes(hostname())), "and nobody else");
    assert.equal((await person.run(["whoami"])).code, 0, "without --url afterwards");
    for (const { url } of server.requests) assert.doesNotMatch(url, /gh[a-z]?_|WXYZ/, "no token and no code in an address");
    assert.deepEqual(readdirSync(person.directory).filter((name) => name.startsWith(".")), []);
  });

  test("--json keeps stdout for the answer", async () => {
    const { stdout, stderr } = await login(new Person(), await newServer(), ["--json"]);
    assert.equal(JSON.parse(stdout).username, "alice");
    assert.match(stderr, /WXYZ-2345/);
  });

  test("without an interval it asks every five seconds", async () => {
    const server = await newServer({ pendingPolls: 1 });
    server.intercept["/oauth2/device_authorization"] = (_, answer) => {
      server.deviceCode = "ghd_x";
      answer(200, server.deviceAnswer({ interval: undefined }));
      return true;
    };
    assert.equal((await login(new Person(), server)).code, 0);
    const [started] = server.times("/oauth2/device_authorization");
    const [first, second] = server.times(TOKEN);
    for (const gap of [first - started, second - first]) assert.ok(gap >= 4900 && gap < 9000, `${gap} ms`);
  });

  test("slow_down adds five seconds to all later polls", async () => {
    const server = await newServer({ pendingPolls: 2 });
    server.intercept[TOKEN] = (_, answer) => server.polls === 0 && (server.polls++, answer(400, { error: "slow_down" }), true);
    assert.equal((await login(new Person(), server)).code, 0);
    for (const gap of gaps(server.times(TOKEN))) assert.ok(gap >= 5900 && gap < 9000, `${gap} ms`);
  });

  test("connections that drop and 5xx make it ask less often, and it goes on", async () => {
    const server = await newServer();
    let count = 0;
    server.intercept[TOKEN] = (_, answer) => {
      if (++count === 1) return answer.drop(), true;
      if (count === 2) return answer(503, "gone"), true;
      return false;
    };
    assert.equal((await login(new Person(), server)).code, 0);
    const [first, second] = gaps(server.times(TOKEN));
    assert.ok(first >= 1900 && second >= 3900, `${first}, ${second}`);
  });

  test("a code that is never approved ends with its time, and no other is asked for", async () => {
    const server = await newServer({ expiresIn: 3, pendingPolls: Infinity });
    const began = Date.now();
    const { code, stderr } = await login(new Person(), server);
    assert.equal(code, 1);
    assert.match(stderr, /expired.*gatehouse login/);
    assert.ok(Date.now() - began < 8000);
    assert.equal(server.count("/oauth2/device_authorization"), 1);
  });

  for (const [error, words] of [
    ["expired_token", /expired/], ["access_denied", /denied/], ["invalid_client", /invalid_client/],
    ["invalid_grant", /invalid_grant/], ["made_up", /made_up/],
  ])
    test(`${error} ends it at once`, async () => {
      const server = await newServer();
      server.intercept[TOKEN] = (_, answer) => (answer(error === "invalid_client" ? 401 : 400, { error }), true);
      const person = new Person();
      const { code, stderr } = await login(person, server);
      assert.equal(code, 1);
      assert.match(stderr, words);
      assert.equal(server.count(TOKEN), 1);
      assert.equal(person.hasFile(), false);
    });

  test("answers that are no device answer are an error and not followed", async () => {
    for (const body of [{}, "no json", { device_code: "a" }, { device_code: "a", user_code: "b", verification_uri: "javascript:1", expires_in: 9 }]) {
      const server = await newServer();
      server.intercept["/oauth2/device_authorization"] = (_, answer) => (answer(200, body), true);
      const { code } = await login(new Person(), server);
      assert.equal(code, 1);
      assert.equal(server.count(TOKEN), 0);
    }
  });

  test("a redirect is not followed", async () => {
    const other = await newServer();
    const server = await newServer();
    server.intercept[TOKEN] = (_, answer) => (answer(307, {}, { Location: `${other.url}${TOKEN}` }), true);
    assert.equal((await login(new Person(), server)).code, 1);
    assert.equal(other.requests.length, 0);
  });

  test("an answer of 10 MB is not read", async () => {
    const server = await newServer({ expiresIn: 4 });
    server.intercept[TOKEN] = (_, answer) => (answer(200, JSON.stringify({ access_token: "x".repeat(10e6) })), true);
    const person = new Person();
    assert.equal((await login(person, server)).code, 1);
    assert.equal(person.hasFile(), false);
  });

  for (const [name, fields, lives] of [
    ["bearer in small letters", { token_type: "bearer" }, true],
    ["no expires_in", { expires_in: undefined }, true],
    ["expires_in of 0", { expires_in: 0 }, true],
    ["expires_in as text", { expires_in: "900" }, true],
    ["members nobody knows", { more: { deep: [1] } }, true],
    ["no refresh token", { refresh_token: undefined }, true],
    ["another type of token", { token_type: "mac" }, false],
  ])
    test(`a token answer with ${name} is ${lives ? "used" : "not used"}`, async () => {
      const server = await newServer();
      server.intercept[TOKEN] = (_, answer) => (answer(200, { ...server.mint(), ...fields }), true);
      const person = new Person();
      const { code } = await login(person, server);
      assert.equal(code, lives ? 0 : 1);
      assert.equal(server.count("/api/v2/users/me"), lives ? 1 : 0);
      if (name.includes("text")) assert.ok(Date.parse(person.login().expires_at) > Date.now() + 800000);
    });

  test("escape sequences from the service do not reach the terminal", async () => {
    const server = await newServer();
    server.intercept["/oauth2/device_authorization"] = (_, answer) => (answer(200, { ...server.deviceAnswer({}), device_code: "d", user_code: "A\u001b[2J\u009bB" }), true);
    server.intercept[TOKEN] = (_, answer) => (answer(400, { error: "x", error_description: "\u001b]0;owned\u0007" }), true);
    const { stdout, stderr } = await login(new Person(), server);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  test("a service that says something else than JSON is no reason to crash", async () => {
    const server = await newServer();
    server.intercept["/api/v2/users/me"] = (_, answer) => (answer(200, "<html>"), true);
    server.intercept["/api/v2/users/me/external-auth/x/token"] = (_, answer) => (answer(200, ""), true);
    const person = new Person();
    assert.match((await login(person, server)).stderr, /is it a Gatehouse\?/i);
    for (const args of [["whoami"], ["whoami", "--json"], ["access-token", "x"]]) {
      const { code, stdout } = await person.run(args);
      assert.deepEqual([code, stdout], [1, ""], `${args}`);
    }
    assert.equal((await login(new Person(), { url: "http://127.0.0.1:9" })).code, 1);
  });

  test("a second login replaces the first, which is revoked", async () => {
    const server = await newServer();
    const person = new Person();
    const before = person.seed(server);
    assert.equal((await login(person, server)).code, 0);
    assert.equal(person.read().logins.length, 1);
    assert.ok(server.revoked.has(server.refreshTokens.get(before.refresh_token).family));
    assert.equal((await person.run(["whoami"])).code, 0);
  });

  test("members that this version does not know stay", async () => {
    const server = await newServer();
    const person = new Person();
    person.seed(server, { later: { a: [1] } });
    person.write({ ...person.read(), newer: "kept" });
    await person.run(["whoami"]);
    assert.deepEqual([person.login().later, person.read().newer, server.refreshes()], [{ a: [1] }, "kept", 1]);
  });

  test("profiles and services are kept apart", async () => {
    const [one, two] = [await newServer(), await newServer()];
    const person = new Person();
    for (const args of [["--url", one.url], ["--url", two.url], ["--url", two.url, "--profile", "work"]])
      assert.equal((await person.run(["login", ...args])).code, 0);
    assert.equal(person.read().logins.length, 3);
    await person.run(["whoami", "--url", `${one.url}/`]);
    assert.equal(one.count("/api/v2/users/me"), 2);
    await person.run(["whoami"]);
    assert.equal(two.requests.at(-1).authorization, `Bearer ${person.login(2).access_token}`);
    await person.run(["whoami"], { environment: { GATEHOUSE_URL: one.url } });
    assert.equal(one.count("/api/v2/users/me"), 3);
    await person.run(["whoami", "--profile", "work", "--url", two.url], { environment: { GATEHOUSE_URL: one.url } });
    assert.equal(one.count("/api/v2/users/me"), 3, "--url goes before the variable");
    const { code, stderr } = await person.run(["whoami", "--profile", "default"]);
    assert.equal(code, 2);
    assert.match(stderr, /--url/);
  });

  test("odd names of profiles are names and never paths", async () => {
    const server = await newServer();
    for (const profile of ["../../x", "a/b", "Ünïcødé", "a b"]) {
      const person = new Person();
      assert.equal((await login(person, server, ["--profile", profile])).code, 0);
      assert.ok(readdirSync(person.directory).every((name) => /^(tokens\.(json|lock)|refresh-[0-9a-f]{64}\.lock)$/.test(name)));
    }
    for (const profile of ["", "x".repeat(4096), "a\nb"]) assert.equal((await login(new Person(), server, ["--profile", profile])).code, 2);
  });

  test("what no token may be sent to is refused", async () => {
    for (const url of ["http://gatehouse.example.com", "ftp://x", "gatehouse", "https://u:p@x", "https://x/?a", "https://x/#a"]) {
      const { code, stderr } = await new Person().run(["login", "--url", url]);
      assert.equal(code, 2, url);
      assert.match(stderr, /https/);
    }
    assert.equal((await new Person().run(["login"])).code, 2);
    assert.equal((await new Person().run(["login", "--url", "http://127.0.0.1:9", "--store", "cloud"])).code, 2);
  });

  test("a desktop's browser opens with the address that holds the code; over ssh none does", async () => {
    const server = await newServer();
    const person = new Person();
    const bin = join(person.home, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "xdg-open"), `#!/bin/sh\necho "$1" >>"${person.home}/opened"\nls -l /proc/self/fd >>"${person.home}/fds"\n`);
    chmodSync(join(bin, "xdg-open"), 0o755);
    const environment = { PATH: `${bin}:/usr/bin:/bin`, DISPLAY: ":9" };
    assert.equal((await login(person, server, [], { environment })).code, 0);
    const opened = () => readFileSync(join(person.home, "opened"), "utf8");
    await eventually("the browser is opened", () => opened() === `${server.url}/device?user_code=WXYZ-2345\n`);
    assert.doesNotMatch(readFileSync(join(person.home, "fds"), "utf8"), /\.lock|tokens/);
    await login(person, server, [], { environment: { ...environment, SSH_CONNECTION: "a 1 b 2" } });
    await login(person, server, ["--no-browser"], { environment });
    assert.equal(opened().split("\n").length, 2);
  });

  test("what a crash left a day ago is swept, and nothing younger", async () => {
    const server = await newServer();
    const person = new Person();
    person.seed(server);
    const old = join(person.directory, ".tokens.json.0123");
    writeFileSync(old, "x");
    utimesSync(old, 1, 1);
    writeFileSync(join(person.directory, ".tokens.json.4567"), "x");
    await login(person, server);
    assert.deepEqual(readdirSync(person.directory).filter((name) => name.startsWith(".")), [".tokens.json.4567"]);
  });

  test("--store keyring without a keyring is a clear error, and the login is given back", async (t) => {
    const server = await newServer();
    // The lock of a login in the keyring is below the home that the password file names, whatever HOME says.
    t.after(() => rmSync(join(userInfo().homedir, ".local/state/gatehouse", lockName(server.url)), { force: true }));
    const person = new Person({ environment: { DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent" } });
    const { code, stderr } = await login(person, server, ["--store", "keyring"]);
    assert.equal(code, 1);
    assert.match(stderr, /keyring/i);
    assert.equal(person.hasFile(), false, "no fallback to a file");
    assert.equal(server.count("/oauth2/revoke"), 1);
  });
});

describe("logout", { concurrency: 8 }, () => {
  test("revokes, then forgets", async () => {
    const server = await newServer();
    const person = new Person();
    const { refresh_token } = person.seed(server);
    assert.equal((await person.run(["logout"])).code, 0);
    assert.equal(server.requests[0].form.get("token"), refresh_token);
    assert.deepEqual(person.read().logins, []);
    assert.equal((await person.run(["whoami"])).code, 4);
    assert.ok(!readFileSync(person.tokenFile, "utf8").includes(refresh_token));
  });

  test("--json says on stdout what was done", async () => {
    const server = await newServer();
    const person = new Person();
    person.seed(server);
    for (const logged_out of [true, false]) {
      const { code, stdout } = await person.run(["logout", "--json", "--url", server.url]);
      assert.equal(code, 0);
      assert.deepEqual(JSON.parse(stdout), { url: server.url, profile: "default", logged_out });
    }
  });

  for (const [name, fault] of [["503", (_, answer) => (answer(503, {}), true)], ["no answer", (_, answer) => (answer.drop(), true)]])
    test(`keeps the login where the service says ${name}, and --local forgets it`, async () => {
      const server = await newServer();
      const person = new Person();
      person.seed(server, { expired: false });
      server.intercept["/oauth2/revoke"] = fault;
      const { code, stderr } = await person.run(["logout"]);
      assert.equal(code, 1);
      assert.match(stderr, /--local/);
      assert.equal(person.read().logins.length, 1);
      const asked = server.requests.length;
      assert.equal((await person.run(["logout", "--local"])).code, 0);
      assert.deepEqual([person.read().logins, server.requests.length], [[], asked]);
    });

  test("who is not logged in is told so", async () => {
    assert.equal((await new Person().run(["logout", "--url", "http://127.0.0.1:9"])).code, 0);
    assert.equal((await new Person().run(["whoami"])).code, 4);
  });
});
