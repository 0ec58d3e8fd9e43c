// SPDX-License-Identifier: Apache-2.0
// The gate as a proxy's external authorization: the requests that Envoy (ext_authz, HTTP service), Traefik (forwardAuth)
// and nginx (auth_request) send, and that every no is a 403 with the reason in it.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { RawConnection } from "../support/http.mjs";
import { eventually } from "../support/process.mjs";
import { assertError, UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({ providers: (demo) => ["one", "down"].map((id) => demo.configure(id)) });
const { demo } = world;
await demo.fault("down", "validate", { status: 503 });
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const free = await world.createTemplate();
const needsOne = await world.createTemplate(["one"]);
const owner = await world.createUser();
const linked = await world.createUser();
await world.link(linked, "one");

const PREFIX = "/gate/v1/ext-authz";
const subject = (user, template) => ({
  ...(user === undefined ? {} : { "X-Gatehouse-Owner": user.username ?? user }),
  ...(template === undefined ? {} : { "X-Gatehouse-Template-Version": template.active_version_id ?? template }),
});
const ask = (user, template, { method = "GET", path = "/", token = controlPlane.token, headers = {}, ...rest } = {}) =>
  world.api(method, `${PREFIX}${path}`, { token, headers: { ...subject(user, template), ...headers }, ...rest });

function assertAllowed(answer) {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, "");
  assert.match(answer.headers["x-gatehouse-decision-id"], /^[0-9a-f-]{36}$/);
  return answer;
}

test("every method and every path of the request that waits is let through, or not", async () => {
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND", "REPORT"])
    for (const path of ["", "/", "/api/v2/workspaces", "/a//b/../c%2Fd%20%ff?x=1&y=%00"]) {
      assertAllowed(await ask(linked, needsOne, { method, path }));
      const denied = await ask(owner, needsOne, { method, path });
      assert.equal(denied.status, 403);
      assert.ok(method === "HEAD" || denied.body.code === "external_auth_required");
    }
});

test("a no is the refusal of a create, with the decision's id in a header and in the log", async () => {
  const denied = await ask(owner, needsOne);
  const body = assertError(denied, 403, "external_auth_required", "external_auth");
  assert.equal(body.decision_id, denied.headers["x-gatehouse-decision-id"]);
  assert.equal(body.external_auth[0].authenticate_url, `${world.service.accessUrl}/external-auth/one`);
  assert.equal(denied.headers["retry-after"], undefined);
  const [row] = await eventually("it is logged", async () => {
    const rows = await world.sql("SELECT * FROM decisions WHERE id = $1", [body.decision_id]);
    return rows.length > 0 && rows;
  });
  assert.equal(row.surface, "ext_authz");
  assert.equal(row.outcome, "refused");
  assert.equal(row.owner_id, owner.id);
  assert.equal(row.initiator_id, controlPlane.id);
});

test("a provider that is down is a 403 that says to wait", async () => {
  const user = await world.createUser();
  await world.link(user, "down");
  const denied = await ask(user, await world.createTemplate(["down"]));
  const body = assertError(denied, 403, "external_auth_unverifiable");
  assert.equal(body.decision_id, denied.headers["x-gatehouse-decision-id"]);
  assert.match(denied.headers["retry-after"], /^[1-9][0-9]*$/);
});

test("a check request as Envoy sends it", async () => {
  const headers = {
    Host: "gatehouse.example.com", "x-envoy-internal": "true", "x-forwarded-for": "10.0.0.7", "x-forwarded-proto": "https",
    "x-request-id": "6b0b1d6e-1d8a-4c1c-9a87-1d0f4a5d9c11", "x-envoy-expected-rq-timeout-ms": "10000", "x-envoy-auth-partial-body": "false",
    "Content-Type": "application/octet-stream", "content-length": "4",
  };
  const path = "/api/v2/users/alice/workspaces?x=%2F";
  const answer = assertAllowed(await ask(linked, needsOne, { method: "POST", path, headers, raw: Buffer.from([0xff, 0, 0x7b, 0x0a]) }));
  assert.equal(answer.headers["x-request-id"], headers["x-request-id"]);
  const empty = { ...headers, "content-length": "0" }; // without with_request_body
  assertAllowed(await ask(linked, needsOne, { method: "POST", path, headers: empty }));
});

test("a body that Envoy cut is denied, whoever asks for whomever", async () => {
  for (const value of ["true", "TRUE", "1", "", "yes"]) {
    const denied = await ask(linked, needsOne, { method: "POST", headers: { "x-envoy-auth-partial-body": value }, raw: "{" });
    assertError(denied, 403, "forbidden");
    assert.equal(denied.headers["x-gatehouse-decision-id"], undefined, "the gate was not asked");
  }
});

test("a question as Traefik sends it", async () => {
  const headers = {
    "X-Forwarded-Method": "POST", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "coder.example.com",
    "X-Forwarded-Uri": "/api/v2/users/alice/workspaces", "X-Forwarded-For": "10.0.0.7", "X-Forwarded-Server": "traefik-0",
    "X-Real-Ip": "10.0.0.7", "Accept-Encoding": "gzip", "User-Agent": "curl/8", Accept: "*/*",
  };
  assertAllowed(await ask(linked, needsOne, { path: "", headers }));
  assertError(await ask(owner, needsOne, { path: "", headers }), 403, "external_auth_required");
});

test("bodies of any type and size are read over", async () => {
  for (const raw of ["{]", "a=%", randomBytes(1024 * 1024)])
    assertAllowed(await ask(linked, needsOne, { method: "PUT", raw, headers: { "Content-Type": "application/json" } }));
  const answer = await ask(linked, needsOne, { method: "PUT", raw: randomBytes(1024 * 1024 + 1) });
  assertError(answer, 413, "body_too_large");
});

test("without an owner the caller is the owner", async () => {
  assertAllowed(await ask(undefined, needsOne, { token: linked.token }));
  assertError(await ask(undefined, needsOne, { token: owner.token }), 403, "external_auth_required");
  assertAllowed(await ask("me", needsOne, { token: linked.token }));
});

test("an empty owner is nobody, and never the caller", async () => {
  const denied = await ask("", free, { token: linked.token });
  assertError(denied, 403, "validation_failed", "X-Gatehouse-Owner");
});

test("a second owner never wins", async () => {
  const connection = await RawConnection.open(world.service.base);
  connection.send(`GET ${PREFIX}/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${controlPlane.token}\r\nX-Gatehouse-Template-Version: ${needsOne.active_version_id}\r\n` +
    `X-Gatehouse-Owner: ${linked.username}\r\nx-gatehouse-owner: ${owner.username}\r\n\r\n`);
  const [answer] = await connection.answers({ count: 1 });
  connection.end();
  assert.equal(answer.status, 400);
  assertError(await ask(`${linked.username}, ${owner.username}`, needsOne), 403, "not_found"); // joined on the way
  assertError(await ask("x".repeat(65), needsOne), 400, "bad_request");
});

test("the transition is the header's, a create without it", async () => {
  for (const transition of ["create", "start", "autostart", "claim"])
    assertError(await ask(owner, needsOne, { headers: { "X-Gatehouse-Transition": transition } }), 403, "external_auth_required");
  for (const transition of ["stop", "delete"])
    assertAllowed(await ask(owner, needsOne, { headers: { "X-Gatehouse-Transition": transition } }));
  for (const transition of ["", "Start", "x"])
    assertError(await ask(linked, needsOne, { headers: { "X-Gatehouse-Transition": transition } }), 403, "validation_failed", "X-Gatehouse-Transition");
});

test("what another call answers with 400, 403 or 404 is a 403 here", async () => {
  const suspended = await world.createUser();
  await world.expect(200, "PATCH", `/api/v2/users/${suspended.username}`, { status: "suspended" });
  const template = await world.createTemplate();
  const version = await world.expect(201, "POST", `/api/v2/templates/${template.id}/versions`, { external_auth: [] });
  await world.expect(200, "POST", `/api/v2/templateversions/${version.id}/archive`);
  const elsewhere = await world.createTemplate(["unconfigured"]);
  for (const [user, about, code, options] of [
    [suspended, free, "owner_suspended"],
    [linked, UNKNOWN_ID, "not_found"],
    [linked, version.id, "version_archived"],
    [linked, undefined, "validation_failed"],
    [linked, "no-uuid", "validation_failed"],
    [linked, "", "validation_failed"],
    [linked, elsewhere, "provider_not_configured"],
    [UNKNOWN_ID, free, "not_found"],
    ["nobody-yet", free, "not_found", { token: world.service.adminToken }],
    [linked, free, "not_found", { token: owner.token }],
  ]) {
    const denied = await ask(user, about, options);
    assertError(denied, 403, code);
    assert.equal(denied.headers["x-gatehouse-decision-id"], undefined);
  }
  assertError(await ask("nobody-yet", needsOne), 403, "external_auth_required");
});

test("without a good token it is a 401", async () => {
  assertError(await ask(linked, free, { token: null }), 401, "unauthenticated");
  assertError(await ask(linked, free, { token: "nonsense", path: "/a%2Fb" }), 401, "unauthenticated");
});
