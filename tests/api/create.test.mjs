// SPDX-License-Identifier: Apache-2.0
// The gated create: its steps in their order, what each refusal says and that it leaves nothing behind, whose accounts
// are judged, and what passes with a warning.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newSecret } from "../support/service.mjs";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const PROVIDERS = ["one", "two", "three", "four", "down", "open", "lkg", "blind", "warns", "dry"];
const world = await World.open({
  providers: (demo) => [
    ...["one", "two", "three", "four", "down"].map((id) => demo.configure(id)),
    demo.configure("open", { fail_mode: "open" }),
    demo.configure("lkg", { fail_mode: "last_known_good", last_known_good_max_age: "1h" }),
    demo.configure("blind", { validate_url: undefined }),
    demo.configure("warns", { enforcement: "warn" }),
    demo.configure("dry", { enforcement: "dryrun" }),
  ],
});
const { demo } = world;
await demo.fault("down", "validate", { status: 503 });
const free = await world.createTemplate();
const needsOne = await world.createTemplate(["one"]);
const controlPlane = await world.createUser({ roles: ["control-plane"] });

const create = (path, body, token) => world.api("POST", path, { token, body });
const refused = (ask) => assertLeavesNothing(world, ask);

// ------------------------------------------------------------------------------------------------------ what passes

for (const path of ["/api/v2/users/me/workspaces", "/api/v2/organizations/default/members/me/workspaces"])
  test(`a workspace comes from ${path}`, async () => {
    const owner = await world.createUser();
    await world.link(owner, "one");
    const parameters = { region: "eu", size: 4, nested: { list: [1, null, true, "ü\u{1F600}"] }, "": "" };
    const made = await create(path, { name: "dev", template_id: needsOne.id, parameters, unknown: 1 }, owner.token);
    assert.equal(made.status, 201, made.text);
    const { body } = made;
    assert.equal(body.name, "dev");
    assert.equal(body.owner_id, owner.id);
    assert.equal(body.owner_name, owner.username);
    assert.equal(body.template_id, needsOne.id);
    assert.equal(body.template_version_id, needsOne.active_version_id);
    assert.deepEqual(body.parameters, parameters);
    assert.deepEqual(body.warnings, []);
    const { id, created_at, ...build } = body.latest_build;
    assert.deepEqual(build, { number: 1, transition: "start", reason: "initiator", status: "pending" });
    assert.deepEqual((await world.api("GET", `/api/v2/workspaces/${body.id}`, { token: owner.token })).body, body);
    assert.deepEqual((await world.api("GET", "/api/v2/users/me/workspaces", { token: owner.token })).body, { workspaces: [body], next_after_id: null });
  });

test("the path with an organization refuses as the other does", async () => {
  const owner = await world.createUser();
  const path = `/api/v2/organizations/default/members/${owner.username}/workspaces`;
  assertError(await refused(() => create(path, { name: "Bad", template_id: free.id }, owner.token)), 400, "validation_failed", "name");
  assertError(await refused(() => create(path, { name: "w", template_id: needsOne.id }, owner.token)), 403, "external_auth_required");
  assert.equal((await create(path, { name: "w", template_id: free.id }, owner.token)).status, 201);
  assertError(await refused(() => create(path, { name: "w", template_id: free.id }, owner.token)), 409, "name_taken", "name");
});

test("an organization that is not default is unknown", async () => {
  const owner = await world.createUser();
  const answer = await refused(() => create("/api/v2/organizations/other/members/me/workspaces", { name: "w", template_id: free.id }, owner.token));
  assertError(answer, 404, "not_found");
});

test("a version that is named is taken, active or not", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["one"]);
  const second = await world.expect(201, "POST", `/api/v2/templates/${template.id}/versions`, { external_auth: [] });
  const made = await world.createWorkspace(owner, null, { template_version_id: second.id });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.body.template_version_id, second.id);
  assert.equal(made.body.template_id, template.id);
  assertError(await world.createWorkspace(owner, template), 403, "external_auth_required");
});

test("two owners may use one name, and lists page", async () => {
  const owners = [await world.createUser(), await world.createUser()];
  for (const owner of owners) assert.equal((await world.createWorkspace(owner, free, { name: "same" })).status, 201);
  for (const name of ["b", "a"]) assert.equal((await world.createWorkspace(owners[0], free, { name })).status, 201);
  const path = `/api/v2/users/${owners[0].username}/workspaces`;
  const first = await world.expect(200, "GET", `${path}?limit=2`);
  const rest = await world.expect(200, "GET", `${path}?limit=2&after_id=${first.next_after_id}`);
  assert.deepEqual([...first.workspaces, ...rest.workspaces].map(({ name }) => name), ["same", "b", "a"]);
  assert.equal(rest.next_after_id, null);
  assertError(await world.admin("GET", `${path}?limit=x`), 400, "validation_failed", "limit");
});

test("a provider without a validate URL is believed without asking", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["blind"]);
  await world.importLink(owner, "blind");
  const before = await demo.asked("blind");
  assert.equal((await world.createWorkspace(owner, template)).status, 201);
  assert.equal(await demo.asked("blind"), before);
});

test("four slow providers are asked at the same time", async () => {
  const ids = ["one", "two", "three", "four"];
  const owner = await world.createUser();
  const template = await world.createTemplate(ids);
  for (const id of ids) await world.link(owner, id);
  for (const id of ids) await demo.fault(id, "validate", { delay_ms: 700 });
  const begun = Date.now();
  const answer = await world.createWorkspace(owner, template);
  const took = Date.now() - begun;
  for (const id of ids) await demo.fault(id, "validate", null);
  assert.equal(answer.status, 201, answer.text);
  assert.ok(took >= 700 && took < 2100, `${took} ms for four times 700 ms`);
});

// ------------------------------------------------------------------------------------------------ the order of steps

test("1: an unknown caller comes before a wrong body", async () => {
  for (const options of [{ body: {} }, { raw: "{", headers: { "Content-Type": "application/json" } }])
    assertError(await refused(() => world.api("POST", "/api/v2/users/nobody/workspaces", options)), 401, "unauthenticated");
});

test("1: a wrong body comes before the caller's right", async () => {
  const stranger = await world.createUser();
  const owner = await world.createUser();
  for (const who of [owner.username, "nobody"])
    assertError(await refused(() => create(`/api/v2/users/${who}/workspaces`, { name: "Bad" }, stranger.token)), 400, "validation_failed", "name");
});

for (const [body, fields] of [
  [{ template_id: UNKNOWN_ID }, ["name"]],
  [{ name: "", template_id: UNKNOWN_ID }, ["name"]],
  [{ name: "Upper", template_id: UNKNOWN_ID }, ["name"]],
  [{ name: "a_b", template_id: UNKNOWN_ID }, ["name"]],
  [{ name: "x".repeat(33), template_id: UNKNOWN_ID }, ["name"]],
  [{ name: 5, template_id: UNKNOWN_ID }, ["name"]],
  [{ name: "w" }, ["template_id", "template_version_id"]],
  [{ name: "w", template_id: UNKNOWN_ID, template_version_id: UNKNOWN_ID }, ["template_id", "template_version_id"]],
  [{ name: "w", template_id: "x" }, ["template_id"]],
  [{ name: "w", template_id: 5 }, ["template_id"]],
  [{ name: "w", template_version_id: "x" }, ["template_version_id"]],
  [{ name: "w", template_id: UNKNOWN_ID, claim_prebuild: "maybe" }, ["claim_prebuild"]],
  [{ name: "w", template_id: UNKNOWN_ID, claim_prebuild: true }, ["claim_prebuild"]],
  [{ name: "w", template_id: UNKNOWN_ID, parameters: [] }, ["parameters"]],
  [{ name: "w", template_id: UNKNOWN_ID, parameters: "x" }, ["parameters"]],
  [{ name: "Bad", parameters: 1 }, ["name", "template_id", "template_version_id", "parameters"]],
])
  test(`1: the body ${JSON.stringify(body).slice(0, 60)} names ${fields}`, async () => {
    const answer = await refused(() => create("/api/v2/users/me/workspaces", body, world.service.adminToken));
    const { validations } = assertError(answer, 400, "validation_failed");
    assert.deepEqual(validations.map(({ field }) => field).sort(), [...fields].sort());
  });

test("2: who may not create for the owner learns nothing and asks no provider", async () => {
  const stranger = await world.createUser();
  const owner = await world.createUser();
  const suspended = await world.createUser({ withToken: false });
  await world.link(owner, "one");
  await world.createWorkspace(owner, free, { name: "taken" });
  await world.expect(200, "PATCH", `/api/v2/users/${suspended.id}`, { status: "suspended" });
  const before = await demo.asked(PROVIDERS);
  const said = new Set();
  for (const [who, body] of [
    [owner.username, { name: "w", template_id: needsOne.id }], [owner.id, { name: "taken", template_id: needsOne.id }],
    [owner.username, { name: "w", template_id: UNKNOWN_ID }], ["nobody", { name: "w", template_id: needsOne.id }],
    [UNKNOWN_ID, { name: "w", template_id: UNKNOWN_ID }], [suspended.username, { name: "w", template_id: needsOne.id }],
  ]) {
    const answer = await refused(() => create(`/api/v2/users/${who}/workspaces`, body, stranger.token));
    const { request_id, ...rest } = assertError(answer, 404, "not_found");
    said.add(JSON.stringify(rest).replaceAll(who, "WHO"));
  }
  assert.equal(said.size, 1, [...said].join("\n"));
  assert.equal(await demo.asked(PROVIDERS), before, "no provider was asked");
});

test("3: an unknown owner is 404 and a suspended one 403, before the template is looked at", async () => {
  const owner = await world.createUser();
  await world.expect(200, "PATCH", `/api/v2/users/${owner.id}`, { status: "suspended" });
  for (const token of [world.service.adminToken, controlPlane.token]) {
    for (const who of ["nobody", UNKNOWN_ID])
      assertError(await refused(() => create(`/api/v2/users/${who}/workspaces`, { name: "w", template_id: UNKNOWN_ID }, token)), 404, "not_found");
    assertError(await refused(() => create(`/api/v2/users/${owner.id}/workspaces`, { name: "w", template_id: UNKNOWN_ID }, token)), 403, "owner_suspended");
  }
  assertError(await refused(() => world.createWorkspace(owner, free)), 403, "owner_suspended");
});

test("4: an unknown template or version is 404 and an archived version 400, before the name is looked at", async () => {
  const owner = await world.createUser();
  await world.createWorkspace(owner, free, { name: "taken" });
  for (const key of ["template_id", "template_version_id"])
    assertError(await refused(() => world.createWorkspace(owner, null, { name: "taken", [key]: UNKNOWN_ID })), 404, "not_found");
  const template = await world.createTemplate(["one"]);
  const version = template.active_version_id;
  await world.expect(200, "POST", `/api/v2/templateversions/${version}/archive`);
  for (const key of [{ template_id: template.id }, { template_version_id: version }])
    assertError(await refused(() => world.createWorkspace(owner, null, { name: "taken", ...key })), 400, "version_archived");
  await world.expect(200, "POST", `/api/v2/templateversions/${version}/unarchive`);
  assertError(await refused(() => world.createWorkspace(owner, template)), 403, "external_auth_required");
});

test("4: an archived version that is not the active one is 400 when it is named", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate();
  const { id } = await world.expect(201, "POST", `/api/v2/templates/${template.id}/versions`, { external_auth: ["one"] });
  await world.expect(200, "POST", `/api/v2/templateversions/${id}/archive`);
  assertError(await refused(() => world.createWorkspace(owner, null, { template_version_id: id })), 400, "version_archived");
  assert.equal((await world.createWorkspace(owner, template)).status, 201);
});

test("5: a taken name is 409 before the gate is asked", async () => {
  const owner = await world.createUser();
  await world.createWorkspace(owner, free, { name: "taken" });
  const before = await demo.asked(PROVIDERS);
  assertError(await refused(() => world.createWorkspace(owner, needsOne, { name: "taken" })), 409, "name_taken", "name");
  assert.equal(await demo.asked(PROVIDERS), before);
});

test("5: of many creates with one name one wins", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  const answers = await Promise.all(Array.from({ length: 12 }, () => world.createWorkspace(owner, needsOne, { name: "race" })));
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [201, ...Array(11).fill(409)]);
  for (const answer of answers.filter(({ status }) => status === 409)) assertError(answer, 409, "name_taken", "name");
});

// ----------------------------------------------------------------------------------------------------- the gate's no

test("6: every missing provider is named at once, in the version's order", async () => {
  const owner = await world.createUser({ username: "alice" });
  const template = await world.createTemplate(["three", { id: "four", optional: true }, "one", "blind", "two"]);
  await world.link(owner, "one");
  await world.importLink(owner, "two");
  const body = assertError(await refused(() => world.createWorkspace(owner, template)), 403, "external_auth_required");
  assert.equal(body.message, "External authentication is required to create a workspace with this template.");
  assert.deepEqual(body.validations, ["three", "blind", "two"].map((detail) => ({ field: "external_auth", detail })));
  assert.deepEqual(body.external_auth.map(({ id, verdict, reason }) => [id, verdict, reason]), [
    ["three", "missing", "not_linked"], ["one", "ok", "valid"], ["blind", "missing", "not_linked"], ["two", "missing", "token_revoked"],
  ]);
  for (const word of ["alice", "Demo three", "Demo blind", "Demo two"]) assert.ok(body.detail.includes(word), body.detail);
  assert.ok(!body.detail.includes("Demo one"), body.detail);
  const [first] = body.external_auth;
  assert.deepEqual(first, {
    id: "three", type: "demo", display_name: "Demo three", display_icon: "", optional: false, authenticated: false, verdict: "missing",
    reason: "not_linked", fixable_by: "owner", retry_after: null, authenticate_url: `${world.service.accessUrl}/external-auth/three`,
  });
});

test("6: an expired link without a refresh token is missing, and the provider is not asked", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one", { expires_at: "2020-01-01T00:00:00Z" });
  const before = await demo.asked("one");
  const body = assertError(await refused(() => world.createWorkspace(owner, needsOne)), 403, "external_auth_required");
  assert.equal(body.external_auth[0].reason, "expired");
  assert.equal(await demo.asked("one"), before);
});

test("6: an optional provider is neither asked nor needed nor named", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate([{ id: "one", optional: true }, { id: "down", optional: true }, "two"]);
  await world.link(owner, "one");
  await world.link(owner, "down");
  const before = await demo.asked(["one", "down"]);
  const body = assertError(await refused(() => world.createWorkspace(owner, template)), 403, "external_auth_required");
  assert.deepEqual(body.external_auth.map(({ id }) => id), ["two"]);
  await world.link(owner, "two");
  const made = await world.createWorkspace(owner, template);
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.warnings, []);
  assert.equal(await demo.asked(["one", "down"]), before);
});

test("6: the owner's accounts count, not the initiator's", async () => {
  const owner = await world.createUser();
  for (const initiator of [await world.createUser({ roles: ["admin"] }), controlPlane]) {
    await world.link(initiator, "one");
    const body = assertError(await refused(() => world.createWorkspace(owner, needsOne, { caller: initiator })), 403, "external_auth_required");
    const words = body.detail.split(/[^a-z0-9-]+/);
    assert.ok(words.includes(owner.username), body.detail);
    assert.ok(!words.includes(initiator.username), body.detail);
  }
});

test("6: the initiator needs no account of their own", async () => {
  const owner = await world.createUser();
  await world.link(owner, "one");
  const bare = await world.createUser({ roles: ["admin"] });
  for (const caller of [bare, await world.createUser({ roles: ["control-plane"] })]) {
    const made = await world.createWorkspace(owner, needsOne, { caller });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.body.owner_id, owner.id);
  }
});

test("6: an outage alone is 503 and says when to try again", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["one", "down"]);
  await world.link(owner, "one");
  await world.link(owner, "down");
  const answer = await refused(() => world.createWorkspace(owner, template));
  const body = assertError(answer, 503, "external_auth_unverifiable");
  assert.ok(Number(answer.headers["retry-after"]) >= 1);
  assert.deepEqual(body.validations, [{ field: "external_auth", detail: "down" }]);
  assert.deepEqual(body.external_auth.map(({ id, reason, fixable_by }) => [id, reason, fixable_by]), [["one", "valid", null], ["down", "provider_unavailable", "wait"]]);
});

test("6: a missing provider outweighs an outage", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["down", "one"]);
  await world.link(owner, "down");
  const body = assertError(await refused(() => world.createWorkspace(owner, template)), 403, "external_auth_required");
  assert.deepEqual(body.validations, [{ field: "external_auth", detail: "one" }]);
  assert.deepEqual(body.external_auth.map(({ verdict }) => verdict), ["unverifiable", "missing"]);
});

test("6: a provider that is not configured is 404, names its id, and nobody is asked", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["one", "not-there"]);
  await world.link(owner, "one");
  const body = assertError(await refused(() => world.createWorkspace(owner, template)), 404, "provider_not_configured");
  assert.match(body.detail, /\bnot-there\b/);
});

test("6: each refusal has an id of its own", async () => {
  const owner = await world.createUser();
  const ids = new Set();
  for (let i = 0; i < 3; i++) ids.add((await world.createWorkspace(owner, needsOne)).body.decision_id);
  assert.equal(ids.size, 3);
});

test("6: a required prebuild is looked for after the gate, and there is none", async () => {
  const owner = await world.createUser();
  assertError(await refused(() => world.createWorkspace(owner, needsOne, { claim_prebuild: "require" })), 403, "external_auth_required");
  await world.link(owner, "one");
  assertError(await refused(() => world.createWorkspace(owner, needsOne, { claim_prebuild: "require" })), 409, "no_prebuild");
  for (const claim_prebuild of ["prefer", "never"])
    assert.equal((await world.createWorkspace(owner, needsOne, { claim_prebuild })).status, 201);
});

// ------------------------------------------------------------------------------------------------- with a warning

test("enforcement warn lets pass and says so; dryrun says nothing; deny refuses", async () => {
  const owner = await world.createUser();
  const make = async (enforcement) => world.createWorkspace(owner, await world.createTemplate(["one", "two"], { enforcement }));
  const warned = await make("warn");
  assert.equal(warned.status, 201, warned.text);
  assert.deepEqual(warned.body.warnings.map(({ provider, reason }) => [provider, reason]), [["one", "not_linked"], ["two", "not_linked"]]);
  assert.deepEqual((await world.api("GET", `/api/v2/workspaces/${warned.body.id}`, { token: owner.token })).body, warned.body);
  assert.deepEqual((await world.api("GET", "/api/v2/users/me/workspaces", { token: owner.token })).body.workspaces, [warned.body]);
  const dry = await make("dryrun");
  assert.equal(dry.status, 201, dry.text);
  assert.deepEqual(dry.body.warnings, []);
  const strict = await world.createTemplate(["one", "two"], { enforcement: "deny" });
  assertError(await refused(() => world.createWorkspace(owner, strict)), 403, "external_auth_required");
});

test("a provider's own enforcement counts for that provider", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["warns", "dry"]);
  const made = await world.createWorkspace(owner, template);
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.warnings.map(({ provider, reason }) => [provider, reason]), [["warns", "not_linked"]]);
  const strict = await world.createTemplate(["warns", "one"]);
  const body = assertError(await refused(() => world.createWorkspace(owner, strict)), 403, "external_auth_required");
  assert.deepEqual(body.validations, [{ field: "external_auth", detail: "one" }]);
});

test("a deprecated template still works, with a warning", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate([], { deprecated: true });
  const made = await world.createWorkspace(owner, template);
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.warnings.map(({ provider, reason }) => [provider, reason]), [[null, "template_deprecated"]]);
});

test("fail mode open lets an outage pass with a warning, but not a missing link", async () => {
  const owner = await world.createUser();
  const template = await world.createTemplate(["open"]);
  assertError(await refused(() => world.createWorkspace(owner, template)), 403, "external_auth_required");
  await world.link(owner, "open");
  await demo.fault("open", "validate", { status: 500 });
  const made = await world.createWorkspace(owner, template);
  await demo.fault("open", "validate", null);
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.warnings.map(({ provider, reason }) => [provider, reason]), [["open", "fail_open"]]);
  await world.importLink(owner, "open", { access_token: newSecret() });
  assertError(await refused(() => world.createWorkspace(owner, template)), 403, "external_auth_required");
});

test("fail mode last_known_good lets an outage pass only after a confirmation", async () => {
  const template = await world.createTemplate(["lkg"]);
  const known = await world.createUser();
  const unknown = await world.createUser();
  await world.link(known, "lkg");
  await world.link(unknown, "lkg");
  assert.equal((await world.createWorkspace(known, template)).status, 201);
  await demo.fault("lkg", "validate", { status: 500 });
  const made = await world.createWorkspace(known, template);
  const answer = await refused(() => world.createWorkspace(unknown, template));
  await demo.fault("lkg", "validate", null);
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.warnings.map(({ provider, reason }) => [provider, reason]), [["lkg", "last_known_good"]]);
  assertError(answer, 503, "external_auth_unverifiable");
});

test("after the provider said no, what was good before is no longer the last known", async () => {
  const template = await world.createTemplate(["lkg"]);
  const owner = await world.createUser();
  const { access_token } = await world.link(owner, "lkg");
  assert.equal((await world.createWorkspace(owner, template)).status, 201);
  await demo.revoke("lkg", { access_token });
  assertError(await refused(() => world.createWorkspace(owner, template)), 403, "external_auth_required");
  await demo.fault("lkg", "validate", { status: 500 });
  const answer = await refused(() => world.createWorkspace(owner, template));
  await demo.fault("lkg", "validate", null);
  assert.ok([403, 503].includes(answer.status), answer.text);
});

test("a workspace that is not there is 404", async () => {
  for (const id of [UNKNOWN_ID, "x"]) assertError(await world.admin("GET", `/api/v2/workspaces/${id}`), 404, "not_found");
  assertError(await world.admin("GET", "/api/v2/users/nobody/workspaces"), 404, "not_found");
});

test("a page of workspaces with large parameters ends early and names the next", async () => {
  const owner = await world.createUser();
  const parameters = { notes: "x".repeat(900 * 1024) };
  for (let i = 0; i < 40; i++) assert.equal((await world.createWorkspace(owner, free, { name: `w-${i}`, parameters })).status, 201);
  const names = [];
  for (let query = "?limit=200", pages = 0; query; pages++) {
    assert.ok(pages < 40, "the list must come to an end");
    const answer = await world.api("GET", `/api/v2/users/me/workspaces${query}`, { token: owner.token });
    assert.equal(answer.status, 200, answer.text.slice(0, 200));
    assert.ok(answer.text.length < 4 * 1024 * 1024, `${answer.text.length} bytes`);
    names.push(...answer.body.workspaces.map(({ name }) => name));
    query = answer.body.next_after_id && `?limit=200&after_id=${answer.body.next_after_id}`;
  }
  assert.deepEqual(names, Array.from({ length: 40 }, (_, i) => `w-${i}`));
});
