// SPDX-License-Identifier: Apache-2.0
// What each answer of a provider's validate endpoint means, row by row: the reason in the preflight and the status of
// the create. Each row has a provider of its own, so that no row's trouble opens another's breaker.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { eventually, freePort } from "../support/process.mjs";
import { newSecret } from "../support/service.mjs";
import { assertError, assertLeavesNothing, World } from "../support/world.mjs";

// A host that no token may ever reach.
const stranger = createServer((request, response) => {
  strangerAsked.push(request.headers.authorization ?? "");
  response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
});
const strangerAsked = [];
await new Promise((resolve) => stranger.listen(0, "127.0.0.2", resolve));
after(() => stranger.close());
const strangerUrl = `http://127.0.0.2:${stranger.address().port}/validate`;
const closedPort = await freePort();

const longBody = JSON.stringify({ padding: "x".repeat(5000) });
const json = { "Content-Type": "application/json" };
const ROWS = [
  ["200", { status: 200, body: "{}" }, "valid"],
  ["200 with a body that is no JSON", { status: 200, body: "hello {", content_type: "text/plain" }, "valid"],
  ["200 with an empty body", { status: 200, body: "" }, "valid"],
  ["401", { status: 401 }, "token_revoked"],
  ["401 with an exhausted rate limit", { status: 401, headers: { "X-RateLimit-Remaining": "0", "Retry-After": "60" } }, "token_revoked"],
  ["403", { status: 403 }, "token_revoked"],
  ["403 with Retry-After", { status: 403, headers: { "Retry-After": "60" } }, "rate_limited"],
  ["403 with X-RateLimit-Remaining 0", { status: 403, headers: { "X-RateLimit-Remaining": "0" } }, "rate_limited"],
  ["403 with x-ratelimit-remaining 0 in lower case", { status: 403, headers: { "x-ratelimit-remaining": "0" } }, "rate_limited"],
  ["403 with RateLimit-Remaining 0", { status: 403, headers: { "RateLimit-Remaining": "0" } }, "rate_limited"],
  ["403 with X-RateLimit-Remaining 1", { status: 403, headers: { "X-RateLimit-Remaining": "1" } }, "token_revoked"],
  ["403 with X-RateLimit-Remaining 00x", { status: 403, headers: { "X-RateLimit-Remaining": "00x" } }, "token_revoked"],
  ["429", { status: 429 }, "rate_limited"],
  ["429 with Retry-After", { status: 429, headers: { "Retry-After": "60" } }, "rate_limited"],
  ["201", { status: 201 }, "provider_unavailable"],
  ["204", { status: 204, body: "" }, "provider_unavailable"],
  ["400", { status: 400 }, "provider_unavailable"],
  ["404", { status: 404 }, "provider_unavailable"],
  ["418", { status: 418 }, "provider_unavailable"],
  ["500", { status: 500 }, "provider_unavailable"],
  ["500 with Retry-After and an exhausted rate limit", { status: 500, headers: { "Retry-After": "1", "X-RateLimit-Remaining": "0" } }, "provider_unavailable"],
  ["502", { status: 502 }, "provider_unavailable"],
  ["503", { status: 503 }, "provider_unavailable"],
  ["504", { status: 504 }, "provider_unavailable"],
  ["a redirect to another host", { redirect: strangerUrl }, "provider_unavailable"],
  ["a permanent redirect to another host", { redirect: strangerUrl, status: 308 }, "provider_unavailable"],
  ["a body of 2 MiB", { status: 200, body_bytes: 2 * 1024 * 1024 }, "provider_unavailable"],
  ["a connection that is cut before the headers", { cut: "before_headers" }, "provider_unavailable"],
  ["a body that is cut", { status: 200, body: longBody, cut: "mid_body" }, "provider_unavailable"],
  ["a body that drips for ever", { status: 200, body: longBody, trickle_ms: 50 }, "provider_unavailable"],
  ["no answer at all", { black_hole: true }, "provider_unavailable"],
];
const id = (index) => `row${index}`;

const world = await World.open({
  providers: (demo) => [
    ...ROWS.map((row, index) => demo.configure(id(index))),
    demo.configure("refused", { validate_url: `http://127.0.0.1:${closedPort}/validate` }),
    demo.configure("fine"),
    demo.configureGithub("hub"),
    demo.configure("cached", { gate_max_age: "1h" }),
    demo.configure("broken"),
    demo.configure("sealed"),
  ],
  settings: { GATE_TIMEOUT: "2s" },
});
const { demo } = world;
for (const [index, [, fault]] of ROWS.entries()) await demo.fault(id(index), "validate", fault);

const OUTCOMES = {
  valid: ["ok", null, 201], rate_limited: ["ok", null, 201], token_revoked: ["missing", "owner", 403], provider_unavailable: ["unverifiable", "wait", 503],
};

async function assertRow(provider, reason, user, template) {
  const [verdict, fixable_by, status] = OUTCOMES[reason];
  const { body: [state] } = await world.preflight(user, template);
  assert.deepEqual([state.id, state.reason, state.verdict, state.fixable_by], [provider, reason, verdict, fixable_by]);
  const ask = () => world.createWorkspace(user, template);
  const answer = status === 201 ? await ask() : await assertLeavesNothing(world, ask);
  assert.equal(answer.status, status, answer.text);
  if (status === 201) assert.deepEqual(answer.body.warnings, []);
  else assert.equal(answer.body.external_auth[0].reason, reason);
}

test("rows", { concurrency: 1 }, async (t) => {
  for (const [index, [name, , reason]] of ROWS.entries())
    await t.test(`${name} → ${reason}`, async () => {
      const user = await world.createUser();
      const template = await world.createTemplate([id(index)]);
      await world.importLink(user, id(index));
      const begun = Date.now();
      await assertRow(id(index), reason, user, template);
      assert.ok(Date.now() - begun < 7000, "within two budgets and a little");
    });
});

test("a host that refuses the connection → provider_unavailable", async () => {
  const user = await world.createUser();
  await world.importLink(user, "refused");
  await assertRow("refused", "provider_unavailable", user, await world.createTemplate(["refused"]));
});

test("no token was ever sent to another host", () => assert.deepEqual(strangerAsked, []));

test("the token is sent as Bearer and nothing but GET is used", async () => {
  const user = await world.createUser();
  const { access_token } = await world.link(user, "fine");
  const template = await world.createTemplate(["fine"]);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const request = (await demo.requests("fine", "validate")).at(-1);
  assert.equal(request.method, "GET");
  assert.equal(request.outcome, "ok");
  const known = (await demo.secrets()).find(({ value }) => value === access_token);
  assert.equal(request.values.authorization, known.fingerprint);
});

test("a create asks every time, unless a verdict may be reused", async () => {
  const user = await world.createUser();
  for (const [provider, asked] of [["fine", 3], ["cached", 1]]) {
    await world.link(user, provider);
    const template = await world.createTemplate([provider]);
    const before = await demo.asked(provider, "validate");
    for (let i = 0; i < 3; i++) assert.equal((await world.createWorkspace(user, template)).status, 201);
    assert.equal(await demo.asked(provider, "validate") - before, asked, provider);
  }
});

test("a reused verdict dies with its link", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["cached"]);
  await world.link(user, "cached");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  await world.importLink(user, "cached");
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  await world.link(user, "cached");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  await world.api("DELETE", "/api/v2/external-auth/cached", { token: user.token });
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
});

test("one provider that is silent costs only its own verdict", async () => {
  const user = await world.createUser();
  const silent = id(ROWS.findIndex(([name]) => name === "no answer at all"));
  const template = await world.createTemplate(["fine", silent, "cached"]);
  await world.link(user, "fine");
  await world.link(user, "cached");
  await world.importLink(user, silent);
  const begun = Date.now();
  const { body } = await world.preflight(user, template);
  assert.ok(Date.now() - begun < 3500, "one budget for all");
  assert.deepEqual(body.map(({ reason }) => reason), ["valid", "provider_unavailable", "valid"]);
});

test("a provider that is revoked and linked again is judged anew", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["fine"]);
  const { access_token } = await world.link(user, "fine");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  await demo.revoke("fine", { access_token });
  const body = assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  assert.equal(body.external_auth[0].reason, "token_revoked");
  await world.link(user, "fine");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
});

test("github's user with a body that is no JSON is valid all the same", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["hub"]);
  await world.link(user, "hub");
  await demo.fault("hub", "validate", { status: 200, body: "[[[", headers: json });
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const one = await world.api("GET", "/api/v2/external-auth/hub", { token: user.token });
  await demo.fault("hub", "validate", null);
  assert.equal(one.body.authenticated, true);
  assert.equal(one.body.user, null);
});

test("after a run of failures the provider is left alone, and comes back by itself", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["broken"]);
  await world.link(user, "broken");
  await demo.fault("broken", "validate", { status: 500 });
  for (let i = 0; i < 8; i++) assertError(await world.createWorkspace(user, template), 503, "external_auth_unverifiable");
  const asked = await demo.asked("broken", "validate");
  assert.ok(asked <= 7, `asked ${asked} times in 8 evaluations: the breaker is open after 5`);
  const body = assertError(await world.createWorkspace(user, template), 503, "external_auth_unverifiable");
  assert.ok(body.external_auth[0].retry_after >= 1 && body.external_auth[0].retry_after <= 5);
  await demo.fault("broken", "validate", null);
  await eventually("it is asked again", async () => (await world.createWorkspace(user, template)).status === 201, 12000, 200);
});

test("a token that is moved to another owner's row does not open", async () => {
  const thief = await world.createUser();
  const victim = await world.createUser();
  await world.link(victim, "sealed");
  await world.importLink(thief, "sealed", { refresh_token: newSecret() });
  const columns = await world.sql(`SELECT table_name AS t, column_name AS c, data_type AS d FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name ~ 'link' AND column_name ~ 'access_token'`);
  assert.ok(columns.length > 0, "a table of links with columns of an access token");
  const [{ t: table }] = columns;
  const names = columns.filter((column) => column.t === table).map(({ c }) => c);
  const key = await world.sql(`SELECT column_name AS c FROM information_schema.columns WHERE table_name = $1 AND column_name ~ '(user|owner)_id'`, [table]);
  const owner = key[0].c;
  await world.sql(`UPDATE ${table} AS mine SET ${names.map((name) => `${name} = theirs.${name}`).join(", ")}
    FROM ${table} AS theirs WHERE mine.${owner} = $1 AND theirs.${owner} = $2`, [thief.id, victim.id]);
  const template = await world.createTemplate(["sealed"]);
  const before = await demo.asked("sealed");
  const body = assertError(await assertLeavesNothing(world, () => world.createWorkspace(thief, template)), 503, "external_auth_unverifiable");
  assert.deepEqual([body.external_auth[0].reason, body.external_auth[0].fixable_by], ["decryption_failed", "operator"]);
  assert.equal(await demo.asked("sealed"), before);

  // The owner is told that nothing is lost.
  const { body: { links: [link] } } = await world.api("GET", "/api/v2/external-auth", { token: thief.token });
  assert.deepEqual([link.reason, link.has_refresh_token], ["decryption_failed", true]);
});
