// SPDX-License-Identifier: Apache-2.0
// After refreshes that ended in every way there is, at a provider that repeats every secret it was told: no token that was
// issued during the run is in the database, in a log at level debug, in an answer, in the metrics or in an argument, and no
// core is written.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { EngineWorld } from "../support/engine.mjs";
import { CLIENT_SECRET } from "../support/provider.mjs";
import { newSecret } from "../support/service.mjs";
import { processes } from "../support/serve.mjs";

const wrong = newSecret();
const extra = newSecret();
const world = await EngineWorld.open({
  providers: (demo) => [
    ...["plain", "told", "lost", "moved", "gone", "form"].map((id) => demo.configure(id, { refresh_retry_timeout: "300ms", extra_token_keys: "id_token" })),
    demo.configure("slack", { type: "slack" }), demo.configure("wrong", { client_secret: wrong, client_secret_2: `${wrong}-2` }),
  ],
  settings: { REFRESH_COOLDOWN: "60s", LOG_LEVEL: "debug" },
});
const { demo } = world;
const other = await world.replica();

const answers = []; // {where, text}
for (const service of world.services) {
  const request = service.request.bind(service);
  service.request = async (method, path, options = {}) => {
    const answer = await request(method, path, options);
    // The one answer that a caller's own token belongs in.
    if (!path.endsWith("/keys/tokens")) answers.push({ where: `${method} ${path}`, text: `${JSON.stringify(answer.headers)}\n${answer.text}` });
    return answer;
  };
}

const lookEverywhere = async (link) => {
  const { user, template, provider } = link;
  await world.reason(link);
  await world.reason(link, other);
  await world.preflight(user, template);
  for (const path of ["/api/v2/external-auth", `/api/v2/external-auth/${provider}`]) await world.api("GET", path, { token: user.token });
  await world.admin("GET", `/api/v2/users/${user.id}/external-auth`);
};

test("refreshes that end in every way", async () => {
  for (const id of ["plain", "slack", "form"]) {
    await demo.set(id, { token_extra: { id_token: extra }, token_answer: { form: "form", slack: "slack" }[id] ?? "json" });
    const link = await world.expired(id);
    for (let round = 0; round < 3; round++) {
      await lookEverywhere(link);
      await world.expire(link);
    }
    await lookEverywhere(link);
    assert.ok((await world.row(link)).generation >= 4, `${id} ${(await world.row(link)).last_failure}`);
  }
  const echo = ({ refresh_token, access_token }) => [
    { status: 400, content_type: "application/json", body: JSON.stringify({ error: "invalid_grant", error_description: `${refresh_token} of ${access_token} is no good`, error_uri: `http://127.0.0.1/?${refresh_token}` }) },
    { status: 400, content_type: "application/json", body: JSON.stringify({ error: refresh_token }) },
    { status: 401, content_type: "application/json", body: JSON.stringify({ error: "invalid_client", error_description: `${CLIENT_SECRET} ${refresh_token}` }) },
    { status: 500, body: `${refresh_token} ${access_token}`, headers: { "X-Token": refresh_token } },
    { status: 302, redirect: `/told/token?refresh_token=${refresh_token}` },
    { status: 200, content_type: "application/json", body: `{"access_token": "${refresh_token}` },
    { status: 200, content_type: "application/json", body: JSON.stringify({ access_token: [refresh_token] }) },
    { status: 200, content_type: "application/json", body: JSON.stringify({ access_token: `${refresh_token}\n${access_token}`, refresh_token: `${refresh_token} blank` }) },
    { status: 200, content_type: "text/html", body: `<html>${refresh_token}` },
    { status: 200, content_type: "application/x-www-form-urlencoded", body: `error=${refresh_token}&error_description=${access_token}` },
  ];
  for (const pick of echo({ refresh_token: "", access_token: "" }).keys()) {
    const link = await world.expired("told");
    await demo.fault("told", "token", echo(link.minted)[pick]);
    await lookEverywhere(link);
    await demo.fault("told", "token", null);
  }
  for (const cut of ["before_headers", "mid_body"]) {
    const link = await world.expired("lost");
    await demo.fault("lost", "token", { cut, commit: "yes", times: 1 });
    await world.agree(link, "rotation_lost");
    await lookEverywhere(link);
  }
  await lookEverywhere(await world.expired("wrong"));
});

test("what is dropped, and what a killed process leaves", async () => {
  const { link, asking, waiting } = await world.bothAsk("moved", { moment: "after" });
  await world.link(link.user, "moved", { withRefreshToken: true });
  await world.settled("moved");
  assert.deepEqual([await asking, await waiting], ["valid", "valid"]);
  await lookEverywhere(link);
  const gone = await world.bothAsk("gone", { moment: "after" });
  assert.equal((await world.api("DELETE", "/api/v2/external-auth/gone", { token: gone.link.user.token })).status, 200);
  await world.settled("gone");
  assert.deepEqual([await gone.asking, await gone.waiting], ["not_linked", "not_linked"]);
});

const secrets = new Map();
test("the run issued many secrets", async () => {
  for (const { kind, value } of await demo.secrets()) secrets.set(value, `the provider's ${kind}`);
  secrets.set(extra, "a token extra").set(wrong, "the refused client secret").set(CLIENT_SECRET, "the client secret").set(world.service.key, "the key");
  assert.ok(secrets.size >= 50, `${secrets.size}`);
});

function assertAbsent(place, text) {
  for (const [value, what] of secrets) {
    const bytes = Buffer.from(value);
    for (const form of [value, bytes.toString("hex"), bytes.toString("base64").replace(/=+$/, "")]) {
      const at = text.indexOf(form);
      assert.equal(at, -1, `${what} is in ${place}: …${text.slice(Math.max(0, at - 200), at + form.length)}…`);
    }
  }
}

test("none of them is in an answer", () => {
  assert.ok(answers.length > 100);
  for (const { where, text } of answers) assertAbsent(`the answer of ${where}`, text);
});

test("nor in the metrics", async () => {
  for (const service of [world.service, other]) assertAbsent("the metrics", await service.metrics());
});

test("nor in the database, where each token is sealed", async () => {
  assertAbsent("the database", await world.psqlDump());
  for (const row of await world.sql("SELECT * FROM links WHERE access_token IS NOT NULL")) assert.ok(row.key_id);
});

test("nor in the arguments of a process", () => {
  for (const { pid, command } of processes()) if (pid !== process.pid) assertAbsent(`the arguments of process ${pid}`, command);
});

test("no core is written", () => {
  for (const { pid } of world.services) assert.match(readFileSync(`/proc/${pid}/limits`, "utf8"), /^Max core file size\s+0\s+0\s/m);
});

// The world ends first: what is said at the end is searched, too.
after(() => {
  for (const service of [world.service, other]) {
    assert.equal(service.program.end.code, 0);
    assertAbsent("the log", service.output());
  }
});
