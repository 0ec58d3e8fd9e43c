// SPDX-License-Identifier: Apache-2.0
// HTTPS, in both ways that operators have: the service's own listener, and a proxy in front as the README shows it.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import tls from "node:tls";
import { Authority } from "../support/certificates.mjs";
import { Browser } from "../support/browser.mjs";
import { exchange, trustAuthority } from "../support/http.mjs";
import { Cluster } from "../support/postgres.mjs";
import { eventually, freePort, Program } from "../support/process.mjs";
import { newKey, runGatehouse } from "../support/service.mjs";
import { assertSentence, openWorld, refusedStart, temporaryDirectory } from "../support/serve.mjs";

const authority = new Authority();
trustAuthority(authority.pem);
const certificate = authority.issue("gatehouse");
const directory = temporaryDirectory();
const cluster = await Cluster.share();
after(async () => {
  await cluster.stop();
  authority.remove();
});
const shared = () => new Cluster(cluster.socketDirectory);

const world = await openWorld({
  cluster: shared(), demo: true, providers: (demo) => [demo.configure("demo")],
  settings: { TLS_CERT_FILE: certificate.certFile, TLS_KEY_FILE: certificate.keyFile },
});
const { hostname, port } = new URL(world.service.accessUrl);

// What a handshake of exactly this version comes to: the protocol, or the error's code.
function handshake(version, { port: at = Number(port), host = hostname } = {}) {
  return new Promise((resolve) => {
    const socket = tls.connect({ host, port: at, ca: authority.pem, minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" });
    socket.once("secureConnect", () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
    socket.once("error", (error) => resolve(error.code));
  });
}

test("the printed URL is https", () => assert.match(world.service.accessUrl, /^https:\/\/127\.0\.0\.1:\d+$/));

test("TLS 1.2 and 1.3 are spoken", async () => {
  for (const version of ["TLSv1.2", "TLSv1.3"]) assert.equal(await handshake(version), version);
});

test("TLS 1.1 and 1.0 are refused, by the service and not by the test", async (t) => {
  const old = tls.createServer({ cert: certificate.cert, key: certificate.key, minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" }, (socket) => socket.end());
  old.on("tlsClientError", () => {});
  await new Promise((resolve) => old.listen(0, "127.0.0.1", resolve));
  t.after(() => old.close());
  for (const version of ["TLSv1.1", "TLSv1"]) {
    assert.equal(await handshake(version, { port: old.address().port }), version, "the test can speak it");
    assert.match(await handshake(version), /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|ECONNRESET/);
  }
});

test("the whole job is done over it, and the cookie is Secure", async () => {
  const user = await world.createUser();
  const template = await world.createTemplate(["demo"]);
  const refused = await world.createWorkspace(user, template);
  assert.equal(refused.status, 403);
  assert.equal(refused.body.external_auth[0].authenticate_url, `${world.service.accessUrl}/external-auth/demo`);
  const { browser } = await world.linkThroughBrowser(user, "demo");
  const cookies = browser.cookies(new URL(world.service.accessUrl).origin);
  assert.equal(cookies.length, 1);
  for (const attribute of ["secure", "httponly", "samesite=lax"]) assert.ok(cookies[0].attributes.some((each) => each.toLowerCase() === attribute), cookies[0].line);
  assert.equal((await world.createWorkspace(user, template)).status, 201);
  assert.equal((await world.demo.requests("demo", "token")).at(-1).values.redirect_uri ?? `${world.service.accessUrl}/external-auth/demo/callback`, `${world.service.accessUrl}/external-auth/demo/callback`);
});

test("many connections at once are served", async () => {
  const user = await world.createUser();
  const answers = await Promise.all(Array.from({ length: 50 }, () => world.api("GET", "/api/v2/users/me", { token: user.token })));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
});

test("what is no TLS gets no answer, and harms nobody", async () => {
  await assert.rejects(exchange("GET", `http://127.0.0.1:${port}/`, { timeoutMs: 15000 }));
  const user = await world.createUser();
  assert.equal((await world.api("GET", "/api/v2/users/me", { token: user.token })).status, 200);
});

test("the admin listener stays plain", async () => {
  assert.equal((await world.api("GET", "/healthz", { admin: true })).status, 200);
});

test("files that are no certificate, no key or no pair are refused at start, by name", async () => {
  const nonsense = join(directory, "nonsense.pem");
  writeFileSync(nonsense, "nonsense\n");
  const other = authority.issue("other");
  const base = { databaseUrl: cluster.url(await cluster.createDatabase()), key: newKey(), stateDirectory: join(directory, "unused") };
  for (const [cert, key, named, setting] of [
    [nonsense, certificate.keyFile, nonsense, "tls_cert_file"], [certificate.certFile, nonsense, nonsense, "tls_key_file"],
    [certificate.certFile, other.keyFile, other.keyFile, "tls_key_file"], [certificate.certFile, certificate.certFile, certificate.certFile, "tls_key_file"],
  ]) {
    const refused = await refusedStart({ ...base, settings: { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } });
    const said = assertSentence(refused, 2, [new RegExp(`GATEHOUSE_${setting.toUpperCase()}: ${setting}: .*${named.replaceAll(".", "\\.")}.*; allowed: `)]);
    const checked = await runGatehouse(["check-config"], { HOME: directory, GATEHOUSE_TLS_CERT_FILE: cert, GATEHOUSE_TLS_KEY_FILE: key });
    assert.deepEqual([checked.code, checked.stderr], [2, `${said}\n`], "check-config says the same");
  }
  for (const name of ["TLS_CERT_FILE", "TLS_KEY_FILE"]) {
    const refused = await refusedStart({ ...base, settings: { TLS_CERT_FILE: certificate.certFile, TLS_KEY_FILE: certificate.keyFile, [name]: "/nonexistent/x.pem" } });
    assertSentence(refused, 2, [/\/nonexistent\/x\.pem/, new RegExp(name)]);
  }
});

test("behind nginx as the README shows it", async (t) => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const example = readme.match(/```nginx\n([\s\S]*?)```/)?.[1];
  assert.ok(example, "the README shows a configuration of nginx");
  const [front, back] = [await freePort(), await freePort()];
  const server = example
    .replace(/listen 443 ssl;/, `listen 127.0.0.1:${front} ssl;`)
    .replace(/ssl_certificate\s+[^;]+;/, `ssl_certificate ${certificate.certFile};`)
    .replace(/ssl_certificate_key\s+[^;]+;/, `ssl_certificate_key ${certificate.keyFile};`)
    .replace(/http:\/\/127\.0\.0\.1:8484/, `http://127.0.0.1:${back}`);
  assert.ok(server.includes(`:${back}`) && server.includes(`:${front}`), server);
  const home = join(directory, "nginx");
  mkdirSync(home);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${home}/${name};`).join("\n");
  writeFileSync(join(home, "nginx.conf"), `daemon off;\n${process.getuid() === 0 ? "user root;\n" : ""}pid ${home}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${server}\n}\n`);

  const proxied = await openWorld({
    cluster: shared(), demo: true, providers: (demo) => [demo.configure("demo")],
    settings: { HTTP_ADDRESS: `127.0.0.1:${back}`, ACCESS_URL: `https://localhost:${front}` },
  });
  const nginx = new Program("nginx", "/usr/sbin/nginx", ["-p", home, "-c", join(home, "nginx.conf")], { killSignal: "SIGTERM" });
  t.after(async () => {
    await nginx.stop("SIGTERM");
    await proxied.close();
  });
  proxied.service.base = `https://localhost:${front}`; // every call goes through the proxy
  await eventually("nginx answers", async () => (await proxied.admin("GET", "/api/v2/users/me")).status === 200);

  const user = await proxied.createUser();
  const template = await proxied.createTemplate(["demo"]);
  assert.equal((await proxied.createWorkspace(user, template)).status, 403);
  const url = await proxied.linkUrl(user, "demo");
  assert.ok(url.startsWith(`https://localhost:${front}/external-auth/demo?ticket=`), url);
  const browser = new Browser({ accept: "application/json" });
  const answers = await browser.travel(url, proxied.service);
  assert.equal(answers.at(-1).status, 200, answers.at(-1).text);
  const [cookie] = browser.cookies(`https://localhost:${front}`);
  assert.ok(cookie.attributes.some((each) => each.toLowerCase() === "secure"), cookie.line);
  assert.equal(answers[0].next.searchParams.get("redirect_uri"), `https://localhost:${front}/external-auth/demo/callback`);
  assert.equal((await proxied.createWorkspace(user, template)).status, 201);
  assert.match(answers[0].headers["x-request-id"], /^[0-9a-f]{32}$/, "the proxy's id is the service's");
  for (const version of ["TLSv1.2", "TLSv1.3"]) assert.equal(await handshake(version, { port: front, host: "localhost" }), version);
});
