// SPDX-License-Identifier: Apache-2.0
// Templates and their versions: lists of providers in every form, the archive, activation, and what a terraform
// document says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open();
const post = (body) => world.admin("POST", "/api/v2/templates", body);
const versionsOf = (template) => `/api/v2/templates/${template.id}/versions`;
const required = (...ids) => ids.map((id) => ({ id, optional: false }));

test("a template comes with its first, active version", async () => {
  const made = (await post({ name: "first", external_auth: [{ id: "github", optional: true }, { id: "demo" }], unknown: 1 })).body;
  assert.equal(made.name, "first");
  assert.equal(made.enforcement, null);
  assert.equal(made.deprecated, false);
  assert.equal(made.active_version_id, made.active_version.id);
  assert.equal(made.active_version.template_id, made.id);
  assert.equal(made.active_version.ordinal, 1);
  assert.equal(made.active_version.archived, false);
  assert.deepEqual(made.active_version.external_auth, [{ id: "github", optional: true }, { id: "demo", optional: false }]);
  const { active_version, ...plain } = made;
  assert.deepEqual(await world.expect(200, "GET", `/api/v2/templates/${made.id}`), plain);
  assert.deepEqual(await world.expect(200, "GET", "/api/v2/templates/first"), plain);
  assert.deepEqual(await world.expect(200, "GET", `/api/v2/templateversions/${active_version.id}`), active_version);
});

for (const [name, given, stored] of [
  ["no list", undefined, []],
  ["an empty list", [], []],
  ["bare ids", ["github", "demo"], required("github", "demo")],
  ["ids and objects", ["github", { id: "gitlab", optional: true }, { id: "demo", optional: false }],
    [...required("github"), { id: "gitlab", optional: true }, ...required("demo")]],
  ["the same id twice, required last", [{ id: "a", optional: true }, { id: "b" }, { id: "a" }], required("a", "b")],
  ["the same id twice, required first", ["a", { id: "a", optional: true }], required("a")],
  ["the same id twice, optional both times", [{ id: "a", optional: true }, { id: "a", optional: true }], [{ id: "a", optional: true }]],
  ["unknown members", [{ id: "a", scopes: ["x"] }], required("a")],
  ["an id of 64", ["x".repeat(64)], required("x".repeat(64))],
  ["32 providers", Array.from({ length: 32 }, (_, i) => `p${i}`), required(...Array.from({ length: 32 }, (_, i) => `p${i}`))],
])
  test(`a version takes ${name}`, async () => {
    const template = await world.createTemplate(given);
    assert.deepEqual(template.active_version.external_auth, stored);
    const version = await world.expect(201, "POST", versionsOf(template), { external_auth: given ?? [] });
    assert.deepEqual(version.external_auth, stored);
  });

for (const external_auth of ["github", {}, 5, [5], [null], [[]], [{}], [{ id: 5 }], [{ id: "Bad_Id" }], [""], ["x".repeat(65)], ["a b"],
  [{ id: "a", optional: "yes" }], [{ id: "a", optional: 1 }], Array.from({ length: 33 }, (_, i) => `p${i}`)])
  test(`the list ${JSON.stringify(external_auth).slice(0, 50)} is refused`, async () => {
    const answer = await assertLeavesNothing(world, () => post({ name: world.name("bad"), external_auth }));
    assertError(answer, 400, "validation_failed", /^external_auth/);
    const template = await world.createTemplate();
    const version = await assertLeavesNothing(world, () => world.admin("POST", versionsOf(template), { external_auth }));
    assertError(version, 400, "validation_failed", /^external_auth/);
  });

for (const name of ["", "Upper", "a_b", "a b", "x".repeat(65), UNKNOWN_ID, 5, null, undefined])
  test(`the name ${JSON.stringify(name)} is refused`, async () =>
    assertError(await assertLeavesNothing(world, () => post({ name })), 400, "validation_failed", "name"));

test("a name is given once", async () => {
  await world.createTemplate([], { name: "x".repeat(64) });
  assertError(await assertLeavesNothing(world, () => post({ name: "x".repeat(64) })), 409, "name_taken", "name");
});

test("lists page in the order of creation", async () => {
  const made = [];
  for (let i = 0; i < 5; i++) made.push((await world.createTemplate()).id);
  const met = [];
  for (let query = "?limit=2"; query;) {
    const page = await world.expect(200, "GET", `/api/v2/templates${query}`);
    met.push(...page.templates.map(({ id }) => id));
    query = page.next_after_id && `?limit=2&after_id=${page.next_after_id}`;
  }
  assert.equal(new Set(met).size, met.length);
  assert.deepEqual(met.filter((id) => made.includes(id)), made);
  assertError(await world.admin("GET", "/api/v2/templates?limit=0"), 400, "validation_failed", "limit");
});

test("what is not there is 404", async () => {
  for (const id of [UNKNOWN_ID, "not-there", "No_Name"]) {
    assertError(await world.admin("GET", `/api/v2/templates/${id}`), 404, "not_found");
    assertError(await world.admin("PATCH", `/api/v2/templates/${id}`, {}), 404, "not_found");
    assertError(await world.admin("GET", `/api/v2/templates/${id}/versions`), 404, "not_found");
    assertError(await world.admin("POST", `/api/v2/templates/${id}/versions`, { external_auth: [] }), 404, "not_found");
    for (const tail of ["", "/external-auth"]) assertError(await world.admin("GET", `/api/v2/templateversions/${id}${tail}`), 404, "not_found");
    for (const tail of ["/archive", "/unarchive"]) assertError(await world.admin("POST", `/api/v2/templateversions/${id}${tail}`), 404, "not_found");
  }
});

test("versions count up, are listed oldest first, and are active only when asked", async () => {
  const template = await world.createTemplate(["demo"]);
  const second = await world.expect(201, "POST", versionsOf(template), { external_auth: [] });
  const third = await world.expect(201, "POST", versionsOf(template), { external_auth: ["github"], activate: true });
  assert.deepEqual([second.ordinal, third.ordinal], [2, 3]);
  assert.equal((await world.expect(200, "GET", `/api/v2/templates/${template.id}`)).active_version_id, third.id);
  await world.expect(200, "POST", `/api/v2/templateversions/${second.id}/archive`);
  const list = await world.expect(200, "GET", versionsOf(template));
  assert.deepEqual(list, { versions: [template.active_version, { ...second, archived: true }, third], next_after_id: null });
  const page = await world.expect(200, "GET", `${versionsOf(template)}?limit=2`);
  assert.equal(page.next_after_id, second.id);
  assertError(await world.admin("GET", `${versionsOf(template)}?after_id=x`), 400, "validation_failed", "after_id");
});

test("a version takes exactly one of external_auth and terraform", async () => {
  const template = await world.createTemplate();
  for (const body of [{}, { external_auth: [], terraform: { values: { root_module: {} } } }]) {
    const answer = await assertLeavesNothing(world, () => world.admin("POST", versionsOf(template), body));
    assertError(answer, 400, "validation_failed", "external_auth");
    assertError(answer, 400, "validation_failed", "terraform");
  }
  assertError(await world.admin("POST", versionsOf(template), { external_auth: [], activate: "yes" }), 400, "validation_failed", "activate");
});

test("a change changes what it names and nothing else", async () => {
  const { active_version, ...template } = await world.createTemplate();
  const path = `/api/v2/templates/${template.id}`;
  const timeless = ({ updated_at, ...rest }) => rest;
  const patch = async (body) => timeless(await world.expect(200, "PATCH", path, body));
  assert.deepEqual(await patch({}), timeless(template));
  for (const enforcement of ["warn", "dryrun", "deny", null]) assert.equal((await patch({ enforcement })).enforcement, enforcement);
  assert.equal((await patch({ deprecated: true })).deprecated, true);
  assert.equal((await patch({ deprecated: null, active_version_id: null })).deprecated, true, "null is as good as absent");
  const version = await world.expect(201, "POST", versionsOf(template), { external_auth: [] });
  const changed = await world.expect(200, "PATCH", path, { active_version_id: version.id, deprecated: false });
  assert.deepEqual(timeless(changed), { ...timeless(template), active_version_id: version.id });
  assert.ok(Date.parse(changed.updated_at) >= Date.parse(template.updated_at));
});

test("wrong changes are refused and change nothing", async () => {
  const { active_version, ...template } = await world.createTemplate();
  const foreign = await world.createTemplate();
  const path = `/api/v2/templates/${template.id}`;
  for (const [body, field] of [
    [{ enforcement: "block" }, "enforcement"], [{ enforcement: 1 }, "enforcement"], [{ enforcement: "" }, "enforcement"],
    [{ deprecated: "yes" }, "deprecated"],
    [{ active_version_id: foreign.active_version_id }, "active_version_id"], [{ active_version_id: UNKNOWN_ID }, "active_version_id"],
    [{ active_version_id: "x" }, "active_version_id"],
    [{ deprecated: true, enforcement: "no" }, "enforcement"],
  ])
    assertError(await world.admin("PATCH", path, body), 400, "validation_failed", field);
  assert.deepEqual(await world.expect(200, "GET", path), template);
});

test("the active version may be archived, and stays the active one", async () => {
  const template = await world.createTemplate(["demo"]);
  const { id } = template.active_version;
  for (const [word, archived] of [["archive", true], ["unarchive", false]])
    assert.deepEqual(await world.expect(200, "POST", `/api/v2/templateversions/${id}/${word}`), { ...template.active_version, archived });
  assert.equal((await world.expect(200, "GET", `/api/v2/templates/${template.id}`)).active_version_id, id);
});

test("an archived version is not activated, and comes back", async () => {
  const template = await world.createTemplate();
  const version = await world.expect(201, "POST", versionsOf(template), { external_auth: ["demo"] });
  const archive = (word) => world.expect(200, "POST", `/api/v2/templateversions/${version.id}/${word}`);
  for (let i = 0; i < 2; i++) assert.deepEqual(await archive("archive"), { ...version, archived: true });
  assertError(await world.admin("PATCH", `/api/v2/templates/${template.id}`, { active_version_id: version.id }), 400, "version_archived");
  for (let i = 0; i < 2; i++) assert.deepEqual(await archive("unarchive"), version);
  await world.expect(200, "PATCH", `/api/v2/templates/${template.id}`, { active_version_id: version.id });
});

// ------------------------------------------------------------------------------------------------------- terraform

const source = (values, extra = {}) => ({ address: "data.coder_external_auth.x", mode: "data", type: "coder_external_auth", name: "x", values, ...extra });
const noise = [
  { mode: "managed", type: "docker_container", name: "c", values: { id: "not-a-provider", optional: false } },
  { mode: "data", type: "coder_workspace", name: "me", values: { id: "not-a-provider" } },
  { mode: "managed", type: "coder_external_auth", name: "managed", values: { id: "not-a-provider" } },
];
const state = (root_module) => ({ format_version: "1.0", terraform_version: "1.9.0", values: { root_module } });

for (const [name, terraform, stored] of [
  ["no data source", state({ resources: noise }), []],
  ["an empty root module", state({}), []],
  ["an empty state", { format_version: "1.0" }, []],
  ["one data source", state({ resources: [...noise, source({ id: "github" })] }), required("github")],
  ["optional true, false and null", state({ resources: [source({ id: "a", optional: true }), source({ id: "b", optional: false }), source({ id: "c", optional: null })] }),
    [{ id: "a", optional: true }, ...required("b", "c")]],
  ["instances of count", state({ resources: [source({ id: "a" }, { index: 0 }), source({ id: "b", optional: true }, { index: 1 })] }),
    [...required("a"), { id: "b", optional: true }]],
  ["instances of for_each", state({ resources: [source({ id: "a" }, { index: "left" }), source({ id: "b" }, { index: "right" })] }), required("a", "b")],
  ["child modules in child modules", state({ resources: [source({ id: "root" })], child_modules: [
    { address: "module.a", resources: [...noise, source({ id: "child" })], child_modules: [{ address: "module.a.module.b[0]", resources: [source({ id: "grandchild", optional: true })] }] },
    { address: "module.c", child_modules: [{ address: "module.c.module.d", resources: [source({ id: "cousin" })] }] },
  ] }), [...required("root", "child"), { id: "grandchild", optional: true }, ...required("cousin")]],
  ["the same id twice, required wins", state({ resources: [source({ id: "a", optional: true })], child_modules: [{ resources: [source({ id: "a" })] }] }), required("a")],
  ["a plan", { format_version: "1.2", prior_state: state({ resources: [source({ id: "prior" })] }), planned_values: { root_module: { child_modules: [{ resources: [source({ id: "planned" })] }] } } },
    required("prior", "planned")],
  ["a plan that says the same twice", { prior_state: state({ resources: [source({ id: "a" })] }), planned_values: { root_module: { resources: [source({ id: "a", optional: true })] } } }, required("a")],
])
  test(`a terraform document with ${name}`, async () => {
    const template = await world.createTemplate();
    const version = await world.expect(201, "POST", versionsOf(template), { terraform });
    assert.deepEqual(version.external_auth, stored);
  });

for (const [name, terraform] of [
  ["a text", "{}"], ["null", null], ["a list", []], ["nothing in it", {}],
  ["another command's content", { format_version: "1.0", provider_schemas: {} }],
  ["a root module that is a list", { values: { root_module: [] } }],
  ["resources that are an object", state({ resources: {} })],
  ["child modules that are a text", state({ child_modules: "x" })],
  ["a data source without values", state({ resources: [source(undefined)] })],
  ["a data source without an id", state({ resources: [source({})] })],
  ["an id that is not known yet", state({ resources: [source({ id: null })] })],
  ["an unlawful id", state({ resources: [source({ id: "Git Hub" })] })],
  ["an optional that is a text", state({ resources: [source({ id: "a", optional: "yes" })] })],
  ["33 providers", state({ resources: Array.from({ length: 33 }, (_, i) => source({ id: `p${i}` })) })],
])
  test(`a terraform document with ${name} is refused`, async () => {
    const template = await world.createTemplate();
    const answer = await assertLeavesNothing(world, () => world.admin("POST", versionsOf(template), { terraform }));
    assertError(answer, 400, "validation_failed", /^terraform/);
  });

test("a terraform document with numbers of 64 bits is read", async () => {
  const template = await world.createTemplate();
  const resources = [{ mode: "managed", type: "time_static", name: "t", values: { nanos: 0 } }, source({ id: "a" })];
  const raw = JSON.stringify({ terraform: state({ resources }) }).replace('"nanos":0', '"nanos":1767225600000000001');
  const answer = await world.service.request("POST", versionsOf(template), {
    token: world.service.adminToken, raw, headers: { "Content-Type": "application/json" },
  });
  assert.equal(answer.status, 201, answer.text);
  assert.deepEqual(answer.body.external_auth, required("a"));
});

test("a large terraform document is read whole", async () => {
  const template = await world.createTemplate();
  const filler = Array.from({ length: 2000 }, (_, i) => ({ mode: "managed", type: "null_resource", name: `n${i}`, values: { triggers: { a: "x".repeat(300) } } }));
  const version = await world.expect(201, "POST", versionsOf(template), { terraform: state({ resources: [...filler, source({ id: "last" })] }) });
  assert.deepEqual(version.external_auth, required("last"));
});

test("a page's limits that cannot be read are refused, not left out", async () => {
  for (const query of ["limit=1&limit=2", "limit=1%", "limit=%00", "limit="])
    assertError(await world.admin("GET", `/api/v2/templates?${query}`), 400, "validation_failed", "limit");
  for (const query of [`after_id=${UNKNOWN_ID}&after_id=${UNKNOWN_ID}`, "after_id=%ff"])
    assertError(await world.admin("GET", `/api/v2/templates?${query}`), 400, "validation_failed", "after_id");
});
