// SPDX-License-Identifier: Apache-2.0
// What no honest client sends, at every way to ask the gate: each is answered as the document says, in UTF-8, without
// another's state and without harm to the decision log, which must have every answer that names a decision.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawConnection } from "../support/http.mjs";
import { eventually } from "../support/process.mjs";
import { metricValue } from "../support/service.mjs";
import { UNKNOWN_ID, World } from "../support/world.mjs";

const world = await World.open({ providers: (demo) => [demo.configure("one")] });
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const owner = await world.createUser();
const linked = await world.createUser();
await world.link(linked, "one");
const template = await world.createTemplate(["one"]);
const version = template.active_version_id;

const isUtf8 = (bytes) => { new TextDecoder("utf-8", { fatal: true }).decode(bytes); };
const decisionOf = (answer) => answer.headers["x-gatehouse-decision-id"] ?? answer.body?.decision_id ?? answer.body?.response?.auditAnnotations?.decision_id ?? null;
const isInLog = (id) => eventually(`decision ${id} is in the log`, async () => (await world.sql("SELECT * FROM decisions WHERE id = $1", [id]))[0]);
const dropped = async () => metricValue(await world.service.metrics(), "gatehouse_decision_log_dropped_total");
const droppedAtFirst = await dropped();

const post = (path, body, { token = controlPlane.token, raw, ...rest } = {}) => world.api("POST", path, { token, ...(raw === undefined ? { body } : { raw, headers: { "Content-Type": "application/json" } }), ...rest });
const review = (object, request = {}) => ({
  apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request: { uid: "u", operation: "CREATE", object, ...request },
});
const annotated = (about) => ({ metadata: { annotations: { "gatehouse.dev/owner": about.owner, "gatehouse.dev/template-version": about.template_version_id } } });
const SURFACES = {
  check: (about, options) => post("/gate/v1/check", about, options),
  enforce: (about, options) => post("/gate/v1/check?enforce=true", about, options),
  explain: (about, options) => post("/gate/v1/explain", about, options),
  opa: (about, options) => post("/gate/v1/data", { input: about }, options),
  review: (about, options) => post("/gate/v1/admission-review", review(annotated(about)), options),
};
const allowedIn = ({ status, body }) => body?.allowed ?? body?.result?.allow ?? body?.response?.allowed ?? status === 200;

const NAMES = [
  "ålice", "аlice", "\u202eecila", "a\u0301lice", "😀".repeat(9), "alice\n", "a\tb", "\u007f", "\u0085", "\ufeffalice", "../admin", "alice%00", "alice'; --",
  "me ", " me", "ME", "{\"x\":1}", "\\u0000", "\ufffd", "\ud83d\ude00", "a".repeat(36), "*", "prebuilds", UNKNOWN_ID, UNKNOWN_ID.toUpperCase(), `{${UNKNOWN_ID}}`,
];
const TRANSITIONS = [undefined, "start", "claim", "stop", "delete"];

test("an owner of any name is no owner with links, and never the caller", async () => {
  for (const [surface, ask] of Object.entries(SURFACES))
    for (const name of NAMES)
      for (const transition of surface === "review" ? [undefined] : TRANSITIONS) {
        const answer = await ask({ owner: name, template_version_id: version, transition });
        isUtf8(answer.bytes);
        assert.ok([200, 400, 403, 404].includes(answer.status), `${surface} ${JSON.stringify(name)}: ${answer.status} ${answer.text}`);
        if (transition !== "stop" && transition !== "delete")
          assert.ok(!allowedIn(answer), `${surface} ${JSON.stringify(name)}: ${answer.text}`);
        assert.ok(!answer.text.includes(controlPlane.id), answer.text);
      }
});

test("what a stop or a refusal says of any name is in the decision log", async () => {
  for (const name of NAMES)
    for (const transition of ["stop", "create"]) {
      const answer = await SURFACES.check({ owner: name, initiator: name, template_version_id: version, transition });
      if (answer.status === 200) {
        const row = await isInLog(answer.body.decision_id);
        assert.equal(row.on_behalf_of, name);
      }
    }
});

// Bytes of a header are anything but control characters.
async function raw(headers, { method = "GET", path = "/gate/v1/ext-authz/", token = controlPlane.token, body = "" } = {}) {
  const connection = await RawConnection.open(world.service.base);
  connection.send(`${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${body.length}\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n${body}`);
  const [answer] = await connection.answers({ count: 1 });
  connection.end();
  return answer;
}

test("a header that is not UTF-8 is answered, and costs the decision log nothing", async () => {
  const answers = [];
  for (const bytes of ["\xff", "\xc3\x28", "\xed\xa0\x80", "a\x80", "\xf4\x90\x80\x80", "\xc0\x80", "\xe5\x00".slice(0, 1), "\xc3\xa5lice"])
    for (const transition of ["create", "stop"])
      answers.push(await raw([`X-Gatehouse-Owner: ${bytes}`, `X-Gatehouse-Template-Version: ${version}`, `X-Gatehouse-Transition: ${transition}`]));
  for (const answer of answers) {
    assert.ok([200, 400, 403].includes(answer.status), `${answer.status} ${answer.text}`);
    const id = answer.headers["x-gatehouse-decision-id"];
    if (id !== undefined) await isInLog(id);
  }
});

test("no header of the proxy's counts twice, whatever its case, and none is taken from elsewhere", async () => {
  const good = ["X-Gatehouse-Owner: " + linked.username, `X-Gatehouse-Template-Version: ${version}`];
  assert.equal((await raw(good)).status, 200);
  for (const line of [
    `x-gatehouse-owner: ${linked.username}`, `X-GATEHOUSE-OWNER: ${owner.username}`, "X-Gatehouse-Owner:", `X-Gatehouse-Template-Version: ${version}`,
    `x-Gatehouse-template-version: ${UNKNOWN_ID}`,
  ])
    for (const headers of [[line, ...good], [...good, line]]) assert.equal((await raw(headers)).status, 400, line);
  for (const pair of [["x-envoy-auth-partial-body: false", "X-Envoy-Auth-Partial-Body: true"], ["X-Gatehouse-Transition: stop", "X-Gatehouse-Transition: create"]])
    for (const headers of [pair, pair.toReversed()]) assert.equal((await raw([...good, ...headers])).status, 400, pair[0]);
  // Underscores and blanks make other names; a query says nothing.
  const [, about] = good;
  for (const line of [`X_Gatehouse_Owner: ${linked.username}`, `X-Gatehouse-Owner-: ${linked.username}`])
    assert.equal((await raw([line, about], { token: owner.token })).status, 403);
  assert.equal((await raw([`X-Gatehouse-Owner : ${linked.username}`, about])).status, 400);
  assert.equal((await raw([about], { token: owner.token, path: `/gate/v1/ext-authz/?owner=${linked.username}&transition=stop` })).status, 403);
  for (const headers of [[`X-Original-URL: /gate/v1/ext-authz`, about], [`X-HTTP-Method-Override: OPTIONS`, about]])
    assert.equal((await raw(headers, { token: owner.token })).status, 403);
});

const text = (about, more) => JSON.stringify(about).replace(/}$/, `,${more}}`);
const ABOUT = { owner: owner.username, template_version_id: version };

test("an owner that is said twice is said by nobody", async () => {
  for (const more of [`"owner":"${linked.username}"`, `"Owner":"${linked.username}"`, `"OWNER":"${linked.username}"`, `"\\u006fwner":"${linked.username}"`, `"template_version_id":null`]) {
    const body = text(ABOUT, more);
    for (const path of ["/gate/v1/check", "/gate/v1/explain", "/gate/v1/check?enforce=true"]) {
      const answer = await post(path, undefined, { raw: body });
      assert.ok(!allowedIn(answer) && [200, 400, 403].includes(answer.status), `${path} ${more}: ${answer.text}`);
      assert.ok(!answer.text.includes(linked.username), answer.text);
    }
    const answer = await post("/gate/v1/data", undefined, { raw: `{"input":${body}}` });
    assert.ok(!allowedIn(answer), answer.text);
    assert.equal((await post("/gate/v1/data", undefined, { raw: `{"input":${JSON.stringify(ABOUT)},"input":{"owner":"${linked.username}","template_version_id":"${version}"}}` })).status, 400);
  }
  const twice = JSON.stringify(review(annotated(ABOUT))).replace(`"gatehouse.dev/owner":`, `"gatehouse.dev/owner":"${linked.username}","gatehouse.dev/owner":`);
  assert.equal((await post("/gate/v1/admission-review", undefined, { raw: twice })).status, 400);
});

const WRONG = [null, true, 0, -1, 1.5, 1e300, "", [], {}, [null], { id: "one" }, "\u0001", "x".repeat(70000)];
test("wrong types and sizes in every field", async () => {
  const base = { owner: linked.username, template_version_id: version };
  for (const field of ["owner", "initiator", "template_version_id", "external_auth", "transition", "dry_run"])
    for (const wrong of WRONG) {
      const about = { ...base, [field]: wrong };
      if (field === "external_auth") delete about.template_version_id;
      for (const [surface, ask] of Object.entries(SURFACES)) {
        if (surface === "review" && !["owner", "template_version_id"].includes(field)) continue;
        const answer = await ask(about);
        isUtf8(answer.bytes);
        assert.ok([200, 400, 403, 404].includes(answer.status), `${surface} ${field} ${JSON.stringify(wrong).slice(0, 100)}: ${answer.status} ${answer.text.slice(0, 300)}`);
        if (["owner", "template_version_id"].includes(field)) assert.ok(!allowedIn(answer), `${surface} ${field} ${wrong}: ${answer.text}`);
      }
    }
  for (const wrong of WRONG)
    for (const field of ["uid", "operation", "object", "oldObject", "dryRun", "subResource", "userInfo", "options"]) {
      const answer = await post("/gate/v1/admission-review", review(annotated({ owner: owner.username, template_version_id: version }), { [field]: wrong }));
      isUtf8(answer.bytes);
      assert.ok([200, 400].includes(answer.status), `${field} ${JSON.stringify(wrong).slice(0, 100)}: ${answer.status} ${answer.text.slice(0, 300)}`);
      if (answer.status === 200 && field !== "operation") assert.ok(!answer.body.response.allowed || field === "subResource", `${field} ${JSON.stringify(wrong)}: ${answer.text.slice(0, 300)}`);
    }
  for (const wrong of WRONG) {
    const answer = await post("/gate/v1/data", { input: wrong });
    assert.equal(answer.status, 400, answer.text);
    const verified = await post("/gate/v1/receipts/verify", { receipt: wrong });
    assert.ok([200, 400].includes(verified.status) && verified.body.valid !== true, verified.text);
  }
});

test("lists of any length and depth", async () => {
  const lists = [
    Array(100000).fill("one"), Array(1000).fill({ id: "one" }), [["one"]], [{ id: { id: "one" } }], [{ id: "one", optional: "false" }], ["one", { id: "one", optional: true }],
    Array.from({ length: 200 }, (_, index) => `p${index}`), ["ONE"], ["one\u0000"], ["öne"], [""], [`${"a".repeat(64)}`], [`${"a".repeat(65)}`],
  ];
  for (const external_auth of lists)
    for (const [surface, ask] of Object.entries(SURFACES)) {
      if (surface === "review") continue;
      const answer = await ask({ owner: owner.username, external_auth });
      isUtf8(answer.bytes);
      assert.ok([200, 400, 403, 404].includes(answer.status), `${surface}: ${answer.status} ${answer.text.slice(0, 300)}`);
      assert.ok(!allowedIn(answer), `${surface}: ${answer.text.slice(0, 300)}`);
    }
  for (const raw of ["[".repeat(100000), `{"input":${"{\"a\":".repeat(5000)}1${"}".repeat(5000)}}`, "null", "", " ", "\"x\"", "{\"owner\":\"a\\u0000b\"}", "{\"owner\":\"\\ud800\"}", "{}x", "\xef\xbb\xbf{}"])
    for (const path of ["/gate/v1/check", "/gate/v1/explain", "/gate/v1/data", "/gate/v1/admission-review", "/gate/v1/receipts/verify"]) {
      const answer = await post(path, undefined, { raw });
      isUtf8(answer.bytes);
      assert.equal(answer.status, 400, `${path} ${raw.slice(0, 40)}: ${answer.text.slice(0, 300)}`);
    }
});

const BYTES = ["%ff", "%c3%28", "%00", "%0a", "%ed%a0%80", "%f0%9f%98%80", "a%00b", "%", "%zz", "%25", "+", "' OR 1=1 --", "{}", "[]", "me", "*", "-1", "99999999999999999999", "1e3", "0x10", "a".repeat(3000)];
test("bytes of any kind in paths and queries", async () => {
  const places = [
    ...["owner", "outcome", "reason", "since", "limit", "after_id"].map((name) => ["GET", (value) => `/gate/v1/decisions?${name}=${value}`]),
    ...["owner", "template", "provider", "limit", "after_id"].map((name) => ["GET", (value) => `/gate/v1/exemptions?${name}=${value}`]),
    ["GET", (value) => `/gate/v1/decisions/${value}`], ["GET", (value) => `/gate/v1/exemptions/${value}`], ["DELETE", (value) => `/gate/v1/exemptions/${value}`],
    ["GET", (value) => `/gate/v1/templateversions/${value}/impact`], ["GET", (value) => `/api/v2/templateversions/${version}/external-auth?user_id=${value}`],
    ["GET", (value) => `/api/v2/builds/${value}`], ["POST", (value) => `/api/v2/workspaces/${value}/builds`, { transition: "stop" }],
    ["POST", (value) => `/api/v2/templates/${value}/prebuilds`, { count: 1 }], ["POST", (value) => `/api/v2/users/${value}/workspaces`, { name: "w", template_id: template.id }],
    ["POST", (value) => `/gate/v1/check?enforce=${value}`, ABOUT], ["POST", (value) => `/gate/v1/admission-review?timeout=${value}`, review({})],
    ...["renew", "release", "complete"].map((what) => ["POST", (value) => `/api/v2/builds/${value}/${what}`, { status: "failed" }]),
  ];
  for (const [method, path, body] of places)
    for (const value of BYTES) {
      const target = path(encodeURI(value).replaceAll("%25", "%"));
      const payload = body === undefined ? "" : JSON.stringify(body);
      const answer = await raw(body === undefined ? [] : ["Content-Type: application/json"], { method, path: target, token: world.service.adminToken, body: payload });
      assert.ok(answer.status < 500 && answer.status !== 201, `${method} ${target.slice(0, 200)}: ${answer.status} ${answer.text.slice(0, 300)}`);
      if (answer.text !== "") JSON.parse(answer.text);
    }
});

test("a receipt of which any character is another is no receipt", async () => {
  const { body } = await SURFACES.check({ owner: linked.username, template_version_id: version });
  const verify = async (receipt) => (await post("/gate/v1/receipts/verify", { receipt })).body;
  assert.equal((await verify(body.receipt)).valid, true);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (let at = 0; at < body.receipt.length; at++) {
    const was = alphabet.indexOf(body.receipt[at]);
    // The neighbour differs in the lowest bit alone, which at a part's end may stand for nothing.
    for (const character of was < 0 ? ["A", ".."] : [alphabet[was ^ 1]])
      assert.equal((await verify(body.receipt.slice(0, at) + character + body.receipt.slice(at + 1))).valid, false, `character ${at}`);
  }
  for (const more of ["=", " ", "\n", ".", "A", "AA"])
    for (const receipt of [body.receipt + more, more + body.receipt]) assert.equal((await verify(receipt)).valid, false, JSON.stringify(more));
});

test("nothing was lost to the decision log, and nothing was counted as lost", async () => {
  assert.equal(await dropped(), droppedAtFirst);
  const wrong = world.service.logLines().filter(({ level, message }) => level === "error" || /lost|dropped/.test(message));
  assert.deepEqual(wrong, []);
});
