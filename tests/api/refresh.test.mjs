// SPDX-License-Identifier: Apache-2.0
// Refreshing as a caller sees it: one token request for an expired link, each class of the token endpoint's answers with
// its verdict and status, and what happens to links that change or callers that leave meanwhile. Each row has a provider
// of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/process.mjs";
import { metricValue } from "../support/service.mjs";
import { assertError, assertLeavesNothing, World } from "../support/world.mjs";

const EXPIRED = "2020-01-01T00:00:00Z";
const oauth = (error, status = 400) => ({ status, body: JSON.stringify({ error, error_description: "words of the provider" }), content_type: "application/json" });

// name, the fault of the token endpoint, the reason, the token requests of the first evaluation, those of a second one.
const ROWS = [
  ["invalid_grant", oauth("invalid_grant"), "refresh_rejected", 1, 0],
  ["bad_refresh_token with 200", oauth("bad_refresh_token", 200), "refresh_rejected", 1, 0],
  ["unauthorized_client", oauth("unauthorized_client"), "refresh_rejected", 1, 0],
  ["unsupported_grant_type with 503", oauth("unsupported_grant_type", 503), "refresh_rejected", 1, 0],
  ["another OAuth error with 401", oauth("access_denied", 401), "refresh_rejected", 1, 0],
  // Basic, then form parameters.
  ["invalid_client", oauth("invalid_client", 401), "provider_misconfigured", 2, 0],
  ["incorrect_client_credentials with 200", oauth("incorrect_client_credentials", 200), "provider_misconfigured", 2, 0],
  ["403", { status: 403 }, "provider_unavailable", null, null],
  ["408", { status: 408 }, "provider_unavailable", null, null],
  ["425", { status: 425 }, "provider_unavailable", null, null],
  ["429 with a long Retry-After", { status: 429, headers: { "Retry-After": "60" } }, "provider_unavailable", 1, 1],
  ["500", { status: 500 }, "provider_unavailable", null, null],
  ["503", { status: 503 }, "provider_unavailable", null, null],
  ["an answer that is cut before the headers", { cut: "before_headers", commit: "no" }, "provider_unavailable", 2, 0],
  ["an answer that is cut", { cut: "mid_body", commit: "no" }, "provider_unavailable", 2, 0],
  ["200 without a token", { status: 200, body: "{}", content_type: "application/json" }, "provider_unavailable", 2, 0],
  ["200 with a page", { status: 200, body: "<html>sorry</html>", content_type: "text/html" }, "provider_unavailable", 2, 0],
];
const id = (index) => `row${index}`;

const world = await World.open({
  providers: (demo) => [
    ...ROWS.map((row, index) => demo.configure(id(index), { refresh_retry_timeout: "600ms" })),
    ...["plain", "held", "alive", "kept", "leave", "mend", "once", "parked"].map((name) => demo.configure(name, { refresh_retry_timeout: "600ms" })),
    demo.configure("never", { no_refresh: "true" }),
    demo.configureGithub("hub"),
    demo.configure("form"), demo.configure("blind", { validate_url: undefined }),
    demo.configure("unreached", { token_url: "http://127.0.0.1:1/token", refresh_retry_timeout: "600ms" }),
    demo.configure("second", { client_secret: "an-old-secret", client_secret_2: "gatehouse-demo-secret" }),
  ],
});
const { demo } = world;

async function expired(provider, options = {}) {
  const user = await world.createUser();
  const template = await world.createTemplate([provider]);
  const minted = await world.link(user, provider, { withRefreshToken: true, expires_at: EXPIRED, ...options });
  return { user, template, minted };
}
const row = async (user, provider) => (await world.sql("SELECT * FROM links WHERE owner_id = $1 AND provider_id = $2", [user.id, provider]))[0];
const OUTCOMES = {
  refresh_rejected: ["missing", "owner", 403], rotation_lost: ["missing", "owner", 403], expired: ["missing", "owner", 403],
  provider_unavailable: ["unverifiable", "wait", 503], provider_misconfigured: ["unverifiable", "operator", 503], refresh_in_progress: ["unverifiable", "wait", 503],
};

async function assertRefused(user, template, reason) {
  const [verdict, fixable_by, status] = OUTCOMES[reason];
  const answer = await assertLeavesNothing(world, () => world.createWorkspace(user, template));
  assert.equal(answer.status, status, answer.text);
  const [state] = answer.body.external_auth;
  assert.deepEqual([state.reason, state.verdict, state.fixable_by], [reason, verdict, fixable_by]);
  return answer;
}

test("an expired link is refreshed with one token request, and the workspace is made", async () => {
  const { user, template, minted } = await expired("plain");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(await demo.asked("plain", "token"), 1);
  const [request] = await demo.requests("plain", "token");
  assert.equal(request.outcome, "granted");
  const after = await row(user, "plain");
  assert.equal(Number(after.generation), 2);
  assert.equal(after.unresolved, 0);
  assert.equal(after.lease_until, null);
  assert.ok(after.expires_at > new Date());
  const tokens = await demo.secrets();
  assert.equal(tokens.find(({ value }) => value === minted.refresh_token).live, false, "the old refresh token is spent");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(await demo.asked("plain", "token"), 1, "a token that lives is not refreshed");
  const metrics = await world.service.metrics();
  assert.equal(metricValue(metrics, "gatehouse_refreshes_total", { provider: "plain", end: "granted" }), 1);
  assert.equal(metricValue(metrics, "gatehouse_refreshes_in_flight"), 0);
});

test("the preflight and the list refresh too", async () => {
  const { user, template } = await expired("plain");
  const { body: [state] } = await world.preflight(user, template);
  assert.equal(state.reason, "valid");
  const other = await expired("plain");
  const { body } = await world.api("GET", "/api/v2/external-auth", { token: other.user.token });
  assert.deepEqual(body.links.map(({ reason }) => reason), ["valid"]);
  assert.ok(Date.parse(body.links[0].expires) > Date.now(), "it shows the new token's life");
  const third = await expired("plain");
  const one = await world.api("GET", "/api/v2/external-auth/plain", { token: third.user.token });
  assert.equal(one.body.authenticated, true);
});

test("rows", { concurrency: 1 }, async (t) => {
  for (const [index, [name, fault, reason, first, second]] of ROWS.entries())
    await t.test(`${name} → ${reason}`, async () => {
      const { user, template, minted } = await expired(id(index));
      await demo.fault(id(index), "token", fault);
      await assertRefused(user, template, reason);
      const asked = await demo.asked(id(index), "token");
      if (first !== null) assert.equal(asked, first);
      else assert.ok(asked >= 2 && asked <= 3, `asked ${asked} times in 600 ms`);
      await assertRefused(user, template, reason);
      if (second !== null) assert.equal(await demo.asked(id(index), "token") - asked, second);
      const link = await row(user, id(index));
      assert.equal(Number(link.generation), 1);
      assert.ok(link.refresh_token, "the refresh token stays");
      assert.equal(link.lease_until, null);
      assert.equal(link.remembered_reason, reason === "refresh_rejected" ? reason : null);
      assert.ok(!(link.last_failure ?? "").includes(minted.refresh_token) && !(link.last_failure ?? "").includes("words of the provider"), link.last_failure);
      assert.equal(link.unresolved, reason === "provider_unavailable" && second === 0 ? 1 : 0);
      await demo.fault(id(index), "token", null);
      await world.link(user, id(index), { withRefreshToken: true, expires_at: EXPIRED });
      assert.equal((await world.createWorkspace(user, template)).status, 201, "linking again mends everything");
    });
});

test("a token endpoint that cannot be reached is an outage", async () => {
  const { user, template } = await expired("unreached");
  await assertRefused(user, template, "provider_unavailable");
});

test("without a refresh token, or with NO_REFRESH, it is expired and nobody is asked", async () => {
  const { user, template } = await expired("never");
  await assertRefused(user, template, "expired");
  const other = await expired("once", { withRefreshToken: false });
  await assertRefused(other.user, other.template, "expired");
  assert.equal(await demo.asked("never", "token") + await demo.asked("once", "token"), 0);
});

test("CLIENT_SECRET_2 is tried where the first is refused", async () => {
  const { user, template } = await expired("second");
  assert.equal((await world.createWorkspace(user, template)).status, 201);
});

test("an operator's mistake heals with the next process that has the right secret, and nobody links again", async () => {
  const { user, template } = await expired("mend");
  await demo.set("mend", { client_secret: "rotated-by-the-provider" });
  await assertRefused(user, template, "provider_misconfigured");
  const asked = await demo.asked("mend", "token");
  await assertRefused(user, template, "provider_misconfigured");
  assert.equal(await demo.asked("mend", "token"), asked, "the cool-down holds");
  const providers = world.providers.map((provider) => (provider.id === "mend" ? { ...provider, client_secret: "rotated-by-the-provider" } : provider));
  const mended = await world.replica({ providers });
  assert.equal((await world.createWorkspace(user, template, { service: mended })).status, 201);
});

test("50 callers of one expired link see one exchange", async () => {
  const { user, template } = await expired("once");
  const answers = await Promise.all(Array.from({ length: 50 }, () => world.createWorkspace(user, template)));
  assert.deepEqual(answers.map(({ status }) => status), Array(50).fill(201));
  assert.equal(await demo.asked("once", "token"), 1);
});

test("a 401 is read again, then refreshed once", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["kept"]);
  const minted = await world.link(user, "kept", { withRefreshToken: true });
  await demo.fault("kept", "validate", { status: 401, times: 1 });
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(await demo.asked("kept", "token"), 1);
  assert.equal(await demo.asked("kept", "validate"), 2);
  await demo.fault("kept", "validate", { status: 401 });
  const body = assertError(await world.createWorkspace(user, template), 403, "external_auth_required");
  assert.equal(body.external_auth[0].reason, "token_revoked");
  assert.equal(await demo.asked("kept", "token"), 2, "at most once in an evaluation");
  await demo.fault("kept", "validate", null);
  assert.equal((await demo.secrets()).find(({ value }) => value === minted.refresh_token).live, false);
  assert.equal((await world.createWorkspace(user, template)).status, 201, "what was issued was saved, although its validation failed");
  assert.equal(await demo.asked("kept", "token"), 2);
});

test("a provider that keeps the refresh token, says no lifetime, or answers as a form", async () => {
  const { user, template, minted } = await expired("form");
  await demo.set("form", { rotate: false, refresh_token: false, expires_in_form: "absent", token_answer: "form" });
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  const link = await row(user, "form");
  assert.ok(link.refresh_token, "the old one is kept");
  assert.equal(link.expires_at, null, "and it never expires");
  await demo.fault("form", "validate", { status: 401, times: 1 });
  assert.equal((await world.createWorkspace(user, template)).status, 201, "the kept one opens and works");
  assert.equal((await demo.secrets()).find(({ value }) => value === minted.refresh_token).live, true);
});

test("github's lagging replicas do not refuse a token that was just issued", async () => {
  const { user, template } = await expired("hub");
  await demo.fault("hub", "validate", { lag_ms: 400 });
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(await demo.asked("hub", "token"), 1);
  assert.ok(await demo.asked("hub", "validate") >= 3);
});

test("a token that still lives is judged on its own when its refresh fails", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["alive"]);
  await world.link(user, "alive", { withRefreshToken: true, expires_at: new Date(Date.now() + 30e3).toISOString() });
  await world.sql("UPDATE links SET issued_at = now() - interval '1 hour' WHERE owner_id = $1", [user.id]);
  await demo.fault("alive", "token", { status: 500 });
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.ok(await demo.asked("alive", "token") >= 2);
  await demo.fault("alive", "token", null);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(Number((await row(user, "alive")).generation), 2, "and refreshed when that works again");
});

test("a caller that leaves does not lose the token", async () => {
  const { user, template } = await expired("leave");
  await demo.closeGate("leave", "token", { state: "once", moment: "after" });
  const leaver = new AbortController();
  const left = world.api("POST", `/api/v2/users/${user.username}/workspaces`, {
    token: user.token, body: { name: "left", template_id: template.id }, signal: leaver.signal,
  }).catch((error) => error.name);
  await demo.awaitGate("leave", "token");
  leaver.abort();
  assert.equal(await left, "AbortError");
  await demo.openGate("leave", "token");
  await eventually("the token is saved", async () => Number((await row(user, "leave")).generation) === 2);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(await demo.asked("leave", "token"), 1);
});

// Holds the exchange after the provider has carried it out, lets `meanwhile` happen, and lets the exchange go on.
async function meddle(meanwhile) {
  const { user, template } = await expired("held");
  await demo.closeGate("held", "token", { state: "once", moment: "after" });
  const creating = world.createWorkspace(user, template);
  await demo.awaitGate("held", "token");
  const result = await meanwhile(user);
  await demo.openGate("held", "token");
  return { user, template, answer: await creating, result };
}

test("a link that is made again while the exchange is held wins", async () => {
  const { user, answer, result } = await meddle((owner) => world.link(owner, "held", { withRefreshToken: true }));
  assert.equal(answer.status, 201, answer.text);
  assert.equal(Number((await row(user, "held")).generation), 2);
  const before = await demo.asked("held", "validate");
  const template = await world.createTemplate(["held"]);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal(await demo.asked("held", "validate"), before + 1);
  const asked = (await demo.requests("held", "validate")).at(-1).values.authorization;
  assert.equal(asked, (await demo.secrets()).find(({ value }) => value === result.access_token).fingerprint, "the owner's new token is the one");
});

test("a link that is removed while the exchange is held stays removed", async () => {
  const { user, answer } = await meddle((owner) => world.api("DELETE", "/api/v2/external-auth/held", { token: owner.token }));
  const body = assertError(answer, 403, "external_auth_required");
  assert.equal(body.external_auth[0].reason, "not_linked");
  assert.equal((await row(user, "held")).access_token, null);
  assert.equal((await row(user, "held")).refresh_token, null);
});

test("a budget that ends first is provider_unavailable here, and refresh_in_progress where another process has the lease", async () => {
  const hasty = await world.replica({ settings: { GATE_TIMEOUT: "500ms" } });
  const { user, template } = await expired("parked");
  await demo.closeGate("parked", "token", { state: "once", moment: "after" });
  const begun = Date.now();
  const answer = await world.createWorkspace(user, template, { service: hasty });
  assert.ok(Date.now() - begun < 3000);
  assertError(answer, 503, "external_auth_unverifiable");
  assert.equal(answer.body.external_auth[0].reason, "provider_unavailable");
  assert.ok(Number(answer.headers["retry-after"]) >= 1);
  const waiting = world.createWorkspace(user, template);
  const third = await world.replica({ settings: { GATE_TIMEOUT: "500ms" } });
  const elsewhere = await world.createWorkspace(user, template, { service: third });
  assert.equal(elsewhere.body.external_auth[0].reason, "refresh_in_progress");
  await demo.openGate("parked", "token");
  assert.equal((await waiting).status, 201, "the other process adopted what this one saved");
  assert.equal(await demo.asked("parked", "token"), 1);
});

test("a budget that ends while the provider says errors is provider_unavailable", async () => {
  const providers = world.providers.map((provider) => ({ ...provider, refresh_retry_timeout: "10s" }));
  const hasty = await world.replica({ settings: { GATE_TIMEOUT: "1s" }, providers });
  const { user, template } = await expired("parked");
  await demo.fault("parked", "token", { status: 503 });
  const answer = await world.createWorkspace(user, template, { service: hasty });
  assertError(answer, 503, "external_auth_unverifiable");
  assert.equal(answer.body.external_auth[0].reason, "provider_unavailable");
  await demo.fault("parked", "token", null);
});

test("no token is in the log, and each refresh has its line", async () => {
  const output = world.services.map((service) => service.output()).join("\n");
  for (const { value } of await demo.secrets()) assert.ok(!output.includes(value), "a token is in the log");
  assert.ok(!output.includes("words of the provider"));
  const messages = world.service.logLines().map(({ message }) => message);
  for (const message of ["token refreshed", "token not refreshed", "refreshed token dropped: the link was changed meanwhile"])
    assert.ok(messages.includes(message), message);
});
