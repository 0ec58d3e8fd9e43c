// SPDX-License-Identifier: Apache-2.0
// Connecting an account by a provider's device flow: the code belongs to who asked for it, the service keeps interval and
// expiry whoever polls wherever, and whatever the provider does, the caller learns whose turn it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { metricValue, newKey, runGatehouse, Service } from "../support/service.mjs";
import { eventually } from "../support/process.mjs";
import { CLIENT_SECRET } from "../support/provider.mjs";
import { assertError, World } from "../support/world.mjs";

const device = (demo, id, fields = {}) => demo.configure(id, { device_flow: true, device_code_url: `${demo.base}/${fields.at ?? id}/device/code`, ...fields });
const names = ["slow", "limits", "texts", "faults", "down", "cut", "lost", "many", "both", "restart", "gone", "odd", "away", "sealed", "lapse"];
const world = await World.open({
  providers: (demo) => [
    device(demo, "dev", { scopes: "read write" }), demo.configureGithub("hub", { device_flow: true, scopes: "repo" }), demo.configure("plain"),
    device(demo, "secret", { client_secret: "the-old-one", client_secret_2: CLIENT_SECRET }), device(demo, "public", { client_secret: undefined }),
    ...names.map((id) => device(demo, id)),
  ],
});
const { demo } = world;
// Tests shorten the wait in the database; the provider has its own clock.
for (const id of ["dev", "hub", ...names]) await demo.set(id, { device_enforce_interval: false });
const second = await world.replica();
const at = (provider) => `/api/v2/external-auth/${provider}/device`;
const start = (user, provider = "dev", service = world.service) => service.request("GET", at(provider), { token: user.token });
const poll = (user, device_code, provider = "dev", service = world.service) => service.request("POST", at(provider), { token: user.token, body: { device_code } });
const polls = async (provider) => (await demo.counters(provider)).device_polls;
const linksOf = async (user) => (await world.admin("GET", `/api/v2/users/${user.id}/external-auth`)).body.links;
// The interval is over, by the database's clock.
const wait = (user) => world.sql("UPDATE provider_devices SET next_poll_at = now() - interval '1 second' WHERE user_id = $1", [user.id]);
const intervalOf = async (user) => (await world.sql("SELECT interval_s FROM provider_devices WHERE user_id = $1", [user.id]))[0].interval_s;

async function begin(provider = "dev", user = undefined) {
  user ??= await world.createUser();
  const answer = await start(user, provider);
  assert.equal(answer.status, 200, answer.text);
  return { user, ...answer.body };
}

function assertPending(answer, word, seconds) {
  assertError(answer, 400, "device_pending");
  assert.equal(answer.body.detail, word);
  if (seconds !== undefined) assert.equal(answer.headers["retry-after"], String(seconds));
}

function assertOver(answer, word) {
  assertError(answer, 400, "provider_refused");
  assert.equal(answer.body.detail, word);
  assert.equal(answer.headers["retry-after"], undefined);
}

// -------------------------------------------------------------------------------------------------------- the way

test("a code that is approved connects the account, and the gate says yes", async () => {
  const { user, device_code, ...shown } = await begin();
  assert.deepEqual([shown.verification_uri, shown.expires_in, shown.interval], [`${demo.base}/dev/device`, 900, 5]);
  assert.equal(shown.verification_uri_complete, `${demo.base}/dev/device?user_code=${shown.user_code}`);
  const template = await world.createTemplate(["dev"]);
  assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  assertPending(await poll(user, device_code), "authorization_pending", 5);
  assert.deepEqual(await linksOf(user), []);
  await demo.decideDevice("dev", shown.user_code, true, "alice");
  await wait(user);
  const done = await poll(user, device_code);
  assert.deepEqual([done.status, done.text], [204, ""]);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const audited = await world.sql("SELECT action, initiator_id, subject FROM audit_log WHERE subject_user_id = $1 AND action LIKE 'link%'", [user.id]);
  assert.deepEqual(audited, [{ action: "link.create", initiator_id: user.id, subject: "dev" }]);
  const metrics = await world.service.metrics();
  assert.ok(metricValue(metrics, "gatehouse_links_written_total", { provider: "dev", how: "device" }) >= 1);
  for (const end of ["asked_for", "granted"]) assert.ok(metricValue(metrics, "gatehouse_device_codes_total", { provider: "dev", end }) >= 1, end);
});

test("the provider is sent what RFC 8628 wants, and its code leaves the service never", async () => {
  const { user, device_code, user_code } = await begin();
  await demo.decideDevice("dev", user_code);
  assert.equal((await poll(user, device_code)).status, 204);
  const asked = (await demo.requests("dev", "device")).at(-1);
  assert.deepEqual([asked.values.client_id, asked.values.scope, asked.client_auth], ["gatehouse-demo", "read write", asked.client_auth]);
  const polled = (await demo.requests("dev", "token")).at(-1);
  assert.equal(polled.values.grant_type, "urn:ietf:params:oauth:grant-type:device_code");
  assert.equal(polled.values.client_id, "gatehouse-demo");
  const codes = (await demo.secrets()).filter(({ kind }) => kind === "device_code").map(({ value }) => value);
  const dump = await world.psqlDump();
  assert.ok(codes.length > 0);
  for (const code of [...codes, device_code]) {
    assert.notEqual(code === device_code && codes.includes(code), true);
    assert.ok(!dump.includes(code) && !dump.includes(Buffer.from(code).toString("hex")), "no code stands in the database");
    assert.ok(!world.service.output().includes(code), "nor in the log");
  }
});

test("github: status 200 with an error, client id alone, account and installations", async () => {
  await demo.set("hub", { error_style: "github", device_answer: "negotiate", token_answer: "negotiate" });
  const { user, device_code, user_code } = await begin("hub");
  assertPending(await poll(user, device_code, "hub"), "authorization_pending");
  await demo.decideDevice("hub", user_code, true, "octocat");
  await wait(user);
  assert.equal((await poll(user, device_code, "hub")).status, 204);
  for (const endpoint of ["device", "token"]) {
    const { values, parameters } = (await demo.requests("hub", endpoint)).at(-1);
    assert.equal(values.client_id, "gatehouse-demo");
    assert.ok(!parameters.includes("client_secret"), parameters.join());
  }
  const [row] = await world.sql("SELECT account FROM links WHERE owner_id = $1", [user.id]);
  assert.equal(row.account, "octocat");
  const { body } = await world.api("GET", "/api/v2/external-auth/hub", { token: user.token });
  assert.deepEqual([body.authenticated, body.device, body.user.login, body.app_installable, body.installations.length], [true, true, "octocat", true, 1]);
});

test("a provider that wants the client to authenticate gets it, with the secret that is good", async () => {
  await demo.set("secret", { device_secret: true, client_auth: "post" });
  const { user, device_code, user_code } = await begin("secret");
  await demo.decideDevice("secret", user_code);
  assert.equal((await poll(user, device_code, "secret")).status, 204);
  const open = await begin("public");
  await demo.decideDevice("public", open.user_code);
  assert.equal((await poll(open.user, open.device_code, "public")).status, 204);
  assert.deepEqual((await demo.requests("public", "token")).map(({ client_auth }) => client_auth), ["none"]);
});

test("asked again, a code that connected the account says so while the link stands, and never makes another", async () => {
  const { user, device_code, user_code } = await begin();
  await demo.decideDevice("dev", user_code);
  assert.equal((await poll(user, device_code)).status, 204);
  const before = await polls("dev");
  assert.equal((await poll(user, device_code)).status, 204);
  assert.equal((await world.api("DELETE", "/api/v2/external-auth/dev", { token: user.token })).status, 200);
  assertOver(await poll(user, device_code), "expired_token");
  assert.equal(await polls("dev"), before, "the provider is not asked");
  assert.deepEqual(await linksOf(user), []);
  const again = await begin("dev", user);
  await demo.decideDevice("dev", again.user_code);
  assert.equal((await poll(user, again.device_code)).status, 204);
  const [{ generation }] = await world.sql("SELECT generation FROM links WHERE owner_id = $1", [user.id]);
  assert.ok(Number(generation) >= 3, `${generation}: linked, unlinked, linked`);
  const third = await begin("dev", user);
  await demo.decideDevice("dev", third.user_code);
  assert.equal((await poll(user, third.device_code)).status, 204, "and once more over a link that stands");
});

// -------------------------------------------------------------------------------------------------------- who

test("a code is good for who asked for it, and at its own provider", async () => {
  const { user, device_code, user_code } = await begin();
  const thief = await world.createUser();
  await demo.decideDevice("dev", user_code);
  const before = await polls("dev");
  const stolen = await poll(thief, device_code);
  const unknown = await poll(thief, `ghd_${"A".repeat(43)}`);
  for (const answer of [stolen, unknown, await poll(user, device_code, "slow"), await poll(user, user_code), await poll(user, "")]) assertOver(answer, "invalid_grant");
  assert.equal(stolen.body.message, unknown.body.message);
  assert.deepEqual([await polls("dev"), await polls("slow")], [before, 0]);
  assert.deepEqual(await linksOf(thief), []);
  assert.equal((await poll(user, device_code)).status, 204);
});

test("who may not ask, and what is no request", async () => {
  const user = await world.createUser();
  const { service } = world;
  assertError(await service.request("GET", at("dev")), 401, "unauthenticated");
  assertError(await service.request("POST", at("dev"), { body: { device_code: "x" } }), 401, "unauthenticated");
  for (const method of ["GET", "POST"]) {
    const body = method === "POST" ? { device_code: "x" } : undefined;
    assertError(await service.request(method, at("plain"), { token: user.token, body }), 404, "not_found");
    assertError(await service.request(method, at("nobody"), { token: user.token, body }), 404, "provider_not_configured");
  }
  for (const body of [{}, { device_code: null }, { device_code: 5 }, { device_code: "x".repeat(129) }])
    assertError(await service.request("POST", at("dev"), { token: user.token, body }), 400, "validation_failed", "device_code");
  assertError(await service.request("POST", at("dev"), { token: user.token, raw: "{", headers: { "Content-Type": "application/json" } }), 400, "malformed_json");
  const before = await demo.asked("dev", "device");
  assert.equal((await service.request("HEAD", at("dev"), { token: user.token })).status, 200);
  assert.equal(await demo.asked("dev", "device"), before, "to look makes no code");
});

test("a suspended user gets no code and no link, at any replica and at once", async () => {
  const { user, device_code, user_code } = await begin();
  const { status } = await second.request("GET", "/api/v2/users/me", { token: user.token }); // who it is, is remembered there
  assert.equal(status, 200);
  await demo.decideDevice("dev", user_code);
  const before = [await polls("dev"), await demo.asked("dev", "device")];
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "suspended" });
  for (const service of [second, world.service]) {
    assertError(await poll(user, device_code, "dev", service), 403, "owner_suspended");
    assertError(await start(user, "dev", service), 403, "owner_suspended");
  }
  assert.deepEqual([await polls("dev"), await demo.asked("dev", "device")], before);
  await world.expect(200, "PATCH", `/api/v2/users/${user.id}`, { status: "active" });
  assert.equal((await poll(user, device_code)).status, 204);
});

test("ten codes wait at most", async () => {
  const user = await world.createUser();
  for (let i = 0; i < 10; i++) await begin("many", user);
  const before = await demo.asked("many", "device");
  const answer = await start(user, "many");
  assertError(answer, 503, "overloaded");
  assert.ok(Number(answer.headers["retry-after"]) > 800);
  assert.equal(await demo.asked("many", "device"), before);
  await begin("dev", user);
  await world.sql("UPDATE provider_devices SET expires_at = now() - interval '1 hour' WHERE user_id = $1", [user.id]);
  await begin("many", user);
  assert.equal((await world.sql("SELECT count(*)::int AS n FROM provider_devices WHERE user_id = $1", [user.id]))[0].n, 1, "what ran out is swept");
});

// -------------------------------------------------------------------------------------------------------- when

test("sooner than the interval the provider is not asked", async () => {
  const { user, device_code, user_code } = await begin("slow");
  assertPending(await poll(user, device_code, "slow"), "authorization_pending", 5);
  for (let i = 0; i < 3; i++) {
    const answer = await poll(user, device_code, "slow", i % 2 ? second : world.service);
    assertPending(answer, "slow_down");
    assert.ok(["4", "5"].includes(answer.headers["retry-after"]), answer.headers["retry-after"]);
  }
  assert.equal(await polls("slow"), 1);
  assert.equal(await intervalOf(user), 5, "and who asks too often does not move the interval");
  await demo.decideDevice("slow", user_code);
  await wait(user);
  assert.equal((await poll(user, device_code, "slow")).status, 204);
});

test("who comes a moment too early waits for the rest", async () => {
  await demo.set("slow", { device_interval: 1 });
  const { user, device_code } = await begin("slow");
  const before = await polls("slow");
  const begun = Date.now();
  for (let i = 0; i < 3; i++) assertPending(await poll(user, device_code, "slow"), "authorization_pending", 1);
  assert.ok(Date.now() - begun >= 1900, "two intervals have passed");
  assert.equal(await polls("slow"), before + 3);
  await demo.set("slow", { device_interval: null });
});

test("the provider's slow_down makes the interval five seconds longer for good", async () => {
  const { user, device_code } = await begin("slow");
  for (const [seconds, interval] of [[10], [15, 2], [40, 40]]) {
    await demo.fault("slow", "token", { status: 400, body: JSON.stringify({ error: "slow_down", interval }), times: 1 });
    assertPending(await poll(user, device_code, "slow"), "slow_down", seconds);
    assert.equal(await intervalOf(user), seconds);
    const asked = await demo.asked("slow", "token");
    assertPending(await poll(user, device_code, "slow"), "slow_down");
    assert.equal(await demo.asked("slow", "token"), asked);
    await wait(user);
  }
  assertPending(await poll(user, device_code, "slow"), "authorization_pending", 40);
});

test("without an interval it is five seconds, without sense it is bounded", async () => {
  await demo.set("odd", { device_interval_sent: false });
  assert.equal((await begin("odd")).interval, 5);
  await demo.set("odd", { device_interval_sent: true, device_interval: 100000, device_expires_in: 1000000 });
  const { interval, expires_in } = await begin("odd");
  assert.deepEqual([interval, expires_in], [300, 3600]);
});

test("a code that has run out is not asked for", async () => {
  await demo.set("lapse", { device_expires_in: 1 });
  const { user, device_code, user_code, expires_in } = await begin("lapse");
  assert.equal(expires_in, 1);
  await demo.decideDevice("lapse", user_code);
  await sleep(1100);
  assertOver(await poll(user, device_code, "lapse"), "expired_token");
  assertOver(await poll(user, device_code, "lapse", second), "expired_token");
  assert.equal(await polls("lapse"), 0);
});

test("declined and run out at the provider: told once and again, asked once", async () => {
  const denied = await begin("gone");
  await demo.decideDevice("gone", denied.user_code, false);
  for (const service of [world.service, second, world.service]) assertOver(await poll(denied.user, denied.device_code, "gone", service), "access_denied");
  assert.equal(await polls("gone"), 1);
  assert.deepEqual(await world.sql("SELECT device_code FROM provider_devices WHERE user_id = $1", [denied.user.id]), [{ device_code: null }]);
  for (const [error, word] of [["expired_token", "expired_token"], ["invalid_grant", "invalid_grant"], ["some_new_error", "some_new_error"], ["UPPER CASE", "invalid_grant"]]) {
    const { user, device_code } = await begin("gone");
    await demo.fault("gone", "token", { error, status: 400, times: 1 });
    assertOver(await poll(user, device_code, "gone"), word);
    const asked = await demo.asked("gone", "token");
    assertOver(await poll(user, device_code, "gone"), word);
    assert.equal(await demo.asked("gone", "token"), asked);
  }
});

// -------------------------------------------------------------------------------------------------------- many

test("of polls at once at two replicas one asks", async () => {
  const { user, device_code, user_code } = await begin("both");
  await demo.closeGate("both", "token");
  const first = poll(user, device_code, "both");
  await demo.awaitGate("both", "token");
  assertPending(await poll(user, device_code, "both", second), "slow_down");
  await wait(user); // longer than the interval
  assertPending(await poll(user, device_code, "both", second), "authorization_pending", 5);
  await demo.decideDevice("both", user_code);
  await demo.openGate("both", "token");
  assert.equal((await first).status, 204);
  assert.equal((await poll(user, device_code, "both", second)).status, 204);
  assert.equal(await polls("both"), 1);
});

test("twenty polls of an approved code at two replicas make one link", async () => {
  for (let round = 0; round < 5; round++) {
    const { user, device_code, user_code } = await begin("both");
    const before = await polls("both");
    await demo.decideDevice("both", user_code);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => poll(user, device_code, "both", i % 2 ? second : world.service)));
    assert.ok(answers.some(({ status }) => status === 204));
    for (const answer of answers.filter(({ status }) => status !== 204)) assertPending(answer, answer.body.detail);
    assert.equal(await polls("both"), before + 1);
    const [{ generation }] = await world.sql("SELECT generation FROM links WHERE owner_id = $1", [user.id]);
    assert.equal(Number(generation), 1);
    assert.equal((await poll(user, device_code, "both", second)).status, 204);
  }
});

test("a process that dies while it asks keeps others from it for a while only", async () => {
  const { user, device_code, user_code } = await begin("both");
  await world.sql("UPDATE provider_devices SET poll_id = gen_random_uuid(), poll_until = now() + interval '40 seconds' WHERE user_id = $1", [user.id]);
  await demo.decideDevice("both", user_code);
  assertPending(await poll(user, device_code, "both"), "authorization_pending");
  await world.sql("UPDATE provider_devices SET poll_until = now() - interval '1 second' WHERE user_id = $1", [user.id]);
  assert.equal((await poll(user, device_code, "both")).status, 204);
});

test("codes, intervals and ends outlive the process", async () => {
  const { cluster, database } = world;
  const service = await new Service({ databaseUrl: cluster.url(database), providers: world.providers, key: world.service.key, adminToken: world.service.adminToken }).start();
  const { user, device_code, user_code } = await begin("restart");
  assertPending(await poll(user, device_code, "restart", service), "authorization_pending");
  await service.restart();
  assertPending(await poll(user, device_code, "restart", service), "slow_down");
  assert.equal(await polls("restart"), 1);
  await demo.decideDevice("restart", user_code);
  await wait(user);
  assert.equal((await poll(user, device_code, "restart", service)).status, 204);
  await service.restart();
  assert.equal((await poll(user, device_code, "restart", service)).status, 204);
  await service.stop();
});

// -------------------------------------------------------------------------------------------------------- faults

test("the provider's limits are told with their time and kept, and the code stays good", async () => {
  const user = await world.createUser();
  for (const [fault, seconds] of [[{ status: 429, headers: { "Retry-After": "7" } }, "7"], [{ status: 403, headers: { "X-RateLimit-Remaining": "0" } }, "60"], [{ error: "slow_down", status: 400 }, "60"], [{ status: 403, headers: { "RateLimit-Remaining": "0", "RateLimit-Reset": "21" } }, "21"]]) {
    await demo.fault("limits", "device", { ...fault, times: 1 });
    const answer = await start(user, "limits");
    assertError(answer, 503, "provider_rate_limited");
    assert.equal(answer.headers["retry-after"], seconds);
    assert.match(answer.body.detail, new RegExp(`${seconds} s`));
  }
  const { device_code, user_code } = await begin("limits", user);
  await demo.decideDevice("limits", user_code);
  await demo.fault("limits", "token", { status: 429, headers: { "Retry-After": "33" }, times: 1 });
  const limited = await poll(user, device_code, "limits");
  assertError(limited, 503, "provider_rate_limited");
  assert.equal(limited.headers["retry-after"], "33");
  const early = await poll(user, device_code, "limits", second);
  assertPending(early, "slow_down");
  assert.ok(Number(early.headers["retry-after"]) > 25, early.headers["retry-after"]);
  assert.equal(await polls("limits"), 0);
  await wait(user);
  assert.equal((await poll(user, device_code, "limits")).status, 204);
});

test("form-encoded answers are read, errors in them too", async () => {
  await demo.set("texts", { device_answer: "form", token_answer: "form" });
  const { user, device_code, user_code } = await begin("texts");
  const form = { status: 200, content_type: "application/x-www-form-urlencoded; charset=utf-8", times: 1 };
  await demo.fault("texts", "token", { ...form, body: "error=authorization_pending&error_description=no" });
  assertPending(await poll(user, device_code, "texts"), "authorization_pending");
  await demo.decideDevice("texts", user_code);
  await wait(user);
  assert.equal((await poll(user, device_code, "texts")).status, 204);
  await demo.fault("texts", "device", { ...form, body: "error=device_flow_disabled&error_description=Device+Flow+must+be+enabled" });
  const answer = await start(user, "texts");
  assertError(answer, 502, "provider_failed");
  assert.match(answer.body.message, /device_flow_disabled/);
  assert.match(answer.body.detail, /switch the device flow on .*"texts"/);
});

test("what is no device code is explained and never shown", async () => {
  const user = await world.createUser();
  const code = { device_code: "d", user_code: "U", verification_uri: "https://example.com/device", expires_in: 60 };
  const json = (body) => ({ status: 200, body: JSON.stringify(body), content_type: "application/json" });
  const html = { status: 200, body: "<html>Sorry hunter2</html>", content_type: "text/html" };
  const faults = [
    [html, /no device code/], [{ status: 200, body: "" }, /no device code/], [json([]), /no device code/], [json({ ...code, device_code: undefined }), /no device code/],
    [json({ ...code, verification_uri: "javascript:alert(1)" }), /no device code/], [json({ ...code, verification_uri: "http://example.com/" }), /no device code/],
    [json({ ...code, user_code: "\u001b[31mA" }), /no device code/], [json({ ...code, user_code: "x".repeat(65) }), /no device code/],
    [json({ ...code, device_code: "x".repeat(4097) }), /no device code/], [{ status: 404, body: "Not Found" }, /without a reason/],
    [{ status: 401, error: "invalid_client" }, /invalid_client/], [{ status: 400, error: "Hunter 2!" }, /an unknown error/],
    [{ status: 500 }, /just now \(HTTP 500\)/], [{ cut: "before_headers" }, /no answer/], [{ body_bytes: 2 << 20 }, /no answer|no device code/],
  ];
  for (const [fault, message] of faults) {
    await demo.fault("texts", "device", fault);
    const answer = await start(user, "texts");
    assertError(answer, 502, "provider_failed");
    assert.match(answer.body.message, message);
    assert.ok(!/hunter/i.test(answer.text), answer.text);
  }
  await demo.fault("texts", "device", json({ ...code, verification_uri: undefined, verification_url: "https://example.com/go", verification_uri_complete: "javascript:x", expires_in: "60" }));
  const { body } = await start(user, "texts");
  assert.deepEqual([body.verification_uri, body.verification_uri_complete, body.expires_in, body.interval], ["https://example.com/go", null, 60, 5]);
  await demo.fault("texts", "device", null);
  assert.equal((await world.sql("SELECT count(*)::int AS n FROM provider_devices WHERE user_id = $1", [user.id]))[0].n, 1);
});

test("a provider that is down or refuses our client costs the code nothing", async () => {
  const { user, device_code, user_code } = await begin("faults");
  await demo.decideDevice("faults", user_code);
  for (const [fault, seconds] of [[{ status: 503 }, "5"], [{ status: 503, headers: { "Retry-After": "9" } }, "9"], [{ status: 400, body: "<html>proxy</html>" }, "5"]]) {
    await demo.fault("faults", "token", { ...fault, times: 4 });
    const answer = await poll(user, device_code, "faults");
    assertError(answer, 502, "provider_failed");
    assert.equal(answer.headers["retry-after"], seconds);
    await demo.fault("faults", "token", null);
    await wait(user);
  }
  await demo.set("faults", { client_secret: "another", device_secret: true });
  assertOver(await poll(user, device_code, "faults"), "invalid_client");
  await demo.set("faults", { client_secret: null });
  await wait(user);
  assert.equal((await poll(user, device_code, "faults")).status, 204);
});

test("a token that is no bearer token is not stored", async () => {
  await demo.fault("faults", "token", { status: 200, body: JSON.stringify({ access_token: "t", token_type: "mac" }), content_type: "application/json", times: 1 });
  const { user, device_code } = await begin("faults");
  const answer = await poll(user, device_code, "faults");
  assertError(answer, 502, "provider_failed");
  assert.match(answer.body.detail, /no bearer token/);
  assert.deepEqual(await linksOf(user), []);
  assertOver(await poll(user, device_code, "faults"), "server_error");
});

test("a provider that hangs is given up, and asked half as often", async () => {
  const { user, device_code, user_code } = await begin("down");
  await demo.fault("down", "token", { black_hole: true });
  await demo.fault("down", "device", { black_hole: true });
  const begun = Date.now();
  const [polled, started] = await Promise.all([poll(user, device_code, "down"), start(await world.createUser(), "down")]);
  assert.ok(Date.now() - begun < 15000);
  for (const answer of [polled, started]) assertError(answer, 502, "provider_failed");
  assert.deepEqual([polled.headers["retry-after"], await intervalOf(user)], ["10", 10]);
  await demo.fault("down", "token", null);
  await demo.openGate("down", "token");
  await demo.openGate("down", "device");
  await demo.decideDevice("down", user_code);
  await wait(user);
  assert.equal((await poll(user, device_code, "down")).status, 204);
});

test("an answer that is cut off: asked again; one that held the token cannot be had again", async () => {
  const { user, device_code, user_code } = await begin("cut");
  await demo.fault("cut", "token", { cut: "before_headers", times: 1 });
  assertError(await poll(user, device_code, "cut"), 502, "provider_failed");
  await demo.decideDevice("cut", user_code);
  await wait(user);
  assert.equal((await poll(user, device_code, "cut")).status, 204);
  const lost = await begin("lost");
  await demo.decideDevice("lost", lost.user_code);
  await demo.fault("lost", "token", { cut: "mid_body", times: 1 });
  assertError(await poll(lost.user, lost.device_code, "lost"), 502, "provider_failed");
  await wait(lost.user);
  assertOver(await poll(lost.user, lost.device_code, "lost"), "invalid_grant");
  assert.deepEqual(await linksOf(lost.user), []);
});

test("a caller who goes away does not lose the token", async () => {
  const { user, device_code, user_code } = await begin("away");
  await demo.decideDevice("away", user_code);
  await demo.closeGate("away", "token", { moment: "after" });
  const controller = new AbortController();
  const left = world.service.request("POST", at("away"), { token: user.token, body: { device_code }, signal: controller.signal }).catch(() => "left");
  await demo.awaitGate("away", "token");
  controller.abort();
  assert.equal(await left, "left");
  await demo.openGate("away", "token");
  await eventually("the link is there", async () => (await linksOf(user)).length === 1);
  assert.equal((await poll(user, device_code, "away")).status, 204);
  assert.equal(await polls("away"), 1);
});

test("a code outlives a rotation of the keys", async () => {
  const { user, device_code, user_code } = await begin("sealed");
  const { cluster, database, service: { key } } = world;
  const next = newKey();
  const settings = { GATEHOUSE_PG_CONNECTION_URL: cluster.url(database), GATEHOUSE_EXTERNAL_TOKEN_ENCRYPTION_KEYS: `${next},${key}` };
  const both = await world.replica({ settings: { EXTERNAL_TOKEN_ENCRYPTION_KEYS: `${next},${key}` } });
  const rotated = await runGatehouse(["keys", "rotate"], settings);
  assert.equal(rotated.code, 0, rotated.stderr);
  const keys = await world.sql("SELECT DISTINCT key_id FROM provider_devices WHERE device_code IS NOT NULL");
  assert.equal(keys.length, 1, "all open codes are under the new key");
  await demo.decideDevice("sealed", user_code);
  const blind = await poll(user, device_code, "sealed");
  assertError(blind, 500, "internal");
  await wait(user);
  assert.equal((await poll(user, device_code, "sealed", both)).status, 204);
});
