// SPDX-License-Identifier: Apache-2.0
// What operators have: health, readiness, metrics and a log that can be read and holds no secret, nowhere; neither
// does the database, in the clear.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { exchange } from "../support/http.mjs";
import { CLIENT_SECRET } from "../support/provider.mjs";
import { metricValue } from "../support/service.mjs";
import { Browser } from "../support/browser.mjs";
import { assertError, World } from "../support/world.mjs";

const world = await World.create({
  providers: (demo) => [demo.configure("demo"), demo.configure("down"), demo.configureGithub("hub")], settings: { LOG_LEVEL: "debug" },
});
after(() => world.close());
const { demo, service } = world;

test("health and readiness", async () => {
  assert.deepEqual((await world.api("GET", "/healthz", { admin: true })).body, { status: "ok" });
  assert.deepEqual((await world.api("GET", "/readyz", { admin: true })).body, { status: "ready" });
});

test("the admin listener has nothing but that", async () => {
  for (const path of ["/", "/api/v2/users", "/external-auth/demo", "/metrics/x", "/debug"]) {
    const answer = await exchange("GET", `${service.adminBase}${path}`, { headers: { Authorization: `Bearer ${service.adminToken}` } });
    assert.equal(answer.status, 404, path);
    assert.equal(JSON.parse(answer.text).code, "not_found");
  }
  const answer = await exchange("POST", `${service.adminBase}/healthz`);
  assert.equal(answer.status, 405);
});

test("metrics are Prometheus text and count decisions, requests and durations", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["demo"]);
  const before = await service.metrics();
  await world.createWorkspace(user, template);
  await world.link(user, "demo");
  await world.createWorkspace(user, template);
  await demo.fault("demo", "validate", { status: 500 });
  await world.createWorkspace(user, template);
  await demo.fault("demo", "validate", null);
  const now = await service.metrics();
  const grown = (name, labels) => metricValue(now, name, labels) - metricValue(before, name, labels);
  for (const outcome of ["allowed", "refused", "unverifiable"])
    assert.ok(grown("gatehouse_decisions_total", { outcome }) >= 1, `decisions with outcome ${outcome}`);
  for (const reason of ["valid", "not_linked", "provider_unavailable"])
    assert.ok(grown("gatehouse_findings_total", { provider: "demo", reason }) >= 1, `findings with reason ${reason}`);
  assert.ok(grown("gatehouse_provider_requests_total", { provider: "demo" }) >= 2);
  assert.ok(grown("gatehouse_provider_request_duration_seconds_count") >= 2);
  assert.ok(grown("gatehouse_http_requests_total", { status: "403" }) >= 1);
  assert.ok(grown("gatehouse_http_request_duration_seconds_count") >= 3);
  assert.ok(metricValue(now, "gatehouse_http_requests_in_flight") >= 0);
});

test("metrics are well formed", async () => {
  const text = await service.metrics();
  assert.ok(text.endsWith("\n"));
  const typed = new Set();
  const samples = new Set();
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const comment = line.match(/^# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (.+)$/);
    if (comment) {
      if (comment[1] === "TYPE") {
        assert.ok(!typed.has(comment[2]), `${comment[2]} has its type twice`);
        assert.match(comment[3], /^(counter|gauge|histogram|summary)$/);
        typed.add(comment[2]);
      }
      continue;
    }
    const sample = line.match(/^([a-z_:][a-z0-9_:]*)(\{([a-z_]+="(\\.|[^"\\])*",?)*\})? ([0-9.eE+-]+|\+Inf|NaN)$/);
    assert.ok(sample, `not a sample: ${line}`);
    assert.ok(typed.has(sample[1]) || typed.has(sample[1].replace(/_(bucket|sum|count)$/, "")), `${sample[1]} has no type`);
    const key = line.slice(0, line.lastIndexOf(" "));
    assert.ok(!samples.has(key), `twice: ${key}`);
    samples.add(key);
  }
  assert.ok(!text.includes(service.base.split("//")[1]), "no label holds a URL");
});

test("every request is one line of JSON with its id", async () => {
  const user = await world.createUser({ username: "logged" });
  await world.api("GET", "/api/v2/users/me?limit=1", { token: user.token, headers: { "X-Request-Id": "log-me-once" } });
  await world.api("GET", "/nothing-here", { headers: { "X-Request-Id": "log-me-too" } });
  await service.program.waitForLog(/log-me-too/);
  const lines = service.logLines();
  for (const line of lines) assert.equal(typeof line, "object");
  for (const [id, status] of [["log-me-once", 200], ["log-me-too", 404]]) {
    const mine = lines.filter((line) => line.request_id === id && line.status !== undefined);
    assert.equal(mine.length, 1, `one line for ${id}: ${JSON.stringify(mine)}`);
    assert.equal(mine[0].status, status);
    assert.equal(mine[0].method, "GET");
    assert.ok(Object.values(mine[0]).some((value) => typeof value === "string" && !Number.isNaN(Date.parse(value))), "a time");
  }
});

test("what a caller sends cannot forge a line of the log", async () => {
  await world.api("GET", "/api/v2/users/x%0A%7B%22forged%22%3Atrue%7D", { token: service.adminToken, headers: { "User-Agent": "a\tb \"q\" {" } });
  await world.api("POST", "/api/v2/users", { token: service.adminToken, body: { username: "a\nforged" } });
  assert.ok(service.logLines().every((line) => !("forged" in line)));
});

test("no secret is in any log, answer, metric or, in the clear, in the database", async () => {
  const secrets = new Map();
  const keep = (name, value) => secrets.set(name, value);
  const user = await world.createUser();
  const template = await world.createTemplate(["demo", "hub"]);
  keep("admin token", service.adminToken);
  keep("encryption key", service.key);
  keep("user token", user.token);
  keep("client secret", CLIENT_SECRET);

  for (const provider of ["demo", "hub"]) {
    const url = await world.linkUrl(user, provider);
    keep(`${provider} ticket`, new URL(url).searchParams.get("ticket"));
    const browser = new Browser();
    const answers = await browser.travel(url, service);
    keep(`${provider} state`, answers[0].next.searchParams.get("state"));
    for (const { name, value } of browser.cookies(new URL(service.accessUrl).origin)) keep(`${provider} ${name}`, value);
  }
  await world.createWorkspace(user, template);
  await world.preflight(user, template);
  await world.api("GET", "/api/v2/external-auth", { token: user.token });

  // Every way in which a provider may put a token or a page of its own into an error.
  const imported = await world.link(user, "down", { withRefreshToken: true });
  for (const fault of [{ status: 500, body: `{"echo":"${imported.access_token}"}` }, { status: 401, body: imported.access_token }, { redirect: `/down/validate?t=${imported.access_token}` }]) {
    await demo.fault("down", "validate", fault);
    await world.createWorkspace(user, await world.createTemplate(["down"]));
  }
  await demo.fault("down", "validate", null);
  await demo.fault("down", "revoke", { status: 400, body: `{"error":"invalid_request","error_description":"${imported.refresh_token}"}` });
  await world.api("DELETE", "/api/v2/external-auth/down", { token: user.token });
  const begun = await new Browser().visit(await world.linkUrl(user, "down"), service);
  await demo.fault("down", "token", { status: 400, body: `{"error":"invalid_grant","error_description":"${imported.refresh_token}"}` });
  await new Browser().travel(begun.next.href, service);

  // What is wrong is not repeated either.
  for (const [method, path, body] of [
    ["PUT", `/api/v2/users/${user.id}/external-auth/demo`, { access_token: "wrong blank-in-token-4711" }],
    ["POST", "/api/v2/users", { username: "Unlawful-Secret-4712" }],
  ]) await world.admin(method, path, body);
  keep("refused access token", "wrong blank-in-token-4711");
  await world.api("GET", "/api/v2/users/me", { token: "unknown-token-4713-unknown-token-4713" });
  keep("unknown token", "unknown-token-4713-unknown-token-4713");
  assertError(await world.api("GET", `/api/v2/users/me?access_token=${user.token}`), 401, "unauthenticated");

  for (const { kind, value } of await demo.secrets()) keep(`provider's ${kind} ${value.slice(0, 12)}`, value);
  assert.ok(secrets.size >= 15, `${secrets.size} secrets to look for`);

  const metrics = await service.metrics();
  const dump = await world.psqlDump();
  await service.stop();
  const places = { log: service.output(), metrics, database: dump };
  for (const [place, text] of Object.entries(places))
    for (const [name, value] of secrets) {
      const forms = [value, Buffer.from(value).toString("base64").replace(/=+$/, ""), Buffer.from(value).toString("hex"), encodeURIComponent(value)];
      for (const form of forms) assert.ok(!text.includes(form), `${name} is in the ${place}: …${text.slice(Math.max(0, text.indexOf(form) - 200), text.indexOf(form))}…`);
    }
  for (const line of service.output().split("\n").filter((each) => each.startsWith("{"))) JSON.parse(line);
});
