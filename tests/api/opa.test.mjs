// SPDX-License-Identifier: Apache-2.0
// The gate behind the data API of Open Policy Agent (https://www.openpolicyagent.org/docs/latest/rest-api): the same
// verdicts as a check, with `allow` in front.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({
  providers: (demo) => [...["one", "down"].map((id) => demo.configure(id)), demo.configure("warns", { enforcement: "warn" })],
});
await world.demo.fault("down", "validate", { status: 503 });
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const free = await world.createTemplate();
const needsOne = await world.createTemplate(["one"]);
const owner = await world.createUser();
const linked = await world.createUser();
await world.link(linked, "one");

const post = (body, token = controlPlane.token, path = "/gate/v1/data") => world.api("POST", path, { token, body });
const input = (user, template, rest = {}) => ({ owner: user.username ?? user, template_version_id: template.active_version_id ?? template, ...rest });
async function ask(given, token) {
  const answer = await post({ input: given }, token);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

// A decision without what every decision has of its own.
function comparable({ allow: _, decision_id: __, receipt: ___, receipt_expires_at: ____, ...rest }) { return rest; }

test("an allowed check is true, with a receipt", async () => {
  const { result, decision_id } = await ask(input(linked, needsOne));
  assert.equal(result.allow, true);
  assert.equal(result.allowed, true);
  assert.equal(result.outcome, "allowed");
  assert.equal(result.decision_id, decision_id);
  assert.match(result.receipt, /^[\w-]+\.[\w-]+\.[\w-]+$/);
});

test("the result is what a check says, whatever it says", async () => {
  const sick = await world.createUser();
  await world.link(sick, "down");
  const exempt = await world.createUser();
  const until = new Date(Date.now() + 3600000).toISOString();
  await world.expect(201, "POST", "/gate/v1/exemptions", { owner: exempt.id, template: needsOne.id, provider: "one", reason: "account is being moved", until });
  for (const given of [
    input(linked, needsOne), input(exempt, needsOne), input(owner, needsOne), input(owner, needsOne, { transition: "start" }),
    input(owner, needsOne, { transition: "stop" }), input(owner, needsOne, { dry_run: true }),
    input(sick, await world.createTemplate(["down"])), input(owner, await world.createTemplate(["warns"])),
    { owner: owner.username, external_auth: ["one", { id: "down", optional: true }] },
    { owner: "nobody-yet", external_auth: ["one"], initiator: "carol" },
  ]) {
    const { result, decision_id } = await ask(given);
    const check = await post(given, undefined, "/gate/v1/check");
    assert.equal(check.status, 200, check.text);
    assert.deepEqual(comparable(result), comparable(check.body));
    assert.equal(result.allow, check.body.allowed);
    assert.equal(result.decision_id, decision_id);
  }
});

test("what is wrong with whom or what is asked about is a no", async () => {
  const suspended = await world.createUser();
  await world.expect(200, "PATCH", `/api/v2/users/${suspended.username}`, { status: "suspended" });
  const template = await world.createTemplate();
  const version = await world.expect(201, "POST", `/api/v2/templates/${template.id}/versions`, { external_auth: [] });
  await world.expect(200, "POST", `/api/v2/templateversions/${version.id}/archive`);
  for (const [given, code, token] of [
    [input(suspended, free), "owner_suspended"],
    [input(linked, UNKNOWN_ID), "not_found"],
    [input(UNKNOWN_ID, free), "not_found"],
    [input("nobody-yet", free), "not_found", world.service.adminToken],
    [input(linked, free), "not_found", owner.token],
    [input(linked, version.id), "version_archived"],
    [{ owner: linked.username, external_auth: ["unconfigured"] }, "provider_not_configured"],
  ]) {
    const { result, decision_id } = await ask(given, token);
    assert.equal(result.allow, false);
    assert.equal(result.code, code);
    assert.ok(result.message.length > 0);
    assert.equal(decision_id, null);
  }
});

test("everybody may ask for themselves", async () => {
  assert.equal((await ask(input("me", needsOne), linked.token)).result.allow, true);
  assert.equal((await ask(input("me", needsOne), owner.token)).result.allow, false);
});

test("an input may hold numbers of 64 bits beside what is read of it", async () => {
  const raw = '{"input":{"owner":"me","external_auth":[],"at":1767225600000000001}}';
  const answer = await world.api("POST", "/gate/v1/data", { token: controlPlane.token, raw, headers: { "Content-Type": "application/json" } });
  assert.equal(answer.body.result?.allow, true, answer.text);
});

test("a malformed input is a 400", async () => {
  for (const [body, field] of [
    [{}, "input"], [{ input: null }, "input"], [{ input: [] }, "input"], [{ input: "x" }, "input"],
    [{ input: {} }, "owner"], [{ input: input("", free) }, "owner"],
    [{ input: { owner: linked.username } }, "template_version_id"],
    [{ input: input(linked, "no-uuid") }, "template_version_id"],
    [{ input: input(linked, free, { external_auth: [] }) }, "external_auth"],
    [{ input: input(linked, free, { transition: "x" }) }, "transition"],
    [{ input: input(linked, free, { dry_run: "yes" }) }, "dry_run"],
  ]) assertError(await post(body), 400, "validation_failed", field);
  assertError(await world.api("POST", "/gate/v1/data", { token: controlPlane.token, raw: "{", headers: { "Content-Type": "application/json" } }), 400, "malformed_json");
  assertError(await post({ input: input(linked, free) }, null), 401, "unauthenticated");
});
