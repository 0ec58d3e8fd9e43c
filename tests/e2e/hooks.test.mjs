// SPDX-License-Identifier: Apache-2.0
// The listener of its own that hooks may have: https beyond the loopback, its own certificate, its own small table of
// routes, and started and stopped with the service.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Authority } from "../support/certificates.mjs";
import { exchange, trustAuthority } from "../support/http.mjs";
import { Cluster } from "../support/postgres.mjs";
import { eventually } from "../support/process.mjs";
import { newKey, runGatehouse } from "../support/service.mjs";
import { assertSentence, openWorld, refusedStart, Serve, temporaryDirectory } from "../support/serve.mjs";

const authority = new Authority();
trustAuthority(authority.pem);
const certificate = authority.issue("hooks");
const directory = temporaryDirectory();
const cluster = await Cluster.share();
after(async () => {
  await cluster.stop();
  authority.remove();
});
const hookSettings = { HOOK_ADDRESS: "127.0.0.1:0", HOOK_TLS_CERT_FILE: certificate.certFile, HOOK_TLS_KEY_FILE: certificate.keyFile };
const hookPort = async (serve) => (await eventually("where it listens is logged", () => serve.logLines().find(({ message }) => message === "listening"))).hook_port;

const world = await openWorld({ cluster: new Cluster(cluster.socketDirectory), settings: hookSettings });
const base = `https://127.0.0.1:${await hookPort(world.service)}`;

test("hooks are served over https with a certificate of their own, the API beside them stays as it is", async () => {
  const live = await exchange("GET", `${base}/healthz`);
  assert.equal(live.status, 200, live.text);
  assert.match(world.service.accessUrl, /^http:/);
  assert.equal((await world.admin("GET", "/api/v2/users/me")).status, 200);
});

test("each of the hooks answers there as on the API listener", async () => {
  const template = await world.createTemplate();
  const user = await world.createUser();
  const version = template.active_version_id;
  const given = { owner: user.username, template_version_id: version };
  const review = {
    apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview",
    request: { uid: "u-1", operation: "CREATE", object: { metadata: { annotations: { "gatehouse.dev/owner": user.username, "gatehouse.dev/template-version": version } } } },
  };
  const headers = { Authorization: `Bearer ${world.service.adminToken}`, "Content-Type": "application/json" };
  const post = async (path, body) => {
    const answer = await exchange("POST", `${base}${path}`, { headers, body: JSON.stringify(body) });
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
    return JSON.parse(answer.text);
  };
  assert.equal((await post("/gate/v1/check", given)).allowed, true);
  assert.equal((await post("/gate/v1/data", { input: given })).result.allow, true);
  assert.deepEqual((await post("/gate/v1/admission-review?timeout=10s", review)).response.allowed, true);
  const asked = await exchange("PROPFIND", `${base}/gate/v1/ext-authz/a%2Fb`, {
    headers: { ...headers, "X-Gatehouse-Owner": user.username, "X-Gatehouse-Template-Version": version },
  });
  assert.equal(asked.status, 200, asked.text);
  assert.equal((await exchange("POST", `${base}/gate/v1/check`)).status, 401);
});

test("nothing but hooks is there", async () => {
  const headers = { Authorization: `Bearer ${world.service.adminToken}` };
  for (const path of ["/api/v2/users", "/gate/v1/exemptions", "/gate/v1/explain", "/api/v2/users/me", "/metrics", "/readyz", "/external-auth/demo", "/"])
    assert.equal((await exchange("GET", `${base}${path}`, { headers })).status, 404, path);
});

test("what is no TLS gets no answer there", async () => {
  await assert.rejects(exchange("GET", base.replace("https", "http"), { timeoutMs: 15000 }));
});

test("stdout has its one line", () => assert.match(world.service.program.stdout, /^gatehouse: listening on \S+\n$/));

test("on the loopback hooks may be plain, and end with the service", async () => {
  const serve = await new Serve({
    databaseUrl: cluster.url(await cluster.createDatabase()), settings: { HOOK_ADDRESS: "127.0.0.1:0" }, stateDirectory: join(directory, "plain"),
  }).start();
  const plain = `http://127.0.0.1:${await hookPort(serve)}`;
  assert.equal((await exchange("GET", `${plain}/healthz`)).status, 200);
  await serve.end("SIGTERM");
  await assert.rejects(exchange("GET", `${plain}/healthz`), { code: "ECONNREFUSED" });
});

test("what is in flight there when the service is told to end is answered", async () => {
  const slow = await openWorld({
    cluster: new Cluster(cluster.socketDirectory), demo: true, providers: (demo) => [demo.configure("demo")], settings: hookSettings,
  });
  const user = await slow.createUser();
  const template = await slow.createTemplate(["demo"]);
  await slow.link(user);
  await slow.demo.closeGate("demo", "validate");
  const port = await hookPort(slow.service);
  const asked = exchange("POST", `https://127.0.0.1:${port}/gate/v1/check`, {
    headers: { Authorization: `Bearer ${user.token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ owner: "me", template_version_id: template.active_version_id }),
  });
  await slow.demo.awaitGate("demo", "validate", 1, 10000);
  const ended = slow.service.end("SIGTERM");
  await eventually("a new request is refused", async () => {
    const late = await exchange("GET", `https://127.0.0.1:${port}/healthz`).catch(() => ({ status: 503 }));
    return late.status === 503;
  });
  await slow.demo.openGate("demo", "validate");
  const answer = await asked;
  assert.equal(answer.status, 200, answer.text);
  assert.equal(JSON.parse(answer.text).allowed, true);
  await ended;
});

test("without an address there is no such listener", async () => {
  const serve = await new Serve({ databaseUrl: cluster.url(await cluster.createDatabase()), stateDirectory: join(directory, "none") }).start();
  assert.equal(await hookPort(serve), 0);
  await serve.end("SIGTERM");
});

test("files that are no certificate, no key or no pair, and an address in use, are refused at start, by name", async () => {
  const nonsense = join(directory, "nonsense.pem");
  writeFileSync(nonsense, "nonsense\n");
  const other = authority.issue("other");
  const options = async (settings) => ({
    databaseUrl: cluster.url(await cluster.createDatabase()), key: newKey(), stateDirectory: join(directory, "unused"),
    settings: { ...hookSettings, ...settings },
  });
  for (const [cert, key, named] of [[nonsense, certificate.keyFile, nonsense], [certificate.certFile, other.keyFile, other.keyFile]]) {
    const refused = await refusedStart(await options({ HOOK_TLS_CERT_FILE: cert, HOOK_TLS_KEY_FILE: key }));
    const setting = named === nonsense ? "hook_tls_cert_file" : "hook_tls_key_file";
    assertSentence(refused, 2, [new RegExp(`GATEHOUSE_${setting.toUpperCase()}: ${setting}: .*${named.replaceAll(".", "\\.")}`)]);
  }
  const taken = `127.0.0.1:${new URL(base).port}`;
  assertSentence(await refusedStart(await options({ HOOK_ADDRESS: taken })), 1, [new RegExp(taken), /another process/]);
});

test("check-config says what is wrong, with the key and what is allowed", async () => {
  const run = (environment) => runGatehouse(["check-config"], { GATEHOUSE_STATE_DIR: directory, ...environment });
  for (const [environment, pattern] of [
    [{ GATEHOUSE_HOOK_ADDRESS: "0.0.0.0:8443" }, /GATEHOUSE_HOOK_ADDRESS: hook_address: .*not on the loopback/],
    [{ GATEHOUSE_HOOK_ADDRESS: "8443" }, /GATEHOUSE_HOOK_ADDRESS: hook_address: .*allowed: host:port/],
    [{ GATEHOUSE_HOOK_TLS_CERT_FILE: "/nonexistent/x.pem", GATEHOUSE_HOOK_TLS_KEY_FILE: certificate.keyFile }, /hook_tls_cert_file: "\/nonexistent\/x\.pem"/],
    [{ GATEHOUSE_HOOK_TLS_CERT_FILE: certificate.certFile }, /GATEHOUSE_HOOK_TLS_KEY_FILE: hook_tls_key_file: is missing/],
  ]) {
    const { code, stderr } = await run(environment);
    assert.equal(code, 2, stderr);
    assert.match(stderr, pattern);
  }
  const good = await run({ GATEHOUSE_HOOK_ADDRESS: "0.0.0.0:8443", GATEHOUSE_HOOK_TLS_CERT_FILE: certificate.certFile, GATEHOUSE_HOOK_TLS_KEY_FILE: certificate.keyFile });
  assert.equal(good.code, 0, good.stderr);
});
