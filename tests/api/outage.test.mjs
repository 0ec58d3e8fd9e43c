// SPDX-License-Identifier: Apache-2.0
// The database goes away and comes back under a running service; and a provider's outage is never told as a missing
// account. The cluster is this file's own, because it is stopped.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/process.mjs";
import { Cluster } from "../support/postgres.mjs";
import { Browser } from "../support/browser.mjs";
import { assertError, assertLeavesNothing, World } from "../support/world.mjs";

const cluster = await Cluster.start();
const world = await World.open({ cluster, providers: (demo) => ["demo", "other", "third"].map((id) =>
  demo.configure(id, { device_flow: true, device_code_url: `${demo.base}/${id}/device/code` })) });
const { demo, service } = world;
const user = await world.createUser();
const template = await world.createTemplate(["demo"]);
await world.link(user, "demo");

function assertUnavailable(answer) {
  assertError(answer, 503, "database_unavailable");
  assert.ok(!/select|insert|sqlstate|libpq|socket|connection to server|\/tmp/i.test(answer.text), `no inner word gets out: ${answer.text}`);
}

const requests = () => [
  world.api("GET", "/api/v2/users/me", { token: user.token }),
  world.api("GET", "/api/v2/templates", { token: user.token }),
  world.createWorkspace(user, template),
  world.preflight(user, template),
  world.api("POST", "/api/v2/users", { token: service.adminToken, body: { username: "during-the-outage" } }),
  world.api("GET", "/api/v2/external-auth", { token: user.token }),
  world.api("POST", "/api/v2/users/me/external-auth/demo/link-url", { token: user.token, body: {} }),
];

test("a statement that the server has no room for is told as an outage, and the log says why", async () => {
  await world.sql(`CREATE FUNCTION have_no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file "base/1/2": No space left on device'; END $$`);
  await world.sql("CREATE TRIGGER no_room BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION have_no_room()");
  try {
    assertUnavailable(await world.api("POST", "/api/v2/users", { token: service.adminToken, body: { username: "on-a-full-disk" } }));
  } finally {
    await world.sql("DROP FUNCTION have_no_room CASCADE");
  }
  await service.program.waitForLog(/"level":"warn".*"sqlstate":"53100","why":"could not extend file .* No space left on device"/);
});

test("without its database the service says 503 and when to try again, and mends itself", async () => {
  const started = await new Browser({ accept: "application/json" }).visit(await world.linkUrl(user), service);
  assert.equal(started.status, 303);
  await cluster.pause();
  try {
    for (let round = 0; round < 2; round++) {
      const begun = Date.now();
      for (const answer of await Promise.all(requests())) assertUnavailable(answer);
      assert.ok(Date.now() - begun < 15000, "an outage is told soon");
    }
    assertUnavailable(await new Browser({ accept: "application/json" }).visit(`${service.accessUrl}/external-auth/demo?ticket=${"A".repeat(43)}`, service));
    const page = await new Browser().visit(`${service.accessUrl}/external-auth/demo?ticket=${"A".repeat(43)}`, service);
    assert.equal(page.status, 503);
    assert.match(page.headers["content-type"], /^text\/html/);
    assert.equal((await world.api("GET", "/healthz", { admin: true })).status, 200, "alive all the same");
    assertError(await eventually("readyz says no", async () => {
      const answer = await world.api("GET", "/readyz", { admin: true });
      return answer.status === 503 && answer;
    }), 503, "database_unavailable");
    assert.equal((await world.api("GET", "/metrics", { admin: true })).status, 200);
  } finally {
    await cluster.resume();
  }
  const { pid } = service;
  await service.isReady();
  await eventually("all is well again", async () => {
    const answers = await Promise.all(requests());
    const statuses = answers.map(({ status }) => status);
    assert.ok(statuses.every((status) => status !== 500), statuses.join());
    return statuses.every((status) => status < 400 || status === 409);
  });
  assert.equal(service.pid, pid);
  assert.equal(service.program.end, undefined, "the process is the same");
});

test("a database that is restarted at once costs no 500", async () => {
  for (let i = 0; i < 10; i++) await world.api("GET", "/api/v2/templates", { token: user.token });
  await cluster.pause();
  await cluster.resume();
  for (let i = 0; i < 20; i++) {
    const answer = await world.api("GET", "/api/v2/templates", { token: user.token });
    assert.ok([200, 503].includes(answer.status), answer.text);
  }
  await eventually("all is well again", async () => (await world.api("GET", "/api/v2/templates", { token: user.token })).status === 200);
});

test("connections that the server ends one by one cost no 500", async () => {
  for (let i = 0; i < 20; i++) {
    await cluster.query("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [world.database]);
    const answer = await world.createWorkspace(user, template);
    assert.ok([201, 503].includes(answer.status), answer.text);
  }
});

test("an outage during the provider's answer leaves no half of a create", async () => {
  await demo.closeGate("demo", "validate");
  const creating = world.createWorkspace(user, template, { name: "half" });
  await demo.awaitGate("demo", "validate");
  await cluster.pause();
  await demo.openGate("demo", "validate");
  assertUnavailable(await creating);
  await cluster.resume();
  await eventually("the create works", async () => (await world.createWorkspace(user, template, { name: "half" })).status === 201, 15000);
  const [{ n }] = await world.sql("SELECT count(*)::int AS n FROM workspaces WHERE name = 'half'");
  assert.equal(n, 1);
});

test("a provider's outage is 503, never 403, however it fails", async () => {
  const owner = await world.createUser();
  const needs = await world.createTemplate(["other"]);
  await world.link(owner, "other");
  for (const fault of [{ status: 500 }, { status: 502 }, { cut: "before_headers" }, { status: 404 }, { status: 200, body_bytes: 1 << 21 }]) {
    await demo.fault("other", "validate", fault);
    const answer = await assertLeavesNothing(world, () => world.createWorkspace(owner, needs));
    assertError(answer, 503, "external_auth_unverifiable");
  }
  await demo.fault("other", "validate", null);
  await eventually("the provider is asked again", async () => (await world.createWorkspace(owner, needs)).status === 201, 15000, 200);
});

test("a provider that is gone altogether is 503", async () => {
  const owner = await world.createUser();
  const needs = await world.createTemplate(["third"]);
  await world.link(owner, "third");
  await demo.stop();
  assertError(await assertLeavesNothing(world, () => world.createWorkspace(owner, needs)), 503, "external_auth_unverifiable");
  const { body } = await world.preflight(owner, needs);
  assert.equal(body[0].reason, "provider_unavailable");
});

test("the log says why a provider could not be asked, whatever for", async () => {
  assertError(await world.api("GET", "/api/v2/external-auth/third/device", { token: user.token }), 502, "provider_failed");
  await service.program.waitForLog(/"provider not reached","provider":"third","purpose":"device","failure":"Couldn't connect to server"/);
});
