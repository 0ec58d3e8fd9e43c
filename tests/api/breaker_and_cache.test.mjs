// SPDX-License-Identifier: Apache-2.0
// What the service does not ask a provider: what it has just been told, what is being asked already, and a provider that
// could not be reached. The provider's gates and its request log say what happened; where time matters, the bound is
// what the service may have asked in the time that the test saw pass.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/process.mjs";
import { metricValue } from "../support/service.mjs";
import { assertError, World } from "../support/world.mjs";

const EXPIRED = "2020-01-01T00:00:00Z";
const PROBE_MS = 5000;
const OPENS_AFTER = 5;

const world = await World.open({
  providers: (demo) => [
    ...["shared", "left", "broken", "limited", "flaky", "dead", "fine"].map((id) => demo.configure(id)),
    demo.configure("young", { preflight_max_age: "1h" }),
    demo.configure("known", { fail_mode: "last_known_good" }),
    demo.configure("granter", { refresh_retry_timeout: "1ms" }),
  ],
  settings: { HTTP_THREADS: "256" },
});
const { demo } = world;
const many = (count, what) => Promise.all(Array.from({ length: count }, (_, index) => what(index)));
const metric = async (name, labels) => metricValue(await world.service.metrics(), name, labels);
const asked = (provider) => demo.asked(provider, "validate");
const linkRow = async (user, provider) =>
  (await world.sql("SELECT xmin::text AS version, last_valid_at FROM links WHERE owner_id = $1 AND provider_id = $2", [user.id, provider]))[0];

async function owner(provider, options) {
  const user = await world.createUser();
  await world.link(user, provider, options);
  return user;
}

function assertLeftAlone(answer) {
  const body = assertError(answer, 503, "external_auth_unverifiable");
  const [{ reason, fixable_by, retry_after }] = body.external_auth;
  assert.deepEqual([reason, fixable_by], ["provider_unavailable", "wait"]);
  assert.ok(Number.isInteger(retry_after) && retry_after >= 1 && retry_after <= PROBE_MS / 1000, `retry_after ${retry_after}`);
  assert.equal(Number(answer.headers["retry-after"]), retry_after);
}

// Makes the provider fail until the breaker is open.
async function breakProvider(provider, user, template) {
  await demo.fault(provider, "validate", { status: 500 });
  const before = await asked(provider);
  for (let i = 0; i < OPENS_AFTER; i++) assertError(await world.createWorkspace(user, template), 503, "external_auth_unverifiable");
  assert.equal(await asked(provider) - before, OPENS_AFTER, "until then every evaluation asks");
}

test("200 creates of one owner at once are one question to the provider", async () => {
  const user = await owner("shared");
  const template = await world.createTemplate(["shared"]);
  await demo.closeGate("shared", "validate");
  const creates = many(200, () => world.createWorkspace(user, template));
  await eventually("all share the question", async () => await metric("gatehouse_validations_joined_total", { provider: "shared" }) === 199, 60000);
  assert.equal((await demo.awaitGate("shared", "validate", 1)).waiting, 1);
  await demo.openGate("shared", "validate");
  const answers = await creates;
  assert.deepEqual(answers.filter(({ status }) => status !== 201).map(({ text }) => text), []);
  assert.equal(await asked("shared"), 1);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(await asked("shared"), 2, "who comes afterwards asks anew");
});

test("a caller that goes away takes the question from nobody", async () => {
  const user = await owner("left");
  const template = await world.createTemplate(["left"]);
  const before = await metric("gatehouse_validations_joined_total", { provider: "left" });
  await demo.closeGate("left", "validate");
  const leaving = new AbortController();
  const gone = world.api("POST", `/api/v2/users/${user.username}/workspaces`, {
    token: user.token, body: { name: world.name("ws"), template_id: template.id }, signal: leaving.signal,
  }).catch(() => "gone");
  await demo.awaitGate("left", "validate", 1);
  const create = world.createWorkspace(user, template);
  await eventually("the other one shares the question", async () => await metric("gatehouse_validations_joined_total", { provider: "left" }) - before === 1);
  leaving.abort();
  await gone;
  await demo.openGate("left", "validate");
  assert.equal((await create).status, 201);
  assert.equal(await asked("left"), 1);
});

test("a verdict that is young enough is used again, and writes nothing", async () => {
  const user = await owner("young");
  const template = await world.createTemplate(["young"]);
  const reasons = async () => (await world.preflight(user, template)).body.map(({ reason }) => reason);
  const before = await linkRow(user, "young");
  for (let i = 0; i < 3; i++) assert.deepEqual(await reasons(), ["valid"]);
  assert.equal(await asked("young"), 1);
  assert.equal(await metric("gatehouse_verdict_cache_hits_total", { provider: "young" }), 2);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(await asked("young"), 2, "the create has an age of its own");
  assert.deepEqual(await linkRow(user, "young"), before, "nothing was written to the link");
  await world.link(user, "young");
  assert.deepEqual(await reasons(), ["valid"]);
  assert.equal(await asked("young"), 3, "another generation is asked about");
});

test("a rejection ends what was confirmed", async () => {
  const user = await world.createUser();
  const { access_token } = await world.link(user, "young");
  const template = await world.createTemplate(["young"]);
  const reason = async () => (await world.preflight(user, template)).body[0].reason;
  assert.equal(await reason(), "valid");
  await demo.revoke("young", { access_token });
  assert.equal(await reason(), "valid", "known a moment ago");
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  assert.equal(await reason(), "token_revoked");
});

test("after 5 evaluations that could not reach it a provider is left alone, probed, and asked again", async () => {
  const user = await owner("broken");
  const other = await owner("broken");
  const template = await world.createTemplate(["broken"]);
  await breakProvider("broken", user, template);
  const opened = Date.now();
  const before = await asked("broken");
  for (const answer of await many(30, () => world.createWorkspace(other, template))) assertError(answer, 503, "external_auth_unverifiable");
  const probesDue = () => Math.floor((Date.now() - opened) / PROBE_MS);
  assert.ok(await asked("broken") - before <= probesDue(), "another owner's creates do not ask either");
  assert.equal(await metric("gatehouse_breaker_open", { provider: "broken", endpoint: "validate" }), 1);
  assert.equal(await metric("gatehouse_breaker_open", { provider: "fine", endpoint: "validate" }), 0);

  // The probe stands at the gate; whoever comes meanwhile is told at once.
  await demo.closeGate("broken", "validate");
  let settled = 0;
  const creates = [];
  await eventually("a probe is sent", async () => {
    creates.push(world.createWorkspace(user, template).finally(() => settled++));
    return (await demo.awaitGate("broken", "validate", 1, 200)).waiting >= 1;
  }, 60000);
  await eventually("nobody waits but probes", async () => creates.length - settled <= probesDue());
  await demo.openGate("broken", "validate");
  const answers = await Promise.all(creates);
  assert.ok(await asked("broken") - before <= probesDue(), "one probe every 5 s");
  assert.ok(answers.length - settled === 0);
  for (const answer of answers) assertError(answer, 503, "external_auth_unverifiable");

  await demo.fault("broken", "validate", null);
  await eventually("a probe closes it", async () => (await world.createWorkspace(user, template)).status === 201, 60000);
  assert.equal(await metric("gatehouse_breaker_open", { provider: "broken", endpoint: "validate" }), 0);
  const asking = await asked("broken");
  for (let i = 0; i < 3; i++) assert.equal((await world.createWorkspace(other, template)).status, 201);
  assert.equal(await asked("broken") - asking, 3, "everybody asks again");
});

test("what is told while a provider is left alone", async () => {
  const user = await owner("flaky");
  const template = await world.createTemplate(["flaky"]);
  await breakProvider("flaky", user, template);
  // A probe may be due on a slow machine: its answer names no time.
  const answer = await eventually("an evaluation that is no probe", async () => {
    const skipped = await metric("gatehouse_breaker_skipped_total", { provider: "flaky", endpoint: "validate" });
    const create = await world.createWorkspace(user, template);
    return await metric("gatehouse_breaker_skipped_total", { provider: "flaky", endpoint: "validate" }) > skipped && create;
  });
  assertLeftAlone(answer);
  const { body: [state] } = await world.preflight(user, template);
  assert.deepEqual([state.reason, state.verdict, state.fixable_by], ["provider_unavailable", "unverifiable", "wait"]);
});

test("a provider that limits or refuses is up", async () => {
  const user = await owner("limited");
  const template = await world.createTemplate(["limited"]);
  for (const [fault, status] of [[{ status: 429 }, 201], [{ status: 403, headers: { "Retry-After": "60" } }, 201], [{ status: 401 }, 403]]) {
    await demo.fault("limited", "validate", fault);
    const before = await asked("limited");
    for (let i = 0; i < OPENS_AFTER + 2; i++) assert.equal((await world.createWorkspace(user, template)).status, status);
    assert.equal(await asked("limited") - before, OPENS_AFTER + 2);
  }
  assert.equal(await metric("gatehouse_breaker_open", { provider: "limited" }), 0);
});

test("a dead provider holds up nobody who does not need it", async () => {
  const owners = await many(20, () => owner("dead"));
  const user = await owner("fine");
  const [dead, fine] = [await world.createTemplate(["dead"]), await world.createTemplate(["fine"])];
  await demo.fault("dead", "validate", { black_hole: true });
  const begun = Date.now();
  let told = 0;
  const creates = owners.map((one) => world.createWorkspace(one, dead).finally(() => told++));
  await eventually("they wait", async () => await metric("gatehouse_provider_requests_in_flight", { provider: "dead" }) === 20 || told > 0);
  for (const answer of await many(20, () => world.createWorkspace(user, fine))) assert.equal(answer.status, 201);
  if (Date.now() - begun < 4000) assert.equal(told, 0, "the others wait still");
  for (const answer of await Promise.all(creates)) assertError(answer, 503, "external_auth_unverifiable");
  assert.equal(await metric("gatehouse_breaker_open", { provider: "dead", endpoint: "validate" }), 1);
  await demo.fault("dead", "validate", null);
  await eventually("it is asked again", async () => (await world.createWorkspace(owners[0], dead)).status === 201, 60000);
});

test("a token endpoint that cannot be reached is left alone, and tokens that live are judged all the same", async () => {
  const lasting = await owner("granter");
  const template = await world.createTemplate(["granter"]);
  const owners = await many(OPENS_AFTER + 1, () => owner("granter", { expires_at: EXPIRED, withRefreshToken: true }));
  await demo.fault("granter", "token", { status: 503 });
  for (const one of owners.slice(0, OPENS_AFTER)) assertError(await world.createWorkspace(one, template), 503, "external_auth_unverifiable");
  assert.equal(await metric("gatehouse_breaker_open", { provider: "granter", endpoint: "token" }), 1);
  const opened = Date.now();
  const before = await demo.asked("granter", "token");
  const last = owners.at(-1);
  assertError(await world.createWorkspace(last, template), 503, "external_auth_unverifiable");
  assert.ok(await demo.asked("granter", "token") - before <= Math.ceil((Date.now() - opened) / PROBE_MS) - 1);
  assert.equal((await world.createWorkspace(lasting, template)).status, 201);
  assert.equal(await metric("gatehouse_breaker_open", { provider: "granter", endpoint: "validate" }), 0);
  await demo.fault("granter", "token", null);
  await eventually("the token is refreshed", async () => (await world.createWorkspace(last, template)).status === 201, 60000);
  assert.equal(await metric("gatehouse_breaker_open", { provider: "granter", endpoint: "token" }), 0);
});

// Restarts the service, so it is the last one.
test("what was good last is known after a restart, and was written once", async () => {
  const user = await owner("known");
  const template = await world.createTemplate(["known"]);
  assert.equal((await linkRow(user, "known")).last_valid_at, null);
  const begun = Date.now();
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const noted = await linkRow(user, "known");
  assert.notEqual(noted.last_valid_at, null);
  for (const answer of await many(10, () => world.createWorkspace(user, template))) assert.equal(answer.status, 201);
  if (Date.now() - begun < 50000) assert.deepEqual(await linkRow(user, "known"), noted, "at most once a minute");
  await world.service.restart();
  await world.service.isReady();
  await demo.fault("known", "validate", { status: 500 });
  for (let i = 0; i < OPENS_AFTER + 2; i++) {
    const { status, body } = await world.createWorkspace(user, template);
    assert.equal(status, 201);
    assert.deepEqual(body.warnings.map(({ provider, reason }) => [provider, reason]), [["known", "last_known_good"]]);
  }
});
