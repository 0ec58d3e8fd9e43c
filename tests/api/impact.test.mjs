// SPDX-License-Identifier: Apache-2.0
// The fleet view: what a version would do to the owners of its template's workspaces, from stored facts alone. Each test
// has a template of its own; owners get their workspaces while it asks for nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, assertLeavesNothing, UNKNOWN_ID, World } from "../support/world.mjs";

const PROVIDERS = ["one", "two", "fixed", "blind", "mild", "silent"];
const world = await World.open({
  providers: (demo) => [
    demo.configure("one"), demo.configure("two"), demo.configure("fixed", { no_refresh: "true" }),
    demo.configure("blind", { validate_url: undefined }), demo.configure("mild", { enforcement: "warn" }),
    demo.configure("silent", { enforcement: "dryrun" }),
  ],
});
const { demo } = world;
const author = await world.createUser({ roles: ["template-author"] });
const LONG_AGO = "2020-01-01T00:00:00Z";
const inAnHour = () => new Date(Date.now() + 3600000).toISOString();

const ask = (version, token = author.token) => world.api("GET", `/gate/v1/templateversions/${version.id}/impact`, { token });

async function impact(version) {
  const { status, body, text } = await ask(version);
  assert.equal(status, 200, text);
  assert.equal(body.allowed + body.refused + body.unverifiable + body.suspended, body.owners, text);
  const { template_id, template_version_id, ...figures } = body;
  assert.deepEqual([template_id, template_version_id], [version.template_id, version.id]);
  return figures;
}

// A version that is not the active one.
const addVersion = (template, ...external_auth) =>
  world.expect(201, "POST", `/api/v2/templates/${template.id}/versions`, { external_auth });

async function addOwner(template, options) {
  const owner = await world.createUser();
  const { status, text } = await world.createWorkspace(owner, template, options);
  assert.equal(status, 201, text);
  return owner;
}

// Owners with workspaces on a new template that asks for nothing.
async function fleet(count) {
  const template = await world.createTemplate();
  const owners = [];
  for (let i = 0; i < count; i++) owners.push(await addOwner(template));
  return { template, owners };
}

const provider = (id, missing, reasons, fields = {}) => ({ id, optional: false, configured: true, missing, reasons, ...fields });
const figures = (fields) => ({
  active: false, owners: 0, allowed: 0, refused: 0, unverifiable: 0, suspended: 0, exempt: 0, reasons: {}, providers: [], ...fields,
});

test("an author sees what making a provider required will do, and then it does that", async () => {
  const { template, owners: [without, expired, linked] } = await fleet(3);
  await world.link(expired, "one", { expires_at: LONG_AGO });
  await world.link(linked, "one");
  const asked = await demo.asked(PROVIDERS);
  const mild = await addVersion(template, { id: "one", optional: true });
  const strict = await addVersion(template, "one");
  const reasons = { not_linked: 1, expired: 1, not_validated: 1 };
  assert.deepEqual(await impact(mild), figures({ owners: 3, allowed: 3, providers: [provider("one", 2, reasons, { optional: true })] }));
  const expected = figures({
    owners: 3, allowed: 1, refused: 2, reasons: { not_linked: 1, expired: 1 }, providers: [provider("one", 2, reasons)],
  });
  const { body } = await assertLeavesNothing(world, () => ask(strict));
  assert.equal(body.refused, 2);
  assert.deepEqual(await impact(strict), expected);
  assert.equal(await demo.asked(PROVIDERS), asked, "requests to a provider");

  await world.expect(200, "PATCH", `/api/v2/templates/${template.id}`, { active_version_id: strict.id });
  assert.deepEqual(await impact(strict), { ...expected, active: true });
  for (const [owner, reason] of [[without, "not_linked"], [expired, "expired"]]) {
    const refusal = assertError(await world.createWorkspace(owner, template), 403, "external_auth_required");
    assert.equal(refusal.external_auth[0].reason, reason);
  }
  assert.equal((await world.createWorkspace(linked, template)).status, 201);
});

// What is stored → what is presumed of it; the columns are set behind the service's back.
const remembered = (reason) => `remembered_reason = '${reason}'`;
for (const [name, id, link, column, reason] of [
  ["no link", "one", null, null, "not_linked"],
  ["a link that was removed", "one", { gone: true }, null, "not_linked"],
  ["a link that was never confirmed", "one", {}, null, "not_validated"],
  ["a link that was confirmed long ago", "one", {}, "last_valid_at = now() - interval '1 year'", "valid"],
  ["a provider without a validate URL", "blind", {}, "last_valid_at = now()", "not_validated"],
  ["a token that lives for an hour", "one", { expires_at: inAnHour(), withRefreshToken: true }, null, "not_validated"],
  ["an expired token", "one", { expires_at: LONG_AGO }, null, "expired"],
  ["an expired token that was confirmed", "one", { expires_at: LONG_AGO }, "last_valid_at = now()", "expired"],
  ["an expired token that can be renewed", "one", { expires_at: LONG_AGO, withRefreshToken: true }, "last_valid_at = now()", "not_validated"],
  ["the same at a provider that is NO_REFRESH", "fixed", { expires_at: LONG_AGO, withRefreshToken: true }, null, "expired"],
  ["an expired token whose refresh was refused", "one", { expires_at: LONG_AGO, withRefreshToken: true }, remembered("refresh_rejected"), "refresh_rejected"],
  ["an expired token whose rotation was lost", "one", { expires_at: LONG_AGO, withRefreshToken: true }, remembered("rotation_lost"), "rotation_lost"],
  ["a living token whose refresh was refused", "one", { expires_at: inAnHour(), withRefreshToken: true }, remembered("refresh_rejected"), "not_validated"],
  ["a token that no key opens, which is not noticed", "one", {}, "access_token = '\\x00', key_id = 'unknown'", "not_validated"],
])
  test(`${name}: ${reason}`, async () => {
    const { template, owners: [owner] } = await fleet(1);
    if (link) await world.link(owner, id, link);
    if (link?.gone) assert.equal((await world.api("DELETE", `/api/v2/external-auth/${id}`, { token: owner.token })).status, 200);
    if (column) await world.sql(`UPDATE links SET ${column} WHERE owner_id = '${owner.id}'`);
    const asked = await demo.asked(PROVIDERS);
    const missing = ["valid", "not_validated"].includes(reason) ? 0 : 1;
    assert.deepEqual(await impact(await addVersion(template, id)), figures({
      owners: 1, allowed: 1 - missing, refused: missing, reasons: missing ? { [reason]: 1 } : {},
      providers: [provider(id, missing, { [reason]: 1 })],
    }));
    assert.equal(await demo.asked(PROVIDERS), asked, "requests to a provider");
  });

test("an owner whom two providers keep out counts once, and once for each reason", async () => {
  const { template, owners } = await fleet(3);
  await world.link(owners[0], "two", { expires_at: LONG_AGO });
  await world.link(owners[1], "one");
  assert.deepEqual(await impact(await addVersion(template, "one", "two")), figures({
    owners: 3, refused: 3, reasons: { not_linked: 3, expired: 1 },
    providers: [provider("one", 2, { not_linked: 2, not_validated: 1 }), provider("two", 3, { not_linked: 2, expired: 1 })],
  }));
});

test("owners are counted once, and not for deleted workspaces, other templates or prebuilds", async () => {
  const { template, owners: [owner, gone] } = await fleet(2);
  const next = await addVersion(template, "one");
  for (const name of ["second", "third"]) await world.createWorkspace(owner, template, { name });
  await world.sql(`UPDATE workspaces SET deleted_at = now() WHERE owner_id = '${gone.id}'`);
  await fleet(1);
  await world.sql(`INSERT INTO workspaces (id, owner_id, name, template_version_id)
    SELECT gen_random_uuid(), u.id, 'prebuild-' || left('${template.id}', 8), '${template.active_version_id}' FROM users u WHERE u.is_system`);
  assert.equal((await impact(next)).owners, 1);
  // On another version of the template it is a workspace of the template all the same.
  await world.sql(`UPDATE workspaces SET template_version_id = '${next.id}' WHERE owner_id = '${owner.id}' AND name = 'second'`);
  assert.equal((await impact(next)).owners, 1);
  await world.sql(`UPDATE workspaces SET template_version_id = '${next.id}' WHERE owner_id = '${owner.id}'`);
  assert.equal((await impact(template.active_version)).owners, 1);
});

test("suspended owners are not judged", async () => {
  const { template, owners } = await fleet(2);
  await world.expect(200, "PATCH", `/api/v2/users/${owners[0].id}`, { status: "suspended" });
  assert.deepEqual(await impact(await addVersion(template, "one")), figures({
    owners: 2, refused: 1, suspended: 1, reasons: { not_linked: 1 }, providers: [provider("one", 1, { not_linked: 1 })],
  }));
});

const exempt = (owner, template, id, until) => world.sql(
  `INSERT INTO exemptions (id, owner_id, template_id, provider_id, reason, granted_by_name, expires_at)
   VALUES (gen_random_uuid(), '${owner.id}', '${template.id}', '${id}', 'r', 'admin', now() + interval '${until}')`);

test("an exemption lets its owner pass while it is in force, and is counted where nothing else does", async () => {
  const { template, owners: [passes, linked, over, half] } = await fleet(4);
  await world.link(linked, "one");
  for (const owner of [passes, linked, half]) await exempt(owner, template, "one", "1 hour");
  await exempt(over, template, "one", "-1 second");
  for (const owner of [passes, linked, over]) await world.link(owner, "two");
  assert.deepEqual(await impact(await addVersion(template, "one", "two")), figures({
    owners: 4, allowed: 2, refused: 2, exempt: 1, reasons: { not_linked: 2 },
    providers: [provider("one", 3, { not_linked: 3, not_validated: 1 }), provider("two", 1, { not_linked: 1, not_validated: 3 })],
  }));
  assert.equal((await impact(await addVersion(template, "mild"))).exempt, 0);
});

test("enforcement counts: of the provider, and of the template", async () => {
  const { template } = await fleet(1);
  const missing = (id) => provider(id, 1, { not_linked: 1 });
  assert.deepEqual(await impact(await addVersion(template, "mild", "silent")), figures({
    owners: 1, allowed: 1, providers: [missing("mild"), missing("silent")],
  }));
  const version = await addVersion(template, "one");
  const refused = figures({ owners: 1, refused: 1, reasons: { not_linked: 1 }, providers: [missing("one")] });
  for (const [enforcement, expected] of [["warn", { allowed: 1, refused: 0, reasons: {} }], ["dryrun", { allowed: 1, refused: 0, reasons: {} }], ["deny", {}]]) {
    await world.expect(200, "PATCH", `/api/v2/templates/${template.id}`, { enforcement });
    assert.deepEqual(await impact(version), { ...refused, ...expected }, enforcement);
  }
});

test("a required provider that is not configured keeps everybody out, and an optional one nobody", async () => {
  const { template, owners: [owner] } = await fleet(2);
  await exempt(owner, template, "not-there", "1 hour");
  await world.expect(200, "PATCH", `/api/v2/templates/${template.id}`, { enforcement: "warn" });
  const absent = provider("not-there", 0, { provider_misconfigured: 2 }, { configured: false });
  assert.deepEqual(await impact(await addVersion(template, "not-there")), figures({
    owners: 2, unverifiable: 2, reasons: { provider_misconfigured: 2 }, providers: [absent],
  }));
  assert.deepEqual(await impact(await addVersion(template, { id: "not-there", optional: true })), figures({
    owners: 2, allowed: 2, providers: [{ ...absent, optional: true }],
  }));
});

test("a version that asks for nothing lets everybody pass", async () => {
  const { template } = await fleet(1);
  assert.deepEqual(await impact(template.active_version), figures({ active: true, owners: 1, allowed: 1 }));
});

test("a template without workspaces has no owners", async () => {
  const template = await world.createTemplate(["one"]);
  assert.deepEqual(await impact(template.active_version), figures({ active: true, providers: [provider("one", 0, {})] }));
});

test("an archived version answers as any other", async () => {
  const { template } = await fleet(1);
  const version = await addVersion(template, "one");
  await world.expect(200, "POST", `/api/v2/templateversions/${version.id}/archive`);
  assert.equal((await impact(version)).refused, 1);
});

test("template authors and administrators may ask, nobody else", async () => {
  const { template } = await fleet(1);
  const version = await addVersion(template, "one");
  assert.equal((await ask(version, world.service.adminToken)).status, 200);
  for (const role of ["member", "control-plane", "provisioner", "auditor"]) {
    const { token } = await world.createUser({ roles: [role] });
    assertError(await ask(version, token), 403, "forbidden");
    assertError(await ask({ id: UNKNOWN_ID }, token), 403, "forbidden");
  }
  assertError(await ask(version, null), 401, "unauthenticated");
});

test("a version that does not exist is 404", async () => {
  for (const id of [UNKNOWN_ID, "nothing", (await world.createTemplate()).id]) assertError(await ask({ id }), 404, "not_found");
});
