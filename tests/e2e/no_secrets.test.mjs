// SPDX-License-Identifier: Apache-2.0
// After a day of everything that can go right or wrong: no secret is where somebody could read it. The service runs as
// a plain user here, so that its memory's protection can be seen from outside.
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { exchange } from "../support/http.mjs";
import { Cluster } from "../support/postgres.mjs";
import { decide, poll, postForm, refresh, revoke, startDevice } from "../support/login.mjs";
import { eventually, runProgram } from "../support/process.mjs";
import { CLIENT_SECRET } from "../support/provider.mjs";
import { newSecret } from "../support/service.mjs";
import { isRoot, isSanitized, nobody, openWorld, processes, publicBinary, refusedStart, temporaryDirectory } from "../support/serve.mjs";

const directory = temporaryDirectory();
const stateDirectory = join(directory, "state");
mkdirSync(stateDirectory);
if (isRoot) chownSync(stateDirectory, nobody.uid, nobody.gid);
const refusedSecret = `refused-${newSecret()}`;
const cluster = await Cluster.start();
chmodSync(cluster.socketDirectory, 0o755); // the service is another account
const world = await openWorld({
  cluster, demo: true, settings: { LOG_LEVEL: "debug" }, identity: nobody, binary: publicBinary(), stateDirectory,
  providers: (demo) => [
    demo.configure("demo"), demo.configureGithub("hub"), demo.configure("post"), demo.configure("broken"),
    demo.configure("wrong", { client_secret: refusedSecret }), demo.configure("second", { client_secret: refusedSecret, client_secret_2: CLIENT_SECRET }),
  ],
});
const { demo, service } = world;

const secrets = new Map(); // value → what it is
const keep = (what, value) => { if (value) secrets.set(value, what); };
const answers = []; // {where, text}: every answer that is not the one place where a secret belongs
const note = (where, answer) => {
  const location = answer.headers?.location;
  answers.push({ where, text: `${JSON.stringify({ ...answer.headers, "set-cookie": undefined, location: undefined })}\n${answer.text}` });
  return location ? new URL(location, service.accessUrl) : null;
};

const origin = new URL(service.accessUrl).origin;
const keepBrowser = (browser) => browser.cookies(origin).forEach(({ name, value }) => keep(`cookie ${name}`, value));
const ask = async (method, path, options) => {
  const answer = await world.api(method, path, options);
  note(`${method} ${path}`, answer);
  return answer;
};

// The service talks to its database by libpq; the test reads what stands in it the same minute.
async function verifiers() {
  const rows = await world.sql("SELECT * FROM oauth_states");
  return rows;
}

async function begin(user, provider) {
  const url = await world.linkUrl(user, provider);
  keep(`ticket for ${provider}`, new URL(url).searchParams.get("ticket"));
  const browser = new Browser({ accept: "application/json" });
  const started = await browser.visit(url, service);
  keepBrowser(browser);
  keep(`state for ${provider}`, started.next?.searchParams.get("state"));
  return { browser, started };
}

async function link(user, provider, { change = () => {} } = {}) {
  const { browser, started } = await begin(user, provider);
  const approved = await browser.visit(started.next);
  const callback = approved.next;
  keep(`code for ${provider}`, callback.searchParams.get("code"));
  change(callback.searchParams);
  const answer = await browser.visit(callback, service);
  note(`callback of ${provider}`, answer);
  return answer;
}

test("a day of everything", async () => {
  keep("administrator's token", service.adminToken);
  keep("encryption key", service.key);
  keep("client secret", CLIENT_SECRET);
  keep("client secret that is refused", refusedSecret);
  const user = await world.createUser();
  const other = await world.createUser();
  keep("user's token", user.token);
  keep("other user's token", other.token);
  const template = await world.createTemplate(["demo", "hub"]);
  const all = await world.createTemplate(["demo", "hub", "broken", { id: "post", optional: true }]);

  // What goes right.
  await ask("POST", "/api/v2/users/me/workspaces", { token: user.token, body: { name: "refused", template_id: template.id } });
  await demo.set("post", { client_auth: "post" });
  for (const provider of ["demo", "hub", "post", "second"]) assert.equal((await link(user, provider)).status, 200, provider);
  assert.equal((await link(user, "demo")).status, 200, "once more");
  await ask("POST", "/api/v2/users/me/workspaces", { token: user.token, body: { name: "made", template_id: template.id } });
  await ask("GET", `/api/v2/templateversions/${all.active_version_id}/external-auth`, { token: user.token });
  for (const path of ["/api/v2/external-auth", "/api/v2/external-auth/hub", "/api/v2/external-auth/demo", "/api/v2/users/me", "/api/v2/users/me/keys/tokens"]) await ask("GET", path, { token: user.token });
  await ask("GET", `/api/v2/users/${user.id}/external-auth`, { token: service.adminToken });

  // Imports, good and refused.
  const imported = await world.link(user, "broken", { withRefreshToken: true });
  keep("refused import", "blank in-it-import-4711");
  await ask("PUT", `/api/v2/users/${user.id}/external-auth/demo`, { token: service.adminToken, body: { access_token: "blank in-it-import-4711" } });
  keep("import with a wrong time", "import-4712-import-4712-import");
  await ask("PUT", `/api/v2/users/${user.id}/external-auth/demo`, { token: service.adminToken, body: { access_token: "import-4712-import-4712-import", expires_at: "tomorrow" } });
  keep("import for nobody", "import-4713-import-4713-import");
  await ask("PUT", "/api/v2/users/nobody-here/external-auth/demo", { token: service.adminToken, body: { access_token: "import-4713-import-4713-import" } });

  // A provider that gives away what it was told, in every way it can answer.
  for (const fault of [
    { status: 500, body: `{"error":"${imported.access_token}"}` }, { status: 401, body: imported.access_token },
    { status: 403, headers: { "X-Echo": imported.access_token }, body: imported.access_token }, { redirect: `/broken/validate?token=${imported.access_token}` },
    { status: 200, body: "{", content_type: "application/json" }, { cut: "mid_body" }, { cut: "before_headers" }, { status: 429, body: imported.access_token },
  ]) {
    await demo.fault("broken", "validate", fault);
    await ask("POST", "/api/v2/users/me/workspaces", { token: user.token, body: { name: `b-${secrets.size}-${answers.length}`, template_id: all.id } });
    await ask("GET", `/api/v2/templateversions/${all.active_version_id}/external-auth`, { token: user.token });
  }
  await demo.fault("broken", "validate", null);

  // Exchanges that fail.
  for (const fault of [
    { status: 400, body: `{"error":"invalid_grant","error_description":"${imported.refresh_token}"}` },
    { status: 400, body: `{"error":"${imported.refresh_token}"}` }, { status: 500, body: imported.refresh_token },
    { status: 200, body: `{"access_token":""}` }, { status: 200, body: `access_token=` }, { cut: "mid_body" }, { status: 200, body: "<html>" },
  ]) {
    await demo.fault("broken", "token", fault);
    assert.equal((await link(other, "broken")).status, 502, JSON.stringify(fault));
  }
  await demo.fault("broken", "token", null);
  assert.equal((await link(other, "wrong")).status, 502);
  await link(other, "demo", { change: (query) => query.set("state", `${newSecret()}`) });
  await link(other, "demo", { change: (query) => query.set("code", "made-up-code-4714-made-up") });
  keep("made-up code", "made-up-code-4714-made-up");
  await link(other, "demo", { change: (query) => { query.delete("code"); query.set("error", "access_denied"); query.set("error_description", "the-word-4715-the-word"); } });
  keep("a provider's description", "the-word-4715-the-word");
  await begin(other, "demo"); // a flow that nobody finishes: its state and verifier stay in the database
  assert.ok((await verifiers()).length > 0, "a verifier waits");

  // Revocation that fails and gives away.
  await demo.fault("broken", "revoke", { status: 400, body: `{"error":"invalid_request","error_description":"${imported.refresh_token}"}` });
  await ask("DELETE", "/api/v2/external-auth/broken", { token: user.token });
  await ask("DELETE", "/api/v2/external-auth/demo", { token: user.token });
  await ask("DELETE", "/api/v2/external-auth/hub", { token: user.token });

  // Callers nobody knows, and secrets where none belongs.
  keep("unknown token", "unknown-token-4716-unknown-token");
  await ask("GET", "/api/v2/users/me", { token: "unknown-token-4716-unknown-token" });
  await ask("GET", "/api/v2/users/me", { headers: { "Coder-Session-Token": "unknown-token-4716-unknown-token" } });
  await ask("GET", `/api/v2/users/me?access_token=${user.token}`);
  await ask("GET", `/api/v2/users/${user.token}`, { token: service.adminToken });
  await ask("GET", "/api/v2/users/me", { headers: { Cookie: `gatehouse_session=${user.token}` } });
  await ask("POST", "/api/v2/users", { token: service.adminToken, raw: `{"username": "${user.token}`, headers: { "Content-Type": "application/json" } });
  note("no way", await exchange("GET", `${service.base}/external-auth/demo?ticket=${user.token}`, { headers: { Accept: "text/html" } }));
  note("no way back", await exchange("GET", `${service.base}/external-auth/demo/callback?code=${user.token}&state=${user.token}`, { headers: { Accept: "text/html" } }));
  note("header too large", await exchange("GET", `${service.base}/api/v2/users/me`, { headers: { Authorization: `Bearer ${user.token}${"x".repeat(20000)}` } }).catch(() => ({ headers: {}, text: "" })));

  // Logins of the command line: codes that wait, are redeemed, are wrong or are somebody else's; tokens used in every way.
  const login = async (codes) => {
    await decide(world, codes, user);
    const { body } = await poll(world, codes);
    keep("a login's access token", body.access_token);
    keep("a login's refresh token", body.refresh_token);
    return body;
  };
  const codes = await startDevice(world);
  const waiting = await startDevice(world);
  for (const { device_code, user_code } of [codes, waiting]) {
    keep("device code", device_code);
    keep("user code", user_code);
    keep("user code without its hyphen", user_code.replace("-", ""));
  }
  for (const again of [waiting, waiting]) note("a poll", await poll(world, again));
  note("the code's address", await exchange("GET", waiting.verification_uri_complete, { headers: { Accept: "text/html" } }));
  const first = await login(codes);
  const { body: second } = await refresh(world, first.refresh_token);
  keep("a second access token", second.access_token);
  keep("a second refresh token", second.refresh_token);
  note("a token where a code belongs", await poll(world, { device_code: second.refresh_token }));
  note("a code where a token belongs", await refresh(world, waiting.device_code));
  note("a token as client", await poll(world, waiting, { client_id: second.access_token }));
  note("a token as grant", await poll(world, waiting, { grant_type: second.access_token }));
  note("a token as scope", await refresh(world, second.refresh_token, { scope: second.access_token }));
  note("a token given twice", await postForm(service, "/oauth2/token", [["refresh_token", second.refresh_token], ["refresh_token", first.refresh_token]]));
  await ask("GET", `/api/v2/users/me?access_token=${second.access_token}`);
  const { body: third } = await refresh(world, second.refresh_token);
  keep("a third refresh token", third.refresh_token);
  note("a refresh token used twice", await refresh(world, first.refresh_token));
  await ask("GET", "/api/v2/users/me", { token: third.access_token });
  note("revocation", await revoke(world, third.refresh_token));
  note("revocation of an API key", await revoke(world, user.token));

  for (const { kind, value } of await demo.secrets()) keep(`provider's ${kind}`, value);
  assert.ok(secrets.size >= 40, `${secrets.size} secrets to look for`);
});

function assertAbsent(place, text) {
  for (const [value, what] of secrets) {
    const bytes = Buffer.from(value);
    for (const [form, name] of [[value, "as it is"], [bytes.toString("base64").replace(/=+$/, ""), "in base64"], [bytes.toString("hex"), "in hexadecimal"], [encodeURIComponent(value), "percent-encoded"]])
      assert.ok(!text.includes(form), `${what}, ${name}, is in ${place}: …${text.slice(Math.max(0, text.indexOf(form) - 200), text.indexOf(form))}…`);
  }
}

test("no answer holds one", () => {
  for (const { where, text } of answers) assertAbsent(`the answer of ${where}`, text);
});

test("neither do the arguments and the environments' visible part of any process", () => {
  for (const { pid, command } of processes()) {
    if (pid === process.pid) continue;
    assertAbsent(`the arguments of process ${pid}`, command);
  }
});

test("nor the metrics", async () => assertAbsent("the metrics", await service.metrics()));

test("nor the database", async () => assertAbsent("the database", await world.psqlDump()));

test("verifiers and tokens are sealed in it, with a key's name beside them", async () => {
  for (const row of await verifiers()) assert.ok(row.key_id && row.verifier.length >= 43 + 28, "a nonce and a tag at least");
  for (const row of await world.sql("SELECT * FROM links WHERE access_token IS NOT NULL")) assert.ok(row.key_id);
});

test("nor any file of its own", () => {
  for (const name of readdirSync(stateDirectory, { recursive: true })) {
    const path = join(stateDirectory, name);
    if (statSync(path).isFile()) assertAbsent(path, readFileSync(path, "latin1"));
  }
});

test("no core is written", () => {
  const limits = readFileSync(`/proc/${service.pid}/limits`, "utf8");
  assert.match(limits, /^Max core file size\s+0\s+0\s/m);
});

// proc(5): files of a process that is not dumpable belong to root, and ptrace of the same user is refused.
test("nobody of the same account reads its memory", { skip: (!isRoot && "only root can be two accounts") || (isSanitized() && "a sanitizer attaches to itself") }, async () => {
  assert.equal(statSync(`/proc/${service.pid}/environ`).uid, 0);
  for (const file of ["environ", "maps", "mem", "auxv"]) {
    const read = await runProgram("cat", "/bin/cat", [`/proc/${service.pid}/${file}`], nobody);
    assert.notEqual(read.code, 0, `/proc/PID/${file} can be read by the same account`);
  }
});

test("nor the log at level debug, which is lines of JSON and nothing else", async () => {
  await eventually("something was logged", () => service.logLines().length > 50);
  await service.end();
  assertAbsent("the log", service.output());
});

test("nor what a refused start says", async () => {
  const url = `postgresql://gate:${CLIENT_SECRET}@127.0.0.1:1/gate?application_name=${refusedSecret}`;
  const refused = await refusedStart({ databaseUrl: url, key: service.key, adminToken: service.adminToken, settings: { LOG_LEVEL: "debug" }, stateDirectory, providers: world.providers });
  assertAbsent("the words of a refused start", refused.stderr);
});
