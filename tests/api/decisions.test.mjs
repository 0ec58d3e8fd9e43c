// SPDX-License-Identifier: Apache-2.0
// The decision log over HTTP: every answer of the gate is found again, filters and pages are exact, only auditors and
// administrators read it, it keeps no more than it is told to, and trouble with it never costs an allowed create.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/process.mjs";
import { metricValue } from "../support/service.mjs";
import { assertError, UNKNOWN_ID, World } from "../support/world.mjs";

const LOG = "/gate/v1/decisions";
const world = await World.open();
const auditor = await world.createUser({ username: "the-auditor", roles: ["auditor"] });
const template = await world.createTemplate(["demo"]);

const read = (query = "", token = auditor.token) => world.api("GET", `${LOG}${query}`, { token });
const one = (id, token = auditor.token) => world.api("GET", `${LOG}/${id}`, { token });

// What is not allowed is written a moment after its answer.
const logged = (id) => eventually(`decision ${id} is in the log`, async () => {
  const answer = await one(id);
  return answer.status === 200 && answer.body;
});

async function list(query) {
  const answer = await read(query);
  assert.equal(answer.status, 200, answer.text);
  return answer.body.decisions;
}

// Every page, one after the other.
async function walk(query, limit) {
  const found = [];
  for (let after = ""; ; ) {
    const answer = await read(`?limit=${limit}${query}${after}`);
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.body.decisions.length <= limit);
    found.push(...answer.body.decisions);
    if (answer.body.next_after_id === null) return found;
    assert.equal(answer.body.decisions.length, limit);
    after = `&after_id=${answer.body.next_after_id}`;
  }
}

const ids = (decisions) => decisions.map(({ id }) => id);

async function unverifiable(owner) {
  await world.demo.fault("demo", "validate", { status: 500 });
  const answer = await world.createWorkspace(owner, template);
  await world.demo.fault("demo", "validate", null);
  assert.equal(answer.status, 503, answer.text);
  return answer;
}

test("an allowed create is there at once, with all that is known of it", async () => {
  const owner = await world.createUser();
  await world.link(owner);
  const answer = await world.createWorkspace(owner, template, { caller: world.service.adminToken });
  assert.equal(answer.status, 201, answer.text);
  const { body } = await one(answer.body.decision_id);
  assert.ok(Math.abs(Date.parse(body.created_at) - Date.now()) < 60000);
  assert.deepEqual(
    { ...body, id: null, created_at: null, duration_ms: null, findings: null, initiator_id: null },
    { id: null, created_at: null, duration_ms: null, findings: null, initiator_id: null,
      request_id: answer.headers["x-request-id"], surface: "api", moment: "create", initiator_name: "admin", on_behalf_of: null,
      owner_id: owner.id, owner_name: owner.username, template_version_id: template.active_version_id, outcome: "allowed",
      strict_outcome: "allowed", reasons: [] });
  const [finding] = body.findings;
  assert.equal(body.findings.length, 1);
  assert.equal(finding.provider, "demo");
  assert.equal(finding.verdict, "ok");
  assert.equal(finding.reason, "valid");
  assert.equal(finding.status, 200);
  assert.ok(finding.generation >= 1);
});

test("a refusal is there a moment later, with its reasons", async () => {
  const owner = await world.createUser();
  const refused = await world.createWorkspace(owner, template);
  assert.equal(refused.status, 403);
  const decision = await logged(refused.body.decision_id);
  assert.equal(decision.outcome, "refused");
  assert.equal(decision.strict_outcome, "refused");
  assert.equal(decision.initiator_id, owner.id);
  assert.equal(decision.initiator_name, owner.username);
  assert.equal(decision.owner_name, owner.username);
  assert.equal(decision.request_id, refused.headers["x-request-id"]);
  assert.deepEqual(decision.reasons, ["not_linked"]);
  assert.equal(decision.findings[0].reason, "not_linked");
  assert.equal(decision.findings[0].would_block, true);
});

test("so is what could not be verified, with the provider's status and none of its words", async () => {
  const owner = await world.createUser();
  await world.link(owner);
  const { body } = await unverifiable(owner);
  const decision = await logged(body.decision_id);
  assert.equal(decision.outcome, "unverifiable");
  assert.deepEqual(decision.reasons, ["provider_unavailable"]);
  assert.equal(decision.findings[0].status, 500);
});

test("what a warning let pass says what a denial would have been", async () => {
  const owner = await world.createUser();
  const lenient = await world.createTemplate(["demo"], { enforcement: "warn" });
  const answer = await world.createWorkspace(owner, lenient);
  assert.equal(answer.status, 201, answer.text);
  const decision = await logged(answer.body.decision_id);
  assert.deepEqual([decision.outcome, decision.strict_outcome, decision.reasons], ["allowed", "refused", ["not_linked"]]);
  assert.equal(decision.findings[0].enforcement, "warn");
});

test("filters narrow, together and each by itself", async () => {
  const owner = await world.createUser();
  const other = await world.createUser();
  await world.link(owner);
  const allowed = (await world.createWorkspace(owner, template)).body.decision_id;
  const unsure = (await unverifiable(owner)).body.decision_id;
  const refused = (await world.createWorkspace(other, template)).body.decision_id;
  for (const id of [unsure, refused]) await logged(id);
  assert.deepEqual(ids(await list(`?owner=${owner.username}`)), [unsure, allowed]);
  assert.deepEqual(ids(await list(`?owner=${owner.id.toUpperCase()}`)), [unsure, allowed]);
  assert.deepEqual(ids(await list(`?owner=${other.id}`)), [refused]);
  assert.deepEqual(ids(await list(`?owner=${owner.id}&outcome=allowed`)), [allowed]);
  assert.deepEqual(ids(await list(`?owner=${owner.id}&outcome=refused`)), []);
  assert.deepEqual(ids(await list(`?owner=${owner.username}&reason=provider_unavailable`)), [unsure]);
  assert.deepEqual(ids(await list("?owner=nobody-of-that-name")), []);
  assert.deepEqual(ids(await list(`?owner=${UNKNOWN_ID}`)), []);
  assert.deepEqual(ids(await list("?owner=me")), []);
  assert.equal((await list("?outcome=refused&limit=1"))[0].id, refused);
  assert.equal((await list("?outcome=unverifiable&limit=1"))[0].id, unsure);
  assert.equal((await list("?reason=not_linked&limit=1"))[0].id, refused);
  assert.equal((await list("?reason=provider_unavailable&outcome=unverifiable&limit=1"))[0].id, unsure);
  assert.deepEqual(await list("?reason=rotation_lost"), []);
  assert.equal((await list("?limit=1"))[0].id, refused);
  const { created_at } = await logged(refused);
  assert.equal((await list(`?since=${created_at}`))[0].id, refused);
  assert.ok(ids(await list(`?since=${created_at.replace("Z", "%2B00:00")}`)).includes(refused));
  assert.deepEqual(await list("?since=2999-01-01T00:00:00Z"), []);
  assert.ok((await list("?since=1969-07-20T20:17:40-05:00")).length > 0);
});

test("a decision outlives its users", async () => {
  const owner = await world.createUser();
  const { body } = await world.createWorkspace(owner, template);
  await logged(body.decision_id);
  await world.expect(204, "DELETE", `/api/v2/users/${owner.username}`);
  const decision = (await one(body.decision_id)).body;
  assert.equal(decision.owner_name, owner.username);
  assert.equal(decision.owner_id, owner.id);
  assert.equal(decision.initiator_name, null);
  assert.deepEqual(ids(await list(`?owner=${owner.id}`)), [body.decision_id]);
});

test("pages of many rows of one time hold each row once, newest first", async () => {
  const owner = await world.createUser();
  await world.sql(`INSERT INTO decisions (id, moment, outcome, owner_id, reasons, created_at)
    SELECT ('019b76da-a800-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'create', CASE n % 3 WHEN 0 THEN 'refused' ELSE 'unverifiable' END,
      $1, CASE n % 2 WHEN 0 THEN ARRAY['expired', 'decryption_failed'] ELSE ARRAY['decryption_failed'] END, '2026-01-01'
    FROM generate_series(1, 450) n`, [owner.id]);
  for (const [query, count] of [[`&owner=${owner.id}`, 450], ["&reason=decryption_failed", 450], ["&reason=expired", 225],
    ["&reason=decryption_failed&outcome=refused", 150], [`&owner=${owner.id}&outcome=refused&reason=expired`, 75]])
    for (const limit of [200, 37]) {
      const found = ids(await walk(query, limit));
      assert.equal(found.length, count, `${query} by ${limit}`);
      assert.deepEqual(found, [...new Set(found)].sort().reverse(), query);
    }
  assert.equal((await walk("&since=2026-01-01T00:00:00.001Z", 200)).filter(({ owner_id }) => owner_id === owner.id).length, 0);
  await world.sql("DELETE FROM decisions WHERE owner_id = $1", [owner.id]);
});

test("an unknown decision is not found", async () => {
  assertError(await one(UNKNOWN_ID), 404, "not_found");
  assertError(await one("no-uuid"), 404, "not_found");
});

test("without a token nobody reads it", async () => {
  assertError(await world.api("GET", LOG), 401, "unauthenticated");
  assertError(await world.api("GET", `${LOG}/${UNKNOWN_ID}`), 401, "unauthenticated");
});

for (const role of ["member", "template-author", "control-plane", "provisioner"])
  test(`${role} does not read it`, async () => {
    const caller = await world.createUser({ roles: [role] });
    const own = await world.createWorkspace(caller, template);
    await logged(own.body.decision_id);
    assertError(await read("", caller.token), 403, "forbidden");
    assertError(await read("?owner=me", caller.token), 403, "forbidden");
    assertError(await one(own.body.decision_id, caller.token), 403, "forbidden");
    assertError(await one(UNKNOWN_ID, caller.token), 403, "forbidden");
  });

test("an administrator does", async () => {
  assert.equal((await world.admin("GET", LOG)).status, 200);
});

for (const [query, field] of [["outcome=denied", "outcome"], ["outcome=", "outcome"], ["outcome=Allowed", "outcome"], ["reason=broken", "reason"],
  ["reason=", "reason"], ["reason=valid&reason=expired", "reason"], ["since=yesterday", "since"], ["since=2026-01-01", "since"],
  ["since=2026-01-01T00:00:00", "since"], ["since=2026-02-30T00:00:00Z", "since"], ["since=1767225600", "since"],
  ["owner=", "owner"], ["owner=No+Name", "owner"], ["owner=a&owner=b", "owner"], ["limit=0", "limit"], ["limit=201", "limit"], ["after_id=x", "after_id"]])
  test(`?${query} is refused by name`, async () => {
    assertError(await read(`?${query}`), 400, "validation_failed", field);
  });

test("all that is wrong is named at once", async () => {
  const { validations } = assertError(await read("?owner=%20&outcome=x&reason=x&since=x&limit=x&after_id=x"), 400, "validation_failed");
  assert.deepEqual(validations.map(({ field }) => field).sort(), ["after_id", "limit", "outcome", "owner", "reason", "since"]);
});

test("an allowed create is kept while refusals cannot be written, and what is lost is counted", async () => {
  const owner = await world.createUser();
  const guest = await world.createUser();
  await world.link(owner);
  await world.sql(`CREATE FUNCTION refuse_refusals() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$`);
  await world.sql(`CREATE TRIGGER no_refusals BEFORE INSERT ON decisions FOR EACH ROW WHEN (NEW.outcome <> 'allowed')
    EXECUTE FUNCTION refuse_refusals()`);
  const dropped = async () => metricValue(await world.service.metrics(), "gatehouse_decision_log_dropped_total");
  const before = await dropped();
  for (let i = 0; i < 5; i++) {
    assert.equal((await world.createWorkspace(guest, template)).status, 403);
    const created = await world.createWorkspace(owner, template);
    assert.equal(created.status, 201, created.text);
    assert.equal((await one(created.body.decision_id)).body.outcome, "allowed");
  }
  await eventually("five are counted as lost", async () => (await dropped()) - before === 5);
  await world.sql("DROP TRIGGER no_refusals ON decisions");
  assert.deepEqual(await list(`?owner=${guest.id}`), []);
  const again = await world.createWorkspace(guest, template);
  await logged(again.body.decision_id);
});

// Another service on the same database, whose first sweep begins at once.
async function sweepWith(settings) {
  const replica = await world.replica({ settings });
  await eventually("the sweep is over", async () => {
    const swept = async () => metricValue(await replica.metrics(), "gatehouse_swept_rows_total");
    const [before] = [await swept(), await new Promise((resolve) => setTimeout(resolve, 500))];
    return before > 0 && before === (await swept());
  });
  const swept = await replica.metrics();
  await replica.stop();
  return (what) => metricValue(swept, "gatehouse_swept_rows_total", { what });
}

const insertAged = (owner, outcome, count) => world.sql(`INSERT INTO decisions (id, moment, outcome, owner_id, created_at)
  SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid, 'create', $2, $1, t
  FROM (SELECT n, now() - n * interval '1 hour' AS t FROM generate_series(1, $3::int) n) s`, [owner.id, outcome, count]);

test("decisions that are too old go, whatever they said", async () => {
  const owner = await world.createUser();
  for (const outcome of ["allowed", "refused", "unverifiable"]) await insertAged(owner, outcome, 1500);
  const swept = await sweepWith({ DECISION_RETENTION: "100h30m" });
  const [{ rows, oldest }] = await world.sql(
    "SELECT count(*)::int AS rows, now() - min(created_at) < '101 hours' AS oldest FROM decisions WHERE owner_id = $1", [owner.id]);
  assert.deepEqual([rows, oldest, swept("old_decisions")], [300, true, 4200]);
  await world.sql("DELETE FROM decisions WHERE owner_id = $1", [owner.id]);
});

test("refusals that are too many go, the oldest first, and nothing that was allowed", async () => {
  const owner = await world.createUser();
  for (const outcome of ["allowed", "refused", "unverifiable"]) await insertAged(owner, outcome, 1500);
  await sweepWith({ DECISION_LOG_MAX: "1000", DECISION_RETENTION: "0s" });
  const kept = await world.sql("SELECT outcome <> 'allowed' AS refused, count(*)::int AS rows FROM decisions GROUP BY 1");
  assert.equal(kept.find(({ refused }) => refused).rows, 1000);
  const [{ rows }] = await world.sql("SELECT count(*)::int AS rows FROM decisions WHERE outcome = 'allowed' AND owner_id = $1", [owner.id]);
  assert.equal(rows, 1500);
  const newest = await list(`?owner=${owner.id}&outcome=refused&limit=200`);
  assert.equal(newest.length, 200);
});
