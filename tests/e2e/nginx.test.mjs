// SPDX-License-Identifier: Apache-2.0
// nginx as the README sets it up, in front of a control plane that only counts: what the gate allows passes with the
// decision's id, what it denies never arrives and says why, and nothing passes where the gate cannot be asked.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { exchange } from "../support/http.mjs";
import { eventually, freePort, Program } from "../support/process.mjs";
import { newSecret } from "../support/service.mjs";
import { openWorld, temporaryDirectory } from "../support/serve.mjs";

const directory = temporaryDirectory();
const [front, gate] = [await freePort(), await freePort()];
const world = await openWorld({
  demo: true, providers: (demo) => [demo.configure("demo")],
  settings: { HTTP_ADDRESS: `127.0.0.1:${gate}`, GATE_TIMEOUT: "2s" },
});
const controlPlane = await world.createUser({ roles: ["control-plane"] });
const template = await world.createTemplate(["demo"]);
const alice = await world.createUser();
const bob = await world.createUser();
await world.link(alice);

// What stands behind nginx: everything that reaches it.
const arrived = [];
const behind = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    arrived.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(request.url.includes("teapot") ? 403 : 201, { "Content-Type": "text/plain" }).end("made");
  });
});
await new Promise((resolve) => behind.listen(0, "127.0.0.1", resolve));
after(() => behind.close());

const tokenFile = join(directory, "gatehouse-token");
const writeToken = (token) => writeFileSync(tokenFile, `proxy_set_header Authorization "Bearer ${token}";\n`);
writeToken(controlPlane.token);
const usersFile = join(directory, "users");
const passwords = Object.fromEntries([alice.username, bob.username, "stranger"].map((name) => [name, newSecret()]));
writeFileSync(usersFile, Object.entries(passwords).map(([name, password]) =>
  `${name}:${execFileSync("openssl", ["passwd", "-apr1", "-stdin"], { input: password }).toString().trim()}\n`).join(""));

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const example = [...readme.matchAll(/```nginx\n([\s\S]*?)```/g)].map(([, text]) => text).find((text) => text.includes("auth_request"));
const server = [
  ["listen 127.0.0.1:8080;", `listen 127.0.0.1:${front};`], ["/etc/nginx/users;", `${usersFile};`],
  ["00000000-0000-4000-8000-000000000000", template.active_version_id], ["/etc/nginx/gatehouse-token;", `${tokenFile};`],
  ["http://127.0.0.1:3000", `http://127.0.0.1:${behind.address().port}`], ["http://127.0.0.1:8484", `http://127.0.0.1:${gate}`],
].reduce((text, [from, to]) => {
  assert.ok(text.includes(from), `the README's example has ${from}`);
  return text.replaceAll(from, to);
}, example);
const home = join(directory, "nginx");
mkdirSync(home);
const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${home}/${name};`).join("\n");
writeFileSync(join(home, "nginx.conf"), `daemon off;\n${process.getuid() === 0 ? "user root;\n" : ""}worker_processes 1;\npid ${home}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${server}\n}\n`);
const nginx = new Program("nginx", "/usr/sbin/nginx", ["-p", home, "-c", join(home, "nginx.conf")], { killSignal: "SIGTERM" });
after(() => nginx.stop("SIGTERM"));

const basic = (user, password = passwords[user]) => ({ Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` });
const create = (user, { path = "/templates/go/workspaces", method = "POST", headers = {} } = {}) => exchange(method, `http://127.0.0.1:${front}${path}`, {
  headers: { "Content-Type": "application/json", ...(user ? basic(user) : {}), ...headers }, body: method === "GET" ? null : "{\"name\": \"dev\"}",
});
await eventually("nginx answers", async () => (await exchange("GET", `http://127.0.0.1:${front}/`).catch(() => ({}))).status === 401);

// nginx reads its configuration again; until its old worker has gone, that one may still take a connection.
async function reload() {
  const workers = () => readFileSync(`/proc/${nginx.pid}/task/${nginx.pid}/children`, "utf8").split(" ").filter(Boolean);
  const old = workers();
  process.kill(nginx.pid, "SIGHUP");
  await eventually("nginx has read its configuration again", () => {
    const now = workers();
    return now.length > 0 && !now.some((worker) => old.includes(worker));
  });
}

// What `ask` is answered, which must not reach the control plane.
async function stopped(ask) {
  const before = arrived.length;
  const answer = await ask();
  assert.equal(arrived.length, before, "the control plane was reached");
  return answer;
}

test("an owner with the account passes, body and all, with the decision's id up and down", async () => {
  const answer = await create(alice.username, { path: "/templates/go/workspaces?a=%2Fb" });
  assert.equal(answer.status, 201, answer.text);
  const { method, url, headers, body } = arrived.at(-1);
  assert.deepEqual({ method, url, body }, { method: "POST", url: "/templates/go/workspaces?a=%2Fb", body: "{\"name\": \"dev\"}" });
  const [decision] = await eventually("the decision is logged", async () => {
    const rows = await world.sql("SELECT * FROM decisions WHERE id = $1", [headers["x-gatehouse-decision-id"]]);
    return rows.length > 0 && rows;
  });
  assert.equal(decision.owner_id, alice.id);
  assert.equal(answer.headers["x-gatehouse-decision-id"], decision.id);
});

test("an owner without it is denied, and the client is told why", async () => {
  const answer = await stopped(() => create(bob.username));
  assert.equal(answer.status, 403);
  assert.match(answer.headers["content-type"], /^application\/json/);
  const body = JSON.parse(answer.text);
  assert.equal(body.code, "external_auth_required");
  assert.equal(body.external_auth[0].authenticate_url, `${world.service.accessUrl}/external-auth/demo`);
  assert.equal(answer.headers["x-gatehouse-decision-id"], body.decision_id);
});

test("an owner nobody has seen is one without accounts", async () => {
  const answer = await stopped(() => create("stranger"));
  assert.equal(answer.status, 403);
  assert.equal(JSON.parse(answer.text).code, "external_auth_required");
});

test("who is nobody is a 401", async () => {
  for (const headers of [{}, basic(alice.username, "wrong")]) {
    const answer = await stopped(() => create(null, { headers }));
    assert.equal(answer.status, 401);
    assert.match(answer.headers["www-authenticate"], /^Basic/);
  }
});

test("a client's own headers decide nothing", async () => {
  const headers = {
    "X-Gatehouse-Owner": alice.username, "X-Gatehouse-Transition": "stop", "x-envoy-auth-partial-body": "false",
    "Coder-Session-Token": alice.token, "X-Gatehouse-Decision-Id": "forged", Expect: "", "X-Gatehouse-Template-Version": "forged",
  };
  assert.equal((await stopped(() => create(bob.username, { headers }))).status, 403);
  assert.equal((await create(alice.username, { headers: { ...headers, "X-Gatehouse-Owner": bob.username } })).status, 201);
  assert.notEqual(arrived.at(-1).headers["x-gatehouse-decision-id"], "forged");
});

test("a refusal of the control plane's own stays its own", async () => {
  const answer = await create(alice.username, { path: "/templates/go/workspaces?teapot" });
  assert.equal(answer.status, 403);
  assert.equal(answer.text, "made");
});

test("the gate's location is not for clients", async () => {
  assert.equal((await stopped(() => create(alice.username, { path: "/gatehouse" }))).status, 404);
});

test("a token the gate does not know is a 401, and nothing passes", async () => {
  writeToken("nonsense");
  await reload();
  const answer = await stopped(() => create(alice.username));
  assert.equal(answer.status, 401);
  assert.match(answer.headers["www-authenticate"], /^Bearer/);
  writeToken(controlPlane.token);
  await reload();
  assert.equal((await create(alice.username)).status, 201);
});

test("a gate that is away lets nothing pass", async () => {
  await world.service.end("SIGTERM");
  assert.equal((await stopped(() => create(alice.username))).status, 500);
});
