// SPDX-License-Identifier: Apache-2.0
// One table of scenarios, and every way to ask the gate: each must give the same outcome, the same reasons and the same
// missing providers, and log the same decision. A surface is one adapter of the table SURFACES; each is asked about an
// owner of its own, so that none finds what another one has refreshed or remembered.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { eventually } from "../support/process.mjs";
import { UNKNOWN_ID, World } from "../support/world.mjs";

const EXPIRED = "2020-01-01T00:00:00Z";
const oauth = (error) => ({ status: 400, body: JSON.stringify({ error }), content_type: "application/json" });
// What each provider does wrong, for as long as the tests run.
const FAULTS = {
  down: { validate: { status: 503 } }, open: { validate: { status: 500 } }, lkg: { validate: { status: 502 } },
  limited: { validate: { status: 429, headers: { "Retry-After": "60" } } }, forbids: { validate: { status: 403 } },
  hole: { validate: { black_hole: true } }, rejects: { token: oauth("invalid_grant") }, away: { token: { status: 503 } },
};
const world = await World.open({
  providers: (demo) => [
    ...["good", "two", "down", "limited", "forbids", "hole", "rejects", "renews", "held"].map((id) => demo.configure(id)),
    demo.configure("away", { refresh_retry_timeout: "300ms" }),
    demo.configure("blind", { validate_url: undefined }),
    demo.configure("open", { fail_mode: "open" }),
    demo.configure("lkg", { fail_mode: "last_known_good", last_known_good_max_age: "1h" }),
    demo.configure("never", { no_refresh: "true" }),
    demo.configure("secret", { client_secret: "not-the-secret" }),
    demo.configure("warns", { enforcement: "warn" }),
    demo.configure("dry", { enforcement: "dryrun" }),
    demo.configure("mixed", { enforcement: "start=warn,claim=dryrun" }),
  ],
  settings: { ENFORCEMENT: "deny,autostart=warn", GATE_TIMEOUT: "3s", REFRESH_COOLDOWN: "120s" },
});
const { demo } = world;
for (const [id, faults] of Object.entries(FAULTS)) await demo.set(id, { faults });
const { token } = await world.createUser({ roles: ["control-plane"] });
const post = (path, body, headers) => world.api("POST", path, { token, body, headers });

// ---------------------------------------------------------------------------------------------------------- scenarios

const link = (id, options) => ({ owner }) => world.link(owner, id, options);
const expired = (id) => link(id, { withRefreshToken: true, expires_at: EXPIRED });
const change = (id, text) => ({ owner }) => world.sql(`UPDATE links SET ${text} WHERE owner_id = $1 AND provider_id = $2`, [owner.id, id]);
const unreadable = (id) => change(id, "access_token = '\\x00'");
const foreign = (id) => ({ owner }) => world.importLink(owner, id);
const suspend = ({ owner }) => world.expect(200, "PATCH", `/api/v2/users/${owner.id}`, { status: "suspended" });
const exempt = (provider) => ({ owner, template }) => world.expect(201, "POST", "/gate/v1/exemptions", {
  owner: owner.id, template: template.id, provider, reason: "moving", until: new Date(Date.now() + 600000).toISOString(),
});
const archive = (template) => world.expect(200, "POST", `/api/v2/templateversions/${template.active_version_id}/archive`);

// needs: the version's list. given: what happens to the owner first. found: provider → reason, of all that are asked for.
// missing: the blocking ones that the answer names. warnings: [provider, reason]. strict: the outcome were all enforced.
// settled: nobody has to be asked, so that explain agrees. dry: what a dry run finds where that differs: it presumes that a
// refresh works. Default: all good, at a create and at a start.
const SCENARIOS = [
  { name: "nothing needed", needs: [], found: {}, settled: true },
  { name: "valid", needs: ["good"], given: [link("good")], found: { good: "valid" } },
  { name: "not_validated", needs: ["blind"], given: [link("blind")], found: { blind: "not_validated" }, settled: true },
  { name: "rate_limited", needs: ["limited"], given: [link("limited")], found: { limited: "rate_limited" } },
  { name: "valid after a refresh", needs: ["renews"], given: [expired("renews")], found: { renews: "valid" }, dry: { renews: "not_validated" } },
  { name: "last_known_good", needs: ["lkg"], given: [link("lkg"), change("lkg", "last_valid_at = now()")], found: { lkg: "last_known_good" }, warnings: [["lkg", "last_known_good"]] },
  { name: "a known good that is too old", needs: ["lkg"], given: [link("lkg"), change("lkg", "last_valid_at = now() - interval '61 minutes'")], found: { lkg: "provider_unavailable" }, outcome: "unverifiable", missing: ["lkg"] },
  { name: "fail_open", needs: ["open"], given: [link("open")], found: { open: "fail_open" }, warnings: [["open", "fail_open"]] },
  { name: "fail_open opens no door to who is not linked", needs: ["open"], found: { open: "not_linked" }, outcome: "refused", missing: ["open"], settled: true },
  { name: "not_linked", needs: ["good"], found: { good: "not_linked" }, outcome: "refused", missing: ["good"], settled: true },
  { name: "expired", needs: ["good"], given: [link("good", { expires_at: EXPIRED })], found: { good: "expired" }, outcome: "refused", missing: ["good"], settled: true },
  { name: "expired with NO_REFRESH", needs: ["never"], given: [expired("never")], found: { never: "expired" }, outcome: "refused", missing: ["never"], settled: true },
  { name: "refresh_rejected", needs: ["rejects"], given: [expired("rejects")], found: { rejects: "refresh_rejected" }, outcome: "refused", missing: ["rejects"], dry: { rejects: "not_validated" } },
  { name: "refresh_rejected, remembered", needs: ["good"], given: [expired("good"), change("good", "remembered_reason = 'refresh_rejected'")], found: { good: "refresh_rejected" }, outcome: "refused", missing: ["good"], settled: true },
  { name: "rotation_lost", needs: ["rejects"], given: [expired("rejects"), change("rejects", "unresolved = 1")], found: { rejects: "rotation_lost" }, outcome: "refused", missing: ["rejects"], dry: { rejects: "not_validated" } },
  { name: "token_revoked", needs: ["good"], given: [foreign("good")], found: { good: "token_revoked" }, outcome: "refused", missing: ["good"] },
  { name: "token_revoked by a 403", needs: ["forbids"], given: [link("forbids")], found: { forbids: "token_revoked" }, outcome: "refused", missing: ["forbids"] },
  { name: "refresh_in_progress", needs: ["held"], given: [expired("held"), change("held", "lease_id = gen_random_uuid(), lease_until = now() + interval '1 hour', unresolved = 1")], found: { held: "refresh_in_progress" }, outcome: "unverifiable", missing: ["held"], dry: { held: "not_validated" } },
  { name: "provider_unavailable", needs: ["down"], given: [link("down")], found: { down: "provider_unavailable" }, outcome: "unverifiable", missing: ["down"] },
  { name: "provider_unavailable at a refresh", needs: ["away"], given: [expired("away")], found: { away: "provider_unavailable" }, outcome: "unverifiable", missing: ["away"], dry: { away: "not_validated" } },
  { name: "provider_unavailable as the budget ends", needs: ["hole"], given: [link("hole")], found: { hole: "provider_unavailable" }, outcome: "unverifiable", missing: ["hole"] },
  { name: "provider_misconfigured", needs: ["secret"], given: [expired("secret")], found: { secret: "provider_misconfigured" }, outcome: "unverifiable", missing: ["secret"], dry: { secret: "not_validated" } },
  { name: "decryption_failed", needs: ["good"], given: [link("good"), unreadable("good")], found: { good: "decryption_failed" }, outcome: "unverifiable", missing: ["good"], settled: true },
  { name: "two missing, in the version's order", needs: ["two", "good"], found: { two: "not_linked", good: "not_linked" }, outcome: "refused", missing: ["two", "good"], settled: true },
  { name: "missing outweighs unverifiable", needs: ["down", "good", "two"], given: [link("down"), link("two")], found: { down: "provider_unavailable", good: "not_linked", two: "valid" }, outcome: "refused", missing: ["good"] },
  { name: "two that cannot be verified", needs: ["good", "down"], given: [link("good"), unreadable("good"), link("down")], found: { good: "decryption_failed", down: "provider_unavailable" }, outcome: "unverifiable", missing: ["good", "down"] },
  { name: "an optional one is not asked for", needs: ["good", { id: "two", optional: true }, { id: "down", optional: true }, { id: "not-there", optional: true }], given: [link("good"), link("down")], found: { good: "valid" } },
  { name: "only optional ones", needs: [{ id: "two", optional: true }], found: {} },
  { name: "a provider that only warns", needs: ["warns", "good"], given: [link("good")], found: { warns: "not_linked", good: "valid" }, warnings: [["warns", "not_linked"]], strict: "refused" },
  { name: "a provider in a dry run", needs: ["dry", "down"], given: [link("down")], found: { dry: "not_linked", down: "provider_unavailable" }, outcome: "unverifiable", missing: ["down"], strict: "refused" },
  { name: "a template that only warns", needs: ["good", "down"], given: [link("down")], enforcement: "warn", found: { good: "not_linked", down: "provider_unavailable" }, warnings: [["good", "not_linked"], ["down", "provider_unavailable"]], strict: "refused" },
  { name: "a template in a dry run", needs: ["good"], enforcement: "dryrun", found: { good: "not_linked" }, strict: "refused", settled: true },
  { name: "a word of the provider's for starts, at a create", moments: ["create"], needs: ["mixed"], found: { mixed: "not_linked" }, outcome: "refused", missing: ["mixed"], settled: true },
  { name: "a word of the provider's for starts", moments: ["start"], needs: ["mixed"], found: { mixed: "not_linked" }, warnings: [["mixed", "not_linked"]], strict: "refused", settled: true },
  { name: "a word of the provider's for claims", moments: ["claim"], needs: ["mixed"], found: { mixed: "not_linked" }, strict: "refused", settled: true },
  { name: "the deployment's word for autostarts", moments: ["autostart"], needs: ["good"], found: { good: "not_linked" }, warnings: [["good", "not_linked"]], strict: "refused", settled: true },
  { name: "the template's word against the deployment's", moments: ["autostart"], needs: ["good"], enforcement: "autostart=deny", found: { good: "not_linked" }, outcome: "refused", missing: ["good"], settled: true },
  { name: "an exemption", needs: ["good"], given: [exempt("good")], found: { good: "not_linked" }, warnings: [["good", "not_linked"]], strict: "refused", settled: true },
  { name: "an exemption from another one", needs: ["good", "two"], given: [exempt("good")], found: { good: "not_linked", two: "not_linked" }, outcome: "refused", missing: ["two"], settled: true },
  { name: "a deprecated template", needs: ["blind"], given: [link("blind")], deprecated: true, found: { blind: "not_validated" }, warnings: [[null, "template_deprecated"]], settled: true, moments: ["create"] },
  { name: "owner_suspended", needs: ["good"], given: [link("good"), suspend], problem: [403, "owner_suspended"] },
  { name: "version_archived", moments: ["create", "claim"], needs: ["good"], once: archive, problem: [400, "version_archived"] },
  { name: "an unknown version", moments: ["create"], needs: [], version: UNKNOWN_ID, problem: [404, "not_found"] },
  { name: "a provider that is not configured", needs: ["good", "not-there"], given: [link("good")], problem: [404, "provider_not_configured"] },
  { name: "an owner nobody has seen", needs: ["good", "two"], unseen: true, found: { good: "not_linked", two: "not_linked" }, outcome: "refused", missing: ["good", "two"], settled: true },
  { name: "an unseen owner who needs nothing", needs: [], unseen: true, found: {}, settled: true },
];

// ------------------------------------------------------------------------------------------------------------ surfaces

// What a surface tells, as far as it tells it: allowed, outcome, missing, states, warnings, problem [status, code], and
// the decision's id.
const OUTCOME_OF_CODE = { external_auth_required: "refused", external_auth_unverifiable: "unverifiable" };
const ids = (validations) => validations.map(({ field, detail }) => (assert.equal(field, "external_auth"), detail));
const pairs = (warnings) => warnings.map(({ provider, reason }) => [provider, reason]);
const statesOf = (external_auth) => Object.fromEntries(external_auth.filter(({ optional }) => !optional).map(({ id, reason }) => [id, reason]));

// The bodies of a create that was not let pass, and of everything that answers like it.
function readError({ status, body, headers }, { codes = { refused: 403, unverifiable: 503 } } = {}) {
  const outcome = OUTCOME_OF_CODE[body.code];
  if (!outcome) return { problem: [status, body.code] };
  assert.equal(status, codes[outcome]);
  assert.equal(headers["retry-after"] !== undefined, outcome === "unverifiable");
  return { outcome, missing: ids(body.validations), states: statesOf(body.external_auth), decisionId: body.decision_id };
}

function readDecision(body) {
  const { allowed, outcome, validations, external_auth, warnings, decision_id, code } = body;
  assert.equal(allowed, outcome === "allowed");
  assert.equal(OUTCOME_OF_CODE[code] ?? "allowed", outcome);
  return { outcome, missing: ids(validations), states: statesOf(external_auth), warnings: pairs(warnings), decisionId: decision_id };
}

const readMade = (answer) => (answer.status === 201
  ? { outcome: "allowed", warnings: pairs(answer.body.warnings), decisionId: answer.body.decision_id } : readError(answer));
const question = ({ owner, version, moment, dry_run }) => ({ owner: owner.username, template_version_id: version, transition: moment, dry_run });
const hooked = ["create", "start", "autostart", "claim"];

async function admissionReview({ owner, version, moment, dry_run }) {
  const annotations = { "gatehouse.dev/owner": owner.username, "gatehouse.dev/template-version": version };
  const kind = { group: "", version: "v1", kind: "Pod" };
  const answer = await post("/gate/v1/admission-review", {
    apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview",
    request: {
      uid: randomUUID(), kind, resource: { group: "", version: "v1", resource: "pods" }, operation: moment === "create" ? "CREATE" : "UPDATE", dryRun: dry_run,
      userInfo: { username: "system:serviceaccount:x:y" }, object: { apiVersion: "v1", kind: "Pod", metadata: { name: "dev", annotations } },
    },
  });
  assert.equal(answer.status, 200, answer.text);
  const { allowed, status, warnings = [], auditAnnotations } = answer.body.response;
  const decisionId = auditAnnotations?.decision_id;
  // It tells of warnings in sentences, so only their number can be compared.
  if (allowed) return { outcome: "allowed", warnings: warnings.length, decisionId };
  if (!decisionId) return { problem: [status.code] };
  const outcome = { 403: "refused", 503: "unverifiable" }[status.code];
  const causes = status.details.causes.map(({ field, reason }) => [field.match(/^external_auth\[(.*)\]$/)[1], reason]);
  // It names every blocking one; a refusal's validations only the missing ones.
  return { outcome, blocking: Object.fromEntries(causes), decisionId };
}

async function extAuthz({ owner, version, moment }) {
  const headers = { "X-Gatehouse-Owner": owner.username, "X-Gatehouse-Template-Version": version, "X-Gatehouse-Transition": moment };
  const answer = await world.api("GET", "/gate/v1/ext-authz/some/path", { token, headers });
  const decisionId = answer.headers["x-gatehouse-decision-id"];
  if (answer.status === 200) return { outcome: "allowed", decisionId };
  assert.equal(answer.status, 403);
  const { problem, ...told } = readError(answer, { codes: { refused: 403, unverifiable: 403 } });
  return problem ? { problem: [undefined, problem[1]] } : { ...told, decisionId };
}

async function opa(asked) {
  const answer = await post("/gate/v1/data", { input: question(asked) });
  assert.equal(answer.status, 200, answer.text);
  const { result, decision_id } = answer.body;
  if (result.outcome === undefined) return { problem: [undefined, result.code] };
  assert.equal(result.allow, result.allowed);
  assert.equal(result.decision_id, decision_id);
  return readDecision(result);
}

const read = (answer) => (answer.status === 200 ? readDecision(answer.body) : readError(answer));
const check = (query) => async (asked) => read(await post(`/gate/v1/check${query}`, question(asked)));
const create = async ({ owner, version }) =>
  readMade(await post(`/api/v2/users/${owner.username}/workspaces`, { name: "dev", template_version_id: version }));

// moments: those it can ask about. surface: as the decision log names it. knowsUnseen: it is asked by control planes
// about owners that this service has yet to see. dry: it can be asked for a dry run.
const SURFACES = {
  create: { ask: create, moments: ["create"], surface: "api" },
  check: { ask: check(""), moments: hooked, surface: "check", knowsUnseen: true, dry: true },
  "check?enforce=true": { ask: check("?enforce=true"), moments: hooked, surface: "check", knowsUnseen: true, dry: true },
  explain: { ask: async (asked) => read(await post("/gate/v1/explain", question(asked))), moments: hooked, presumes: true, knowsUnseen: true },
  "admission-review": { ask: admissionReview, moments: ["create", "start"], surface: "admission_review", knowsUnseen: true, dry: true },
  "ext-authz": { ask: extAuthz, moments: hooked, surface: "ext_authz", knowsUnseen: true },
  "OPA data": { ask: opa, moments: hooked, surface: "opa", knowsUnseen: true, dry: true },
};

// ----------------------------------------------------------------------------------------------------------- the matrix

function fits(surface, scenario, moment) {
  if (!surface.moments.includes(moment) || (scenario.unseen && !surface.knowsUnseen)) return false;
  return !surface.presumes || scenario.settled || scenario.problem;
}

const dryDecisions = [];
async function assertLogged(told, expected, { surface, owner, moment, version, dry_run }) {
  if (surface.presumes) return assert.equal(told.decisionId, null);
  if (dry_run) return dryDecisions.push(told.decisionId);
  const row = await eventually("the decision is logged", async () =>
    (await world.sql("SELECT * FROM decisions WHERE id = $1", [told.decisionId]))[0]);
  const { outcome, strict_outcome, owner_id, owner_name, template_version_id } = row;
  assert.deepEqual({ surface: row.surface, moment: row.moment, outcome, strict_outcome, owner_id, owner_name, template_version_id }, {
    surface: surface.surface, moment, outcome: expected.outcome, strict_outcome: expected.strict,
    owner_id: owner.id ?? null, owner_name: owner.username, template_version_id: version,
  });
  const found = row.findings.filter(({ optional, reason }) => !optional && reason).map(({ provider, reason }) => [provider, reason]);
  assert.deepEqual(Object.fromEntries(found), expected.found);
}

function assertTold(told, scenario, expected) {
  if (scenario.problem) {
    assert.ok(told.problem, JSON.stringify(told));
    for (const [i, part] of told.problem.entries()) if (part !== undefined) assert.equal(part, scenario.problem[i]);
    return;
  }
  assert.equal(told.problem, undefined, `a problem: ${told.problem}`);
  assert.equal(told.outcome, expected.outcome);
  if (told.missing) assert.deepEqual(told.missing, expected.missing);
  if (told.states) assert.deepEqual(told.states, expected.found);
  for (const [id, reason] of Object.entries(told.blocking ?? {})) assert.equal(reason, expected.found[id]);
  for (const id of told.blocking ? expected.missing : []) assert.ok(told.blocking[id], `${id} blocks`);
  if (expected.outcome === "allowed" && told.warnings !== undefined)
    assert.deepEqual(told.warnings, typeof told.warnings === "number" ? expected.warnings.length : expected.warnings);
}

// What a scenario comes to; a dry run presumes that a refresh works, and then nothing is in the way.
function expectationOf({ outcome = "allowed", missing = [], warnings = [], strict = outcome, found, dry }, dry_run) {
  if (dry_run && dry) return { outcome: "allowed", missing: [], warnings: [], found: dry };
  return { outcome, missing, warnings, strict, found };
}

async function askOne(name, scenario, template, moment, dry_run) {
  const surface = SURFACES[name];
  const owner = scenario.unseen ? { username: world.name("unseen") } : await world.createUser({ withToken: false });
  for (const step of scenario.given ?? []) await step({ owner, template });
  const expected = expectationOf(scenario, dry_run);
  const asked = { surface, owner, moment, dry_run, version: scenario.version ?? template.active_version_id };
  try {
    const told = await surface.ask(asked);
    assertTold(told, scenario, expected);
    if (!scenario.problem) await assertLogged(told, expected, asked);
  } catch (error) {
    error.message = `${name} at a ${moment}${dry_run ? ", dry" : ""}: ${error.message}`;
    throw error;
  }
}

for (const scenario of SCENARIOS)
  test(`${scenario.name} is the same everywhere`, async () => {
    const { needs, enforcement, deprecated, moments = ["create", "start"] } = scenario;
    const template = await world.createTemplate(needs, { enforcement, deprecated });
    await scenario.once?.(template);
    const asked = moments.flatMap((moment) =>
      Object.keys(SURFACES).filter((name) => fits(SURFACES[name], scenario, moment)).map((name) => [name, moment]));
    assert.ok(asked.length > 1, "a scenario of one surface compares nothing");
    await Promise.all(asked.map(([name, moment]) => askOne(name, scenario, template, moment, false)));
    const dry = asked.filter(([name]) => SURFACES[name].dry);
    await Promise.all(dry.map(([name, moment]) => askOne(name, scenario, template, moment, true)));
  });

test("every reason of the contract has its scenario", () => {
  const reasons = ["valid", "not_validated", "rate_limited", "last_known_good", "fail_open", "not_linked", "expired", "refresh_rejected", "rotation_lost",
    "token_revoked", "refresh_in_progress", "provider_unavailable", "provider_misconfigured", "decryption_failed"];
  const seen = new Set(SCENARIOS.flatMap(({ found = {} }) => Object.values(found)));
  assert.deepEqual(reasons.filter((reason) => !seen.has(reason)), []);
});

test("no dry run is in the decision log", async () => {
  assert.ok(dryDecisions.length > 100, String(dryDecisions.length));
  assert.deepEqual(await world.sql("SELECT id, surface FROM decisions WHERE id = ANY ($1)", [dryDecisions]), []);
});

test("whoever only asked has made no workspace and no user", async () => {
  const [{ refused }] = await world.sql("SELECT count(*)::int AS refused FROM workspaces w JOIN decisions d ON d.id = w.decision_id WHERE d.outcome <> 'allowed' OR d.surface <> 'api'");
  assert.equal(refused, 0);
  const [{ unseen }] = await world.sql("SELECT count(*)::int AS unseen FROM users WHERE username LIKE 'unseen-%'");
  assert.equal(unseen, 0);
});
