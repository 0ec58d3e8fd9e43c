// SPDX-License-Identifier: Apache-2.0
// Explaining what the gate would say: nobody is asked and nothing is written, what is stored of each link is told, and
// where a real evaluation has nobody to ask, it says the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/process.mjs";
import { metricValue, newSecret } from "../support/service.mjs";
import { assertError, UNKNOWN_ID, World } from "../support/world.mjs";

const PATH = "/gate/v1/explain";
const EXPIRED = "2020-01-01T00:00:00Z";
const NAMES = ["one", "two", "blind", "fresh", "lkg", "never", "refused", "secret", "cut", "held", "open", "warns"];
const world = await World.open({
  providers: (demo) => [
    ...["one", "two", "refused", "cut", "held"].map((id) => demo.configure(id)),
    demo.configure("secret", { client_secret: "not-the-secret" }),
    demo.configure("blind", { validate_url: undefined }),
    demo.configure("fresh", { gate_max_age: "1h" }),
    demo.configure("lkg", { fail_mode: "last_known_good" }),
    demo.configure("never", { no_refresh: "true" }),
    demo.configure("open", { fail_mode: "open" }),
    demo.configure("warns", { enforcement: "warn,start=deny" }),
  ],
  settings: { ENFORCEMENT: "autostart=dryrun", REFRESH_COOLDOWN: "120s" },
});
const { demo } = world;
const controlPlane = await world.createUser({ roles: ["control-plane"] });

const send = (path, body, token = controlPlane.token) => world.api("POST", path, { token, body });
const linksNow = () => world.sql("SELECT * FROM links ORDER BY owner_id, provider_id");

// Asks, and nothing at all may have come of it.
async function ask(body, token) {
  const before = [await demo.asked(NAMES), await world.countRows(/^$/), await linksNow()];
  const answer = await send(PATH, body, token);
  assert.deepEqual([await demo.asked(NAMES), await world.countRows(/^$/), await linksNow()], before);
  return answer;
}

async function explain(body, token) {
  const answer = await ask(body, token);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([answer.body.decision_id, answer.body.receipt, answer.body.receipt_expires_at], [null, null, null]);
  return answer.body;
}

// One provider's state and facts.
async function explainOne(owner, id, rest = {}) {
  const body = await explain({ owner: owner.username, external_auth: [id], ...rest });
  const { external_auth: [state], facts: [facts] } = body;
  assert.equal(facts.id, id);
  return { body, state, facts };
}

async function check(owner, external_auth, rest = {}) {
  const answer = await send("/gate/v1/check", { owner: owner.username, external_auth, ...rest });
  assert.equal(answer.status, 200, answer.text);
  await eventually("the check is logged", async () => (await world.sql("SELECT 1 FROM decisions WHERE id = $1", [answer.body.decision_id])).length);
  return answer.body;
}

// What is told of a link that nothing has ever happened to.
const untouched = {
  linked: true, generation: 1, readable: true, expires_at: null, has_refresh_token: false, last_valid_at: null, last_valid_age_s: null,
  remembered_reason: null, remembered_detail: null, last_failure: null, last_failure_at: null, unresolved: 0, lease_held: false,
  cooldown_until: null, cooldown_reason: null,
};

function assertFacts({ state, facts }, reason, next_step, changed = {}) {
  const { id, issued_at, enforcement, enforcement_from, would_block, ...told } = facts;
  assert.deepEqual([state.reason, told.next_step], [reason, next_step]);
  assert.deepEqual(told, { next_step, ...untouched, ...changed });
  assert.equal(would_block, state.verdict !== "ok");
  assert.ok(Math.abs(Date.parse(issued_at) - Date.now()) < 120000, issued_at);
}

// ----------------------------------------------------------------------------------------------------- one link's facts

test("what is not linked has no facts but that", async () => {
  const owner = await world.createUser();
  const { body, state, facts } = await explainOne(owner, "one");
  assert.deepEqual(facts, { id: "one", next_step: "settled", enforcement: "deny", enforcement_from: "default", would_block: true, linked: false });
  assert.deepEqual([state.reason, body.allowed, body.outcome, body.code], ["not_linked", false, "refused", "external_auth_required"]);
});

test("a link that was unlinked is none", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  assert.equal((await world.api("DELETE", "/api/v2/external-auth/one", { token: owner.token })).status, 200);
  const { facts } = await explainOne(owner, "one");
  assert.equal(facts.linked, false);
});

test("a link that was never confirmed would be asked about, and is presumed good", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  const told = await explainOne(owner, "one");
  assertFacts(told, "not_validated", "validate");
  assert.equal(told.body.allowed, true);
});

test("one that was confirmed says when", async () => {
  const owner = await world.createUser();
  const expires_at = new Date(Math.floor(Date.now() / 1000) * 1000 + 3600000).toISOString();
  await world.link(owner, "lkg", { expires_at, withRefreshToken: true });
  assert.equal((await check(owner, ["lkg"])).allowed, true);
  const told = await explainOne(owner, "lkg");
  const { last_valid_at, last_valid_age_s } = told.facts;
  assertFacts(told, "valid", "validate", { expires_at, has_refresh_token: true, last_valid_at, last_valid_age_s });
  assert.ok(Math.abs(Date.parse(last_valid_at) - Date.now()) < 30000, last_valid_at);
  assert.ok(last_valid_age_s >= 0 && last_valid_age_s < 30, String(last_valid_age_s));
});

test("what the store alone remembers another process tells too", async () => {
  const owner = await world.createUser();
  await world.link(owner, "lkg");
  assert.equal((await check(owner, ["lkg"])).allowed, true);
  const replica = await world.replica();
  const answer = await replica.request("POST", PATH, { token: controlPlane.token, body: { owner: owner.username, external_auth: ["lkg"] } });
  assert.equal(answer.body.external_auth[0].reason, "valid");
  assert.ok(answer.body.facts[0].last_valid_at);
});

test("one that is young enough a confirmation needs nothing", async () => {
  const owner = await world.createUser();
  await world.link(owner, "fresh");
  assert.equal((await check(owner, ["fresh"])).allowed, true);
  const told = await explainOne(owner, "fresh");
  assert.deepEqual([told.state.reason, told.facts.next_step], ["valid", "settled"]);
});

test("a provider that cannot be asked needs nothing", async () => {
  const owner = await world.createUser();
  await world.link(owner, "blind");
  assertFacts(await explainOne(owner, "blind"), "not_validated", "settled");
});

test("an expired link with a refresh token would be refreshed, and is presumed good", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one", { withRefreshToken: true, expires_at: EXPIRED });
  const told = await explainOne(owner, "one");
  assertFacts(told, "not_validated", "refresh", { expires_at: new Date(EXPIRED).toISOString(), has_refresh_token: true });
  assert.equal(told.body.allowed, true);
});

test("an expired link without one, or with NO_REFRESH, is expired", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one", { expires_at: EXPIRED });
  await world.link(owner, "never", { withRefreshToken: true, expires_at: EXPIRED });
  const expires_at = new Date(EXPIRED).toISOString();
  assertFacts(await explainOne(owner, "one"), "expired", "settled", { expires_at });
  assertFacts(await explainOne(owner, "never"), "expired", "settled", { expires_at, has_refresh_token: true });
});

test("a refusal that is remembered is told in our words", async () => {
  const owner = await world.createUser();
  await demo.fault("refused", "token", { status: 400, body: JSON.stringify({ error: "invalid_grant", error_description: "words of the provider" }), content_type: "application/json" });
  await world.link(owner, "refused", { withRefreshToken: true, expires_at: EXPIRED });
  assert.equal((await check(owner, ["refused"])).external_auth[0].reason, "refresh_rejected");
  const told = await explainOne(owner, "refused");
  const { remembered_detail, last_failure, last_failure_at } = told.facts;
  assertFacts(told, "refresh_rejected", "settled", {
    expires_at: new Date(EXPIRED).toISOString(), has_refresh_token: true, remembered_reason: "refresh_rejected", remembered_detail, last_failure, last_failure_at,
  });
  for (const text of [remembered_detail, last_failure]) assert.ok(text.includes("invalid_grant") && !text.includes("words of the provider"), text);
  assert.ok(Math.abs(Date.parse(last_failure_at) - Date.now()) < 30000, last_failure_at);
});

test("a link that cools down says until when and why", async () => {
  for (const [id, fault, reason, unresolved] of [
    ["secret", null, "provider_misconfigured", 0],
    ["cut", { cut: "before_headers", commit: "no" }, "provider_unavailable", 1],
  ]) {
    const owner = await world.createUser();
    await demo.fault(id, "token", fault);
    await world.link(owner, id, { withRefreshToken: true, expires_at: EXPIRED });
    assert.equal((await check(owner, [id])).external_auth[0].reason, reason);
    const { facts } = await explainOne(owner, id);
    assert.deepEqual([facts.next_step, facts.cooldown_reason, facts.unresolved, facts.lease_held], ["refresh", reason, unresolved, false]);
    const left = Date.parse(facts.cooldown_until) - Date.now();
    assert.ok(left > 60000 && left <= 121000, facts.cooldown_until);
    assert.ok(facts.last_failure && facts.last_failure_at, JSON.stringify(facts));
    await world.sql("UPDATE links SET cooldown_until = now() - interval '1 second' WHERE owner_id = $1", [owner.id]);
    const { facts: later } = await explainOne(owner, id);
    assert.deepEqual([later.cooldown_until, later.cooldown_reason], [null, null], "one that is over is none");
  }
});

test("a refresh that is under way is told, and explain neither waits for it nor takes part", async () => {
  const owner = await world.createUser();
  await world.link(owner, "held", { withRefreshToken: true, expires_at: EXPIRED });
  await demo.closeGate("held", "token");
  const checking = check(owner, ["held"]);
  await demo.awaitGate("held", "token");
  const { facts } = await explainOne(owner, "held");
  assert.deepEqual([facts.lease_held, facts.unresolved, facts.next_step, facts.generation], [true, 1, "refresh", 1]);
  await demo.openGate("held", "token");
  assert.equal((await checking).allowed, true);
  const { facts: after } = await explainOne(owner, "held");
  assert.deepEqual([after.lease_held, after.unresolved, after.next_step, after.generation], [false, 0, "validate", 2]);
  await world.sql("UPDATE links SET lease_id = gen_random_uuid(), lease_until = now() - interval '1 second', unresolved = 1 WHERE owner_id = $1", [owner.id]);
  const { facts: lost } = await explainOne(owner, "held");
  assert.deepEqual([lost.lease_held, lost.unresolved], [false, 1], "a lease that ran out is held by nobody");
});

test("a link that no key opens is the operator's, and is not taken for one without a refresh token", async () => {
  const owner = await world.createUser();
  const other = await world.createUser();
  for (const user of [owner, other]) await world.link(user, "two", { withRefreshToken: true });
  await world.sql("UPDATE links l SET access_token = o.access_token, refresh_token = o.refresh_token FROM links o WHERE l.owner_id = $1 AND o.owner_id = $2", [owner.id, other.id]);
  const told = await explainOne(owner, "two");
  assertFacts(told, "decryption_failed", "settled", { readable: false, has_refresh_token: true });
  assert.deepEqual([told.body.outcome, told.state.fixable_by], ["unverifiable", "operator"]);
});

// ------------------------------------------------------------------------------------------------- the decision around it

const decided = ({ allowed, outcome, message, detail, code, transition, validations, external_auth, warnings }) =>
  ({ allowed, outcome, message, detail, code, transition, validations, external_auth, warnings });

test("where nobody has to be asked, explain says what check says", async () => {
  const owner = await world.createUser();
  for (const id of ["blind", "fresh"]) await world.link(owner, id);
  await world.link(owner, "one", { expires_at: EXPIRED });
  await world.link(owner, "refused", { withRefreshToken: true, expires_at: EXPIRED });
  await check(owner, ["fresh", "refused"]);
  await world.importLink(owner, "two");
  await world.importLink(owner, "open");
  await world.sql("UPDATE links SET access_token = '\\x00' WHERE owner_id = $1 AND provider_id IN ('two', 'open')", [owner.id]);
  const template = await world.createTemplate(["one"], { deprecated: true, enforcement: "warn" });
  for (const subject of [
    ...[[], ["blind"], ["fresh"], ["one"], ["refused"], ["two"], ["lkg"], ["open"], ["warns"]].map((external_auth) => ({ external_auth })),
    { external_auth: ["lkg", "two", "one", "blind", "refused", "fresh", "open", "warns"] }, { template_version_id: template.active_version_id },
  ])
    for (const transition of ["create", "start", "autostart", "claim", "stop", "delete"]) {
      const body = { owner: owner.username, transition, ...subject };
      const asked = await demo.asked(NAMES);
      const checked = await check(owner, undefined, body);
      assert.equal(await demo.asked(NAMES), asked, "this row is about what needs nobody");
      const explained = await send(PATH, body);
      assert.deepEqual(decided(explained.body), decided(checked), JSON.stringify(body));
      for (const { next_step } of explained.body.facts) assert.equal(next_step, "settled");
    }
});

test("optional providers are shown, and block nothing", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  const body = await explain({ owner: owner.username, external_auth: ["one", { id: "two", optional: true }, { id: "not-there", optional: true }] });
  assert.equal(body.allowed, true);
  assert.deepEqual(body.facts.map(({ id, linked, would_block }) => [id, linked, would_block]), [["one", true, false], ["two", false, false]]);
  assert.deepEqual(body.external_auth.map(({ id, optional, reason }) => [id, optional, reason]), [["one", false, "not_validated"], ["two", true, "not_linked"]]);
});

test("whose word the enforcement is, is told", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["one", "warns"], { enforcement: "claim=warn" });
  const told = async (transition) => {
    const { facts, allowed } = await explain({ owner: owner.username, template_version_id: template.active_version_id, transition });
    return [allowed, ...facts.map(({ enforcement, enforcement_from }) => `${enforcement} by ${enforcement_from}`)];
  };
  assert.deepEqual(await told("create"), [false, "deny by default", "warn by provider"]);
  assert.deepEqual(await told("start"), [false, "deny by default", "deny by provider"]);
  assert.deepEqual(await told("autostart"), [true, "dryrun by deployment", "warn by provider"]);
  assert.deepEqual(await told("claim"), [true, "warn by template", "warn by provider"]);
});

test("an exemption is told, and that it would block without", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["one"]);
  const { id } = await world.expect(201, "POST", "/gate/v1/exemptions", {
    owner: owner.username, template: template.name, provider: "one", reason: "moving", until: new Date(Date.now() + 60000).toISOString(),
  });
  const body = await explain({ owner: owner.username, template_version_id: template.active_version_id });
  assert.equal(body.allowed, true);
  assert.equal(body.external_auth[0].exemption.id, id);
  assert.equal(body.warnings[0].exemption.id, id);
  assert.equal(body.facts[0].would_block, true);
});

test("stop and delete have no facts to tell, and are not logged", async () => {
  for (const transition of ["stop", "delete"]) {
    const body = await explain({ owner: "nobody-at-all", external_auth: ["not-there"], transition });
    assert.deepEqual([body.allowed, body.facts, body.external_auth], [true, [], []]);
  }
});

// ----------------------------------------------------------------------------------------------------------- who may ask

test("who may ask about whom, and what is refused before, is as at a check", async () => {
  const owner = await world.createUser();
  const suspended = await world.createUser({ withToken: false });
  await world.expect(200, "PATCH", `/api/v2/users/${suspended.id}`, { status: "suspended" });
  const archived = await world.createTemplate(["one"]);
  await world.expect(200, "POST", `/api/v2/templateversions/${archived.active_version_id}/archive`);
  const auditor = await world.createUser({ roles: ["auditor"] });
  const admin = world.service.adminToken;
  for (const [body, token, status, code, field] of [
    [{}, null, 401, "unauthenticated"],
    [{ owner: "me", external_auth: ["one"] }, newSecret(), 401, "unauthenticated"],
    [{}, admin, 400, "validation_failed", "owner"],
    [{ owner: "", external_auth: [] }, admin, 400, "validation_failed", "owner"],
    [{ owner: "me", external_auth: [], transition: "x" }, admin, 400, "validation_failed", "transition"],
    [{ owner: owner.username, external_auth: ["one"] }, auditor.token, 404, "not_found"],
    [{ owner: "nobody", external_auth: ["one"] }, auditor.token, 404, "not_found"],
    [{ owner: "nobody", external_auth: ["one"] }, admin, 404, "not_found"],
    [{ owner: UNKNOWN_ID, external_auth: ["one"] }, controlPlane.token, 404, "not_found"],
    [{ owner: owner.username, template_version_id: UNKNOWN_ID }, admin, 404, "not_found"],
    [{ owner: owner.username, external_auth: ["not-there"] }, admin, 404, "provider_not_configured"],
    [{ owner: owner.username, template_version_id: archived.active_version_id }, admin, 400, "version_archived"],
    [{ owner: suspended.username, external_auth: ["one"] }, admin, 403, "owner_suspended"],
  ]) assertError(await ask(body, token), status, code, field);
  for (const [who, token] of [["me", owner.token], [owner.id, owner.token], [owner.username, admin], ["unseen-by-all", controlPlane.token]])
    assert.equal((await explain({ owner: who, external_auth: ["one"] }, token)).external_auth[0].reason, "not_linked");
});

test("what is only explained is not counted as a decision", async () => {
  const owner = await world.createUser();
  const count = async () => metricValue(await world.service.metrics(), "gatehouse_decisions_total");
  const before = await count();
  await explainOne(owner, "one");
  assert.equal(await count(), before);
  await check(owner, ["one"]);
  assert.equal(await count(), before + 1, "as a check is");
});
