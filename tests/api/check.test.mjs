// SPDX-License-Identifier: Apache-2.0
// Asking the gate without creating anything: who may ask about whom, what is refused before the gate and that no
// provider hears of it, what the answer says, what it leaves behind, and what a dry run does not.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { eventually } from "../support/process.mjs";
import { DemoProvider } from "../support/provider.mjs";
import { claimsOf } from "../support/receipt.mjs";
import { newKey, newSecret } from "../support/service.mjs";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const PATH = "/gate/v1/check";
const EXPIRED = "2020-01-01T00:00:00Z";
// A provider of its own, so that it can be killed.
const doomed = await DemoProvider.start();
after(() => doomed.stop());
const NAMES = ["one", "two", "down", "gone", "away", "open", "lkg", "dry", "crowd", "early", "warns", "mixed"];
const world = await World.open({
  providers: (demo) => [
    ...["one", "two", "down", "gone", "away", "dry", "crowd", "early"].map((id) => demo.configure(id)),
    demo.configure("open", { fail_mode: "open" }),
    demo.configure("lkg", { fail_mode: "last_known_good" }),
    demo.configure("warns", { enforcement: "warn" }),
    demo.configure("mixed", { enforcement: "deny,start=warn,claim=dryrun" }),
    doomed.configure("doomed"),
  ],
  settings: { ENFORCEMENT: "deny,autostart=warn", RECEIPT_KEYS: newKey() },
});
const { demo } = world;
for (const id of ["down", "gone", "away"]) await demo.fault(id, "validate", { status: 503 });
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const free = await world.createTemplate();
const needsOne = await world.createTemplate(["one"]);
const version = (template) => template.active_version_id;

const ask = (body, { token = controlPlane.token, query = "", service = world.service } = {}) =>
  service.request("POST", `${PATH}${query}`, { token, body });

// The decision, which must be there.
async function check(body, options) {
  const answer = await ask(body, options);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

const about = (owner, template, rest = {}) => ({ owner: owner.username ?? owner, template_version_id: version(template), ...rest });
const reasons = ({ external_auth }) => external_auth.map(({ id, reason }) => [id, reason]);
const findDecision = async (id) => (await world.sql("SELECT * FROM decisions WHERE id = $1", [id]))[0];
const logged = (id) => eventually(`decision ${id} is logged`, () => findDecision(id));
const verify = (receipt) => world.expect(200, "POST", "/gate/v1/receipts/verify", { receipt });

// Rows are written in the order of the answers, so once this one is there, all before it are.
async function drainLog() {
  const { decision_id } = await check({ owner: controlPlane.username, external_auth: [] });
  await logged(decision_id);
}

async function assertAsksNobody(question) {
  const before = await demo.asked(NAMES);
  const answer = await assertLeavesNothing(world, question);
  assert.equal(await demo.asked(NAMES), before, "no provider was asked");
  return answer;
}

// ------------------------------------------------------------------------------------------------------------- the body

for (const [body, fields] of [
  [{}, ["owner", "template_version_id", "external_auth"]],
  [{ owner: "me" }, ["template_version_id", "external_auth"]],
  [{ owner: "me", template_version_id: UNKNOWN_ID, external_auth: [] }, ["template_version_id", "external_auth"]],
  [{ owner: "me", template_version_id: null, external_auth: null }, ["template_version_id", "external_auth"]],
  [{ owner: "", external_auth: [] }, ["owner"]],
  [{ owner: null, external_auth: [] }, ["owner"]],
  [{ owner: 5, external_auth: [] }, ["owner"]],
  [{ owner: ["me"], external_auth: [] }, ["owner"]],
  [{ owner: "x".repeat(37), external_auth: [] }, ["owner"]],
  [{ owner: "me", external_auth: [], initiator: "x".repeat(65) }, ["initiator"]],
  [{ owner: "me", external_auth: [], initiator: "ü".repeat(33) }, ["initiator"]],
  [{ owner: "me", external_auth: [], initiator: 5 }, ["initiator"]],
  [{ owner: "me", external_auth: [], transition: "restart" }, ["transition"]],
  [{ owner: "me", external_auth: [], transition: "" }, ["transition"]],
  [{ owner: "me", external_auth: [], transition: "Create" }, ["transition"]],
  [{ owner: "me", external_auth: [], transition: "acquire" }, ["transition"]],
  [{ owner: "me", external_auth: [], transition: "preflight" }, ["transition"]],
  [{ owner: "me", external_auth: [], transition: 1 }, ["transition"]],
  [{ owner: "me", external_auth: [], dry_run: "yes" }, ["dry_run"]],
  [{ owner: "me", template_version_id: "x" }, ["template_version_id"]],
  [{ owner: "me", template_version_id: "" }, ["template_version_id"]],
  [{ owner: "me", template_version_id: 5 }, ["template_version_id"]],
  [{ owner: "me", external_auth: {} }, ["external_auth"]],
  [{ owner: "me", external_auth: "one" }, ["external_auth"]],
  [{ owner: "me", external_auth: ["Bad", "one", {}, { id: "one", optional: 1 }] }, ["external_auth[0]", "external_auth[2]", "external_auth[3]"]],
  [{ owner: "", initiator: 1, transition: "x", dry_run: 1, template_version_id: "x" }, ["owner", "initiator", "transition", "dry_run", "template_version_id"]],
])
  test(`the body ${JSON.stringify(body).slice(0, 70)} names ${fields}`, async () => {
    const answer = await assertAsksNobody(() => ask(body));
    const { validations } = assertError(answer, 400, "validation_failed");
    assert.deepEqual(validations.map(({ field }) => field).sort(), [...fields].sort());
  });

test("a provider too many is named", async () => {
  const external_auth = Array.from({ length: 33 }, (_, i) => `p${i}`);
  assertError(await ask({ owner: "me", external_auth }), 400, "validation_failed", "external_auth[32]");
});

test("enforce is true or false, and is told together with the rest", async () => {
  for (const word of ["maybe", "", "TRUE", "1"])
    assertError(await ask({ owner: "me", external_auth: [] }, { query: `?enforce=${word}` }), 400, "validation_failed", "enforce");
  const { validations } = assertError(await ask({ external_auth: [] }, { query: "?enforce=maybe" }), 400, "validation_failed");
  assert.deepEqual(validations.map(({ field }) => field).sort(), ["enforce", "owner"]);
  for (const word of ["true", "false"]) assert.equal((await ask({ owner: "me", external_auth: [] }, { query: `?enforce=${word}` })).status, 200);
});

test("what is no JSON, of another type or too large is refused as everywhere", async () => {
  const { token } = controlPlane;
  const send = (raw, type = "application/json") => world.api("POST", PATH, { token, raw, headers: { "Content-Type": type } });
  assertError(await send("{"), 400, "malformed_json");
  for (const raw of ["[]", "null", "1"]) assert.equal(assertError(await send(raw), 400, "bad_request").validations, undefined);
  assertError(await send("{}", "text/plain"), 415, "unsupported_media_type");
  assertError(await send(JSON.stringify({ owner: "x".repeat(1024 * 1024) })), 413, "body_too_large");
});

test("an unknown caller is 401 whatever is asked", async () => {
  for (const token of [null, newSecret()])
    for (const body of [{}, about("nobody", needsOne)]) assertError(await assertAsksNobody(() => ask(body, { token })), 401, "unauthenticated");
});

// ------------------------------------------------------------------------------------------------- who may ask about whom

test("a member asks for themselves: as me, by name and by UUID", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  for (const who of ["me", owner.username, owner.id, owner.id.toUpperCase()]) {
    const body = await check({ ...about(who, needsOne) }, { token: owner.token });
    assert.equal(body.allowed, true, who);
    assert.deepEqual(reasons(body), [["one", "valid"]]);
    assert.equal((await logged(body.decision_id)).owner_id, owner.id);
  }
});

test("whom a caller may not ask about is 404 whether they exist or not, and nobody is asked", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  const suspended = await world.createUser({ withToken: false });
  await world.expect(200, "PATCH", `/api/v2/users/${suspended.id}`, { status: "suspended" });
  for (const role of ["member", "template-author", "provisioner", "auditor"]) {
    const { token } = await world.createUser({ roles: [role] });
    const said = new Set();
    await drainLog();
    const decisions = (await world.countRows(/^$/))["public.decisions"];
    for (const who of [owner.username, owner.id, suspended.username, "nobody", UNKNOWN_ID, "prebuilds"])
      for (const rest of [{}, { transition: "stop" }, { dry_run: true }, { template_version_id: UNKNOWN_ID }])
        for (const query of ["", "?enforce=true"]) {
          const answer = await assertAsksNobody(() => ask(about(who, needsOne, rest), { token, query }));
          const { request_id, ...told } = assertError(answer, 404, "not_found");
          said.add(JSON.stringify(told));
        }
    assert.equal(said.size, 1, [...said].join("\n"));
    await drainLog();
    assert.equal((await world.countRows(/^$/))["public.decisions"], decisions + 1, "nothing was decided");
    assert.equal((await ask(about("me", free), { token })).status, 200);
  }
});

test("admin and control-plane ask about anybody; it is the owner's accounts that count", async () => {
  const owner = await world.createUser();
  const admin = await world.createUser({ roles: ["admin"] });
  for (const caller of [admin, controlPlane]) {
    await world.link(caller, "one");
    for (const who of [owner.username, owner.id]) {
      const body = await check({ ...about(who, needsOne) }, { token: caller.token });
      assert.deepEqual(reasons(body), [["one", "not_linked"]]);
      assert.ok(body.detail.startsWith(`${owner.username} must connect Demo one.`), body.detail);
    }
    assert.deepEqual(reasons(await check(about("me", needsOne), { token: caller.token })), [["one", "valid"]]);
  }
});

// --------------------------------------------------------------------------------------- an owner whom nobody has seen

test("for control-plane alone an owner nobody has seen is one without links", async () => {
  const name = world.name("unseen");
  const body = await assertAsksNobody(() => ask(about(name, needsOne)).then(({ body }) => ({ body }))).then(({ body }) => body);
  assert.deepEqual([body.allowed, body.outcome, body.code], [false, "refused", "external_auth_required"]);
  assert.deepEqual(reasons(body), [["one", "not_linked"]]);
  assert.ok(body.detail.includes(name), body.detail);
  assert.equal(body.receipt, null);
  assertError(await world.admin("GET", `/api/v2/users/${name}`), 404, "not_found");
  const enforced = await assertAsksNobody(() => ask(about(name, needsOne), { query: "?enforce=true" }));
  assertError(enforced, 403, "external_auth_required", "external_auth");
  const row = await logged(body.decision_id);
  assert.deepEqual([row.owner_id, row.owner_name, row.outcome], [null, name, "refused"]);
});

test("admin does not know them, with control-plane beside it does", async () => {
  const name = world.name("unseen");
  const admin = await world.createUser({ roles: ["admin"] });
  const both = await world.createUser({ roles: ["admin", "control-plane"] });
  assertError(await assertAsksNobody(() => ask(about(name, needsOne), { token: admin.token })), 404, "not_found");
  assert.equal((await check(about(name, needsOne), { token: both.token })).outcome, "refused");
});

test("what cannot be a new user's name is 404 for everybody", async () => {
  for (const who of [UNKNOWN_ID, UNKNOWN_ID.replace("4", "7"), "prebuilds", "Upper", "with space", "ünï", "x".repeat(33), "a/b", "ME"])
    for (const token of [controlPlane.token, world.service.adminToken])
      assertError(await assertAsksNobody(() => ask(about(who, free), { token })), 404, "not_found");
});

test("before the gate an unseen owner is refused as any other", async () => {
  const name = world.name("unseen");
  assertError(await ask({ owner: name, template_version_id: UNKNOWN_ID }), 404, "not_found");
  assertError(await ask({ owner: name, external_auth: ["not-there"] }), 404, "provider_not_configured");
});

test("an unseen owner who needs nothing is allowed, and the receipt holds", async () => {
  const name = world.name("unseen");
  const body = await check(about(name, free));
  assert.equal(body.allowed, true);
  const verdict = await verify(body.receipt);
  assert.deepEqual([verdict.valid, verdict.owner, verdict.decision_id], [true, name, body.decision_id]);
  assertError(await world.admin("GET", `/api/v2/users/${name}`), 404, "not_found");
});

// ----------------------------------------------------------------------------------- what is refused before the gate

test("a suspended owner is 403, an unknown version 404, an archived one 400: as at a create, and nobody is asked", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  const archived = await world.createTemplate(["one"]);
  await world.expect(200, "POST", `/api/v2/templateversions/${version(archived)}/archive`);
  for (const rest of [{}, { dry_run: true }, { transition: "start" }])
    for (const query of ["", "?enforce=true"]) {
      assertError(await assertAsksNobody(() => ask(about(owner, needsOne, { ...rest, template_version_id: UNKNOWN_ID }), { query })), 404, "not_found");
      assertError(await assertAsksNobody(() => ask(about(owner, archived, rest), { query })), 400, "version_archived");
    }
  await world.expect(200, "PATCH", `/api/v2/users/${owner.id}`, { status: "suspended" });
  for (const template of [needsOne, free, archived, { active_version_id: UNKNOWN_ID }])
    for (const token of [controlPlane.token, world.service.adminToken])
      for (const query of ["", "?enforce=true"])
        assertError(await assertAsksNobody(() => ask(about(owner, template), { token, query })), 403, "owner_suspended");
  assertError(await assertAsksNobody(() => ask({ owner: owner.id, external_auth: ["one"] })), 403, "owner_suspended");
});

test("a required provider that is not configured is 404 and named, in a version and in a list", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  const template = await world.createTemplate(["one", "not-there"]);
  for (const subject of [{ template_version_id: version(template) }, { external_auth: ["one", { id: "not-there" }] }])
    for (const query of ["", "?enforce=true"]) {
      const answer = await assertAsksNobody(() => ask({ owner: owner.username, ...subject }, { query }));
      assert.match(assertError(answer, 404, "provider_not_configured").detail, /\bnot-there\b/);
    }
});

test("optional providers are neither asked nor told nor needed, configured or not", async () => {
  const owner = await world.createUser();
  for (const id of ["one", "two", "down"]) await world.link(owner, id);
  const before = await demo.asked(["two", "down"]);
  const body = await check({ owner: owner.username, external_auth: [{ id: "two", optional: true }, "one", { id: "down", optional: true }, { id: "not-there", optional: true }] });
  assert.deepEqual([body.allowed, body.warnings, reasons(body)], [true, [], [["one", "valid"]]]);
  assert.equal(await demo.asked(["two", "down"]), before);
});

test("a provider named twice is required if it is once, and the list's order is kept", async () => {
  const owner = await world.createUser();
  const body = await check({ owner: owner.username, external_auth: [{ id: "two", optional: true }, "one", "two", { id: "one", optional: true }] });
  assert.deepEqual(reasons(body), [["two", "not_linked"], ["one", "not_linked"]]);
  assert.deepEqual(body.validations.map(({ detail }) => detail), ["two", "one"]);
});

// ---------------------------------------------------------------------------------------------------------- the answer

const plain = ({ decision_id, request_id, ...rest }) => rest;

test("enforce=true answers a no with the very body of a create", async () => {
  const owner = await world.createUser();
  // Each is asked so seldom that its breaker stays closed: an open one has a word on when to try again.
  for (const id of ["gone", "away"]) await world.link(owner, id);
  const downAlone = await world.createTemplate(["gone"]);
  const both = await world.createTemplate(["away", "two", "one"]);
  for (const [template, status] of [[needsOne, 403], [both, 403], [downAlone, 503]]) {
    const created = await world.createWorkspace(owner, template);
    const enforced = await assertLeavesNothing(world, () => ask(about(owner, template), { query: "?enforce=true" }));
    assert.equal(created.status, status, created.text);
    assert.equal(enforced.status, status, enforced.text);
    assert.deepEqual(plain(enforced.body), plain(created.body));
    assert.equal(enforced.headers["retry-after"] === undefined, created.headers["retry-after"] === undefined);
    const told = await check(about(owner, template));
    const { message, detail, code, validations, external_auth } = created.body;
    assert.deepEqual([told.message, told.detail, told.code, told.validations, told.external_auth], [message, detail, code, validations, external_auth]);
    assert.equal(told.outcome, status === 403 ? "refused" : "unverifiable");
    assert.equal(told.retry_after, status === 403 ? null : Number(enforced.headers["retry-after"]));
    assert.deepEqual([told.allowed, told.receipt, told.receipt_expires_at, told.warnings], [false, null, null, []]);
  }
});

test("a yes is the same with and without enforce", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  for (const query of ["", "?enforce=true", "?enforce=false"]) {
    const { decision_id, receipt, receipt_expires_at, external_auth, ...rest } = await check(about(owner, needsOne), { query });
    assert.deepEqual(rest, {
      allowed: true, outcome: "allowed", message: "The owner may go on.", detail: null, code: null, transition: "create", dry_run: false,
      validations: [], warnings: [], retry_after: null,
    });
    assert.equal(external_auth.length, 1);
    assert.ok(Date.parse(receipt_expires_at) > Date.now());
  }
});

test("warnings are those of a create", async () => {
  const owner = await world.createUser();
  await world.link(owner, "open");
  await demo.fault("open", "validate", { status: 500 });
  const template = await world.createTemplate(["warns", "open"], { deprecated: true });
  const created = await world.createWorkspace(owner, template);
  const told = await check(about(owner, template));
  await demo.fault("open", "validate", null);
  assert.equal(created.status, 201, created.text);
  assert.deepEqual(told.warnings, created.body.warnings);
  assert.deepEqual(told.warnings.map(({ provider, reason }) => [provider, reason]), [["warns", "not_linked"], ["open", "fail_open"], [null, "template_deprecated"]]);
});

test("a name that is taken is no matter of a check", async () => {
  const owner = await world.createUser();
  assert.equal((await world.createWorkspace(owner, free, { name: "taken" })).status, 201);
  assert.equal((await check({ ...about(owner, free), name: "taken" })).allowed, true);
});

// ------------------------------------------------------------------------------------------------------- enforcement

// The narrowest scope that says something of the moment, and in it the moment's own word.
function effective(scopes, moment) {
  for (const setting of scopes) {
    const words = Object.fromEntries(setting.split(",").filter(Boolean).map((part) => (part.includes("=") ? part.split("=") : ["general", part])));
    if (words[moment] ?? words.general) return words[moment] ?? words.general;
  }
  return "deny";
}

test("enforcement is by moment, and the narrowest scope that says something of it wins", async () => {
  const owner = await world.createUser();
  const providers = { one: "", warns: "warn", mixed: "deny,start=warn,claim=dryrun" };
  for (const enforcement of ["", "warn", "autostart=deny", "dryrun,create=deny"]) {
    const template = await world.createTemplate(["one"], enforcement ? { enforcement } : {});
    for (const [id, own] of Object.entries(providers)) {
      const { id: versionId } = await world.expect(201, "POST", `/api/v2/templates/${template.id}/versions`, { external_auth: [id] });
      for (const transition of ["create", "start", "autostart", "claim"]) {
        const word = effective([own, enforcement, "deny,autostart=warn"], transition);
        const body = await check({ owner: owner.username, template_version_id: versionId, transition });
        const where = `${id} template ${enforcement} ${transition} → ${word}`;
        assert.equal(body.allowed, word !== "deny", where);
        assert.deepEqual(body.warnings.map(({ reason }) => reason), word === "warn" ? ["not_linked"] : [], where);
        assert.equal(body.transition, transition);
        assert.equal(body.receipt !== null, body.allowed, where);
      }
    }
  }
});

test("a list without a template is under its providers' and the deployment's word", async () => {
  const owner = await world.createUser();
  const outcome = async (id, transition) => (await check({ owner: owner.username, external_auth: [id], transition })).outcome;
  assert.deepEqual(await Promise.all(["create", "start", "autostart", "claim"].map((moment) => outcome("one", moment))), ["refused", "refused", "allowed", "refused"]);
  assert.deepEqual(await Promise.all(["create", "start", "autostart", "claim"].map((moment) => outcome("mixed", moment))), ["refused", "allowed", "refused", "allowed"]);
});

test("a member's autostart is judged as a start: nobody chooses the milder word for themselves", async () => {
  const owner = await world.createUser();
  const own = await check({ ...about("me", needsOne), transition: "autostart" }, { token: owner.token });
  assert.deepEqual([own.allowed, own.transition], [false, "autostart"]);
  assert.equal((await logged(own.decision_id)).moment, "start");
  for (const role of ["admin", "control-plane"]) {
    const { token } = await world.createUser({ roles: [role] });
    const body = await check(about(owner, needsOne, { transition: "autostart" }), { token });
    assert.deepEqual([body.allowed, body.warnings.length], [true, 1]);
    assert.equal((await logged(body.decision_id)).moment, "autostart");
  }
});

test("stop and delete pass with everything broken, nobody is asked, and it is logged", async () => {
  const owner = await world.createUser();
  await world.link(owner, "down");
  const suspended = await world.createUser({ withToken: false });
  await world.expect(200, "PATCH", `/api/v2/users/${suspended.id}`, { status: "suspended" });
  const broken = await world.createTemplate(["down", "one", "not-there"]);
  for (const transition of ["stop", "delete"])
    for (const who of [owner.username, suspended.id, "nobody-at-all", UNKNOWN_ID])
      for (const subject of [{ template_version_id: version(broken) }, { template_version_id: UNKNOWN_ID }, { external_auth: ["not-there", "down"] }])
        for (const query of ["", "?enforce=true"]) {
          const answer = await assertAsksNobody(() => ask({ owner: who, transition, ...subject }, { query }));
          assert.equal(answer.status, 200, answer.text);
          const { allowed, receipt, external_auth, warnings, decision_id } = answer.body;
          assert.deepEqual([allowed, receipt, external_auth, warnings, answer.body.transition], [true, null, [], [], transition]);
          const row = await logged(decision_id);
          assert.deepEqual([row.outcome, row.moment, row.initiator_id], ["allowed", transition, controlPlane.id]);
        }
  const { decision_id } = await check({ owner: owner.username, external_auth: [], transition: "stop" });
  await logged(decision_id);
  assert.equal((await world.expect(200, "GET", `/gate/v1/decisions/${decision_id}`)).moment, "stop");
  const { decisions } = await world.expect(200, "GET", `/gate/v1/decisions?owner=${owner.username}`);
  assert.ok(decisions.some(({ id }) => id === decision_id), "it is found by the owner's name");
});

// ------------------------------------------------------------------------------------------------------------ receipts

test("a receipt says who, what and which links, and ends with the links", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["one", { id: "two", optional: true }, "warns"]);
  await world.link(owner, "one");
  await world.link(owner, "two");
  const body = await check(about(owner, template));
  const claims = claimsOf(body.receipt);
  assert.deepEqual([claims.iss, claims.jti, claims.sub, claims.owner, claims.version], ["gatehouse", body.decision_id, owner.id, owner.username, version(template)]);
  assert.deepEqual(claims.gens, { one: 1 });
  assert.equal(claims.exp - claims.iat, 600);
  assert.equal(Date.parse(body.receipt_expires_at), claims.exp * 1000);
  assert.ok(!body.receipt.includes(owner.token));
  const verdict = await verify(body.receipt);
  assert.deepEqual([verdict.valid, verdict.reason, verdict.decision_id, verdict.template_version_id], [true, null, body.decision_id, version(template)]);
  assert.equal((await world.api("DELETE", "/api/v2/external-auth/two", { token: owner.token })).status, 200);
  assert.equal((await verify(body.receipt)).valid, true, "the optional one does not matter");
  assert.equal((await world.api("DELETE", "/api/v2/external-auth/one", { token: owner.token })).status, 200);
  assert.deepEqual([(await verify(body.receipt)).valid, (await verify(body.receipt)).reason], [false, "links_changed"]);
});

test("a receipt of a list has no version, and one that took a refresh holds", async () => {
  const owner = await world.createUser();
  await world.link(owner, "early", { withRefreshToken: true, expires_at: EXPIRED });
  const body = await check({ owner: owner.username, external_auth: ["early"] });
  const claims = claimsOf(body.receipt);
  assert.deepEqual([claims.version, claims.gens], [null, { early: 2 }]);
  assert.equal((await verify(body.receipt)).valid, true);
});

test("a receipt ends with the exemption it hangs on", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["one"]);
  const until = new Date(Math.floor(Date.now() / 1000) * 1000 + 120000).toISOString();
  const { id } = await world.expect(201, "POST", "/gate/v1/exemptions", { owner: owner.username, template: template.name, provider: "one", reason: "moving", until });
  const body = await check(about(owner, template));
  assert.equal(body.allowed, true);
  assert.deepEqual(body.warnings.map(({ provider, reason, exemption }) => [provider, reason, exemption.id]), [["one", "not_linked", id]]);
  assert.equal(body.external_auth[0].exemption.id, id);
  assert.ok(Date.parse(body.receipt_expires_at) <= Date.parse(until), body.receipt_expires_at);
  assert.equal((await check({ owner: owner.username, external_auth: ["one"] })).allowed, false, "a list is of no template");
});

// ------------------------------------------------------------------------------------------------------ what it leaves

test("every check is in the decision log with who asked for whom", async () => {
  const owner = await world.createUser();
  await world.link(owner, "down");
  const template = await world.createTemplate(["one", "down", { id: "two", optional: true }, "warns"]);
  const answer = await ask(about(owner, template, { initiator: "bob@example.com (ünï)\n\"x\"", transition: "start" }));
  const row = await logged(answer.body.decision_id);
  assert.equal(row.request_id, answer.headers["x-request-id"]);
  assert.deepEqual(
    [row.surface, row.moment, row.initiator_id, row.on_behalf_of, row.owner_id, row.owner_name, row.template_version_id, row.outcome, row.strict_outcome],
    ["check", "start", controlPlane.id, "bob@example.com (ünï)\n\"x\"", owner.id, owner.username, version(template), "refused", "refused"]);
  assert.deepEqual(row.reasons, ["not_linked", "provider_unavailable"]);
  assert.deepEqual(row.findings.map(({ provider, optional, reason, enforcement }) => [provider, optional, reason, enforcement]), [
    ["one", false, "not_linked", "deny"], ["down", false, "provider_unavailable", "deny"], ["two", true, undefined, undefined], ["warns", false, "not_linked", "warn"],
  ]);
  assert.ok(!JSON.stringify(row).includes(owner.token));
});

test("what would have been with everything enforced is logged beside what was", async () => {
  const owner = await world.createUser();
  const { decision_id, outcome } = await check({ owner: owner.username, external_auth: ["warns"] });
  const row = await logged(decision_id);
  assert.deepEqual([outcome, row.outcome, row.strict_outcome, row.template_version_id], ["allowed", "allowed", "refused", null]);
});

test("an enforced no is logged as any other", async () => {
  const owner = await world.createUser();
  const { body } = await ask(about(owner, needsOne), { query: "?enforce=true" });
  assert.equal((await logged(body.decision_id)).outcome, "refused");
});

// Everything but the log of what was really asked.
const everything = async () => (await world.psqlDump()).split("\n").filter((line) => /^INSERT INTO public\.(?!decisions )/.test(line)).join("\n");

test("a dry run spends no refresh token, writes nothing, and is not logged", async () => {
  const owner = await world.createUser();
  await world.link(owner, "dry", { withRefreshToken: true, expires_at: EXPIRED });
  await world.link(owner, "lkg");
  const exchanges = await demo.asked("dry", "token");
  await drainLog();
  const before = await everything();
  const decisions = (await world.countRows(/^$/))["public.decisions"];
  for (const query of ["", "?enforce=true"]) {
    const { body } = await ask({ owner: owner.username, external_auth: ["dry"], dry_run: true }, { query });
    assert.deepEqual([body.allowed, reasons(body)], [true, [["dry", "not_validated"]]], "that a refresh works is presumed");
  }
  const confirmed = await check({ owner: owner.username, external_auth: ["lkg"], dry_run: true });
  assert.deepEqual([confirmed.allowed, confirmed.dry_run, confirmed.receipt, confirmed.receipt_expires_at], [true, true, null, null]);
  assert.equal((await check({ owner: owner.username, external_auth: ["dry"], transition: "stop", dry_run: true })).receipt, null);
  assert.equal(await demo.asked("dry", "token"), exchanges, "no refresh token was spent");
  assert.equal(await everything(), before);
  await drainLog();
  assert.equal((await world.countRows(/^$/))["public.decisions"], decisions + 1, "only the drain's own");
  const real = await check({ owner: owner.username, external_auth: ["dry", "lkg"] });
  assert.equal(real.allowed, true, JSON.stringify(real));
  assert.equal(await demo.asked("dry", "token"), exchanges + 1);
});

// ---------------------------------------------------------------------------------------------------- crowds and outages

test("fifty checks of one expired link at once spend one refresh token", async () => {
  const owner = await world.createUser();
  await world.link(owner, "crowd", { withRefreshToken: true, expires_at: EXPIRED });
  const template = await world.createTemplate(["crowd"]);
  const answers = await Promise.all(Array.from({ length: 50 }, () => check(about(owner, template))));
  assert.deepEqual([...new Set(answers.map(({ outcome }) => outcome))], ["allowed"]);
  assert.equal(await demo.asked("crowd", "token"), 1);
  const { refreshes_overlapping } = await demo.counters("crowd");
  assert.equal(refreshes_overlapping, 0);
  assert.equal(new Set(answers.map(({ decision_id }) => decision_id)).size, 50);
  for (const { receipt } of answers.slice(0, 3)) assert.equal((await verify(receipt)).valid, true);
});

test("a provider that is killed is waited for, not linked again", async () => {
  const owner = await world.createUser();
  const minted = await doomed.mint("doomed", { login: owner.username });
  await world.importLink(owner, "doomed", { access_token: minted.access_token });
  const template = await world.createTemplate(["doomed"]);
  assert.equal((await check(about(owner, template))).allowed, true);
  await doomed.stop();
  for (let i = 0; i < 8; i++) { // so often that the breaker opens, too
    const body = await check(about(owner, template));
    assert.deepEqual([body.outcome, body.code, reasons(body)], ["unverifiable", "external_auth_unverifiable", [["doomed", "provider_unavailable"]]]);
    assert.ok(body.retry_after >= 1, body.retry_after);
    assert.equal(body.external_auth[0].fixable_by, "wait");
  }
  const enforced = await assertLeavesNothing(world, () => ask(about(owner, template), { query: "?enforce=true" }));
  assertError(enforced, 503, "external_auth_unverifiable", "external_auth");
  assert.ok(Number(enforced.headers["retry-after"]) >= 1);
});
