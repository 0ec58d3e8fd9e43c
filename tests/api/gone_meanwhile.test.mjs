// SPDX-License-Identifier: Apache-2.0
// Owners, versions and templates that go away while they are asked about, from two replicas: what is told is one of the
// answers that go with either order, never a failure of the service, and nothing is left that belongs to nobody.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Jobs } from "../support/jobs.mjs";
import { World } from "../support/world.mjs";

const ROUNDS = 25;
const world = await World.open({ providers: (demo) => [demo.configure("one")] });
const second = await world.replica();
const jobs = await Jobs.create(world);
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const admin = { token: world.service.adminToken };
const template = await world.createTemplate([{ id: "one", optional: true }]);
const strange = [];

async function ask(lawful, service, method, path, { token = admin.token, body, key } = {}) {
  const answer = await service.request(method, path, { token, body, headers: key === undefined ? {} : { "Idempotency-Key": key } });
  if (!lawful.includes(answer.status)) strange.push(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
  return answer;
}

// Starts all of them in an order of its own each round, a few of them a moment later.
function together(round, questions) {
  const turned = [...questions.slice(round % questions.length), ...questions.slice(0, round % questions.length)];
  return Promise.all(turned.map((question, index) => question([world.service, second][index % 2])));
}

const noErrors = () => {
  assert.deepEqual(strange.slice(0, 5), [], `${strange.length} strange answers`);
  for (const service of [world.service, second])
    assert.deepEqual(service.logLines().filter(({ level }) => level === "error"), []);
};

test("a user who is deleted while everybody asks for them", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    await jobs.prebuilds(template, 2);
    const user = await world.createUser();
    const path = `/api/v2/users/${user.id}`;
    const about = { owner: user.id, template_version_id: template.active_version_id };
    const create = (by, rest) => (service) => ask([201, 401, 404, 409, 503], service, "POST", `${path}/workspaces`, {
      token: by.token, body: { name: world.name("ws"), template_id: template.id, ...rest }, key: randomUUID(),
    });
    await together(round, [
      create(user), create(controlPlane), create(user, { claim_prebuild: "require" }), create(controlPlane, { claim_prebuild: "prefer" }),
      (service) => ask([204, 200, 409], service, "DELETE", path),
      (service) => ask([200, 404], service, "POST", "/gate/v1/check", { token: controlPlane.token, body: about }),
      (service) => ask([200, 404, 401], service, "POST", "/gate/v1/explain", { token: user.token, body: about }),
      (service) => ask([201, 404], service, "POST", "/gate/v1/exemptions", {
        body: { owner: user.id, template: template.id, provider: "one", reason: "r", until: new Date(Date.now() + 60000).toISOString() },
      }),
      (service) => ask([204, 404], service, "PUT", `${path}/external-auth/one`, { body: { access_token: "x".repeat(40) } }),
      (service) => ask([201, 404], service, "POST", `${path}/keys/tokens`, { body: {} }),
      (service) => ask([200, 404], service, "PATCH", path, { body: { status: "active" } }),
    ]);
  }
  noErrors();
  for (const [table, column] of [["workspaces", "owner_id"], ["links", "owner_id"], ["exemptions", "owner_id"], ["idempotency_keys", "user_id"], ["api_tokens", "user_id"]])
    assert.deepEqual(await world.sql(`SELECT t.${column} FROM ${table} t LEFT JOIN users u ON u.id = t.${column} WHERE u.id IS NULL`), [], table);
});

test("a version that is archived while prebuilds of it are made and claimed", async () => {
  const owner = await world.createUser();
  for (let round = 0; round < ROUNDS; round++) {
    const own = await world.createTemplate();
    const version = await world.expect(201, "POST", `/api/v2/templates/${own.id}/versions`, { external_auth: [], activate: true });
    await jobs.prebuilds(own, 2);
    const create = (rest) => (service) => ask([201, 400, 409, 503], service, "POST", `/api/v2/users/${owner.id}/workspaces`, {
      token: owner.token, body: { name: world.name("ws"), template_version_id: version.id, ...rest },
    });
    await together(round, [
      create(), create({ claim_prebuild: "require" }), create({ claim_prebuild: "prefer" }), create({ claim_prebuild: "prefer" }),
      (service) => ask([201, 400, 404, 503], service, "POST", `/api/v2/templates/${own.id}/prebuilds`, { body: { count: 3 } }),
      (service) => ask([200], service, "PATCH", `/api/v2/templates/${own.id}`, { body: { active_version_id: own.active_version_id } }),
      (service) => ask([200, 400, 409], service, "POST", `/api/v2/templateversions/${version.id}/archive`),
      (service) => ask([200, 400, 409], service, "POST", `/api/v2/templateversions/${version.id}/archive`),
      (service) => ask([200, 204], service, "POST", "/api/v2/provisioner/acquire", { token: jobs.provisioner.token, body: {} }),
    ]);
  }
  noErrors();
});

test("a provisioner whose account goes away holds nothing for ever", async () => {
  await jobs.drain();
  const owner = await world.createUser();
  for (let round = 0; round < ROUNDS; round++) {
    const { id, token } = await world.createUser({ roles: ["provisioner"] });
    const workspace = await jobs.workspace(owner, template);
    const [taken] = await Promise.all([
      ask([200, 204, 401], world.service, "POST", "/api/v2/provisioner/acquire", { token, body: {} }),
      ask([200, 204], second, "DELETE", `/api/v2/users/${id}`),
    ]);
    if (taken.status === 200) {
      await ask([200, 401], world.service, "POST", `/api/v2/builds/${taken.body.build.id}/complete`, { token, body: { status: "succeeded" } });
      await world.sql("UPDATE builds SET lease_until = clock_timestamp() WHERE status = 'running'");
    }
    await jobs.drain();
    const { status } = await jobs.build(workspace.latest_build.id);
    assert.equal(status, "succeeded");
  }
  noErrors();
});

test("an owner who is deleted while a provider is asked about them", async () => {
  const needs = await world.createTemplate(["one"]);
  await jobs.prebuilds(needs, 1);
  const user = await world.createUser();
  await world.link(user, "one");
  await world.demo.closeGate("one", "validate");
  const create = (by, rest, key) => ask([401, 404], world.service, "POST", `/api/v2/users/${user.id}/workspaces`, {
    token: by.token, body: { name: world.name("ws"), template_id: needs.id, ...rest }, key,
  });
  const about = { owner: user.id, template_version_id: needs.active_version_id };
  const pending = [
    create(user), create(user, {}, randomUUID()), create(controlPlane), create(controlPlane, {}, randomUUID()), create(controlPlane, { claim_prebuild: "require" }, randomUUID()),
    ask([200], world.service, "POST", "/gate/v1/check", { token: controlPlane.token, body: about }),
  ];
  await world.demo.awaitGate("one", "validate");
  await new Promise((resolve) => setTimeout(resolve, 200));
  await ask([200, 204], second, "DELETE", `/api/v2/users/${user.id}`);
  await world.demo.openGate("one", "validate");
  const answers = await Promise.all(pending);
  const verified = await ask([200], second, "POST", "/gate/v1/receipts/verify", { body: { receipt: answers.at(-1).body.receipt ?? "-" } });
  assert.notEqual(verified.body.valid, true, verified.text);
  noErrors();
  assert.deepEqual(await world.sql("SELECT id FROM workspaces WHERE owner_id = $1", [user.id]), []);
});
