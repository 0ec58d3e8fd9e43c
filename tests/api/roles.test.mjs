// SPDX-License-Identifier: Apache-2.0
// Who may do what: every role against every operation, on oneself and on somebody else. A caller who may not see a
// user gets 404 as if there were none; one who sees the user but may not do it gets 403.
import assert from "node:assert/strict";
import { test } from "node:test";
import { document, METHODS } from "../support/openapi.mjs";
import { signReceipt } from "../support/receipt.mjs";
import { newKey, newSecret } from "../support/service.mjs";
import { assertError, UNKNOWN_ID, World } from "../support/world.mjs";

const receiptKey = newKey();
const world = await World.open({ settings: { RECEIPT_KEYS: receiptKey } });
const ROLES = ["member", "template-author", "control-plane", "provisioner", "auditor", "admin"];
const callers = {};
for (const role of ROLES) callers[role] = await world.createUser({ username: `the-${role}`, roles: [role] });
const other = await world.createUser({ username: "other" });
const template = await world.createTemplate();
const spare = await world.expect(201, "POST", `/api/v2/templates/${(await world.createTemplate()).id}/versions`, { external_auth: [] });
const theirs = (await world.createWorkspace(other, template)).body;

const grant = (user) => world.expect(201, "POST", "/gate/v1/exemptions", {
  owner: user.id, template: template.name, provider: "demo", reason: "why", until: new Date(Date.now() + 60000).toISOString(),
});
const exemption = await grant(other);

const ADMINS = ["admin", "control-plane"];
const AUTHORS = ["admin", "template-author"];
const EVERYBODY = ROLES;
const hidden = (role) => (ADMINS.includes(role) ? 403 : 404); // admin and control-plane see every user
const forbidden = () => 403;
const of = (user) => `/api/v2/users/${user.username}`;

async function victim() {
  return world.createUser({ withToken: false });
}

async function tokenOf(user) {
  return (await world.expect(201, "POST", `${of(user)}/keys/tokens`, {})).id;
}

// name, who may, status if so, status if not, the request
const OPERATIONS = [
  ["create a user", ADMINS, 201, forbidden, () => ["POST", "/api/v2/users", { username: world.name("made") }]],
  ["list users", ADMINS, 200, forbidden, () => ["GET", "/api/v2/users"]],
  ["read themselves", EVERYBODY, 200, null, () => ["GET", "/api/v2/users/me"]],
  ["read another user", ADMINS, 200, hidden, () => ["GET", of(other)]],
  ["change another user", ADMINS, 200, hidden, () => ["PATCH", of(other), { email: "o@example.com" }]],
  ["change themselves", ["admin"], 200, forbidden, () => ["PATCH", "/api/v2/users/me", {}]],
  ["delete another user", ADMINS, 204, hidden, async () => ["DELETE", of(await victim())]],
  ["mint a token of their own", EVERYBODY, 201, null, () => ["POST", "/api/v2/users/me/keys/tokens", {}]],
  ["mint a token of another", ["admin"], 201, hidden, () => ["POST", `${of(other)}/keys/tokens`, {}]],
  ["list their own tokens", EVERYBODY, 200, null, () => ["GET", "/api/v2/users/me/keys/tokens"]],
  ["list another's tokens", ["admin"], 200, hidden, () => ["GET", `${of(other)}/keys/tokens`]],
  ["delete a token of their own", EVERYBODY, 204, null, async (me) => ["DELETE", `${of(me)}/keys/tokens/${await tokenOf(me)}`]],
  ["delete another's token", ["admin"], 204, hidden, async () => ["DELETE", `${of(other)}/keys/tokens/${await tokenOf(other)}`]],
  ["create a template", AUTHORS, 201, forbidden, () => ["POST", "/api/v2/templates", { name: world.name("by-role") }]],
  ["list templates", EVERYBODY, 200, null, () => ["GET", "/api/v2/templates"]],
  ["read a template", EVERYBODY, 200, null, () => ["GET", `/api/v2/templates/${template.id}`]],
  ["change a template", AUTHORS, 200, forbidden, () => ["PATCH", `/api/v2/templates/${template.id}`, {}]],
  ["add a version", AUTHORS, 201, forbidden, () => ["POST", `/api/v2/templates/${template.id}/versions`, { external_auth: [] }]],
  ["list versions", EVERYBODY, 200, null, () => ["GET", `/api/v2/templates/${template.id}/versions`]],
  ["read a version", EVERYBODY, 200, null, () => ["GET", `/api/v2/templateversions/${template.active_version_id}`]],
  ["archive a version", AUTHORS, 200, forbidden, () => ["POST", `/api/v2/templateversions/${spare.id}/archive`]],
  ["unarchive a version", AUTHORS, 200, forbidden, () => ["POST", `/api/v2/templateversions/${spare.id}/unarchive`]],
  ["preflight for themselves", EVERYBODY, 200, null, () => ["GET", `/api/v2/templateversions/${template.active_version_id}/external-auth`]],
  ["preflight for another", ADMINS, 200, hidden, () => ["GET", `/api/v2/templateversions/${template.active_version_id}/external-auth?user_id=${other.id}`]],
  ["see what a version would do", AUTHORS, 200, forbidden, () => ["GET", `/gate/v1/templateversions/${template.active_version_id}/impact`]],
  ["create a workspace for themselves", EVERYBODY, 201, null, () => ["POST", "/api/v2/users/me/workspaces", { name: world.name("w"), template_id: template.id }]],
  ["create a workspace for another", ADMINS, 201, hidden, () => ["POST", `${of(other)}/workspaces`, { name: world.name("w"), template_id: template.id }]],
  ["create a workspace for another by organization", ADMINS, 201, hidden, () => ["POST", `/api/v2/organizations/default/members/${other.username}/workspaces`, { name: world.name("w"), template_id: template.id }]],
  ["list their own workspaces", EVERYBODY, 200, null, () => ["GET", "/api/v2/users/me/workspaces"]],
  ["list another's workspaces", ADMINS, 200, hidden, () => ["GET", `${of(other)}/workspaces`]],
  ["read another's workspace", ADMINS, 200, hidden, () => ["GET", `/api/v2/workspaces/${theirs.id}`]],
  ["list their own links", EVERYBODY, 200, null, () => ["GET", "/api/v2/external-auth"]],
  ["list another's links", ADMINS, 200, hidden, () => ["GET", `${of(other)}/external-auth`]],
  ["read a provider", EVERYBODY, 200, null, () => ["GET", "/api/v2/external-auth/demo"]],
  ["import a link for another", ADMINS, 204, hidden, () => ["PUT", `${of(other)}/external-auth/demo`, { access_token: newSecret() }]],
  ["import a link for themselves", ADMINS, 204, forbidden, () => ["PUT", "/api/v2/users/me/external-auth/demo", { access_token: newSecret() }]],
  ["ask for their own link-url", EVERYBODY, 201, null, () => ["POST", "/api/v2/users/me/external-auth/demo/link-url", {}]],
  ["verify what is no receipt", EVERYBODY, 200, null, () => ["POST", "/gate/v1/receipts/verify", { receipt: "x" }]],
  ["verify a receipt of their own", EVERYBODY, 200, null, (me) => ["POST", "/gate/v1/receipts/verify", { receipt: signReceipt(receiptKey, { owner: me }) }]],
  ["verify another's receipt", [...ADMINS, "provisioner"], 200, forbidden, () => ["POST", "/gate/v1/receipts/verify", { receipt: signReceipt(receiptKey, { owner: other }) }]],
  ["read the decision log", ["admin", "auditor"], 200, forbidden, () => ["GET", "/gate/v1/decisions?limit=1"]],
  ["ask for another's link-url", ["control-plane"], 201, hidden, () => ["POST", `${of(other)}/external-auth/demo/link-url`, {}]],
  ["grant an exemption", ["admin"], 201, forbidden, async () => ["POST", "/gate/v1/exemptions", {
    owner: (await victim()).id, template: template.id, provider: "demo", reason: "why", until: new Date(Date.now() + 60000).toISOString(),
  }]],
  ["list exemptions", ["admin", "auditor"], 200, forbidden, () => ["GET", "/gate/v1/exemptions"]],
  ["read an exemption", ["admin", "auditor"], 200, forbidden, () => ["GET", `/gate/v1/exemptions/${exemption.id}`]],
  ["revoke an exemption", ["admin"], 204, forbidden, async () => ["DELETE", `/gate/v1/exemptions/${(await grant(await victim())).id}`]],
];

for (const [what, allowed, granted, denied, request] of OPERATIONS)
  for (const role of ROLES) {
    const status = allowed.includes(role) ? granted : denied(role);
    test(`${role}: ${what} → ${status}`, async () => {
      const [method, path, body] = await request(callers[role]);
      const answer = await world.api(method, path, { token: callers[role].token, body });
      assert.equal(answer.status, status, answer.text);
    });
  }

for (const [path, item] of Object.entries(document.paths))
  for (const method of METHODS.filter((name) => item[name] && !item[name].security))
    test(`nobody: ${method.toUpperCase()} ${path} → 401`, async () => {
      const filled = path.replace("{user}", "other").replace("{org}", "default").replace("{provider}", "demo")
        .replace("{template}", template.id).replace("{id}", UNKNOWN_ID);
      const body = item[method].requestBody ? {} : undefined;
      assertError(await world.api(method.toUpperCase(), filled, { body }), 401, "unauthenticated");
    });

test("a user who may not be seen answers like one who does not exist", async () => {
  const requests = (name) => [
    ["GET", `/api/v2/users/${name}`],
    ["PATCH", `/api/v2/users/${name}`, { status: "active" }],
    ["DELETE", `/api/v2/users/${name}`],
    ["GET", `/api/v2/users/${name}/keys/tokens`],
    ["POST", `/api/v2/users/${name}/keys/tokens`, {}],
    ["GET", `/api/v2/users/${name}/workspaces`],
    ["POST", `/api/v2/users/${name}/workspaces`, { name: "w", template_id: template.id }],
    ["GET", `/api/v2/users/${name}/external-auth`],
    ["PUT", `/api/v2/users/${name}/external-auth/demo`, { access_token: "x" }],
    ["PUT", `/api/v2/users/${name}/external-auth/not-there`, { access_token: "x" }],
    ["POST", `/api/v2/users/${name}/external-auth/demo/link-url`, {}],
    ["GET", `/api/v2/templateversions/${template.active_version_id}/external-auth?user_id=${name}`],
  ];
  const ask = async (name, [method, path, body]) => {
    const answer = await world.api(method, path, { token: callers.member.token, body });
    const { request_id, ...said } = answer.body;
    return { status: answer.status, said: JSON.stringify(said).replaceAll(name, "NAME") };
  };
  const real = requests(other.username);
  const unreal = requests("nobody");
  for (let i = 0; i < real.length; i++)
    assert.deepEqual(await ask(other.username, real[i]), await ask("nobody", unreal[i]), real[i].join(" "));
});

for (const roles of [["admin"], ["control-plane"], ["template-author"], ["provisioner"], ["auditor"], ["member", "auditor"]])
  test(`control-plane may not make a user with the roles ${roles}`, async () => {
    const { token } = callers["control-plane"];
    assertError(await world.api("POST", "/api/v2/users", { token, body: { username: world.name("no"), roles } }), 403, "forbidden");
    assertError(await world.api("PATCH", of(other), { token, body: { roles } }), 403, "forbidden");
  });

test("control-plane may not touch an administrator or a control plane", async () => {
  const { token } = callers["control-plane"];
  for (const role of ["admin", "control-plane"]) {
    const target = await world.createUser({ roles: [role], withToken: false });
    for (const body of [{ status: "suspended" }, { email: "x@example.com" }, { roles: ["member"] }])
      assertError(await world.api("PATCH", of(target), { token, body }), 403, "forbidden");
    assertError(await world.api("DELETE", of(target), { token }), 403, "forbidden");
    const { token: unused, ...now } = target;
    assert.deepEqual(await world.expect(200, "GET", of(target)), now);
  }
});

test("an administrator may not finish another's link, not even as a control plane", async () => {
  const both = await world.createUser({ roles: ["admin", "control-plane"] });
  for (const { token } of [callers.admin, both])
    assertError(await world.api("POST", `${of(other)}/external-auth/demo/link-url`, { token, body: {} }), 403, "link_url_not_allowed");
});

test("a role that is taken away is gone at once", async () => {
  const user = await world.createUser({ roles: ["template-author"] });
  const make = () => world.api("POST", "/api/v2/templates", { token: user.token, body: { name: world.name("taken") } });
  assert.equal((await make()).status, 201);
  await world.expect(200, "PATCH", of(user), { roles: [] });
  assertError(await make(), 403, "forbidden");
});
