// SPDX-License-Identifier: Apache-2.0
// The gate as a validating webhook: reviews as the documentation of Kubernetes shows them
// (https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers), with everything in them
// that an API server sends and this service does not look at.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { eventually } from "../support/process.mjs";
import { assertError, UNKNOWN_ID, World } from "../support/world.mjs";

const configure = (demo) => [
  ...["one", "two", "down", "slow"].map((id) => demo.configure(id)),
  demo.configure("warns", { enforcement: "warn", display_name: `${"Ö".repeat(70)} warns` }),
];
const world = await World.open({ providers: configure });
const labelled = await world.replica({ settings: {
  ADMISSION_OWNER: "/metadata/labels/owner", ADMISSION_TEMPLATE_VERSION: "/spec/template/versions/1",
} });
const asked = await world.replica({ settings: { ADMISSION_OWNER: "request:/userInfo/username" } });
const { demo } = world;
await demo.fault("down", "validate", { status: 503 });
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const free = await world.createTemplate();
const needsOne = await world.createTemplate(["one"]);
const needsTwo = await world.createTemplate(["one", "two"]);
const owner = await world.createUser();
const linked = await world.createUser();
await world.link(linked, "one");

const annotations = (user, template) => ({
  "gatehouse.dev/owner": user?.username ?? user, "gatehouse.dev/template-version": template?.active_version_id ?? template,
});

// A custom object as an operator of workspaces has them.
const workspace = (metadata) => ({
  apiVersion: "workspaces.example.com/v1alpha1",
  kind: "Workspace",
  metadata: {
    name: "dev", namespace: "team-a", uid: randomUUID(), generation: 1, creationTimestamp: "2026-03-01T10:00:00Z",
    managedFields: [{ manager: "kubectl", operation: "Apply", apiVersion: "v1", time: "2026-03-01T10:00:00Z", fieldsType: "FieldsV1", fieldsV1: { "f:metadata": { "f:annotations": { ".": {} } } } }],
    ...metadata,
  },
  spec: { image: "example/ide:1", template: { versions: ["x", metadata?.version] }, cpu: 1.5, env: [{ name: "A", value: null }] },
  status: null,
});

// A pod as the documentation shows one.
const pod = (metadata) => ({
  apiVersion: "v1", kind: "Pod", metadata: { generateName: "dev-", namespace: "team-a", ...metadata },
  spec: { containers: [{ name: "ide", image: "example/ide:1", resources: {}, terminationMessagePath: "/dev/termination-log" }], securityContext: {}, tolerations: [] },
});

function review(request, rest = {}) {
  return {
    apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview",
    request: {
      uid: randomUUID(),
      kind: { group: "workspaces.example.com", version: "v1alpha1", kind: "Workspace" },
      resource: { group: "workspaces.example.com", version: "v1alpha1", resource: "workspaces" },
      requestKind: { group: "workspaces.example.com", version: "v1alpha1", kind: "Workspace" },
      requestResource: { group: "workspaces.example.com", version: "v1alpha1", resource: "workspaces" },
      name: "dev", namespace: "team-a", operation: "CREATE",
      userInfo: { username: "system:serviceaccount:workspaces:controller", uid: randomUUID(), groups: ["system:authenticated"], extra: { "some-key": ["v"] } },
      object: null, oldObject: null, dryRun: false, options: { apiVersion: "meta.k8s.io/v1", kind: "CreateOptions" },
      ...request,
    },
    ...rest,
  };
}

const post = (body, { token = controlPlane.token, query = "?timeout=10s", service = world.service } = {}) =>
  service.request("POST", `/gate/v1/admission-review${query}`, { token, body });

// The response of a review, which must be a 200 that echoes the uid.
async function ask(request, options) {
  const body = review(request);
  const answer = await post(body, options);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.apiVersion, "admission.k8s.io/v1");
  assert.equal(answer.body.kind, "AdmissionReview");
  assert.equal(answer.body.response.uid, body.request.uid);
  return answer.body.response;
}

const about = (user, template) => ({ object: workspace({ annotations: annotations(user, template) }) });
const rowOf = async ({ auditAnnotations }) =>
  (await world.sql("SELECT * FROM decisions WHERE id = $1", [auditAnnotations.decision_id]))[0];
const logged = (response) => eventually("the decision is logged", () => rowOf(response));

test("an owner with the accounts may create", async () => {
  for (const make of [workspace, pod]) {
    const response = await ask({ object: make({ annotations: annotations(linked, needsOne) }) });
    assert.equal(response.allowed, true, JSON.stringify(response));
    assert.equal(response.status, undefined);
    assert.equal(response.warnings, undefined);
    const row = await logged(response);
    assert.equal(row.surface, "admission_review");
    assert.equal(row.moment, "create");
    assert.equal(row.on_behalf_of, "system:serviceaccount:workspaces:controller");
    assert.equal(row.owner_id, linked.id);
    assert.equal(row.initiator_id, controlPlane.id);
  }
});

test("a refusal is a Status that names every account and where to connect it", async () => {
  const response = await ask(about(owner, needsTwo));
  assert.equal(response.allowed, false);
  const { status } = response;
  assert.equal(status.status, "Failure");
  assert.equal(status.code, 403);
  assert.equal(status.reason, "Forbidden");
  assert.match(status.message, new RegExp(`${owner.username} must connect `));
  for (const id of ["one", "two"]) {
    assert.ok(status.message.includes(`${world.service.accessUrl}/external-auth/${id}`), status.message);
    const cause = status.details.causes.find(({ field }) => field === `external_auth[${id}]`);
    assert.equal(cause.reason, "not_linked");
    assert.ok(cause.message.length > 10);
  }
  assert.equal(status.details.causes.length, 2);
  assert.equal(status.details.retryAfterSeconds, undefined);
  assert.equal((await logged(response)).outcome, "refused");
});

test("a provider that is down is 503 with the time to wait, and never connect again", async () => {
  const user = await world.createUser();
  await world.link(user, "down");
  const { allowed, status } = await ask(about(user, await world.createTemplate(["down"])));
  assert.equal(allowed, false);
  assert.equal(status.code, 503);
  assert.equal(status.reason, "ServiceUnavailable");
  assert.ok(status.details.retryAfterSeconds > 0);
  assert.deepEqual(status.details.causes.map(({ reason }) => reason), ["provider_unavailable"]);
  assert.doesNotMatch(status.message, /external-auth/, "nowhere to connect is named");
});

test("an update is gated as a start, whatever the old object says", async () => {
  const refused = await ask({ operation: "UPDATE", ...about(owner, needsOne), oldObject: workspace({ annotations: annotations(linked, needsOne) }) });
  assert.equal(refused.allowed, false);
  assert.match(refused.status.message, /to start this workspace/);
  assert.equal((await logged(refused)).moment, "start");
  const passed = await ask({ operation: "UPDATE", ...about(linked, needsOne), oldObject: workspace({ annotations: annotations(owner, needsOne) }) });
  assert.equal(passed.allowed, true);
});

test("what starts nothing passes, whoever it is about", async () => {
  const old = workspace({ annotations: annotations(owner, needsOne) });
  const going = workspace({ annotations: annotations(owner, needsOne), deletionTimestamp: "2026-03-01T10:00:00Z", finalizers: ["a/b"] });
  for (const request of [
    { operation: "DELETE", object: null, oldObject: old },
    { operation: "CONNECT", object: { kind: "PodExecOptions" }, subResource: "exec" },
    { operation: "UPDATE", ...about(owner, needsOne), oldObject: old, subResource: "status" },
    { operation: "UPDATE", ...about(owner, needsOne), oldObject: going },
    { operation: "DELETE", object: null, oldObject: workspace({}) },
  ]) {
    const response = await ask(request);
    assert.equal(response.allowed, true, JSON.stringify(response));
    assert.equal(response.auditAnnotations, undefined, "nobody was asked");
  }
  const forged = await ask({ operation: "UPDATE", object: going, oldObject: old });
  assert.equal(forged.allowed, false, "a writer's own deletionTimestamp opens nothing");
});

test("a dry run spends no refresh token and is not logged", async () => {
  const user = await world.createUser();
  await world.link(user, "one", { withRefreshToken: true, expires_at: new Date(Date.now() - 60000).toISOString() });
  const exchanges = await demo.asked("one", "token");
  const dry = await ask({ ...about(user, needsOne), dryRun: true });
  assert.equal(await demo.asked("one", "token"), exchanges);
  const decisions = await world.sql("SELECT 1 FROM decisions WHERE owner_id = $1", [user.id]);
  assert.equal(decisions.length, 0);
  const wet = await ask(about(user, needsOne));
  assert.equal(wet.allowed, true, JSON.stringify(wet));
  assert.equal(await demo.asked("one", "token"), exchanges + 1);
  assert.equal(typeof dry.allowed, "boolean");
});

test("the timeout of the webhook is the budget", async () => {
  const user = await world.createUser();
  await world.link(user, "slow");
  const template = await world.createTemplate(["slow"]);
  await demo.fault("slow", "validate", { delay_ms: 4000 });
  const began = Date.now();
  const { allowed, status } = await ask(about(user, template), { query: "?timeout=1s" });
  assert.ok(Date.now() - began < 1000, `${Date.now() - began} ms`);
  assert.equal(allowed, false);
  assert.equal(status.code, 503);
  await demo.fault("slow", "validate", null);
  assert.equal((await ask(about(user, template), { query: "" })).allowed, true);
  for (const timeout of ["10", "0s", "-1s", "2h", "x", ""]) {
    const wrong = await ask(about(user, template), { query: `?timeout=${timeout}` });
    assert.deepEqual([wrong.allowed, wrong.status.code, wrong.status.details.causes[0].field], [false, 400, "timeout"]);
  }
});

test("an object that does not say whose it is is denied, and the message names the pointer", async () => {
  const version = free.active_version_id;
  for (const [metadata, pointers] of [
    [{}, ["/metadata/annotations/gatehouse.dev~1owner", "/metadata/annotations/gatehouse.dev~1template-version"]],
    [{ annotations: { "gatehouse.dev/owner": owner.username } }, ["/metadata/annotations/gatehouse.dev~1template-version"]],
    [{ annotations: { "gatehouse.dev/template-version": version } }, ["/metadata/annotations/gatehouse.dev~1owner"]],
    ...["", "me", "x".repeat(37), 7, null, ["a"]].map((name) =>
      [{ annotations: { "gatehouse.dev/owner": name, "gatehouse.dev/template-version": version } }, ["/metadata/annotations/gatehouse.dev~1owner"]]),
    ...["", "no-uuid", true].map((id) =>
      [{ annotations: { "gatehouse.dev/owner": owner.username, "gatehouse.dev/template-version": id } }, ["/metadata/annotations/gatehouse.dev~1template-version"]]),
  ]) {
    const { allowed, status } = await ask({ object: workspace(metadata) });
    assert.equal(allowed, false);
    assert.equal(status.code, 400);
    assert.equal(status.reason, "BadRequest");
    for (const pointer of pointers) assert.ok(status.message.includes(pointer), status.message);
    assert.equal(status.details.causes.length, pointers.length);
  }
  assert.equal((await ask({ object: null })).allowed, false);
});

test("labels and other places name the owner where the operator says so", async () => {
  const object = (user, template) => workspace({ labels: { owner: user.username }, version: template.active_version_id });
  assert.equal((await ask({ object: object(linked, needsOne) }, { service: labelled })).allowed, true);
  assert.equal((await ask({ object: object(owner, needsOne) }, { service: labelled })).status.code, 403);
  const missing = await ask(about(linked, needsOne), { service: labelled });
  assert.match(missing.status.message, /\/metadata\/labels\/owner/);
  assert.match(missing.status.message, /\/spec\/template\/versions\/1/);
});

test("who asks the cluster is the owner only where the operator says so", async () => {
  const userInfo = { username: linked.username, groups: [] };
  assert.equal((await ask({ userInfo, ...about(owner, needsOne) }, { service: asked })).allowed, true);
  assert.equal((await ask({ userInfo, ...about(owner, needsOne) })).allowed, false);
});

test("whom or what is asked about does not exist, or may not", async () => {
  const suspended = await world.createUser();
  await world.expect(200, "PATCH", `/api/v2/users/${suspended.username}`, { status: "suspended" });
  const archived = await world.createTemplate();
  const version = await world.expect(201, "POST", `/api/v2/templates/${archived.id}/versions`, { external_auth: [] });
  await world.expect(200, "POST", `/api/v2/templateversions/${version.id}/archive`);
  for (const [user, template, code, reason, token] of [
    [suspended, free, 403, "Forbidden"],
    [owner, UNKNOWN_ID, 404, "NotFound"],
    [owner, version.id, 400, "BadRequest"],
    ["nobody-yet", free, 404, "NotFound", world.service.adminToken],
    [UNKNOWN_ID, free, 404, "NotFound"],
  ]) {
    const { allowed, status } = await ask(about(user, template), { token: token ?? controlPlane.token });
    assert.equal(allowed, false);
    assert.equal(status.code, code, status.message);
    assert.equal(status.reason, reason);
  }
  assert.equal((await ask(about("nobody-yet", needsOne))).status.code, 403, "for a control plane: nobody with links");
  assert.equal((await ask(about("nobody-yet", free))).allowed, true);
});

test("warnings are short lines, cut between characters", async () => {
  const template = await world.createTemplate(["warns"]);
  const { allowed, warnings } = await ask(about(owner, template));
  assert.equal(allowed, true);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /^Ö+$/);
  assert.ok(Buffer.byteLength(warnings[0]) <= 120 && Buffer.byteLength(warnings[0]) > 116, warnings[0]);
  assert.doesNotMatch(warnings[0], /\uFFFD/);
});

test("the uid is echoed as it is", async () => {
  for (const uid of ["705ab4f5-6393-11e8-b7cc-42010a800002", "x", "ü\"\\\n\u{1F600}", "0".repeat(500)]) {
    const { body } = await post(review({ uid, operation: "DELETE" }));
    assert.equal(body.response.uid, uid);
  }
});

test("objects hold numbers of 64 bits and texts that nobody here reads", async () => {
  const body = review(about(linked, needsOne));
  for (const odd of ["9223372036854775807", "-9223372036854775808", "1e300", '"\\u0000"', '"\\ud800"', '{"a":[18446744073709551615]}']) {
    const raw = JSON.stringify({ ...body, request: { ...body.request, odd: 0 } }).replace('"odd":0', `"odd":${odd}`);
    const answer = await world.service.request("POST", "/gate/v1/admission-review", {
      token: controlPlane.token, raw, headers: { "Content-Type": "application/json" },
    });
    assert.equal(answer.body.response?.allowed, true, `${odd}: ${answer.text}`);
  }
  for (const raw of ['{"odd":01}', '{"odd":9223372036854775807', "{}}", Buffer.from('{"odd":"\xff"}', "latin1")])
    assertError(await world.service.request("POST", "/gate/v1/admission-review", {
      token: controlPlane.token, raw, headers: { "Content-Type": "application/json" },
    }), 400, "malformed_json");
});

test("what is no AdmissionReview v1 is a 400", async () => {
  const good = review(about(linked, needsOne));
  for (const [body, field] of [
    [{ ...good, apiVersion: "admission.k8s.io/v1beta1" }, "apiVersion"],
    [{ ...good, apiVersion: undefined }, "apiVersion"],
    [{ ...good, kind: "Review" }, "kind"],
    [{ ...good, request: undefined }, "request"],
    [{ ...good, request: null }, "request"],
    [{ ...good, request: { ...good.request, uid: undefined } }, "uid"],
    [{ ...good, request: { ...good.request, uid: "" } }, "uid"],
    [{ ...good, request: { ...good.request, operation: undefined } }, "operation"],
    [{ ...good, request: { ...good.request, operation: "create" } }, "operation"],
    [{ ...good, request: { ...good.request, object: "text" } }, "object"],
    [{}, "apiVersion"],
  ]) assertError(await post(body), 400, "validation_failed", field);
});

test("who may not ask for this owner is denied in the review, and nobody is asked", async () => {
  const body = review(about(linked, needsOne));
  const before = await demo.asked("one");
  for (const object of [about(linked, needsOne), about("nobody-of-that-name", needsOne)]) {
    const { allowed, status } = await ask(object, { token: owner.token });
    assert.deepEqual([allowed, status.code, status.reason], [false, 404, "NotFound"]);
  }
  assert.equal(await demo.asked("one"), before);
  assertError(await post(body, { token: null }), 401, "unauthenticated");
});

test("an administrator asks for anybody, everybody for themselves", async () => {
  assert.equal((await ask(about(linked, needsOne), { token: world.service.adminToken })).allowed, true);
  assert.equal((await ask(about(linked, needsOne), { token: linked.token })).allowed, true);
  assert.equal((await ask(about(owner, needsOne), { token: owner.token })).status.code, 403);
});

test("a suspended caller asks nothing", async () => {
  const caller = await world.createUser({ roles: ["control-plane"] });
  await world.expect(200, "PATCH", `/api/v2/users/${caller.id}`, { status: "suspended" });
  const answer = await eventually("the suspension is noticed", async () => {
    const seen = await post(review(about(linked, needsOne)), { token: caller.token });
    return seen.status === 403 && seen;
  });
  assertError(answer, 403, "owner_suspended");
});
