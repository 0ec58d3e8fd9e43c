// SPDX-License-Identifier: Apache-2.0
// The command line and the service's own login server together: log in, be renewed by many at once, be refused, log out.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import http from "node:http";
import { after, test } from "node:test";
import { Person } from "../support/cli.mjs";
import { decide, DEVICE_CODE } from "../support/login.mjs";
import { World } from "../support/world.mjs";

const world = await World.open({ providers: (demo) => [demo.configure("one")] });
const { service } = world;

// Approves, or denies, the code that a command line shows.
async function answerCode(program, user, status) {
  const [, user_code] = await program.waitFor(/enter the code (\S+)/, 20000);
  await decide(world, { user_code }, user, status);
}

async function loggedIn() {
  const user = await world.createUser();
  const person = new Person();
  const login = person.start(["login", "--url", service.accessUrl]);
  await answerCode(login, user);
  assert.equal((await login.exited()).code, 0, login.story());
  assert.match(login.stdout, new RegExp(`as ${user.username}\\.`));
  return { user, person };
}

// The stored access token is too old to be used.
function age(person) {
  const file = person.read();
  file.logins[0].expires_at = "2020-01-01T00:00:00Z";
  writeFileSync(person.tokenFile, JSON.stringify(file));
}

test("login, use, twenty renewals at once, logout", async () => {
  const { user, person } = await loggedIn();
  const { access_token } = await world.link(user, "one");
  assert.equal((await person.run(["access-token", "one"])).stdout, `${access_token}\n`);
  const before = person.login();
  age(person);
  const ends = await Promise.all(Array.from({ length: 20 }, () => person.run(["whoami", "--json"])));
  for (const { code, stdout, stderr } of ends) {
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).username, user.username);
  }
  const renewed = person.login();
  assert.equal(renewed.generation, before.generation + 1, "one refresh");
  assert.notEqual(renewed.refresh_token, before.refresh_token);
  assert.equal((await person.run(["logout"])).code, 0);
  assert.equal((await person.run(["whoami"])).code, 4);
  const old = await world.api("GET", "/api/v2/users/me", { token: renewed.access_token });
  assert.equal(old.status, 401, "the service has ended it");
});

// A proxy that lets the first token answer of a grant be carried out and then loses it.
async function startLosing(grant) {
  const lost = { count: 0 };
  const proxy = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk)).on("end", async () => {
      const body = Buffer.concat(chunks);
      const { host, connection, "content-length": length, ...headers } = request.headers;
      const answer = await fetch(`${service.base}${request.url}`, { method: request.method, headers, body: body.length > 0 ? body : undefined });
      const text = await answer.text();
      if (answer.status === 200 && body.includes(encodeURIComponent(grant)) && lost.count++ === 0) return request.socket.destroy();
      response.writeHead(answer.status, { "Content-Type": answer.headers.get("content-type") ?? "text/plain" }).end(text);
    });
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  after(() => (proxy.closeAllConnections(), proxy.close()));
  return { lost, url: `http://127.0.0.1:${proxy.address().port}` };
}

test("T8 R8 the answer to a login or a renewal is lost: the same tokens once more, and one login", async () => {
  const user = await world.createUser();
  const person = new Person();
  const families = () => world.sql("SELECT rotated_at IS NOT NULL AS rotated FROM token_families WHERE user_id = $1", [user.id]);
  const { lost, url } = await startLosing(DEVICE_CODE);
  const login = person.start(["login", "--url", url]);
  await answerCode(login, user);
  assert.equal((await login.exited()).code, 0, login.story());
  assert.equal(lost.count, 2, "redeemed, lost, and given once more");
  assert.deepEqual(await families(), [{ rotated: false }]);
  const renewal = await startLosing("refresh_token");
  const file = person.read();
  Object.assign(file.logins[0], { issuer: renewal.url, expires_at: "2020-01-01T00:00:00Z" });
  writeFileSync(person.tokenFile, JSON.stringify(file));
  const { code, stderr } = await person.run(["whoami", "--url", renewal.url]);
  assert.equal(code, 0, stderr);
  assert.equal(renewal.lost.count, 2);
  assert.deepEqual(await families(), [{ rotated: true }]);
});

test("a code that is denied", async () => {
  const person = new Person();
  const login = person.start(["login", "--url", service.accessUrl]);
  await answerCode(login, await world.createUser(), "denied");
  assert.equal((await login.exited()).code, 1);
  assert.match(login.stderr, /denied/);
  assert.equal(person.hasFile(), false);
});

test("a user who is suspended meanwhile is told to log in again, and nothing else is lost", async () => {
  const { user, person } = await loggedIn();
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "suspended" });
  age(person);
  const { code, stderr } = await person.run(["whoami"]);
  assert.equal(code, 4, stderr);
  assert.equal(person.login().needs_login, true);
});
