// SPDX-License-Identifier: Apache-2.0
// Refresh, revocation, metadata and the use of tokens: rows R, V, M and B of the checklist that are the server's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "../support/postgres.mjs";
import { eventually, freePort } from "../support/process.mjs";
import { CLIENT_ID, decide, DEVICE_CODE, logIn, poll, postForm, refresh, revoke, startDevice } from "../support/login.mjs";
import { newSecret } from "../support/service.mjs";
import { assertError, World } from "../support/world.mjs";

const world = await World.open();
const alice = await world.createUser({ username: "alice" });
const whoAmI = (token, service = world.service) => service.request("GET", "/api/v2/users/me", { token });
const isAlive = async (token) => (await whoAmI(token)).status === 200;

function assertRefused(answer, status, error) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.body.error, error, answer.text);
}

async function assertEnded({ access_token, refresh_token }) {
  assertRefused(await refresh(world, refresh_token), 400, "invalid_grant");
  assertError(await whoAmI(access_token), 401, "unauthenticated");
}

test("R1 token answers are JSON that no cache keeps", async () => {
  const tokens = await logIn(world, alice);
  for (const answer of [await refresh(world, tokens.refresh_token), await refresh(world, "ghr_no"), await refresh(world, "")]) {
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.equal(answer.headers.pragma, "no-cache");
    assert.match(answer.headers["content-type"], /^application\/json/);
  }
  assert.equal((await world.api("GET", "/oauth2/token")).status, 405);
});

test("R3 a refresh token is its client's", async () => {
  const tokens = await logIn(world, alice);
  const set = (id) => world.sql("UPDATE token_families SET client_id = $1 WHERE user_id = $2", [id, alice.id]);
  await set("another");
  assertRefused(await refresh(world, tokens.refresh_token), 400, "invalid_grant");
  assertRefused(await revoke(world, tokens.refresh_token), 400, "invalid_grant");
  assertRefused(await revoke(world, tokens.access_token), 400, "invalid_grant");
  assert.ok(await isAlive(tokens.access_token), "V1: another client's token stays");
  await set(CLIENT_ID);
  assert.equal((await refresh(world, tokens.refresh_token)).status, 200);
});

test("R4 there is no scope to widen to", async () => {
  const tokens = await logIn(world, alice);
  assertRefused(await refresh(world, tokens.refresh_token, { scope: "admin" }), 400, "invalid_scope");
  assert.equal((await refresh(world, tokens.refresh_token, { scope: "" })).status, 200);
});

test("R5 R6 each refresh gives another token, and an old one ends all of them", async () => {
  const first = await logIn(world, alice);
  const second = (await refresh(world, first.refresh_token)).body;
  assert.notEqual(second.refresh_token, first.refresh_token);
  const third = (await refresh(world, second.refresh_token)).body;
  assert.ok(await isAlive(third.access_token));
  assertRefused(await refresh(world, first.refresh_token), 400, "invalid_grant");
  for (const tokens of [first, second, third]) await assertEnded(tokens);
});

test("R7 of fifty refreshes at once all get one successor", async () => {
  const { refresh_token } = await logIn(world, alice);
  const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(world, refresh_token)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const successors = new Set(answers.map(({ body }) => body.refresh_token));
  assert.equal(successors.size, 1);
  assert.equal((await refresh(world, [...successors][0])).status, 200);
});

test("R8 a lost answer is given again for a minute, and behind it the old token is one used twice", async () => {
  const first = await logIn(world, alice);
  const second = (await refresh(world, first.refresh_token)).body;
  const again = (await refresh(world, first.refresh_token)).body;
  assert.deepEqual([again.access_token, again.refresh_token], [second.access_token, second.refresh_token]);
  await world.sql("UPDATE token_families SET rotated_at = rotated_at - interval '1 minute' WHERE user_id = $1", [alice.id]);
  assertRefused(await refresh(world, first.refresh_token), 400, "invalid_grant");
  await assertEnded(second);
});

test("R9 a login ends by idleness, by its cap, by suspension and with its user", async () => {
  const idle = await logIn(world, alice);
  await world.sql("UPDATE token_families SET idle_until = now() WHERE user_id = $1", [alice.id]);
  assertRefused(await refresh(world, idle.refresh_token), 400, "invalid_grant");
  const capped = await logIn(world, alice);
  await world.sql("UPDATE token_families SET expires_at = now() WHERE user_id = $1", [alice.id]);
  assertRefused(await refresh(world, capped.refresh_token), 400, "invalid_grant");
  const bob = await world.createUser();
  const tokens = await logIn(world, bob);
  assert.ok(await isAlive(tokens.access_token));
  await world.expect(200, "PATCH", `/api/v2/users/${bob.id}`, { status: "suspended" });
  await assertEnded(tokens);
  await world.expect(200, "PATCH", `/api/v2/users/${bob.id}`, { status: "active" });
  await assertEnded(tokens);
  const last = await logIn(world, bob);
  await world.expect(204, "DELETE", `/api/v2/users/${bob.id}`);
  await assertEnded(last);
});

test("R9 whoever's account at the sign-in service is to be another is logged in nowhere any more", async () => {
  const dave = await world.createUser();
  const tokens = await logIn(world, dave);
  const codes = await startDevice(world);
  await decide(world, codes, dave);
  await world.expect(200, "PATCH", `/api/v2/users/${dave.id}`, { email: null });
  assert.ok(await isAlive(tokens.access_token));
  await world.expect(200, "PATCH", `/api/v2/users/${dave.id}`, { oidc_subject: null });
  await assertEnded(tokens);
  assertRefused(await poll(world, codes), 400, "access_denied");
  assert.ok(await isAlive((await logIn(world, dave)).access_token));
});

test("R9 the settings are kept", async () => {
  const short = await world.replica({ settings: { LOGIN_ACCESS_LIFETIME: "1m", LOGIN_REFRESH_IDLE: "2m", LOGIN_FAMILY_CAP: "90s" } });
  const tokens = await logIn(world, alice, short);
  assert.equal(tokens.expires_in, 60);
  const [{ idle, cap }] = await world.sql(`SELECT extract(epoch FROM idle_until - created_at)::int AS idle,
    extract(epoch FROM expires_at - created_at)::int AS cap FROM token_families WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1`, [alice.id]);
  assert.deepEqual([idle, cap], [90, 90]);
});

test("the oldest of fifty-one logins goes", async () => {
  const carol = await world.createUser();
  const logins = [];
  for (let i = 0; i < 51; i++) logins.push(await logIn(world, carol));
  await assertEnded(logins[0]);
  assert.ok(await isAlive(logins[1].access_token));
});

test("V1 V3 V4 revoking a refresh token ends its access tokens at once, here and soon elsewhere", async () => {
  const other = await world.replica();
  const tokens = await logIn(world, alice);
  assert.equal((await whoAmI(tokens.access_token, other)).status, 200);
  assert.ok(await isAlive(tokens.access_token));
  const answer = await revoke(world, tokens.refresh_token);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.pragma, "no-cache");
  await assertEnded(tokens);
  await eventually("the other replica forgets it", async () => (await whoAmI(tokens.access_token, other)).status === 401, 2100);
  assertError(await whoAmI(tokens.access_token, other), 401, "unauthenticated");
  assert.equal((await world.api("GET", "/oauth2/revoke")).status, 405);
});

test("V4 revoking an access token ends it alone", async () => {
  const tokens = await logIn(world, alice);
  assert.ok(await isAlive(tokens.access_token));
  assert.equal((await revoke(world, tokens.access_token)).status, 200);
  assertError(await whoAmI(tokens.access_token), 401, "unauthenticated");
  assert.equal((await refresh(world, tokens.refresh_token)).status, 200);
});

test("V2 unknown tokens and wrong hints are fine, a missing token and an API key are not", async () => {
  for (const token of ["unknown", "ghr_unknown", `ghr_${"A".repeat(64)}`, `gha_${newSecret()}`])
    assert.equal((await revoke(world, token)).status, 200);
  const tokens = await logIn(world, alice);
  assert.equal((await revoke(world, tokens.access_token, { token_type_hint: "refresh_token" })).status, 200);
  assert.equal((await revoke(world, tokens.refresh_token, { token_type_hint: "nonsense" })).status, 200);
  await assertEnded(tokens);
  assertRefused(await revoke(world, ""), 400, "invalid_request");
  assertRefused(await revoke(world, alice.token), 400, "unsupported_token_type");
  assert.ok(await isAlive(alice.token));
});

test("M1 M2 M4 the metadata names the issuer and what there is", async () => {
  const url = world.service.accessUrl;
  const { body } = await world.api("GET", "/.well-known/oauth-authorization-server");
  assert.equal(body.issuer, url);
  assert.deepEqual(body.grant_types_supported, [DEVICE_CODE, "refresh_token"]);
  assert.deepEqual(body.token_endpoint_auth_methods_supported, ["none"]);
  assert.deepEqual(body.response_types_supported, []);
  for (const name of ["device_authorization_endpoint", "token_endpoint", "revocation_endpoint"]) {
    assert.ok(body[name].startsWith(`${url}/`));
    assertRefused(await postForm(world.service, new URL(body[name]).pathname, {}), 400, "invalid_request");
  }
  assertError(await world.api("GET", "/.well-known/oauth-authorization-server/other"), 404, "not_found");
  assert.equal((await world.api("POST", "/.well-known/oauth-authorization-server")).status, 405);
});

test("M1 the path of the access URL stands behind the well-known one", async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const replica = await world.replica({ settings: { HTTP_ADDRESS: address, ACCESS_URL: "https://example.org/gate" } });
  const { body } = await replica.request("GET", "/.well-known/oauth-authorization-server/gate");
  assert.equal(body.issuer, "https://example.org/gate");
  assert.equal(body.token_endpoint, "https://example.org/gate/oauth2/token");
  assertError(await replica.request("GET", "/.well-known/oauth-authorization-server"), 404, "not_found");
});

test("M1 an access URL in clear text beyond the loopback is warned of", async () => {
  const isWarned = async (service) => {
    const { text, headers } = await service.request("GET", "/.well-known/oauth-authorization-server");
    assert.equal(JSON.parse(text).issuer, service.accessUrl);
    // What was logged before it has been read when its own line has.
    await eventually("the request is logged", () => service.logLines().some(({ request_id }) => request_id === headers["x-request-id"]));
    return service.logLines().some(({ level, setting }) => level === "warn" && setting === "GATEHOUSE_ACCESS_URL");
  };
  assert.equal(await isWarned(world.service), false);
  for (const [ACCESS_URL, warned] of [["https://gate.example.org", false], ["http://gate.example.org", true]])
    assert.equal(await isWarned(await world.replica({ settings: { HTTP_ADDRESS: `127.0.0.1:${await freePort()}`, ACCESS_URL } })), warned, ACCESS_URL);
});

test("B1 the scheme in any case, and one way to send a token", async () => {
  const get = (headers, query = "") => world.api("GET", `/api/v2/users/me${query}`, { headers });
  for (const scheme of ["Bearer", "bearer", "BEARER"])
    assert.equal((await get({ Authorization: `${scheme} ${alice.token}` })).status, 200);
  const both = await get({ Authorization: `Bearer ${alice.token}` }, `?access_token=${alice.token}`);
  assertError(both, 400, "bad_request");
  assert.match(both.headers["www-authenticate"], /error="invalid_request"/);
  assertError(await get({ Authorization: `Bearer ${alice.token}`, "Coder-Session-Token": "x" }), 400, "bad_request");
});

test("B2 B3 B4 each refusal says its error once, and none where nothing was sent", async () => {
  const challenge = async (status, options) => {
    const answer = await world.api("GET", "/api/v2/users", options);
    assert.equal(answer.status, status, answer.text);
    return answer.headers["www-authenticate"];
  };
  assert.equal(await challenge(401, {}), "Bearer");
  assert.equal(await challenge(401, { headers: { Authorization: "Basic YTpi" } }), "Bearer");
  assert.equal(await challenge(401, { headers: { Authorization: "Bearer" } }), "Bearer");
  for (const token of ["unknown", `"\\, error="x"`, "x".repeat(4096)])
    assert.equal(await challenge(401, { token }), 'Bearer error="invalid_token"');
  assert.equal(await challenge(403, { token: alice.token }), 'Bearer error="insufficient_scope"');
});

test("B6 a token in the URL is none", async () => {
  const answer = await world.api("GET", `/api/v2/users/me?access_token=${alice.token}`);
  assertError(answer, 401, "unauthenticated");
  assert.equal(answer.headers["www-authenticate"], "Bearer");
});

test("no token of a login is in the database or the log", async () => {
  const first = await logIn(world, alice);
  const second = (await refresh(world, first.refresh_token)).body;
  const dump = await world.psqlDump();
  for (const token of [first, second].flatMap(({ access_token, refresh_token }) => [access_token, refresh_token])) {
    assert.ok(!dump.includes(token));
    assert.ok(!world.service.output().includes(token));
  }
});

test("T6 V5 a database that is away answers 503 and takes no code or token with it", async () => {
  const cluster = await Cluster.start();
  const own = await World.create({ cluster });
  try {
    const user = await own.createUser();
    const tokens = await logIn(own, user);
    const codes = await startDevice(own);
    await decide(own, codes, user);
    await cluster.pause();
    for (const answer of [await poll(own, codes), await refresh(own, tokens.refresh_token), await revoke(own, tokens.refresh_token)]) {
      assertRefused(answer, 503, "temporarily_unavailable");
      assert.ok(Number(answer.headers["retry-after"]) > 0);
    }
    await cluster.resume();
    assert.equal((await poll(own, codes)).status, 200);
    assert.equal((await refresh(own, tokens.refresh_token)).status, 200);
  } finally {
    await own.close();
  }
});
